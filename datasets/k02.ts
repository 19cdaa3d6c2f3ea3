/**
 * K02: the inverse squared 2-D Poisson operator. Test data.
 * K = J⁻² with J the 5-point Poisson operator on an n × n grid with Dirichlet boundary, N = n², scaled to ‖K‖₂ = 1;
 * after the SC17 artifact of GOFMM (C. D. Yu, J. Levitt, S. Reiz, G. Biros, Geometry-oblivious FMM for compressing
 * dense SPD matrices, SC17, arXiv 1707.00164).
 *
 * J's eigenvectors are the products of sines, its eigenvalues (up to a factor) ν_j + ν_k, ν_j = 4 sin²(πj/(2(n+1))).
 * With μ_jk = ((ν_j + ν_k)/(2ν_1))⁻² (largest: μ_11 = 1, so ‖K‖₂ = 1 by construction) and T(u, v) = (n+1)⁻² Σ_jk μ_jk
 * cos(πju/(n+1)) cos(πkv/(n+1)), for grid points (a, b), (c, d), 1 ≤ a, b, c, d ≤ n:
 *     K = T(a−c, b−d) − T(a+c, b−d) − T(a−c, b+d) + T(a+c, b+d),
 * four look-ups an entry, in a table of (3n + 1)² numbers. Products by two sine transforms, as matrix products.
 */
import type { Indices } from '../src/core/indices.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Blas } from '../src/dense/blas.js';
import { copyInto, view, zeros, type Matrix } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import { builtIn } from '../src/parallel/built-in.js';
import type { EntrySource, Points, SourceContext, SourceDescriptor } from '../src/source/entry-source.js';
import { columnsAtOnce, combine, gridPoints, gridSide } from './grid.js';

interface K02Data {
  readonly n: number;
  readonly table: Float64Array;
  readonly points: Points;
}

/** K02 of size N = n², n ≥ 2. Its condition number is (ν_n/ν_1)² ≈ (2(n+1)/π)⁴: 2.9e6 for N = 4,096. */
export function k02(size: number, context: SourceContext): K02 {
  const n = gridSide(size, 2);
  const ticks = Float64Array.from({ length: n }, (_, i) => (i + 1) / (n + 1));
  return new K02({ n, table: tableOf(n, context.blas), points: gridPoints(ticks) }, context);
}

/** A worker's copy, from the descriptor's data. */
export function openK02(data: K02Data, context: SourceContext): EntrySource {
  return new K02(data, context);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openK02', openK02);

/** μ_jk, j, k = 1 … n, column-major. */
function spectrum(n: number): Float64Array {
  const ν = Float64Array.from({ length: n }, (_, j) => 4 * Math.sin((Math.PI * (j + 1)) / (2 * (n + 1))) ** 2);
  const μ = new Float64Array(n * n);
  for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) μ[j + k * n] = ((ν[j] + ν[k]) / (2 * ν[0])) ** -2;
  return μ;
}

/**
 * T(u, v) is at (u + n) + (v + n)·width, −n ≤ u, v ≤ 2n: every sum and difference of grid coordinates, without folding.
 */
const widthOf = (n: number): number => 3 * n + 1;

function tableOf(n: number, blas: Blas): Float64Array {
  const side = n + 2;
  const cosines = zeros(side, n);
  // cos(πju/(n+1)) from its argument reduced to a period: no loss for large j·u.
  for (let j = 0; j < n; j++)
    for (let u = 0; u < side; u++)
      cosines.data[u + j * side] = Math.cos((Math.PI * (((j + 1) * u) % (2 * (n + 1)))) / (n + 1));
  const half = zeros(side, n);
  blas.gemm('N', 'N', 1, cosines, view(spectrum(n), 0, n, n), 0, half);
  // 0 ≤ u, v ≤ n + 1; the rest follows, T being even and 2(n+1)-periodic.
  const quarter = zeros(side, side);
  blas.gemm('N', 'T', 1 / (n + 1) ** 2, half, cosines, 0, quarter);
  const fold = (u: number): number => n + 1 - Math.abs(Math.abs(u) - (n + 1));
  const width = widthOf(n);
  const table = sharedFloat64(width * width);
  for (let v = -n; v <= 2 * n; v++)
    for (let u = -n; u <= 2 * n; u++) table[u + n + (v + n) * width] = quarter.data[fold(u) + fold(v) * side];
  return table;
}

