/**
 * The table of growing sizes in docs/benchmarks.md, made from bench/results/scaling.json alone: `node
 * dist/bench/scaling-table.js` writes it again.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { digits } from './labels.js';
import type { ScalingResult } from './scaling.js';
import { BANDWIDTH, COLUMNS, SHIFT_PER_INDEX, TOLERANCE } from './scaling-cases.js';
import { exponent, replaceSection } from './table.js';

const gigabytes = (bytes: number): string => `${digits(bytes / 1e9, 3)} GB`;

const row = ({ size, seconds, peaks, memory, largestRank, error, residual }: ScalingResult): string =>
  `| ${[
    size.toLocaleString('en'),
    digits(seconds.compress, 3),
    gigabytes(memory.matrixBytes),
    gigabytes(peaks.compress),
    String(largestRank),
    error.toExponential(1),
    digits(seconds.error, 3),
    gigabytes(peaks.error),
    digits(seconds.product),
    digits(seconds.factor, 3),
    gigabytes(memory.factorBytes),
    digits(seconds.solve),
    gigabytes(peaks.solve),
    residual.toExponential(1),
  ].join(' | ')} |`;

export function makeScalingTable(results: readonly ScalingResult[]): string {
  const rows = [...results].sort((a, b) => a.size - b.size);
  const fitted = (of: (result: ScalingResult) => number): string =>
    exponent(rows.map((result) => [result.size, of(result)])).toFixed(2);
  return [
    `Matérn 3/2 in the unit square, h = ${BANDWIDTH}, tolerance ${TOLERANCE.toExponential(0)}, hss, all else by ` +
      `default; ${rows[0]?.blas ?? ''}; ${rows[0]?.workers ?? 0} workers. One run each, after a small one. ` +
      `ε_F from ${COLUMNS} columns; λ = ${SHIFT_PER_INDEX.toExponential(0)}·N; product and solve of one vector, the ` +
      'first of each (with what it allocates); peaks are those of the process, as far as it has come.',
    '',
    '| N | compress, s | stored | peak | largest rank | error ε_F | measured in, s | peak | product, s | factor, s | ' +
      'factors | solve, s | peak | residual |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map(row),
    ...(rows.length < 2
      ? []
      : [
          '',
          `Exponents of N by least squares, N = ${rows[0].size.toLocaleString('en')} … ` +
            `${rows[rows.length - 1].size.toLocaleString('en')}: compress ${fitted((r) => r.seconds.compress)}, ` +
            `factor ${fitted((r) => r.seconds.factor)}, solve ${fitted((r) => r.seconds.solve)}, stored ` +
            `${fitted((r) => r.memory.matrixBytes)}, factors ${fitted((r) => r.memory.factorBytes)}, peak ` +
            `${fitted((r) => r.peaks.solve)}.`,
        ]),
  ].join('\n');
}

export function writeScalingTable(results: readonly ScalingResult[]): void {
  replaceSection('scaling', makeScalingTable(results));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeScalingTable(
    (
      JSON.parse(readFileSync(fileURLToPath(new URL('../../bench/results/scaling.json', import.meta.url)), 'utf8')) as {
        results: ScalingResult[];
      }
    ).results,
  );
}
