/**
 * Block rows on CUDA: by our own kernels, large targets with many vectors by cuBLAS (gemms.ts).
 */
import type { Precision } from '../../core/floats.js';
import type { NativeArray } from '../../native/koffi.js';
import { flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Arithmetic, LaunchCost } from '../device.js';
import { cutIntoTiles, depthOf, tileWidthOf, type TileGroup } from '../tiles.js';
import { largeTargets, productsOfRows, type GemmLeast } from './gemms.js';
import { layOut, type CudaHost } from './host.js';
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

/** What cuBLAS has of a launch with so many vectors: steps, and from the first launch on where their lists lie. */
interface Multiplied {
  readonly steps: readonly GemmStep[];
  placed: { readonly lists: readonly (readonly number[])[]; readonly memory: number } | undefined;
}

/** Widths, with an arithmetic each, that this is kept of. */
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
  /** The one that was used last at the end. */
  readonly #multiplied = new Map<string, Multiplied>();
  #last: { readonly operands: RowsOperands; readonly launches: readonly Launch[] } | undefined;

  /** Puts the lists on the device. Throws MemoryError. */
  constructor({ rows, tiles, large, leastWidth, lists, places, bytes }: CutRows, host: CudaHost) {
    this.#host = host;
    this.#rows = rows;
    this.#memory = host.make(bytes);
    const addresses = places.map((place) => this.#memory + place);
    lists.forEach((list, i) => {
      host.send(addresses[i], list);
    });
    this.#lists = addresses.slice(0, 3);
    this.#groups = tiles.map((group, i) => ({ ...group, list: addresses[3 + i] }));
    this.#otherGroups = this.#groups.map(withoutLarge).filter((group) => group.tiles.length > 0);
    this.#large = large;
    this.#leastWidth = leastWidth;
    this.#vectorFlops = flopsOfVector(rows);
  }

  /** What a launch costs. Throws MemoryError, DeviceError where cuBLAS cannot be opened. */
  cost(width: number, arithmetic?: Arithmetic): LaunchCost {
    const { steps } = this.#byCublas(width, arithmetic);
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
    for (const { placed } of this.#multiplied.values()) if (placed !== undefined) this.#host.free(placed.memory);
  }

  #prepare(operands: RowsOperands): Launch[] {
    const multiplied = this.#byCublas(operands.width, operands.arithmetic);
    if (multiplied.steps.length === 0) return this.#groups.map((group) => this.#launchOf(group, operands));
    const { lists, memory } = (multiplied.placed ??= this.#place(multiplied.steps));
    const { values, vectors } = operands;
    return [
      ...multiplied.steps.flatMap((step, i) =>
        gemmLaunches(this.#host, step, { ...operands, addresses: { values, vectors }, lists: lists[i], memory }),
      ),
      ...this.#otherGroups.map((group) => this.#launchOf(group, operands)),
    ];
  }

  /** What cuBLAS has of a launch: all large targets, or none. */
  #byCublas(width: number, arithmetic: Arithmetic | undefined): Multiplied {
    if (this.#large.length === 0 || width < this.#leastWidth) return { steps: [], placed: undefined };
    const key = `${width} ${arithmetic ?? ''}`;
    let found = this.#multiplied.get(key);
    if (found === undefined) {
      const work = productsOfRows(this.#rows, this.#large, width);
      const calls = this.#host.chooseAll(work, arithmetic);
      found = { steps: gemmSteps(calls, work, ['values', 'vectors', 'vectors']), placed: undefined };
    }
    this.#multiplied.delete(key);
    this.#multiplied.set(key, found);
    if (this.#multiplied.size > REMEMBERED) {
      const [[oldest, { placed }]] = this.#multiplied;
      this.#multiplied.delete(oldest);
      if (placed !== undefined) this.#host.free(placed.memory);
    }
    return found;
  }

  #place(steps: readonly GemmStep[]): NonNullable<Multiplied['placed']> {
    const all = steps.map(({ addresses }) => addresses?.lists ?? []);
    const { places, bytes } = layOut(all.flat());
    const memory = this.#host.make(bytes);
    let next = 0;
    const lists = all.map((own) =>
      own.map((list) => {
        const address = memory + places[next++];
        this.#host.send(address, list);
        return address;
      }),
    );
    return { lists, memory };
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