export class K02 implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly operator: LinearOperator;
  readonly descriptor: SourceDescriptor;
  readonly #n: number;
  readonly #table: Float64Array;
  /** Per row (a, b) of the block at hand: a + b·width. */
  #base = new Int32Array(0);

  constructor(data: K02Data, context: SourceContext) {
    this.#n = data.n;
    this.size = data.n * data.n;
    this.points = data.points;
    this.#table = data.table;
    this.operator = productsOfK02(data.n, context.blas);
    this.descriptor = { ...WORKERS_COPY, data };
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    const n = this.#n;
    const width = widthOf(n);
    const table = this.#table;
    const m = rows.length;
    if (this.#base.length < m) this.#base = new Int32Array(2 * m);
    const base = this.#base;
    for (let i = 0; i < m; i++) {
      const b = (rows[i] / n) | 0;
      base[i] = rows[i] - b * n + 1 + (b + 1) * width;
    }
    const y = out.data as Float64Array;
    for (let j = 0; j < cols.length; j++) {
      const d = ((cols[j] / n) | 0) + 1;
      const c = cols[j] - (d - 1) * n + 1;
      const q = out.offset + j * out.ld;
      // Where T(−c, −d), T(c, −d), T(−c, d), T(c, d) lie: (a, b) moves all four alike.
      const nearNear = (n - c + (n - d) * width) | 0;
      const farNear = (n + c + (n - d) * width) | 0;
      const nearFar = (n - c + (n + d) * width) | 0;
      const farFar = (n + c + (n + d) * width) | 0;
      for (let i = 0; i < m; i++) {
        const p = base[i];
        y[q + i] =
          table[(p + nearNear) | 0] - table[(p + farNear) | 0] - (table[(p + nearFar) | 0] - table[(p + farFar) | 0]);
      }
    }
  }

  diagonal(out: Float64Array): void {
    const n = this.#n;
    const width = widthOf(n);
    const table = this.#table;
    const at = (u: number, v: number): number => table[u + n + (v + n) * width];
    for (let i = 0; i < this.size; i++) {
      const u = 2 * ((i % n) + 1);
      const v = 2 * (Math.floor(i / n) + 1);
      out[i] = at(0, 0) - at(u, 0) - (at(0, v) - at(u, v));
    }
  }
}

/** Products with K02 as X ← S(μ ∘ (S X S))S per vector, S the orthogonal sine transform of type I. O(n³) a vector. */
function productsOfK02(n: number, blas: Blas): LinearOperator {
  const size = n * n;
  let sines: Matrix | undefined;
  let μ: Float64Array = new Float64Array(0);
  let a = new Float64Array(0);
  let b = new Float64Array(0);
  const prepare = (count: number): Matrix => {
    if (a.length < size * count) {
      a = new Float64Array(size * count);
      b = new Float64Array(size * count);
    }
    if (sines !== undefined) return sines;
    μ = spectrum(n);
    sines = zeros(n, n);
    const scale = Math.sqrt(2 / (n + 1));
    for (let k = 0; k < n; k++)
      for (let j = 0; j < n; j++)
        sines.data[j + k * n] = scale * Math.sin((Math.PI * (((j + 1) * (k + 1)) % (2 * (n + 1)))) / (n + 1));
    return sines;
  };
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => 8 * n * size * vectors,
    applyUnchecked(out, x, alpha, beta) {
      const step = columnsAtOnce(size);
      for (let first = 0; first < x.cols; first += step) {
        const count = Math.min(step, x.cols - first);
        const s = prepare(count);
        copyInto(view(a, 0, size, count), view(x.data, x.offset + first * x.ld, size, count, x.ld));
        for (let pass = 0; pass < 2; pass++) {
          blas.gemm('N', 'N', 1, s, view(a, 0, n, n * count), 0, view(b, 0, n, n * count));
          for (let k = 0; k < count; k++)
            blas.gemm('N', 'N', 1, view(b, k * size, n, n), s, 0, view(a, k * size, n, n));
          if (pass === 0) for (let k = 0; k < count; k++) for (let i = 0; i < size; i++) a[k * size + i] *= μ[i];
        }
        combine(out, first, count, alpha, a, beta);
      }
    },
  };
}
