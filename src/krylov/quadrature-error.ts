/**
 * How far a Gauss quadrature of so many Lanczos steps may be from the integral, told from fewer steps.
 * With I_½, I_¾ and I the rules of half, three quarters and all of the steps, the changes c₁ = |I_¾ − I_½| and c₂ =
 * |I − I_¾| fall at least geometrically once the rule converges (as ρ^steps, ρ < 1: Ubaru, Chen, Saad 2017, theorem
 * 4.1); what is left is then c₂·q/(1 − q), q = c₂/c₁. Where q ≥ 1 nothing tells that it converges, and the error is
 * infinite.
 */
import type { Blas } from '../dense/blas.js';
import { gaussQuadrature, integrate, type Quadrature, type Tridiagonal } from './lanczos-quadrature.js';

/**
 * The rules of a probe: of all steps, of three quarters, of half of them; `exact` where the space is invariant, which
 * leaves no error.
 */
export interface QuadratureSteps {
  readonly all: Quadrature;
  readonly most: Quadrature;
  readonly half: Quadrature;
  readonly exact: boolean;
}

/** The three rules of a Lanczos matrix. Throws FactorizationError. */
export function quadratureSteps(t: Tridiagonal, blas: Blas): QuadratureSteps {
  const steps = t.diagonal.length;
  const all = gaussQuadrature(t, blas);
  if (t.beside[steps - 1] === 0 || steps < 4) return { all, most: all, half: all, exact: t.beside[steps - 1] === 0 };
  return {
    all,
    most: gaussQuadrature(t, blas, Math.floor((3 * steps) / 4)),
    half: gaussQuadrature(t, blas, Math.floor(steps / 2)),
    exact: false,
  };
}

/** What is left after the changes c₁ and c₂; changes of the size of `rounding` tell nothing more. */
export function remainder(first: number, second: number, rounding: number): number {
  if (second <= rounding) return second;
  if (!(second < first)) return Number.POSITIVE_INFINITY;
  const ratio = second / first;
  return second * Math.max(1, ratio / (1 - ratio));
}

/**
 * The error of (1/p) Σ_l ∫ f dμ_l: the changes are means over the probes of absolute values. Infinite for fewer than
 * 4 steps, unless all spaces are invariant.
 */
export function quadratureError(probes: readonly QuadratureSteps[], f: (eigenvalue: number) => number): number {
  if (probes.every(({ exact }) => exact)) return 0;
  let first = 0;
  let second = 0;
  let size = 0;
  let nodes = 0;
  for (const { all, most, half, exact } of probes) {
    size += integrate(all, (x) => Math.abs(f(x)));
    nodes = Math.max(nodes, all.nodes.length);
    if (exact) continue;
    if (all === half) return Number.POSITIVE_INFINITY;
    const middle = integrate(most, f);
    first += Math.abs(middle - integrate(half, f));
    second += Math.abs(integrate(all, f) - middle);
  }
  const count = probes.length;
  return remainder(first / count, second / count, (8 * nodes * Number.EPSILON * size) / count);
}
