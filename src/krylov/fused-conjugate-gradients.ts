/**
 * Preconditioned conjugate gradients with one reduction for each step, for vectors that ranks share.
 * A. Chronopoulos, C. Gear, *s-step iterative methods for symmetric linear systems*, J. Comput. Appl. Math. 25, 1989
 * (s = 1): products are those of z, and A p follows as p does,
 *
 *   z = M r,  w = A z,  β = rᵀz/r₋ᵀz₋,  p ← z + β p,  s ← w + β s (= A p),  α = rᵀz/pᵀs,  x ← x + α p,  r ← r − α s
 *
 * so that all inner products are known at once, after w. Two departures. pᵀs is not taken from the scalars before
 * (zᵀw − β rᵀz/α₋), which lets errors of orthogonality grow, but from inner products of the vectors that there are,
 *
 *   pᵀs = zᵀw + 2β zᵀs₋ + β² p₋ᵀs₋,   ‖r − α s‖² = rᵀr − 2α (rᵀw + β rᵀs₋) + α² (wᵀw + 2β wᵀs₋ + β² s₋ᵀs₋)
 *
 * and the norm of the next residual likewise, so that no product is made after the last step. Where these terms cancel
 * (eight digits and more) or pᵀs is not above rounding, pᵀs is made anew from a product with p, which also renews s,
 * and the norm by one reduction more (foretold-norm.ts). On kernel matrices of points in the plane with condition
 * numbers from 1e2 to 1e12, with and without preconditioner, that never happens (at most four digits cancel, and seven
 * of the norm): it takes the steps of the method of Hestenes and Stiefel to ±3 % (by the scalars alone up to 9 % more)
 * and reaches its true residual to a factor of 3 (N = 300). The recurrence of s drifts from A p as that of r does from
 * b − Ax: the frame recomputes the true residual, and goes on from it where it misses (single-vector-solver.ts).
 */
import type { RowKernel } from '../operator/row-share.js';
import { CurvatureWatch, curvatureStop, MOST_ASYMMETRY } from './curvature-watch.js';
import { CANCELLED, foretoldNorm } from './foretold-norm.js';
import type { RangedSystem } from './ranged-system.js';
import {
  ABORTED,
  NON_FINITE,
  RESCALED,
  vector,
  type Iterate,
  type Recurrence,
  type Stop,
  type Vector,
} from './single-vector-solver.js';
import { addMultiple, dot, multiplyAdd } from './vector.js';

/** Sums of a step: rᵀr, rᵀz, zᵀz, zᵀw, rᵀw, wᵀw, zᵀs, rᵀs, wᵀs, sᵀs, pᵀs. */
const SUMS = 11;

/** The recurrence over own rows. */
export class FusedConjugateGradients implements Recurrence {
  readonly name: string;
  readonly vectors: number;
  residualNorm = 0;
  products = 0;
  readonly #system: RangedSystem;
  readonly #iterate: Iterate;
  readonly #watch = new CurvatureWatch();
  /** M r; r itself where there is no preconditioner. */
  readonly #z: Vector;
  /** A z. */
  readonly #w: Vector;
  readonly #p: Vector;
  /** A p. */
  readonly #s: Vector;
  readonly #sums = new Float64Array(SUMS);
  readonly #kernel: RowKernel;
  /** rᵀz of the step before; 0 at a start. */
  #rz = 0;
  /** pᵀM⁻¹p. */
  #squared = 0;
  #alpha = 0;
  #steps = 0;

  constructor(name: string, system: RangedSystem, iterate: Iterate) {
    const size = system.operator.rows;
    const { preconditioner } = system;
    this.name = name;
    this.vectors = preconditioner === undefined ? 3 : 4;
    this.#system = system;
    this.#iterate = iterate;
    this.#z = preconditioner === undefined ? iterate.r : vector(size);
    this.#w = vector(size);
    this.#p = vector(size);
    this.#s = vector(size);
    this.#kernel = stepSums(iterate.r.data, this.#z.data, this.#w.data, this.#p.data, this.#s.data);
  }

  begin(residualNorm: number, fresh: boolean): void {
    if (fresh) this.#watch.clear();
    this.#squared = 0;
    this.residualNorm = residualNorm;
    this.#rz = 0;
    this.#steps = 0;
    this.#p.data.fill(0);
    this.#s.data.fill(0);
  }

