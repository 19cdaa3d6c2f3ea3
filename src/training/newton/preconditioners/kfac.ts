/**
 * M = ⊕_ℓ (A + π√λ I) ⊗ (Γ + (√λ/π)I) with A = E[āāᵀ] of the layer's inputs, Γ = E[δδᵀ] of drawn errors, π² =
 * (tr A/width)/(tr Γ/outputs) (J. Martens, R. Grosse, ICML 2015, §6.3), made anew at every point. With R, width ×
 * outputs, the layer's part of r: Z = (A + …)⁻¹R(Γ + …)⁻¹ by Cholesky factors, made in float64. Layers without factors
 * (scales, kernels of channels, embeddings) have diagonals in their place (graph/moment-sums.ts).
 */
import type { FloatArray } from '../../../core/floats.js';
import type { Blas } from '../../../dense/blas.js';
import { view } from '../../../dense/matrix.js';
import { layerWeights } from '../../../network/network.js';
import { hasFactors, type LayerBlock, type ParameterLayout } from '../../../network/parameter-layout.js';
import type { Objective } from '../../objective/objective.js';
import { vectorNumbers } from '../../objective/workspace.js';
import { factoredShifts, mean } from '../factored-damping.js';
import type { Point } from '../point.js';
import { ready, type Steps } from '../steps.js';
import type { Preconditioner, PreconditionerPlan } from './preconditioner.js';

const GROWTH = 10;
const MOST_TRIES = 12;
/** Shifts have so large a share of the diagonal's mean at least, and are at least so large. */
const LEAST_SHARE = 1e-7;
const LEAST_SHIFT = 1e-30;

/** Numbers of a layer's sides, inputs and outputs. */
export function sideNumbers(layer: LayerBlock): readonly [number, number] {
  const own = (size: number): number => (hasFactors(layer) ? size * size : size);
  return [own(layer.width), own(layer.outputs)];
}

/** Numbers of all sides. */
export const factorNumbers = ({ layers }: ParameterLayout): number =>
  layers.flatMap(sideNumbers).reduce((sum, side) => sum + vectorNumbers(side), 0);

/** A moment of a layer's inputs or errors, and whether its diagonal alone is asked for. */
export interface FactorMoment {
  readonly layer: number;
  readonly of: 'inputs' | 'errors';
  readonly diagonal: boolean;
}

/** The moments that it is made of: of layers without factors the diagonals. */
export const factorMoments = ({ layers }: ParameterLayout): FactorMoment[] =>
  layers.flatMap((own, layer) =>
    (['inputs', 'errors'] as const).map((of) => ({ layer, of, diagonal: !hasFactors(own) })),
  );

/** K-FAC's preconditioner: for each layer width² + outputs² numbers, width + outputs of one without factors. */
export const kfacPreconditioner: PreconditionerPlan = {
  spare: factorNumbers,
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
    const { layers } = objective.network;
    this.#factors = layers.map((layer) => {
      const [a, g] = sideNumbers(layer).map((length) => objective.take(length));
      return { a, g };
    });
    this.#scratch = new Float64Array(Math.max(...layers.flatMap(sideNumbers)));
  }

  prepare({ plan }: Point, samples: number, damping: number): Steps<void> {
    const objective = this.#objective;
    const { layers } = objective.network;
    this.#frozen = layers.map((_, ℓ) => plan.layers[ℓ] === null);
    objective.draw(plan.step, samples);
    const tasks = factorMoments(objective.network).map((moment) => {
      const { a, g } = this.#factors[moment.layer];
      return { ...moment, out: moment.of === 'inputs' ? a : g };
    });
    objective.moments(tasks, 0, samples);
    const λ = damping + objective.regularization;
    layers.forEach((layer, ℓ) => {
      const { width, outputs } = layer;
      const { a, g } = this.#factors[ℓ];
      if (hasFactors(layer)) factorSides(objective.blas, { a, width }, { g, outputs }, λ, this.#scratch);
      else invertDiagonals(a, g, λ);
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
      if (!hasFactors(layer)) {
        const { a, g } = this.#factors[ℓ];
        for (let j = 0, at = part.offset; j < outputs; j++)
          for (let i = 0; i < width; i++, at++) part.data[at] *= a[i] * g[j];
        return;
      }
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
  const shifts = shiftsOf(mean(a, width, width + 1), mean(g, outputs, outputs + 1), damping);
  factor(blas, a, width, shifts[0], scratch);
  factor(blas, g, outputs, shifts[1], scratch);
}

/** a ← 1/(a + π√λ), g ← 1/(g + √λ/π), number by number. */
export function invertDiagonals(a: FloatArray, g: FloatArray, damping: number): void {
  const shifts = shiftsOf(mean(a), mean(g), damping);
  for (const [k, side] of [a, g].entries()) for (let i = 0; i < side.length; i++) side[i] = 1 / (side[i] + shifts[k]);
}

/** Those of `factoredShifts`, a small share of the mean at least. */
function shiftsOf(meanA: number, meanG: number, damping: number): readonly [number, number] {
  const [a, g] = factoredShifts(meanA, meanG, damping);
  return [Math.max(a, LEAST_SHARE * meanA, LEAST_SHIFT), Math.max(g, LEAST_SHARE * meanG, LEAST_SHIFT)];
}

/** The lower triangle of a ← Cholesky's factor of a + shift·I; the shift grows until there is one. */
function factor(blas: Blas, a: FloatArray, n: number, shift: number, scratch: Float64Array): void {
  let added = shift;
  for (let k = 0; k < MOST_TRIES; k++, added *= GROWTH) {
    for (let at = 0; at < n * n; at++) scratch[at] = a[at];
    for (let j = 0; j < n; j++) scratch[j * (n + 1)] += added;
    if (blas.potrf('L', view(scratch, 0, n, n)) === 0) break;
  }
  for (let at = 0; at < n * n; at++) a[at] = scratch[at];
}
