/**
 * The tables of preconditioners for people, made from their record alone.
 */
import type {
  MatrixSweep,
  NetworkSweep,
  PreconditionerRecord,
  SolveRow,
  SolveSweep,
} from '../experiment/preconditioner-record.js';
import { grouped, inBytes, inPercent, inPowers, inSeconds } from '../core/number-text.js';
import { blasLines, sampleLines, table } from './tables.js';

/** With a star where it ended otherwise than by converging; how, a line beneath the table says. */
const iterations = ({ iterations: count, outcome }: Pick<SolveRow, 'iterations' | 'outcome'>): string =>
  outcome === 'converged' ? String(count) : outcome === 'unavailable' ? '–' : `${count}*`;

/** How a solve ended, where that was not by converging. */
const endOf = (what: string, outcome: SolveRow['outcome']): string[] =>
  outcome === 'converged' || outcome === 'unavailable' ? [] : [`  * ${what}: ${outcome}`];

/** Seconds in few characters: a table of eight columns is to fit a terminal. */
const briefly = (seconds: number): string => (seconds < 1e-3 ? '<0.001' : inSeconds(seconds));

function printedTable({ printed: { rows, shift, tolerance } }: PreconditionerRecord): string[] {
  if (rows.length === 0) return [];
  return [
    `As published: λ = ${shift} on ‖K‖ = 1, until ‖r‖/‖x₀‖ < ${tolerance} from a random x₀; the first step is ` +
      'not counted. At this shift the condition number is at most 2, and any preconditioner will do. near: what near ' +
      'blocks hold of the matrix.',
    table(
      ['matrix', 'N', 'near', 'HSS', 'product ε', 'solve ε', 'solve, s', 'steps'],
      rows.map((row) => [
        row.matrix,
        grouped(row.size),
        inPercent(row.budget),
        row.preconditioner === 'hss' ? 'yes' : 'no',
        inPowers(row.matvecError),
        inPowers(row.solveError),
        briefly(row.seconds.solve),
        iterations(row),
      ]),
    ),
    ...rows.flatMap(({ matrix, preconditioner, outcome }) => endOf(`${matrix} with ${preconditioner}`, outcome)),
  ];
}

const shiftsOf = ({ rows }: SolveSweep): number[] => [...new Set(rows.map(({ relativeShift }) => relativeShift))];
const methodsOf = ({ rows }: Pick<SolveSweep, 'rows'>): string[] => [
  ...new Set(rows.map(({ preconditioner }) => preconditioner)),
];
const notesOf = ({ rows }: SolveSweep): string[] =>
  rows.flatMap(({ preconditioner, relativeShift, outcome, note }) => [
    ...endOf(`${preconditioner} at ${relativeShift}`, outcome),
    ...(note === undefined ? [] : [`  ${preconditioner} at ${relativeShift}: ${note}`]),
  ]);

function sweepTable(sweep: MatrixSweep): string[] {
  const { matrix, size, rows, productSeconds } = sweep;
  const cell = (shift: number, preconditioner: string, of: (row: SolveRow) => string): string => {
    const row = rows.find((one) => one.relativeShift === shift && one.preconditioner === preconditioner);
    return row === undefined ? '' : of(row);
  };
  const hss = rows.find(({ preconditioner, bytes }) => preconditioner === 'hss' && bytes > 0);
  return [
    `${matrix}, N = ${grouped(size)}, a product ${inSeconds(productSeconds)} s${
      hss === undefined
        ? ''
        : `; HSS factors ${inPercent(hss.share)} of dense (${inBytes(hss.bytes)}), ${Object.entries(hss.details)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}`
    }`,
    table(
      ['λ/‖K‖', 'none', 'HSS', 'none, s', 'HSS, s', 'compress', 'factor', 'solve'],
      shiftsOf(sweep).map((shift) => [
        shift.toExponential(0),
        cell(shift, 'none', iterations),
        cell(shift, 'hss', iterations),
        cell(shift, 'none', ({ seconds }) => briefly(seconds.solve)),
        ...(['total', 'compress', 'factor', 'solve'] as const).map((part) =>
          cell(shift, 'hss', ({ seconds }) => briefly(seconds[part])),
        ),
      ]),
    ),
    ...notesOf(sweep),
  ];
}

/** A row for each preconditioner: a cell for each shift, and what it took to make it. */
const methodRows = (
  { rows }: SolveSweep,
  cell: (row: SolveRow) => string,
  making: (made: SolveRow) => string[],
): string[][] =>
  methodsOf({ rows }).map((method) => {
    const own = rows.filter(({ preconditioner }) => preconditioner === method);
    return [method, ...own.map(cell), ...making(own.find(({ outcome }) => outcome !== 'unavailable') ?? own[0])];
  });

function networkTable(sweep: NetworkSweep): string[] {
  const { network, activation, loss, size, samples, data, tolerance, lambdaMax, productSeconds } = sweep;
  const heads = shiftsOf(sweep).map((shift) => shift.toExponential(0));
  return [
    `${network} (${activation}, ${loss}), N = ${grouped(size)}, n = ${grouped(samples)} of ${data}; λ_max = ` +
      `${inPowers(lambdaMax)}, a product ${inSeconds(productSeconds)} s. Iterations to ‖r‖/‖b‖ ≤ ${tolerance}, and ` +
      'seconds:',
    ...sampleLines(sweep),
    table(
      ['λ/λ_max', ...heads, '%K'],
      methodRows(sweep, iterations, ({ share }) => [inPercent(share)]),
    ),
    table(
      ['seconds', ...heads, 'compress', 'factor'],
      methodRows(
        sweep,
        ({ outcome, seconds }) => (outcome === 'unavailable' ? '–' : briefly(seconds.solve)),
        ({ seconds }) => [briefly(seconds.compress), briefly(seconds.factor)],
      ),
    ),
    ...notesOf(sweep),
  ];
}

/** The printed tables; `portable` adds that a system library would be faster. */
export function preconditionerReport(record: PreconditionerRecord, portable: boolean): string {
  const { sweep, networks, seed, workers, seconds, memory } = record;
  return [
    ...printedTable(record),
    ...(sweep.length === 0
      ? []
      : [
          `(K + λI) x = b, b random, by conjugate gradients until the true ‖r‖/‖b‖ ≤ ${sweep[0].tolerance}: ` +
            'iterations without preconditioner and with HSS, seconds of both, and of HSS by part:',
        ]),
    ...sweep.flatMap(sweepTable),
    ...networks.flatMap(networkTable),
    `seed ${seed}, ${workers} worker${workers === 1 ? '' : 's'}; in all ${inSeconds(seconds.total)} s; memory of ` +
      `the process at its peak: ${inBytes(memory.peakBytes)}`,
    ...blasLines(record.blas, record.gflops.dgemm, portable),
  ].join('\n');
}
