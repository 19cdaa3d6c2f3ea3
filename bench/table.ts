/**
 * The table of docs/benchmarks.md, made from bench/results/compression.json alone: `node dist/bench/table.js` writes it
 * again.
 */
import type { InputDescription } from '../src/experiment/record.js';
import { CASES, REFERENCES, type BenchCase } from './cases.js';
import { compressionLabel, digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';

export interface CaseResult {
  readonly name: string;
  readonly input: InputDescription;
  readonly options: {
    readonly budget: number;
    readonly leafSize: number;
    readonly maxRank: number;
    readonly tolerance: number;
  };
  readonly vectors: number;
  readonly seed: number;
  readonly workers: number;
  readonly blas: string;
  readonly repeats: number;
  readonly seconds: {
    readonly neighbors: number;
    readonly tree: number;
    readonly skeletonization: number;
    readonly fill: number;
    readonly compress: number;
    readonly apply: number;
  };
  readonly coldSeconds: { readonly neighbors: number; readonly skeletonization: number; readonly compress: number };
  readonly gflops: { readonly apply: number; readonly dgemm: number };
  readonly error: { readonly relative: number; readonly low: number; readonly high: number; readonly exact: boolean };
  readonly memory: { readonly bytes: number; readonly share: number; readonly peakBytes: number };
  readonly ranks: readonly { readonly level: number; readonly max: number; readonly mean: number }[];
  readonly recall: number;
  readonly budgetUsed: number;
}

const small = (value: number): string => (value >= 0.01 ? digits(value) : value.toExponential(1));

/** Ours, and the reference's figure over ours where there is one. */
function against(ours: number, reference: number | undefined, unit = ''): string {
  return reference === undefined ? `${digits(ours)}${unit}` : `${digits(ours)}${unit} (${digits(reference / ours)}×)`;
}

function row(measured: BenchCase, result: CaseResult): string {
  const reference = REFERENCES[result.name];
  const { seconds, gflops, error, memory } = result;
  return `| ${[
    compressionLabel(measured, result.input.name),
    against(seconds.neighbors, reference?.neighbors),
    digits(seconds.tree),
    against(seconds.skeletonization, reference?.skeletonization),
    digits(seconds.compress),
    against(seconds.apply, reference?.apply),
    `${digits(gflops.apply)} (${Math.round((100 * gflops.apply) / gflops.dgemm)} %)`,
    reference?.error === undefined ? small(error.relative) : `${small(error.relative)} (${small(reference.error)})`,
    `${digits(memory.bytes / 1e6, 3)} MB, ${digits(100 * memory.share)} %`,
    against(memory.peakBytes / 1e9, reference?.memoryGigabytes, ' GB'),
  ].join(' | ')} |`;
}

/**
 * Exponent e of seconds ~ N^e by least squares in logarithms, from pairs of N and seconds; N log N itself gives about
 * 1.1 here.
 */
export function exponent(pairs: readonly (readonly [number, number])[]): number {
  const points = pairs.map(([size, seconds]) => [Math.log(size), Math.log(seconds)] as const);
  const mean = (k: 0 | 1): number => points.reduce((sum, point) => sum + point[k], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  return (
    points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) /
    points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  );
}

export function makeTable(results: readonly CaseResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const measured = CASES.filter(({ name }) => byName.has(name));
  const rows = measured.map(({ name }) => byName.get(name)!);
  const growths = [1, 2, 4]
    .flatMap((h) =>
      [0, 3].map((budget) => {
        const pair = [16_384, 65_536].flatMap((size) => byName.get(`gaussian-${size}-h${h}-b${budget}-p64`) ?? []);
        return pair.length < 2
          ? ''
          : `h = ${h}, budget ${budget} %: ${exponent(pair.map((r) => [r.input.size, r.seconds.apply])).toFixed(2)}`;
      }),
    )
    .filter((text) => text !== '');
  const dgemm = rows.map((r) => r.gflops.dgemm).sort((a, b) => a - b)[rows.length >> 1];
  return [
    `${rows[0]?.blas ?? ''}; ${rows[0]?.workers ?? 0} workers; dgemm of all workers together ${digits(dgemm)} ` +
      'GFLOP/s (n = 512; median over the runs). Medians of warm runs; m = s = 256, tolerance 1e-5, κ = 32, 64 ' +
      'vectors unless said.',
    "In parentheses: the time (or memory) of GOFMM divided by ours, and for the error GOFMM's own. GOFMM (C++, " +
      'its splitter fixed) ran with 2 threads on a faster machine, whose dgemm reaches about 100 GFLOP/s.',
    '',
    '| | neighbors, s | tree, s | skeletons, s | compress, s | apply, s | apply, GFLOP/s (share of dgemm) | ' +
      'error ε_F | stored | peak memory |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...measured.map((one, k) => row(one, rows[k])),
    '',
    `Growth of apply from N = 16,384 to 65,536, exponent of N (N log N is 1.1): ${growths.join('; ')}.`,
  ].join('\n');
}

/** Puts the table between the markers of docs/benchmarks.md. */
export function writeTable(results: readonly CaseResult[]): void {
  replaceSection('measured', makeTable(results));
}

remakeSection(import.meta.url, 'compression', writeTable);
