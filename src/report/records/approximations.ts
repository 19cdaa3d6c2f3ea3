/**
 * Charts of tables: approximations of a Hessian at equal memory, and preconditioners over shifts.
 */
import { inPercent, inPowers } from '../../core/number-text.js';
import { publishedErrors } from '../../experiment/published-errors.js';
import type { PreconditionerRecord, SolveRow, SolveSweep } from '../../experiment/preconditioner-record.js';
import { tableBudgets } from '../../experiment/table-plan.js';
import type { TableRecord, TableRow } from '../../experiment/table-record.js';
import type { Chart, Curve, CurveChart } from '../charts/chart.js';
import { known } from './measures.js';

/** 'HM-low' and 'HM-high' are of one method. */
const methodOf = ({ method }: TableRow): string => method.replace(/-(low|high)$/, '');

/** Rows of each method, in the table's order. */
function byMethod(rows: readonly TableRow[]): Map<string, TableRow[]> {
  const found = new Map<string, TableRow[]>();
  for (const row of rows) found.set(methodOf(row), [...(found.get(methodOf(row)) ?? []), row]);
  return found;
}

const noteOf = ({ method, share, error }: TableRow): string =>
  `${method}: ${inPercent(share)}, error ${inPowers(known(error.relative))}`;

/** The published errors of a network, where it is one of those and the budgets are theirs. */
function publishedBeside({
  network,
  size,
  bias,
  budgets,
}: Pick<TableRecord, 'network' | 'size' | 'bias' | 'budgets'>): ReturnType<typeof publishedErrors> {
  const widths = network.split('-').map(Number);
  const weights = widths.slice(1).reduce((sum, width, k) => sum + width * widths[k], 0);
  const published = publishedErrors({ widths });
  if (bias || size !== weights || Object.keys(published).length === 0) return {};
  const { low, high } = tableBudgets(size);
  return budgets.low === low && budgets.high === high ? published : {};
}

/** Errors against shares of memory; where the network was published on, with those errors at about the same shares. */
function memoryChart({ rows, network, size, bias, budgets }: TableRecord): CurveChart {
  const methods = [...byMethod(rows)];
  const published = publishedBeside({ network, size, bias, budgets });
  const error = (row: TableRow): number => known(row.error.relative);
  const best = rows.reduce((least, row) => (Number.isNaN(error(least)) || error(row) < error(least) ? row : least));
  const own = methods.map(([name, those]): Curve => ({
    name,
    points: those.map((row) => ({
      x: 100 * row.share,
      y: error(row),
      low: known(row.error.low),
      high: known(row.error.high),
      note: noteOf(row),
    })),
  }));
  const others = methods.flatMap(([name, those]): Curve[] => {
    const points = those.flatMap((row) => {
      const y = published[row.method];
      // K-FAC takes what it takes; the others were given these budgets.
      const x = 100 * (name === 'KFAC' ? row.share : row.budget);
      return y === undefined ? [] : [{ x, y, note: `${row.method}, published: ${inPowers(y)}` }];
    });
    return points.length === 0 ? [] : [{ name: `${name}, published`, beside: name, shape: 'marks', points }];
  });
  return {
    kind: 'curves',
    id: 'errors',
    title: `Error at equal memory, ${network}`,
    alt:
      `Relative errors of ${methods.map(([name]) => name).join(', ')} against their share of the dense matrix's ` +
      `memory, N = ${size}; the least is ${inPowers(error(best))} of ${best.method} at ` +
      `${inPercent(best.share)}.`,
    caption:
      'Frobenius norm of the difference over that of the Gauss–Newton Hessian; bars are 95 % intervals where columns ' +
      `were sampled.${others.length > 0 ? ' Open marks: published errors at the same budgets.' : ''}`,
    x: { label: 'memory (% of the dense matrix)', scale: 'log' },
    y: { label: 'relative error', scale: 'log' },
    curves: [...own, ...others],
  };
}

/** Errors against the seconds that they took. */
const timeChart = ({ rows, network }: TableRecord): CurveChart => ({
  kind: 'curves',
  id: 'error-by-time',
  title: `Error by time to build, ${network}`,
  alt: `Relative errors of ${rows.length} approximations against the seconds that each took to build.`,
  x: { label: 'time to build (s)', scale: 'log' },
  y: { label: 'relative error', scale: 'log' },
  curves: [...byMethod(rows)].map(([name, those]) => ({
    name,
    shape: 'marks',
    points: those.map((row) => ({ x: row.seconds.build, y: known(row.error.relative), note: noteOf(row) })),
  })),
});

/** Of `hmatrix table` and `hmatrix demo`. */
export const tableCharts = (record: TableRecord): Chart[] => [memoryChart(record), timeChart(record)];

/** One sweep: iterations and seconds over the shift. */
function sweepCharts({ rows, tolerance }: SolveSweep, name: string, id: string): CurveChart[] {
  const names = [...new Set(rows.map(({ preconditioner }) => preconditioner))];
  const curvesOf = (value: (row: SolveRow) => number): Curve[] =>
    names.flatMap((preconditioner): Curve[] => {
      const those = rows.filter((row) => row.preconditioner === preconditioner && row.outcome !== 'unavailable');
      const pointsOf = (converged: boolean): Curve['points'] =>
        those
          .filter(({ outcome }) => (outcome === 'converged') === converged)
          .map((row) => ({ x: row.relativeShift, y: value(row) }));
      const missed = pointsOf(false);
      return [
        { name: preconditioner, points: pointsOf(true) },
        ...(missed.length === 0
          ? []
          : [{ name: `${preconditioner}, missed`, beside: preconditioner, shape: 'marks' as const, points: missed }]),
      ];
    });
  const x = { label: 'relative shift', scale: 'log' } as const;
  const caption = `Shift over the norm of the matrix; relative residual ${tolerance}. Open marks missed it.`;
  const of = `${names.length} preconditioners over the relative shift`;
  return [
    {
      kind: 'curves',
      id: `iterations-${id}`,
      title: `Iterations, ${name}`,
      alt: `Iterations of ${of}: ${names.join(', ')}.`,
      caption,
      x,
      // A direct method takes none, which a logarithmic axis has no place for.
      y: { label: 'iterations + 1', scale: 'log' },
      curves: curvesOf(({ iterations }) => iterations + 1),
    },
    {
      kind: 'curves',
      id: `seconds-${id}`,
      title: `Time with preconditioner, ${name}`,
      alt: `Seconds of ${of}, making the preconditioner included.`,
      caption,
      x,
      y: { label: 'time (s)', scale: 'log' },
      curves: curvesOf(({ seconds }) => seconds.total),
    },
  ];
}

/** Of `hmatrix table --preconditioners`. */
export const preconditionerCharts = ({ sweep, networks }: PreconditionerRecord): Chart[] => [
  ...sweep.flatMap((one, k) =>
    sweepCharts(one, `${one.matrix}, N = ${one.size}`, `${one.matrix.toLowerCase()}-${k + 1}`),
  ),
  ...networks.flatMap((one) => sweepCharts(one, one.network, one.network)),
];
