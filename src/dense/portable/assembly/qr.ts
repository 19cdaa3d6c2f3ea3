/**
 * Householder QR in the linear memory: panels, block reflectors. Compiled to WebAssembly. R. Schreiber, C. Van Loan,
 * "A storage-efficient WY representation for products of Householder transformations", SISC 10(1), 1989. Departure: a
 * panel's vectors are written out with their ones and zeros, so that applying a block is three gemms.
 */
import { ALL, UPPER, gemm } from './gemm';
import { gemvN, gemvT, ger, norm, scal, swap } from './vector';

/** Reflectors applied together. */
export const BLOCK: i32 = 32;

/**
 * H = I − τ·v·vᵀ with H·x = (β, 0, …)ᵀ, v(0) = 1: x(0) ← β, the rest of x ← v. Returns τ; 0 where x is a multiple of
 * e₁ already. A vector too small to be divided by is scaled up first.
 */
export function reflector<T>(n: i32, x: usize): T {
  const width: usize = sizeof<T>();
  if (n <= 1) return <T>0;
  const tail = x + width;
  let tailNorm = norm<T>(n - 1, tail);
  if (tailNorm == 0) return <T>0;
  const small: f64 = sizeof<T>() == 8 ? 1e-290 : 1e-30;
  const up: f64 = sizeof<T>() == 8 ? 1.3407807929942597e154 : 1.2676506002282294e30;
  let alpha = <f64>load<T>(x);
  let beta = hypotenuse(alpha, tailNorm);
  const tiny = beta < small;
  if (tiny) {
    scal<T>(n - 1, <T>up, tail);
    alpha *= up;
    tailNorm = norm<T>(n - 1, tail);
    beta = hypotenuse(alpha, tailNorm);
  }
  if (alpha >= 0) beta = -beta;
  scal<T>(n - 1, <T>(1 / (alpha - beta)), tail);
  store<T>(x, <T>(tiny ? beta / up : beta));
  return <T>((beta - alpha) / beta);
}

/** √(a² + b²) without overflow. */
export function hypotenuse(a: f64, b: f64): f64 {
  const x = Math.abs(a);
  const y = Math.abs(b);
  const large = Math.max(x, y);
  const little = Math.min(x, y);
  if (!(large > 0) || large == Infinity) return large;
  const ratio = little / large;
  return large * Math.sqrt(1 + ratio * ratio);
}

/** QR of a panel column by column; work holds n numbers. */
function panel<T>(m: i32, n: i32, a: usize, lda: i32, tau: usize, work: usize): void {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const steps = min(m, n);
  for (let j = 0; j < steps; ++j) {
    const x = a + <usize>j * (width + stride);
    const t = reflector<T>(m - j, x);
    store<T>(tau + <usize>j * width, t);
    const right = n - j - 1;
    if (right > 0 && t != <T>0) {
      const beta = load<T>(x);
      store<T>(x, <T>1);
      gemvT<T>(m - j, right, t, x + stride, lda, x, work);
      ger<T>(m - j, right, <T>-1, x, work, x + stride, lda);
      store<T>(x, beta);
    }
  }
}

/**
 * v (m × n, leading dimension m) ← the unit lower trapezoid below the diagonal of a; t (n × n) ← the triangle with
 * H₁⋯H_n = I − V·T·Vᵀ, zeros below.
 */
export function blockReflector<T>(m: i32, n: i32, a: usize, lda: i32, tau: usize, v: usize, t: usize): void {
  const width: usize = sizeof<T>();
  for (let j = 0; j < n; ++j) {
    const to = v + <usize>j * <usize>m * width;
    memory.fill(to, 0, <usize>j * width);
    store<T>(to + <usize>j * width, <T>1);
    memory.copy(
      to + <usize>(j + 1) * width,
      a + (<usize>j * <usize>lda + <usize>(j + 1)) * width,
      <usize>(m - j - 1) * width,
    );
  }
  // VᵀV above the diagonal, then T(0:j, j) = −τ_j·T(0:j, 0:j)·(VᵀV)(0:j, j), column by column.
  gemm<T>(true, false, n, n, m, 1, v, m, v, m, 0, t, n, UPPER);
  for (let j = 0; j < n; ++j) {
    const column = t + <usize>(j * n) * width;
    const factor = load<T>(tau + <usize>j * width);
    for (let i = 0; i < j; ++i) {
      let sum: T = <T>0;
      for (let k = i; k < j; ++k) sum += load<T>(t + <usize>(i + k * n) * width) * load<T>(column + <usize>k * width);
      store<T>(column + <usize>i * width, -factor * sum);
    }
    store<T>(column + <usize>j * width, factor);
    for (let i = j + 1; i < n; ++i) store<T>(column + <usize>i * width, <T>0);
  }
}

