/**
 * A Gauss–Newton Hessian in the Kronecker eigenbasis of its layers: what its entries there are made of.
 *
 *   G = Q·H·Qᵀ + complement,  Q = blockdiag_ℓ(U_Γℓ ⊗ U_Aℓ),  A_{ℓ−1} = (1/n) Σ āāᵀ = U_A s_A U_Aᵀ,  Γ_ℓ = (1/n) Σ ΔᵀΔ =
 *   U_Γ s_Γ U_Γᵀ H[(ℓ,q,p), (ℓ′,q′,p′)] = Σ_i X_ℓ(i,q)·X_ℓ′(i,q′)·m_i(p,p′),  X_ℓ = Ā_{ℓ−1}U_A,  m_i(p,p′) = (1/n) Σ_k
 *   D′_ℓ(i,k,p)·D′_ℓ′(i,k,p′),  D′_ℓ = Δ_ℓU_Γ
 *
 * (q: *directions* of the inputs, p: rotated *units*). The basis is that of K-FAC (J. Martens, R. Grosse, ICML 2015,
 * arXiv 1503.05671) and EKFAC (T. George et al., NeurIPS 2018, arXiv 1806.03884), which keep of H the diagonal; here
 * all of H is had. Δ has a row for each column of S_i, Q_i = S_iS_iᵀ. Under squared errors c‖·‖² of linear outputs all
 * errors below the last layer lie in the column space of W_L: with U₁ its orthonormal basis (r × k), k rows √c·U₁ᵀ
 * stand for the r of them, the last layer's m is the constant c·I/n, and what U₁ leaves out is exactly c·A_{L−1} ⊗ (I −
 * U₁U₁ᵀ), the complement.
 */
import { FactorizationError } from '../../core/errors.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { block, copyInto, view, zeros, type Matrix } from '../../dense/matrix.js';
import { backpropagate } from '../../network/backward.js';
import { batchOf } from '../../network/data-set.js';
import { forward, type ForwardPass } from '../../network/forward.js';
import { applyLossFactor } from '../../network/losses/evaluate.js';
import { lossOf, squaredScale } from '../../network/losses/table.js';
import { checkModel, type Model } from '../../network/model.js';
import { layerWeights, type Layer } from '../../network/network.js';
import { widened, widenedMatrix } from '../entries/unit-gram-arrays.js';
import { isUniform, pairIndex } from '../entries/unit-gram-plan.js';
import { outputHessian } from '../../network/losses/output-hessian.js';
import { combineUnits, type UnitGrams } from './unit-grams.js';

/** A layer in its eigenbases. */
export interface RotatedLayer {
  readonly layer: Layer;
  /** U_A, width × directions, by falling eigenvalue; directions that no sample uses are left out. */
  readonly inputVectors: Matrix;
  /** U_Γ, outputs × units, likewise; null for the identity. */
  readonly outputVectors: Matrix | null;
  readonly directions: number;
  readonly units: number;
  /** X, n × directions. */
  readonly activations: Float64Array;
}

/** c·A_{L−1} ⊗ (I − U₁U₁ᵀ), U₁ the last layer's output vectors: V ↦ A·V·(I − U₁U₁ᵀ) with A scaled by c. */
export interface Complement {
  readonly inputGram: Matrix;
  /** r − k: dimensions that U₁ leaves out. */
  readonly outputs: number;
}

/** What the entries of a rotated Hessian are made of. */
export interface RotatedModel {
  /** n. */
  readonly samples: number;
  readonly layers: readonly RotatedLayer[];
  /** By `pairIndex` of layers ℓ ≤ k. */
  readonly grams: readonly UnitGrams[];
  readonly complement: Complement | null;
}

/**
 * How the last layer's errors are had: Δ_{L,i} = diag(roots_i) in the basis `vectors` (null: of unit vectors), or only
 * as columns.
 */
export type LastErrors =
  | {
      readonly kind: 'diagonal';
      readonly roots: Matrix | number;
      readonly vectors: Matrix | null;
      readonly units: number;
    }
  | { readonly kind: 'dense' };

/** Bytes of a rotated model, at most, and of the scratch on the way to it. */
export function rotatedModelBytes({ network, loss, data }: Model): number {
  const { layers } = network;
  const last = layers.length - 1;
  const rows = isUniform(network, loss)
    ? last === 0
      ? 0
      : Math.min(network.outputs, layers[last].inputs)
    : network.outputs;
  const diagonal = !lossOf(loss).softmax;
  let numbers = 0;
  layers.forEach(({ width, outputs }, k) => {
    numbers += 3 * data.samples * width + 3 * width ** 2;
    if (k < last || !diagonal) numbers += 2 * data.samples * rows * outputs;
    for (let ℓ = 0; ℓ <= k; ℓ++) {
      const units = k === last && diagonal ? rows : outputs;
      numbers +=
        data.samples * (ℓ < k ? layers[ℓ].outputs * units : k === last && diagonal ? units : (units * (units + 1)) / 2);
    }
  });
  return 8 * numbers;
}

