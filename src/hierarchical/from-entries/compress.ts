/**
 * From a matrix source to a hierarchical matrix: neighbors, tree, lists, skeletons, blocks.
 */
import { requireControl } from '../../core/context.js';
import { type FloatArray, sharedFloats } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { sharedInt32, toShared } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import type { Device } from '../../device/device.js';
import { MOST_COLUMNS } from '../../device/work/interpolations.js';
import { awaitTogether, together } from '../../distributed/together.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { runOnceWith } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type EntrySource, holding, lettingGo, requireSource } from '../../source/entry-source.js';
import { sourceState } from '../../source/share-source.js';
import { resolvedDistance } from '../../tree/distances/choose-distance.js';
import { described, type Given } from '../../tree/given.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { knownIndices } from '../../tree/known-indices.js';
import { interactionLists } from '../../tree/lists.js';
import { ownLists } from '../../tree/own-lists.js';
import { comparisonBytes } from '../measure/columns-error.js';
import { cardOf } from './device/card.js';
import { entriesOf, fillBlock, fillTasks, type FillState } from './evaluate-blocks.js';
import { layOut, type Layout, assemble } from '../matrix/layout.js';
import {
  elementsOfAll,
  exchangeOrders,
  exchangeSkeletons,
  ownInteractions,
  rangesOnTeam,
  shareOnTeam,
} from '../ranks/whole.js';
import { eachOwnPair } from '../ranks/own-blocks.js';
import type { Share } from '../ranks/share.js';
import { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import type { EntriesReport } from '../matrix/report.js';
import { warnIfMissed } from '../matrix/tolerance-advice.js';
import { Leftover } from './leftover.js';
import { COMPRESS_KEYS, MOST_RANK, type AskedOptions, type CompressOptions, type ResolvedOptions } from './options.js';
import { skeletonOf, type Skeletons } from './skeleton-state.js';
import { chooseByPilot, dealtFor, prepare, withLeaves, type Prepared } from './prepare.js';
import { askedEntries, type ScaledEntries } from './scaled-entries.js';
import { neededBases, skeletonizeTree, type Round } from './skeletonize-tree.js';
import type { ChosenOptions } from '../matrix/chosen-options.js';
import { limitsOfMatrix } from '../matrix/tolerance-limits.js';
import { judge, mayImprove, type Verdict } from './verdict.js';
import { findZeroCoupling } from './zero-couplings.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { heldRows } from '../matrix/row-blocks.js';

/** What `compress` takes last. */
export interface CompressControl extends Control {
  /**
   * Where skeletons are found: a card (`openDevice`), of a kernelSource; its samples are evaluated there from points. A
   * device that is a team computes as without one, on that team. Default: the team.
   */
  readonly device?: Device | undefined;
}

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
 * Cost: O(N log N) entries and flops for fixed rank. The same seed gives the same bits for any number of workers, and
 * of ranks (`openTeam({ communicator })`), which share nodes, blocks and factors (ranks/share.ts).
 * Throws OptionError, the errors of `validateSource`, MemoryError (at once where no ranks would fit, else when those of
 * a few subtrees are known), AbortedError, WorkerError; on all of several ranks where it is thrown on one, and
 * CommunicationError where they were given different sources or options. With a card as `device` also OptionError for
 * what it cannot do, DeviceError, DeviceLostError.
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
  control: CompressControl = {},
): Promise<HierarchicalMatrix<EntriesReport>> {
  requireSource(source, 'compress');
  const given = described<CompressOptions>(
    requireKnownOptions(options, COMPRESS_KEYS as KeysOf<typeof options>, 'compress'),
    'compress',
  );
  requireControl(control, 'compress', { device: true });
  const { device, ...own } = control;
  if (device !== undefined) requireRole(device, 'device', 'compress');
  const team = await onTeam(device?.team ? { ...own, team: device.team } : own, 'compress');
  const matrix = await compressEntries(source, given, { ...team, device });
  // One of several ranks says it.
  return team.team.communicator.rank === 0 ? warnIfMissed(matrix, own) : matrix;
}

/**
 * `compress` for callers inside, who read `report.met` themselves: options are known, and nobody is warned. Who
 * compresses a matrix several times passes what is left over.
 */
export const compressEntries = (
  source: EntrySource,
  options: CompressOptions,
  control: TeamControl & Pick<CompressControl, 'device'>,
  leftover: Leftover = new Leftover(),
): Promise<HierarchicalMatrix<EntriesReport>> =>
  lettingGo(source, control, () => compressAsked(source, options, control, leftover));

async function compressAsked(
  source: EntrySource,
  options: CompressOptions,
  { device, ...control }: TeamControl & Pick<CompressControl, 'device'>,
  leftover: Leftover,
): Promise<HierarchicalMatrix<EntriesReport>> {
  const start = performance.now();
  const { communicator } = control.team;
  const { asked, entries: scaled } = await askedEntries(source, options, 'compress', control);
  const {
    factor,
    sums: { largest },
  } = scaled;
  // A device that is a team computes what teams do.
  const request = { source, options: asked, factor, ranks: communicator.size, largest };
  const card = together(communicator, () =>
    device === undefined || device.team !== null ? undefined : cardOf({ device, ...request }),
  );
  const entries = { ...scaled, card };
  const ready = async (options: AskedOptions): Promise<Prepared> => {
    const kept = leftover.take(source, options);
    if (kept !== undefined) return dealtFor(kept, options.format, control);
    const prepared = await prepare(entries, options, control);
    leftover.keep(source, options, prepared);
    return prepared;
  };
  return compressScaled(entries, asked, { start, ready }, control);
}

