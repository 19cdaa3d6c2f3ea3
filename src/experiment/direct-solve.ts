/**
 * Solving with a hierarchical matrix by its own factorization: a direct solve whose residual is measured.
 */
import { factor } from '../hierarchical/factor/factor.js';
import { FORMAT_TABLE } from '../hierarchical/matrix/format.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { Matrix } from '../dense/matrix.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { SolveOptions, SolveResult } from '../solve/options.js';
import { solveSystem } from '../solve/solve.js';
import { checkSystem, shiftOf } from '../solve/system.js';

/** The options of a direct solve: nothing is to be chosen, and nothing to be guessed. */
export type DirectOptions = Omit<SolveOptions, 'preconditioner' | 'making' | 'source' | 'model' | 'guess' | 'out'>;

/** Whether `solveDirectly` takes the matrix. */
export const isDirect = ({ data: { format } }: HierarchicalMatrix): boolean => !FORMAT_TABLE[format].nearBlocks;

/**
 * X = (K̃ + λI)⁻¹·B of a matrix of format 'hss' or 'hodlr', N × p from N × p: K̃ + λI is factored, X solved for, and
 * its residual measured by a product with K̃. Where that exceeds the tolerance (float32, condition numbers beyond 10⁸),
 * conjugate gradients refine X with the factorization as preconditioner; else `iterations` is 0. Cost: a factorization,
 * p solves and p products; of `made`, a factorization of the matrix that is there already, with its own λ, none is
 * computed. It is released at the end. Throws ShapeError, OptionError, NonFiniteError; NotPositiveDefiniteError with
 * the smallest shift that works; MemoryError, AbortedError.
 */
export async function solveDirectly(
  matrix: HierarchicalMatrix,
  b: Matrix,
  options: DirectOptions,
  control: TeamControl,
  made?: Factorization,
): Promise<SolveResult> {
  checkSystem(matrix, b, options);
  const began = performance.now();
  const { shift, norm } = made === undefined ? await shiftOf(matrix, options, control) : { shift: made.shift };
  const chosen = performance.now();
  const factorization = made ?? (await factor(matrix, { shift, memoryLimit: options.memoryLimit }, control));
  try {
    const factored = performance.now();
    const guess = factorization.solve(b);
    const direct = (performance.now() - factored) / 1000;
    const given = { ...options, shift, shiftRelative: undefined, preconditioner: factorization, guess };
    const solved = await solveSystem(matrix, b, given, control);
    const { iterations, choice, reason } = solved;
    const { format, leafSize, tolerance } = matrix.report;
    const factors = made === undefined ? 'it is factored itself' : 'its factorization was saved';
    const how = `The matrix is of format ${format}: ${factors}, and x is the direct solution`;
    const steps = `${iterations} iteration${iterations === 1 ? '' : 's'} of conjugate gradients`;
    const told = iterations === 0 ? `${how}.` : `${how}, refined by ${steps}.`;
    const rank = Math.max(0, ...matrix.ranks().map(({ max }) => max));
    return {
      ...solved,
      norm,
      preconditioner: {
        name: format as 'hss' | 'hodlr',
        bytes: factorization.bytes,
        details: { leafSize, tolerance, rank, from: 'itself' },
      },
      seconds: {
        choose: (chosen - began) / 1000,
        compress: 0,
        factor: (factored - chosen) / 1000,
        solve: direct + solved.seconds.solve,
      },
      memory: { ...solved.memory, preconditioner: factorization.bytes },
      choice: told,
      reason: reason.replace(choice, told),
    };
  } finally {
    factorization.release();
  }
}
