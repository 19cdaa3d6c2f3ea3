/**
 * Newton's method with the whole matrix, for small networks: plain, damped.
 */
import { requireName } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Optimizer } from '../optimizer.js';
import { composeNewton, SEARCH_KEYS, type SearchOptions } from '../newton/compose.js';
import { denseSolver, type NegativeEigenvalues } from '../newton/dense-solver.js';
import { requireCount } from '../newton/option-checks.js';
import { denseThere } from './dense-on-device.js';
import type { NewtonCurvature } from '../newton/newton-objective.js';

/** Most parameters of a dense matrix where the caller doesn't say: 0.5 GB. */
const MOST_PARAMETERS = 8000;

/** Options of {@link newton}. */
export interface NewtonOptions {
  /** α. Default 1. */
  readonly learningRate?: number | undefined;
  /** Most parameters; the matrix takes 8N² bytes, a step N products. Default 8000. */
  readonly mostParameters?: number | undefined;
}
/** The keys of {@link NewtonOptions}. */
export const NEWTON_KEYS: KeysOf<NewtonOptions> = { learningRate: 'number', mostParameters: 'number' };

/**
 * Plain Newton: θ ← θ − αH⁺g, H⁺ without the eigenvalues that are zero to rounding, negative ones as they are. It
 * goes to saddle points as well as to minima, and far where the curvature is small: `dampedNewton` is for training.
 * Throws OptionError.
 */
export function newton(options: NewtonOptions = {}): Optimizer {
  const { learningRate = 1, mostParameters = MOST_PARAMETERS } = requireKnownOptions(options, NEWTON_KEYS, 'newton');
  return dense({ search: 'fixed', damping: 0, learningRate }, 'newton', {
    curvature: 'hessian',
    eigenvalues: 'signed',
    mostParameters,
  });
}

/** Options of {@link dampedNewton}. */
export interface DampedNewtonOptions extends SearchOptions {
  /** 'hessian' or 'gauss-newton'. Default 'hessian'. */
  readonly curvature?: NewtonCurvature | undefined;
  /** Where H + λI has negative eigenvalues: 'absolute' takes |θ| + λ, 'signed' θ + λ. Default 'absolute'. */
  readonly eigenvalues?: NegativeEigenvalues | undefined;
  /** Most parameters; the matrix takes 8N² bytes, a step N products. Default 8000. */
  readonly mostParameters?: number | undefined;
}
/** The keys of {@link DampedNewtonOptions}. */
export const DAMPED_NEWTON_KEYS: KeysOf<DampedNewtonOptions> = {
  ...SEARCH_KEYS,
  curvature: true,
  eigenvalues: true,
  mostParameters: 'number',
};

/**
 * (H + λI)d = −g by Cholesky, by all eigenpairs where H + λI is indefinite, which the report then says. By default λ
 * follows the ratio from 1 on. Throws OptionError.
 */
export function dampedNewton(options: DampedNewtonOptions = {}): Optimizer {
  const name = 'damped-newton';
  const {
    curvature = 'hessian',
    eigenvalues = 'absolute',
    mostParameters = MOST_PARAMETERS,
    ...search
  } = requireKnownOptions(options, DAMPED_NEWTON_KEYS, name);
  requireName(curvature, 'curvature', name, ['hessian', 'gauss-newton']);
  requireName(eigenvalues, 'eigenvalues', name, ['absolute', 'signed']);
  return dense(search, name, { curvature, eigenvalues, mostParameters });
}

function dense(
  search: SearchOptions,
  name: string,
  {
    curvature,
    eigenvalues,
    mostParameters,
  }: { curvature: NewtonCurvature; eigenvalues: NegativeEigenvalues; mostParameters: number },
): Optimizer {
  requireCount(mostParameters, 'mostParameters', name);
  return composeNewton(search, {
    name,
    curvature,
    batchSize: 'all',
    defaults: { search: 'ratio', damping: 1 },
    searches: ['fixed', 'armijo', 'wolfe', 'ratio'],
    settings: { curvature, eigenvalues, mostParameters },
    solver: () => denseSolver({ curvature, eigenvalues, most: mostParameters }),
    there: denseThere({ curvature, eigenvalues }),
  });
}
