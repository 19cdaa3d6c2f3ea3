/**
 * How good a cluster tree is for a matrix, from a sample of its entries: before anything is compressed.
 * With nested bases of rank s, ‖K − K̃‖_F² ≤ 2·Σ_ν τ_ν² over the nodes below the root, τ_ν² the energy of K(outside ν,
 * ν) beyond rank s: each node errs through its rows and its columns. √(2·Σ_ν τ_ν²)/‖K‖_F stands for the error of an HSS
 * matrix of that rank, and compares trees; the sums over a level come from a few of its nodes, and τ_ν from a sampled
 * block of K(outside ν, ν). Its rows are drawn by energy, which products with random signs on its columns show:
 * couplings may be strong and sparse (an output's weights with those of the same output alone), and of even rows hardly
 * any would tell of them.
 */
import { requireWhole } from '../../core/checks.js';
import { throwIfAborted } from '../../core/context.js';
import { ShapeError } from '../../core/errors.js';
import { firstOfLevel, type NodeId } from '../../core/indices.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { InterpolativeDecomposition } from '../../dense/interpolative.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { scaled } from '../../operator/scaled.js';
import { defineTask } from '../../parallel/task.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { diagonalSums } from '../../source/diagonal-sums.js';
import { readDiagonal } from '../../source/diagonal.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import { scaledSource, unitFactor } from '../../source/unit-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { estimateNorm } from './norm-estimate.js';

/** Options of {@link estimateTreeErrors}. */
export interface TreeErrorOptions {
  /** s: the rank whose error is asked. */
  readonly rank: number;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Nodes looked at on each level. Default 8. */
  readonly nodesPerLevel?: number | undefined;
}

/** What is drawn of one node: columns, rows outside and their weights, positions of the arrays below. */
interface SampledBlock {
  readonly columns: Int32Array;
  readonly rows: Int32Array;
  readonly weights: Float64Array;
  readonly scale: number;
}

interface TreeErrorState {
  readonly source: SourceHandle;
  readonly rank: number;
  /** Most columns and rows of a block. */
  readonly most: { readonly columns: number; readonly rows: number };
  /**
   * The columns of task t are indices[begin[2t] … begin[2t + 1]), its rows those up to begin[2t + 2], with `weights`
   * beside them.
   */
  readonly begin: Int32Array;
  readonly indices: Int32Array;
  readonly weights: Float64Array;
  /** Energy beyond the rank, as found. */
  readonly energies: Float64Array;
}

const NODES_PER_LEVEL = 8;
/** Columns sampled of a node, as a multiple of the rank and at least; rows outside, as a multiple of the columns. */
const COLUMNS_PER_RANK = 4;
const LEAST_COLUMNS = 128;
const ROWS_PER_COLUMN = 2;
/** Random vectors that show the energy of a node's rows, and the share of draws that goes to all rows alike. */
const PROBES = 2;
const EVEN = 0.25;
/** Nodes whose products are made at a time. */
const BATCH = 32;
const STREAM = 0x7ee5;
const NODE_STREAM = 0x7ee6;

/** One position from each of `count` equal stretches of `size`. */
function stratified(size: number, count: number, random: RandomStream): Int32Array {
  const places = new Int32Array(count);
  for (let t = 0; t < count; t++) {
    const from = Math.floor((t * size) / count);
    places[t] = from + random.integer(Math.floor(((t + 1) * size) / count) - from);
  }
  return places;
}

/** Energy beyond rank s of a weighted block. */
export const sampleTail = defineTask<TreeErrorState>(
  import.meta.url,
  'sampleTail',
  ({ source: handle, rank, most, begin, indices, weights, energies }, context) => {
    const source = openHandle(handle, context);
    const decomposition = new InterpolativeDecomposition(context.blas, most.columns, rank);
    const scratch = new Float64Array(most.rows * most.columns);
    return (task) => {
      const first = begin[2 * task];
      const middle = begin[2 * task + 1];
      const c = middle - first;
      const r = begin[2 * task + 2] - middle;
      const a = view(scratch, 0, r, c);
      source.entries(indices.subarray(middle, middle + r), indices.subarray(first, middle), a);
      for (let j = 0; j < c; j++) for (let i = 0; i < r; i++) scratch[i + j * r] *= weights[middle + i];
      decomposition.decompose(a, { threshold: 0, maxRank: rank });
      // With all rows or columns as skeletons nothing is left but rounding.
      energies[task] = rank >= Math.min(r, c) ? 0 : decomposition.residual ** 2;
    };
  },
);

