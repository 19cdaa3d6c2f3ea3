/**
 * Newton's method by products: (C + λI)d = −g by conjugate gradients, C the Hessian (B. Pearlmutter, Neural Computation
 * 6(1), 1994) or the Gauss–Newton matrix; or within a trust radius by one Lanczos basis.
 */
import { requireName } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Optimizer } from '../optimizer.js';
import { byLanczos, cgSolver, lanczosSolver } from '../newton/cg-solver.js';
import { composeNewton, SEARCH_KEYS, type SearchOptions } from '../newton/compose.js';
import { requireCount, requireNumber } from '../newton/option-checks.js';
import type { NewtonCurvature } from '../newton/newton-objective.js';

/** Options of {@link newtonCg} and {@link gaussNewtonCg}. */
export interface NewtonCgOptions extends SearchOptions {
  /** Most iterations of conjugate gradients in a direction. Default 20. */
  readonly iterations?: number | undefined;
  /** ‖(C + λI)d + g‖/‖g‖ at which they stop. Default 1e-5. */
  readonly tolerance?: number | undefined;
}
/** The keys of {@link NewtonCgOptions}. */
export const NEWTON_CG_KEYS: KeysOf<NewtonCgOptions> = { ...SEARCH_KEYS, iterations: 'number', tolerance: 'number' };

function byConjugateGradients(
  options: NewtonCgOptions,
  name: string,
  curvature: NewtonCurvature,
  defaults: { readonly search: 'armijo' | 'ratio'; readonly damping: number; readonly leastDamping: number },
): Optimizer {
  const { iterations = 20, tolerance = 1e-5, ...search } = requireKnownOptions(options, NEWTON_CG_KEYS, name);
  requireCount(iterations, 'iterations', name);
  requireNumber(tolerance, 'tolerance', name, { closed: true, most: 1 });
  return composeNewton(search, {
    name,
    curvature,
    batchSize: 512,
    defaults,
    settings: { iterations, tolerance },
    solver: () => cgSolver({ curvature, iterations, tolerance }),
  });
}

/**
 * Newton's method with the exact Hessian, H + λI, by default λ = 1 and Armijo's search; 'radius' is Steihaug's. On a
 * batch of some hundred samples a smaller λ makes steps that lower f of the batch and raise that of the data. Where a
 * direction has negative curvature CG goes along it as far as its amount says, and ends; the report has the
 * curvature. Throws OptionError.
 */
export const newtonCg = (options: NewtonCgOptions = {}): Optimizer =>
  byConjugateGradients(options, 'newton-cg', 'hessian', { search: 'armijo', damping: 1, leastDamping: 0.3 });

/**
 * The same with the Gauss–Newton matrix, which is never indefinite; by default λ follows the ratio from 1 on, down to
 * 0.3: the ratio on a batch's own f, which its step was made for, asks for less and less. Throws OptionError.
 */
export const gaussNewtonCg = (options: NewtonCgOptions = {}): Optimizer =>
  byConjugateGradients(options, 'gauss-newton-cg', 'gauss-newton', { search: 'ratio', damping: 1, leastDamping: 0.3 });

/** Options of {@link newtonLanczos}. */
export interface NewtonLanczosOptions extends SearchOptions {
  /** 'hessian' or 'gauss-newton'. Default 'hessian'. */
  readonly curvature?: NewtonCurvature | undefined;
  /** Most vectors of the basis, which lie in memory. Default 30. */
  readonly iterations?: number | undefined;
  /** Relative residual of the undamped step at which the basis is large enough. Default 1e-3. */
  readonly tolerance?: number | undefined;
}
/** The keys of {@link NewtonLanczosOptions}. */
export const NEWTON_LANCZOS_KEYS: KeysOf<NewtonLanczosOptions> = {
  ...SEARCH_KEYS,
  curvature: true,
  iterations: 'number',
  tolerance: 'number',
};

/**
 * A trust region over one Krylov basis a step: every radius that is tried costs one evaluation of f, no products, and
 * negative curvature in the basis is used. With 'ratio' the same for dampings. Throws OptionError.
 */
export function newtonLanczos(options: NewtonLanczosOptions = {}): Optimizer {
  const name = 'newton-lanczos';
  const {
    curvature = 'hessian',
    iterations = 30,
    tolerance = 1e-3,
    ...search
  } = requireKnownOptions(options, NEWTON_LANCZOS_KEYS, name);
  requireName(curvature, 'curvature', name, ['hessian', 'gauss-newton']);
  requireCount(iterations, 'iterations', name);
  requireNumber(tolerance, 'tolerance', name, { closed: true, most: 1 });
  return composeNewton(search, {
    name,
    curvature,
    batchSize: 'all',
    defaults: { search: 'radius', damping: 1 },
    settings: { curvature, iterations, tolerance },
    solver: () => lanczosSolver({ curvature, iterations, tolerance }),
    there: {
      apart: undefined,
      begin: (objective, own) => byLanczos(own, objective.options.blas, { curvature, iterations, tolerance }),
    },
  });
}
