/**
 * Which form the errors' Gram matrices take at each layer, decided once for a network by counting flops.
 * While Q_i is the same multiple of I and the layers above are linear, one factor serves all samples; it is kept at d
 * columns or fewer by QR. Past the first nonlinearity each sample has its own: as c columns (2c·d₊·d flops to pass from
 * d₊ to d units, c·d² to sum) or, past a bottleneck narrower than c, as the Gram matrix itself (2d₊²·d + 2d₊·d²).
 */
import type { Blas } from '../../dense/blas.js';
import { block, copyInto, mirrorLower, zeros, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { hasUnitSlope } from '../../network/activations/table.js';
import { squaredScale, type LossName } from '../../network/losses/table.js';
import { layerWeights, type Layer, type Network } from '../../network/network.js';

/** The form that a layer's Gram matrices take, as `layer-grams.ts` describes them. */
export type GramForm =
  | { readonly form: 'uniform'; readonly scale: number }
  /** 'diagonal' or 'softmax', as the loss has it. */
  | { readonly form: 'output' }
  | { readonly form: 'shared'; readonly factor: Matrix; readonly gram: Matrix }
  | { readonly form: 'columns'; readonly each: number }
  /** `each`: the columns it is made from at this layer, 0 where it comes from the Gram matrix above. */
  | { readonly form: 'grams'; readonly each: number };

/** The form at each layer. */
export interface ErrorGramPlan {
  readonly forms: readonly GramForm[];
  /** Most samples at a time, so that a layer's per-sample matrices stay near 16 MB. */
  readonly slab: number;
}

/** Numbers that one layer's per-sample matrices of a slab may fill. */
const SLAB_NUMBERS = 2 ** 21;

/**
 * The plan for exact errors of `loss`, or, with `draws`, for that many sampled error columns a sample. `parameters` in
 * double precision.
 */
export function planErrorGrams(
  network: Network,
  parameters: FloatArray,
  loss: LossName,
  draws: number | null,
  blas: Blas,
): ErrorGramPlan {
  const { layers } = network;
  const last = layers.length - 1;
  const forms = new Array<GramForm>(layers.length);
  const scale = hasUnitSlope(layers[last].activation) ? squaredScale(loss, layers[last].outputs) : null;
  forms[last] =
    draws !== null
      ? { form: 'columns', each: draws }
      : scale !== null
        ? { form: 'uniform', scale }
        : { form: 'output' };
  for (let ℓ = last - 1; ℓ >= 0; ℓ--) forms[ℓ] = nextForm(forms[ℓ + 1], layers, ℓ, parameters, blas);
  const most = Math.max(...layers.map((layer, ℓ) => numbersPerSample(forms[ℓ], layer, forms[ℓ - 1])));
  return { forms, slab: Math.max(1, Math.floor(SLAB_NUMBERS / most)) };
}

/** W_ℓᵀ without the biases, d_{ℓ−1} × d_ℓ, as a view of the parameters. */
export const transposedWeights = (layer: Layer, parameters: FloatArray): Matrix =>
  block(layerWeights(layer, parameters), 0, 0, layer.inputs, layer.outputs);

function nextForm(above: GramForm, layers: readonly Layer[], ℓ: number, parameters: FloatArray, blas: Blas): GramForm {
  const layer = layers[ℓ + 1];
  const weights = transposedWeights(layer, parameters);
  if (above.form === 'uniform') {
    const scaled = zeros(weights.rows, weights.cols);
    copyInto(scaled, weights);
    for (let i = 0; i < scaled.data.length; i++) scaled.data[i] *= Math.sqrt(above.scale);
    return sharedForm(scaled, blas);
  }
  if (above.form === 'shared' && hasUnitSlope(layer.activation)) {
    const passed = zeros(weights.rows, above.factor.cols);
    blas.gemm('N', 'N', 1, weights, above.factor, 0, passed);
    return sharedForm(passed, blas);
  }
  if (above.form === 'grams') return { form: 'grams', each: 0 };
  const each = above.form === 'output' ? layer.outputs : above.form === 'shared' ? above.factor.cols : above.each;
  return gramsAreCheaper(layers, ℓ, each) ? { form: 'grams', each } : { form: 'columns', each };
}

/** Making Grams of the columns of layer ℓ costs what summing the columns does: the layers below decide. */
function gramsAreCheaper(layers: readonly Layer[], ℓ: number, each: number): boolean {
  let columns = 0;
  let grams = 0;
  for (let j = ℓ - 1; j >= 0; j--) {
    const d = layers[j].outputs;
    const above = layers[j + 1].outputs;
    columns += each * d * (2 * above + d);
    grams += 2 * above * d * (above + d);
  }
  return grams < columns;
}

/** F of d × c, of d × min(c, d): with Fᵀ = QR, FFᵀ = RᵀR. */
function sharedForm(factor: Matrix, blas: Blas): GramForm {
  const { rows: d, cols: c } = factor;
  let reduced = factor;
  if (c > d) {
    const transposed = zeros(c, d);
    for (let k = 0; k < c; k++) for (let a = 0; a < d; a++) transposed.data[a * c + k] = factor.data[k * d + a];
    blas.geqrf(transposed, new Float64Array(d));
    reduced = zeros(d, d);
    for (let a = 0; a < d; a++) for (let k = 0; k <= a; k++) reduced.data[k * d + a] = transposed.data[a * c + k];
  }
  const gram = zeros(d, d);
  blas.syrk('L', 'N', 1, reduced, 0, gram);
  mirrorLower(gram);
  return { form: 'shared', factor: reduced, gram };
}

function numbersPerSample(form: GramForm, { outputs: d }: Layer, below: GramForm | undefined): number {
  switch (form.form) {
    case 'columns':
      return d * form.each;
    case 'grams':
      return d * d;
    // The layer below takes columns D_i F.
    case 'shared':
      return below?.form === 'columns' ? d * form.factor.cols : d;
    case 'uniform':
      return d;
    case 'output':
      return 5 * d;
  }
}
