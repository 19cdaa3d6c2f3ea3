/**
 * Solvers by products alone: conjugate gradients for a damping, Steihaug's for a radius, one Lanczos basis for both.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { conjugateGradients, type CgPlaces } from './conjugate-gradients.js';
import { LanczosBasis } from './lanczos-basis.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { NewtonCurvature, NewtonObjective } from './newton-objective.js';
import type { Solved, Solver, SolverPlan } from './solver.js';
import { steihaug } from './steihaug.js';
import { ready, type Steps } from './steps.js';
import type { Product, Space } from './vectors.js';

/** What ends an iteration. */
export interface CgSettings {
  readonly curvature: NewtonCurvature;
  readonly iterations: number;
  readonly tolerance: number;
}

const placesOf = (objective: Pick<NewtonObjective, 'vector'>): CgPlaces => {
  const r = objective.vector();
  return { r, p: objective.vector(), q: objective.vector(), z: r };
};

/** Conjugate gradients: (C + λI)d = −g, or Steihaug's within a radius. Four vectors. */
export const cgSolver = (settings: CgSettings): SolverPlan => ({
  spare: ({ parameters }) => 4 * vectorNumbers(parameters),
  begin: (objective) => byConjugateGradients(objective, settings),
  anywhere: (objective) => byConjugateGradients(objective, settings),
});

function byConjugateGradients<S extends Space>(
  objective: Pick<NewtonObjective<S>, 'vector'>,
  { curvature, iterations, tolerance }: CgSettings,
): Solver<S> {
  const places = placesOf(objective);
  const b = objective.vector();
  return {
    rule: 'conjugate-gradients',
    prepare(point) {
      point.space.combine(-1, point.gradient, 0, b);
      return ready(undefined);
    },
    *solve(point, bound, d): Steps<Solved> {
      const damping = 'damping' in bound ? bound.damping : 0;
      const product = (v: FloatArray, out: FloatArray): Steps<void> => point.product(curvature, damping, { v, out });
      if ('radius' in bound) {
        const found = yield* steihaug(point.space, product, { g: point.gradient, d }, places, {
          radius: bound.radius,
          iterations,
          tolerance,
        });
        const boundary = found.stop === 'boundary' || found.stop === 'negative-curvature';
        return { ...found, boundary };
      }
      const found = yield* conjugateGradients(point.space, product, { b, x: d }, places, { iterations, tolerance });
      const { model, residual, negativeCurvature } = found;
      const [square] = yield* point.space.dots([d, d]);
      return {
        model: model - 0.5 * damping * square,
        iterations: found.iterations,
        residual,
        negativeCurvature: undamped(negativeCurvature, damping),
      };
    },
  };
}

/** Curvature of C where that of C + λI was met. */
export const undamped = (curvature: number | null, damping: number): number | null =>
  curvature === null ? null : curvature - damping;

/** One Lanczos basis a point, for every radius or damping. iterations + 1 vectors. */
export const lanczosSolver = ({ curvature, iterations, tolerance }: CgSettings): SolverPlan => ({
  spare: ({ parameters }) => (Math.min(iterations, parameters) + 1) * vectorNumbers(parameters),
  begin: (objective) => byLanczos(objective, objective.blas, { curvature, iterations, tolerance }),
});

/** It, with vectors in S; small matrices are decomposed here. */
export function byLanczos<S extends Space>(
  objective: Pick<NewtonObjective<S>, 'network' | 'vector'>,
  blas: Blas,
  { curvature, iterations, tolerance }: CgSettings,
): Solver<S> {
  const most = Math.min(iterations, objective.network.parameters);
  const vectors = Array.from({ length: most }, () => objective.vector());
  const next = objective.vector();
  let basis: LanczosBasis<S> | undefined;
  return {
    rule: 'lanczos',
    prepare(point) {
      basis ??= new LanczosBasis(point.space, blas, vectors, next);
      const product: Product = (v, out) => point.product(curvature, 0, { v, out });
      return basis.build(product, point.gradient, { most, tolerance });
    },
    solve(point, bound, d) {
      const { y, damping, model } = basis!.solve(bound, d);
      const least = basis!.ritzValues[0] ?? 0;
      const last = y.length === 0 ? 0 : Math.abs(y[y.length - 1]);
      return ready<Solved>({
        model,
        iterations: basis!.size,
        residual: point.gradientNorm === 0 ? 0 : (basis!.remainder * last) / point.gradientNorm,
        negativeCurvature: least < 0 ? least : null,
        damping,
        boundary: 'radius' in bound && (damping > 0 || least < 0),
      });
    },
  };
}
