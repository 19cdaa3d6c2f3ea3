/**
 * Ranks of a matrix's off-diagonal blocks at any tolerance, level by level, from one sample of its entries.
 */
import { RandomStream } from '../../core/random.js';
import { firstOfLevel } from '../../core/indices.js';
import type { Blas } from '../../dense/blas.js';
import { view } from '../../dense/matrix.js';
import { sampleWithoutReplacement } from '../../hierarchical/measure/error-estimate.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';

/** Rows of a block that are sampled, and columns: half of them from the sibling, half from all others. */
export const SAMPLE = 256;
const STREAM = 0x5e1ec7;

/** The tail of a sampled block row: ‖block − best of rank k‖_F of the whole block, k = 0, 1, … */
interface LevelSample {
  /** Indices of a node, and nodes of the level. */
  readonly size: number;
  readonly nodes: number;
  readonly tails: Float64Array;
}

/** Ranks by level of one node each, the root's children first. */
export class SampledRanks {
  readonly #levels: readonly LevelSample[];
  readonly #total: number;

  /** Evaluates one block of at most `sample` × `sample` entries a level. Throws what the source throws. */
  constructor(source: EntrySource, tree: ClusterTree, seed: number, blas: Blas, sample = SAMPLE) {
    const random = new RandomStream(seed, STREAM);
    this.#total = tree.end[0] - tree.begin[0];
    this.#levels = Array.from({ length: tree.depth }, (_, l) => {
      const ν = firstOfLevel(l + 1) + random.integer(2 ** (l + 1));
      return sampleLevel({ source, tree, sample, random, blas }, ν);
    });
  }

  /**
   * Ranks at which the tails of all blocks together are some `error` (‖·‖_F) at most, level by level, each with its
   * number of nodes; `told` is false where the sample is too small to tell.
   */
  at(error: number): { readonly ranks: readonly { readonly rank: number; readonly nodes: number }[]; told: boolean } {
    let told = true;
    const ranks = this.#levels.map(({ size, nodes, tails }) => {
      // As skeletons share an error out: by levels alike, within a level by indices (both triangles).
      const allowed = error * Math.sqrt(size / (2 * this.#levels.length * this.#total));
      const found = tails.findIndex((tail) => tail <= allowed);
      if (found < 0 || found > 0.75 * tails.length) told &&= size <= tails.length;
      return { rank: Math.min(size, Math.max(1, found < 0 ? tails.length : found)), nodes };
    });
    return { ranks, told };
  }
}

/** What a level is sampled from, and by how many rows and columns. */
interface Sampling {
  readonly source: EntrySource;
  readonly tree: ClusterTree;
  readonly sample: number;
  readonly random: RandomStream;
  readonly blas: Blas;
}

function sampleLevel({ source, tree, sample, random, blas }: Sampling, ν: number): LevelSample {
  const { order, begin, end } = tree;
  const size = end[ν] - begin[ν];
  const sibling = ((ν - 1) ^ 1) + 1;
  const pick = (first: number, count: number, wanted: number): Int32Array =>
    sampleWithoutReplacement(count, wanted, random).map((i) => order[first + i]);
  const rows = pick(begin[ν], size, sample);
  const total = end[0] - begin[0];
  const others = total - size - (end[sibling] - begin[sibling]);
  const near = pick(begin[sibling], end[sibling] - begin[sibling], others === 0 ? sample : sample / 2);
  const left = Math.min(begin[ν], begin[sibling]) - begin[0];
  const far = sampleWithoutReplacement(others, Math.min(others, sample / 2), random).map(
    (i) => order[begin[0] + (i < left ? i : i + total - others)],
  );
  const cols = Int32Array.from([...near, ...far]);
  const block = view(new Float64Array(rows.length * cols.length), 0, rows.length, cols.length);
  source.entries(rows, cols, block);
  // Entries of an even sample stand for as many others as its share is small.
  const scale = (part: number, of: number): number => (part === 0 ? 0 : Math.sqrt(of / part));
  const byRows = scale(rows.length, size);
  for (let j = 0; j < cols.length; j++) {
    const factor =
      byRows * (j < near.length ? scale(near.length, end[sibling] - begin[sibling]) : scale(far.length, others));
    for (let i = j * rows.length; i < (j + 1) * rows.length; i++) block.data[i] *= factor;
  }
  const singular = new Float64Array(Math.min(rows.length, cols.length));
  blas.gesdd(block, singular, null, null);
  const tails = new Float64Array(singular.length + 1);
  for (let k = singular.length - 1; k >= 0; k--) tails[k] = Math.hypot(tails[k + 1], singular[k]);
  return { size, nodes: 2 ** Math.floor(Math.log2(ν + 1)), tails };
}
