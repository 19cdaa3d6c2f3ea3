/**
 * Small objectives and matrices for the tests of the Newton methods.
 */
import { RandomStream } from '#hmatrix/core/random.js';
import type { FloatArray, Precision } from '#hmatrix/core/floats.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { block, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { VectorMemory } from '#hmatrix/dense/vector-memory.js';
import type { ActivationName } from '#hmatrix/network/activations/table.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { LossName } from '#hmatrix/network/losses/table.js';
import { defineNetwork, type Network } from '#hmatrix/network/network.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { PerceptronObjective } from '#hmatrix/training/objective/perceptron-objective.js';
import type { Optimizer, StepPlan, Stepper } from '#hmatrix/training/optimizer.js';
import type { NewtonCurvature } from '#hmatrix/training/newton/newton-objective.js';
import { ready } from '#hmatrix/training/newton/steps.js';
import { Vectors, type Product } from '#hmatrix/training/newton/vectors.js';

export interface CaseOptions {
  readonly widths?: readonly number[];
  readonly activation?: ActivationName;
  readonly loss?: LossName;
  readonly samples?: number;
  readonly precision?: Precision;
  readonly regularization?: number;
  readonly dropout?: number;
  readonly team?: Team | undefined;
  readonly seed?: number;
}

export interface Case {
  readonly network: Network;
  readonly objective: PerceptronObjective;
  readonly stepper: Stepper;
  readonly plan: (step?: number) => StepPlan;
  /** Loads the batch, or some of its samples. */
  readonly reload: (first?: number, count?: number) => void;
}

/** An objective with a batch of normal inputs, and the optimizer begun on it. */
export async function openCase(optimizer: Optimizer, options: CaseOptions = {}): Promise<Case> {
  const { widths = [5, 6, 3], activation = 'tanh', loss = 'mse', samples = 20, precision = 'f64' } = options;
  const { regularization = 0, dropout = 0, team, seed = 3 } = options;
  const network = defineNetwork({ widths, activation });
  const objective = await PerceptronObjective.open({
    network,
    loss,
    precision,
    batchSize: samples,
    curvature: optimizer.curvature === 'none' ? 'hessian' : optimizer.curvature,
    spare: optimizer.spare(network, samples) + 8 * (network.parameters + 16),
    regularization,
    dropout,
    blas: defaultBlas(),
    ...(team === undefined ? {} : { team }),
  });
  const random = new RandomStream(seed, 1);
  const inputs = zeros(network.inputs, samples);
  random.fillNormal(inputs.data);
  const targets = zeros(network.outputs, samples);
  if (loss === 'cross-entropy') {
    for (let i = 0; i < samples; i++) targets.data[i * network.outputs + random.integer(network.outputs)] = 1;
  } else if (loss === 'bce') {
    for (let at = 0; at < targets.data.length; at++) targets.data[at] = random.integer(2);
  } else random.fillNormal(targets.data);
  objective.parameters.set(initialParameters(network, seed));
  const reload = (first = 0, count = samples): void => {
    const part = (x: Matrix): Matrix => block(x, 0, first, x.rows, count);
    objective.load({ inputs: part(inputs), targets: part(targets) });
  };
  reload();
  const layers = network.layers.map(() => ({ factor: 1, decay: 0, decayBias: false }));
  return {
    network,
    objective,
    stepper: optimizer.begin(objective),
    plan: (step = 0) => ({ step, factor: 1, layers, clip: null }),
    reload,
  };
}

/** The dense curvature at the point of the last evaluation, by products on unit vectors. */
export function denseCurvature(objective: PerceptronObjective, of: NewtonCurvature, samples?: number): Matrix {
  const n = objective.network.parameters;
  const v = objective.vector();
  const out = objective.vector();
  const dense = zeros(n, n);
  for (let j = 0; j < n; j++) {
    v.fill(0);
    v[j] = 1;
    objective.product(of, v, out, samples);
    dense.data.set(out, j * n);
  }
  return dense;
}

/** (a + λI)⁻¹b by LU. */
export function denseSolve(a: Matrix, λ: number, b: ArrayLike<number>): Float64Array {
  const n = a.rows;
  const lu = Float64Array.from(a.data);
  for (let j = 0; j < n; j++) lu[j * (n + 1)] += λ;
  const pivots = new Int32Array(n);
  const x = Float64Array.from(b);
  const blas = defaultBlas();
  blas.getrf(view(lu, 0, n, n), pivots);
  blas.getrs('N', view(lu, 0, n, n), pivots, view(x, 0, n, 1));
  return x;
}

/** A space of small vectors. */
export interface Space {
  readonly space: Vectors;
  readonly vector: (values?: ArrayLike<number>) => FloatArray;
}

export function smallSpace(n: number, precision: Precision = 'f64'): Space {
  const memory = VectorMemory.open(64 * (8 * n + 128));
  return {
    space: new Vectors(n, memory.kernels(precision)),
    vector: (values) => {
      const x = memory.take(n, precision);
      if (values !== undefined) x.set(values);
      return x;
    },
  };
}

/** A random symmetric matrix with the eigenvalues given, and its product. */
export function symmetricCase(values: readonly number[], seed: number): { a: Matrix; product: Product } {
  const n = values.length;
  const blas = defaultBlas();
  const q = zeros(n, n);
  new RandomStream(seed).fillNormal(q.data);
  const tau = new Float64Array(n);
  blas.geqrf(q, tau);
  const a = zeros(n, n);
  values.forEach((value, j) => (a.data[j * (n + 1)] = value));
  blas.ormqr('L', 'N', q, tau, a);
  blas.ormqr('R', 'T', q, tau, a);
  return {
    a,
    product: (v, out) => {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += a.data[i + j * n] * v[j];
        out[i] = sum;
      }
      return ready(undefined);
    },
  };
}

export const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
};

export const norm = (x: ArrayLike<number>): number => Math.sqrt(dot(x, x));

/** ‖x − y‖/‖y‖ */
export const distance = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  norm(Float64Array.from({ length: x.length }, (_, k) => x[k] - y[k])) / norm(y);
