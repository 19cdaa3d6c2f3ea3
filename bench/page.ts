/**
 * The results of bench/results as pictures: `npm run bench:page` writes docs/benchmarks.html, from those files alone.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Chart, Curve, CurveChart } from '../src/report/charts/chart.js';
import { preconditionerCharts, tableCharts } from '../src/report/records/approximations.js';
import { drawnPage } from '../src/report/report.js';
import { factsOf, type View } from '../src/report/view.js';
import { ratioOf, type ChooseMeasured } from './choose-table.js';
import type { CoverageResult } from './coverage.js';
import type { FactorizationResult } from './factorization.js';
import type { HessianResult } from './hessian.js';
import type { KroneckerResult } from './kronecker.js';
import type { PreconditionerResult } from './preconditioners.js';
import { tapeCharts, trainingCharts } from './network-charts.js';
import { contentOf, machineOf, resultsOf } from './record.js';
import type { ScalingResult } from './scaling.js';
import {
  blasCharts,
  browserCharts,
  filesCharts,
  graphCharts,
  largestCharts,
  leafCharts,
  matrixRanksCharts,
  ranksCharts,
} from './system-charts.js';
import type { CaseResult } from './table.js';
import type { ToleranceResult } from './tolerance.js';

const SIZE = { label: 'N', scale: 'log' } as const;
const SECONDS = { label: 'time (s)', scale: 'log' } as const;

/** Values of results against their size: a curve for each name. */
function bySize<R extends { readonly size: number }>(
  results: readonly R[],
  values: Readonly<Record<string, (result: R) => number>>,
): Curve[] {
  const sorted = [...results].sort((a, b) => a.size - b.size);
  return Object.entries(values).map(([name, value]) => ({
    name,
    points: sorted.map((result) => ({ x: result.size, y: value(result) })),
  }));
}

function scalingCharts(results: readonly ScalingResult[]): Chart[] {
  const sizes = results.map(({ size }) => size.toLocaleString('en-US')).join(', ');
  return [
    {
      kind: 'curves',
      id: 'scaling-seconds',
      title: 'Time by size',
      alt: `Seconds of compression, product, factorization and solve at N = ${sizes}.`,
      caption: 'Matérn 3/2 over points of the unit square; two cores.',
      x: SIZE,
      y: SECONDS,
      curves: bySize(results, {
        compression: ({ seconds }) => seconds.compress,
        product: ({ seconds }) => seconds.product,
        factorization: ({ seconds }) => seconds.factor,
        solve: ({ seconds }) => seconds.solve,
      }),
    },
    {
      kind: 'curves',
      id: 'scaling-memory',
      title: 'Memory by size',
      alt: `Gigabytes of the matrix, of its factors and of the process at its peak, at N = ${sizes}.`,
      x: SIZE,
      y: { label: 'memory (GB)', scale: 'log' },
      curves: bySize(results, {
        matrix: ({ memory }) => memory.matrixBytes / 1e9,
        factors: ({ memory }) => memory.factorBytes / 1e9,
        'peak of the process': ({ peaks }) => Math.max(...Object.values(peaks)) / 1e9,
      }),
    },
  ];
}

/** Gaussian kernels in six dimensions, without near blocks, 64 vectors: of each bandwidth a curve. */
function compressionCharts(results: readonly CaseResult[]): Chart[] {
  const gaussian = results
    .filter(({ name }) => /^gaussian-.*-b0-p64$/.test(name))
    .map((result) => ({ ...result, size: result.input.size }));
  const bandwidths = [...new Set(gaussian.map(({ input }) => input.bandwidth!))].sort((a, b) => a - b);
  const chart = (id: string, title: string, label: string, value: (result: CaseResult) => number): CurveChart => ({
    kind: 'curves',
    id,
    title,
    alt: `${title} of Gaussian kernels of bandwidth ${bandwidths.join(', ')} in six dimensions.`,
    x: SIZE,
    y: { label, scale: 'log' },
    curves: bandwidths.map((h) => ({
      ...bySize(
        gaussian.filter(({ input }) => input.bandwidth === h),
        { value },
      )[0],
      name: `h = ${h}`,
    })),
  });
  return [
    chart('compress-seconds', 'Compression', 'time (s)', ({ seconds }) => seconds.compress),
    chart('product-seconds', 'Product with 64 vectors', 'time (s)', ({ seconds }) => seconds.apply),
    chart('compress-error', 'Error of the compression', 'relative error', ({ error }) => error.relative),
  ];
}

