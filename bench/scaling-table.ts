/**
 * The table of growing sizes in docs/benchmarks.md, made from bench/results/scaling.json alone: `node
 * dist/bench/scaling-table.js` writes it again.
 */
import { digits } from './labels.js';
import type { ScalingResult } from './scaling.js';
import { BANDWIDTH, COLUMNS, PHASES, SHIFT_PER_INDEX, TOLERANCE, type Phase } from './scaling-cases.js';
import { remakeSection, replaceSection } from './section.js';
import { exponent } from './table.js';

const gigabytes = (bytes: number): string => `${digits(bytes / 1e9, 3)} GB`;

/** Of the clock, and in parentheses of all processors together. */
const times = ({ seconds, processorSeconds }: ScalingResult, phase: Phase): string =>
  `${digits(seconds[phase])} (${digits(processorSeconds[phase])})`;

const row = (result: ScalingResult): string => {
  const { size, peaks, memory, largestRank, error, residual } = result;
  const cells = [
    size.toLocaleString('en'),
    times(result, 'compress'),
    gigabytes(memory.matrixBytes),
    gigabytes(peaks.compress),
    String(largestRank),
    error.toExponential(1),
    times(result, 'error'),
    gigabytes(peaks.error),
    times(result, 'product'),
    times(result, 'factor'),
    gigabytes(memory.factorBytes),
    times(result, 'solve'),
    gigabytes(peaks.solve),
    residual.toExponential(1),
  ];
  return `| ${cells.join(' | ')} |`;
};

export function makeScalingTable(results: readonly ScalingResult[]): string {
  const rows = [...results].sort((a, b) => a.size - b.size);
  const fitted = (of: (result: ScalingResult) => number): string =>
    exponent(rows.map((result) => [result.size, of(result)])).toFixed(2);
  const exponents = (phase: Phase): string =>
    `${fitted((r) => r.seconds[phase])} (${fitted((r) => r.processorSeconds[phase])})`;
  return [
    `Matérn 3/2 in the unit square, h = ${BANDWIDTH}, tolerance ${TOLERANCE.toExponential(0)}, hss, m = s = 256, all ` +
      `else by default; ${rows[0]?.blas ?? ''}; ${rows[0]?.workers ?? 0} workers. One run each, after a small one. ` +
      `ε_F from ${COLUMNS} columns; λ = ${SHIFT_PER_INDEX.toExponential(0)}·N; product and solve of one vector, the ` +
      'first of each (with what it allocates); peaks are those of the process, as far as it has come. In parentheses ' +
      'the seconds of all processors together: the clock of a shared machine says less.',
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
            `${rows[rows.length - 1].size.toLocaleString('en')}, of the clock (of processors): ` +
            `${PHASES.map((phase) => `${phase} ${exponents(phase)}`).join(', ')}; of memory: stored ` +
            `${fitted((r) => r.memory.matrixBytes)}, factors ${fitted((r) => r.memory.factorBytes)}, peak ` +
            `${fitted((r) => r.peaks.solve)}.`,
        ]),
  ].join('\n');
}

export function writeScalingTable(results: readonly ScalingResult[]): void {
  replaceSection('scaling', makeScalingTable(results));
}

remakeSection(import.meta.url, 'scaling', writeScalingTable);
