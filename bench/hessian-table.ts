/**
 * The tables of Gauss–Newton Hessians in docs/benchmarks.md, made from bench/results/hessian.json alone: `node
 * dist/bench/hessian-table.js` writes them again.
 */
import { publishedErrors } from '../src/experiment/published-errors.js';
import type { TableRecord, TableRow } from '../src/experiment/table-record.js';
import type { HessianResult } from './hessian.js';
import { HESSIAN_CASES } from './hessian-cases.js';
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';

const power = (value: number): string => value.toExponential(1);

function errorCell({ method, error }: TableRow, published: number | undefined): string {
  const own = error.exact
    ? power(error.relative)
    : `${power(error.relative)} ± ${((error.high - error.low) / 2).toExponential(0)}`;
  return method.startsWith('HM')
    ? `**${own}**${published === undefined ? '' : ` (${power(published)})`}`
    : `${own}${published === undefined ? '' : ` (${power(published)})`}`;
}

function section({ name, table }: HessianResult): string {
  return hessianTable(table, publishedErrors(HESSIAN_CASES.find((one) => one.name === name)!));
}

/** A network's heading and its rows, published figures in parentheses. */
export function hessianTable(table: TableRecord, published: ReturnType<typeof publishedErrors> = {}): string {
  const rows = table.rows.map(
    (row) =>
      `| ${[
        row.method,
        `${digits(100 * row.share, 3)} %`,
        errorCell(row, published[row.method]),
        power(row.lambdaMin),
        digits(row.seconds.build),
        digits(1000 * row.seconds.apply),
      ].join(' | ')} |`,
  );
  return [
    `**${table.network}**, ${table.activation}, ${table.loss}, N = ${table.size.toLocaleString('en')}, n = ` +
      `${table.samples.toLocaleString('en')} of ${table.data}, ${table.training.epochs} epochs (mean loss ` +
      `${digits(table.training.loss, 3)}); ` +
      `λ_max = ${power(table.exact.lambdaMax)}; G itself without a matrix: ${digits(table.exact.bytes / 1e6, 3)} ` +
      `MB, ${digits(1000 * table.exact.seconds.apply)} ms a product; peak memory ` +
      `${digits(table.memory.peakBytes / 1e9)} GB`,
    '',
    '| | %K | ε_F | λ_min | build, s | product, ms |',
    '|---|---|---|---|---|---|',
    ...rows,
    ...table.skipped.map(({ method, reason }) => `\n${method} left out: ${reason}`),
    '',
  ].join('\n');
}

function entries(results: readonly HessianResult[]): string {
  const rows = results.map(
    ({ table, entryGflops: { dgemm, arbitrary, tiles } }) =>
      `| ${table.network}, ${table.activation} | ${digits(dgemm)} | ${digits(arbitrary)} | ${Object.entries(tiles)
        .map(([pair, rate]) => `${pair}: ${digits(rate)}`)
        .join(', ')} |`,
  );
  return [
    'Entries, GFLOP/s of one thread (2n flops an entry; closed forms and Gram vectors do fewer, so tiles may ' +
      'exceed dgemm): 300 × 64 entries anywhere, and tiles of one unit against another by layers.',
    '',
    '| | dgemm | anywhere | tiles |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Sampled entries, rms and largest error relative to √(G_aa G_bb), where the bound on the rms is in ' +
      'parentheses (one hidden layer under squared errors: probabilities proportional to the terms themselves, no ' +
      'error but rounding):',
    '',
    ...results.map(
      ({ table, sampledEntries: { bound, draws, entries: count, rootMeanSquare, largest } }) =>
        `- ${table.network}, ${table.activation}: ${power(rootMeanSquare)} (${bound}), largest ` +
        `${power(largest)}; ${count} entries, ${draws} draws each`,
    ),
  ].join('\n');
}

/** Puts the tables between their markers in docs/benchmarks.md. */
export function writeHessianTables(results: readonly HessianResult[]): void {
  if (results.length === 0) return;
  const { blas, workers, gflops } = results[0].table;
  replaceSection(
    'hessian',
    [
      `${blas}; ${workers} workers; dgemm ${digits(gflops.dgemm)} GFLOP/s. %K: bytes of everything stored. In ` +
        'parentheses the published figure at about the same share. Product with one vector.',
      '',
      ...results.map(section),
      entries(results),
    ].join('\n'),
  );
}

remakeSection(import.meta.url, 'hessian', writeHessianTables);