const kroneckerCharts = (results: readonly KroneckerResult[]): Chart[] =>
  results
    .filter(({ rows }) => rows.length > 1)
    .map(({ name, rows }) => {
      // Null where measuring it takes too long.
      const beside = rows.flatMap(({ asked, eigenbasis }) =>
        eigenbasis === null ? [] : [{ x: 100 * asked, y: eigenbasis }],
      );
      return {
        kind: 'curves',
        id: name,
        title: `Kronecker sums, ${name.replace('kronecker-', '')}`,
        alt:
          `Errors of a sum of Kronecker products at ${rows.length} shares of memory` +
          `${beside.length > 0 ? `, and of the Kronecker eigenbasis at ${beside.length}` : ''}.`,
        x: { label: 'memory (% of the dense matrix)', scale: 'log' },
        y: { label: 'relative error', scale: 'log' },
        curves: [
          { name: 'Kronecker sum', points: rows.map(({ share, error }) => ({ x: 100 * share, y: error })) },
          ...(beside.length > 0 ? [{ name: 'eigenbasis', points: beside }] : []),
        ],
      };
    });

function factorizationCharts(results: readonly FactorizationResult[]): Chart[] {
  const names = results.map(({ name }) => name.replace('factorization-', ''));
  return [
    {
      kind: 'spans',
      id: 'factorization',
      title: 'Time of factorization',
      alt: `Seconds of factorization of ${names.join(', ')}.`,
      caption: 'The first one of each matrix; with another shift a factorization is shorter.',
      x: { label: 'time (s)', fromZero: true },
      spans: results.map(({ seconds }, k) => ({
        row: names[k],
        start: 0,
        end: seconds.factor,
        label: `${seconds.factor} s`,
      })),
    },
  ];
}

/** Values in order of size, a mark each: how they are distributed. */
const sortedChart = (
  common: Pick<CurveChart, 'id' | 'title' | 'alt' | 'caption'>,
  label: string,
  values: readonly number[],
  rule: { readonly value: number; readonly label: string },
): CurveChart => ({
  kind: 'curves',
  ...common,
  x: { label: 'number, in order', whole: true },
  y: { label, scale: 'log' },
  curves: [
    {
      name: label,
      shape: 'marks',
      points: [...values].sort((a, b) => a - b).map((y, k) => ({ x: k + 1, y })),
    },
  ],
  rules: [{ along: 'y', ...rule }],
});

function chooseCharts(results: readonly ChooseMeasured[]): Chart[] {
  const ratios = results.flatMap((one) => ratioOf(one) ?? []);
  const solved = ratios.filter((ratio) => Number.isFinite(ratio));
  return [
    sortedChart(
      {
        id: 'choose',
        title: 'What auto chooses, beside the best of a grid',
        alt: `Seconds of auto over those of the fastest candidate, of ${solved.length} systems.`,
        caption: `${ratios.length - solved.length} of ${ratios.length} systems that a candidate solves auto does not.`,
      },
      'time over the best',
      solved,
      { value: 1, label: 'the best' },
    ),
  ];
}

function toleranceCharts(results: readonly ToleranceResult[]): Chart[] {
  const errors = results.flatMap(({ runs }) => runs.map(({ error }) => error));
  return [
    sortedChart(
      {
        id: 'tolerance',
        title: 'Errors over asked tolerances',
        alt: `Errors over the tolerance of ${errors.length} compressions; above one it was missed.`,
        caption: 'Where a tolerance was missed, the compression says so.',
      },
      'error over tolerance',
      errors,
      { value: 1, label: 'asked' },
    ),
  ];
}