/** Rounds of a compression begin so. */
const firstRound = (): Round => ({ number: 0, witnesses: sharedInt32(0), allowed: 1 });

/**
 * K̃ from factor·K; where columns of it show an error above the tolerance and ranks are free, anew, with the rows that
 * erred in every sample; or, where a rank limit that nobody asked for was too low, with twice as high a one.
 */
async function compressScaled(
  entries: ScaledEntries,
  asked: AskedOptions,
  { start, ready }: { readonly start: number; readonly ready: (options: AskedOptions) => Promise<Prepared> },
  control: TeamControl,
): Promise<HierarchicalMatrix<EntriesReport>> {
  const { team } = control;
  let prepared = await ready(asked);
  const began = performance.now();
  const { leafSize, maxRank } = asked;
  const most = entries.card === undefined ? MOST_RANK : MOST_COLUMNS / 2;
  let resolved: ResolvedOptions;
  let chosen: ChosenOptions | undefined;
  if (leafSize !== undefined && maxRank !== undefined) resolved = { ...asked, leafSize, maxRank };
  else {
    chosen = await chooseByPilot(entries, asked, prepared, control);
    resolved = { ...asked, leafSize: chosen.leafSize, maxRank: chosen.maxRank };
    prepared = await withLeaves(prepared, entries, resolved, control);
  }
  const choose = chosen === undefined ? undefined : (performance.now() - began) / 1000;
  let round = firstRound();
  for (let rounds = 1; ; rounds++) {
    const { data, elements, draft, verdict } = await compressOnce(entries, resolved, round, prepared, control);
    const { worst, ...judged } = verdict;
    const higher = judged.met || maxRank !== undefined ? undefined : higherLimit(resolved, chosen, judged.limits, most);
    if (judged.met || (higher === undefined && (rounds === ROUNDS || !mayImprove(judged.limits)))) {
      const seconds = { ...draft.seconds, choose, compress: (performance.now() - start) / 1000 };
      return new HierarchicalMatrix(data, elements, { ...draft, ...judged, seconds, chosen }, team);
    }
    team.collect(letGo(data, ['values']));
    if (higher !== undefined) {
      // As if it had been chosen at first.
      resolved = { ...resolved, maxRank: higher };
      round = firstRound();
      rounds = 0;
      if (chosen !== undefined) chosen = { ...chosen, maxRank: higher };
    } else {
      const witnesses = toShared(Int32Array.from(new Set([...round.witnesses, ...worst])));
      round = { number: round.number + 1, witnesses, allowed: TIGHTENED * round.allowed };
    }
    // The tree as it was first, cut to the leaves that were chosen.
    prepared = await withLeaves(await ready(asked), entries, resolved, control);
  }
}

/** Twice the chosen rank limit, where ranks were meant to be free and it was hit; else undefined. */
function higherLimit(
  { maxRank }: ResolvedOptions,
  chosen: ChosenOptions | undefined,
  limits: Verdict['limits'],
  most: number,
): number | undefined {
  if (chosen === undefined || chosen.limitedBy !== undefined || !limits.some(({ limit }) => limit === 'maxRank'))
    return undefined;
  const higher = Math.min(2 * maxRank, most);
  return higher > maxRank ? higher : undefined;
}

/** One round's matrix, and what is to be said of it. */
interface RoundResult {
  readonly data: HierarchicalMatrix['data'];
  readonly elements: Layout['elements'];
  /** Its times are those of this round. */
  readonly draft: Omit<EntriesReport, keyof Verdict | 'seconds' | 'chosen'> & {
    readonly seconds: Omit<EntriesReport['seconds'], 'compress' | 'choose'>;
  };
  readonly verdict: Verdict;
}

