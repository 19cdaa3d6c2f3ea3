/**
 * From a matrix source to a hierarchical matrix: neighbors, tree, lists, skeletons, blocks.
 */
import { throwIfAborted } from '../../core/context.js';
import { ShapeError } from '../../core/errors.js';
import { sharedFloats } from '../../core/floats.js';
import { firstOfLevel, leftChild, parentOf, rightChild } from '../../core/indices.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { availableMemory } from '../../io/machine.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { runOnceWith } from '../../parallel/run-once.js';
import { independentTasks, upwardTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type EntrySource, requireSource } from '../../source/entry-source.js';
import { sourceState } from '../../source/share-source.js';
import { scaledSource, unitFactor } from '../../source/unit-source.js';
import { validateSource } from '../../source/validate.js';
import { buildClusterTree } from '../../tree/build.js';
import { type ClusterTree, firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { resolvedDistance } from '../../tree/distances/choose-distance.js';
import { described, type Given } from '../../tree/given.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { interactionLists } from '../../tree/lists.js';
import { findNeighbors, type Neighbors } from '../../tree/neighbors.js';
import { checkTree } from '../matrix/check-data.js';
import { composedBases } from './compose-basis.js';
import { fillBlock, fillTasks, type FillState } from './evaluate-blocks.js';
import { layOut, type Layout, assemble } from '../matrix/layout.js';
import { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import type { EntriesReport } from '../matrix/report.js';
import { COMPRESSION_NEED } from '../matrix/memory.js';
import { warnIfMissed } from '../matrix/tolerance-advice.js';
import { estimateNorm } from '../measure/norm-estimate.js';
import { resolveOptions, type CompressOptions, type ResolvedOptions, COMPRESS_KEYS } from './options.js';
import { basisLevels, evenRanks, skeletonizeNode, type SkeletonState } from './skeletonize.js';
import { limitsOfMatrix } from '../matrix/tolerance-limits.js';
import { judge, mayImprove } from './verdict.js';
import { findZeroCoupling } from './zero-couplings.js';
import { findVoters } from './voters.js';
import { estimateCompression, forecastRanks, interpolationLimit, leastBytes } from './cost.js';
import { FORMAT_TABLE } from '../matrix/format.js';

/** Subtrees that are skeletonized before the rest, and their levels above the leaves: what memory will be needed. */
const PILOT_SUBTREES = 4;
const PILOT_HEIGHT = 3;
/** Leaves that are skeletonized before the others: their ranks are a forecast. */
const PILOT_LEAVES = 8;
/**
 * Times that skeletons are looked for at most: where columns of K̃ show an error above the tolerance and ranks are
 * free, anew, with the rows that erred in every sample.
 */
const ROUNDS = 4;
/** What is allowed to a node in a next round, of what was in the one before: errors may stand everywhere. */
const TIGHTENED = 1 / 2;

/**
 * Compresses a symmetric positive semidefinite matrix seen through its entries:
 *
 *   K̃ = blockdiag(K_αα) + near blocks + Σ over far pairs of P_αᵀ K(α̃, β̃) P_β and its transpose,
 *
 * N × N, with ‖K − K̃‖_F ≤ tolerance·‖K‖_F as far as `maxRank` allows: `report.met` says whether it was met, as far as
 * was seen, and `report.limits` what was hit (measure it: `HierarchicalMatrix.estimateError`).
 * Cost: O(N log N) entries and flops for fixed rank. The same seed gives the same bits for any number of workers.
 * Throws OptionError, the errors of `validateSource`, MemoryError (before allocating), AbortedError, WorkerError.
 * Source: C. Yu, J. Levitt, S. Reiz, G. Biros, SC17, arXiv 1707.00164; the departures are stated in skeletonize.ts and
 * lists.ts.
 *
 * ```js
 * const source = kernelSource({ dimension: 2, count: 1000, coordinates }, gaussian(0.5));
 * const matrix = await compress(source, { tolerance: 1e-6 });
 * const y = matrix.apply(matrixOver(x, 1000, 1));
 * ```
 */
export async function compress(
  source: EntrySource,
  options: Given<CompressOptions> = {},
  control: Control = {},
): Promise<HierarchicalMatrix<EntriesReport>> {
  requireSource(source, 'compress');
  const given = described<CompressOptions>(
    requireKnownOptions(options, COMPRESS_KEYS as KeysOf<typeof options>, 'compress'),
    'compress',
  );
  return warnIfMissed(await compressEntries(source, given, await onTeam(control, 'compress')), control);
}

/** `compress` for callers inside, who read `report.met` themselves: options are known, and nobody is warned. */
export async function compressEntries(
  source: EntrySource,
  options: CompressOptions,
  control: TeamControl,
): Promise<HierarchicalMatrix<EntriesReport>> {
  const resolved = resolveOptions(options);
  const start = performance.now();
  throwIfAborted(control.signal);
  const entries = validateSource(source, resolved.seed);
  // What is decided by squares is decided on a matrix whose squares stay in range; what is stored is K's own.
  const factor = unitFactor(entries.reduce((most, d) => Math.max(most, d), 0));
  const diagonal = factor === 1 ? entries : entries.map((d) => factor * d);
  return compressScaled({ source: scaledSource(source, factor), diagonal, factor }, resolved, start, control);
}

/** factor·K and its diagonal. */
interface ScaledEntries {
  readonly source: EntrySource;
  readonly diagonal: Float64Array;
  readonly factor: number;
}

/** K̃ from factor·K. */
async function compressScaled(
  { source, diagonal, factor }: ScaledEntries,
  resolved: ResolvedOptions,
  start: number,
  control: TeamControl,
): Promise<HierarchicalMatrix<EntriesReport>> {
  const { distance, seed } = resolved;

  // What cannot fit whatever the ranks are is refused at once.
  requireMemory(leastBytes(source.size, resolved), resolved.memoryLimit ?? availableMemory(), COMPRESSION_NEED);
  const searched = performance.now();
  const neighbors = await findNeighbors(source, distance, { neighbors: resolved.neighbors, seed }, control);
  const grown = performance.now();
  if (resolved.tree !== undefined) requireTree(resolved.tree, source.size);
  const tree =
    resolved.tree ?? (await buildClusterTree(source, distance, { leafSize: resolved.leafSize, seed }, control));
  const lists = interactionLists(tree, neighbors, { budget: resolved.budget });
  const listed = performance.now();
  const needed = neededBases(tree, lists);
  const normSquared = await estimateNorm(source, diagonal, seed, control);
  const { nested } = FORMAT_TABLE[resolved.format];
  const draft = {
    origin: 'entries' as const,
    size: source.size,
    format: resolved.format,
    leafSize: resolved.leafSize,
    maxRank: resolved.maxRank,
    tolerance: resolved.tolerance,
    neighbors: neighbors.count,
    budget: resolved.budget,
    budgetUsed: lists.budgetUsed,
    distance: resolved.tree === undefined ? resolvedDistance(distance, source) : 'given',
    dtype: resolved.dtype,
    seed,
    workers: sourceState(source).solo ? 1 : control.team.workers,
    blas: control.team.blas.description,
    recall: neighbors.recall,
    norm: Math.sqrt(normSquared) / factor,
    preserve: resolved.preserve ? ('positive-definite' as const) : undefined,
  };
  let skeletons = await newSkeletons(source, resolved, { tree, lists, neighbors, needed }, normSquared, control);
  const allowed = skeletons.thresholdPerIndex;
  const seconds = { neighbors: (grown - searched) / 1000, tree: (listed - grown) / 1000, skeletonization: 0, fill: 0 };
  for (let round = 1, begun = listed; ; round++, begun = performance.now()) {
    if (round > 1) await findSkeletons(source, skeletons, control);
    const skeletonized = performance.now();
    const zero = await findZeros(source, lists, skeletons, control);
    const layout = layOut(tree, lists, skeletons, nested, zero);
    const data = await evaluateBlocks(
      source,
      resolved,
      { tree, lists, layout, found: skeletons, zero, factor: 1 / factor },
      control,
    );
    const filled = performance.now();
    seconds.skeletonization += (skeletonized - begun) / 1000;
    seconds.fill += (filled - skeletonized) / 1000;

    const unmeasured = new HierarchicalMatrix(data, layout.elements, {} as EntriesReport, control.team);
    const { worst, ...verdict } = await judge(
      { source, factor, approximation: unmeasured },
      { found: skeletons, allowed, limits: limitsOfMatrix(draft), normSquared },
      resolved,
      control,
    ).finally(() => {
      unmeasured.release();
    });
    if (verdict.met || round === ROUNDS || !mayImprove(verdict.limits)) {
      const report: EntriesReport = {
        ...draft,
        ...verdict,
        seconds: { ...seconds, compress: (performance.now() - start) / 1000 },
      };
      return new HierarchicalMatrix(data, layout.elements, report, control.team);
    }
    skeletons = { ...skeletons, ...anew(skeletons, worst) };
  }
}

/** Throws ShapeError unless the caller's tree is a cluster tree over the source's indices. */
function requireTree(tree: ClusterTree, size: number): void {
  checkTree(tree, (what) => {
    throw new ShapeError(`The tree given is no cluster tree: ${what}.`, { size });
  });
  if (tree.size !== size)
    throw new ShapeError(`The tree has ${tree.size} indices, the source ${size}.`, { tree: tree.size, size });
}

/** 1 for every node that stands in a far pair or below one that does: those need a basis. */
function neededBases(tree: ClusterTree, lists: InteractionLists): Int32Array {
  const needed = sharedInt32(nodesOf(tree));
  for (const ν of lists.far) needed[ν] = 1;
  for (let ν = 1; ν < needed.length; ν++) needed[ν] |= needed[parentOf(ν)];
  return needed;
}

/** What skeletonization needs beside entries. */
interface SkeletonInput {
  readonly tree: ClusterTree;
  readonly lists: InteractionLists;
  readonly neighbors: Neighbors;
  /** 1 for every node that needs a basis. */
  readonly needed: Int32Array;
}

/** The skeletons of a first round: what memory they will need is told from a few of them. */
async function newSkeletons(
  source: EntrySource,
  options: ResolvedOptions,
  { tree, lists, neighbors, needed }: SkeletonInput,
  normSquared: number,
  control: TeamControl,
): Promise<SkeletonState> {
  const nodes = nodesOf(tree);
  const { maxRank, leafSize, seed, tolerance } = options;
  const { handle, modules, solo } = sourceState(source);
  const leafOf = leafOfIndices(tree);
  const voters = findVoters(tree, leafOf, neighbors.indices, neighbors.count);
  const slotBegin = sharedFloat64(nodes);
  let slots = 0;
  for (let ν = 0; ν < nodes; ν++) {
    slotBegin[ν] = slots;
    const size = tree.end[ν] - tree.begin[ν];
    if (needed[ν] !== 0)
      slots += interpolationLimit(ν >= firstLeaf(tree) ? size : candidates(tree, ν, maxRank), maxRank);
  }
  const state: SkeletonState = {
    source: handle,
    tree,
    leafOf,
    neighbors: neighbors.indices,
    neighborCount: neighbors.count,
    ...voters,
    nearBegin: lists.nearBegin,
    near: lists.near,
    witnesses: sharedInt32(0),
    maxRank,
    leafSize,
    seed,
    needed,
    preserve: options.preserve ? options.dtype : undefined,
    thresholdPerIndex: (tolerance * tolerance * normSquared) / (2 * basisLevels(needed) * tree.size),
    ranks: sharedInt32(nodes),
    choice: sharedInt32(nodes * maxRank),
    skeletons: sharedInt32(nodes * maxRank),
    amplification: sharedFloat64(nodes * maxRank),
    slotBegin,
    slots: sharedFloat64(slots),
    missed: sharedFloat64(nodes),
    variance: sharedFloat64(nodes),
    attempts: sharedInt32(nodes),
    forecast: sharedInt32(2),
    done: sharedInt32(nodes),
  };
  const shared = await control.team.share(state, { modules, solo });
  try {
    // A few leaves first: their ranks are the forecast for the others.
    const leaves = leavesOf(tree);
    const pilots = Math.min(PILOT_LEAVES, leaves);
    const pilot = Array.from({ length: pilots }, (_, q) => firstLeaf(tree) + Math.floor(((q + 0.5) * leaves) / pilots));
    const some = independentTasks(pilots);
    await control.team.run('forecast ranks', skeletonizeNode, shared, some, { nodes: Int32Array.from(pilot) }, control);
    const ranks = pilot.map((ν) => state.ranks[ν]);
    state.forecast[0] = Math.max(...ranks);
    state.forecast[1] = evenRanks(ranks, Math.min(...pilot.map((ν) => tree.end[ν] - tree.begin[ν]))) ? 1 : 0;
    for (const nodesOfLevel of pilotSubtrees(tree)) {
      const tasks = independentTasks(nodesOfLevel.length);
      await control.team.run('forecast ranks', skeletonizeNode, shared, tasks, { nodes: nodesOfLevel }, control);
    }
    const expected = forecastRanks(tree, state.ranks, state.done, maxRank);
    requireMemory(
      estimateCompression(tree, { lists, needed, ranks: expected }, options, control.team.workers),
      options.memoryLimit ?? availableMemory(),
      COMPRESSION_NEED,
    );
    await control.team.run('skeletonize', skeletonizeNode, shared, upwardTasks(nodes), {}, control);
  } finally {
    control.team.release(shared);
  }
  return state;
}

/** Skeletonizes all nodes that are not done. */
async function findSkeletons(source: EntrySource, state: SkeletonState, control: TeamControl): Promise<void> {
  const { modules, solo } = sourceState(source);
  const shared = await control.team.share(state, { modules, solo });
  try {
    await control.team.run('skeletonize', skeletonizeNode, shared, upwardTasks(state.ranks.length), {}, control);
  } finally {
    control.team.release(shared);
  }
}

/**
 * What a next round begins with: no node done, `worst` among the witnesses, and less allowed.
 */
function anew({ witnesses, done, thresholdPerIndex }: SkeletonState, worst: Int32Array): Partial<SkeletonState> {
  const all = new Set([...witnesses, ...worst]);
  const next = sharedInt32(all.size);
  next.set([...all]);
  return { witnesses: next, done: done.fill(0), thresholdPerIndex: TIGHTENED * thresholdPerIndex };
}

/**
 * The nodes of a few subtrees of a few levels, level by level from the leaves: their ranks and how they grow tell those
 * of the others. None where the tree is not much larger.
 */
function pilotSubtrees(tree: ClusterTree): Int32Array[] {
  const level = tree.depth - PILOT_HEIGHT;
  if (2 ** level < 2 * PILOT_SUBTREES) return [];
  const roots = Array.from({ length: PILOT_SUBTREES }, (_, q) => Math.floor(((q + 0.5) * 2 ** level) / PILOT_SUBTREES));
  return Array.from({ length: PILOT_HEIGHT + 1 }, (_, up) => {
    const count = 2 ** (PILOT_HEIGHT - up);
    const first = firstOfLevel(tree.depth - up);
    return Int32Array.from(roots.flatMap((root) => Array.from({ length: count }, (__, i) => first + root * count + i)));
  });
}

/** 1 for each far pair whose coupling is zero. */
async function findZeros(
  source: EntrySource,
  { far }: InteractionLists,
  { maxRank, ranks, skeletons }: SkeletonState,
  control: TeamControl,
): Promise<Int32Array> {
  const { handle, modules, solo } = sourceState(source);
  const zero = sharedInt32(far.length / 2);
  const state = { source: handle, far, maxRank, ranks, skeletons, zero };
  await runOnceWith('find zeros', findZeroCoupling, { state, modules, solo }, independentTasks(zero.length), control);
  return zero;
}

/** Most candidate columns of an inner node: its children's skeletons. */
function candidates(tree: ClusterTree, ν: number, maxRank: number): number {
  return [leftChild(ν), rightChild(ν)].reduce(
    (sum, child) => sum + Math.min(maxRank, tree.end[child] - tree.begin[child]),
    0,
  );
}

/** The leaf number of each index; 2^depth for isolated indices. */
function leafOfIndices(tree: ClusterTree): Int32Array {
  const leafOf = sharedInt32(tree.size).fill(leavesOf(tree));
  for (let leaf = 0; leaf < leavesOf(tree); leaf++) {
    const ν = firstLeaf(tree) + leaf;
    for (let p = tree.begin[ν]; p < tree.end[ν]; p++) leafOf[tree.order[p]] = leaf;
  }
  return leafOf;
}

/** What is known before blocks are evaluated. */
interface FillInput {
  readonly tree: ClusterTree;
  readonly lists: InteractionLists;
  readonly layout: Layout;
  readonly found: SkeletonState;
  /** 1 for each far pair whose coupling is zero. */
  readonly zero: Int32Array;
  /** What is stored is this times the source's entries. */
  readonly factor: number;
}

async function evaluateBlocks(
  source: EntrySource,
  options: ResolvedOptions,
  { tree, lists, layout, found, zero, factor }: FillInput,
  control: TeamControl,
): Promise<HierarchicalMatrix['data']> {
  const { nested } = FORMAT_TABLE[options.format];
  const values = sharedFloats(layout.elements.total, options.dtype);
  const { modules, solo } = sourceState(source);
  const share = (ν: number): number => found.thresholdPerIndex * (tree.end[ν] - tree.begin[ν]);
  const composed = sharedInt32(nodesOf(tree));
  composed.set(composedBases(tree, found.needed, found.missed, share));
  const tasks = fillTasks(layout, lists, nested, zero, composed);
  const state: FillState = {
    source: found.source,
    tree: layout.tree,
    sampledTree: tree,
    lists,
    skeletons: layout.skeletons,
    offsets: layout.offsets,
    values,
    pivotOf: layout.pivotOf,
    nested,
    maxRank: options.maxRank,
    leafSize: options.leafSize,
    seed: options.seed,
    composed,
    choice: found.choice,
    slotBegin: found.slotBegin,
    slots: found.slots,
    leafOf: found.leafOf,
    neighbors: found.neighbors,
    neighborCount: found.neighborCount,
    nearestBegin: found.nearestBegin,
    nearestOf: found.nearestOf,
    reach: found.reach,
    nearBegin: lists.nearBegin,
    near: lists.near,
    witnesses: found.witnesses,
    tasks,
    factor,
  };
  await runOnceWith(
    'evaluate blocks',
    fillBlock,
    { state, modules, solo },
    independentTasks(tasks.length / 3),
    control,
  );
  return assemble(layout, lists, values, options.format);
}
