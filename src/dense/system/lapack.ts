/**
 * The LAPACK routines of the dense contract over a library's Fortran symbols.
 * Reference: E. Anderson et al., LAPACK Users' Guide, 3rd ed. Workspaces belong to the instance, grow on demand and are
 * sized by the routine's own query, so that each library gets the block size it wants. Short vectors (tau, s, w,
 * pivots) go through them too.
 */
import { FactorizationError, NonFiniteError } from '../../core/errors.js';
import type { Side, Transpose, Triangle } from '../blas.js';
import { floats, precisionOf } from '../../core/floats.js';
import { copyInto, view, type FloatArray, type Matrix } from '../matrix.js';
import {
  checkGeqp3,
  checkGeqrf,
  checkGesdd,
  checkGetrf,
  checkGetrs,
  checkOrmqr,
  checkPotrf,
  checkSyevd,
} from '../shapes.js';
import type { ArrayAddresses } from './addresses.js';
import { HIDDEN_LENGTH, fortranRoutine } from './blas-symbols.js';
import type { FortranArguments } from './fortran-arguments.js';
import type { NativeFunction } from '../../native/koffi.js';
import type { BlasLibrary } from './library.js';
import { Workspace } from './workspace.js';

/** Fortran arguments of each routine, and how many of them are characters. */
const ROUTINES = {
  potrf: [5, 1],
  geqrf: [8, 0],
  ormqr: [13, 2],
  geqp3: [9, 0],
  gesdd: [14, 1],
  gesvd: [14, 2],
  syevd: [11, 2],
  getrf: [6, 0],
  getrs: [9, 1],
} as const;
type LapackSymbols = Record<keyof typeof ROUTINES, NativeFunction>;

/** The entries of a view, column after column. */
function entriesOf(a: Matrix): FloatArray {
  const kept = floats(a.rows * a.cols, precisionOf(a.data));
  copyInto(view(kept, 0, a.rows, a.cols), a);
  return kept;
}

function bindLapack(library: BlasLibrary, prefix: 'd' | 's'): LapackSymbols {
  const symbols: Partial<LapackSymbols> = {};
  for (const [routine, [count, characters]] of Object.entries(ROUTINES)) {
    symbols[routine as keyof LapackSymbols] = fortranRoutine(library, prefix + routine, count, characters);
  }
  return symbols as LapackSymbols;
}

/** Integer slots of the argument block: sizes and leading dimensions from 0, then these. */
const LWORK = 8;
const LIWORK = 9;
/** The integer slot in which a routine leaves its `info`. */
export const INFO = 10;
const QUERY = -1;
const one = HIDDEN_LENGTH;

/** LAPACK's part of the dense contract (blas.ts says what each routine does), in both precisions. Throws ShapeError. */
export class Lapack {
  readonly #double: LapackSymbols;
  readonly #single: LapackSymbols;
  readonly #scalars: FortranArguments;
  readonly #addresses: ArrayAddresses;
  readonly #work = new Workspace();
  readonly #vector = new Workspace();
  readonly #integers = new Workspace();

  /** Throws LibraryError where a symbol is missing. */
  constructor(library: BlasLibrary, scalars: FortranArguments, addresses: ArrayAddresses) {
    this.#double = bindLapack(library, 'd');
    this.#single = bindLapack(library, 's');
    this.#scalars = scalars;
    this.#addresses = addresses;
  }

  potrf(uplo: Triangle, a: Matrix): number {
    checkPotrf(a);
    if (a.rows === 0) return 0;
    const p = this.#scalars;
    this.#of(a).potrf(p.letter(uplo), p.integer(0, a.rows), this.#at(a), p.integer(1, a.ld), p.integer(INFO, 0), one);
    return this.#info('potrf');
  }

