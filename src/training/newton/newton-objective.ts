/**
 * What the Newton methods ask of an objective, wherever it computes: f, ∇f and products with curvature, vectors and
 * what is done with them.
 */
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Objective } from '../objective/objective.js';
import { ready, type Steps } from './steps.js';
import { Vectors, type Space } from './vectors.js';

/** Curvature that a Newton method goes by. */
export type NewtonCurvature = 'gauss-newton' | 'hessian';

/** An objective as a Newton method sees it, with vectors in S. */
export interface NewtonObjective<S extends Space = Space> {
  readonly network: ParameterLayout;
  readonly space: S;
  /** θ and ∇f. */
  readonly parameters: FloatArray;
  readonly gradient: FloatArray;
  /** The loaded batch, as `Objective` tells of it. */
  readonly batch: Pick<Objective, 'count' | 'loads' | 'isRandom'>;
  /** A vector, zero. */
  vector(): FloatArray;
  /** A vector that is part of the state: what it holds outlasts the step. */
  state(): FloatArray;
  /** f(θ) of the batch, ∇f in `gradient`. Throws NonFiniteError. */
  evaluate(step: number): Steps<number>;
  /** f at a vector, with the masks of that step; without one nothing is dropped. */
  measure(θ: FloatArray, step: number | null): Steps<number>;
  /** Waits for what was asked of vectors before. */
  end(): Steps<void>;
  /** out ← C·v at the point of the last `evaluate`, C of the first `samples`. */
  product(of: NewtonCurvature, v: FloatArray, out: FloatArray, samples: number): Steps<void>;
}

/** An objective here. */
export function onHost(objective: Objective): NewtonObjective<Vectors> {
  const { network, kernels, parameters, gradient } = objective;
  return {
    network,
    batch: objective,
    space: new Vectors(network.parameters, kernels),
    parameters,
    gradient,
    vector: () => objective.vector(),
    state: () => objective.vector(),
    evaluate: (step) => ready(objective.evaluate({ step })),
    end: () => ready(undefined),
    measure: (θ, step) => ready(objective.measure(θ, step).loss),
    product(of, v, out, samples) {
      objective.product(of, v, out, samples);
      return ready(undefined);
    },
  };
}
