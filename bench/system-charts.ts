/**
 * What was measured of the library's parts as pictures: task graphs, leaf sizes, files, browsers, dense kernels.
 */
import type { Chart, Curve, Span } from '../src/report/charts/chart.js';
import type { BlasRecord } from './blas.js';
import type { BrowserResult } from './browser.js';
import type { FilesResult } from './files.js';
import { WORKERS } from './graph-cases.js';
import type { GraphResult } from './graph.js';
import { digits } from './labels.js';
import type { LargestResult } from './largest.js';
import { leafRatios } from './leaf-table.js';
import type { LeafResult } from './leaf.js';

const OPERATIONS = { compress: 'compression', product: 'product', factor: 'factorization', solve: 'solve' } as const;

/** Of graph.json: how many times faster workers would be if tasks took what their flops say. */
export const graphCharts = (results: readonly GraphResult[]): Chart[] =>
  results.map(({ name, label, ...result }) => ({
    kind: 'curves',
    id: name,
    title: `What the task graphs allow: ${label}`,
    alt: `Speed-ups of ${Object.values(OPERATIONS).join(', ')} with ${WORKERS.join(', ')} workers, by flops of tasks.`,
    caption: 'Flops in all over those until the last worker ends, tasks taken as they become ready.',
    x: { label: 'workers', scale: 'log' },
    y: { label: 'times faster', scale: 'log' },
    curves: [
      ...Object.entries(OPERATIONS).map(([operation, called]): Curve => {
        const { flops, makespans } = result[operation as keyof typeof OPERATIONS];
        return { name: called, points: makespans.map((makespan, k) => ({ x: WORKERS[k], y: flops / makespan })) };
      }),
      { name: 'as many times as workers', shape: 'line', points: WORKERS.map((count) => ({ x: count, y: count })) },
    ],
  }));

const inOrder = (name: string, values: readonly number[]): Curve => ({
  name,
  shape: 'marks',
  points: [...values].sort((a, b) => a - b).map((y, k) => ({ x: k + 1, y })),
});

/** Of leaf.json: what was chosen beside the best of a grid. */
export function leafCharts(results: readonly LeafResult[]): Chart[] {
  const ratios = results.flatMap(({ rows }) => rows.map(leafRatios));
  return [
    {
      kind: 'curves',
      id: 'leaf-sizes',
      title: 'Chosen leaf sizes, beside the best of a grid',
      alt: `Bytes and times of products of ${ratios.length} compressions over the least of a grid of leaf sizes.`,
      caption: 'Dashed: the best of the grid; below it: better than all of the grid.',
      x: { label: 'number, in order', whole: true },
      y: { label: 'over the best', scale: 'log' },
      curves: [
        inOrder(
          'memory',
          ratios.map(({ memory }) => memory),
        ),
        inOrder(
          'product',
          ratios.map(({ product }) => product),
        ),
      ],
      rules: [{ along: 'y', value: 1, label: '' }],
    },
  ];
}

/** Bars, one for each name. */
const bars = (values: Readonly<Record<string, number>>): Span[] =>
  Object.entries(values).map(([row, end]) => ({ row, start: 0, end, label: digits(end, 3) }));

/** Of files.json: saving and loading beside plain writing and reading. */
export const filesCharts = ([{ bytes, gigabytesPerSecond, processor }]: readonly FilesResult[]): Chart[] => [
  {
    kind: 'spans',
    id: 'files-rates',
    title: 'Saving and loading a matrix',
    alt: `Gigabytes a second of plain writing and reading and of save and load, ${digits(bytes / 1e9, 3)} GB.`,
    caption: `${digits(bytes / 1e9, 3)} GB; write and read: the same bytes without checksums and checks.`,
    x: { label: 'rate (GB/s)', fromZero: true },
    spans: bars({ ...gigabytesPerSecond }),
  },
  {
    kind: 'spans',
    id: 'files-processor',
    title: 'What a gigabyte takes of the processor',
    alt: 'Processor seconds a gigabyte of plain writing and reading and of save and load.',
    x: { label: 'processor time (s/GB)', fromZero: true },
    spans: bars({ ...processor }),
  },
];

/** Of ranks.json. */
interface RanksResult {
  readonly how: string;
  readonly gradient: { readonly processor: number };
  readonly product: { readonly processor: number };
}

/** Of ranks.json: seconds of the processor that the busiest rank takes for a gradient and a Gauss–Newton product. */
export const ranksCharts = (results: readonly RanksResult[]): Chart[] =>
  (['gradient', 'product'] as const).map((work) => ({
    kind: 'spans',
    id: `ranks-${work}`,
    title: work === 'gradient' ? 'Gradient on several ranks' : 'Gauss–Newton product on several ranks',
    alt: `Processor seconds of the busiest rank: ${results.map(({ how }) => how).join(', ')}.`,
    caption: 'Of an autoencoder on 8,000 samples; the rank that takes longest, outside of communication.',
    x: { label: 'processor time (s)', fromZero: true },
    spans: bars(Object.fromEntries(results.map((result) => [result.how, result[work].processor]))),
  }));

