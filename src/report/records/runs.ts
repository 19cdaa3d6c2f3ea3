/**
 * Charts of runs with one matrix: compress, solve, eigs, factor and logdet, tune.
 */
import { inDigits, inPowers } from '../../core/number-text.js';
import type { EigsRecord } from '../../experiment/eigs-run.js';
import type { FactorRecord } from '../../experiment/factor-run.js';
import { COMPRESSION_PHASES, type CompressionRecord } from '../../experiment/record.js';
import type { SolveRecord } from '../../experiment/solve-run.js';
import type { TuneRecord } from '../../experiment/tune-run.js';
import { plainPower, type Chart, type CurveChart, type SpanChart } from '../charts/chart.js';
import { blocksChart, errorChart, known, memoryChart, partsChart, phaseChart, rankChart } from './measures.js';
import { timelineCharts } from './timeline.js';

/** Of `hmatrix compress`. */
export function compressionCharts({ blocks, ranks, memory, seconds, error, timeline }: CompressionRecord): Chart[] {
  return [
    ...(blocks === undefined ? [] : [blocksChart(blocks)]),
    ...(ranks.length === 0 ? [] : [rankChart(ranks)]),
    partsChart(memory.parts, memory),
    errorChart(error),
    phaseChart(
      COMPRESSION_PHASES.map(([phase, name]) => [name, seconds[phase] ?? 0]),
      'Phases of the compression',
    ),
    ...timelineCharts(timeline),
  ];
}

/** How residuals fell, step by step. */
export function convergenceChart({
  history,
  tolerance,
}: {
  readonly history: ArrayLike<number>;
  readonly tolerance: number;
}): CurveChart {
  const residuals = Array.from(history, known);
  const last = residuals.at(-1) ?? Number.NaN;
  return {
    kind: 'curves',
    id: 'convergence',
    title: 'Convergence',
    alt:
      `The estimated relative residual over ${Math.max(0, residuals.length - 1)} iterations, ` +
      `${inPowers(last)} at the end; asked ${tolerance}.`,
    x: { label: 'iteration', whole: true, fromZero: true },
    y: { label: 'relative residual', scale: 'log' },
    curves: [{ name: 'residual', points: residuals.map((y, x) => ({ x, y })) }],
    rules: [{ along: 'y', value: tolerance, label: `asked ${plainPower(tolerance)}` }],
  };
}

/** The residual of a direct solution, beside what was asked. */
function residualChart({ history, tolerance }: Pick<SolveRecord, 'history' | 'tolerance'>): SpanChart {
  const residual = known(history.at(-1) ?? null);
  return {
    kind: 'spans',
    id: 'residual',
    title: 'Residual of the direct solution',
    alt: `The relative residual is ${inPowers(residual)}; asked ${tolerance}.`,
    caption: 'Of the compressed matrix, whose factors gave the solution without iterating.',
    x: { label: 'relative residual', scale: 'log' },
    spans: [{ row: 'residual', start: residual, end: residual, point: residual, label: inPowers(residual) }],
    rules: [{ along: 'x', value: tolerance, label: `asked ${plainPower(tolerance)}` }],
  };
}

/** Of `hmatrix solve`. */
export function solveCharts(record: SolveRecord): Chart[] {
  const { seconds, memory, preconditioner, history } = record;
  const { operator, choose, compress, factor, solve } = seconds;
  // Records of earlier versions tell neither.
  const { direct = false } = record as Partial<SolveRecord>;
  const { load = 0 } = seconds as Partial<SolveRecord['seconds']>;
  const iterated = history.length > 1;
  return [
    direct && !iterated ? residualChart(record) : convergenceChart(record),
    phaseChart(
      [
        ['loading', load],
        ['matrix', operator],
        ['choice', choose],
        ['compression', compress],
        ['factorization', factor],
        [direct ? (iterated ? 'solve and refinement' : 'solve') : 'iteration', solve],
      ],
      'Phases of the solve',
    ),
    ...timelineCharts(record.timeline),
    memoryChart([
      [`${direct ? 'factors' : 'preconditioner'} ${preconditioner.name}`, memory.preconditioner],
      ['workspace', memory.workspace],
    ]),
  ];
}

/** Values of one sign whose sizes differ by more than this are shown on a logarithmic axis. */
const WIDE = 30;

