/**
 * The largest eigenvalue of a symmetric positive semidefinite operator, by which the test matrices are scaled. Test
 * data. Lanczos with full reorthogonalisation: G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed., 2013, §10.3.
 */
import { FactorizationError } from '../src/core/errors.js';
import { RandomStream } from '../src/core/random.js';
import type { Blas } from '../src/dense/blas.js';
import { view, zeros } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';

/**
 * λ_max to a relative residual of `tolerance`; its relative error is at most that, and usually about the residual's
 * square over the relative gap.
 */
export function largestEigenvalue(operator: LinearOperator, blas: Blas, tolerance = 1e-8, limit = 400): number {
  const n = operator.rows;
  const steps = Math.min(limit, n);
  const basis = zeros(n, steps + 1);
  const w = zeros(n, 1);
  const coefficients = zeros(steps + 1, 1);
  const α = new Float64Array(steps);
  const β = new Float64Array(steps);
  const random = new RandomStream(1, 0x6c616e63);
  random.fillNormal(w.data);
  normalise(w.data as Float64Array, basis.data as Float64Array, 0, n);
  for (let k = 0; k < steps; k++) {
    const q = view(basis.data, k * n, n, 1);
    operator.applyUnchecked(w, q, 1, 0);
    const known = view(basis.data, 0, n, k + 1);
    // Twice is enough (Kahan, Parlett): w ← (I − QQᵀ)²w, α_k = q_kᵀAq_k from the first pass.
    for (let pass = 0; pass < 2; pass++) {
      const c = view(coefficients.data, 0, k + 1, 1);
      blas.gemm('T', 'N', 1, known, w, 0, c);
      if (pass === 0) α[k] = coefficients.data[k];
      blas.gemm('N', 'N', -1, known, c, 1, w);
    }
    β[k] = normalise(w.data as Float64Array, basis.data as Float64Array, (k + 1) * n, n);
    if (k === steps - 1 || k % 4 === 3 || β[k] <= tolerance * Math.abs(α[0])) {
      const { value, last } = topOfTridiagonal(α, β, k + 1, blas);
      if (β[k] * last <= tolerance * value) return value;
    }
  }
  throw new FactorizationError(`Lanczos did not find the largest eigenvalue in ${steps} steps.`, { steps });
}

/** to[offset …] ← w/‖w‖; returns ‖w‖. */
function normalise(w: Float64Array, to: Float64Array, offset: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += w[i] * w[i];
  const norm = Math.sqrt(sum);
  const factor = norm > 0 ? 1 / norm : 0;
  for (let i = 0; i < n; i++) to[offset + i] = w[i] * factor;
  return norm;
}

/**
 * The largest eigenvalue of the k × k tridiagonal matrix (α; β), and the size of its unit eigenvector's last component.
 */
function topOfTridiagonal(α: Float64Array, β: Float64Array, k: number, blas: Blas): { value: number; last: number } {
  const t = zeros(k, k);
  for (let i = 0; i < k; i++) {
    t.data[i * (k + 1)] = α[i];
    if (i + 1 < k) t.data[i * (k + 1) + 1] = β[i];
  }
  const values = new Float64Array(k);
  const info = blas.syevd(true, 'L', t, values);
  if (info !== 0)
    throw new FactorizationError(`The tridiagonal eigenproblem failed (syevd: info = ${info}).`, {
      routine: 'syevd',
      info,
    });
  return { value: values[k - 1], last: Math.abs(t.data[k * k - 1]) };
}
