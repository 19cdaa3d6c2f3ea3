/**
 * A solve for people, made from its record alone.
 */
import type { SolveRecord } from '../experiment/solve-run.js';
import { inBytes, inDigits, inPowers, inSeconds } from '../core/number-text.js';
import { inputLine, table } from './tables.js';

/** The printed report; `portable` adds that a system library would be faster. */
export function solveReport(record: SolveRecord, portable: boolean): string {
  const {
    shift,
    norm,
    direct,
    preconditioner,
    outcome,
    iterations,
    products,
    seconds,
    memory,
    vectors,
    seed,
    workers,
    matrix,
    residualOf,
    rightHandSide = 'seeded',
    quadratic = [],
  } = record;
  const details = Object.entries(preconditioner.details)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? inDigits(value) : value}`)
    .join(', ');
  const relative =
    norm === null ? '' : ` = ${(norm === 0 ? 0 : shift / norm).toPrecision(3)}·‖A‖, ‖A‖ = ${norm.toPrecision(4)}`;
  const system =
    matrix === 'exact'
      ? '(A + λI) x = b'
      : residualOf === 'compressed'
        ? '(K̃ + λI) x = b, K̃ the compressed matrix'
        : `(Ã + λI) x = b, Ã the matrix compressed as ${matrix}`;
  return [
    inputLine(record.input),
    `${system}: λ = ${shift.toPrecision(4)}${relative}; ${vectors} right-hand side${vectors === 1 ? '' : 's'}, ` +
      `${rightHandSide === 'seeded' ? `seed ${seed}` : rightHandSide}, ${workers} worker${workers === 1 ? '' : 's'}`,
    `${direct ? 'factored as' : 'preconditioner'} ${preconditioner.name}${details === '' ? '' : ` (${details})`}. ` +
      record.reason,
    (direct && iterations === 0
      ? 'solved directly: '
      : `${outcome} after ${iterations} iteration${iterations === 1 ? '' : 's'} (${products} products): `) +
      residuals(record),
    ...(quadratic.length === 0 ? [] : [`bᵀx = ${quadratic.map((value) => value.toPrecision(10)).join(', ')}`]),
    table(
      ['phase', 'seconds'],
      [
        ...(seconds.load > 0 ? [['loading', inSeconds(seconds.load)]] : []),
        ['operator', inSeconds(seconds.operator)],
        ['choosing', inSeconds(seconds.choose)],
        ['compression', inSeconds(seconds.compress)],
        ['factorization', inSeconds(seconds.factor)],
        ['solve', inSeconds(seconds.solve)],
      ],
    ),
    `memory: ${direct ? 'factors' : 'preconditioner'} ${inBytes(memory.preconditioner)}, ` +
      `vectors ${inBytes(memory.workspace)}, ` +
      `the process at its peak ${inBytes(memory.peakBytes)}`,
    `BLAS: ${record.blas}`,
    ...(portable ? ['No system BLAS is in use: see hmatrix doctor.'] : []),
  ].join('\n');
}

/** The residuals, told apart by their matrices, and what they say of the tolerance. */
function residuals({
  residual,
  residualRows,
  residualLow,
  residualHigh,
  compressedResidual,
  tolerance,
  toleranceFrom,
  decision,
  vectors,
  input,
  residualOf,
}: SolveRecord): string {
  const of = vectors === 1 ? '' : ` of ${vectors} right-hand sides, the largest`;
  const asked =
    `${toleranceFrom === 'float32' ? `float32 allows: ${inPowers(tolerance)}` : `asked: ${inDigits(tolerance)}`}, ` +
    `${decision === 'missed' ? 'MISSED' : decision}`;
  const whose = residualOf === 'compressed' ? ' of the compressed matrix K̃' : '';
  if (compressedResidual === null) return `true relative residual${of}${whose} = ${inPowers(residual)}; ${asked}`;
  const rows =
    residualRows === input.size
      ? ''
      : `, from ${residualRows} rows, 95 % interval ${inPowers(residualLow)} to ` +
        `${residualHigh === null ? '∞' : inPowers(residualHigh)}`;
  return (
    `relative residual${of} with the compressed Ã = ${inPowers(compressedResidual)}, with the matrix A itself = ` +
    `${inPowers(residual)}${rows}; ${asked}`
  );
}
