/**
 * K15: a squared advection–diffusion–reaction operator, discretised by spectral differences. Test data.
 * K = JᵀJ/‖J‖₂², J = I − 10⁻⁷Δ + v·∇ on the torus [−π, π)², v = (sin²(16 y), cos²(2 x)), an n × n grid, N = n²; after
 * the SC17 artifact of GOFMM (arXiv 1707.00164). Index i is the point x = t[⌊i/n⌋], y = t[i mod n], t_k = −π + 2πk/n
 * (meshgrid's order, as there).
 *
 * Differentiation matrices: L. N. Trefethen, Spectral Methods in MATLAB, SIAM, 2000, ch. 3; the first derivative of the
 * highest mode of an even grid is 0, so that D₁ is skew. J couples only points on a common grid line, along each line
 * by a circulant matrix. So K off the cross of a point (both coordinates differ) is two products, with p = (x, y), p′ =
 * (x′, y′):
 *     K = J[(x,y′), p]·J[(x,y′), p′] + J[(x′,y), p]·J[(x′,y), p′],
 * and on it an entry of the circulant AᵀA of the line, which is tabulated: every entry costs O(1).
 */
import type { Indices } from '../src/core/indices.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Blas } from '../src/dense/blas.js';
import { copyInto, view, zeros, type Matrix } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import { builtIn } from '../src/parallel/built-in.js';
import type { EntrySource, Points, SourceContext, SourceDescriptor } from '../src/source/entry-source.js';
import { columnsAtOnce, combine, gridPoints, gridSide } from './grid.js';
import { largestEigenvalue } from './largest-eigenvalue.js';

const diffusion = 1e-7;

interface K15Data {
  readonly n: number;
  /** 1/‖J‖₂². */
  readonly scale: number;
  /** First column of D₁ (odd) and of D₂ (even), circulant. */
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** v_x on the lines y = t_k, v_y on the lines x = t_k. */
  readonly velocityX: Float64Array;
  readonly velocityY: Float64Array;
  /** (AᵀA)(δ) of the line k, at δ + k·n, scaled: along x on the line y = t_k, along y on the line x = t_k. */
  readonly alongX: Float64Array;
  readonly alongY: Float64Array;
  readonly points: Points;
}

/** K15 of size N = n², n ≥ 4; ‖K‖₂ = 1 to 1e-8 (Lanczos). */
export function k15(size: number, context: SourceContext): K15 {
  const n = gridSide(size, 4);
  const ticks = Float64Array.from({ length: n }, (_, k) => -Math.PI + (2 * Math.PI * k) / n);
  const { first, second } = differences(n);
  const velocityX = sharedFloat64(n);
  const velocityY = sharedFloat64(n);
  for (let k = 0; k < n; k++) {
    velocityX[k] = Math.sin(16 * ticks[k]) ** 2;
    velocityY[k] = Math.cos(2 * ticks[k]) ** 2;
  }
  const unscaled = { n, scale: 1, first, second, velocityX, velocityY };
  const scale = 1 / largestEigenvalue(productsOfK15(unscaled, context.blas), context.blas);
  const data: K15Data = {
    ...unscaled,
    scale,
    alongX: lineProducts(n, scale, first, second, velocityX),
    alongY: lineProducts(n, scale, first, second, velocityY),
    points: meshgridPoints(ticks),
  };
  return new K15(data, context);
}