/**
 * C ← (I − V·op(T)·Vᵀ)·C (left) or C·(I − V·op(T)·Vᵀ) (right); C is m × n, V has `order` = m or n rows and k columns.
 * work holds 2·k·n (left) or 2·k·m (right) numbers.
 */
export function applyBlock<T>(
  left: bool, trans: bool, m: i32, n: i32, k: i32, v: usize, order: i32, t: usize, c: usize, ldc: i32, work: usize,
): void {
  if (m <= 0 || n <= 0 || k <= 0) return;
  const width: usize = sizeof<T>();
  if (left) {
    const second = work + <usize>(k * n) * width;
    gemm<T>(true, false, k, n, m, 1, v, order, c, ldc, 0, work, k, ALL);
    gemm<T>(trans, false, k, n, k, 1, t, k, work, k, 0, second, k, ALL);
    gemm<T>(false, false, m, n, k, -1, v, order, second, k, 1, c, ldc, ALL);
  } else {
    const second = work + <usize>(k * m) * width;
    gemm<T>(false, false, m, k, n, 1, c, ldc, v, order, 0, work, m, ALL);
    gemm<T>(false, trans, m, k, k, 1, work, m, t, k, 0, second, m, ALL);
    gemm<T>(false, true, m, n, k, -1, second, m, v, order, 1, c, ldc, ALL);
  }
}

/** QR in place. work holds BLOCK·(m + BLOCK + 2·n) numbers. */
export function geqrf<T>(m: i32, n: i32, a: usize, lda: i32, tau: usize, work: usize): void {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const steps = min(m, n);
  for (let j = 0; j < steps; j += BLOCK) {
    const cols = min(BLOCK, steps - j);
    const at = a + <usize>j * (width + stride);
    const scalars = tau + <usize>j * width;
    const rows = m - j;
    panel<T>(rows, cols, at, lda, scalars, work);
    const right = n - j - cols;
    if (right > 0) {
      const t = work + <usize>(BLOCK * rows) * width;
      const rest = t + <usize>(BLOCK * BLOCK) * width;
      blockReflector<T>(rows, cols, at, lda, scalars, work, t);
      applyBlock<T>(true, true, rows, right, cols, work, rows, t, at + <usize>cols * stride, lda, rest);
    }
  }
}

/**
 * C ← op(Q)·C or C·op(Q), Q of k reflectors below the diagonal of a. work holds BLOCK·(order + BLOCK + 2·(other side of
 * C)) numbers.
 */
export function ormqr<T>(
  left: bool, trans: bool, m: i32, n: i32, k: i32, a: usize, lda: i32, tau: usize, c: usize, ldc: i32, work: usize,
): void {
  const width: usize = sizeof<T>();
  const order = left ? m : n;
  const blocks = (k + BLOCK - 1) / BLOCK;
  // Qᵀ·C and C·Q start with the first reflectors, Q·C and C·Qᵀ with the last.
  const forward = left == trans;
  for (let b = 0; b < blocks; ++b) {
    const j = (forward ? b : blocks - 1 - b) * BLOCK;
    const cols = min(BLOCK, k - j);
    const rows = order - j;
    const t = work + <usize>(BLOCK * rows) * width;
    const rest = t + <usize>(BLOCK * BLOCK) * width;
    blockReflector<T>(rows, cols, a + <usize>(j * lda + j) * width, lda, tau + <usize>j * width, work, t);
    if (left) applyBlock<T>(true, trans, rows, n, cols, work, rows, t, c + <usize>j * width, ldc, rest);
    else applyBlock<T>(false, trans, m, rows, cols, work, rows, t, c + <usize>j * <usize>ldc * width, ldc, rest);
  }
}

/**
 * Column-pivoted QR in place, A·P = Q·R; pivots (int32) says which column of A stands where. Blocks as in G.
 * Quintana-Ortí, X. Sun, C. Bischof, "A BLAS-3 version of the QR factorization with column pivoting", SISC 19(5), 1998;
 * a block ends early where cancellation has spoilt the running norm of a column (Z. Drmač, Z. Bujanović, "On the
 * failure of rank-revealing QR factorization software", ACM TOMS 35(2), 2008): that norm is computed anew. work holds
 * n·(BLOCK + 4) + BLOCK numbers, 8-byte aligned.
 */
export function geqp3<T>(m: i32, n: i32, a: usize, lda: i32, pivots: usize, tau: usize, work: usize): void {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const steps = min(m, n);
  const f = work;
  const row = f + <usize>(n * BLOCK) * width;
  const norms = (row + <usize>(n + BLOCK) * width + 7) & ~7;
  const exact = norms + (<usize>n << 3);
  for (let j = 0; j < n; ++j) {
    const value = norm<T>(m, a + <usize>j * stride);
    store<f64>(norms + (<usize>j << 3), value);
    store<f64>(exact + (<usize>j << 3), value);
    store<i32>(pivots + (<usize>j << 2), j);
  }
  let done = 0;
  while (done < steps) {
    const limit = min(BLOCK, steps - done);
    done += pivotedBlock<T>(m, n, done, limit, a, stride, lda, pivots, tau, f, row, norms, exact);
  }
}

