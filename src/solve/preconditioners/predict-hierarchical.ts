/**
 * What products, entries and compressions cost in flops, known or timed: for the choice of a preconditioner.
 */
import { RandomStream } from '../../core/random.js';
import { structuralTree } from '../../curvature/trees/structural-tree.js';
import { SampleOperator } from '../../curvature/products/sample-operator.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros } from '../../dense/matrix.js';
import { entriesCost } from '../../hierarchical/from-entries/cost.js';
import { sampleWithoutReplacement } from '../../hierarchical/measure/error-estimate.js';
import { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { EntryOperator } from '../../source/entry-operator.js';
import { sourceState } from '../../source/share-source.js';
import { buildClusterTree } from '../../tree/build.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import type { PreconditionerOptions, Subject } from './preconditioner.js';

/** Order of the gemm that turns seconds into flops. */
const ORDER = 256;
const LEAF_SIZE = 256;
/** Rows and columns of the block whose rank is measured. */
const SAMPLE = 256;
const STREAM = 0x5e1ec7;

/** Flops a second of gemm on the calling thread. */
export function gemmRate(blas: Blas): number {
  const a = zeros(ORDER, ORDER);
  new RandomStream(0).fillNormal(a.data);
  const c = zeros(ORDER, ORDER);
  blas.gemm('N', 'N', 1, a, a, 0, c);
  const began = performance.now();
  blas.gemm('N', 'N', 1, a, a, 0, c);
  return (2 * ORDER ** 3) / ((performance.now() - began) / 1000);
}

/**
 * Flops of a product with one vector, where the operator's kind tells: 8nN of a network (arXiv 1910.12184), those
 * stored of a hierarchical matrix, 2N² of a dense one that is kept.
 */
export function knownProductFlops(operator: LinearOperator): number | undefined {
  if (operator instanceof SampleOperator) return 8 * operator.samples * operator.rows;
  if (operator instanceof HierarchicalMatrix) return operator.flops(1);
  if (operator instanceof EntryOperator && operator.kept) return 2 * operator.rows ** 2;
  return undefined;
}

/** Predicted rank, error and flops of a hierarchical preconditioner. */
export interface HierarchicalPrediction {
  /** Ranks of the block between the root's children beyond `tolerance`·‖A‖, at most what the sample can tell. */
  readonly rank: number;
  /** ‖A − K̃‖₂ that is to be expected. */
  readonly error: number;
  readonly compress: number;
  readonly factor: number;
  readonly apply: number;
}

/**
 * An HSS matrix of the subject's entries: its rank from the singular values of a sampled block between the root's
 * children, its cost from the tree. Throws what the source and `buildClusterTree` throw.
 */
export async function predictHierarchical(
  { operator, source, model }: Subject,
  norm: number,
  rate: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<HierarchicalPrediction | undefined> {
  if (source === undefined) return undefined;
  const { leafSize = model === undefined ? LEAF_SIZE : LEAF_SIZE / 2, seed = 0, tolerance = 1e-2 } = options;
  const { blas, workers } = control.team;
  const leaf = Math.max(2, Math.min(leafSize, operator.rows));
  const tree =
    options.tree ??
    (model !== undefined
      ? await structuralTree(model, source, { leafSize: leaf, seed }, control)
      : await buildClusterTree(source, 'auto', { leafSize: leaf, seed }, control));
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
  const perEntry = operator instanceof SampleOperator ? 2 * operator.samples : Math.max(1, timed);
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
