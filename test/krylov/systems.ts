/**
 * What the Krylov tests share: symmetric matrices of given eigenvalues, dense solutions, counting of products and of
 * allocations.
 */
import { RandomStream } from '#hmatrix/core/random.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import { copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { RowShare } from '#hmatrix/operator/row-share.js';
import { derived } from '#hmatrix/operator/self-check.js';
import { randomMatrix } from '../support.js';

export const filled = (n: number, f: (i: number) => number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => f(i));
export const column = (values: ArrayLike<number>): Matrix => view(Float64Array.from(values), 0, values.length, 1);
/** 1 … 1/κ in equal ratios. */
export const geometric = (n: number, kappa: number): Float64Array => filled(n, (i) => kappa ** (-i / (n - 1)));

/** Q diag(values) Qᵀ with a random orthogonal Q: exactly symmetric. */
export function withEigenvalues(values: ArrayLike<number>, blas: Blas, seed = 1): Matrix {
  const n = values.length;
  const q = randomMatrix(n, n, seed);
  const tau = new Float64Array(n);
  blas.geqrf(q, tau);
  const a = zeros(n, n);
  for (let i = 0; i < n; i++) a.data[i * (n + 1)] = values[i];
  blas.ormqr('L', 'N', q, tau, a);
  blas.ormqr('R', 'T', q, tau, a);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < j; i++) a.data[i + j * n] = a.data[j + i * n] = (a.data[i + j * n] + a.data[j + i * n]) / 2;
  return a;
}

/** A⁻¹B by LU with partial pivoting (LAPACK). */
export function denseSolve(a: Matrix, b: Matrix, blas: Blas): Matrix {
  const lu = zeros(a.rows, a.cols);
  const x = zeros(b.rows, b.cols);
  copyInto(lu, a);
  copyInto(x, b);
  const pivots = new Int32Array(a.rows);
  if (blas.getrf(lu, pivots) !== 0) throw new Error('singular');
  blas.getrs('N', lu, pivots, x);
  return x;
}

export const norm2 = (a: Matrix, j = 0): number =>
  Math.hypot(...filled(a.rows, (i) => a.data[a.offset + i + j * a.ld]));

/** ‖b − Ax‖ of a column, by the dense matrix. */
export function residualOf(a: Matrix, b: Matrix, x: Matrix, blas: Blas, j = 0): number {
  const r = zeros(a.rows, 1);
  copyInto(r, view(b.data, b.offset + j * b.ld, b.rows, 1));
  const xj = zeros(a.rows, 1);
  copyInto(xj, view(x.data, x.offset + j * x.ld, x.rows, 1));
  blas.gemv('N', -1, a, xj, 1, r);
  return norm2(r);
}

/** The A-norm of y − x: √((y − x)ᵀA(y − x)). */
export function energyDistance(a: Matrix, x: Matrix, y: Matrix, blas: Blas): number {
  const d = column(filled(a.rows, (i) => y.data[y.offset + i] - x.data[x.offset + i]));
  const ad = zeros(a.rows, 1);
  blas.gemv('N', 1, a, d, 0, ad);
  return Math.sqrt(filled(a.rows, (i) => d.data[i] * ad.data[i]).reduce((sum, value) => sum + value, 0));
}

/** The operator, with its products counted; `change` may alter each of them. It is taken on trust: looks count too. */
export function counted(
  operator: LinearOperator,
  change?: (product: number, out: Matrix) => void,
): LinearOperator & { products: number; vectors: number } {
  return derived({
    rows: operator.rows,
    cols: operator.cols,
    symmetric: operator.symmetric,
    products: 0,
    vectors: 0,
    applyUnchecked(out, x, alpha, beta) {
      operator.applyUnchecked(out, x, alpha, beta);
      this.products++;
      this.vectors += x.cols;
      change?.(this.products, out);
    },
  });
}

const shares = new Map<number, RowShare>();

/** All rows of one process in an order of their own, in 2ᵏ leaves of five rows at least. */
function sharedRows(size: number): RowShare {
  let share = shares.get(size);
  if (share === undefined) {
    const leaves = 2 ** Math.max(0, Math.floor(Math.log2(size / 5)));
    const order = Int32Array.from({ length: size }, (_, i) => i);
    new RandomStream(size, 78).shuffle(order);
    const ends = Int32Array.from({ length: leaves }, (_, leaf) => Math.floor(((leaf + 1) * size) / leaves));
    const dealt = { order, bounds: Int32Array.of(0, size), leaves: Int32Array.of(0, leaves), ends };
    shares.set(size, (share = new RowShare(dealt, selfCommunicator())));
  }
  return share;
}

/** The operator, which can be had over own rows too; products count as its own. */
export function withOwnRows(operator: LinearOperator): LinearOperator {
  const { rows: n, cols, symmetric } = operator;
  const rowShare = sharedRows(n);
  const whole = (a: Matrix): Matrix => zeros(a.rows, a.cols);
  return derived({
    rows: n,
    cols,
    symmetric,
    applyUnchecked: (out, x, alpha, beta) => operator.applyUnchecked(out, x, alpha, beta),
    onRows: (rows = rowShare) =>
      rows === rowShare && n === cols
        ? {
            rows: n,
            cols,
            symmetric,
            rowShare,
            applyUnchecked: (out, x, alpha, beta) => {
              const [y, z] = [whole(out), whole(x)];
              rowShare.gather(z, x);
              rowShare.gather(y, out);
              operator.applyUnchecked(y, z, alpha, beta);
              rowShare.take(out, y);
            },
          }
        : undefined,
  });
}

/**
 * Runs the work and tells the lengths of all buffers and typed arrays of at least `least` elements that were made
 * meanwhile.
 */
export function allocations(least: number, work: () => void): number[] {
  const found: number[] = [];
  const names = ['Float64Array', 'Float32Array', 'Int32Array', 'ArrayBuffer', 'SharedArrayBuffer'] as const;
  const scope = globalThis as unknown as Record<string, new (...args: unknown[]) => { readonly byteLength: number }>;
  const originals = names.map((name) => scope[name]);
  names.forEach((name, k) => {
    scope[name] = new Proxy(originals[k], {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget) as { readonly byteLength: number };
        const onBuffer = args[0] instanceof originals[3] || args[0] instanceof originals[4];
        if (!onBuffer && made.byteLength >= 8 * least) found.push(made.byteLength / 8);
        return made;
      },
    });
  });
  try {
    work();
  } finally {
    names.forEach((name, k) => {
      scope[name] = originals[k];
    });
  }
  return found;
}

export function normals(n: number, cols: number, seed: number): Matrix {
  const a = zeros(n, cols);
  new RandomStream(seed, 77).fillNormal(a.data);
  return a;
}
