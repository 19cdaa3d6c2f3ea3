/**
 * How far a Monte Carlo Fisher strays: a bound on the variance of its entries.
 * A draw of sample i is g = J_iᵀe with e = ∂loss/∂f at a label drawn from the model (sampled-errors.ts), E e = 0, E[e
 * eᵀ] = Q_i, so E[g gᵀ] = G_i = J_iᵀQ_iJ_i. With u = J_i(:, a) and v = J_i(:, b), Var(g_a g_b) = E[(uᵀe)²(vᵀe)²] −
 * (G_i)_ab² ≤ κ_i (G_i)_aa (G_i)_bb, where κ_i is
 *   2                            for squared errors: e is normal, and by Isserlis' theorem the variance is (G_i)_aa
 *   (G_i)_bb + (G_i)_ab²;
 *   2 + max_k (1/q_k − 6)₊       for bce, q = p(1 − p): the same plus Σ_k u_k²v_k²(E e_k⁴ − 3q_k²), and E e_k⁴ = q_k(1
 *   − 3q_k);
 *   1/min_c p_c − 1              for the cross-entropy: a variable of mean 0 takes a value of probability p whose
 *   square is at most its variance times (1 − p)/p.
 * With s independent draws for each of n samples: Var(F_ab) ≤ (1/(n²s)) Σ_i κ_i (G_i)_aa (G_i)_bb.
 */
import type { Matrix } from '../../dense/matrix.js';
import type { LossName } from './evaluate.js';
import { modelProbabilities } from './output-hessian.js';

/** κ_i for each column of the network's outputs (r × n); infinite where a probability is zero in floating point. */
export function samplingVarianceFactors(loss: LossName, output: Matrix): Float64Array {
  const { rows: r, cols: n } = output;
  const factors = new Float64Array(n).fill(2);
  if (loss !== 'bce' && loss !== 'cross-entropy') return factors;
  const p = modelProbabilities(loss, output).data;
  for (let i = 0; i < n; i++) {
    let least = Infinity;
    for (let k = i * r; k < (i + 1) * r; k++) least = Math.min(least, loss === 'bce' ? p[k] * (1 - p[k]) : p[k]);
    factors[i] = loss === 'bce' ? 2 + Math.max(0, 1 / least - 6) : 1 / least - 1;
  }
  return factors;
}
