/**
 * The BLAS routines of one library in one precision, under the signatures of CBLAS.
 * CBLAS takes scalars by value and is bound where the library has it; otherwise the Fortran routines are wrapped.
 * Addresses are numbers; matrices are column-major always.
 */
import type { FortranArguments } from './fortran-arguments.js';
import type { NativeFunction, NativeType } from '../../native/koffi.js';
import type { BlasLibrary } from './library.js';

/** Enumerators of cblas.h. */
export const COLUMN_MAJOR = 102;
/** CBLAS_TRANSPOSE: op(A) = A. */
export const NO_TRANSPOSE = 111;
/** CBLAS_TRANSPOSE: op(A) = Aᵀ. */
export const TRANSPOSE = 112;
/** CBLAS_UPLO: the upper triangle. */
export const UPPER = 121;
/** CBLAS_UPLO: the lower triangle. */
export const LOWER = 122;
/** CBLAS_DIAG: the diagonal is read. */
export const NON_UNIT = 131;
/** CBLAS_DIAG: the diagonal is taken for ones. */
export const UNIT = 132;
/** CBLAS_SIDE: the special matrix stands to the left. */
export const LEFT = 141;
/** CBLAS_SIDE: the special matrix stands to the right. */
export const RIGHT = 142;

/**
 * The routines of one precision, with the arguments of CBLAS: `order` is always column-major (102), matrices are
 * addresses with leading dimensions in elements, vectors addresses with strides. Nothing is checked.
 */
export interface BlasSymbols {
  gemm(
    order: number,
    transA: number,
    transB: number,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    beta: number,
    c: number,
    ldc: number,
  ): void;
  gemv(
    order: number,
    trans: number,
    m: number,
    n: number,
    alpha: number,
    a: number,
    lda: number,
    x: number,
    incx: number,
    beta: number,
    y: number,
    incy: number,
  ): void;
  symm(
    order: number,
    side: number,
    uplo: number,
    m: number,
    n: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    beta: number,
    c: number,
    ldc: number,
  ): void;
  symv(
    order: number,
    uplo: number,
    n: number,
    alpha: number,
    a: number,
    lda: number,
    x: number,
    incx: number,
    beta: number,
    y: number,
    incy: number,
  ): void;
  syrk(
    order: number,
    uplo: number,
    trans: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    lda: number,
    beta: number,
    c: number,
    ldc: number,
  ): void;
  trsm(
    order: number,
    side: number,
    uplo: number,
    trans: number,
    diag: number,
    m: number,
    n: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
  ): void;
  trmm(
    order: number,
    side: number,
    uplo: number,
    trans: number,
    diag: number,
    m: number,
    n: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
  ): void;
}

type Routine = keyof BlasSymbols;
const ROUTINES: readonly Routine[] = ['gemm', 'gemv', 'symm', 'symv', 'syrk', 'trsm', 'trmm'];

/** Parameters by letter: i an integer or enumerator, s a scalar in the routine's precision, p an address. */
const CBLAS_PARAMETERS: Readonly<Record<Routine, string>> = {
  gemm: 'iiiiiispipispi',
  gemv: 'iiiispipispi',
  symm: 'iiiiispipispi',
  symv: 'iiispipispi',
  syrk: 'iiiiispispi',
  trsm: 'iiiiiiispipi',
  trmm: 'iiiiiiispipi',
};
/** Number of Fortran arguments, and how many of them are characters (whose hidden lengths follow at the end). */
const FORTRAN_PARAMETERS: Readonly<Record<Routine, readonly [number, number]>> = {
  gemm: [13, 2],
  gemv: [11, 1],
  symm: [12, 2],
  symv: [10, 1],
  syrk: [10, 2],
  trsm: [11, 4],
  trmm: [11, 4],
};

/** Binds all seven routines. Throws LibraryError naming the first symbol that exists in neither form. */
export function bindBlas(library: BlasLibrary, double: boolean, scalars: FortranArguments): BlasSymbols {
  const prefix = double ? 'd' : 's';
  const cblas: Partial<Record<Routine, NativeFunction>> = {};
  for (const routine of ROUTINES) {
    const parameters = Array.from(CBLAS_PARAMETERS[routine], (letter): NativeType =>
      letter === 'i' ? 'int' : letter === 'p' ? 'int64' : double ? 'double' : 'float',
    );
    const found = library.find(`cblas_${prefix}${routine}`, 'void', parameters);
    if (found === undefined) return bindFortranBlas(library, prefix, scalars);
    cblas[routine] = found;
  }
  return cblas as unknown as BlasSymbols;
}

