/**
 * What a matrix of format 'hss' takes on several ranks: memory, flops, messages and time, without making it.
 */
import { broughtPoints, heldPoints, type HeldByPhase } from './held-points.js';
import { plannedTree, type PlannedTree } from './levels.js';
import { plannedMemory, vectorsInTurn, type PlannedMemory } from './memory.js';
import { planSetup, type PlanOptions, type PlanSetup } from './options.js';
import { NO_TRAFFIC, totalTraffic, type PlannedTraffic } from './operations.js';
import { TrafficPlan, type LevelTraffic } from './traffic.js';
import { WorkPlan, type PlannedWork } from './work.js';

/** The stages of a plan, and the phases of each. */
export const PLAN_STAGES = {
  compress: ['neighbors', 'tree', 'norm', 'skeletonization', 'blocks', 'structure', 'check'],
  product: ['product', 'gather product'],
  factor: ['factor'],
  solve: ['solve', 'gather solution'],
} as const;
/** A stage of a plan. */
export type PlanStage = keyof typeof PLAN_STAGES;

/** One level of a phase, of the rank that has most. */
export interface PlannedLevel extends PlannedTraffic {
  readonly level: number;
  readonly flops: number;
  readonly seconds: number;
}

/** One phase, of the rank that has most. */
export interface PlannedPhase extends PlannedTraffic {
  readonly stage: PlanStage;
  readonly phase: string;
  readonly flops: number;
  /** Bytes that are read from memory. */
  readonly memoryBytes: number;
  readonly seconds: { readonly work: number; readonly communication: number; readonly total: number };
  /** Root first; levels where nothing is done or said are left out. */
  readonly levels: readonly PlannedLevel[];
}

/** Seconds of each stage on P ranks, and what part of the work of one rank with N/P indices that is. */
export interface ScalingRow {
  readonly ranks: number;
  readonly size: number;
  readonly seconds: Readonly<Record<PlanStage, number>>;
  /** The same without the gathering of results. */
  readonly own: Readonly<Record<PlanStage, number>>;
  readonly efficiency: Readonly<Record<PlanStage, number>>;
  readonly ownEfficiency: Readonly<Record<PlanStage, number>>;
}

/** A plan. */
export interface RanksPlan {
  readonly setup: PlanSetup;
  /** Vectors that are multiplied at a time. */
  readonly chunk: number;
  readonly phases: readonly PlannedPhase[];
  readonly seconds: Readonly<Record<PlanStage, number>>;
  /** The same without the gathering of results, which takes vectors that are whole on every rank. */
  readonly own: Readonly<Record<PlanStage, number>>;
  readonly memory: PlannedMemory;
  /** Skeleton weights of siblings that a rank cannot do without, for the product: bytes that it must get. */
  readonly interfaceBytes: number;
  /** P = 1, 2, 4 … up to the ranks, each with as many indices a rank. */
  readonly scaling: readonly ScalingRow[];
}

/**
 * Predicts compression (of a kernel over points), product, factorization and solve of a matrix of format 'hss' on P
 * ranks of W workers, as the code shares them (docs/distributed.md states every formula), each rank with a part of the
 * points, whose making is not counted, or with all (`wholePoints`). Of the tree, of depth D =
 * ⌈log₂(N/m)⌉, P ranks share the nodes of level L = log₂P, each with all that lies below, and hold the nodes above
 * together; of the rank that has most:
 *
 *   flops     product 2p·Σ(2ek + k²) + 2p·n² a leaf, factor Σ(e³/3 + 3e²k + 3ek²), solve 4p·Σe(e/2 + 2k)
 *   messages  one each way and level 1 … L: k·p numbers (product, solve), 1 + k(k + 1)/2 (factor), 1 + 2r (skeletons);
 *             then the result, N·p numbers, on every rank
 *   seconds   of a level max(flops/(w·gemm), bytes/(w·memory)), w the workers that have a node; of messages
 *             latency each, and the more of what is sent and got over the bandwidth
 *
 * with n the indices of a leaf, k the rank of a node, c its candidates and e = c − k. Blocks read as often as a chunk
 * of vectors is multiplied. Ranks of no power of two are counted by how they share nodes.
 * Cost: O(P) for powers of two, else O(P²): 4 s for 9,999. Throws OptionError.
 *
 * ```js
 * const { seconds, memory } = planRanks({ size: 64e6, ranks: 512, workers: 48, rank: 256, leafSize: 512 });
 * ```
 */
export function planRanks(options: PlanOptions = {}): RanksPlan {
  const setup = planSetup(options);
  const planned = planOf(setup);
  return { ...planned, scaling: scalingOf(options, setup) };
}

/** The plan without its scaling. */
function planOf(setup: PlanSetup): Omit<RanksPlan, 'scaling'> {
  const tree = plannedTree(setup);
  const phases = phasesOf(setup, tree);
  const { vectors, width } = setup;
  const interfaceBytes = tree.levels.reduce((sum, { receives, rank }) => sum + receives * rank * vectors * width, 0);
  return {
    setup,
    chunk: vectorsInTurn(setup),
    phases,
    seconds: secondsOf(phases),
    own: secondsOf(phases, ({ phase }) => !isGathering(phase)),
    memory: plannedMemory(setup, tree),
    interfaceBytes,
  };
}

/** Whether a phase makes results whole on every rank. */
const isGathering = (phase: string): boolean => phase.startsWith('gather ');

