/**
 * Draws of parameters for people, made from their record alone.
 */
import { grouped, inBytes, inDigits, inPowers, inSeconds } from '../core/number-text.js';
import type { SampleRecord } from '../experiment/sample-run.js';
import { inputLine, table } from './tables.js';

/** The printed report; `portable` adds that a system library would be faster. */
export function sampleReport(record: SampleRecord, portable: boolean): string {
  const { input, count, samples, shift, share, residual, logdet, method, seconds, memory } = record;
  return [
    inputLine(input),
    `${grouped(count)} draw${count === 1 ? '' : 's'} of N(θ̂, (G + λI)⁻¹/n), n = ${grouped(samples)}, ` +
      `λ = ${inDigits(shift)}, seed ${record.seed}`,
    `${method === 'dense' ? 'G itself' : 'G̃, of the Kronecker eigenbasis,'} takes ${inBytes(memory.matrix)}, ` +
      `${(100 * share).toPrecision(3)} % of the dense matrix; ` +
      `‖b − (G + λI)(G̃ + λI)⁻¹b‖/‖b‖ of a random b: ${inPowers(residual)}`,
    `log det(G̃ + λI) = ${logdet.toPrecision(6)}`,
    table(
      ['phase', 'seconds'],
      (['compress', 'factor', 'sample'] as const).map((phase) => [phase, inSeconds(seconds[phase])]),
    ),
    `memory: factors ${inBytes(memory.factors)}, the process at its peak ${inBytes(memory.peakBytes)}`,
    `BLAS: ${record.blas}`,
    ...(portable ? ['No system BLAS is in use: see hmatrix doctor.'] : []),
  ].join('\n');
}
