/**
 * Plans for people.
 */
import { grouped, inBytes, inDigits } from '../core/number-text.js';
import { sumOfBytes, type PlannedMemory } from '../experiment/plan/memory.js';
import { PLAN_STAGES, type PlannedPhase, type PlanStage, type RanksPlan } from '../experiment/plan/plan-ranks.js';
import type { PublishedComparison } from '../experiment/plan/published.js';
import { table } from './tables.js';

const STAGES = Object.keys(PLAN_STAGES) as PlanStage[];
/** Three digits; what is small or large in powers of ten. */
function inShort(value: number): string {
  if (value === 0) return '0';
  return (value < 1e-3 ? value.toExponential(2) : value.toPrecision(3)).replace('e+', 'e');
}
const inHundredths = (share: number): string => (100 * share).toFixed(0);
const count = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`;

/** What is planned, and for which machine. */
function setupLines({ setup, chunk }: RanksPlan): string[] {
  const { size, ranks, workers, rankOfLevel, leafSize, depth, vectors, dtype, speeds } = setup;
  const { dimension, parts, neighbors } = setup;
  const inner = rankOfLevel.slice(1);
  const [least, most] = [Math.min(...inner), Math.max(...inner)].map((rank) => inDigits(rank, 4));
  const points = `points in ${count(dimension, 'dimension')}${parts ? ', a part of them on each rank' : ''}`;
  const rank = depth === 0 ? 'one leaf' : least === most ? `rank ${most}` : `ranks ${least} to ${most}`;
  return [
    `N = ${grouped(size)} on ${count(ranks, 'rank')} of ${count(workers, 'worker')}: hss, ${rank}, leaf size ` +
      `${leafSize}, depth ${depth}, ${dtype}; ${count(vectors, 'vector')}, ${chunk} at a time; ${points}, ` +
      count(neighbors, 'neighbor'),
    `a message ${inDigits(1e6 * speeds.latency)} µs, a rank ${inDigits(speeds.bandwidth / 1e9)} GB/s each way, a ` +
      `core ${inDigits(speeds.gemm / 1e9)} Gflop/s of gemm and ${inDigits(speeds.memory / 1e9)} GB/s of memory`,
  ];
}

const phaseRow = ({ phase, flops, messages, receivedBytes, seconds }: PlannedPhase): string[] => [
  phase,
  inShort(flops),
  grouped(messages),
  inBytes(Math.round(receivedBytes)),
  inShort(seconds.work),
  inShort(seconds.communication),
];

/** Levels at which ranks tell each other something: what one gets there. */
function levelTable({ phases, setup }: RanksPlan): string[] {
  const named = ['skeletonization', 'product', 'factor'].map((name) => phases.find(({ phase }) => phase === name)!);
  const levels = named[2].levels.filter(({ messages }) => messages > 0).map(({ level }) => level);
  if (levels.length === 0) return [];
  const bytesAt = (phase: PlannedPhase, level: number): string =>
    inBytes(Math.round(phase.levels.find((one) => one.level === level)?.receivedBytes ?? 0));
  return [
    'by level, from the root; the solve sends what the product does:',
    table(
      ['level', 'rank', 'messages', ...named.map(({ phase }) => phase)],
      levels.map((level) => [
        String(level),
        inDigits(setup.rankOfLevel[level], 4),
        grouped(named[2].levels.find((one) => one.level === level)!.messages),
        ...named.map((phase) => bytesAt(phase, level)),
      ]),
    ),
  ];
}

/** A row for each part, with * where all ranks have it whole. */
function planMemoryTable(memory: PlannedMemory): string {
  const parts = [...new Set(STAGES.flatMap((stage) => memory[stage].map(({ part }) => part)))];
  const row = (part: string): string[] => {
    const found = STAGES.map((stage) => memory[stage].find((one) => one.part === part));
    const replicated = found.some((one) => one?.replicated === true);
    return [
      `${part}${replicated ? ' *' : ''}`,
      ...found.map((one) => (one === undefined ? '' : inBytes(Math.round(one.bytes)))),
    ];
  };
  return table(
    ['memory of a rank', ...STAGES],
    [...parts.map(row), ['in all', ...STAGES.map((stage) => inBytes(Math.round(sumOfBytes(memory[stage]))))]],
  );
}

/** What a rank's memory has no room for. */
function shortLines({ memory, setup }: RanksPlan): string[] {
  const short = STAGES.filter((stage) => sumOfBytes(memory[stage]) > setup.memory);
  if (short.length === 0) return [];
  return [
    `DOES NOT FIT in ${inBytes(setup.memory)} of a rank: ` +
      `${short.map((stage) => `${stage}, ${inBytes(Math.round(sumOfBytes(memory[stage])))}`).join('; ')}. What is ` +
      'marked * no number of ranks makes less.',
  ];
}

/** Weak scaling: efficiencies at as many indices a rank. */
const scalingTable = ({ scaling }: RanksPlan): string =>
  table(
    ['ranks', 'N', ...STAGES, 'product°', 'solve°'],
    scaling.map(({ ranks, size, efficiency, ownEfficiency }) => [
      String(ranks),
      inShort(size),
      ...STAGES.map((stage) => inHundredths(efficiency[stage])),
      inHundredths(ownEfficiency.product),
      inHundredths(ownEfficiency.solve),
    ]),
  );

function publishedLines(published: readonly PublishedComparison[]): string[] {
  if (published.length === 0) return [];
  const { size, cores } = published[0].figure;
  return [
    `published for ${grouped(size)} indices on ${grouped(cores)} cores, ranks of nodes unknown:`,
    table(
      ['stage', 'published', 'planned', 'planned°'],
      published.map(({ figure, planned, own }) => [
        `${figure.stage}${figure.vectors === undefined ? '' : ` of ${figure.vectors}`} (${figure.source})`,
        `< ${figure.seconds} s`,
        `${inShort(planned)} s`,
        `${inShort(own)} s`,
      ]),
    ),
  ];
}

/** The printed report of a plan, of the rank that has most. */
export function planReport(plan: RanksPlan, published: readonly PublishedComparison[]): string {
  const { phases, seconds, own } = plan;
  const total = (stage: PlanStage): string =>
    own[stage] === seconds[stage]
      ? `${inShort(seconds[stage])} s`
      : `${inShort(seconds[stage])} s (° ${inShort(own[stage])} s)`;
  return [
    ...setupLines(plan),
    table(['phase', 'flops', 'messages', 'bytes got', 'work, s', 'messages, s'], phases.map(phaseRow)),
    STAGES.map((stage) => `${stage} ${total(stage)}`).join(', '),
    ...levelTable(plan),
    planMemoryTable(plan.memory),
    '* whole on every rank',
    ...shortLines(plan),
    'weak scaling, as many indices a rank, in %:',
    scalingTable(plan),
    '° each rank has its own rows of the result (applyOwn, solveOwn), not the whole',
    ...publishedLines(published),
  ].join('\n');
}
