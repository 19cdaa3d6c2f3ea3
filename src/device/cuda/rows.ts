/**
 * Block rows on CUDA: by our own kernels, large targets with many vectors by cuBLAS (gemms.ts).
 */
import type { Precision } from '../../core/floats.js';
import type { NativeArray } from '../../native/koffi.js';
import { flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Arithmetic, LaunchCost } from '../device.js';
import { cutIntoTiles, depthOf, tileWidthOf, type TileGroup } from '../tiles.js';
import { largeTargets, productsOfRows, type GemmLeast } from './gemms.js';
import { layOut, type CudaHost, type HeldMemory } from './host.js';
import { gemmSteps, type GemmStep } from './kernels/gemms.js';
import { rowsKernel } from './kernels/rows.js';
import type { Launch } from './launches.js';
import { kernelLists } from './lists.js';
import { gemmLaunchCount, gemmLaunches } from './step-launches.js';

/** Block rows cut into tiles, before their lists lie on the device. */
export interface CutRows {
  readonly rows: BlockRows;
  readonly tiles: readonly Group[];
  /** Targets that cuBLAS may have. */
  readonly large: readonly number[];
  /** Vectors that it takes at least. */
  readonly leastWidth: number;
  readonly lists: readonly NativeArray[];
  readonly places: readonly number[];
  /** Bytes that the lists take there. */
  readonly bytes: number;
}

/** Tiles of one height, those of large targets first. */
interface Group extends TileGroup {
  /** Multiply–adds for a vector by narrow tiles, which pad rows alone. */
  readonly narrow: number;
  /** Tiles of large targets, and those multiply–adds without them. */
  readonly large: number;
  readonly rest: { readonly padded: number; readonly narrow: number };
}

function groupOf(rows: BlockRows, { height, tiles, padded }: TileGroup, isLarge: readonly boolean[]): Group {
  const pairs = Array.from({ length: tiles.length / 2 }, (_, i) => tiles.subarray(2 * i, 2 * i + 2));
  const [large, others] = [true, false].map((which) => pairs.filter(([target]) => isLarge[target] === which));
  const ordered = Uint32Array.from([...large, ...others].flatMap((pair) => [...pair]));
  const rest = ordered.subarray(2 * large.length);
  return {
    height,
    tiles: ordered,
    padded,
    narrow: height * sumOf(ordered, termsOf(rows)),
    large: large.length,
    rest: { padded: height * sumOf(rest, (b) => depthOf(rows, b)), narrow: height * sumOf(rest, termsOf(rows)) },
  };
}

/** Cuts block rows; `least`: what cuBLAS has at least. */
export function cutRows(rows: BlockRows, least: GemmLeast): CutRows {
  const { targets, terms, starts } = kernelLists(rows);
  const isLarge = largeTargets(rows, least);
  const tiles = cutIntoTiles(rows).map((group) => groupOf(rows, group, isLarge));
  const lists = [targets, terms, starts, ...tiles.map((group) => group.tiles)];
  const large = isLarge.flatMap((yes, b) => (yes ? [b] : []));
  return { rows, tiles, large, leastWidth: least.extent, lists, ...layOut(lists) };
}

/** What rows are launched with. */
export interface RowsOperands {
  readonly precision: Precision;
  readonly arithmetic?: Arithmetic | undefined;
  readonly values: number;
  readonly vectors: number;
  readonly width: number;
}

/** Where the lists of steps by cuBLAS lie. */
interface PlacedLists {
  readonly lists: readonly (readonly number[])[];
  readonly memory: HeldMemory | undefined;
}

/** Widths, with an arithmetic each, that steps are kept of, and lists. */
const REMEMBERED = 4;

/** Tiles of a group, and where their list lies. */
interface PlacedGroup extends Group {
  readonly list: number;
}

/** A group but for tiles of large targets. */
const withoutLarge = ({ large, rest, list, tiles, ...group }: PlacedGroup): PlacedGroup => ({
  ...group,
  ...rest,
  rest,
  large: 0,
  list: list + 2 * large * tiles.BYTES_PER_ELEMENT,
  tiles: tiles.subarray(2 * large),
});

/** Block rows on the device: all lists lie in one piece of memory. */
export class CudaRows {
  readonly #host: CudaHost;
  readonly #rows: BlockRows;
  readonly #memory: number;
  readonly #lists: readonly number[];
  readonly #groups: readonly PlacedGroup[];
  /** Those that are left where cuBLAS has the large targets. */
  readonly #otherGroups: readonly PlacedGroup[];
  readonly #large: readonly number[];
  readonly #leastWidth: number;
  readonly #vectorFlops: number;
  /** Steps by cuBLAS, and lists of those that were launched; the one that was used last at the end. */
  readonly #steps = new Map<string, readonly GemmStep[]>();
  readonly #placed = new Map<string, PlacedLists>();
  #last: { readonly operands: RowsOperands; readonly launches: readonly Launch[] } | undefined;

