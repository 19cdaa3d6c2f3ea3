/**
 * A factorization for people, made from its record alone.
 */
import type { FactorRecord } from '../experiment/factor-run.js';
import { inBytes, inDigits, inPowers, inSeconds } from './numbers.js';
import { errorLine, inputLine, optionsLine, table } from './tables.js';

/** The printed report; `portable` adds that a system library would be faster. */
export function factorReport(record: FactorRecord, portable: boolean): string {
  const { input, options, seed, workers, shift, logdet, error, residual, seconds, memory } = record;
  const rows = (
    [
      ['loading', seconds.load],
      ['compression', seconds.compress],
      ['measuring its error', seconds.error],
      ['factorization', seconds.factor],
      ['solve', seconds.solve],
    ] as const
  ).filter(([, value]) => value > 0);
  return [
    inputLine(input),
    ...(input.kind === 'file' ? [] : [optionsLine({ options, seed, workers })]),
    ...(error === null ? [] : [errorLine({ error })]),
    `log det(K̃ + λI) = ${logdet.toPrecision(6)}, K̃ the compressed matrix, λ = ${inDigits(shift)}`,
    ...(residual === null
      ? []
      : [`relative residual ‖b − (K̃ + λI)x‖/‖b‖ of a solve with a random b, seed ${seed}: ${inPowers(residual)}`]),
    table(
      ['phase', 'seconds'],
      rows.map(([name, value]) => [name, inSeconds(value)]),
    ),
    `memory: compressed matrix ${inBytes(memory.matrix)}, factors ${inBytes(memory.factors)}, the process at its ` +
      `peak ${inBytes(memory.peakBytes)}`,
    `BLAS: ${record.blas}`,
    ...(portable ? ['No system BLAS is in use: see hmatrix doctor.'] : []),
  ].join('\n');
}
