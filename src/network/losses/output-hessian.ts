/**
 * The Hessian of the loss at the last layer's z_L, sample by sample: D_i Q_i D_i with D_i = diag φ′_L(z_{L,i}).
 * For every loss here Q_i is a diagonal, or a diagonal less one outer product: q·I of the squared losses, bce diag(σ(1
 * − σ)), cross-entropy diag(p) − ppᵀ. Nothing of size r × r is formed per sample.
 */
import { view, type Matrix } from '../../dense/matrix.js';
import type { ForwardPass } from '../forward.js';
import { lossOf, type LossName } from './table.js';

/**
 * D_i Q_i D_i = diag(roots_i²) − outer_i·outer_iᵀ, the second term only for losses of a softmax; column i belongs to
 * sample i.
 */
export interface OutputHessian {
  /** φ′(z_L) ∘ √q with q of a squared loss, σ(1 − σ) or p: r × count. */
  readonly roots: Matrix;
  readonly softmax: SoftmaxPart | null;
}

/** All r × count. */
export interface SoftmaxPart {
  /** √p. */
  readonly roots: Matrix;
  /** 1 − p, without cancellation where p is near one. */
  readonly complements: Matrix;
  /** φ′(z_L) ∘ p. */
  readonly outer: Matrix;
}

/** For double-precision passes. */
export function outputHessian(loss: LossName, { output, slopes }: ForwardPass): OutputHessian {
  const { rows: r, cols: count } = output;
  const matrix = (data: Float64Array): Matrix => view(data, 0, r, count);
  const curvature = lossOf(loss).curvature(output);
  const slope = slopes[slopes.length - 1];
  const roots = new Float64Array(r * count);
  if (curvature.kind === 'scaled-identity') roots.fill(Math.sqrt(curvature.scale));
  else for (let i = 0; i < roots.length; i++) roots[i] = Math.sqrt(curvature.weights.data[i]);
  let softmax: SoftmaxPart | null = null;
  if (curvature.kind === 'softmax') {
    const p = curvature.weights.data;
    softmax = {
      roots: matrix(roots.slice()),
      complements: matrix(complementsOf(p, r, count)),
      outer: matrix(Float64Array.from(p)),
    };
    if (slope !== null) scaleBy(softmax.outer.data, slope);
  }
  if (slope !== null) scaleBy(roots, slope);
  return { roots: matrix(roots), softmax };
}

/** x ← x ∘ s, both contiguous. */
function scaleBy(x: Matrix['data'], { data: s, offset }: Matrix): void {
  for (let i = 0; i < x.length; i++) x[i] *= s[offset + i];
}

/** 1 − p for columns of probabilities; of the one entry above a half, as the sum of the others. */
function complementsOf(p: Matrix['data'], r: number, count: number): Float64Array {
  const complements = new Float64Array(r * count);
  for (let i = 0; i < count; i++) {
    const at = i * r;
    let likely = -1;
    for (let k = 0; k < r; k++) {
      complements[at + k] = 1 - p[at + k];
      if (p[at + k] > 0.5) likely = k;
    }
    if (likely < 0) continue;
    let others = 0;
    for (let k = 0; k < r; k++) if (k !== likely) others += p[at + k];
    complements[at + likely] = others;
  }
  return complements;
}