  /** Puts the lists on the device. Throws MemoryError. */
  constructor({ rows, tiles, large, leastWidth, lists, places, bytes }: CutRows, host: CudaHost) {
    this.#host = host;
    this.#rows = rows;
    this.#memory = host.make(bytes);
    const addresses = places.map((place) => this.#memory + place);
    try {
      lists.forEach((list, i) => {
        host.send(addresses[i], list);
      });
    } catch (error) {
      host.free(this.#memory);
      throw error;
    }
    this.#lists = addresses.slice(0, 3);
    this.#groups = tiles.map((group, i) => ({ ...group, list: addresses[3 + i] }));
    this.#otherGroups = this.#groups.map(withoutLarge).filter((group) => group.tiles.length > 0);
    this.#large = large;
    this.#leastWidth = leastWidth;
    this.#vectorFlops = flopsOfVector(rows);
  }

  /** What a launch costs. */
  cost(width: number, arithmetic?: Arithmetic): LaunchCost {
    const steps = this.#stepsOf(width, arithmetic);
    const groups = steps.length === 0 ? this.#groups : this.#otherGroups;
    const tile = tileWidthOf(width);
    const columns = tile * Math.ceil(width / tile);
    const each = groups.reduce((sum, group) => sum + (tile <= 4 ? group.narrow : group.padded), 0);
    const flops = steps.reduce((sum, { gemm }) => sum + gemm.flops, 0);
    const launches = steps.reduce((sum, step) => sum + gemmLaunchCount(step), groups.length);
    return { launches, flops: this.#vectorFlops * width, padded: flops + 2 * columns * each };
  }

  /** Adds a launch to the queue. */
  launch(operands: RowsOperands): void {
    const last = this.#last?.operands;
    const same =
      last?.width === operands.width &&
      last.values === operands.values &&
      last.vectors === operands.vectors &&
      last.precision === operands.precision &&
      last.arithmetic === operands.arithmetic;
    if (!same) this.#last = { operands, launches: this.#prepare(operands) };
    for (const launch of this.#last!.launches) this.#host.add(launch);
  }

  /** Frees what lies on the device. */
  free(): void {
    this.#host.free(this.#memory);
    for (const { memory } of this.#placed.values()) memory?.free();
  }

  #prepare(operands: RowsOperands): Launch[] {
    const steps = this.#stepsOf(operands.width, operands.arithmetic);
    if (steps.length === 0) return this.#groups.map((group) => this.#launchOf(group, operands));
    const { lists, memory } = this.#listsOf(keyOf(operands.width, operands.arithmetic), steps);
    const { values, vectors } = operands;
    const on = { ...operands, addresses: { values, vectors }, memory: memory?.address ?? this.#memory };
    return [
      ...steps.flatMap((step, i) => gemmLaunches(this.#host, step, { ...on, lists: lists[i] })),
      ...this.#otherGroups.map((group) => this.#launchOf(group, operands)),
    ];
  }

  /** What cuBLAS has of a launch: all large targets, or none. */
  #stepsOf(width: number, arithmetic: Arithmetic | undefined): readonly GemmStep[] {
    if (this.#large.length === 0 || width < this.#leastWidth) return [];
    return remembered(this.#steps, keyOf(width, arithmetic), () => {
      const work = productsOfRows(this.#rows, this.#large, width);
      return gemmSteps(this.#host.chooseAll(work, arithmetic), work, ['values', 'vectors', 'vectors']);
    });
  }

  /** Where the lists of these steps lie, for launches that take the place of the last ones. */
  #listsOf(key: string, steps: readonly GemmStep[]): PlacedLists {
    // Nothing may hold on to what is let go of here.
    this.#last = undefined;
    return remembered(
      this.#placed,
      key,
      () => this.#place(steps),
      ({ memory }) => memory?.free(),
    );
  }

  #place(steps: readonly GemmStep[]): PlacedLists {
    const all = steps.map(({ addresses }) => addresses?.lists ?? []);
    const { places, bytes } = layOut(all.flat());
    if (bytes === 0) return { lists: all.map(() => []), memory: undefined };
    const memory = this.#host.held(bytes, 'The lists of a launch');
    let next = 0;
    try {
      const lists = all.map((own) =>
        own.map((list) => {
          const address = memory.address + places[next++];
          this.#host.send(address, list);
          return address;
        }),
      );
      return { lists, memory };
    } catch (error) {
      memory.free();
      throw error;
    }
  }

  #launchOf(
    { height, tiles, list }: PlacedGroup,
    { precision, arithmetic, values, vectors, width }: RowsOperands,
  ): Launch {
    const tile = tileWidthOf(width);
    const { handle, threads } = this.#host.kernel(rowsKernel({ precision, arithmetic, height, width: tile }));
    const addresses = [list, ...this.#lists, values, vectors];
    const parameters = new BigInt64Array(addresses.length + 2);
    parameters.set(addresses.map(BigInt));
    new Float64Array(parameters.buffer)[addresses.length] = this.#rows.alpha ?? 1;
    new Int32Array(parameters.buffer).set([width, this.#rows.keep ? 1 : 0], 2 * addresses.length + 2);
    const blocks = (tiles.length / 2) * Math.ceil(width / tile);
    return { kernel: handle, blocks, threads, parameters, memory: [this.#memory, values, vectors] };
  }
}

const keyOf = (width: number, arithmetic: Arithmetic | undefined): string => `${width} ${arithmetic ?? ''}`;

/** What a key has, made where it is new; of more than REMEMBERED the one that was used longest ago goes. */
function remembered<T>(all: Map<string, T>, key: string, make: () => T, letGo?: (value: T) => void): T {
  const value = all.get(key) ?? make();
  all.delete(key);
  all.set(key, value);
  if (all.size > REMEMBERED) {
    const [[oldest, gone]] = all;
    all.delete(oldest);
    letGo?.(gone);
  }
  return value;
}

/** The sum over the targets of tiles. */
function sumOf(tiles: Uint32Array, of: (target: number) => number): number {
  let sum = 0;
  for (let i = 0; i < tiles.length; i += 2) sum += of(tiles[i]);
  return sum;
}

/** Terms of a target. */
const termsOf =
  ({ termBegin, terms }: BlockRows) =>
  (b: number): number => {
    let sum = 0;
    for (let t = termBegin[b]; t < termBegin[b + 1]; t++) sum += terms[t];
    return sum;
  };