/** The most indices that the rotated Hessian of a model may have. */
export function rotatedIndices({ network, loss }: Model): number {
  const { layers } = network;
  const last = layers.length - 1;
  const units = isUniform(network, loss) ? (last === 0 ? 0 : Math.min(network.outputs, layers[last].inputs)) : null;
  return layers.reduce((sum, { width, outputs }, ℓ) => sum + width * (ℓ === last ? (units ?? outputs) : outputs), 0);
}

/**
 * In float64 (a float32 model is widened), on the calling thread, all samples at once. Throws ShapeError,
 * NonFiniteError, MemoryError, FactorizationError.
 */
export function rotateModel(model: Model, blas: Blas, memoryLimit: number): RotatedModel {
  checkModel(model);
  const { network, data } = model;
  const bytes = rotatedModelBytes(model);
  requireMemory(bytes, memoryLimit, {
    what: `The activations and errors of ${data.samples} samples in the Kronecker eigenbasis need up to`,
    advice: 'take fewer samples, or raise memoryLimit.',
  });
  const n = data.samples;
  const parameters = widened(model.parameters);
  const pass = forward(network, parameters, widenedMatrix(batchOf(data, 0, n).inputs), blas);
  const lastErrors = describeLast(model, parameters, pass, blas);
  const { raw, rows } = errorRows({ ...model, parameters }, pass, lastErrors, blas);
  const last = network.layers.length - 1;
  const layers: RotatedLayer[] = [];
  const errors: (Matrix | null)[] = [];
  network.layers.forEach((layer, ℓ) => {
    const input = eigenvectors(pass.inputs[ℓ], blas);
    let output: { vectors: Matrix | null; rotated: Matrix | null; units: number };
    if (ℓ === last && lastErrors.kind === 'diagonal') {
      output = { vectors: lastErrors.vectors, rotated: null, units: lastErrors.units };
    } else {
      const { vectors } = eigenvectors(raw[ℓ]!, blas);
      const rotated = zeros(vectors.cols, raw[ℓ]!.cols);
      blas.gemm('T', 'N', 1, vectors, raw[ℓ]!, 0, rotated);
      raw[ℓ] = null;
      output = { vectors, rotated, units: vectors.cols };
    }
    const directions = input.vectors.cols;
    const activations = sharedFloat64(n * directions);
    blas.gemm('T', 'N', 1, pass.inputs[ℓ], input.vectors, 0, view(activations, 0, n, directions));
    layers.push({
      layer,
      inputVectors: input.vectors,
      outputVectors: output.vectors,
      directions,
      units: output.units,
      activations,
    });
    errors.push(output.rotated);
  });
  const grams: UnitGrams[] = [];
  const roots = lastErrors.kind === 'diagonal' ? lastErrors.roots : 0;
  layers.forEach(({ units }, k) => {
    for (let ℓ = 0; ℓ <= k; ℓ++)
      grams[pairIndex(ℓ, k)] = combineUnits(
        { errors: errors[ℓ], units: layers[ℓ].units },
        { errors: errors[k], units },
        ℓ === k,
        { samples: n, rows, roots },
        blas,
      );
  });
  return { samples: n, layers, grams, complement: complementOf(model, pass, lastErrors, blas) };
}

/** How the last layer's errors are had for the samples of a pass. Throws FactorizationError. */
export function describeLast(
  { network, loss }: Model,
  parameters: Float64Array,
  pass: ForwardPass,
  blas: Blas,
): LastErrors {
  if (lossOf(loss).softmax) return { kind: 'dense' };
  const last = network.layers.length - 1;
  const layer = network.layers[last];
  if (!isUniform(network, loss))
    return { kind: 'diagonal', roots: outputHessian(loss, pass).roots, vectors: null, units: network.outputs };
  const units = last === 0 ? 0 : Math.min(layer.outputs, layer.inputs);
  const vectors = zeros(layer.outputs, units);
  if (units > 0) {
    // W_L is stored transposed: its left singular vectors are the right ones here.
    const weights = zeros(layer.inputs, layer.outputs);
    copyInto(weights, block(layerWeights(layer, parameters), 0, 0, layer.inputs, layer.outputs));
    const left = zeros(layer.inputs, units);
    const right = zeros(units, layer.outputs);
    const info = blas.gesdd(weights, new Float64Array(units), left, right);
    if (info !== 0)
      throw new FactorizationError(
        `The singular vectors of the last layer's weights were not found (gesdd: info ${info}).`,
        { routine: 'gesdd', info },
      );
    for (let k = 0; k < units; k++)
      for (let p = 0; p < layer.outputs; p++) vectors.data[p + k * layer.outputs] = right.data[k + p * units];
  }
  return { kind: 'diagonal', roots: Math.sqrt(squaredScale(loss, network.outputs)!), vectors, units };
}

