/**
 * The errors' Gram matrices of one batch, from the last layer down to the first.
 * Notation and forms: `layer-grams.ts`; the choice between them: `layer-gram-plan.ts`.
 */
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import { scaleStack } from '../../dense/stacks.js';
import type { ForwardPass } from '../../network/forward.js';
import type { LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';
import { transposedWeights, type ErrorGramPlan } from './layer-gram-plan.js';
import { columnsOf, expandShared, gramsOfColumns, type ErrorGrams } from './layer-grams.js';
import { outputHessian } from '../../network/losses/output-hessian.js';
import { sampleOutputErrors } from '../../network/losses/sampled-errors.js';
import type { GramWork, Scratch } from './scratch.js';

/** The network that errors are passed down in, and how. */
export interface ErrorGramModel {
  readonly network: Network;
  /** In double precision. */
  readonly parameters: FloatArray;
  readonly loss: LossName;
  readonly plan: ErrorGramPlan;
  /** Where error columns are sampled: draws for each sample. */
  readonly sampling: { readonly draws: number; readonly seed: number } | null;
}

/**
 * Called with the layer's index, its grams, and which of the batch's samples they are of; the grams are valid until it
 * returns.
 */
export type ErrorGramVisitor = (layer: number, grams: ErrorGrams, first: number, count: number) => void;

/**
 * Visits the layers of a double-precision pass from last to first, slab by slab of samples; `firstSample` numbers the
 * batch's first sample.
 */
export function walkErrorGrams(
  model: ErrorGramModel,
  pass: ForwardPass,
  firstSample: number,
  visit: ErrorGramVisitor,
  work: GramWork,
): void {
  const { slab } = model.plan;
  for (let first = 0; first < pass.count; first += slab) {
    const count = Math.min(slab, pass.count - first);
    walkSlab(
      model,
      slice(pass, first, count),
      firstSample + first,
      (layer, grams) => visit(layer, grams, first, count),
      work,
    );
  }
}

function walkSlab(
  model: ErrorGramModel,
  pass: ForwardPass,
  firstSample: number,
  visit: (layer: number, grams: ErrorGrams) => void,
  work: GramWork,
): void {
  const { scratch } = work;
  const last = model.network.layers.length - 1;
  let grams = outputGrams(model, pass, firstSample, scratch);
  visit(last, grams);
  for (let ℓ = last - 1; ℓ >= 0; ℓ--) {
    grams = passDown(model, ℓ, grams, pass, work);
    visit(ℓ, grams);
  }
}

function slice(pass: ForwardPass, first: number, count: number): ForwardPass {
  if (count === pass.count) return pass;
  const columns = (a: Matrix): Matrix => columnsOf(a, first, count);
  return {
    count,
    inputs: pass.inputs.map(columns),
    slopes: pass.slopes.map((slope) => slope && columns(slope)),
    curvatures: null,
    output: columns(pass.output),
  };
}

function outputGrams(
  { network, loss, plan, sampling }: ErrorGramModel,
  pass: ForwardPass,
  firstSample: number,
  scratch: Scratch,
): ErrorGrams {
  const last = network.layers.length - 1;
  if (sampling !== null) {
    const { draws, seed } = sampling;
    const columns = scratch.matrix(`layer ${last}`, network.outputs, pass.count * draws);
    sampleOutputErrors(loss, pass.output, { draws, seed, first: firstSample }, columns);
    scaleBySlopes(columns, draws, pass.slopes[last]);
    return { form: 'columns', columns, each: draws };
  }
  const form = plan.forms[last];
  if (form.form === 'uniform') return form;
  const { roots, softmax } = outputHessian(loss, pass);
  return softmax === null ? { form: 'diagonal', roots } : { form: 'softmax', roots, softmax };
}

/** Layer ℓ's grams from those of layer ℓ + 1 (both counted from 0). */
function passDown(model: ErrorGramModel, ℓ: number, above: ErrorGrams, pass: ForwardPass, work: GramWork): ErrorGrams {
  const { scratch } = work;
  const { network, parameters, plan } = model;
  const form = plan.forms[ℓ];
  const slopes = pass.slopes[ℓ];
  const { count } = pass;
  if (form.form === 'shared') return { ...form, slopes };
  const d = network.layers[ℓ].outputs;
  const weights = transposedWeights(network.layers[ℓ + 1], parameters);
  if (form.form === 'columns') {
    const columns = scratch.matrix(`layer ${ℓ}`, d, count * form.each);
    passColumns(above, weights, columns, work);
    scaleBySlopes(columns, form.each, slopes);
    return { form: 'columns', columns, each: form.each };
  }
  const grams = scratch.matrix(`layer ${ℓ}`, d, count * d);
  if (above.form === 'grams') passGrams(above.grams, weights, grams, work);
  else columnsToGrams(above, form.form === 'grams' ? form.each : 0, weights, grams, work);
  scaleBothSides(grams, slopes);
  return { form: 'grams', grams };
}

/** columns ← WᵀX_i for all samples, X_i any factor of the grams above. */
function passColumns(above: ErrorGrams, weights: Matrix, columns: Matrix, { blas, scratch }: GramWork): void {
  if (above.form === 'columns') blas.gemm('N', 'N', 1, weights, above.columns, 0, columns);
  else if (above.form === 'shared' && above.slopes !== null)
    blas.gemm('N', 'N', 1, weights, expandShared(above.factor, above.slopes, scratch), 0, columns);
  else if (above.form === 'diagonal') scaleColumns(weights, above.roots, columns);
  else if (above.form === 'softmax') {
    // S = diag(√p) − p√pᵀ and D_i before it: column k is √p_k (φ′_k e_k − u), u = φ′∘p.
    const { roots, softmax } = above;
    const mean = scratch.matrix('mean', weights.rows, roots.cols);
    blas.gemm('N', 'N', 1, weights, softmax.outer, 0, mean);
    scaleColumns(weights, roots, columns);
    subtractMeans(softmax.roots, mean, columns);
  }
}

/** columns(:, (i, k)) ← roots(k, i)·Wᵀ(:, k). */
function scaleColumns(weights: Matrix, roots: Matrix, columns: Matrix): void {
  const { rows: d, cols: r } = weights;
  const w = weights.data;
  const x = columns.data;
  for (let i = 0, p = columns.offset; i < roots.cols; i++) {
    for (let k = 0; k < r; k++) {
      const root = roots.data[roots.offset + i * r + k];
      const from = weights.offset + k * weights.ld;
      for (let a = 0; a < d; a++) x[p++] = root * w[from + a];
    }
  }
}

/** columns(:, (i, k)) ← itself − √p(k, i)·mean(:, i). */
function subtractMeans(roots: Matrix, mean: Matrix, columns: Matrix): void {
  const { rows: r, cols: count } = roots;
  const d = mean.rows;
  const x = columns.data;
  for (let i = 0, p = columns.offset; i < count; i++) {
    for (let k = 0; k < r; k++) {
      const root = roots.data[roots.offset + i * r + k];
      for (let a = 0; a < d; a++) x[p++] -= root * mean.data[i * d + a];
    }
  }
}

/** grams_i ← (WᵀX_i)(WᵀX_i)ᵀ, a few samples at a time so that their columns stay in cache. */
function columnsToGrams(above: ErrorGrams, each: number, weights: Matrix, grams: Matrix, work: GramWork): void {
  const { blas, scratch } = work;
  const d = weights.rows;
  const count = grams.cols / d;
  const few = Math.max(1, Math.min(count, Math.floor(2 ** 17 / (d * each))));
  for (let first = 0; first < count; first += few) {
    const some = Math.min(few, count - first);
    const columns = scratch.matrix('some columns', d, some * each);
    passColumns(samplesOf(above, first, some), weights, columns, work);
    gramsOfColumns(columns, each, columnsOf(grams, first * d, some * d), blas);
  }
}

/** The grams of some of a slab's samples. */
function samplesOf(grams: ErrorGrams, first: number, count: number): ErrorGrams {
  const part = (a: Matrix): Matrix => columnsOf(a, first, count);
  switch (grams.form) {
    case 'uniform':
      return grams;
    case 'diagonal':
      return { ...grams, roots: part(grams.roots) };
    case 'softmax': {
      const { roots, complements, outer } = grams.softmax;
      return {
        ...grams,
        roots: part(grams.roots),
        softmax: { roots: part(roots), complements: part(complements), outer: part(outer) },
      };
    }
    case 'shared':
      return { ...grams, slopes: grams.slopes && part(grams.slopes) };
    case 'columns':
      return { ...grams, columns: columnsOf(grams.columns, first * grams.each, count * grams.each) };
    case 'grams':
      return { ...grams, grams: columnsOf(grams.grams, first * grams.grams.rows, count * grams.grams.rows) };
  }
}

/** grams_i ← Wᵀ M_i W. */
function passGrams(above: Matrix, weights: Matrix, grams: Matrix, { blas, scratch }: GramWork): void {
  const { rows: d, cols: wide } = weights;
  const half = scratch.matrix('half', d, wide);
  for (let i = 0; i < grams.cols / d; i++) {
    blas.gemm('N', 'N', 1, weights, columnsOf(above, i * wide, wide), 0, half);
    blas.gemm('N', 'T', 1, half, weights, 0, columnsOf(grams, i * d, d));
  }
}

/** X_i ← D_i X_i for samples of `each` columns; columns from the start of their array. */
function scaleBySlopes({ data }: Matrix, each: number, slopes: Matrix | null): void {
  if (slopes !== null) scaleStack(data, data, slopes, each);
}

/** M_i ← D_i M_i D_i. */
function scaleBothSides(grams: Matrix, slopes: Matrix | null): void {
  if (slopes === null) return;
  const { rows: d, cols: count } = slopes;
  const m = grams.data;
  const s = slopes.data;
  for (let i = 0, p = grams.offset; i < count; i++) {
    const slope = slopes.offset + i * d;
    for (let b = 0; b < d; b++) for (let a = 0; a < d; a++) m[p++] *= s[slope + a] * s[slope + b];
  }
}
