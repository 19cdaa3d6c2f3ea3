/**
 * Black-box HODLR compression by peeling.
 * Level by level from the root, for all pairs of siblings (α, β) at once: A times random blocks on the right siblings
 * gives, the levels above peeled off, samples of K(α, β); A times their orthonormal bases U_α gives K(β, α)·U_α, whose
 * singular value decomposition makes both bases and the ranks. In the end A times unit blocks gives the diagonal
 * blocks. Sources: L. Lin, J. Lu, L. Ying, *Fast construction of hierarchical matrix representation from matrix–vector
 * multiplication*, J. Comput. Phys. 230(10), 2011; P.-G. Martinsson,
 * *Compressing rank-structured matrices via randomized sampling*, SIAM J. Sci. Comput. 38(4), 2016, arXiv 1503.07152.
 * Departs from them in choosing the ranks of a level together, in peeling off more than is stored, so that errors of
 * the levels above do not grow from level to level, and in random signs in the second and last products.
 */
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { independentTasks, type TaskGraph } from '../../../parallel/task-graph.js';
import type { TaskDefinition } from '../../../parallel/task.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import type { Shared } from '../../../parallel/team.js';
import { mostInLeaf, type ClusterTree, firstLeaf, leavesOf, nodesOf } from '../../../tree/cluster-tree.js';
import type { InteractionLists } from '../../../tree/interaction-lists.js';
import { peelingWidths, type ResolvedProductsOptions } from '../cost.js';
import type { Layout } from '../../matrix/layout.js';
import {
  drawRight,
  drawUnits,
  factorPair,
  factorShape,
  formBases,
  orthonormalizePair,
  project,
  subtract,
  type PeeledLevel,
  type PeelingState,
} from './peeling-steps.js';
import { chooseRanks, type LevelSpectra } from '../rank-choice.js';
import { storeSeparate } from './skeletons.js';

/** out ← A·x in tree order. */
export type Multiply = (out: Matrix, x: Matrix) => Promise<void>;

/** A peeled matrix in its layout, and the error that the choice of ranks left. */
export interface PeeledMatrix {
  readonly layout: Layout;
  readonly values: FloatArray;
  /** What was dropped within the budget, and what the caps cut off beyond it: squared errors. */
  readonly dropped: number;
  readonly beyond: number;
}

const ROUNDING = 8;
const EPSILON = { f64: 2 ** -53, f32: 2 ** -24 } as const;
/** The sampled bases miss somewhat more than their singular values say. */
const MARGIN = 0.8;
/**
 * What is cut off a level before it is peeled off the products of all levels below, relative to what may be cut off in
 * the end (squared). It comes back in every level below and in the diagonal blocks, in the worst case each time as much
 * as there was before, so it must be little.
 */
const PEELED_SHARE = 1e-3;

/**
 * The HODLR matrix of a symmetric operator; `norm` is ‖A‖_F. Levels are peeled off nearly exactly, at ranks up to
 * maxRank + oversampling, and truncated when all is known. Cost: O(N·rank²·levels²) flops.
 */
export async function peel(
  { tree, lists, norm }: { readonly tree: ClusterTree; readonly lists: InteractionLists; readonly norm: number },
  options: ResolvedProductsOptions,
  multiply: Multiply,
  allocate: (length: number) => FloatArray,
  control: TeamControl,
): Promise<PeeledMatrix> {
  const { maxRank, tolerance, seed } = options;
  const above: PeeledLevel[] = [];
  const widths = peelingWidths(tree, options);
  const budget = tree.depth === 0 ? 0 : (MARGIN * tolerance * norm) ** 2 / tree.depth;
  const ranks = sharedInt32(nodesOf(tree));
  let dropped = 0;
  let beyond = 0;
  for (let level = 1; level <= tree.depth; level++) {
    const { target, spectra } = await peelLevel(
      tree,
      options,
      { level, above, width: widths[level - 1], budget: PEELED_SHARE * budget },
      multiply,
      control,
    );
    above.push(target);
    const chosen = new Int32Array(spectra.cap.length);
    const choice = chooseRanks({ ...spectra, cap: spectra.cap.map((cap) => Math.min(cap, maxRank)) }, budget, chosen);
    chosen.forEach((rank, j) => {
      ranks.fill(rank, target.first + 2 * j, target.first + 2 * j + 2);
    });
    dropped += choice.dropped;
    beyond += choice.beyond;
  }
  const state = peelingState(tree, seed, tree.depth + 1, above, mostInLeaf(tree));
  await peelOff(state, drawUnits, 'both', multiply, control);
  const { layout, values } = await storeSeparate(
    { tree, lists, levels: above, ranks, maxRank, units: state.x, diagonal: state.y },
    allocate,
    control,
  );
  return { layout, values, dropped, beyond };
}

/** One level, and how it is peeled. */
interface LevelToPeel {
  readonly level: number;
  readonly above: readonly PeeledLevel[];
  /** Random vectors. */
  readonly width: number;
  /** Squared error that may be cut off. */
  readonly budget: number;
}

