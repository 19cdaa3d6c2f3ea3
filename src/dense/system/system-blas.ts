/**
 * The dense contract over a system library.
 * Every routine checks its views, then hands numeric addresses and sizes to native code; nothing is copied, shared
 * memory included. Products over an empty inner dimension are completed here, for reference BLAS leaves y alone where
 * the equation asks for β·y.
 */
import type { Blas, Side, Transpose, Triangle, UnitDiagonal } from '../blas.js';
import type { FloatArray, Matrix } from '../matrix.js';
import {
  checkGemm,
  checkGemv,
  checkSymm,
  checkSymv,
  checkSyrk,
  checkTriangular,
  scaleTriangle,
  scaleView,
} from '../shapes.js';
import { ArrayAddresses } from './addresses.js';
import {
  COLUMN_MAJOR,
  LEFT,
  LOWER,
  NON_UNIT,
  NO_TRANSPOSE,
  RIGHT,
  TRANSPOSE,
  UNIT,
  UPPER,
  bindBlas,
} from './blas-symbols.js';
import type { BlasSymbols } from './blas-symbols.js';
import type { FortranArguments } from './fortran-arguments.js';
import { Lapack } from './lapack.js';
import type { BlasLibrary } from './library.js';

const transposeFlag = (trans: Transpose): number => (trans === 'T' ? TRANSPOSE : NO_TRANSPOSE);
const triangleFlag = (uplo: Triangle): number => (uplo === 'U' ? UPPER : LOWER);
const sideFlag = (side: Side): number => (side === 'R' ? RIGHT : LEFT);
const diagonalFlag = (diag: UnitDiagonal): number => (diag === 'U' ? UNIT : NON_UNIT);

/** The dense contract over one system library. Not to be shared between threads: scalars and workspaces are its own. */
export class SystemBlas implements Blas {
  readonly kind = 'openblas';
  readonly description: string;
  readonly #double: BlasSymbols;
  readonly #single: BlasSymbols;
  readonly #addresses = new ArrayAddresses();
  readonly #lapack: Lapack;

  /** Binds all symbols. Throws LibraryError naming the first that is missing. */
  constructor(library: BlasLibrary, scalars: FortranArguments, description: string) {
    this.description = description;
    this.#double = bindBlas(library, true, scalars);
    this.#single = bindBlas(library, false, scalars);
    this.#lapack = new Lapack(library, scalars, this.#addresses);
  }