/**
 * For each tree the estimated relative error ‖K − K̃‖_F/‖K‖_F of an HSS matrix of rank s (see above). Trees that differ
 * by a factor of 2 are told apart; the number itself is right to about that factor. Nodes of more than 4s indices are
 * judged by a part of their columns, which flatters them a little. `operator` is K, or near enough to tell large rows
 * from small ones. Cost: for each tree about nodesPerLevel·depth blocks of at most 8s × 4s entries and twice as many
 * products, and 32 columns of K for the norm. The same numbers for any team (as far as the operator's are). Throws
 * OptionError, ShapeError, AbortedError.
 */
export async function estimateTreeErrors(
  given: EntrySource,
  operator: LinearOperator,
  trees: readonly ClusterTree[],
  options: TreeErrorOptions,
  control: TeamControl,
): Promise<number[]> {
  const { rank, seed = 0, nodesPerLevel = NODES_PER_LEVEL } = options;
  const { size } = given;
  requireWhole(rank, 'rank', 1);
  requireWhole(nodesPerLevel, 'nodesPerLevel', 1);
  if (operator.rows !== size || operator.cols !== size)
    throw new ShapeError(`The operator is ${operator.rows} × ${operator.cols}, the source has ${size} rows.`, {
      rows: operator.rows,
      cols: operator.cols,
      size,
    });
  trees.forEach((tree, k) => {
    if (tree.size !== size)
      throw new ShapeError(`Tree ${k} has ${tree.size} indices, the source ${size}.`, { tree: tree.size, size });
  });
  const { least, largest } = diagonalSums(readDiagonal(given));
  const factor = unitFactor(Math.max(-least, largest));
  const source = scaledSource(given, factor);
  const products = factor === 1 ? operator : scaled(operator, factor);
  const columns = Math.min(size, Math.max(LEAST_COLUMNS, COLUMNS_PER_RANK * rank));
  const rows = Math.min(size, ROWS_PER_COLUMN * columns);
  const nodes = trees.flatMap((tree) => sampledNodes(tree, nodesPerLevel, seed));
  const samples: SampledBlock[] = [];
  for (let first = 0; first < nodes.length; first += BATCH) {
    throwIfAborted(control.signal);
    samples.push(...drawBlocks(products, nodes.slice(first, first + BATCH), columns, rows, seed));
  }
  const energies = await tails(source, samples, { rank: Math.min(rank, columns), most: { columns, rows } }, control);

  const normSquared = await estimateNorm(source, readDiagonal(source), seed, control);
  const sums = new Map<ClusterTree, number>(trees.map((tree) => [tree, 0]));
  nodes.forEach(({ tree, multiplicity }, t) => {
    sums.set(tree, sums.get(tree)! + multiplicity * samples[t].scale * energies[t]);
  });
  return trees.map((tree) => (normSquared > 0 ? Math.sqrt((2 * sums.get(tree)!) / normSquared) : 0));
}

/** A node that stands for `multiplicity` nodes of its level. */
interface SampledNode {
  readonly tree: ClusterTree;
  readonly node: NodeId;
  readonly multiplicity: number;
}

function sampledNodes(tree: ClusterTree, perLevel: number, seed: number): SampledNode[] {
  const nodes: SampledNode[] = [];
  for (let level = 1; level <= tree.depth; level++) {
    const all = 2 ** level;
    const count = Math.min(all, perLevel);
    for (const place of stratified(all, count, new RandomStream(seed, NODE_STREAM, level)))
      nodes.push({ tree, node: firstOfLevel(level) + place, multiplicity: all / count });
  }
  return nodes;
}