/** The hidden length of one character argument, passed at the end as gfortran and ifort expect; others ignore it. */
export const HIDDEN_LENGTH = 1;

/** A Fortran subroutine with that many arguments, the last of them `characters` hidden lengths more. */
export function fortranRoutine(library: BlasLibrary, name: string, count: number, characters: number): NativeFunction {
  return library.fortran(name, new Array<NativeType>(count + characters).fill('int64'));
}

const LETTER_OF: Readonly<Record<number, string>> = {
  [NO_TRANSPOSE]: 'N',
  [TRANSPOSE]: 'T',
  [UPPER]: 'U',
  [LOWER]: 'L',
  [NON_UNIT]: 'N',
  [UNIT]: 'U',
  [LEFT]: 'L',
  [RIGHT]: 'R',
};

function bindFortranBlas(library: BlasLibrary, prefix: 'd' | 's', scalars: FortranArguments): BlasSymbols {
  const double = prefix === 'd';
  const bind = (routine: Routine): NativeFunction =>
    fortranRoutine(library, prefix + routine, FORTRAN_PARAMETERS[routine][0], FORTRAN_PARAMETERS[routine][1]);
  const [gemm, gemv, symm, symv, syrk, trsm, trmm] = ROUTINES.map(bind);
  const flag = (enumerator: number): number => scalars.letter(LETTER_OF[enumerator]);
  const int = (slot: number, value: number): number => scalars.integer(slot, value);
  const alphaAt = (value: number): number => scalars.real(0, value, double);
  const betaAt = (value: number): number => scalars.real(1, value, double);
  const one = HIDDEN_LENGTH;
  return {
    gemm: (_order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) => {
      gemm(
        flag(transA),
        flag(transB),
        int(0, m),
        int(1, n),
        int(2, k),
        alphaAt(alpha),
        a,
        int(3, lda),
        b,
        int(4, ldb),
        betaAt(beta),
        c,
        int(5, ldc),
        one,
        one,
      );
    },
    gemv: (_order, trans, m, n, alpha, a, lda, x, incx, beta, y, incy) => {
      gemv(
        flag(trans),
        int(0, m),
        int(1, n),
        alphaAt(alpha),
        a,
        int(2, lda),
        x,
        int(3, incx),
        betaAt(beta),
        y,
        int(4, incy),
        one,
      );
    },
    symm: (_order, side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc) => {
      symm(
        flag(side),
        flag(uplo),
        int(0, m),
        int(1, n),
        alphaAt(alpha),
        a,
        int(2, lda),
        b,
        int(3, ldb),
        betaAt(beta),
        c,
        int(4, ldc),
        one,
        one,
      );
    },
    symv: (_order, uplo, n, alpha, a, lda, x, incx, beta, y, incy) => {
      symv(flag(uplo), int(0, n), alphaAt(alpha), a, int(1, lda), x, int(2, incx), betaAt(beta), y, int(3, incy), one);
    },
    syrk: (_order, uplo, trans, n, k, alpha, a, lda, beta, c, ldc) => {
      syrk(
        flag(uplo),
        flag(trans),
        int(0, n),
        int(1, k),
        alphaAt(alpha),
        a,
        int(2, lda),
        betaAt(beta),
        c,
        int(3, ldc),
        one,
        one,
      );
    },
    trsm: (_order, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb) => {
      trsm(
        flag(side),
        flag(uplo),
        flag(trans),
        flag(diag),
        int(0, m),
        int(1, n),
        alphaAt(alpha),
        a,
        int(2, lda),
        b,
        int(3, ldb),
        one,
        one,
        one,
        one,
      );
    },
    trmm: (_order, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb) => {
      trmm(
        flag(side),
        flag(uplo),
        flag(trans),
        flag(diag),
        int(0, m),
        int(1, n),
        alphaAt(alpha),
        a,
        int(2, lda),
        b,
        int(3, ldb),
        one,
        one,
        one,
        one,
      );
    },
  };
}