/** A worker's copy, from the descriptor's data. */
export function openK15(data: K15Data, context: SourceContext): EntrySource {
  return new K15(data, context);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openK15', openK15);

/** (x, y) of each index: gridPoints with its two coordinates the other way round. */
function meshgridPoints(ticks: Float64Array): Points {
  const points = gridPoints(ticks);
  for (let i = 0; i < points.count; i++) {
    const y = points.coordinates[2 * i];
    points.coordinates[2 * i] = points.coordinates[2 * i + 1];
    points.coordinates[2 * i + 1] = y;
  }
  return points;
}

/** First columns of the first and second periodic spectral differentiation matrices; odd and even to the bit. */
function differences(n: number): { first: Float64Array; second: Float64Array } {
  const first = sharedFloat64(n);
  const second = sharedFloat64(n);
  second[0] = n % 2 === 0 ? -(n * n + 2) / 12 : -(n * n - 1) / 12;
  for (let δ = 1; 2 * δ <= n; δ++) {
    const sign = δ % 2 === 0 ? 1 : -1;
    const θ = (Math.PI * δ) / n;
    const sine = Math.sin(θ);
    // The middle entry of an even grid lies half a period away: its cotangent is 0.
    const d1 = 2 * δ === n ? 0 : n % 2 === 0 ? (0.5 * sign) / Math.tan(θ) : (0.5 * sign) / sine;
    const d2 = n % 2 === 0 ? (-0.5 * sign) / (sine * sine) : (-0.5 * sign * Math.cos(θ)) / (sine * sine);
    first[δ] = d1;
    second[δ] = d2;
    first[n - δ] = 2 * δ === n ? 0 : -d1;
    second[n - δ] = d2;
  }
  return { first, second };
}

/** scale·(AᵀA)(δ) for each line: A is circulant with first column −ν·D₂ + v·D₁, its centre that of J. */
function lineProducts(
  n: number,
  scale: number,
  first: Float64Array,
  second: Float64Array,
  velocity: Float64Array,
): Float64Array {
  const table = sharedFloat64(n * n);
  const a = new Float64Array(n);
  for (let line = 0; line < n; line++) {
    for (let δ = 0; δ < n; δ++) a[δ] = velocity[line] * first[δ] - diffusion * second[δ];
    a[0] = centre(second);
    for (let δ = 0; 2 * δ <= n; δ++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[k] * a[k >= δ ? k - δ : k - δ + n];
      table[δ + line * n] = scale * sum;
      if (δ > 0) table[n - δ + line * n] = scale * sum;
    }
  }
  return table;
}

/** The diagonal entry of J, the same everywhere: D₁ has none. */
const centre = (second: Float64Array): number => 1 - 2 * diffusion * second[0];

export class K15 implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly operator: LinearOperator;
  readonly descriptor: SourceDescriptor;
  readonly #data: K15Data;
  /** Per row of the block at hand: its grid lines. */
  #rowX = new Int32Array(0);
  #rowY = new Int32Array(0);

  constructor(data: K15Data, context: SourceContext) {
    this.#data = data;
    this.size = data.n * data.n;
    this.points = data.points;
    this.operator = productsOfK15(data, context.blas);
    this.descriptor = { ...WORKERS_COPY, data };
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    const { n, scale, first, second, velocityX, velocityY, alongX, alongY } = this.#data;
    const m = rows.length;
    if (this.#rowX.length < m) {
      this.#rowX = new Int32Array(2 * m);
      this.#rowY = new Int32Array(2 * m);
    }
    const rowX = this.#rowX;
    const rowY = this.#rowY;
    for (let i = 0; i < m; i++) {
      rowX[i] = (rows[i] / n) | 0;
      rowY[i] = rows[i] - rowX[i] * n;
    }
    const square = scale * centre(second) ** 2;
    const target = out.data as Float64Array;
    for (let j = 0; j < cols.length; j++) {
      const xj = (cols[j] / n) | 0;
      const yj = cols[j] - xj * n;
      const vxOfCol = velocityX[yj];
      const vyOfCol = velocityY[xj];
      const q = out.offset + j * out.ld;
      for (let i = 0; i < m; i++) {
        const xi = rowX[i];
        const yi = rowY[i];
        // Differences modulo n, without a branch that could not be predicted.
        const dx = (xi - xj + (((xi - xj) >> 31) & n)) | 0;
        const dy = (yi - yj + (((yi - yj) >> 31) & n)) | 0;
        if (dx !== 0 && dy !== 0) {
          const sx = diffusion * second[dx];
          const sy = diffusion * second[dy];
          const fx = first[dx];
          const fy = first[dy];
          // J[(xi, yj), p_i]·J[(xi, yj), p_j]: from yi to yj on the line xi, from xj to xi on the line yj; then the
          // other corner.
          const one = (-sy - velocityY[xi] * fy) * (vxOfCol * fx - sx);
          const two = (-sx - velocityX[yi] * fx) * (vyOfCol * fy - sy);
          target[q + i] = scale * (one + two);
        } else if (dy !== 0) {
          target[q + i] = alongY[dy + xi * n];
        } else if (dx !== 0) {
          target[q + i] = alongX[dx + yi * n];
        } else {
          target[q + i] = alongX[yi * n] + alongY[xi * n] - square;
        }
      }
    }
  }

  diagonal(out: Float64Array): void {
    const { n, scale, second, alongX, alongY } = this.#data;
    const square = scale * centre(second) ** 2;
    for (let x = 0; x < n; x++) for (let y = 0; y < n; y++) out[y + x * n] = alongX[y * n] + alongY[x * n] - square;
  }
}

