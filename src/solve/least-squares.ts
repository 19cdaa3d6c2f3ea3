/**
 * What is left to do of a system that turned out singular: the least-squares solution by MINRES.
 * Conjugate gradients end at a direction without curvature. The residuals of MINRES (krylov/minres.ts) never grow, and
 * of a singular A they converge to those of a solution where B lies in the range of A, else to the least there are.
 */
import { copyInto, zeros } from '../dense/matrix.js';
import type { BlockSolution } from '../krylov/block-solution.js';
import { minresSolver } from '../krylov/minres.js';
import type { Solution } from '../krylov/solution.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { solveColumns } from './columnwise.js';
import type { Asked } from './legs.js';
import { precisionOf } from './precision.js';

/** A residual that stagnates above it is not at the level of rounding. */
const LEAST_STAGNATION = 1e-7;
/** Nor is one above so many times the rounding of products. */
const ROUNDOFFS = 1e4;
/** Steps of MINRES: as many times those that were made, and at least so many. */
const AGAIN = 4;
const LEAST_STEPS = 1000;

/** What came of it. */
interface Mended {
  readonly solution: Solution | BlockSolution;
  /** Whether X minimises the residuals of an inconsistent system. */
  readonly leastSquares: boolean;
  /** What is to be said; empty where nothing was gained. */
  readonly told: readonly string[];
}

/** Whether the iteration may have ended because A is singular. */
const mayBeSingular = ({ outcome, unrounded }: Solution | BlockSolution, roundoff: number): boolean =>
  outcome === 'singular' || (outcome === 'stagnated' && unrounded > Math.max(LEAST_STAGNATION, ROUNDOFFS * roundoff));

/**
 * A solution that ended as singular, or stagnated far above rounding, tried again by MINRES from zero (or the guess),
 * without a preconditioner, so that it is the residual's 2-norm that becomes least. `out` holds X, and is replaced
 * where the largest residual becomes smaller. The outcome becomes 'converged' where that is met, else
 * 'singular' where X minimises the residuals.
 */
export async function mendSingular(
  solution: Solution | BlockSolution,
  system: LinearOperator,
  { b, out, tolerance, roundoff, guess, maxIterations }: Asked,
  control: TeamControl,
): Promise<Mended> {
  const nothing = { solution, leastSquares: false, told: [] };
  if (!mayBeSingular(solution, roundoff) || !(solution.residual > tolerance)) return nothing;
  const { signal, onProgress } = control;
  const x = zeros(out.rows, out.cols, precisionOf(out));
  const steps = Math.max(LEAST_STEPS, AGAIN * solution.iterations);
  const found = await solveColumns(minresSolver(system), b, x, {
    relativeTolerance: tolerance,
    roundoff,
    keep: 'best',
    maxIterations: Math.min(steps, Math.max(0, (maxIterations ?? Infinity) - solution.iterations)),
    signal,
    onProgress,
    guess,
  });
  const { columns, numbers } = found;
  const products = solution.products + numbers.products;
  const iterations = solution.iterations + numbers.iterations;
  const ended = columns.every(({ outcome }) => outcome === 'converged' || outcome === 'leastSquares');
  if (!(numbers.residual < solution.residual || (ended && numbers.residual === solution.residual)))
    return { ...nothing, solution: { ...solution, products, iterations } };
  copyInto(out, x);
  const history = Float64Array.from([...solution.history, numbers.residual]);
  const of = { ...numbers, x: out, products, iterations, history };
  const by = `by minimal residuals, ${numbers.iterations} iteration${numbers.iterations === 1 ? '' : 's'}`;
  if (columns.every(({ outcome }) => outcome === 'converged'))
    return {
      solution: { ...of, outcome: 'converged' },
      leastSquares: false,
      told: [`A + λI is singular or nearly so, and x is a solution ${by}.`],
    };
  if (!ended)
    return { solution: { ...solution, ...of }, leastSquares: false, told: [`x of less residual is found ${by}.`] };
  const { curvature, curvatureBound, direction } =
    solution.outcome === 'singular' ? solution : { curvature: 0, curvatureBound: 0, direction: x };
  return {
    solution: { ...of, outcome: 'singular', curvature, curvatureBound, direction },
    leastSquares: true,
    told: [`A + λI is singular, and x is the least-squares solution ${by}.`],
  };
}
