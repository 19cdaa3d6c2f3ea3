/**
 * Covariance kernels on an n × n grid in the unit square: EXP, exp(−r/h), and MATERN, (1 + √3 r/h) exp(−√3 r/h), N =
 * n². Test data. K depends on differences of grid coordinates alone and is even in both, so it is a part of a circulant
 * matrix of period 2n in each direction (C. R. Dietrich, G. N. Newsam, SIAM J. Sci. Comput. 18(4), 1997), whose
 * eigenvalues λ_jk are even in j and k. With B = [cos(πja/n), j = 0 … n | sin(πja/n), j = 1 … n − 1] (n × 2n), weights
 * of evenness w and Λ = w_j w_k λ_jk/(2n)²:
 *     K x = B (Λ ∘ (Bᵀ X B)) Bᵀ,  x as an n × n matrix X: four matrix products, 24n³ flops a vector, exact whether or
 *     not Λ ≥ 0.
 */
import type { Blas } from '../src/dense/blas.js';
import { view, zeros, type Matrix } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import type { EntrySource, SourceContext } from '../src/source/entry-source.js';
import { kernelFromDefinition, type NamedKernel } from '../src/source/kernels/table.js';
import { columnsAtOnce, combine, gridPoints, gridSide } from './grid.js';
import { scaledKernel } from './scaled-kernel.js';

/** The length scale h of both, the grid's side being 1. */
const lengthScale = 0.2;

/** EXP of size N = n², n ≥ 2; ‖K‖₂ = 1 to 1e-8. Throws OptionError. */
export const exponentialOnGrid = (size: number, context: SourceContext): EntrySource =>
  onGrid(size, { family: 'laplace', bandwidth: lengthScale }, context);

/** MATERN (ν = 3/2) of size N = n², n ≥ 2; ‖K‖₂ = 1 to 1e-8. Throws OptionError. */
export const maternOnGrid = (size: number, context: SourceContext): EntrySource =>
  onGrid(size, { family: 'matern32', bandwidth: lengthScale }, context);

function onGrid(size: number, kernel: NamedKernel, context: SourceContext): EntrySource {
  const n = gridSide(size, 2);
  const points = gridPoints(Float64Array.from({ length: n }, (_, i) => i / n));
  return scaledKernel(points, kernel, (_, scale, { blas }) => circulantProducts(n, kernel, scale, blas), context);
}

/** cos(πk/n) and sin(πk/n), k reduced to a period: no loss for large k. */
const angle = (k: number, n: number): number => (Math.PI * (k % (2 * n))) / n;

/** Λ, 2n × 2n. */
function spectrum(n: number, definition: NamedKernel, blas: Blas): Float64Array {
  const side = n + 1;
  const table = zeros(side, side);
  for (let v = 0; v < side; v++) for (let u = 0; u < side; u++) table.data[u + v * side] = (u * u + v * v) / (n * n);
  kernelFromDefinition(definition).evaluate(table.data as Float64Array, 0, side * side);
  const even = (k: number): number => (k === 0 || k === n ? 1 : 2);
  const cosines = zeros(side, side);
  for (let u = 0; u < side; u++)
    for (let j = 0; j < side; j++) cosines.data[j + u * side] = even(u) * Math.cos(angle(j * u, n));
  const half = zeros(side, side);
  blas.gemm('N', 'N', 1, cosines, table, 0, half);
  const values = zeros(side, side);
  blas.gemm('N', 'T', 1 / (4 * n * n), half, cosines, 0, values);
  const m = 2 * n;
  // Columns 0 … n of B are cosines of j, columns n + 1 … 2n − 1 sines of j = 1 … n − 1.
  const frequency = (p: number): number => (p <= n ? p : p - n);
  const Λ = new Float64Array(m * m);
  for (let q = 0; q < m; q++)
    for (let p = 0; p < m; p++)
      Λ[p + q * m] = even(frequency(p)) * even(frequency(q)) * values.data[frequency(p) + frequency(q) * side];
  return Λ;
}

function waves(n: number): Matrix {
  const b = zeros(n, 2 * n);
  for (let p = 0; p < 2 * n; p++)
    for (let a = 0; a < n; a++)
      b.data[a + p * n] = p <= n ? Math.cos(angle(p * a, n)) : Math.sin(angle((p - n) * a, n));
  return b;
}

function circulantProducts(n: number, definition: NamedKernel, scale: number, blas: Blas): LinearOperator {
  const size = n * n;
  const m = 2 * n;
  const basis = waves(n);
  const Λ = spectrum(n, definition, blas);
  const square = zeros(m, m);
  let x = new Float64Array(0);
  let half = new Float64Array(0);
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => 24 * n * size * vectors,
    applyUnchecked(out, given, alpha, beta) {
      const step = columnsAtOnce(2 * size);
      for (let first = 0; first < given.cols; first += step) {
        const count = Math.min(step, given.cols - first);
        if (x.length < size * count) {
          x = new Float64Array(size * count);
          half = new Float64Array(m * n * count);
        }
        for (let k = 0; k < count; k++) {
          const p = given.offset + (first + k) * given.ld;
          x.set(given.data.subarray(p, p + size), k * size);
        }
        const all = view(x, 0, n, n * count);
        const halves = view(half, 0, m, n * count);
        blas.gemm('T', 'N', 1, basis, all, 0, halves);
        for (let k = 0; k < count; k++) {
          const one = view(half, k * m * n, m, n);
          blas.gemm('N', 'N', 1, one, basis, 0, square);
          for (let i = 0; i < m * m; i++) square.data[i] *= Λ[i];
          blas.gemm('N', 'T', 1, square, basis, 0, one);
        }
        blas.gemm('N', 'N', 1, basis, halves, 0, all);
        combine(out, first, count, alpha * scale, x, beta);
      }
    },
  };
}