/**
 * Δᵀ of each layer, d_ℓ × n·rows (row k of all samples, then row k + 1), where it is needed; the number of rows a
 * sample.
 */
export function errorRows(
  { network, loss, parameters }: Model,
  pass: ForwardPass,
  lastErrors: LastErrors,
  blas: Blas,
): { raw: (Matrix | null)[]; rows: number } {
  const n = pass.count;
  const r = network.outputs;
  const last = network.layers.length - 1;
  const rows = lastErrors.kind === 'diagonal' ? lastErrors.units : r;
  const diagonal = lastErrors.kind === 'diagonal';
  const raw = network.layers.map(({ outputs }, ℓ) => (ℓ === last && diagonal ? null : zeros(outputs, n * rows)));
  if (diagonal && last === 0) return { raw, rows };
  const error = zeros(r, n);
  let reuse: Matrix[] | undefined;
  for (let k = 0; k < rows; k++) {
    if (lastErrors.kind === 'diagonal' && lastErrors.vectors !== null) {
      // One column for all samples: √c·U₁(:, k).
      for (let i = 0; i < n; i++)
        for (let p = 0; p < r; p++)
          error.data[p + i * r] = (lastErrors.roots as number) * lastErrors.vectors.data[p + k * r];
    } else {
      error.data.fill(0);
      for (let i = 0; i < n; i++) error.data[k + i * r] = 1;
      applyLossFactor(loss, pass.output, 'N', error, error);
    }
    reuse = backpropagate(network, parameters, pass, error, { blas, reuse });
    reuse.forEach((delta, ℓ) => {
      if (raw[ℓ] !== null) copyInto(block(raw[ℓ]!, 0, k * n, delta.rows, n), delta);
    });
  }
  return { raw, rows };
}

/**
 * Orthonormal eigenvectors of B·Bᵀ by falling eigenvalue, without those that B's columns do not reach: ‖Bᵀu‖ at
 * rounding level. (Judged by that norm, since the eigenvalue is its square and drowns in rounding long before what it
 * contributes does.)
 */
function eigenvectors(b: Matrix, blas: Blas): { vectors: Matrix } {
  const { rows, cols } = b;
  const gram = zeros(rows, rows);
  blas.syrk('L', 'N', 1, b, 0, gram);
  const values = new Float64Array(rows);
  const info = blas.syevd(true, 'L', gram, values);
  if (info !== 0)
    throw new FactorizationError(
      `The eigenvalues of a Kronecker factor of order ${rows} were not found (syevd: info ${info}).`,
      { routine: 'syevd', info, order: rows },
    );
  const squares = squaredRowNorms(gram, b, blas);
  const noise =
    (Math.max(rows, Math.sqrt(cols)) * Number.EPSILON) ** 2 * squares.reduce((most, s) => Math.max(most, s), 0);
  const kept: number[] = [];
  for (let j = rows - 1; j >= 0; j--) if (squares[j] > noise) kept.push(j);
  const vectors = zeros(rows, kept.length);
  kept.forEach((from, to) => copyInto(block(vectors, 0, to, rows, 1), block(gram, 0, from, rows, 1)));
  return { vectors };
}

/** ‖Bᵀu_j‖² for the columns u_j of U, panel by panel of B's columns. */
function squaredRowNorms(u: Matrix, b: Matrix, blas: Blas): Float64Array {
  const panel = 1024;
  const squares = new Float64Array(u.cols);
  const product = zeros(u.cols, Math.min(panel, b.cols));
  for (let first = 0; first < b.cols; first += panel) {
    const count = Math.min(panel, b.cols - first);
    blas.gemm('T', 'N', 1, u, block(b, 0, first, b.rows, count), 0, block(product, 0, 0, u.cols, count));
    for (let c = 0, at = 0; c < count; c++) for (let j = 0; j < u.cols; j++, at++) squares[j] += product.data[at] ** 2;
  }
  return squares;
}

function complementOf(
  { network, loss, data }: Model,
  pass: ForwardPass,
  lastErrors: LastErrors,
  blas: Blas,
): Complement | null {
  if (lastErrors.kind !== 'diagonal' || lastErrors.vectors === null || lastErrors.units === network.outputs)
    return null;
  const last = network.layers.length - 1;
  const { width } = network.layers[last];
  const inputGram = zeros(width, width);
  blas.syrk('L', 'N', squaredScale(loss, network.outputs)! / data.samples, pass.inputs[last], 0, inputGram);
  for (let j = 0; j < width; j++)
    for (let i = 0; i < j; i++) inputGram.data[i + j * width] = inputGram.data[j + i * width];
  return { inputGram, outputs: network.outputs - lastErrors.units };
}
