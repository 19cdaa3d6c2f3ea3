/**
 * Why a solve missed its tolerance, and what to do.
 * The facts and the words are kept apart: the library names its options, the command its flags.
 */
import type { Solution } from '../krylov/solution.js';

/** A solve that missed its tolerance. */
export interface Shortfall {
  readonly outcome: Exclude<Solution['outcome'], 'converged'>;
  readonly iterations: number;
  readonly residual: number;
  readonly tolerance: number;
  /** Of 'indefinite' and 'singular': pᵀ(A + λI)p/pᵀp. */
  readonly curvature?: number | undefined;
  /** Of 'singular': whether x minimises the residuals. */
  readonly leastSquares?: boolean | undefined;
  /** Of 'stagnated': what rounds, ‖A + λI‖‖x‖/‖b‖, and the relative residual that this allows, about. */
  readonly rounding?:
    { readonly of: 'x' | 'products' | 'float64'; readonly condition: number; readonly level: number } | undefined;
}

/** What can be done about it, in the words of whoever asked; each begins a sentence or follows a colon. */
export interface Advice {
  readonly shift: string;
  readonly iterations: string;
  readonly indefinite: string;
  readonly singular: string;
  readonly preconditioner: string;
  readonly doubleSolution: string;
  readonly doubleProducts: string;
}

/** What to do, in the names of the library's options and functions. */
export const LIBRARY_ADVICE: Advice = {
  shift: 'take a larger shift',
  iterations: 'allow more (maxIterations), take a larger shift, or a better preconditioner',
  indefinite: "take a larger shift, or method: 'minres'",
  singular: 'take a shift above 0',
  preconditioner: 'choose another preconditioner, or use flexibleConjugateGradients',
  doubleSolution: 'pass out, or b, in float64',
  doubleProducts: 'give the matrix, or the parameters and the data of the network, in float64',
};

/** A residual so many times what rounding explains is not explained by it. */
const EXPLAINED = 16;

/** One or two sentences. */
export function tellShortfall(
  { outcome, iterations, residual, tolerance, curvature, leastSquares, rounding }: Shortfall,
  advice: Advice,
): string {
  const reached = `the true residual is ${residual.toExponential(2)}, asked ${tolerance}`;
  const steps = `${iterations} iteration${iterations === 1 ? '' : 's'}`;
  switch (outcome) {
    case 'maxIterations':
      return `After ${steps} ${reached}: ${advice.iterations}.`;
    case 'stagnated':
      return `The residual no longer falls after ${steps}; ${reached}: ${stagnation(residual, rounding, advice)}.`;
    case 'indefinite':
      return (
        'A + λI is not positive definite: a direction p has pᵀ(A + λI)p/pᵀp = ' +
        `${(curvature ?? Number.NaN).toExponential(2)}; ${reached}: ${advice.indefinite}.`
      );
    case 'singular': {
      const advised =
        leastSquares === true ? `x minimises it; where a solution is wanted, ${advice.singular}` : advice.singular;
      return (
        'A + λI is singular to working precision (a direction p has pᵀ(A + λI)p/pᵀp = ' +
        `${(curvature ?? Number.NaN).toExponential(2)}, which is rounding), and b has a part outside its range; ` +
        `${reached}: ${advised}.`
      );
    }
    case 'indefinitePreconditioner':
      return `The preconditioner is not positive definite; ${reached}: ${advice.preconditioner}.`;
    case 'asymmetricPreconditioner':
      return (
        `The preconditioner is not symmetric to working precision (is it of float32?); ${reached}: ` +
        `${advice.preconditioner}.`
      );
    case 'nonFinite':
      return `A product was NaN or infinite after ${steps}; ${reached}.`;
    case 'aborted':
      return `Interrupted after ${steps}; ${reached}.`;
    case 'leastSquares':
      return `A + λI is singular, and x minimises the residual; ${reached}.`;
  }
}

function stagnation(
  residual: number,
  rounding: Shortfall['rounding'],
  { shift, doubleSolution, doubleProducts }: Advice,
): string {
  if (rounding === undefined) return `that lies below what rounding allows: ${shift}`;
  const { of, condition, level } = rounding;
  const at = `at ‖A + λI‖‖x‖/‖b‖ = ${condition.toPrecision(2)}`;
  if (!(residual <= EXPLAINED * level)) {
    return (
      `which rounding does not explain (about ${level.toExponential(0)}): A + λI is too ill-conditioned for this ` +
      'preconditioner, not quite positive definite, or its products are less accurate than ' +
      `${of === 'products' ? 'float32' : 'float64'}; ${shift}, or a better preconditioner`
    );
  }
  switch (of) {
    case 'x':
      return `x is of float32, which holds a residual of about ${level.toExponential(0)} ${at}: ${doubleSolution}`;
    case 'products':
      return `products with A are of float32, which allows about ${level.toExponential(0)} ${at}: ${doubleProducts}`;
    case 'float64':
      return `that lies below what rounding in float64 allows, about ${level.toExponential(0)} ${at}: ${shift}`;
  }
}
