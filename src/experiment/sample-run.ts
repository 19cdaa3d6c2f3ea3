/**
 * One run: draws of a network's parameters from the Laplace approximation around given ones, and recorded.
 * Source: D. J. C. MacKay, "A practical Bayesian framework for backpropagation networks", Neural Computation 4, 1992,
 * with the Gauss–Newton matrix for the Hessian: θ ~ N(θ̂, (G + λI)⁻¹/n) for a loss that is −log p(y | f) and the prior
 * N(0, I/(nλ)). G of a small network is factored whole, that of a larger one in its Kronecker eigenbasis.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import { factorKronecker } from '../curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '../curvature/eigenbasis/compress.js';
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import { squaredNorm, view, type Matrix } from '../dense/matrix.js';
import { factor } from '../hierarchical/factor/factor.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import { compress } from '../hierarchical/from-entries/compress.js';
import { peakMemory, type MachineDescription } from '../io/machine.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import { randomVectors } from './compression-run.js';
import { withOwnTeam } from './own-team.js';
import { circumstances, type InputDescription, type Versions } from './record.js';

/** G of at most so many parameters is factored whole, unless a share is named. */
const WHOLE = 4096;

/** Draws of parameters. Seconds of wall time, bytes. */
export interface SampleRecord {
  readonly record: 'sample';
  readonly date: string;
  readonly input: InputDescription;
  readonly count: number;
  /** Samples n that the posterior is of. */
  readonly samples: number;
  /** λ. */
  readonly shift: number;
  /** Whether G was factored whole, or as G̃ in its Kronecker eigenbasis. */
  readonly method: 'dense' | 'kronecker';
  /** Memory of what is factored over that of the dense matrix, 8N². */
  readonly share: number;
  /** ‖b − (G + λI)·(G̃ + λI)⁻¹b‖/‖b‖ of a random b, by a product with G itself: how far the covariance is off. */
  readonly residual: number;
  /** log det(G̃ + λI). */
  readonly logdet: number;
  readonly seed: number;
  readonly workers: number;
  readonly seconds: { readonly compress: number; readonly factor: number; readonly sample: number };
  readonly memory: { readonly matrix: number; readonly factors: number; readonly peakBytes: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/** What is drawn. */
export interface SampleSetup {
  readonly model: Model;
  readonly input: InputDescription;
  readonly count: number;
  readonly shift: number;
  readonly share?: number | undefined;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
}

/** What draws, and what it was made of. */
interface Posterior {
  readonly factorization: Pick<Factorization, 'sample' | 'solve' | 'logdet' | 'bytes'>;
  readonly method: SampleRecord['method'];
  readonly bytes: number;
  readonly seconds: Pick<SampleRecord['seconds'], 'compress' | 'factor'>;
}

/** G + λI, factored. */
async function posteriorOf(
  { model, shift, share, seed, memoryLimit }: SampleSetup,
  control: TeamControl,
): Promise<Posterior> {
  const { parameters: size } = model.network;
  const began = performance.now();
  const seconds = (compressed: number): Posterior['seconds'] => ({
    compress: (compressed - began) / 1000,
    factor: (performance.now() - compressed) / 1000,
  });
  if (share === undefined && size <= WHOLE) {
    // One leaf: all of the matrix.
    const how = { format: 'hss', leafSize: size, tolerance: 0, seed, memoryLimit } as const;
    const matrix = await compress(gaussNewtonSource(model, { blas: control.team.blas }), how, control);
    try {
      const compressed = performance.now();
      const factorization = await factor(matrix, { shift, memoryLimit }, control);
      return { factorization, method: 'dense', bytes: matrix.memory().bytes, seconds: seconds(compressed) };
    } finally {
      matrix.release();
    }
  }
  const matrix = await kroneckerHierarchical(model, { preserve: 'positive-definite', share, memoryLimit }, control);
  const compressed = performance.now();
  const factorization = await factorKronecker(matrix, { shift, memoryLimit }, control);
  return { factorization, method: 'kronecker', bytes: matrix.bytes, seconds: seconds(compressed) };
}

/**
 * Draws and records; `draws` are θ̂ + δ, a column each. Column j depends on the seed and j alone. Throws what
 * `compress`, `factor`, `kroneckerHierarchical` and `factorKronecker` throw.
 */
export async function runSample(
  setup: SampleSetup,
  control: TeamControl,
): Promise<{ readonly record: SampleRecord; readonly draws: Matrix<Float64Array> }> {
  // Draws take a factorization that one rank has: each makes the same.
  return withOwnTeam(control, (own) => drawFrom(setup, own, control));
}

/** Draws from what `own` factors, on this rank; products with G itself are those of `control`. */
async function drawFrom(
  setup: SampleSetup,
  own: TeamControl,
  control: TeamControl,
): Promise<{ readonly record: SampleRecord; readonly draws: Matrix<Float64Array> }> {
  const { model, input, count, shift, seed } = setup;
  const { parameters: size } = model.network;
  const { factorization, method, bytes, seconds } = await posteriorOf(setup, own);
  const factored = performance.now();
  const draws = factorization.sample({ count, of: 'inverse', seed });
  const scale = 1 / Math.sqrt(model.data.samples);
  for (let j = 0; j < count; j++)
    for (let i = 0, at = draws.offset + j * draws.ld; i < size; i++, at++)
      draws.data[at] = model.parameters[i] + scale * draws.data[at];
  const sampled = performance.now();
  const b = randomVectors(size, 1, seed);
  const x = factorization.solve(b);
  const difference = view(sharedFloat64(size), 0, size, 1);
  difference.data.set(b.data);
  gaussNewton(model, { team: control.team }).applyUnchecked(difference, x, -1, 1);
  for (let i = 0; i < size; i++) difference.data[i] -= shift * x.data[x.offset + i];
  const record: SampleRecord = {
    record: 'sample',
    ...circumstances(),
    input,
    count,
    samples: model.data.samples,
    shift,
    method,
    share: bytes / (8 * size * size),
    residual: Math.sqrt(squaredNorm(difference) / squaredNorm(b)),
    logdet: factorization.logdet,
    seed,
    workers: control.team.workers,
    seconds: { ...seconds, sample: (sampled - factored) / 1000 },
    memory: { matrix: bytes, factors: factorization.bytes, peakBytes: peakMemory() },
    blas: control.team.blas.description,
  };
  return { record, draws };
}