/** Products with scale·JᵀJ: differences along both directions as matrix products, O(n³) a vector. */
function productsOfK15(
  data: Pick<K15Data, 'n' | 'scale' | 'first' | 'second' | 'velocityX' | 'velocityY'>,
  blas: Blas,
): LinearOperator {
  const { n, scale, velocityX, velocityY } = data;
  const size = n * n;
  let first: Matrix | undefined;
  let second: Matrix = zeros(0, 0);
  let work: Float64Array[] = [];
  const prepare = (count: number): Matrix => {
    if (work.length === 0 || work[0].length < size * count)
      work = Array.from({ length: 4 }, () => new Float64Array(size * count));
    if (first !== undefined) return first;
    second = circulant(data.second);
    first = circulant(data.first);
    return first;
  };
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => 16 * n * size * vectors,
    applyUnchecked(out, x, alpha, beta) {
      const step = columnsAtOnce(size);
      for (let begin = 0; begin < x.cols; begin += step) {
        const count = Math.min(step, x.cols - begin);
        const d1 = prepare(count);
        const [u, w, p, r] = work;
        const all = (a: Float64Array): Matrix => view(a, 0, n, n * count);
        const one = (a: Float64Array, k: number): Matrix => view(a, k * size, n, n);
        /** to ← to − ν·Δ from: D₂ along y from the left, along x from the right (D₂ is symmetric). */
        const diffuse = (from: Float64Array, to: Float64Array): void => {
          blas.gemm('N', 'N', -diffusion, second, all(from), 1, all(to));
          for (let k = 0; k < count; k++) blas.gemm('N', 'N', -diffusion, one(from, k), second, 1, one(to, k));
        };
        copyInto(view(u, 0, size, count), view(x.data, x.offset + begin * x.ld, size, count, x.ld));
        // w = J u: the derivative along x is u·D₁ᵀ, along y it is D₁·u; y is the row of each n × n vector.
        w.set(u);
        diffuse(u, w);
        blas.gemm('N', 'N', 1, d1, all(u), 0, all(p));
        for (let k = 0; k < count; k++) blas.gemm('N', 'T', 1, one(u, k), d1, 0, one(r, k));
        for (let i = 0, line = 0; line < n * count; line++)
          for (let y = 0; y < n; y++, i++) w[i] += velocityX[y] * r[i] + velocityY[line % n] * p[i];
        // u = Jᵀ w: velocities first, then the transposed derivatives.
        for (let i = 0, line = 0; line < n * count; line++) {
          for (let y = 0; y < n; y++, i++) {
            r[i] = velocityX[y] * w[i];
            p[i] = velocityY[line % n] * w[i];
          }
        }
        u.set(w);
        diffuse(w, u);
        blas.gemm('T', 'N', 1, d1, all(p), 1, all(u));
        for (let k = 0; k < count; k++) blas.gemm('N', 'N', 1, one(r, k), d1, 1, one(u, k));
        combine(out, begin, count, alpha * scale, u, beta);
      }
    },
  };
}

function circulant(column: Float64Array): Matrix {
  const n = column.length;
  const a = zeros(n, n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) a.data[i + j * n] = column[i >= j ? i - j : i - j + n];
  return a;
}
