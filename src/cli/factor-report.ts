/**
 * A factorization for people, made from its record alone.
 */
import type { ExactLogDeterminant, FactorRecord } from '../experiment/factor-run.js';
import { inBytes, inDigits, inPowers, inSeconds } from '../core/number-text.js';
import { errorLine, inputLine, optionsLine, table } from './tables.js';

/** The printed report; `portable` adds that a system library would be faster. */
export function factorReport(record: FactorRecord, portable: boolean): string {
  const { input, options, seed, workers, shift, logdet, exact, error, residual, seconds, memory } = record;
  const rows = (
    [
      ['loading', seconds.load],
      ['compression', seconds.compress],
      ['measuring its error', seconds.error],
      ['factorization', seconds.factor],
      ['solve', seconds.solve],
      ['log det of the matrix', seconds.exact],
    ] as const
  ).filter(([, value]) => value > 0);
  return [
    inputLine(input),
    ...(input.kind === 'file' ? [] : [optionsLine({ options, seed, workers })]),
    ...(error === null ? [] : [errorLine({ error })]),
    `log det(K̃ + λI) = ${logdet.toPrecision(6)}, K̃ the compressed matrix, λ = ${inDigits(shift)}`,
    ...(exact === null ? [] : [exactLine(exact, shift)]),
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

/** The log determinant of the matrix itself. */
function exactLine({ outcome, value, lower, upper, exact, probes }: ExactLogDeterminant, shift: number): string {
  const of = `A the matrix itself, λ = ${inDigits(shift)}`;
  if (outcome === 'indefinite') return `log det(A + λI) has no value: A + λI is not positive definite, ${of}`;
  if (value === null) return `log det(A + λI) is not finite, ${of}`;
  if (exact) return `log det(A + λI) = ${value.toPrecision(8)}, ${of}, by a dense factorization`;
  const interval =
    lower === null || upper === null
      ? 'of unknown accuracy: compress to a smaller tolerance'
      : `95 % interval ${lower.toPrecision(8)} to ${upper.toPrecision(8)}`;
  return `log det(A + λI) = ${value.toPrecision(8)}, ${interval} (${probes} probes, preconditioned by K̃ + λI), ${of}`;
}
