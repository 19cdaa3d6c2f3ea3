/**
 * What the Hessian's diagonal has besides Gauss–Newton's, batch by batch.
 *
 * The Hessian H_ℓ of a sample's loss with respect to z_ℓ, d_ℓ × d_ℓ, is Gauss–Newton's S_ℓ plus a rest E_ℓ (A. Botev,
 * H. Ritter, D. Barber, "Practical Gauss–Newton optimisation for deep learning", ICML 2017, arXiv 1706.03662):
 *
 *   E_L = diag(φ″(z_L)∘∇loss),   E_ℓ = Φ′_ℓ·W_{ℓ+1}ᵀ·E_{ℓ+1}·W_{ℓ+1}·Φ′_ℓ + diag(φ″(z_ℓ)∘(W_{ℓ+1}ᵀδ_{ℓ+1})),
 *
 * and the Hessian's entry for the weight from q to p is ā(q)²·H_ℓ(p, p): W_ℓ enters through z_ℓ alone, and linearly. So
 * only diagonals are needed, and E_ℓ as a whole only where a layer below needs it: zero and diagonal ones stay so
 * (uppermost layers, relu), and at the first layer nothing but the diagonal is formed.
 */
import type { Blas } from '../../dense/blas.js';
import { block, copyInto, view, zeros, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { backpropagate, multiplySlopes } from '../../network/backward.js';
import { batchOf } from '../../network/data-set.js';
import type { ForwardPass } from '../../network/forward.js';
import { lossGradient } from '../../network/losses/evaluate.js';
import { checkTargets } from '../../network/losses/targets.js';
import { layerWeights, type Layer } from '../../network/network.js';
import type { CurvatureWalk } from './factors.js';
import { columnsOf } from './layer-grams.js';
import type { Scratch } from './scratch.js';

/** Numbers that the E_ℓ of a slab of samples, and their products with weights, may fill. */
const SLAB_NUMBERS = 2 ** 22;

/**
 * E_ℓ of a slab of samples: their diagonals, d × count, or the matrices side by side, d × (d·count), and null for
 * zeros.
 */
type Rest = { readonly form: 'diagonal' | 'dense'; readonly matrix: Matrix } | null;

/** What a slab's recursion reads. */
interface Work {
  readonly blas: Blas;
  readonly scratch: Scratch;
  readonly parameters: FloatArray;
}

/**
 * values ← values + the batch's part of diag(H − G), from a double-precision pass with φ″; `first` numbers the batch's
 * first sample. Throws NonFiniteError and OptionError for targets.
 */
export function addSecondOrder(walk: CurvatureWalk, pass: ForwardPass, first: number, values: Float64Array): void {
  const { model, grams, blas, scratch, inputWeight } = walk;
  const { layers } = model.network;
  const work: Work = { blas, scratch, parameters: grams.parameters };
  const { targets } = batchOf(model.data, first, pass.count);
  checkTargets(model.loss, targets, first);
  const own = ownDiagonals(walk, pass, targets);
  const slab = slabOf(layers, pass.count);
  for (let from = 0; from < pass.count; from += slab) {
    const count = Math.min(slab, pass.count - from);
    const part = (a: Matrix | null): Matrix | null => a && columnsOf(a, from, count);
    let rest: Rest = null;
    for (let ℓ = layers.length - 1; ℓ >= 0; ℓ--) {
      if (rest !== null) rest = passDown(rest, layers[ℓ + 1], { whole: ℓ > 0, slopes: part(pass.slopes[ℓ]) }, work);
      rest = withDiagonal(rest, part(own[ℓ]));
      if (rest === null) continue;
      const { width } = layers[ℓ];
      const squares = scratch.matrix('squared inputs', width, count);
      const a = columnsOf(pass.inputs[ℓ], from, count);
      for (let k = 0; k < width * count; k++) squares.data[k] = a.data[a.offset + k] ** 2;
      const entries = rest.form === 'diagonal' ? rest.matrix : diagonalsWithin(rest.matrix, scratch);
      blas.gemm('N', 'T', inputWeight, squares, entries, 1, layerWeights(layers[ℓ], values));
    }
  }
}

/** Samples whose E_ℓ are held together. */
function slabOf(layers: readonly Layer[], samples: number): number {
  let most = 1;
  for (let ℓ = 1; ℓ < layers.length; ℓ++) {
    const { inputs, outputs } = layers[ℓ];
    const below = ℓ > 1;
    const above = ℓ < layers.length - 1;
    const half = below || above ? inputs * outputs : 0;
    most = Math.max(most, half + (below ? inputs ** 2 : 0) + (above ? outputs ** 2 : 0));
  }
  return Math.max(1, Math.min(samples, Math.floor(SLAB_NUMBERS / most)));
}

/** φ″(z_ℓ)∘(the gradient with respect to a_ℓ), d_ℓ × count, of each layer; null where φ″ vanishes. */
function ownDiagonals(
  { model: { network, loss }, grams: { parameters }, blas }: CurvatureWalk,
  pass: ForwardPass,
  targets: Matrix,
): (Matrix | null)[] {
  const { count, curvatures } = pass;
  const last = network.layers.length - 1;
  const own = network.layers.map((): Matrix | null => null);
  if (curvatures === null || curvatures.every((curvature) => curvature === null)) return own;
  const wide = zeros(network.outputs, count);
  copyInto(wide, targets);
  const gradient = zeros(network.outputs, count);
  lossGradient(loss, pass.output, wide, gradient);
  const errors = backpropagate(network, parameters, pass, gradient, { blas });
  curvatures.forEach((curvature, ℓ) => {
    if (curvature === null) return;
    const out = zeros(network.layers[ℓ].outputs, count);
    if (ℓ === last) copyInto(out, gradient);
    else blas.gemm('N', 'N', 1, weightsOf(network.layers[ℓ + 1], parameters), errors[ℓ + 1], 0, out);
    multiplySlopes(out, curvature, out);
    own[ℓ] = out;
  });
  return own;
}

/** W_ℓᵀ, inputs × outputs, without biases. */
const weightsOf = (layer: Layer, parameters: FloatArray): Matrix =>
  block(layerWeights(layer, parameters), 0, 0, layer.inputs, layer.outputs);

/** Φ′·Wᵀ·E·W·Φ′ with the layer's weights, d × d a sample: whole, or its diagonal alone. */
function passDown(
  above: NonNullable<Rest>,
  layer: Layer,
  { whole, slopes }: { readonly whole: boolean; readonly slopes: Matrix | null },
  { blas, scratch, parameters }: Work,
): NonNullable<Rest> {
  const { inputs: d, outputs } = layer;
  const weights = weightsOf(layer, parameters);
  const count = above.form === 'diagonal' ? above.matrix.cols : above.matrix.cols / outputs;
  const form = whole ? 'dense' : 'diagonal';
  const out = scratch.matrix(`rest of ${layer.offset} ${form}`, d, whole ? d * count : count);
  if (!whole && above.form === 'diagonal') {
    const squares = scratch.matrix('squared weights', d, outputs);
    for (let p = 0; p < outputs; p++)
      for (let i = 0; i < d; i++) squares.data[i + p * d] = weights.data[weights.offset + i + p * weights.ld] ** 2;
    blas.gemm('N', 'N', 1, squares, above.matrix, 0, out);
  } else {
    const half = scratch.matrix('half of the rest', d, outputs * count);
    if (above.form === 'dense') blas.gemm('N', 'N', 1, weights, above.matrix, 0, half);
    else scaleColumns(weights, above.matrix, half);
    for (let i = 0; i < count; i++) {
      const own = block(half, 0, i * outputs, d, outputs);
      if (whole) blas.gemm('N', 'T', 1, own, weights, 0, block(out, 0, i * d, d, d));
      else rowProducts(own, weights, view(out.data, i * d, d, 1));
    }
  }
  if (slopes !== null) scaleBySlopes(out, slopes, whole);
  return { form, matrix: out };
}

/** half ← W∘e for each sample's column e: columns of W scaled by its entries. */
function scaleColumns(weights: Matrix, entries: Matrix, half: Matrix): void {
  const { rows, cols } = weights;
  let to = 0;
  for (let i = 0, at = entries.offset; i < entries.cols; i++)
    for (let p = 0; p < cols; p++, at++)
      for (let q = 0, from = weights.offset + p * weights.ld; q < rows; q++)
        half.data[to++] = weights.data[from++] * entries.data[at];
}

/** out_q ← Σ_p a_qp·b_qp. */
function rowProducts(a: Matrix, b: Matrix, out: Matrix): void {
  out.data.fill(0, out.offset, out.offset + a.rows);
  for (let p = 0; p < a.cols; p++)
    for (let q = 0, x = a.offset + p * a.ld, y = b.offset + p * b.ld; q < a.rows; q++)
      out.data[out.offset + q] += a.data[x++] * b.data[y++];
}

/** Each sample's matrix times its slopes from both sides, or its diagonal times their squares. */
function scaleBySlopes(out: Matrix, slopes: Matrix, whole: boolean): void {
  const { rows: d, cols: count, data: s } = slopes;
  let to = 0;
  for (let i = 0, at = slopes.offset; i < count; i++, at += d)
    for (let q = 0; q < (whole ? d : 1); q++)
      for (let p = 0; p < d; p++) out.data[to++] *= s[at + p] * s[at + (whole ? q : p)];
}

/** E + diag(own), in E's place. */
function withDiagonal(rest: Rest, own: Matrix | null): Rest {
  if (own === null) return rest;
  if (rest === null) return { form: 'diagonal', matrix: own };
  const { form, matrix } = rest;
  const step = form === 'diagonal' ? 1 : matrix.rows + 1;
  const size = matrix.rows * (form === 'diagonal' ? 1 : matrix.rows);
  for (let i = 0; i < own.cols; i++)
    for (let p = 0; p < own.rows; p++) matrix.data[i * size + p * step] += own.data[own.offset + p + i * own.ld];
  return rest;
}

/** The diagonals of matrices side by side, d × count. */
function diagonalsWithin({ data, rows: d, cols }: Matrix, scratch: Scratch): Matrix {
  const out = scratch.matrix('diagonals', d, cols / d);
  for (let k = 0; k < cols; k++) out.data[k] = data[(k % d) + k * d];
  return out;
}