async function peelLevel(
  tree: ClusterTree,
  { seed, productPrecision }: ResolvedProductsOptions,
  { level, above, width, budget }: LevelToPeel,
  multiply: Multiply,
  control: TeamControl,
): Promise<{ target: PeeledLevel; spectra: LevelSpectra }> {
  const state = peelingState(tree, seed, level, above, width);
  const pairs = 2 ** (level - 1);
  const perPair = independentTasks(pairs);
  await peelOff(state, drawRight, 'left', multiply, control);
  await phases(state, control, async (run) => {
    await run('orthonormalize', orthonormalizePair, perPair, undefined);
  });
  await peelOff(state, null, 'right', multiply, control);
  await phases(state, control, async (run) => {
    await run('factor', factorPair, perPair, undefined);
  });
  const first = 2 ** level - 1;
  const cap = Int32Array.from({ length: pairs }, (_, j) => factorShape(tree, first + 2 * j, width).values);
  const begin = new Int32Array(pairs + 1);
  for (let j = 0; j < pairs; j++) begin[j + 1] = begin[j] + cap[j];
  const sigma = new Float64Array(begin[pairs]);
  for (let j = 0; j < pairs; j++) sigma.set(state.sigma.subarray(j * width, j * width + cap[j]), begin[j]);
  const spectra: LevelSpectra = {
    sigma,
    begin,
    cap,
    scale: new Float64Array(pairs).fill(1),
    // The block and its transpose.
    weight: new Float64Array(pairs).fill(2),
    floor: Float64Array.from(
      { length: pairs },
      (_, j) => ROUNDING * EPSILON[productPrecision] * Math.sqrt(rawNormOf(state, first + 2 * j + 1)),
    ),
  };
  const chosen = new Int32Array(pairs);
  chooseRanks(spectra, budget, chosen);
  const target = makeTarget(tree, first, chosen, Math.max(1, width));
  await phases({ ...state, target }, control, async (run) => {
    await run('form bases', formBases, perPair, undefined);
  });
  return { target, spectra };
}

/** X drawn (or as it stands), Y ← A·X less the levels above. */
async function peelOff(
  state: PeelingState,
  draw: TaskDefinition<PeelingState> | null,
  side: 'left' | 'right' | 'both',
  multiply: Multiply,
  control: TeamControl,
): Promise<void> {
  const leaves = independentTasks(leavesOf(state.tree));
  await phases(state, control, async (run) => {
    if (draw !== null) await run('draw', draw, leaves, undefined);
    await multiply(state.y, state.x);
    const nodes = state.above.reduce((sum, { count }) => sum + count, 0);
    if (nodes > 0) await run('project', project, independentTasks(nodes), undefined);
    await run('peel off', subtract, leaves, side);
  });
}

type Run = <A>(phase: string, definition: TaskDefinition<PeelingState, A>, graph: TaskGraph, args: A) => Promise<void>;

/** Phases over one state. */
async function phases(state: PeelingState, control: TeamControl, body: (run: Run) => Promise<void>): Promise<void> {
  const { team } = control;
  const shared: Shared<PeelingState> = await team.share(state);
  try {
    await body((phase, definition, graph, args) => team.run(phase, definition, shared, graph, args, control));
  } finally {
    team.release(shared);
  }
}

function peelingState(
  tree: ClusterTree,
  seed: number,
  level: number,
  above: readonly PeeledLevel[],
  width: number,
): PeelingState {
  const n = tree.size;
  const pairs = level <= tree.depth ? 2 ** (level - 1) : 0;
  const nodes = 2 ** (above.length + 1) - 1;
  const projectedBegin = sharedInt32(nodes + 1);
  projectedBegin[1] = 0;
  for (const { first, count, ranks } of above)
    for (let i = 0; i < count; i++) projectedBegin[first + i + 1] = projectedBegin[first + i] + ranks[i];
  return {
    tree,
    seed,
    level,
    above,
    x: view(sharedFloat64(n * width), 0, n, width),
    y: view(sharedFloat64(n * width), 0, n, width),
    projectedBegin,
    projected: sharedFloat64(projectedBegin[nodes] * width),
    rawNorm: sharedFloat64(leavesOf(tree)),
    left: sharedFloat64(pairs * width * width),
    right: sharedFloat64(pairs * width * width),
    sigma: sharedFloat64(pairs * width),
    tau: sharedFloat64(pairs * width),
    target: null,
  };
}

function makeTarget(tree: ClusterTree, first: number, chosen: Int32Array, scaleStride: number): PeeledLevel {
  const count = 2 * chosen.length;
  const ranks = sharedInt32(count);
  const basisBegin = sharedFloat64(count + 1);
  for (let i = 0; i < count; i++) {
    ranks[i] = chosen[i >> 1];
    basisBegin[i + 1] = basisBegin[i] + ranks[i] * (tree.end[first + i] - tree.begin[first + i]);
  }
  return {
    first,
    count,
    ranks,
    basisBegin,
    bases: sharedFloat64(basisBegin[count]),
    scales: sharedFloat64(chosen.length * scaleStride),
    scaleStride,
  };
}

/** ‖Y(ν, :)‖_F² before peeling, from its leaves. */
function rawNormOf({ tree, rawNorm }: PeelingState, ν: number): number {
  let first = ν;
  let last = ν;
  while (first < firstLeaf(tree)) {
    first = 2 * first + 1;
    last = 2 * last + 2;
  }
  let sum = 0;
  for (let leaf = first; leaf <= last; leaf++) sum += rawNorm[leaf - firstLeaf(tree)];
  return sum;
}