async function compressOnce(
  { source, factor, card }: ScaledEntries,
  resolved: ResolvedOptions,
  round: Round,
  { neighbors: found, perNeighbor, tree, dealt, normSquared, seconds }: Prepared,
  control: TeamControl,
): Promise<RoundResult> {
  const { distance, seed } = resolved;
  const { team } = control;
  const began = performance.now();
  const ranges = rangesOnTeam(tree, resolved.format, team);
  const neighbors = await ownLists(found, tree, { ranges, keeps: true, dealt }, control);
  if (neighbors !== found) team.collect(letGo(found, LISTS));
  const known = await knownIndices(tree, neighbors, [neighbors.indices, round.witnesses], control, { dealt });
  const { count, indices } = neighbors;
  const listed = { count, indices, ...known, own: ranges[team.communicator.rank] };
  const lists = interactionLists(tree, listed, { budget: resolved.budget }, team.communicator);
  const paired = performance.now();
  const needed = neededBases(tree, lists);
  const share = shareOnTeam(tree, lists, resolved.format, team);
  const input = { tree, dealt, lists, neighbors, known, perNeighbor, needed, round, share, card };
  const skeletons = await skeletonizeTree(source, resolved, input, normSquared, control);
  const skeletonized = performance.now();
  // Blocks take fewer points, and their own memory.
  if (source.parts !== undefined) team.collect(source.parts.letGo());
  const { nested } = FORMAT_TABLE[resolved.format];
  const own = share === undefined ? lists : ownInteractions(tree, lists, share);
  if (share !== undefined) exchangeSkeletons(skeletons, share, team.communicator);
  const zero = await findZeros(source, own, skeletons, control);
  if (share !== undefined)
    eachOwnPair({ lists: own }, share, (f, pair) => {
      share.zeroPairs[f] = zero[pair];
    });
  const layout = layOut(tree, own, skeletons, nested, { zero, share });
  if (share !== undefined) exchangeOrders(layout, share, team.communicator);
  const bytes = letGo(neighbors, LISTS);
  letGo(skeletons, VOTERS);
  team.collect(bytes);
  const { data, solo } = await evaluateBlocks(
    source,
    resolved,
    { lists: own, layout, found: skeletons, zero, factor: 1 / factor, share },
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
    workers: solo ? 1 : team.workers,
    blas: team.blas.description,
    device: card?.device.description,
    neighborsOn: neighbors.searchedOn,
    recall: neighbors.recall,
    seconds: {
      neighbors: seconds.neighbors,
      tree: seconds.tree + (paired - began) / 1000,
      skeletonization: (skeletonized - paired) / 1000,
      fill: (filled - skeletonized) / 1000,
    },
    norm: Math.sqrt(normSquared) / factor,
    preserve: resolved.preserve ? 'positive-definite' : undefined,
  };
  const elements = share === undefined ? layout.elements : elementsOfAll(layout.elements, team.communicator);
  const unmeasured = new HierarchicalMatrix(data, elements, {} as EntriesReport, team);
  const verdict = await judge(
    { source, factor, approximation: unmeasured.onRows() },
    {
      found: share === undefined ? skeletons : { ...skeletons, ranks: share.skeletonRanks },
      allowed: skeletons.thresholdPerIndex / round.allowed,
      limits: limitsOfMatrix(draft),
      normSquared,
    },
    resolved,
    control,
  ).finally(() => {
    unmeasured.release();
  });
  team.collect(comparisonBytes(source.size));
  return { data, elements, draft, verdict };
}

/** Lists of neighbors, and where each one's stands. */
const LISTS = ['indices', 'rowOf'] as const;
/** What rows are drawn by, and what skeletonization found. */
const VOTERS = ['neighbors', 'nearestBegin', 'nearestOf', 'reach', 'places', 'leafAt', 'rowAt'] as const;
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

/** 1 for each far pair whose coupling is zero. */
async function findZeros(
  source: EntrySource,
  { far }: InteractionLists,
  found: Skeletons,
  control: TeamControl,
): Promise<Int32Array> {
  const { maxRank, ranks, skeletons } = found;
  const held = await holding(source, () => Array.from(new Set(far), (ν) => skeletonOf(found, ν)), control);
  const { handle, modules, solo } = sourceState(held);
  const zero = sharedInt32(far.length / 2);
  const state = { source: handle, far, maxRank, ranks, skeletons, zero };
  await awaitTogether(control.team.communicator, () =>
    runOnceWith('find zeros', findZeroCoupling, { state, modules, solo }, independentTasks(zero.length), control),
  );
  return zero;
}

/** What is known before blocks are evaluated. */
interface FillInput {
  readonly lists: InteractionLists;
  readonly layout: Layout;
  readonly found: Skeletons;
  /** 1 for each far pair whose coupling is zero. */
  readonly zero: Int32Array;
  /** What is stored is this times the source's entries. */
  readonly factor: number;
  /** Of several ranks, what this one holds. */
  readonly share: Share | undefined;
}

async function evaluateBlocks(
  source: EntrySource,
  options: ResolvedOptions,
  { lists, layout, found, zero, factor, share }: FillInput,
  control: TeamControl,
): Promise<{ readonly data: HierarchicalMatrix['data']; readonly solo: boolean }> {
  const { nested } = FORMAT_TABLE[options.format];
  const values = inLargePages(sharedFloats(layout.elements.total, options.dtype));
  const held = await holding(source, () => entriesOf(layout, lists, share), control);
  const { handle, modules, solo } = sourceState(held);
  const tasks = fillTasks(layout, lists, { nested, zero, share });
  const state: FillState = {
    source: handle,
    tree: layout.tree,
    rows: heldRows({ tree: layout.tree, share }),
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
  await awaitTogether(control.team.communicator, () =>
    runOnceWith('evaluate blocks', fillBlock, { state, modules, solo }, independentTasks(tasks.length / 3), control),
  );
  return { data: assemble(layout, lists, values, { format: options.format, share }), solo };
}
