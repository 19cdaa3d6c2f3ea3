/**
 * The table of Kronecker sums in docs/benchmarks.md, made from bench/results/kronecker.json alone: `node
 * dist/bench/kronecker-table.js` writes it again.
 */
import { KRONECKER_CASES, type KroneckerCase } from './kronecker-cases.js';
import type { KroneckerResult } from './kronecker.js';
import { digits, kroneckerLabel } from './labels.js';
import { remakeSection, replaceSection } from './section.js';

const power = (value: number): string => value.toExponential(1);

function lines({ name, dgemm, exact, rows, peakBytes }: KroneckerResult): string[] {
  const one = KRONECKER_CASES.find((candidate) => candidate.name === name) as KroneckerCase;
  return rows.map(
    (row, k) =>
      `| ${[
        k === 0 ? kroneckerLabel(one) : '',
        `${digits(100 * row.share, 3)} %`,
        // Below what rounding may add, the error is zero to rounding.
        row.error <= row.rounding ? 'exact' : `**${power(row.error)}**`,
        row.eigenbasis === null ? '' : row.eigenbasis === 0 ? 'exact' : power(row.eigenbasis),
        `${row.modes} of ${row.of}`,
        digits(row.build),
        digits(1000 * row.one) + (row.beside === undefined || row.beside === null ? '' : ` (${digits(row.beside)}×)`),
        `${digits(row.many.seconds)} (${digits((100 * row.many.gflops) / dgemm)} %)`,
        k === 0 ? digits(1000 * exact) : '',
        k === 0 ? digits(peakBytes / 1e9) : '',
      ].join(' | ')} |`,
  );
}

/** The table as text. */
export function makeKroneckerTable(results: readonly KroneckerResult[]): string {
  if (results.length === 0) return '';
  const { blas, workers, data } = results[0];
  return [
    `${blas}; ${workers} workers; ${data}. ε_F, known from what was dropped, beside that of the hierarchical matrix ` +
      'in the Kronecker eigenbasis at the same memory; build in s; product with one vector in ms (where timed by ' +
      "turns, in units of the eigenbasis's); with 64 in s, " +
      "and its share of dgemm's rate just then; the exact product with one vector in ms; peak memory in GB.",
    '',
    '| network | %K | Kronecker sum | eigenbasis | modes | build | 1 vector | 64 vectors | exact | peak |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...results.flatMap(lines),
  ].join('\n');
}

/** Puts the table between its markers in docs/benchmarks.md. */
export function writeKroneckerTable(results: readonly KroneckerResult[]): void {
  if (results.length > 0) replaceSection('kronecker', makeKroneckerTable(results));
}

remakeSection(import.meta.url, 'kronecker', writeKroneckerTable);
