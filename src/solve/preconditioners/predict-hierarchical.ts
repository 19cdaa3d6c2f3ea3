/**
 * What an HSS matrix as a preconditioner would take, from a tree and a sample of its entries.
 */
import { RandomStream } from '../../core/random.js';
import type { Subject } from '../../approximation/subject.js';
import { view } from '../../dense/matrix.js';
import { entriesCost } from '../../hierarchical/from-entries/cost.js';
import { sampleWithoutReplacement } from '../../hierarchical/measure/error-estimate.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { sourceState } from '../../source/share-source.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import type { Measured } from '../measured.js';
import { stepsAtCondition } from '../spectrum.js';
import type { Prediction, PreconditionerOptions } from './kind.js';

const LEAF_SIZE = 256;
/** Rows and columns of the block whose rank is measured. */
const SAMPLE = 256;
const STREAM = 0x5e1ec7;

/** What is expected of an HSS matrix and its factorization; flops but for the rank and the error. */
interface ExpectedHss {
  /** Rank of the block between the root's children beyond `tolerance`·‖A‖, at most what the sample can tell. */
  readonly rank: number;
  /** ‖A − K̃‖₂. */
  readonly error: number;
  readonly compress: number;
  readonly factor: number;
  readonly apply: number;
}

/** Undefined without entries. Throws what the source and `Subject.tree` throw. */
export async function predictHss(
  subject: Subject,
  measured: Measured,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Prediction | undefined> {
  const { source } = subject;
  if (source === undefined) return undefined;
  const { spectrum, shift, vectors, tolerance, product, steps } = measured;
  const { rank, error, compress, factor, apply } = await expected(subject, source, measured, options, control);
  const iterations = Math.min(
    steps(),
    Math.ceil(
      stepsAtCondition(1 + error / Math.max(shift + spectrum.smallest, Number.EPSILON * spectrum.largest), tolerance),
    ),
  );
  return {
    iterations,
    details: `rank ${rank}`,
    flops: compress + factor + vectors * iterations * (product + apply),
  };
}

/**
 * An HSS matrix of the subject's entries: its rank from the singular values of a sampled block between the root's
 * children, its cost from the tree.
 */
async function expected(
  subject: Subject,
  source: EntrySource,
  { rate, spectrum: { largest: norm } }: Measured,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<ExpectedHss> {
  const { leafSize = subject.model === undefined ? LEAF_SIZE : LEAF_SIZE / 2, seed = 0, tolerance = 1e-2 } = options;
  const { blas, workers } = control.team;
  const leaf = Math.max(2, Math.min(leafSize, source.size));
  const tree = options.tree ?? (await subject.tree(source, { leafSize: leaf, seed }, control));
  const most = options.maxRank ?? mostInLeaf(tree);
  if (tree.depth === 0)
    return { rank: 0, error: 0, compress: source.size ** 2, factor: source.size ** 3 / 3, apply: 2 * source.size ** 2 };
  const random = new RandomStream(seed, STREAM);
  const draw = (ν: number): Int32Array =>
    sampleWithoutReplacement(tree.end[ν] - tree.begin[ν], SAMPLE, random).map((i) => tree.order[tree.begin[ν] + i]);
  const [rows, cols] = [draw(1), draw(2)];
  const k = Math.min(rows.length, cols.length);
  const sampled = view(new Float64Array(rows.length * cols.length), 0, rows.length, cols.length);
  const began = performance.now();
  source.entries(rows, cols, sampled);
  const timed =
    (((performance.now() - began) / 1000) * rate * (sourceState(source).solo ? workers : 1)) /
    (rows.length * cols.length);
  const singular = new Float64Array(k);
  blas.gesdd(sampled, singular, null, null);
  // Singular values of an even sample of a block are smaller by the root of its share.
  const whole = Math.sqrt(
    ((tree.end[1] - tree.begin[1]) / rows.length) * ((tree.end[2] - tree.begin[2]) / cols.length),
  );
  const found = singular.findIndex((σ) => whole * σ <= tolerance * norm);
  const told = found >= 0 && found <= most;
  const rank = told ? Math.max(1, found) : most;
  const beyond = told ? tolerance * norm : whole * singular[Math.min(most, k >> 1)];
  const { entries, flops } = entriesCost(tree, rank);
  const perEntry = subject.entryFlops ?? Math.max(1, timed);
  const m = mostInLeaf(tree);
  const leaves = 2 ** tree.depth;
  return {
    rank,
    error: beyond * Math.sqrt(tree.depth),
    compress: entries * perEntry + flops,
    factor: leaves * (m ** 3 + 2 * m * m * rank) + (leaves * 4 * (2 * rank) ** 3) / 3,
    apply: leaves * (2 * m * m + 4 * m * rank + 16 * rank * rank),
  };
}
