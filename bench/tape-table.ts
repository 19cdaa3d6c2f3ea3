/**
 * The table of passes of networks of layers in docs/benchmarks.md, made from bench/results/tape.json alone: `node
 * dist/bench/tape-table.js` writes it again.
 */
import { digits } from './labels.js';
import { remakeSection, replaceSection } from './section.js';
import type { Pass, TapeResult } from './tape.js';
import { TAPE_CASES } from './tape-cases.js';

const passText = ({ seconds, gflops, share }: Pass): string =>
  `${digits(1e3 * seconds, 3)} (${digits(gflops, 2)}, ${digits(100 * share, 2)} %)`;

function line({ name, parameters, gradient, tangent, gaussNewton, closed }: TapeResult): string {
  return `| ${[
    name.replace('tape, ', ''),
    parameters.toLocaleString('en-US'),
    passText(gradient),
    passText(tangent),
    passText(gaussNewton),
    digits(gaussNewton.seconds / gradient.seconds, 3),
    closed === null ? '' : `${digits(closed.gradient, 3)} / ${digits(closed.gaussNewton, 3)}`,
  ].join(' | ')} |`;
}

export function makeTapeTable(results: readonly TapeResult[]): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const measured = TAPE_CASES.flatMap(({ name }) => byName.get(name) ?? []);
  return [
    `${measured[0].blas}; one thread; processor milliseconds (GFLOP/s, share of gemm's rate in the same run).`,
    '',
    '| network | parameters | gradient | J·v | Gauss–Newton product | product / gradient | closed forms: gradient / ' +
      'product |',
    '|---|---|---|---|---|---|---|',
    ...measured.map(line),
  ].join('\n');
}

export function writeTapeTable(results: readonly TapeResult[]): void {
  replaceSection('tape', makeTapeTable(results));
}

remakeSection(import.meta.url, 'tape', writeTapeTable);
