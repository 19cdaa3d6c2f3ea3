/**
 * M = ⊕_ℓ (A + π√λ I) ⊗ (Γ + (√λ/π)I) with A = E[āāᵀ] of the layer's inputs, Γ = E[δδᵀ] of drawn errors, π² =
 * (tr A/width)/(tr Γ/outputs) (J. Martens, R. Grosse, ICML 2015, §6.3), made anew at every point. With R, width ×
 * outputs, the layer's part of r: Z = (A + …)⁻¹R(Γ + …)⁻¹ by Cholesky factors, made in float64.
 */
import type { FloatArray } from '../../../core/floats.js';
import type { Blas } from '../../../dense/blas.js';
import { view } from '../../../dense/matrix.js';
import { layerWeights } from '../../../network/network.js';
import type { ParameterLayout } from '../../../network/parameter-layout.js';
import type { Objective } from '../../objective/objective.js';
import { vectorNumbers } from '../../objective/workspace.js';
import type { Point } from '../point.js';
import { ready, type Steps } from '../steps.js';
import type { Preconditioner, PreconditionerPlan } from './preconditioner.js';

const GROWTH = 10;
const MOST_TRIES = 12;

const sides = ({ layers }: ParameterLayout): number[] => layers.flatMap(({ width, outputs }) => [width, outputs]);

/** K-FAC's preconditioner: for each layer width² + outputs² numbers. */
export const kfacPreconditioner: PreconditionerPlan = {
  spare: (network) => sides(network).reduce((sum, side) => sum + vectorNumbers(side * side), 0),
  begin: (objective) => new KfacPreconditioner(objective),
};

class KfacPreconditioner implements Preconditioner {
  readonly arrays = {};
  readonly #objective: Objective;
  readonly #factors: readonly { readonly a: FloatArray; readonly g: FloatArray }[];
  readonly #scratch: Float64Array;
  #frozen: readonly boolean[] = [];

  constructor(objective: Objective) {
    this.#objective = objective;
    this.#factors = objective.network.layers.map(({ width, outputs }) => ({
      a: objective.take(width * width),
      g: objective.take(outputs * outputs),
    }));
    this.#scratch = new Float64Array(Math.max(...sides(objective.network)) ** 2);
  }

  prepare({ plan }: Point, samples: number, damping: number): Steps<void> {
    const objective = this.#objective;
    const { layers } = objective.network;
    this.#frozen = layers.map((_, ℓ) => plan.layers[ℓ] === null);
    objective.draw(plan.step, samples);
    const tasks = this.#factors.flatMap(({ a, g }, layer) => [
      { layer, of: 'inputs' as const, out: a, diagonal: false },
      { layer, of: 'errors' as const, out: g, diagonal: false },
    ]);
    objective.moments(tasks, 0, samples);
    layers.forEach(({ width, outputs }, ℓ) => {
      const { a, g } = this.#factors[ℓ];
      factorSides(objective.blas, { a, width }, { g, outputs }, damping + objective.regularization, this.#scratch);
    });
    return ready(undefined);
  }

  apply(r: FloatArray, z: FloatArray): void {
    const { kernels, network, blas } = this.#objective;
    kernels.combine(r.length, 1, r, 0, z);
    network.layers.forEach((layer, ℓ) => {
      if (this.#frozen[ℓ]) return;
      const { width, outputs } = layer;
      const part = layerWeights(layer, z);
      const a = view(this.#factors[ℓ].a, 0, width, width);
      const g = view(this.#factors[ℓ].g, 0, outputs, outputs);
      blas.trsm('L', 'L', 'N', 'N', 1, a, part);
      blas.trsm('L', 'L', 'T', 'N', 1, a, part);
      blas.trsm('R', 'L', 'T', 'N', 1, g, part);
      blas.trsm('R', 'L', 'N', 'N', 1, g, part);
    });
  }
}

/** Lower triangles of a and g ← Cholesky's factors of A + π√λ I and Γ + (√λ/π)I. */
export function factorSides(
  blas: Blas,
  { a, width }: { readonly a: FloatArray; readonly width: number },
  { g, outputs }: { readonly g: FloatArray; readonly outputs: number },
  damping: number,
  scratch: Float64Array = new Float64Array(Math.max(width, outputs) ** 2),
): void {
  const root = Math.sqrt(damping);
  const meanA = trace(a, width) / width;
  const meanG = trace(g, outputs) / outputs;
  const π = meanA > 0 && meanG > 0 ? Math.sqrt(meanA / meanG) : 1;
  factor(blas, a, width, π * root, scratch);
  factor(blas, g, outputs, root / π, scratch);
}

function trace(a: FloatArray, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a[k * (n + 1)];
  return sum;
}

/** The lower triangle of a ← Cholesky's factor of a + shift·I; the shift grows until there is one. */
function factor(blas: Blas, a: FloatArray, n: number, shift: number, scratch: Float64Array): void {
  let added = Math.max(shift, (1e-7 * trace(a, n)) / n, 1e-30);
  for (let k = 0; k < MOST_TRIES; k++, added *= GROWTH) {
    for (let at = 0; at < n * n; at++) scratch[at] = a[at];
    for (let j = 0; j < n; j++) scratch[j * (n + 1)] += added;
    if (blas.potrf('L', view(scratch, 0, n, n)) === 0) break;
  }
  for (let at = 0; at < n * n; at++) a[at] = scratch[at];
}
