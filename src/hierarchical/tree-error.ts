/**
 * How good a cluster tree is for a matrix, from a sample of its entries: before anything is compressed. Layer 5.
 * With nested bases of rank s, ‖K − K̃‖_F² ≤ 2·Σ_ν τ_ν² over the nodes below the root, τ_ν² the energy of K(outside ν, ν) beyond rank s; level by level about half of it is seen
 * (rows and columns of a level are projected, what coarser levels project away no finer one misses). So √(Σ_ν τ_ν²)/‖K‖_F stands for the error of an HSS matrix of that rank, and
 * compares trees; the sums over a level come from a few of its nodes, and τ_ν from a sampled block of K(outside ν, ν).
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { firstOfLevel, levelOf } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { InterpolativeDecomposition } from '../dense/interpolative.js';
import { view } from '../dense/matrix.js';
import { phaseKernel } from '../parallel/kernel.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../source/share-source.js';
import type { ClusterTree } from '../tree/cluster-tree.js';
import { estimateNorm } from './norm-estimate.js';

export interface TreeErrorOptions {
  /** s: the rank whose error is asked. */
  readonly rank: number;
  /** Default 0. */
  readonly seed?: number;
  /** Nodes looked at on each level. Default 8. */
  readonly nodesPerLevel?: number;
}

interface TreeErrorState {
  readonly source: SourceHandle;
  readonly trees: readonly ClusterTree[];
  readonly rank: number;
  readonly seed: number;
  readonly columns: number;
  /** Number of the tree, and node, of each task; and the energy it finds. */
  readonly tasks: Int32Array;
  readonly energies: Float64Array;
}

const NODES_PER_LEVEL = 8;
/** Columns sampled of a node, as a multiple of the rank and at least; rows outside, as a multiple of the columns. */
const COLUMNS_PER_RANK = 4;
const LEAST_COLUMNS = 128;
const ROWS_PER_COLUMN = 2;
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

/** Energy beyond rank s of the sampled block row of one node, scaled up. */
export const sampleTail = phaseKernel<TreeErrorState>(import.meta.url, 'sampleTail', (state, context) => {
  const { trees, rank, seed, columns, tasks, energies } = state;
  const source = openHandle(state.source, context);
  const decomposition = new InterpolativeDecomposition(context.blas, columns, rank);
  const scratch = new Float64Array(ROWS_PER_COLUMN * columns * columns);
  return (task) => {
    const { order, begin, end } = trees[tasks[2 * task]];
    const ν = tasks[2 * task + 1];
    const first = begin[ν];
    const size = end[ν] - first;
    const outside = end[0] - begin[0] - size;
    const c = Math.min(columns, size);
    const r = Math.min(ROWS_PER_COLUMN * columns, outside);
    const random = new RandomStream(seed, STREAM, ν);
    const cols = stratified(size, c, random).map((p) => order[first + p]);
    const rows = stratified(outside, r, random).map((p) => order[begin[0] + p + (begin[0] + p < first ? 0 : size)]);
    const a = view(scratch, 0, r, c);
    source.entries(rows, cols, a);
    decomposition.decompose(a, { threshold: 0, maxRank: rank });
    // With all rows or columns as skeletons nothing is left but rounding.
    energies[task] = rank >= Math.min(r, c) ? 0 : decomposition.residual ** 2 * (outside / r) * (size / c);
  };
});

/**
 * For each tree the estimated relative error ‖K − K̃‖_F/‖K‖_F of an HSS matrix of rank s (see above). Trees that differ by a factor of 2 are told apart; the number itself is right to
 * about that factor. Nodes larger than 4s indices are judged by a part of their columns, which flatters them a little. Cost: for each tree about nodesPerLevel·depth
 * blocks of at most 8s × 4s entries, on the team, and 32 columns of K for the norm. The same numbers for any team. Throws OptionError, ShapeError, AbortedError.
 */
export async function estimateTreeErrors(source: EntrySource, trees: readonly ClusterTree[], options: TreeErrorOptions, control: TeamControl): Promise<number[]> {
  const { rank, seed = 0, nodesPerLevel = NODES_PER_LEVEL } = options;
  for (const [name, value] of [['rank', rank], ['nodesPerLevel', nodesPerLevel]] as const) {
    if (!Number.isInteger(value) || value < 1) throw new OptionError(`${name} must be a whole number of at least 1, not ${value}.`, { option: name, value });
  }
  const chosen: number[] = [];
  trees.forEach((tree, k) => {
    if (tree.size !== source.size) throw new ShapeError(`Tree ${k} has ${tree.size} indices, the source ${source.size}.`, { tree: tree.size, size: source.size });
    for (let level = 1; level <= tree.depth; level++) {
      const nodes = 2 ** level;
      for (const place of stratified(nodes, Math.min(nodes, nodesPerLevel), new RandomStream(seed, NODE_STREAM, level))) chosen.push(k, firstOfLevel(level) + place);
    }
  });
  const diagonal = new Float64Array(source.size);
  source.diagonal(diagonal);
  const normSquared = await estimateNorm(source, diagonal, seed, control);
  const { handle, modules, solo } = sourceState(source);
  const tasks = sharedInt32(chosen.length);
  tasks.set(chosen);
  const energies = sharedFloat64(chosen.length / 2);
  const columns = Math.min(source.size, Math.max(LEAST_COLUMNS, COLUMNS_PER_RANK * rank));
  const state: TreeErrorState = { source: handle, trees, rank: Math.min(rank, columns), seed, columns, tasks, energies };
  const shared = await control.team.share(state, { modules, solo });
  try {
    await control.team.run('compare trees', sampleTail, shared, independentTasks(energies.length), undefined, control);
  } finally {
    control.team.release(shared);
  }
  const sums = trees.map(() => 0);
  energies.forEach((energy, task) => {
    const nodes = 2 ** levelOf(tasks[2 * task + 1]);
    sums[tasks[2 * task]] += energy * (nodes / Math.min(nodes, nodesPerLevel));
  });
  return sums.map((sum) => (normSquared > 0 ? Math.sqrt(sum / normSquared) : 0));
}
