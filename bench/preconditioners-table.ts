/**
 * The tables of preconditioners in docs/benchmarks.md, made from bench/results/preconditioners.json alone: `node
 * dist/bench/preconditioners-table.js` writes them again.
 */
import { median } from '../src/core/median.js';
import type { MatrixSweep, NetworkSweep, PrintedRow, SolveRow } from '../src/experiment/preconditioner-record.js';
import { digits } from './labels.js';
import type { PreconditionerResult } from './preconditioners.js';
import { PRECONDITIONER_CASES, PUBLISHED_ITERATIONS } from './preconditioners-cases.js';
import { remakeSection, replaceSection } from './section.js';

const power = (value: number): string => value.toExponential(1);
const count = (value: number): string => value.toLocaleString('en');
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const iterations = ({ iterations: steps, outcome }: Pick<SolveRow, 'iterations' | 'outcome'>): string =>
  outcome === 'converged' ? count(steps) : outcome === 'unavailable' ? '–' : `${count(steps)}, ${outcome}`;

function published(rows: readonly PrintedRow[]): string[] {
  if (rows.length === 0) return [];
  return [
    '**As published**: (K̃ + λI) x = 0, λ = 1 on ‖K‖₂ = 1, from a random x₀ until ‖r‖ < 10⁻³‖x₀‖; iterations ' +
      'after the first step, the published ones in parentheses. The condition number is at most 2 whatever the ' +
      'matrix is, so the table says little.',
    '',
    line(['matrix', 'N', 'near blocks', 'HSS', 'product ε', 'solve ε', 'solve, s', 'iterations']),
    '|---|---|---|---|---|---|---|---|',
    ...rows.map((row) => {
      const theirs = PUBLISHED_ITERATIONS[row.matrix]?.[row.budget === 0 ? 0 : row.preconditioner === 'hss' ? 1 : 2];
      return line([
        row.matrix,
        count(row.size),
        `${100 * row.budget} %`,
        row.preconditioner === 'hss' ? 'yes' : 'no',
        power(row.matvecError),
        power(row.solveError),
        digits(row.seconds.solve),
        `${iterations(row)}${theirs === undefined ? '' : ` (${count(theirs)})`}`,
      ]);
    }),
    '',
  ];
}

function sweeps(all: readonly MatrixSweep[]): string[] {
  if (all.length === 0) return [];
  const shifts = [...new Set(all.flatMap(({ rows }) => rows.map(({ relativeShift }) => relativeShift)))];
  return [
    `**The sweep**: (K + λI) x = b, b random, until the true residual is ${all[0].tolerance}‖b‖. Iterations ` +
      'without a preconditioner → with HSS, and seconds in all (HSS: compression, factorization and solve, for ' +
      'each λ anew).',
    '',
    line(['λ/‖K‖₂', ...shifts.map((shift) => shift.toExponential(0)), 'HSS: compress, factor, s', '%K']),
    `|---|${shifts.map(() => '---|').join('')}---|---|`,
    ...all.map(({ matrix, size, rows }) => {
      const of = (shift: number, name: string): SolveRow | undefined =>
        rows.find(({ relativeShift, preconditioner }) => relativeShift === shift && preconditioner === name);
      const hss = rows.filter(({ preconditioner, bytes }) => preconditioner === 'hss' && bytes > 0);
      return line([
        `${matrix}, N = ${count(size)}`,
        ...shifts.map((shift) => {
          const [none, with_] = [of(shift, 'none'), of(shift, 'hss')];
          return none === undefined || with_ === undefined
            ? ''
            : `${iterations(none)} → **${iterations(with_)}**; ${digits(none.seconds.total)} → ` +
                `${digits(with_.seconds.total)} s`;
        }),
        hss.length === 0
          ? ''
          : `${digits(hss[0].seconds.compress)}, ${digits(median(hss.map(({ seconds }) => seconds.factor)))}`,
        hss.length === 0 ? '' : `${digits(100 * Math.max(...hss.map(({ share }) => share)))} %`,
      ]);
    }),
    '',
  ];
}

function network({
  network: widths,
  activation,
  loss,
  size,
  samples,
  data,
  rows,
  tolerance,
  lambdaMax,
}: NetworkSweep): string[] {
  const shifts = [...new Set(rows.map(({ relativeShift }) => relativeShift))];
  const methods = [...new Set(rows.map(({ preconditioner }) => preconditioner))];
  const shifted = rows
    .filter(({ note, outcome }) => note !== undefined && outcome !== 'unavailable')
    .map(({ preconditioner }) => preconditioner);
  return [
    `**${widths}**, ${activation}, ${loss}, N = ${count(size)}, n = ${count(samples)} of ${data}, λ_max = ` +
      `${power(lambdaMax)}: iterations (seconds of the solve) until the residual is ` +
      `${tolerance}‖b‖.` +
      (shifted.length === 0
        ? ''
        : ` Not positive definite at some λ, and factored at a larger one: ${[...new Set(shifted)].join(', ')}.`),
    '',
    line(['λ/λ_max', ...shifts.map((shift) => shift.toExponential(0)), '%K', 'compress, s', 'factor, s']),
    `|---|${shifts.map(() => '---|').join('')}---|---|---|`,
    ...methods.map((method) => {
      const own = rows.filter(({ preconditioner }) => preconditioner === method);
      const made = own.find(({ outcome }) => outcome !== 'unavailable') ?? own[0];
      return line([
        method,
        ...own.map((row) =>
          row.outcome === 'unavailable' ? '–' : `${iterations(row)} (${digits(row.seconds.solve)})`,
        ),
        `${digits(100 * made.share)} %`,
        digits(made.seconds.compress),
        digits(made.seconds.factor),
      ]);
    }),
    '',
  ];
}

export function makePreconditionerTables(results: readonly PreconditionerResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result.record]));
  const records = PRECONDITIONER_CASES.flatMap(({ name }) => byName.get(name) ?? []);
  return [
    `${records[0]?.blas ?? ''}; ${records[0]?.workers ?? 0} workers; dgemm of all workers together ` +
      `${digits(median(records.map(({ gflops }) => gflops.dgemm)))} GFLOP/s (median over the runs). %K: bytes of ` +
      'the preconditioner over those of the dense matrix.',
    '',
    ...published(records.flatMap(({ printed }) => printed.rows)),
    ...sweeps(records.flatMap(({ sweep }) => sweep)),
    ...records.flatMap(({ networks }) => networks.flatMap(network)),
  ]
    .join('\n')
    .trimEnd();
}

export function writePreconditionerTables(results: readonly PreconditionerResult[]): void {
  if (results.length > 0) replaceSection('preconditioners', makePreconditionerTables(results));
}

remakeSection(import.meta.url, 'preconditioners', writePreconditionerTables);
