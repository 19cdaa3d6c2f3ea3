/**
 * LU with partial pivoting in the linear memory. Compiled to WebAssembly. S. Toledo, "Locality of reference in LU
 * decomposition with partial pivoting", SIAM J. Matrix Anal. Appl. 18(4), 1997: recursion on columns.
 */
import { ALL, gemm } from './gemm';
import { triangular } from './triangular';
import { axpy, scal, swap } from './vector';

const PANEL: i32 = 8;

/** Interchanges rows first … last − 1 with rows pivots[i] (0-based, int32 at `pivots`) in n columns. */
export function interchange<T>(n: i32, a: usize, lda: i32, first: i32, last: i32, pivots: usize): void {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  for (let j = 0; j < n; ++j) {
    const column = a + <usize>j * stride;
    for (let i = first; i < last; ++i) {
      const p = load<i32>(pivots + (<usize>i << 2));
      if (p != i) {
        const x = column + <usize>i * width;
        const y = column + <usize>p * width;
        const t = load<T>(x);
        store<T>(x, load<T>(y));
        store<T>(y, t);
      }
    }
  }
}

function panel<T>(m: i32, n: i32, a: usize, lda: i32, pivots: usize): i32 {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const steps = min(m, n);
  let info = 0;
  for (let j = 0; j < steps; ++j) {
    const diagonal = a + <usize>j * (width + stride);
    let best = j;
    let largest: f64 = -1;
    for (let i = j; i < m; ++i) {
      const value = Math.abs(<f64>load<T>(diagonal + <usize>(i - j) * width));
      if (value > largest) {
        largest = value;
        best = i;
      }
    }
    store<i32>(pivots + (<usize>j << 2), best);
    if (largest == 0) {
      if (info == 0) info = j + 1;
      continue;
    }
    if (best != j) swap<T>(n, a + <usize>j * width, stride, a + <usize>best * width, stride);
    const pivot = load<T>(diagonal);
    // 1/pivot must not overflow.
    if (Math.abs(<f64>pivot) >= (sizeof<T>() == 8 ? 1e-300 : 1e-37)) scal<T>(m - j - 1, <T>1 / pivot, diagonal + width);
    else for (let i = j + 1; i < m; ++i)
      store<T>(diagonal + <usize>(i - j) * width, load<T>(diagonal + <usize>(i - j) * width) / pivot);
    for (let k = j + 1; k < n; ++k) {
      const top = diagonal + <usize>(k - j) * stride;
      axpy<T>(m - j - 1, -load<T>(top), diagonal + width, top + width);
    }
  }
  return info;
}

/** A = P·L·U in place (m × n); pivots are 0-based int32. Returns 0 or k where U(k, k) = 0 (1-based). */
export function getrf<T>(m: i32, n: i32, a: usize, lda: i32, pivots: usize): i32 {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const steps = min(m, n);
  if (steps <= 0) return 0;
  if (n <= PANEL || m == 1) return panel<T>(m, n, a, lda, pivots);
  const n1 = steps >> 1;
  const n2 = n - n1;
  const a12 = a + <usize>n1 * stride;
  const a22 = a12 + <usize>n1 * width;
  const below = pivots + (<usize>n1 << 2);
  let info = getrf<T>(m, n1, a, lda, pivots);
  interchange<T>(n2, a12, lda, 0, n1, pivots);
  triangular<T>(false, true, false, false, true, n1, n2, a, lda, a12, lda);
  gemm<T>(false, false, m - n1, n2, n1, -1, a + <usize>n1 * width, lda, a12, lda, 1, a22, lda, ALL);
  const info2 = getrf<T>(m - n1, n2, a22, lda, below);
  if (info == 0 && info2 > 0) info = info2 + n1;
  for (let i = n1; i < steps; ++i) {
    const at = pivots + (<usize>i << 2);
    store<i32>(at, load<i32>(at) + n1);
  }
  interchange<T>(n1, a, lda, n1, steps, pivots);
  return info;
}