/** Seconds of each stage, of the phases that count. */
function secondsOf(
  phases: readonly PlannedPhase[],
  counts: (phase: PlannedPhase) => boolean = () => true,
): Record<PlanStage, number> {
  const seconds: Record<PlanStage, number> = { compress: 0, product: 0, factor: 0, solve: 0 };
  for (const phase of phases) if (counts(phase)) seconds[phase.stage] += phase.seconds.total;
  return seconds;
}

/** What a phase is made of. */
interface PhaseParts {
  readonly work?: readonly PlannedWork[] | undefined;
  readonly levels?: readonly LevelTraffic[] | undefined;
  readonly rest?: PlannedTraffic | undefined;
}

function phasesOf(setup: PlanSetup, tree: PlannedTree): PlannedPhase[] {
  const traffic = new TrafficPlan(setup, tree);
  const work = new WorkPlan(setup, tree);
  const { vectors: p } = setup;
  const chunk = vectorsInTurn(setup);
  const held = heldPoints(setup, tree);
  const brought = broughtPoints(setup, held);
  /** With what it takes to bring points that other ranks have. */
  const bringing = (
    phase: keyof HeldByPhase,
    { work: own = [], levels, rest = NO_TRAFFIC }: PhaseParts,
  ): PhaseParts => ({
    work: [...own, work.bringing(held[phase])],
    levels,
    rest: totalTraffic([rest, brought[phase]]),
  });
  const parts: Readonly<Record<string, PhaseParts>> = {
    neighbors: bringing('neighbors', { work: work.neighbors(), rest: traffic.neighbors() }),
    tree: bringing('tree', { work: work.tree(), rest: traffic.tree() }),
    norm: bringing('norm', { work: work.norm(), rest: traffic.norm() }),
    skeletonization: bringing('skeletonization', { work: work.skeletons(), levels: traffic.skeletons() }),
    blocks: bringing('blocks', { work: work.blocks() }),
    structure: { work: work.structure(), rest: traffic.structure() },
    check: bringing('check', { work: work.check(), ...traffic.check() }),
    product: { work: work.product(p, chunk), levels: traffic.interface(p, chunk) },
    'gather product': { work: work.gathered(p), rest: traffic.result(p, chunk) },
    factor: { work: work.factor(), levels: traffic.schur(), rest: traffic.factored() },
    solve: { work: work.solve(p, chunk), levels: traffic.interface(p, chunk) },
    'gather solution': { work: work.gathered(p), rest: traffic.result(p, chunk) },
  };
  return (Object.keys(PLAN_STAGES) as PlanStage[]).flatMap((stage) =>
    PLAN_STAGES[stage].map((phase) => phaseOf(setup, { stage, phase }, parts[phase])),
  );
}

function phaseOf(
  { speeds, ranks }: PlanSetup,
  named: Pick<PlannedPhase, 'stage' | 'phase'>,
  { work = [], levels = [], rest = NO_TRAFFIC }: PhaseParts,
): PlannedPhase {
  const { latency, bandwidth, gemm, memory } = speeds;
  const secondsOfWork = ({ cost, bytes, workers }: PlannedWork): number =>
    Math.max(cost / gemm, bytes / memory) / workers;
  const secondsOfTraffic = ({ messages, sentBytes, receivedBytes }: PlannedTraffic): number =>
    messages * latency + Math.max(sentBytes, receivedBytes) / bandwidth;
  const total = ranks === 1 ? NO_TRAFFIC : totalTraffic([...levels, rest]);
  const inWork = work.reduce((sum, one) => sum + secondsOfWork(one), 0);
  const inTraffic = secondsOfTraffic(total);
  const known = new Map<number, PlannedLevel>();
  const add = (level: number, more: Partial<PlannedLevel>): void => {
    const before = known.get(level) ?? { level, flops: 0, seconds: 0, ...NO_TRAFFIC };
    known.set(level, { ...before, ...more, seconds: before.seconds + (more.seconds ?? 0) });
  };
  for (const one of work)
    if (one.level !== undefined && one.cost > 0) add(one.level, { flops: one.flops, seconds: secondsOfWork(one) });
  for (const { level, ...one } of levels) add(level, { ...one, seconds: secondsOfTraffic(one) });
  return {
    ...named,
    ...total,
    flops: work.reduce((sum, { flops }) => sum + flops, 0),
    memoryBytes: work.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: { work: inWork, communication: inTraffic, total: inWork + inTraffic },
    levels: [...known.values()].sort((a, b) => a.level - b.level),
  };
}

/** Which part of `one` each of `other` is. */
const shares = (
  one: Readonly<Record<PlanStage, number>>,
  other: Readonly<Record<PlanStage, number>>,
): Record<PlanStage, number> => ({
  compress: one.compress / other.compress,
  product: one.product / other.product,
  factor: one.factor / other.factor,
  solve: one.solve / other.solve,
});

/** As many indices a rank, on 1, 2, 4 … ranks; the last row has all of them. */
function scalingOf(options: PlanOptions, { size, ranks }: PlanSetup): ScalingRow[] {
  const counts = Array.from({ length: Math.floor(Math.log2(ranks)) + 1 }, (_, k) => 2 ** k);
  if (counts.at(-1) !== ranks) counts.push(ranks);
  const rows = counts.map((count) => {
    const sized = Math.max(1, Math.round((size / ranks) * count));
    const { seconds, own } = planOf(planSetup({ ...options, size: sized, ranks: count }));
    return { ranks: count, size: sized, seconds, own };
  });
  return rows.map((row) => ({
    ...row,
    efficiency: shares(rows[0].seconds, row.seconds),
    ownEfficiency: shares(rows[0].own, row.own),
  }));
}
