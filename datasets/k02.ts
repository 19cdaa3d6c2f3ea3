/**
 * K02: the inverse squared 2-D Poisson operator. Test data.
 * K = J⁻² with J the 5-point Poisson operator on an n × n grid with Dirichlet boundary, N = n², scaled to ‖K‖₂ = 1; after the SC17 artifact of GOFMM
 * (C. D. Yu, J. Levitt, S. Reiz, G. Biros, Geometry-oblivious FMM for compressing dense SPD matrices, SC17, arXiv 1707.00164).
 *
 * J's eigenvectors are the products of sines, its eigenvalues (up to a factor) ν_j + ν_k, ν_j = 4 sin²(πj/(2(n+1))). With μ_jk = ((ν_j + ν_k)/(2ν_1))⁻²
 * (largest: μ_11 = 1, so ‖K‖₂ = 1 by construction) and T(u, v) = (n+1)⁻² Σ_jk μ_jk cos(πju/(n+1)) cos(πkv/(n+1)), for grid points (a, b), (c, d), 1 ≤ a, b, c, d ≤ n:
 *     K = T(a−c, b−d) − T(a+c, b−d) − T(a−c, b+d) + T(a+c, b+d),
 * four look-ups an entry. T is even and 2(n+1)-periodic, so a table over 0 … n+1 suffices. Products by two sine transforms, as matrix products.
 */
import type { Indices } from '../src/core/indices.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Blas } from '../src/dense/blas.js';
import { copyInto, view, zeros, type Matrix } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import type { EntrySource, Points, SourceContext, SourceDescriptor } from '../src/source/entry-source.js';
import { columnsAtOnce, combine, gridPoints, gridSide } from './grid.js';

interface K02Data { readonly n: number; readonly table: Float64Array; readonly points: Points }

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

/** μ_jk, j, k = 1 … n, column-major. */
function spectrum(n: number): Float64Array {
  const ν = Float64Array.from({ length: n }, (_, j) => 4 * Math.sin((Math.PI * (j + 1)) / (2 * (n + 1))) ** 2);
  const μ = new Float64Array(n * n);
  for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) μ[j + k * n] = ((ν[j] + ν[k]) / (2 * ν[0])) ** -2;
  return μ;
}

/** T(u, v), u, v = 0 … n + 1: a symmetric (n + 2) × (n + 2) table. */
function tableOf(n: number, blas: Blas): Float64Array {
  const cosines = zeros(n + 2, n);
  // cos(πju/(n+1)) from its argument reduced to a period: no loss for large j·u.
  for (let j = 0; j < n; j++) for (let u = 0; u < n + 2; u++) cosines.data[u + j * (n + 2)] = Math.cos((Math.PI * (((j + 1) * u) % (2 * (n + 1)))) / (n + 1));
  const half = zeros(n + 2, n);
  blas.gemm('N', 'N', 1, cosines, view(spectrum(n), 0, n, n), 0, half);
  const table = view(sharedFloat64((n + 2) ** 2), 0, n + 2, n + 2);
  blas.gemm('N', 'T', 1 / (n + 1) ** 2, half, cosines, 0, table);
  // T is symmetric in exact arithmetic; made so to the bit.
  for (let v = 0; v < n + 2; v++) for (let u = 0; u < v; u++) table.data[u + v * (n + 2)] = table.data[v + u * (n + 2)];
  return table.data as Float64Array;
}

export class K02 implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly operator: LinearOperator;
  readonly descriptor: SourceDescriptor;
  readonly #n: number;
  readonly #table: Float64Array;
  /** Per row of the block at hand: a and b, 1-based. */
  #rowA = new Int32Array(0);
  #rowB = new Int32Array(0);

  constructor(data: K02Data, context: SourceContext) {
    this.#n = data.n;
    this.size = data.n * data.n;
    this.points = data.points;
    this.#table = data.table;
    this.operator = productsOfK02(data.n, context.blas);
    this.descriptor = { module: import.meta.url, name: 'openK02', data };
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    const n = this.#n;
    const width = n + 2;
    const period = 2 * (n + 1);
    const table = this.#table;
    const m = rows.length;
    if (this.#rowA.length < m) {
      this.#rowA = new Int32Array(2 * m);
      this.#rowB = new Int32Array(2 * m);
    }
    const rowA = this.#rowA;
    const rowB = this.#rowB;
    for (let i = 0; i < m; i++) {
      const b = (rows[i] / n) | 0;
      rowA[i] = rows[i] - b * n + 1;
      rowB[i] = b + 1;
    }
    const y = out.data as Float64Array;
    for (let j = 0; j < cols.length; j++) {
      const d = ((cols[j] / n) | 0) + 1;
      const c = cols[j] - (d - 1) * n + 1;
      const q = out.offset + j * out.ld;
      for (let i = 0; i < m; i++) {
        const a = rowA[i];
        const b = rowB[i];
        const near = Math.abs(a - c);
        const far = a + c <= n + 1 ? a + c : period - a - c;
        const nearRow = Math.abs(b - d) * width;
        const farRow = (b + d <= n + 1 ? b + d : period - b - d) * width;
        y[q + i] = table[near + nearRow] - table[far + nearRow] - (table[near + farRow] - table[far + farRow]);
      }
    }
  }

  diagonal(out: Float64Array): void {
    const n = this.#n;
    const width = n + 2;
    const table = this.#table;
    const fold = (u: number): number => (u <= n + 1 ? u : 2 * (n + 1) - u);
    for (let i = 0; i < this.size; i++) {
      const far = fold(2 * ((i % n) + 1));
      const farRow = fold(2 * (Math.floor(i / n) + 1)) * width;
      out[i] = table[0] - table[far] - (table[farRow] - table[far + farRow]);
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
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) sines.data[j + k * n] = scale * Math.sin((Math.PI * (((j + 1) * (k + 1)) % (2 * (n + 1)))) / (n + 1));
    return sines;
  };
  return {
    rows: size, cols: size, symmetric: true,
    applyUnchecked(out, x, alpha, beta) {
      const step = columnsAtOnce(size);
      for (let first = 0; first < x.cols; first += step) {
        const count = Math.min(step, x.cols - first);
        const s = prepare(count);
        copyInto(view(a, 0, size, count), view(x.data, x.offset + first * x.ld, size, count, x.ld));
        for (let pass = 0; pass < 2; pass++) {
          blas.gemm('N', 'N', 1, s, view(a, 0, n, n * count), 0, view(b, 0, n, n * count));
          for (let k = 0; k < count; k++) blas.gemm('N', 'N', 1, view(b, k * size, n, n), s, 0, view(a, k * size, n, n));
          if (pass === 0) for (let k = 0; k < count; k++) for (let i = 0; i < size; i++) a[k * size + i] *= μ[i];
        }
        combine(out, first, count, alpha, a, beta);
      }
    },
  };
}
