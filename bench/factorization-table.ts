/**
 * The table of factorizations in docs/benchmarks.md, made from bench/results/factorization.json alone: `node
 * dist/bench/factorization-table.js` writes it again.
 */
import { median } from '../src/core/median.js';
import type { FactorizationResult } from './factorization.js';
import { FACTORIZATION_CASES, FACTORIZATION_REFERENCES, GROWTH_SIZES } from './factorization-cases.js';
import { digits, factorizationLabel } from './labels.js';
import { remakeSection, replaceSection } from './section.js';
import { exponent } from './table.js';

function row(result: FactorizationResult): string {
  const { seconds, gflops, gflop, vectors, memory, residual, condition, logdetError } = result;
  const reference = FACTORIZATION_REFERENCES[result.name];
  const against = (ours: number, theirs: number | undefined): string =>
    theirs === undefined ? digits(ours) : `${digits(ours)} (${digits(theirs / ours)}×)`;
  const solve = vectors === 1 ? '' : against(seconds.solve, reference?.solve);
  const solveOne = vectors === 1 ? against(seconds.solveOne, reference?.solve) : digits(seconds.solveOne);
  return `| ${[
    factorizationLabel(result),
    against(seconds.factor, reference?.factor),
    digits(seconds.refactor),
    gflop === null || gflops.factor === null ? '' : `${digits(gflop)}, ${digits(gflops.factor)}`,
    digits(gflops.dgemm),
    solve,
    solveOne,
    `${digits(memory.factorBytes / 1e6, 3)} MB`,
    residual.toExponential(1),
    condition.toExponential(1),
    logdetError === null ? '' : logdetError.toExponential(1),
  ].join(' | ')} |`;
}

export function makeFactorizationTable(results: readonly FactorizationResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const rows = FACTORIZATION_CASES.flatMap((one) => byName.get(one.name) ?? []);
  const growth = GROWTH_SIZES.flatMap((size) => byName.get(`factorization-growth-${size}`) ?? []);
  const fitted = (seconds: (result: FactorizationResult) => number): string =>
    exponent(growth.map((result) => [result.size, seconds(result)])).toFixed(2);
  return [
    `${rows[0]?.blas ?? ''}; ${rows[0]?.workers ?? 0} workers; dgemm of all workers together ` +
      `${digits(median(rows.map(({ gflops }) => gflops.dgemm)))} GFLOP/s (median). Medians of warm runs, ` +
      'allocations included. ' +
      'In parentheses the time of GOFMM (2 threads, faster machine, λ = 1) or of HODLRlib (as published, 12 ' +
      'threads) divided by ours. Residual of one solve, ‖(K̃ + λI)x − b‖/‖b‖; condition of K̃ + λI; ' +
      "log det against LAPACK's Cholesky factorization of the dense matrix, relative.",
    '',
    '| | factor, s | refactor, s | Gflop, GFLOP/s | dgemm | solve 64, s | solve 1, s | factors | residual | ' +
      'condition | log det |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map(row),
    ...(growth.length < 2
      ? []
      : [
          '',
          `Growth at fixed rank 64, N = ${growth[0].size.toLocaleString('en')} … ` +
            `${growth[growth.length - 1].size.toLocaleString('en')}, exponents of N by least squares: factor ` +
            `${fitted((r) => r.seconds.factor)}, refactor ${fitted((r) => r.seconds.refactor)}, solve of 64 ` +
            `${fitted((r) => r.seconds.solve)}.`,
        ]),
  ].join('\n');
}

export function writeFactorizationTable(results: readonly FactorizationResult[]): void {
  replaceSection('factorization', makeFactorizationTable(results));
}

remakeSection(import.meta.url, 'factorization', writeFactorizationTable);
