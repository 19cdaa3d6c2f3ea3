/**
 * K13: the inverse squared operator of 2-D advection and diffusion with variable coefficients. Test data.
 * K = J⁻ᵀJ⁻¹ on an n × n grid, N = n², scaled to ‖K‖₂ = 1; after the SC17 artifact of GOFMM (arXiv 1707.00164), whose
 * conventions are kept:
 *     J = D_x a D_xᵀ + D_y a D_yᵀ + 10³[(D_x − D_xᵀ) v_x + (D_y − D_yᵀ) v_y],
 * D the backward difference times n, D_x = I ⊗ D along the fast index and D_y = D ⊗ I along the slow one, v_x = cos(6πx
 * + 6πy), v_y = sin(20πx + 6πy) with y = t[i mod n], x = t[⌊i/n⌋], t_k = k/(n − 1); a = 1, but 10⁻⁴ on n/2 random
 * horizontal and n/2 random vertical lines (drawn with repetition, off the boundary).
 *
 * Entries are inner products of columns of J⁻¹: K_IJ = (J⁻¹E_I)ᵀ(J⁻¹E_J). Columns are solved for in fixed groups, so
 * that their bits do not depend on what was asked before, and kept in a cache of bounded size: up to N ≈ 5,000 all of
 * J⁻¹ fits, beyond that scattered indices cost a group of solves each.
 */
import type { Indices } from '../src/core/indices.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Blas } from '../src/dense/blas.js';
import { copyInto, view, type Matrix } from '../src/dense/matrix.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import { builtIn } from '../src/parallel/built-in.js';
import type { EntrySource, Points, SourceContext, SourceDescriptor } from '../src/source/entry-source.js';
import { SymmetricBlocks } from '../src/source/symmetric-block.js';
import { factorFivePoint, FivePointSolver, type FivePointFactors, type FivePointOperator } from './five-point.js';
import { columnsAtOnce, combine, gridPoints, gridSide } from './grid.js';
import { largestEigenvalue } from './largest-eigenvalue.js';

interface K13Data {
  readonly n: number;
  /** 1/‖J⁻¹‖₂². */
  readonly scale: number;
  readonly factors: FivePointFactors;
  readonly points: Points;
}

/** Columns of J⁻¹ solved for together: columns 64g … 64g + 63 are group g. */
const groupSize = 64;
const cacheBytes = 256 * 2 ** 20;
/** Most columns gathered for one product of entries. */
const tile = 256;

/** K13 of size N = n², n ≥ 4; `seed` draws the lines of low diffusion. ‖K‖₂ = 1 to 1e-8 (Lanczos). */
export function k13(size: number, context: SourceContext, seed = 0): K13 {
  const n = gridSide(size, 4);
  const ticks = Float64Array.from({ length: n }, (_, k) => k / (n - 1));
  const factors = factorFivePoint(advectionDiffusion(n, ticks, seed), context.blas);
  const scale = 1 / largestEigenvalue(productsOfK13(factors, 1, context.blas), context.blas);
  const points = gridPoints(ticks);
  return new K13({ n, scale, factors, points }, context);
}