/**
 * Up to `limit` columns from column `first` on; returns how many. F (n × BLOCK) collects Aᵀ·V·T so that A − V·Fᵀ is due
 * at the end of the block only.
 */
function pivotedBlock<T>(
  m: i32, n: i32, first: i32, limit: i32, a: usize, stride: usize, lda: i32, pivots: usize, tau: usize, f: usize,
  row: usize, norms: usize, exact: usize,
): i32 {
  const width: usize = sizeof<T>();
  const spoilt = Math.sqrt(sizeof<T>() == 8 ? 2.220446049250313e-16 : 1.1920928955078125e-7);
  const fStride = <usize>n * width;
  let k = 0;
  let marked = false;
  while (k < limit && !marked) {
    const p = first + k;
    let best = p;
    let largest = load<f64>(norms + (<usize>p << 3));
    for (let j = p + 1; j < n; ++j) {
      const value = load<f64>(norms + (<usize>j << 3));
      if (value > largest) {
        largest = value;
        best = j;
      }
    }
    const column = a + <usize>p * stride;
    if (best != p) {
      swap<T>(m, a + <usize>best * stride, width, column, width);
      for (let l = 0; l < k; ++l) {
        const at = f + <usize>l * fStride;
        const t = load<T>(at + <usize>p * width);
        store<T>(at + <usize>p * width, load<T>(at + <usize>best * width));
        store<T>(at + <usize>best * width, t);
      }
      const pivot = load<i32>(pivots + (<usize>p << 2));
      store<i32>(pivots + (<usize>p << 2), load<i32>(pivots + (<usize>best << 2)));
      store<i32>(pivots + (<usize>best << 2), pivot);
      store<f64>(norms + (<usize>best << 3), load<f64>(norms + (<usize>p << 3)));
      store<f64>(exact + (<usize>best << 3), load<f64>(exact + (<usize>p << 3)));
    }
    const rows = m - p;
    const x = column + <usize>p * width;
    const block = a + (<usize>first * stride + <usize>p * width);
    // The column catches up with the block's earlier reflectors.
    gemvN<T>(rows, k, <T>-1, block, lda, f + <usize>p * width, fStride, x);
    const t = reflector<T>(rows, x);
    store<T>(tau + <usize>p * width, t);
    const diagonal = load<T>(x);
    store<T>(x, <T>1);
    // F(:, k) = τ·(A − V·Fᵀ)ᵀ·v on the columns to the right.
    const right = n - p - 1;
    const fk = f + <usize>k * fStride;
    for (let j = first; j <= p; ++j) store<T>(fk + <usize>j * width, <T>0);
    gemvT<T>(rows, right, t, x + stride, lda, x, fk + <usize>(p + 1) * width);
    if (k > 0 && t != <T>0) {
      gemvT<T>(rows, k, -t, block, lda, x, row);
      gemvN<T>(n - first, k, <T>1, f + <usize>first * width, n, row, width, fk + <usize>first * width);
    }
    // Row p of R, which the norms need now.
    if (right > 0) {
      memory.fill(row, 0, <usize>right * width);
      gemvN<T>(right, k + 1, <T>-1, f + <usize>(p + 1) * width, n, block, stride, row);
      for (let j = 0; j < right; ++j) {
        const at = x + <usize>(j + 1) * stride;
        const value = load<T>(at) + load<T>(row + <usize>j * width);
        store<T>(at, value);
        const slot = norms + (<usize>(p + 1 + j) << 3);
        const current = load<f64>(slot);
        if (current > 0) {
          const ratio = Math.abs(<f64>value) / current;
          const left = Math.max(0, (1 + ratio) * (1 - ratio));
          const relative = current / load<f64>(exact + (<usize>(p + 1 + j) << 3));
          if (left * relative * relative <= spoilt) {
            store<f64>(slot, -1);
            marked = true;
          } else {
            store<f64>(slot, current * Math.sqrt(left));
          }
        }
      }
    }
    store<T>(x, diagonal);
    ++k;
  }
  const next = first + k;
  const rows = m - next;
  if (next < n && rows > 0) {
    const down = <usize>next * width;
    gemm<T>(
      false, true, rows, n - next, k, -1, a + <usize>first * stride + down, lda, f + down, n, 1,
      a + <usize>next * stride + down, lda, ALL,
    );
  }
  if (marked) {
    for (let j = next; j < n; ++j) {
      const slot = norms + (<usize>j << 3);
      if (load<f64>(slot) < 0) {
        const value = rows > 0 ? norm<T>(rows, a + <usize>j * stride + <usize>next * width) : 0;
        store<f64>(slot, value);
        store<f64>(exact + (<usize>j << 3), value);
      }
    }
  }
  return k;
}
