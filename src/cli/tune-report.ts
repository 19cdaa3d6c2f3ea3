/**
 * Chosen options for people, made from their record alone.
 */
import type { TuneRecord } from '../experiment/tune-run.js';
import { chosenSentences } from '../hierarchical/matrix/chosen-options.js';
import { inBytes, inDigits, inSeconds } from '../core/number-text.js';
import { inputLine, table } from './tables.js';

/** The printed report; `portable` adds that a system library would be faster. */
export function tuneReport(record: TuneRecord, portable: boolean): string {
  const { input, format, tolerance, dtype, chosen, seconds, seed } = record;
  const { leafSize, maxRank, objective, measured, tried } = chosen;
  const fastest = Math.min(...tried.map(({ product }) => product));
  return [
    inputLine(input),
    `${format}, tolerance ${inDigits(tolerance)}, ${dtype}, seed ${seed}, for the least ${WHAT[objective]}`,
    table(
      ['indices of a node', 'mean rank'],
      measured.map(({ size, rank }) => [String(Math.round(size)), rank.toFixed(1)]),
    ),
    table(
      ['leaf size', 'largest rank', 'bytes', 'product', 'factorization', ''],
      tried.map((one) => [
        String(one.leafSize),
        String(one.rank),
        inBytes(one.bytes),
        `${(one.product / fastest).toFixed(2)} ×`,
        `${(one.factor / 1e9).toPrecision(3)} Gflop`,
        one.leafSize === leafSize ? 'chosen' : '',
      ]),
    ),
    `chosen: --leaf-size ${leafSize} --max-rank ${maxRank}`,
    ...chosenSentences(chosen),
    `in ${inSeconds(seconds.tune)} s`,
    `BLAS: ${record.blas}`,
    ...(portable ? ['No system BLAS is in use: see hmatrix doctor.'] : []),
  ].join('\n');
}

const WHAT: Readonly<Record<TuneRecord['chosen']['objective'], string>> = {
  memory: 'memory',
  product: 'time of products',
  solve: 'work of a factorization',
};
