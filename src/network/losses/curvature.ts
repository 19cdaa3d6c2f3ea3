/**
 * The Hessian Q of the loss with respect to the outputs, and its factor S, Q = S·Sᵀ, for every sample of a batch.
 * What Q needs of the outputs (softmax probabilities, or variances) a loss computes once in `curvature`, for any number
 * of products.
 *
 * Softmax: Q·1 = 0 and Sᵀ·1 = 0, so where a class m is all but certain both act on u = x − x_m·1, and the terms of m
 * drop out of every sum. Where p_m = 1 but for rounding, Q is as small as the other probabilities are (down to 1e-308),
 * and diag(p)x − p(pᵀx) would leave nothing but rounding of p_m, which is neither symmetric nor positive.
 */
import { ShapeError } from '../../core/errors.js';
import type { Matrix } from '../../dense/matrix.js';

/** A probability above this is told from 1 by the sum of the others. */
const CERTAIN = 1 - 2 ** -10;

/** Q_i of each sample: scale·I; diag(w_i); or diag(w_i) − w_i w_iᵀ. */
export type OutputCurvature =
  | { readonly kind: 'scaled-identity'; readonly rows: number; readonly count: number; readonly scale: number }
  | {
      readonly kind: 'diagonal' | 'softmax';
      readonly rows: number;
      readonly count: number;
      /** r × count, contiguous, in float64: probabilities may lie below the range of float32. */
      readonly weights: Matrix;
    };

/** Number of blocks k of x and out (r × count·k). */
function blocksOf({ rows, count }: OutputCurvature, x: Matrix, out: Matrix): number {
  const blocks = x.cols / Math.max(1, count);
  if (x.rows !== rows || !Number.isInteger(blocks)) {
    throw new ShapeError(
      `The Hessian of the loss acts on blocks of ${rows} × ${count} side by side; the argument is ${x.rows} × ` +
        `${x.cols}.`,
      { outputs: [rows, count], argument: [x.rows, x.cols] },
    );
  }
  if (out.rows !== x.rows || out.cols !== x.cols)
    throw new ShapeError(`The result is ${out.rows} × ${out.cols}, the argument ${x.rows} × ${x.cols}.`, {
      argument: [x.rows, x.cols],
      result: [out.rows, out.cols],
    });
  return blocks;
}

function scaleInto(scale: number, x: Matrix, out: Matrix): void {
  if (scale === 1 && x.data === out.data && x.offset === out.offset && x.ld === out.ld) return;
  for (let j = 0; j < x.cols; j++) {
    const from = x.offset + j * x.ld;
    const to = out.offset + j * out.ld;
    for (let k = 0; k < x.rows; k++) out.data[to + k] = scale * x.data[from + k];
  }
}

/** The columns of one sample: first, first + step, …, one in each block. */
interface SampleColumns {
  first: number;
  readonly step: number;
  readonly blocks: number;
}

/** out ← diag(factors) x for the columns of one sample. */
function scaleSample({ first, step, blocks }: SampleColumns, factors: Float64Array, x: Matrix, out: Matrix): void {
  for (let b = 0; b < blocks; b++) {
    const from = x.offset + (first + b * step) * x.ld;
    const to = out.offset + (first + b * step) * out.ld;
    for (let k = 0; k < x.rows; k++) out.data[to + k] = factors[k] * x.data[from + k];
  }
}

/** The class that is all but certain, or −1: there 1 − p would cancel. */
const certain = (p: Float64Array): number => p.findIndex((value) => value > CERTAIN);

/** out ← factors ∘ (x − pᵀx·1): Q x with factors p, Sᵀx with √p. */
function centreSample(
  { first, step, blocks }: SampleColumns,
  p: Float64Array,
  factors: Float64Array,
  x: Matrix,
  out: Matrix,
): void {
  const m = certain(p);
  const v = x.data;
  const w = out.data;
  for (let b = 0; b < blocks; b++) {
    const from = x.offset + (first + b * step) * x.ld;
    const to = out.offset + (first + b * step) * out.ld;
    const base = m < 0 ? 0 : v[from + m];
    let mean = 0;
    for (let k = 0; k < p.length; k++) mean += p[k] * (v[from + k] - base);
    for (let k = 0; k < p.length; k++) w[to + k] = factors[k] * (v[from + k] - base) - factors[k] * mean;
  }
}

/** out ← √p ∘ x − p(√pᵀx) = S x; at m, √p_m(1 − p_m)x_m − p_m t with t the sum over all others. */
function factorSample(
  { first, step, blocks }: SampleColumns,
  p: Float64Array,
  roots: Float64Array,
  x: Matrix,
  out: Matrix,
): void {
  const m = certain(p);
  let others = 0;
  for (let k = 0; k < p.length; k++) if (k !== m) others += p[k];
  const v = x.data;
  const w = out.data;
  for (let b = 0; b < blocks; b++) {
    const from = x.offset + (first + b * step) * x.ld;
    const to = out.offset + (first + b * step) * out.ld;
    const own = m < 0 ? 0 : v[from + m];
    let rest = 0;
    for (let k = 0; k < p.length; k++) if (k !== m) rest += roots[k] * v[from + k];
    const all = m < 0 ? rest : rest + roots[m] * own;
    for (let k = 0; k < p.length; k++)
      w[to + k] = k === m ? roots[m] * others * own - p[m] * rest : roots[k] * v[from + k] - p[k] * all;
  }
}

/**
 * out_i ← Q_i·x_i for each sample: x and out are r × (count·k), k blocks of count columns, column i of a block
 * belonging to sample i. out may be x. Throws ShapeError.
 */
export function applyCurvature(curvature: OutputCurvature, x: Matrix, out: Matrix): void {
  const blocks = blocksOf(curvature, x, out);
  if (curvature.kind === 'scaled-identity') {
    scaleInto(curvature.scale, x, out);
    return;
  }
  const { kind, rows, count, weights } = curvature;
  const columns: SampleColumns = { first: 0, step: count, blocks };
  const w = new Float64Array(rows);
  for (let i = 0; i < count; i++) {
    columns.first = i;
    for (let k = 0; k < rows; k++) w[k] = weights.data[i * rows + k];
    if (kind === 'softmax') centreSample(columns, w, w, x, out);
    else scaleSample(columns, w, x, out);
  }
}

/**
 * out_i ← S_i·x_i (trans N) or S_iᵀ·x_i (trans T), Q_i = S_i·S_iᵀ; shapes as in `applyCurvature`. Throws ShapeError.
 */
export function applyCurvatureFactor(curvature: OutputCurvature, trans: 'N' | 'T', x: Matrix, out: Matrix): void {
  const blocks = blocksOf(curvature, x, out);
  if (curvature.kind === 'scaled-identity') {
    scaleInto(Math.sqrt(curvature.scale), x, out);
    return;
  }
  const { kind, rows, count, weights } = curvature;
  const columns: SampleColumns = { first: 0, step: count, blocks };
  const w = new Float64Array(rows);
  const root = new Float64Array(rows);
  for (let i = 0; i < count; i++) {
    columns.first = i;
    for (let k = 0; k < rows; k++) {
      w[k] = weights.data[i * rows + k];
      root[k] = Math.sqrt(w[k]);
    }
    if (kind === 'diagonal') scaleSample(columns, root, x, out);
    else if (trans === 'N') factorSample(columns, w, root, x, out);
    else centreSample(columns, w, root, x, out);
  }
}