  geqrf(a: Matrix, tau: FloatArray): void {
    checkGeqrf(a, tau);
    const k = Math.min(a.rows, a.cols);
    if (k === 0) return;
    const p = this.#scalars;
    const geqrf = this.#of(a).geqrf;
    const address = this.#at(a);
    const bytes = a.data.BYTES_PER_ELEMENT;
    const tauAt = this.#vector.reserve(k * bytes);
    const call = (workAt: number, lwork: number): number =>
      geqrf(
        p.integer(0, a.rows),
        p.integer(1, a.cols),
        address,
        p.integer(2, a.ld),
        tauAt,
        workAt,
        p.integer(LWORK, lwork),
        p.integer(INFO, 0),
      );
    this.#withWork(bytes, call);
    this.#info('geqrf');
    copyOut(this.#vector, tau, k);
  }

  ormqr(side: Side, trans: Transpose, a: Matrix, tau: FloatArray, c: Matrix): void {
    checkOrmqr(side, a, tau, c);
    const k = Math.min(a.rows, a.cols);
    if (k === 0 || c.rows === 0 || c.cols === 0) return;
    const p = this.#scalars;
    const ormqr = this.#of(a).ormqr;
    const address = this.#at(a);
    const bytes = a.data.BYTES_PER_ELEMENT;
    const cAt = this.#addresses.second(c.data) + bytes * c.offset;
    const tauAt = this.#vector.reserve(k * bytes);
    copyIn(this.#vector, tau, k);
    const call = (workAt: number, lwork: number): number =>
      ormqr(
        p.letter(side),
        p.letter(trans),
        p.integer(0, c.rows),
        p.integer(1, c.cols),
        p.integer(2, k),
        address,
        p.integer(3, a.ld),
        tauAt,
        cAt,
        p.integer(4, c.ld),
        workAt,
        p.integer(LWORK, lwork),
        p.integer(INFO, 0),
        one,
        one,
      );
    this.#withWork(bytes, call);
    this.#info('ormqr');
  }

  geqp3(a: Matrix, pivots: Int32Array, tau: FloatArray): void {
    checkGeqp3(a, pivots, tau);
    const { rows, cols } = a;
    const k = Math.min(rows, cols);
    if (k === 0) {
      for (let j = 0; j < cols; j++) pivots[j] = j;
      return;
    }
    const p = this.#scalars;
    const geqp3 = this.#of(a).geqp3;
    const address = this.#at(a);
    const bytes = a.data.BYTES_PER_ELEMENT;
    const tauAt = this.#vector.reserve(k * bytes);
    const pivotsAt = this.#integers.reserve(4 * cols);
    // Zero marks a free column.
    this.#integers.int32.fill(0, 0, cols);
    const call = (workAt: number, lwork: number): number =>
      geqp3(
        p.integer(0, rows),
        p.integer(1, cols),
        address,
        p.integer(2, a.ld),
        pivotsAt,
        tauAt,
        workAt,
        p.integer(LWORK, lwork),
        p.integer(INFO, 0),
      );
    this.#withWork(bytes, call);
    this.#info('geqp3');
    copyOut(this.#vector, tau, k);
    const permuted = this.#integers.int32;
    for (let j = 0; j < cols; j++) pivots[j] = permuted[j] - 1;
  }

  /**
   * Divide and conquer; where that ends without convergence, as OpenBLAS' does now and then on graded matrices that are
   * no worse than others, QR iteration on the same matrix.
   */
  gesdd(a: Matrix, s: FloatArray, u: Matrix | null, vt: Matrix | null): number {
    checkGesdd(a, s, u, vt);
    const k = Math.min(a.rows, a.cols);
    if (k === 0) return 0;
    const kept = entriesOf(a);
    const bytes = a.data.BYTES_PER_ELEMENT;
    const iworkAt = this.#integers.reserve(4 * 8 * k);
    const job = u === null ? 'N' : 'S';
    const { gesdd, gesvd } = this.#of(a);
    const p = this.#scalars;
    const shape = this.#svdArguments(a, u, vt);
    this.#withWork(bytes, (workAt, lwork) =>
      gesdd(p.letter(job), ...shape, workAt, p.integer(LWORK, lwork), iworkAt, p.integer(INFO, 0), one),
    );
    const info = p.integerAt(INFO);
    // LAPACK ≥ 3.7 refuses its fourth argument, the matrix itself, if it holds a NaN.
    if (info === -4) throw new NonFiniteError('gesdd: the matrix holds NaN.', { routine: 'gesdd', info });
    if (info > 0 && kept.every(Number.isFinite)) {
      copyInto(a, view(kept, 0, a.rows, a.cols));
      this.#withWork(bytes, (workAt, lwork) =>
        gesvd(p.letter(job), p.letter(job), ...shape, workAt, p.integer(LWORK, lwork), p.integer(INFO, 0), one, one),
      );
    }
    copyOut(this.#vector, s, k);
    return this.#info('gesdd');
  }

  /** m, n, A, lda, s, U, ldu, Vᵀ, ldvt: what gesdd and gesvd have in common. */
  #svdArguments(a: Matrix, u: Matrix | null, vt: Matrix | null) {
    const p = this.#scalars;
    const bytes = a.data.BYTES_PER_ELEMENT;
    const address = this.#at(a);
    const sAt = this.#vector.reserve(Math.min(a.rows, a.cols) * bytes);
    // Without vectors U and Vᵀ are not referenced, but their addresses should still be someone's.
    const uAt = u === null ? sAt : this.#addresses.second(u.data) + bytes * u.offset;
    const vtAt = vt === null ? sAt : this.#addresses.third(vt.data) + bytes * vt.offset;
    return [
      p.integer(0, a.rows),
      p.integer(1, a.cols),
      address,
      p.integer(2, a.ld),
      sAt,
      uAt,
      p.integer(3, u === null ? a.rows : u.ld),
      vtAt,
      p.integer(4, vt === null ? a.cols : vt.ld),
    ] as const;
  }

  syevd(vectors: boolean, uplo: Triangle, a: Matrix, w: FloatArray): number {
    checkSyevd(a, w);
    const n = a.rows;
    if (n === 0) return 0;
    const p = this.#scalars;
    const syevd = this.#of(a).syevd;
    const address = this.#at(a);
    const bytes = a.data.BYTES_PER_ELEMENT;
    const wAt = this.#vector.reserve(n * bytes);
    const liwork = vectors ? 3 + 5 * n : 1;
    const iworkAt = this.#integers.reserve(4 * liwork);
    const job = vectors ? 'V' : 'N';
    const call = (workAt: number, lwork: number): number =>
      syevd(
        p.letter(job),
        p.letter(uplo),
        p.integer(0, n),
        address,
        p.integer(1, a.ld),
        wAt,
        workAt,
        p.integer(LWORK, lwork),
        iworkAt,
        p.integer(LIWORK, lwork === QUERY ? QUERY : liwork),
        p.integer(INFO, 0),
        one,
        one,
      );
    this.#withWork(bytes, call);
    copyOut(this.#vector, w, n);
    return this.#info('syevd');
  }

  getrf(a: Matrix, pivots: Int32Array): number {
    checkGetrf(a, pivots);
    const k = Math.min(a.rows, a.cols);
    if (k === 0) return 0;
    const p = this.#scalars;
    const pivotsAt = this.#integers.reserve(4 * k);
    this.#of(a).getrf(
      p.integer(0, a.rows),
      p.integer(1, a.cols),
      this.#at(a),
      p.integer(2, a.ld),
      pivotsAt,
      p.integer(INFO, 0),
    );
    const interchanges = this.#integers.int32;
    for (let i = 0; i < k; i++) pivots[i] = interchanges[i] - 1;
    return this.#info('getrf');
  }

  getrs(trans: Transpose, a: Matrix, pivots: Int32Array, b: Matrix): void {
    checkGetrs(a, pivots, b);
    const n = a.rows;
    if (n === 0 || b.cols === 0) return;
    const p = this.#scalars;
    const pivotsAt = this.#integers.reserve(4 * n);
    const interchanges = this.#integers.int32;
    for (let i = 0; i < n; i++) interchanges[i] = pivots[i] + 1;
    const bAt = this.#addresses.second(b.data) + b.data.BYTES_PER_ELEMENT * b.offset;
    this.#of(a).getrs(
      p.letter(trans),
      p.integer(0, n),
      p.integer(1, b.cols),
      this.#at(a),
      p.integer(2, a.ld),
      pivotsAt,
      bAt,
      p.integer(3, b.ld),
      p.integer(INFO, 0),
      one,
    );
    this.#info('getrs');
  }

