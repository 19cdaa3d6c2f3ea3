/**
 * The system (A + λI) X = B as it is asked for: what of it is wrong, and its λ.
 */
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { checkView, type Matrix } from '../dense/matrix.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { SolveOptions } from './options.js';
import { requireShift } from './preconditioners/make.js';

const NORM = { tolerance: 1e-3, maxIterations: 100 } as const;

/** Returns N. Throws ShapeError, OptionError, NonFiniteError. */
export function checkSystem(
  operator: LinearOperator,
  b: Matrix,
  { shift, shiftRelative, tolerance, guess, out }: SolveOptions,
): number {
  const { rows, cols, symmetric } = operator;
  if (rows !== cols || rows === 0)
    throw new ShapeError(
      `Only square operators with at least one row can be solved with; this one is ${rows} × ${cols}.`,
      { rows, cols },
    );
  if (!symmetric)
    throw new OptionError('solve needs a symmetric operator; this one says that it is not.', { option: 'operator' });
  if (shift !== undefined && shiftRelative !== undefined)
    throw new OptionError('Give shift or shiftRelative, not both.', { option: 'shiftRelative' });
  if (shift !== undefined) requireShift(shift);
  if (shiftRelative !== undefined) requireShift(shiftRelative, 'shiftRelative');
  if (tolerance !== undefined && !(tolerance >= 0 && tolerance < 1))
    throw new OptionError(`tolerance must lie in [0, 1), not ${describe(tolerance)}.`, {
      option: 'tolerance',
      value: tolerance,
    });
  for (const [name, a] of [
    ['b', b],
    ['guess', guess],
    ['out', out],
  ] as const) {
    if (a === undefined) continue;
    checkView(a, name);
    if (a.rows !== rows || a.cols !== b.cols || a.cols === 0)
      throw new ShapeError(
        `${name} is ${a.rows} × ${a.cols}; right-hand sides of this operator are ${rows} × p with p ≥ 1, and ` +
          'solutions the same.',
        { rows: a.rows, cols: a.cols, expected: rows },
      );
  }
  for (let j = 0; j < b.cols; j++) {
    const column = b.offset + j * b.ld;
    for (let i = 0; i < rows; i++) {
      const value = b.data[column + i];
      if (!Number.isFinite(value))
        throw new NonFiniteError(`b holds ${value} in row ${i}, column ${j}.`, { row: i, column: j, value });
    }
  }
  return rows;
}

/** λ, with ‖A‖₂ where it is relative to that. Throws NonFiniteError where a product is not finite. */
export async function shiftOf(
  operator: LinearOperator,
  { shift, shiftRelative, seed = 0, memoryLimit }: SolveOptions,
  control: TeamControl,
): Promise<{ shift: number; norm?: number | undefined }> {
  if (shiftRelative === undefined) return { shift: shift ?? 0 };
  const { smallest, largest, outcome } = await extremeEigenvalues(
    operator,
    { ...NORM, blas: control.team.blas, seed, memoryLimit },
    control,
  );
  if (outcome === 'nonFinite')
    throw new NonFiniteError('A product with the operator is NaN or infinite: ‖A‖ has no value.', {});
  const norm = Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  return { shift: shiftRelative * norm, norm };
}