  step(): Stop | undefined {
    const { r } = this.#iterate;
    const z = this.#z;
    const w = this.#w;
    const { operator, preconditioner, rows } = this.#system;
    if (preconditioner !== undefined) {
      preconditioner.applyUnchecked(z.matrix, r.matrix, 1, 0);
      this.#system.settlePreconditioner(r.data, z.data);
    }
    operator.applyUnchecked(w.matrix, z.matrix, 1, 0);
    this.products++;
    if (this.#system.settle(z.data, w.data)) return RESCALED;
    rows.sums(SUMS, this.#kernel, this.#sums);
    if (rows.raised) return ABORTED;
    const [rr, rz, zz, zw, rw, ww, zs, rs, ws, ss, ps] = this.#sums;
    if (!Number.isFinite(rz)) return NON_FINITE;
    if (rz <= 0)
      return { outcome: 'indefinitePreconditioner', preconditionerCurvature: this.#system.curvatureOf(rz / rr) };
    if (this.#steps === 1 && preconditioner !== undefined) {
      const asymmetry = this.#asymmetry(rz, zs, Math.sqrt(zz * ss));
      if (asymmetry > MOST_ASYMMETRY) return { outcome: 'asymmetricPreconditioner', asymmetry };
    }
    const beta = this.#rz === 0 ? 0 : rz / this.#rz;
    const curvature = zw + beta * (2 * zs + beta * ps);
    if (!Number.isFinite(curvature)) return NON_FINITE;
    const terms = Math.abs(zw) + beta * (2 * Math.abs(zs) + beta * Math.abs(ps));
    this.#rz = rz;
    this.#squared = rz + beta * beta * this.#squared;
    multiplyAdd(this.#p.data, beta, z.data);
    if (!this.#watch.allows(curvature, this.#squared) || curvature <= CANCELLED * terms) return this.#stepByProduct(rr);
    multiplyAdd(this.#s.data, beta, w.data);
    return this.#advance(
      curvature,
      { rr, rs: rw + beta * rs, ss: ww + beta * (2 * ws + beta * ss) },
      { rs: Math.abs(rw) + beta * Math.abs(rs), ss: ww + beta * (2 * Math.abs(ws) + beta * ss) },
    );
  }

  /** Where pᵀs has been rounded away: s and its inner products from a product with p. */
  #stepByProduct(rr: number): Stop | undefined {
    const p = this.#p;
    const s = this.#s;
    const r = this.#iterate.r.data;
    const { operator, rows } = this.#system;
    operator.applyUnchecked(s.matrix, p.matrix, 1, 0);
    this.products++;
    const kernel: RowKernel = (begin, end, out, at) => {
      out[at] = dot(p.data, s.data, begin, end);
      out[at + 1] = dot(p.data, p.data, begin, end);
      out[at + 2] = dot(r, s.data, begin, end);
      out[at + 3] = dot(s.data, s.data, begin, end);
    };
    rows.sums(4, kernel, this.#sums);
    const [ps, pp, rs, ss] = this.#sums;
    if (!Number.isFinite(ps)) return NON_FINITE;
    if (!this.#watch.allows(ps, this.#squared)) return curvatureStop(p, ps, pp);
    return this.#advance(ps, { rr, rs, ss }, { rs: Math.abs(rs), ss });
  }

  /**
   * x and r along p and s, by α = rᵀz/pᵀs; inner products are those of r before, `sizes` those of the terms of which
   * they were added.
   */
  #advance(
    ps: number,
    { rr, rs, ss }: { readonly rr: number; readonly rs: number; readonly ss: number },
    sizes: { readonly rs: number; readonly ss: number },
  ): Stop | undefined {
    const alpha = this.#rz / ps;
    if (!Number.isFinite(alpha) || !Number.isFinite(rs) || !Number.isFinite(ss)) return NON_FINITE;
    const { x, r } = this.#iterate;
    addMultiple(x.data, alpha, this.#p.data);
    addMultiple(r.data, -alpha, this.#s.data);
    this.#alpha = alpha;
    this.#steps++;
    const squared = rr - alpha * (2 * rs - alpha * ss);
    const size = rr + Math.abs(alpha) * (2 * sizes.rs + Math.abs(alpha) * sizes.ss);
    this.residualNorm = foretoldNorm(this.#system.rows, r.data, squared, size);
    return undefined;
  }

  /**
   * |r₀ᵀM r₁ − r₁ᵀM r₀| over √(r₀ᵀMr₀ · r₁ᵀMr₁) at the second step, where s is A p₀ = (r₀ − r₁)/α, and r₁ᵀM r₀ zero
   * by the choice of α; less what rounding may have added. `lengths` is ‖z‖‖s‖.
   */
  #asymmetry(rz: number, zs: number, lengths: number): number {
    const difference = Math.abs(this.#alpha * zs + rz);
    const rounding = 4 * Math.sqrt(this.#system.rows.size) * Number.EPSILON * (Math.abs(this.#alpha) * lengths + rz);
    return Math.max(0, difference - rounding) / Math.sqrt(rz * this.#rz);
  }
}

/** The inner products of a step in one pass over five vectors. */
function stepSums(r: Float64Array, z: Float64Array, w: Float64Array, p: Float64Array, s: Float64Array): RowKernel {
  return (begin, end, out, at) => {
    let rr = 0;
    let rz = 0;
    let zz = 0;
    let zw = 0;
    let rw = 0;
    let ww = 0;
    let zs = 0;
    let rs = 0;
    let ws = 0;
    let ss = 0;
    let ps = 0;
    for (let i = begin; i < end; i++) {
      const ri = r[i];
      const zi = z[i];
      const wi = w[i];
      const si = s[i];
      rr += ri * ri;
      rz += ri * zi;
      zz += zi * zi;
      zw += zi * wi;
      rw += ri * wi;
      ww += wi * wi;
      zs += zi * si;
      rs += ri * si;
      ws += wi * si;
      ss += si * si;
      ps += p[i] * si;
    }
    out[at] = rr;
    out[at + 1] = rz;
    out[at + 2] = zz;
    out[at + 3] = zw;
    out[at + 4] = rw;
    out[at + 5] = ww;
    out[at + 6] = zs;
    out[at + 7] = rs;
    out[at + 8] = ws;
    out[at + 9] = ss;
    out[at + 10] = ps;
  };
}