  gemm(transA: Transpose, transB: Transpose, alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void {
    checkGemm(transA, transB, a, b, c);
    const m = c.rows;
    const n = c.cols;
    const k = transA === 'T' ? a.rows : a.cols;
    if (m === 0 || n === 0) return;
    if (k === 0) {
      scaleView(c, beta);
      return;
    }
    const symbols = c.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = c.data instanceof Float64Array ? 8 : 4;
    const addresses = this.#addresses;
    const aAt = addresses.first(a.data) + bytes * a.offset;
    const bAt = addresses.second(b.data) + bytes * b.offset;
    const cAt = addresses.third(c.data) + bytes * c.offset;
    // A single column or row of C: gemm would pack all of A or B first, gemv reads it once (2 to 5 times faster).
    if (n === 1) {
      symbols.gemv(
        COLUMN_MAJOR,
        transposeFlag(transA),
        a.rows,
        a.cols,
        alpha,
        aAt,
        a.ld,
        bAt,
        transB === 'T' ? b.ld : 1,
        beta,
        cAt,
        1,
      );
      return;
    }
    if (m === 1) {
      symbols.gemv(
        COLUMN_MAJOR,
        transB === 'T' ? NO_TRANSPOSE : TRANSPOSE,
        b.rows,
        b.cols,
        alpha,
        bAt,
        b.ld,
        aAt,
        transA === 'T' ? 1 : a.ld,
        beta,
        cAt,
        c.ld,
      );
      return;
    }
    symbols.gemm(
      COLUMN_MAJOR,
      transposeFlag(transA),
      transposeFlag(transB),
      m,
      n,
      k,
      alpha,
      aAt,
      a.ld,
      bAt,
      b.ld,
      beta,
      cAt,
      c.ld,
    );
  }

  gemv(transA: Transpose, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void {
    checkGemv(transA, a, x, y);
    if (y.rows === 0) return;
    if (x.rows === 0) {
      scaleView(y, beta);
      return;
    }
    const symbols = y.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = y.data instanceof Float64Array ? 8 : 4;
    const addresses = this.#addresses;
    const aAt = addresses.first(a.data) + bytes * a.offset;
    const xAt = addresses.second(x.data) + bytes * x.offset;
    const yAt = addresses.third(y.data) + bytes * y.offset;
    symbols.gemv(COLUMN_MAJOR, transposeFlag(transA), a.rows, a.cols, alpha, aAt, a.ld, xAt, 1, beta, yAt, 1);
  }

  symm(side: Side, uplo: Triangle, alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void {
    checkSymm(side, a, b, c);
    if (c.rows === 0 || c.cols === 0) return;
    const symbols = c.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = c.data instanceof Float64Array ? 8 : 4;
    const addresses = this.#addresses;
    const aAt = addresses.first(a.data) + bytes * a.offset;
    const bAt = addresses.second(b.data) + bytes * b.offset;
    const cAt = addresses.third(c.data) + bytes * c.offset;
    symbols.symm(
      COLUMN_MAJOR,
      sideFlag(side),
      triangleFlag(uplo),
      c.rows,
      c.cols,
      alpha,
      aAt,
      a.ld,
      bAt,
      b.ld,
      beta,
      cAt,
      c.ld,
    );
  }

  symv(uplo: Triangle, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void {
    checkSymv(a, x, y);
    if (a.rows === 0) return;
    const symbols = y.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = y.data instanceof Float64Array ? 8 : 4;
    const addresses = this.#addresses;
    const aAt = addresses.first(a.data) + bytes * a.offset;
    const xAt = addresses.second(x.data) + bytes * x.offset;
    const yAt = addresses.third(y.data) + bytes * y.offset;
    symbols.symv(COLUMN_MAJOR, triangleFlag(uplo), a.rows, alpha, aAt, a.ld, xAt, 1, beta, yAt, 1);
  }

  syrk(uplo: Triangle, trans: Transpose, alpha: number, a: Matrix, beta: number, c: Matrix): void {
    checkSyrk(trans, a, c);
    const k = trans === 'T' ? a.rows : a.cols;
    if (c.rows === 0) return;
    if (k === 0) {
      scaleTriangle(uplo, c, beta);
      return;
    }
    const symbols = c.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = c.data instanceof Float64Array ? 8 : 4;
    const aAt = this.#addresses.first(a.data) + bytes * a.offset;
    const cAt = this.#addresses.third(c.data) + bytes * c.offset;
    symbols.syrk(COLUMN_MAJOR, triangleFlag(uplo), transposeFlag(trans), c.rows, k, alpha, aAt, a.ld, beta, cAt, c.ld);
  }

  trsm(side: Side, uplo: Triangle, transA: Transpose, diag: UnitDiagonal, alpha: number, a: Matrix, b: Matrix): void {
    checkTriangular(side, a, b, 'trsm: A', 'trsm: B');
    if (b.rows === 0 || b.cols === 0) return;
    const symbols = b.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = b.data instanceof Float64Array ? 8 : 4;
    const aAt = this.#addresses.first(a.data) + bytes * a.offset;
    const bAt = this.#addresses.second(b.data) + bytes * b.offset;
    symbols.trsm(
      COLUMN_MAJOR,
      sideFlag(side),
      triangleFlag(uplo),
      transposeFlag(transA),
      diagonalFlag(diag),
      b.rows,
      b.cols,
      alpha,
      aAt,
      a.ld,
      bAt,
      b.ld,
    );
  }

  trmm(side: Side, uplo: Triangle, transA: Transpose, diag: UnitDiagonal, alpha: number, a: Matrix, b: Matrix): void {
    checkTriangular(side, a, b, 'trmm: A', 'trmm: B');
    if (b.rows === 0 || b.cols === 0) return;
    const symbols = b.data instanceof Float64Array ? this.#double : this.#single;
    const bytes = b.data instanceof Float64Array ? 8 : 4;
    const aAt = this.#addresses.first(a.data) + bytes * a.offset;
    const bAt = this.#addresses.second(b.data) + bytes * b.offset;
    symbols.trmm(
      COLUMN_MAJOR,
      sideFlag(side),
      triangleFlag(uplo),
      transposeFlag(transA),
      diagonalFlag(diag),
      b.rows,
      b.cols,
      alpha,
      aAt,
      a.ld,
      bAt,
      b.ld,
    );
  }

  potrf(uplo: Triangle, a: Matrix): number {
    return this.#lapack.potrf(uplo, a);
  }
  geqrf(a: Matrix, tau: FloatArray): void {
    this.#lapack.geqrf(a, tau);
  }
  ormqr(side: Side, trans: Transpose, a: Matrix, tau: FloatArray, c: Matrix): void {
    this.#lapack.ormqr(side, trans, a, tau, c);
  }
  geqp3(a: Matrix, pivots: Int32Array, tau: FloatArray): void {
    this.#lapack.geqp3(a, pivots, tau);
  }
  gesdd(a: Matrix, s: FloatArray, u: Matrix | null, vt: Matrix | null): number {
    return this.#lapack.gesdd(a, s, u, vt);
  }
  syevd(vectors: boolean, uplo: Triangle, a: Matrix, w: FloatArray): number {
    return this.#lapack.syevd(vectors, uplo, a, w);
  }
  getrf(a: Matrix, pivots: Int32Array): number {
    return this.#lapack.getrf(a, pivots);
  }
  getrs(trans: Transpose, a: Matrix, pivots: Int32Array, b: Matrix): void {
    this.#lapack.getrs(trans, a, pivots, b);
  }
}