  #of(a: Matrix): LapackSymbols {
    return a.data instanceof Float64Array ? this.#double : this.#single;
  }

  #at(a: Matrix): number {
    return this.#addresses.first(a.data) + a.data.BYTES_PER_ELEMENT * a.offset;
  }

  /** Asks the routine how much workspace it wants, then runs it with that much. */
  #withWork(bytes: number, call: (workAt: number, lwork: number) => number): void {
    const queryAt = this.#work.reserve(64);
    call(queryAt, QUERY);
    const answer = bytes === 8 ? this.#work.float64[0] : this.#work.float32[0];
    // A float32 answer may have been rounded down.
    const lwork = Math.max(1, Math.ceil(bytes === 8 ? answer : answer * (1 + 2 ** -22)));
    if (this.#scalars.integerAt(INFO) !== 0) return;
    call(this.#work.reserve(lwork * bytes), lwork);
    this.#work.trim();
  }

  /**
   * info of the last call. Negative means an argument that was refused: shapes are checked before, so that is not the
   * caller's doing.
   */
  #info(routine: string): number {
    const info = this.#scalars.integerAt(INFO);
    if (info < 0)
      throw new FactorizationError(`${routine}: the LAPACK library refused argument ${-info} of the Fortran routine.`, {
        routine,
        info,
      });
    return info;
  }
}

function copyOut(from: Workspace, to: FloatArray, count: number): void {
  const source = to instanceof Float64Array ? from.float64 : from.float32;
  for (let i = 0; i < count; i++) to[i] = source[i];
}

function copyIn(to: Workspace, from: FloatArray, count: number): void {
  const target = from instanceof Float64Array ? to.float64 : to.float32;
  for (let i = 0; i < count; i++) target[i] = from[i];
}
