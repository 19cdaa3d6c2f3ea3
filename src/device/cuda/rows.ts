/**
 * Block rows on CUDA.
 */
import type { Precision } from '../../core/floats.js';
import type { NativeArray } from '../../native/koffi.js';
import { flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Arithmetic, LaunchCost } from '../device.js';
import { cutIntoTiles, tileWidthOf, type TileGroup } from '../tiles.js';
import { layOut, type CudaHost } from './host.js';
import { rowsKernel } from './kernels/rows.js';
import type { Launch } from './launches.js';
import { kernelLists } from './lists.js';

/** Block rows cut into tiles, before their lists lie on the device. */
export interface CutRows {
  readonly rows: BlockRows;
  readonly tiles: readonly TileGroup[];
  readonly lists: readonly NativeArray[];
  readonly places: readonly number[];
  /** Bytes that the lists take there. */
  readonly bytes: number;
}

/** Cuts block rows. */
export function cutRows(rows: BlockRows): CutRows {
  const { targets, terms, starts } = kernelLists(rows);
  const tiles = cutIntoTiles(rows);
  const lists = [targets, terms, starts, ...tiles.map((group) => group.tiles)];
  return { rows, tiles, lists, ...layOut(lists) };
}

/** What rows are launched with. */
export interface RowsOperands {
  readonly precision: Precision;
  readonly arithmetic?: Arithmetic | undefined;
  readonly values: number;
  readonly vectors: number;
  readonly width: number;
}

/** Tiles of one height. */
interface Group extends TileGroup {
  /** Multiply–adds for a vector by narrow tiles, which pad rows alone. */
  readonly narrow: number;
  /** Where their list lies. */
  readonly list: number;
}

/** Block rows on the device: all lists lie in one piece of memory. */
export class CudaRows {
  readonly #host: CudaHost;
  readonly #rows: BlockRows;
  readonly #memory: number;
  readonly #lists: readonly number[];
  readonly #groups: readonly Group[];
  readonly #vectorFlops: number;
  #last: { readonly operands: RowsOperands; readonly launches: readonly Launch[] } | undefined;

  /** Puts the lists on the device. Throws MemoryError. */
  constructor({ rows, tiles, lists, places, bytes }: CutRows, host: CudaHost) {
    this.#host = host;
    this.#rows = rows;
    this.#memory = host.make(bytes);
    const addresses = places.map((place) => this.#memory + place);
    lists.forEach((list, i) => {
      host.send(addresses[i], list);
    });
    this.#lists = addresses.slice(0, 3);
    this.#groups = tiles.map((group, i) => ({
      ...group,
      narrow: group.height * termsOf(rows, group.tiles),
      list: addresses[3 + i],
    }));
    this.#vectorFlops = flopsOfVector(rows);
  }

  /** What a launch costs. */
  cost(width: number): LaunchCost {
    const tile = tileWidthOf(width);
    const columns = tile * Math.ceil(width / tile);
    const each = this.#groups.reduce((sum, group) => sum + (tile <= 4 ? group.narrow : group.padded), 0);
    return { launches: this.#groups.length, flops: this.#vectorFlops * width, padded: 2 * columns * each };
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
    if (!same) this.#last = { operands, launches: this.#groups.map((group) => this.#launchOf(group, operands)) };
    for (const launch of this.#last!.launches) this.#host.add(launch);
  }

  /** Frees what lies on the device. */
  free(): void {
    this.#host.free(this.#memory);
  }

  #launchOf({ height, tiles, list }: Group, { precision, arithmetic, values, vectors, width }: RowsOperands): Launch {
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

/** Terms of the targets of all tiles together. */
function termsOf({ termBegin, terms }: BlockRows, tiles: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < tiles.length; i += 2)
    for (let t = termBegin[tiles[i]]; t < termBegin[tiles[i] + 1]; t++) sum += terms[t];
  return sum;
}