/** Columns of each node, and rows outside by their energy in these columns. */
function drawBlocks(
  operator: LinearOperator,
  nodes: readonly SampledNode[],
  most: number,
  rows: number,
  seed: number,
): SampledBlock[] {
  const n = operator.rows;
  const x = view(sharedFloat64(n * PROBES * nodes.length), 0, n, PROBES * nodes.length);
  const y = view(sharedFloat64(n * PROBES * nodes.length), 0, n, PROBES * nodes.length);
  const drawn = nodes.map(({ tree: { order, begin, end }, node }, k) => {
    const random = new RandomStream(seed, STREAM, node);
    const size = end[node] - begin[node];
    const columns = stratified(size, Math.min(most, size), random).map((p) => order[begin[node] + p]);
    for (let probe = 0; probe < PROBES; probe++)
      for (const j of columns) x.data[j + (PROBES * k + probe) * n] = (random.uint32() & 1) === 0 ? 1 : -1;
    return { random, size, columns };
  });
  operator.applyUnchecked(y, x, 1, 0);
  return nodes.map(({ tree: { order, begin, end }, node }, k) => {
    const { random, size, columns } = drawn[k];
    const before = begin[node] - begin[0];
    const outside = new Int32Array(end[0] - begin[0] - size);
    outside.set(order.subarray(begin[0], begin[node]));
    outside.set(order.subarray(end[node], end[0]), before);
    return { columns, ...rowsByEnergy(outside, y, PROBES * k, rows, random), scale: size / columns.length };
  });
}

/**
 * `count` draws from `outside`, one from each of as many equal shares of the mass Σ_probes y² (and some of it spread
 * evenly); rows drawn once or more, weight² = times/(count·probability).
 */
function rowsByEnergy(
  outside: Int32Array,
  y: Matrix,
  firstProbe: number,
  count: number,
  random: RandomStream,
): { rows: Int32Array; weights: Float64Array } {
  if (outside.length <= count) return { rows: outside, weights: new Float64Array(outside.length).fill(1) };
  const mass = new Float64Array(outside.length);
  let total = 0;
  for (let i = 0; i < outside.length; i++) {
    for (let probe = firstProbe; probe < firstProbe + PROBES; probe++)
      mass[i] += y.data[y.offset + outside[i] + probe * y.ld] ** 2;
    total += mass[i];
  }
  const even = total > 0 ? EVEN : 1;
  const scale = total > 0 ? (1 - EVEN) / total : 0;
  const rows = new Int32Array(count);
  const weights = new Float64Array(count);
  let found = 0;
  let i = 0;
  let below = 0;
  let last = -1;
  for (let t = 0; t < count; t++) {
    const place = (t + random.uniform()) / count;
    let probability = even / outside.length + scale * mass[i];
    while (below + probability < place && i < outside.length - 1) {
      below += probability;
      probability = even / outside.length + scale * mass[++i];
    }
    if (i !== last) {
      rows[found++] = outside[i];
      last = i;
    }
    weights[found - 1] = Math.hypot(weights[found - 1], 1 / Math.sqrt(count * probability));
  }
  return { rows: rows.subarray(0, found), weights: weights.subarray(0, found) };
}

/** Energies beyond the rank of all samples, on the team. */
async function tails(
  source: EntrySource,
  samples: readonly SampledBlock[],
  limits: Pick<TreeErrorState, 'rank' | 'most'>,
  control: TeamControl,
): Promise<Float64Array> {
  const { handle, modules, solo } = sourceState(source);
  const begin = sharedInt32(2 * samples.length + 1);
  samples.forEach(({ columns, rows }, t) => {
    begin[2 * t + 1] = begin[2 * t] + columns.length;
    begin[2 * t + 2] = begin[2 * t + 1] + rows.length;
  });
  const indices = sharedInt32(begin[2 * samples.length]);
  const weights = sharedFloat64(indices.length);
  samples.forEach((sample, t) => {
    indices.set(sample.columns, begin[2 * t]);
    indices.set(sample.rows, begin[2 * t + 1]);
    weights.set(sample.weights, begin[2 * t + 1]);
  });
  const energies = sharedFloat64(samples.length);
  const state: TreeErrorState = { source: handle, ...limits, begin, indices, weights, energies };
  const shared = await control.team.share(state, { modules, solo });
  try {
    await control.team.run('compare trees', sampleTail, shared, independentTasks(samples.length), undefined, control);
  } finally {
    control.team.release(shared);
  }
  return energies;
}
