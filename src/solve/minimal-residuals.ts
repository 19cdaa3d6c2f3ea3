/**
 * Solves by minimal residuals: systems of which nobody says that they are positive definite.
 */
import { minresSolver } from '../krylov/minres.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Candidate } from './candidates.js';
import { asOne, solveColumns } from './columnwise.js';
import type { Asked, Finished } from './legs.js';

/**
 * MINRES (krylov/minres.ts), column by column, with this preconditioner. Throws what making it throws, and
 * AbortedError before the iteration begins.
 */
export async function runMinimalResiduals(
  candidate: Candidate,
  system: LinearOperator,
  { b, out, tolerance, roundoff, maxIterations, guess }: Asked,
  { signal, onProgress }: TeamControl,
): Promise<Finished> {
  const used = await candidate.make();
  const release = (): void => {
    if (candidate.given !== true) used.release();
  };
  try {
    const began = performance.now();
    const solver = minresSolver(system, { preconditioner: used.operator });
    const asked = { relativeTolerance: tolerance, roundoff, keep: 'best', maxIterations, guess } as const;
    const solution = asOne(await solveColumns(solver, b, out, { ...asked, signal, onProgress }));
    const seconds = { choose: 0, ...used.seconds, solve: (performance.now() - began) / 1000 };
    return { solution, used, seconds, workspaceBytes: solver.workspaceBytes, told: [], release };
  } catch (error) {
    release();
    throw error;
  }
}