const coverageCharts = (results: readonly CoverageResult[]): Chart[] => [
  {
    kind: 'curves',
    id: 'coverage',
    title: 'How often stated 95 % intervals hold',
    alt: `The share of seeds whose interval held the truth, of ${results.length} estimates.`,
    x: { label: 'number, in order', whole: true },
    y: { label: 'coverage (share of seeds)' },
    curves: [
      {
        name: 'coverage',
        shape: 'marks',
        points: [...results]
          .sort((a, b) => a.coverage - b.coverage)
          .map(({ name, coverage }, k) => ({
            x: k + 1,
            y: coverage,
            note: `${name.replace('coverage ', '')}: ${coverage}`,
          })),
      },
    ],
    rules: [{ along: 'y', value: 0.95, label: '95 %' }],
  },
];

const hessianCharts = (results: readonly Pick<HessianResult, 'table'>[]): Chart[] =>
  results.flatMap(({ table }) =>
    tableCharts(table).map((chart) => ({ ...chart, id: `${chart.id}-${table.network}-${table.activation}` })),
  );

/** The sections of the page: each from one file of bench/results. */
interface Section {
  readonly title: string;
  /** Of the file's results; or, where it has none, of all that it holds. */
  readonly charts: (results: never) => Chart[];
  readonly whole?: true;
  /** What measures it again; default: `npm run bench` with its name. */
  readonly command?: string;
}
const SECTIONS: Readonly<Record<string, Section>> = {
  compression: { title: 'Compression', charts: compressionCharts },
  scaling: { title: 'Scaling', charts: scalingCharts },
  factorization: { title: 'Factorization', charts: factorizationCharts },
  hessian: { title: 'Gauss–Newton Hessians', charts: hessianCharts },
  kronecker: { title: 'Sums of Kronecker products', charts: kroneckerCharts },
  preconditioners: {
    title: 'Preconditioners',
    charts: (results: readonly PreconditionerResult[]) => results.flatMap(({ record }) => preconditionerCharts(record)),
  },
  choose: { title: 'Choosing', charts: chooseCharts },
  tolerance: { title: 'Tolerances', charts: toleranceCharts },
  coverage: { title: 'Intervals', charts: coverageCharts },
  training: { title: 'Training', charts: trainingCharts },
  tape: { title: 'Networks of layers', charts: tapeCharts },
  'layer-hessian': { title: 'Gauss–Newton matrices of networks of layers', charts: hessianCharts },
  graph: { title: 'Task graphs', charts: graphCharts },
  leaf: { title: 'Leaf sizes', charts: leafCharts },
  files: { title: 'Files', charts: filesCharts, command: 'node dist/bench/files.js --write' },
  ranks: { title: 'Several ranks', charts: ranksCharts, command: 'node dist/bench/ranks.js --write' },
  'matrix-ranks': {
    title: 'A matrix on several ranks',
    charts: matrixRanksCharts,
    command: 'node dist/bench/matrix-ranks.js --write',
  },
  largest: { title: 'Many points', charts: largestCharts, command: 'node dist/bench/largest.js --write' },
  browser: { title: 'Browsers', charts: browserCharts, whole: true, command: 'node dist/bench/browser.js --write' },
  blas: { title: 'Dense kernels', charts: blasCharts, whole: true, command: 'node dist/bench/blas.js --write' },
};

/** The page, from bench/results alone; the same results give the same text. */
export function benchmarkPage(): Promise<string> {
  const views = Object.entries(SECTIONS).map(([name, { title, charts, whole, command }]): View => ({
    title,
    note: `From bench/results/${name}.json; tables and what they mean are in docs/benchmarks.md.`,
    charts: charts((whole === true ? contentOf(name) : resultsOf(name)) as never),
    facts: factsOf(machineOf(name)),
    command: command ?? `npm run bench -- --only ${name === 'compression' ? 'gaussian' : name} --write`,
  }));
  return drawnPage(views, 'Benchmarks of hmatrix');
}

/** Where the page stands: from dist/bench/ to docs/. */
export const PAGE_PATH = fileURLToPath(new URL('../../docs/benchmarks.html', import.meta.url));

/** Writes the page. */
export async function writeBenchmarkPage(): Promise<void> {
  writeFileSync(PAGE_PATH, await benchmarkPage());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeBenchmarkPage();
