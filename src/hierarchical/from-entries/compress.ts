/**
 * From a matrix source to a hierarchical matrix: neighbors, tree, lists, skeletons, blocks.
 */
import { throwIfAborted } from '../../core/context.js';
import { ShapeError } from '../../core/errors.js';
import { type FloatArray, sharedFloats } from '../../core/floats.js';
import { leftChild, parentOf, rightChild } from '../../core/indices.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64, sharedInt32, toShared } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
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
import { bytesOfNeighbor, findNeighborIndices, type Neighbors } from '../../tree/neighbors.js';
import { checkTree } from '../matrix/check-data.js';
import { comparisonBytes } from '../measure/columns-error.js';
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
import { judge, mayImprove, type Verdict } from './verdict.js';
import { findZeroCoupling } from './zero-couplings.js';
import { findVoters } from './voters.js';
import { interpolationLimit } from './cost.js';
import { estimateCompression, forecastRanks, leastBytes } from './memory-estimate.js';
import { pilotLeaves, pilotSubtrees } from './pilot.js';
import { FORMAT_TABLE } from '../matrix/format.js';

/** Rounds at most. */
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
 * Throws OptionError, the errors of `validateSource`, MemoryError (at once where no ranks would fit, else when those of
 * a few subtrees are known), AbortedError, WorkerError.
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

/** What a round is to do better than the one before. */
interface Round {
  /** Rows that every sample is to have. */
  readonly witnesses: Int32Array;
  /** What is allowed to a node, of its share of the tolerance. */
  readonly allowed: number;
}

/**
 * K̃ from factor·K; where columns of it show an error above the tolerance and ranks are free, anew, with the rows that
 * erred in every sample.
 */
async function compressScaled(
  entries: ScaledEntries,
  resolved: ResolvedOptions,
  start: number,
  control: TeamControl,
): Promise<HierarchicalMatrix<EntriesReport>> {
  const { team } = control;
  let round: Round = { witnesses: sharedInt32(0), allowed: 1 };
  for (let rounds = 1; ; rounds++) {
    const { data, elements, draft, verdict } = await compressOnce(entries, resolved, round, control);
    const { worst, ...judged } = verdict;
    if (judged.met || rounds === ROUNDS || !mayImprove(judged.limits)) {
      const seconds = { ...draft.seconds, compress: (performance.now() - start) / 1000 };
      return new HierarchicalMatrix(data, elements, { ...draft, ...judged, seconds }, team);
    }
    team.collect(letGo(data, ['values']));
    const witnesses = toShared(Int32Array.from(new Set([...round.witnesses, ...worst])));
    round = { witnesses, allowed: TIGHTENED * round.allowed };
  }
}

/** One round's matrix, and what is to be said of it. */
interface RoundResult {
  readonly data: HierarchicalMatrix['data'];
  readonly elements: Layout['elements'];
  /** Its times are those of this round. */
  readonly draft: Omit<EntriesReport, keyof Verdict | 'seconds'> & {
    readonly seconds: Omit<EntriesReport['seconds'], 'compress'>;
  };
  readonly verdict: Verdict;
}

async function compressOnce(
  { source, diagonal, factor }: ScaledEntries,
  resolved: ResolvedOptions,
  round: Round,
  control: TeamControl,
): Promise<RoundResult> {
  const { distance, seed } = resolved;
  const { team } = control;

  const inner = diagonal.reduce((count, d) => count + (d === 0 ? 0 : 1), 0) || source.size;
  const perNeighbor = bytesOfNeighbor(source, distance, resolved.neighbors);
  const least = leastBytes(source.size, inner, resolved, perNeighbor);
  requireMemory(least, resolved.memoryLimit ?? availableMemory(), COMPRESSION_NEED);
  const searched = performance.now();
  const neighbors = await searchNeighbors(source, resolved, control);
  team.collect((perNeighbor / 4) * neighbors.indices.byteLength);
  const grown = performance.now();
  if (resolved.tree !== undefined) requireTree(resolved.tree, source.size);
  const tree =
    resolved.tree ?? (await buildClusterTree(source, distance, { leafSize: resolved.leafSize, seed }, control));
  const lists = interactionLists(tree, neighbors, { budget: resolved.budget });
  const listed = performance.now();
  const needed = neededBases(tree, lists);
  const normSquared = await estimateNorm(source, diagonal, seed, control);
  const input = { tree, lists, neighbors, perNeighbor, needed, round };
  const skeletons = await skeletonize(source, resolved, input, normSquared, control);
  const skeletonized = performance.now();
  const { nested } = FORMAT_TABLE[resolved.format];
  const zero = await findZeros(source, lists, skeletons, control);
  const layout = layOut(tree, lists, skeletons, nested, zero);
  const bytes = letGo(neighbors, ['indices']);
  letGo(skeletons, VOTERS);
  team.collect(bytes);
  const data = await evaluateBlocks(
    source,
    resolved,
    { lists, layout, found: skeletons, zero, factor: 1 / factor },
    control,
  );
  const filled = performance.now();
  team.collect(letGo(skeletons, FOUND));

  const draft: RoundResult['draft'] = {
    origin: 'entries',
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
    workers: sourceState(source).solo ? 1 : team.workers,
    blas: team.blas.description,
    recall: neighbors.recall,
    seconds: {
      neighbors: (grown - searched) / 1000,
      tree: (listed - grown) / 1000,
      skeletonization: (skeletonized - listed) / 1000,
      fill: (filled - skeletonized) / 1000,
    },
    norm: Math.sqrt(normSquared) / factor,
    preserve: resolved.preserve ? 'positive-definite' : undefined,
  };
  const unmeasured = new HierarchicalMatrix(data, layout.elements, {} as EntriesReport, team);
  const verdict = await judge(
    { source, factor, approximation: unmeasured },
    {
      found: skeletons,
      share: skeletons.thresholdPerIndex / round.allowed,
      limits: limitsOfMatrix(draft),
      normSquared,
    },
    resolved,
    control,
  ).finally(() => {
    unmeasured.release();
  });
  team.collect(comparisonBytes(source.size));
  return { data, elements: layout.elements, draft, verdict };
}