/** A worker's copy, from the descriptor's data. */
export function openK13(data: K13Data, context: SourceContext): EntrySource {
  return new K13(data, context);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openK13', openK13);

/** J as a five-point operator. */
export function advectionDiffusion(n: number, ticks: Float64Array, seed: number): FivePointOperator {
  const a = new Float64Array(n * n).fill(1);
  const random = new RandomStream(seed, 0x6b3133);
  const inner = (): number => 1 + random.integer(n - 2);
  for (let k = 0; k < n >> 1; k++) {
    const f = inner();
    const s = inner();
    for (let i = 1; i < n - 1; i++) a[f + i * n] = a[i + s * n] = 1e-4;
  }
  const size = n * n;
  const [diagonal, lower, upper, lowerLine, upperLine] = Array.from({ length: 5 }, () => sharedFloat64(size));
  const vx = (f: number, s: number): number => Math.cos(6 * Math.PI * (ticks[s] + ticks[f]));
  const vy = (f: number, s: number): number => Math.sin(20 * Math.PI * ticks[s] + 6 * Math.PI * ticks[f]);
  const diffusion = n * n;
  const advection = 1e3 * n;
  for (let s = 0; s < n; s++) {
    for (let f = 0; f < n; f++) {
      const i = f + s * n;
      // D a Dᵀ has a_i + a_{i−1} on its diagonal, −a_{i−1} beside it (times n²); (D − Dᵀ)v takes n(v u)_{i+1} − n(v
      // u)_{i−1}.
      diagonal[i] = diffusion * 2 * a[i];
      if (f > 0) {
        diagonal[i] += diffusion * a[i - 1];
        lower[i] = -diffusion * a[i - 1] - advection * vx(f - 1, s);
      }
      if (f + 1 < n) upper[i] = -diffusion * a[i] + advection * vx(f + 1, s);
      if (s > 0) {
        diagonal[i] += diffusion * a[i - n];
        lowerLine[i] = -diffusion * a[i - n] - advection * vy(f, s - 1);
      }
      if (s + 1 < n) upperLine[i] = -diffusion * a[i] + advection * vy(f, s + 1);
    }
  }
  return { n, diagonal, lower, upper, lowerLine, upperLine };
}

export class K13 implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly operator: LinearOperator;
  readonly descriptor: SourceDescriptor;
  readonly #scale: number;
  readonly #blas: Blas;
  readonly #solver: FivePointSolver;
  /** Groups of columns of J⁻¹, the least recently used first. */
  readonly #groups = new Map<number, Float64Array>();
  readonly #groupsKept: number;
  readonly #blocks = new SymmetricBlocks((rows, cols, out) => {
    this.#block(rows, cols, out);
  });
  #left: Float64Array = new Float64Array(0);
  #right: Float64Array = new Float64Array(0);

  constructor(data: K13Data, context: SourceContext) {
    this.size = data.n * data.n;
    this.points = data.points;
    this.#scale = data.scale;
    this.#blas = context.blas;
    this.#solver = new FivePointSolver(data.factors, context.blas);
    this.#groupsKept = Math.max(1, Math.floor(cacheBytes / (8 * this.size * groupSize)));
    this.operator = productsOfK13(data.factors, data.scale, context.blas);
    this.descriptor = { ...WORKERS_COPY, data };
  }

  /** A block and its transpose are the same bits (symmetric-block.ts). */
  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#blocks.fill(rows, cols, out);
  }

  diagonal(out: Float64Array): void {
    for (let first = 0; first < this.size; first += groupSize) {
      const group = this.#group(first / groupSize);
      for (let j = first; j < Math.min(this.size, first + groupSize); j++) {
        let sum = 0;
        for (let i = (j - first) * this.size; i < (j - first + 1) * this.size; i++) sum += group[i] * group[i];
        out[j] = this.#scale * sum;
      }
    }
  }

  #block(rows: Indices, cols: Indices, out: Matrix): void {
    for (let j = 0; j < cols.length; j += tile) {
      const n = Math.min(tile, cols.length - j);
      this.#right = this.#gather(cols, j, n, this.#right);
      for (let i = 0; i < rows.length; i += tile) {
        const m = Math.min(tile, rows.length - i);
        this.#left = this.#gather(rows, i, m, this.#left);
        this.#blas.gemm(
          'T',
          'N',
          this.#scale,
          view(this.#left, 0, this.size, m),
          view(this.#right, 0, this.size, n),
          0,
          view(out.data, out.offset + i + j * out.ld, m, n, out.ld),
        );
      }
    }
  }

  #gather(indices: Indices, first: number, count: number, out: Float64Array): Float64Array {
    const target = out.length >= this.size * count ? out : new Float64Array(this.size * count);
    for (let a = 0; a < count; a++) {
      const index = indices[first + a];
      const g = Math.floor(index / groupSize);
      const p = (index - g * groupSize) * this.size;
      target.set(this.#group(g).subarray(p, p + this.size), a * this.size);
    }
    return target;
  }

  /** Columns 64g … of J⁻¹, from the cache or solved for. */
  #group(g: number): Float64Array {
    const known = this.#groups.get(g);
    if (known !== undefined) {
      // Last in the map: most recently used.
      this.#groups.delete(g);
      this.#groups.set(g, known);
      return known;
    }
    const count = Math.min(groupSize, this.size - g * groupSize);
    let columns: Float64Array | undefined;
    if (this.#groups.size >= this.#groupsKept) {
      const [oldest, array] = this.#groups.entries().next().value!;
      this.#groups.delete(oldest);
      columns = array.length === this.size * count ? array.fill(0) : undefined;
    }
    columns ??= new Float64Array(this.size * count);
    for (let k = 0; k < count; k++) columns[k * this.size + g * groupSize + k] = 1;
    this.#solver.solve('N', view(columns, 0, this.size, count));
    this.#groups.set(g, columns);
    return columns;
  }
}

/** Products with scale·J⁻ᵀJ⁻¹: two solves. */
function productsOfK13(factors: FivePointFactors, scale: number, blas: Blas): LinearOperator {
  const size = factors.operator.n ** 2;
  const solver = new FivePointSolver(factors, blas);
  let work: Float64Array = new Float64Array(0);
  return {
    rows: size,
    cols: size,
    symmetric: true,
    flops: (vectors) => 16 * factors.operator.n * size * vectors,
    applyUnchecked(out, x, alpha, beta) {
      const step = columnsAtOnce(size);
      for (let first = 0; first < x.cols; first += step) {
        const count = Math.min(step, x.cols - first);
        if (work.length < size * count) work = new Float64Array(size * count);
        const u = view(work, 0, size, count);
        copyInto(u, view(x.data, x.offset + first * x.ld, size, count, x.ld));
        solver.solve('N', u);
        solver.solve('T', u);
        combine(out, first, count, alpha * scale, work, beta);
      }
    },
  };
}
