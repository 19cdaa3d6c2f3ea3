/**
 * Eigenvalues for people, made from their record alone.
 */
import type { EigsRecord } from '../experiment/eigs-run.js';
import { inBytes, inPowers, inSeconds } from '../core/number-text.js';
import { inputLine, table } from './tables.js';

const METHODS: Readonly<Record<EigsRecord['method'], string>> = {
  dense: 'decomposing the matrix whole',
  krylov: 'a block Krylov space',
  dual: 'the dual form of the network',
};

/** The printed report; `portable` adds that a system library would be faster. */
export function eigsReport(record: EigsRecord, portable: boolean): string {
  const { input, valuesOf, which, values, residuals, outcome, method, products, tolerance, seconds, memory } = record;
  const end = which === 'magnitude' ? 'of largest size' : which;
  const of = valuesOf === 'compressed' ? 'K̃, the compressed matrix' : 'A';
  const how = `${outcome} by ${METHODS[method]}, ${products} products`;
  return [
    inputLine(input),
    `eigenvalues of ${of}, ${end}, to ${inPowers(tolerance)}·‖A‖: ${how}`,
    table(
      ['', 'eigenvalue', '± residual'],
      values.map((value, i) => [String(i + 1), value.toPrecision(6), inPowers(residuals[i])]),
    ),
    `operator ${inSeconds(seconds.operator)} s, eigenvalues ${inSeconds(seconds.eigenvalues)} s, the process at its ` +
      `peak ${inBytes(memory.peakBytes)}`,
    `BLAS: ${record.blas}`,
    ...(portable ? ['No system BLAS is in use: see hmatrix doctor.'] : []),
  ].join('\n');
}
