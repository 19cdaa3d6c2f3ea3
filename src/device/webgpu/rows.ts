/**
 * Block rows on WebGPU.
 */
import { flopsOfVector, type BlockRows } from '../block-rows.js';
import type { LaunchCost } from '../device.js';
import { cutIntoTiles, tileWidthOf, type TileGroup, type TileWidth } from '../tiles.js';
import { USAGE, type GpuBuffer, type GpuPipeline } from './api.js';
import { GpuBuffers, inRows, roomFor, type GpuHost } from './host.js';
import { kernelOf, PARAMETER_WORDS } from './kernel.js';
import { kernelLists, type KernelLists } from './lists.js';

/** Tiles of one height, with their lists and parameters. */
interface Group extends TileGroup {
  readonly list: GpuBuffer;
  readonly parameters: GpuBuffer;
  /** The width that the parameters have now; 0: none yet. */
  width: number;
  /** What binds the lists and the last operands to a kernel. */
  bound?: {
    readonly width: TileWidth;
    readonly values: GpuBuffer;
    readonly vectors: GpuBuffer;
    readonly group: unknown;
  };
}

const PARAMETER_BYTES = 4 * PARAMETER_WORDS;

/** Lists of block rows and how they are cut, before they lie on the device. */
export interface CutRows {
  readonly rows: BlockRows;
  readonly lists: KernelLists;
  readonly tiles: readonly TileGroup[];
  /** Bytes that they take there. */
  readonly bytes: number;
}

/** Cuts block rows. Throws MemoryError where a kernel cannot address a block. */
export function cutRows(rows: BlockRows): CutRows {
  const lists = kernelLists(rows);
  const tiles = cutIntoTiles(rows);
  const bytes =
    [lists.blocks, lists.terms, lists.starts].reduce((sum, { byteLength }) => sum + roomFor(byteLength), 0) +
    tiles.reduce((sum, group) => sum + roomFor(group.tiles.byteLength) + roomFor(PARAMETER_BYTES), 0);
  return { rows, lists, tiles, bytes };
}

/** Block rows on the device. */
export class GpuRows {
  readonly #host: GpuHost;
  readonly #buffers: GpuBuffers;
  readonly #rows: BlockRows;
  readonly #lists: readonly GpuBuffer[];
  readonly #groups: readonly Group[];
  readonly #vectorFlops: number;

  private constructor(host: GpuHost, buffers: GpuBuffers, rows: BlockRows, made: [GpuBuffer[], Group[]]) {
    this.#host = host;
    this.#buffers = buffers;
    this.#rows = rows;
    [this.#lists, this.#groups] = made;
    this.#vectorFlops = flopsOfVector(rows);
  }

  /** Puts the lists on the device. Throws MemoryError, and then nothing is left there. */
  static async prepare({ rows, lists, tiles }: CutRows, host: GpuHost): Promise<GpuRows> {
    const buffers = new GpuBuffers(host);
    try {
      const made = await Promise.all(
        [lists.blocks, lists.terms, lists.starts].map((list) => buffers.put(list, USAGE.storage)),
      );
      const groups = tiles.map(async (group): Promise<Group> => ({
        ...group,
        list: await buffers.put(group.tiles, USAGE.storage),
        parameters: await buffers.put(PARAMETER_BYTES, USAGE.uniform),
        width: 0,
      }));
      return new GpuRows(host, buffers, rows, [made, await Promise.all(groups)]);
    } catch (error) {
      buffers.free();
      throw error;
    }
  }

  /** What a launch costs. */
  cost(width: number): LaunchCost {
    const tile = tileWidthOf(width);
    const columns = tile * Math.ceil(width / tile);
    return {
      launches: this.#groups.length,
      flops: this.#vectorFlops * width,
      padded: 2 * columns * this.#groups.reduce((sum, { padded }) => sum + padded, 0),
    };
  }

  /** Writes the width down: what was recorded before reads the old one, and is handed over. */
  resize(width: number): void {
    for (const group of this.#groups) {
      if (group.width === width) continue;
      this.#host.submit();
      const count = group.tiles.length / 2;
      const parameters = new Uint32Array(PARAMETER_WORDS);
      parameters.set([width, this.#rows.keep ? 1 : 0, count, inRows(count, this.#host)[0]]);
      new Float32Array(parameters.buffer)[4] = this.#rows.alpha ?? 1;
      this.#host.send(group.parameters, parameters);
      group.width = width;
    }
  }

  /** Records a launch of the width that was written down last. */
  launch(values: GpuBuffer, vectors: GpuBuffer): void {
    for (const group of this.#groups) {
      const tile = tileWidthOf(group.width);
      const pipeline = this.#host.pipeline(`${group.height} × ${tile}`, () => kernelOf(group.height, tile));
      const [across, down] = inRows(group.tiles.length / 2, this.#host);
      const bound = this.#bind(group, pipeline, { tile, values, vectors });
      this.#host.dispatch(pipeline, bound, [across, down, Math.ceil(group.width / tile)]);
    }
  }

  /** Frees what lies on the device. */
  free(): void {
    this.#buffers.free();
  }

  /** What binds lists and operands to the kernel: the last one's, or a new one. */
  #bind(
    group: Group,
    pipeline: GpuPipeline,
    { tile, values, vectors }: { readonly tile: TileWidth; readonly values: GpuBuffer; readonly vectors: GpuBuffer },
  ): unknown {
    const known = group.bound;
    if (known?.width === tile && known.values === values && known.vectors === vectors) return known.group;
    const made = this.#host.bind(pipeline, [group.parameters, group.list, ...this.#lists, values, vectors]);
    group.bound = { width: tile, values, vectors, group: made };
    return made;
  }
}