/** Of matrix-ranks.json. */
interface MatrixRanksResult {
  readonly how: string;
  readonly case: string;
  readonly size: number;
  readonly peakBytes: number;
  readonly compress: number;
}

/** Of matrix-ranks.json: seconds of a compression and the peak memory of a rank, case by case. */
export const matrixRanksCharts = (results: readonly MatrixRanksResult[]): Chart[] =>
  [...new Set(results.map((result) => result.case))].flatMap((name, k): Chart[] => {
    const own = results.filter((result) => result.case === name);
    const ways = own.map(({ how }) => how).join(', ');
    return [
      {
        kind: 'spans',
        id: `matrix-ranks-compress-${k}`,
        title: `Compression on several ranks: ${name}`,
        alt: `Seconds: ${ways}.`,
        caption: `N = ${own[0].size.toLocaleString('en-US')}, two cores: four ranks have half a core each.`,
        x: { label: 'time (s)', fromZero: true },
        spans: bars(Object.fromEntries(own.map((result) => [result.how, result.compress]))),
      },
      {
        kind: 'spans',
        id: `matrix-ranks-memory-${k}`,
        title: `Memory of a rank: ${name}`,
        alt: `Peak memory of a process: ${ways}.`,
        caption: 'Compressed, multiplied, factored and solved with 64 vectors of own rows.',
        x: { label: 'memory (GB)', fromZero: true },
        spans: bars(Object.fromEntries(own.map((result) => [result.how, result.peakBytes / 1e9]))),
      },
    ];
  });

/** Of largest.json: seconds of each stage, and the memory of the process until its end. */
export const largestCharts = ([{ size, stages, error, residual }]: readonly LargestResult[]): Chart[] =>
  (['seconds', 'peakBytes'] as const).map((what) => ({
    kind: 'spans',
    id: `largest-${what === 'seconds' ? 'seconds' : 'memory'}`,
    title: what === 'seconds' ? 'Many points, end to end' : 'Memory of many points',
    alt: `${what === 'seconds' ? 'Seconds' : 'Peak memory'}: ${stages.map(({ stage }) => stage).join(', ')}.`,
    caption:
      `N = ${size.toLocaleString('en-US')} in the plane, two workers; ` +
      `relative error ${error.toExponential(1)}, residual of the solution ${residual.toExponential(1)}.`,
    x: { label: what === 'seconds' ? 'time (s)' : 'memory (GB)', fromZero: true },
    spans: bars(Object.fromEntries(stages.map((one) => [one.stage, what === 'seconds' ? one[what] : one[what] / 1e9]))),
  }));

/** Of browser.json: portable multiplications beside Node, and how long the playground's pictures take. */
export const browserCharts = ({ gemm, pictures }: BrowserResult): Chart[] => [
  {
    kind: 'curves',
    id: 'browser-gemm',
    title: 'Portable multiplications in Chromium and in Node',
    alt: `GFLOP/s of products of orders ${gemm.map(({ n }) => n).join(', ')} in Chromium and in Node.`,
    x: { label: 'order', scale: 'log' },
    y: { label: 'rate (GFLOP/s)', fromZero: true },
    curves: [
      { name: 'Chromium', points: gemm.map(({ n, browser }) => ({ x: n, y: browser })) },
      { name: 'Node', points: gemm.map(({ n, node }) => ({ x: n, y: node })) },
    ],
  },
  {
    kind: 'spans',
    id: 'browser-pictures',
    title: 'Pictures of the playground',
    alt: `Seconds until ${pictures.map(({ what }) => what).join('; ')}.`,
    caption: 'From the fastest of all rounds to their median.',
    x: { label: 'time (s)', fromZero: true },
    spans: pictures.map(({ what, fastest, median }) => ({
      row: what,
      start: fastest,
      end: median,
      point: median,
      label: `${digits(median, 3)} s`,
    })),
  },
];

/** Of blas.json: rates of multiplication by order, of the system's library and of the portable kernels. */
export function blasCharts({ rows }: BlasRecord): Chart[] {
  const gemm = rows.filter(({ routine }) => routine === 'gemm');
  return (['f64', 'f32'] as const).map((precision) => {
    const own = gemm.filter((row) => row.precision === precision);
    const ways = [...new Set(own.map(({ via }) => via))];
    return {
      kind: 'curves',
      id: `gemm-${precision}`,
      title: `Rate of gemm, ${precision}`,
      alt: `GFLOP/s of gemm by order on one thread: ${ways.join(', ')}.`,
      x: { label: 'order', scale: 'log' },
      y: { label: 'rate (GFLOP/s)', scale: 'log' },
      curves: ways.map((via) => ({
        name: via,
        points: own.filter((row) => row.via === via).map(({ size, gflops }) => ({ x: size, y: gflops })),
      })),
    };
  });
}
