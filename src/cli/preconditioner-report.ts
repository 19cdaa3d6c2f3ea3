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

const iterations = ({ iterations: count, outcome }: Pick<SolveRow, 'iterations' | 'outcome'>): string =>
  outcome === 'converged' ? String(count) : outcome === 'unavailable' ? '–' : `${count}, ${outcome}`;

function printedTable({ printed: { rows, shift, tolerance } }: PreconditionerRecord): string[] {
  if (rows.length === 0) return [];
  return [
    `As published: λ = ${shift} on ‖K‖ = 1, until ‖r‖/‖x₀‖ < ${tolerance} from a random x₀; the first step is ` +
      'not counted. At this shift the condition number is at most 2, and any preconditioner will do.',
    table(
      ['matrix', 'N', 'near blocks', 'HSS', 'product ε', 'solve ε', 'solve, s', 'iterations'],
      rows.map((row) => [
        row.matrix,
        grouped(row.size),
        inPercent(row.budget),
        row.preconditioner === 'hss' ? 'yes' : 'no',
        inPowers(row.matvecError),
        inPowers(row.solveError),
        inSeconds(row.seconds.solve),
        iterations(row),
      ]),
    ),
  ];
}

const shiftsOf = ({ rows }: SolveSweep): number[] => [...new Set(rows.map(({ relativeShift }) => relativeShift))];
const methodsOf = ({ rows }: SolveSweep): string[] => [...new Set(rows.map(({ preconditioner }) => preconditioner))];
const notesOf = ({ rows }: SolveSweep): string[] =>
  rows.flatMap(({ preconditioner, relativeShift, note }) =>
    note === undefined ? [] : [`  ${preconditioner} at ${relativeShift}: ${note}`],
  );

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
      [
        'λ/‖K‖',
        'none, iterations',
        'HSS, iterations',
        'none, s',
        'HSS in all, s',
        'compress, s',
        'factor, s',
        'solve, s',
      ],
      shiftsOf(sweep).map((shift) => [
        shift.toExponential(0),
        cell(shift, 'none', iterations),
        cell(shift, 'hss', iterations),
        cell(shift, 'none', ({ seconds }) => inSeconds(seconds.solve)),
        ...(['total', 'compress', 'factor', 'solve'] as const).map((part) =>
          cell(shift, 'hss', ({ seconds }) => inSeconds(seconds[part])),
        ),
      ]),
    ),
    ...notesOf(sweep),
  ];
}

function networkTable(sweep: NetworkSweep): string[] {
  const { network, activation, loss, size, samples, data, rows, tolerance, lambdaMax, productSeconds } = sweep;
  const shifts = shiftsOf(sweep);
  return [
    `${network} (${activation}, ${loss}), N = ${grouped(size)}, n = ${grouped(samples)} of ${data}; λ_max = ` +
      `${inPowers(lambdaMax)}, a product ${inSeconds(productSeconds)} s. Iterations (seconds of the solve) to ` +
      `‖r‖/‖b‖ ≤ ${tolerance}:`,
    ...sampleLines(sweep),
    table(
      ['λ/λ_max', ...shifts.map((shift) => shift.toExponential(0)), '%K', 'compress, s', 'factor, s'],
      methodsOf(sweep).map((method) => {
        const own = rows.filter(({ preconditioner }) => preconditioner === method);
        const made = own.find(({ outcome }) => outcome !== 'unavailable') ?? own[0];
        return [
          method,
          ...own.map(
            (row) => `${iterations(row)}${row.outcome === 'unavailable' ? '' : ` (${inSeconds(row.seconds.solve)})`}`,
          ),
          inPercent(made.share),
          inSeconds(made.seconds.compress),
          inSeconds(made.seconds.factor),
        ];
      }),
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
      : [`(K + λI) x = b, b random, by conjugate gradients until the true ‖r‖/‖b‖ ≤ ${sweep[0].tolerance}:`]),
    ...sweep.flatMap(sweepTable),
    ...networks.flatMap(networkTable),
    `seed ${seed}, ${workers} worker${workers === 1 ? '' : 's'}; in all ${inSeconds(seconds.total)} s; memory of ` +
      `the process at its peak: ${inBytes(memory.peakBytes)}`,
    ...blasLines(record.blas, record.gflops.dgemm, portable),
  ].join('\n');
}