/** Of `hmatrix eigs`. */
export function eigsCharts({ values: given, residuals: bounds, which, valuesOf }: EigsRecord): Chart[] {
  const [values, residuals] = [given.map(known), bounds.map(known)];
  const finite = values.filter(Number.isFinite);
  const positive = finite.every((value) => value > 0);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  return [
    {
      kind: 'curves',
      id: 'eigenvalues',
      title: `Eigenvalues of the ${valuesOf === 'compressed' ? 'compressed matrix' : 'matrix'} (${which})`,
      alt:
        `${values.length} eigenvalues from ${plainPower(values[0] ?? 0)} to ${plainPower(values.at(-1) ?? 0)}, each ` +
        'with the interval of its residual.',
      caption: 'An eigenvalue lies within the residual of each: the bars, where they are longer than a mark.',
      x: { label: 'number', whole: true },
      y: { label: 'eigenvalue', scale: positive && most > WIDE * least ? 'log' : 'linear' },
      curves: [
        {
          name: 'eigenvalue',
          points: values.map((y, k) => ({ x: k + 1, y, low: y - residuals[k], high: y + residuals[k] })),
        },
      ],
    },
  ];
}

/** Of `hmatrix factor` and `hmatrix logdet`. */
export function factorCharts({ seconds, memory, error, logdet, exact, timeline }: FactorRecord): Chart[] {
  const { load, compress, factor, solve } = seconds;
  const itself = known(logdet) === logdet ? (exact?.value ?? null) : null;
  return [
    phaseChart(
      [
        ['loading', load],
        ['compression', compress],
        ['measuring the error', seconds.error],
        ['factorization', factor],
        ['solve', solve],
        ['log det of the matrix', seconds.exact],
      ],
      'Phases of the factorization',
    ),
    ...timelineCharts(timeline),
    memoryChart([
      ['matrix', memory.matrix],
      ['factors', memory.factors],
    ]),
    ...(error === null ? [] : [errorChart(error)]),
    ...(exact === null || itself === null
      ? []
      : [
          {
            kind: 'spans',
            id: 'log-determinant',
            title: 'Log determinant',
            alt: `${inDigits(logdet, 8)} of the compressed matrix; ${inDigits(itself, 8)} of the matrix itself.`,
            caption: `Differences from log det of the compressed matrix, ${inDigits(logdet, 8)} (natural logarithm).`,
            x: { label: 'difference of log det' },
            spans: [
              { row: 'compressed', start: 0, end: 0, point: 0, label: '0' },
              {
                row: 'matrix itself',
                start: (exact.lower ?? itself) - logdet,
                end: (exact.upper ?? itself) - logdet,
                point: itself - logdet,
                label: plainPower(itself - logdet),
              },
            ],
          } as const,
        ]),
  ];
}

/** Of `hmatrix tune`. */
export function tuneCharts({ chosen }: TuneRecord): Chart[] {
  const { tried, measured, leafSize } = chosen;
  const costs = [
    ['memory', 'bytes'],
    ['product', 'product'],
    ['factorization', 'factor'],
  ] as const;
  const least = (key: (typeof costs)[number][1]): number => Math.min(...tried.map((one) => one[key]));
  return [
    {
      kind: 'curves',
      id: 'leaf-sizes',
      title: 'Predicted costs by leaf size',
      alt:
        `Memory, product and factorization of ${tried.length} leaf sizes, each over its least; ${leafSize} was ` +
        `chosen for ${chosen.objective}.`,
      x: { label: 'leaf size (indices)', scale: 'log' },
      y: { label: 'over the least of its kind', scale: 'log' },
      curves: costs.map(([name, key]) => ({
        name,
        points: tried.map((one) => ({ x: one.leafSize, y: one[key] / least(key) })),
      })),
      rules: [{ along: 'x', value: leafSize, label: 'chosen' }],
    },
    ...(measured.length === 0
      ? []
      : [
          {
            kind: 'curves',
            id: 'pilot-ranks',
            title: 'Ranks of the nodes that were tried',
            alt: `Mean ranks of nodes of ${measured.length} sizes.`,
            x: { label: 'indices of a node', scale: 'log' },
            y: { label: 'rank', scale: 'log' },
            curves: [{ name: 'rank', points: measured.map(({ size, rank }) => ({ x: size, y: rank })) }],
          } as const,
        ]),
  ];
}