/** `findNeighbors` without distances, which take two thirds of the memory and are not asked for any more. */
async function searchNeighbors(
  source: EntrySource,
  { distance, neighbors, seed }: ResolvedOptions,
  control: TeamControl,
): Promise<Omit<Neighbors, 'distances' | 'iterations'>> {
  const { count, indices, recall } = await findNeighborIndices(source, distance, { neighbors, seed }, control);
  return { count, indices, recall };
}

/** What rows are drawn by, and what skeletonization found. */
const VOTERS = ['neighbors', 'nearestBegin', 'nearestOf', 'reach', 'leafOf'] as const;
const FOUND = ['choice', 'skeletons', 'amplification', 'slots'] as const;

/**
 * Replaces arrays that nothing will read any more by empty ones, whoever still holds the object; returns how many bytes
 * they had.
 */
function letGo<K extends string>(of: { readonly [key in K]: Int32Array | FloatArray }, keys: readonly K[]): number {
  let bytes = 0;
  for (const key of keys) {
    bytes += of[key].byteLength;
    (of as Record<K, Int32Array | FloatArray>)[key] = of[key].slice(0, 0);
  }
  return bytes;
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
  readonly neighbors: Pick<Neighbors, 'count' | 'indices'>;
  /** Bytes that the search took for each of them. */
  readonly perNeighbor: number;
  /** 1 for every node that needs a basis. */
  readonly needed: Int32Array;
  readonly round: Round;
}

async function skeletonize(
  source: EntrySource,
  options: ResolvedOptions,
  { tree, lists, neighbors, perNeighbor, needed, round }: SkeletonInput,
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
    witnesses: round.witnesses,
    maxRank,
    leafSize,
    seed,
    needed,
    preserve: options.preserve ? options.dtype : undefined,
    thresholdPerIndex: (round.allowed * tolerance * tolerance * normSquared) / (2 * basisLevels(needed) * tree.size),
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
    const pilot = pilotLeaves(tree);
    const some = independentTasks(pilot.length);
    await control.team.run('forecast ranks', skeletonizeNode, shared, some, { nodes: pilot }, control);
    const ranks = Array.from(pilot, (ν) => state.ranks[ν]);
    state.forecast[0] = Math.max(...ranks);
    const least = pilot.reduce((size, ν) => Math.min(size, tree.end[ν] - tree.begin[ν]), Infinity);
    state.forecast[1] = evenRanks(ranks, least) ? 1 : 0;
    // Then a few subtrees: whether what all need is there.
    const { nodes: below, graph } = pilotSubtrees(tree);
    await control.team.run('forecast ranks', skeletonizeNode, shared, graph, { nodes: below }, control);
    const expected = {
      lists,
      needed,
      ranks: forecastRanks(tree, state, maxRank),
      bytesOfNeighbor: perNeighbor,
      slotBytes: state.slots.byteLength,
    };
    requireMemory(
      estimateCompression(tree, expected, options, control.team.workers),
      options.memoryLimit ?? availableMemory(),
      COMPRESSION_NEED,
    );
    await control.team.run('skeletonize', skeletonizeNode, shared, upwardTasks(nodes), {}, control);
  } finally {
    control.team.release(shared);
  }
  return state;
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
  { lists, layout, found, zero, factor }: FillInput,
  control: TeamControl,
): Promise<HierarchicalMatrix['data']> {
  const { nested } = FORMAT_TABLE[options.format];
  const values = inLargePages(sharedFloats(layout.elements.total, options.dtype));
  const { modules, solo } = sourceState(source);
  const tasks = fillTasks(layout, lists, nested, zero);
  const state: FillState = {
    source: found.source,
    tree: layout.tree,
    lists,
    skeletons: layout.skeletons,
    offsets: layout.offsets,
    values,
    pivotOf: layout.pivotOf,
    nested,
    maxRank: options.maxRank,
    leafSize: options.leafSize,
    choice: found.choice,
    slotBegin: found.slotBegin,
    slots: found.slots,
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
