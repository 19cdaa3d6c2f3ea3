/**
 * The dense contract without a native library: WebAssembly SIMD kernels, blocked and staged from TypeScript.
 * Runs wherever WebAssembly with 128-bit SIMD does (Node ≥ 16.4). Deterministic: the same operands give the same bits,
 * on any thread and machine.
 */
import type { Blas } from '../blas.js';
import {
  checkGemm,
  checkGemv,
  checkGeqp3,
  checkGeqrf,
  checkGesdd,
  checkGetrf,
  checkGetrs,
  checkOrmqr,
  checkPotrf,
  checkSyevd,
  checkSymm,
  checkSymv,
  checkSyrk,
  checkTriangular,
} from '../shapes.js';
import { potrf } from './cholesky.js';
import { syevd } from './eigen.js';
import { gemm, syrk } from './gemm.js';
import { gemv, symv } from './gemv.js';
import { symm, trmm, trsm } from './level3.js';
import { getrf, getrs } from './lu.js';
import { geqp3, geqrf, ormqr } from './qr.js';
import { gesdd } from './svd.js';

/**
 * The portable backend. All instances on a thread share one WebAssembly memory: a few MiB of staging that grows with
 * the largest matrix given to a decomposition, and is given back above 64 MiB. Operands must not overlap, as in BLAS.
 */
export function createPortableBlas(): Blas {
  return {
    description: 'portable (WebAssembly SIMD)',
    kind: 'portable',
    gemm(transA, transB, alpha, a, b, beta, c) {
      checkGemm(transA, transB, a, b, c);
      gemm(transA, transB, alpha, a, b, beta, c);
    },
    gemv(transA, alpha, a, x, beta, y) {
      checkGemv(transA, a, x, y);
      gemv(transA, alpha, a, x, beta, y);
    },
    symm(side, uplo, alpha, a, b, beta, c) {
      checkSymm(side, a, b, c);
      symm(side, uplo, alpha, a, b, beta, c);
    },
    symv(uplo, alpha, a, x, beta, y) {
      checkSymv(a, x, y);
      symv(uplo, alpha, a, x, beta, y);
    },
    syrk(uplo, trans, alpha, a, beta, c) {
      checkSyrk(trans, a, c);
      syrk(uplo, trans, alpha, a, beta, c);
    },
    trsm(side, uplo, transA, diag, alpha, a, b) {
      checkTriangular(side, a, b, 'trsm: A', 'trsm: B');
      trsm(side, uplo, transA, diag, alpha, a, b);
    },
    trmm(side, uplo, transA, diag, alpha, a, b) {
      checkTriangular(side, a, b, 'trmm: A', 'trmm: B');
      trmm(side, uplo, transA, diag, alpha, a, b);
    },
    potrf(uplo, a) {
      checkPotrf(a);
      return potrf(uplo, a);
    },
    geqrf(a, tau) {
      checkGeqrf(a, tau);
      geqrf(a, tau);
    },
    ormqr(side, trans, a, tau, c) {
      checkOrmqr(side, a, tau, c);
      ormqr(side, trans, a, tau, c);
    },
    geqp3(a, pivots, tau) {
      checkGeqp3(a, pivots, tau);
      geqp3(a, pivots, tau);
    },
    gesdd(a, s, u, vt) {
      checkGesdd(a, s, u, vt);
      return gesdd(a, s, u, vt);
    },
    syevd(vectors, uplo, a, w) {
      checkSyevd(a, w);
      return syevd(vectors, uplo, a, w);
    },
    getrf(a, pivots) {
      checkGetrf(a, pivots);
      return getrf(a, pivots);
    },
    getrs(trans, a, pivots, b) {
      checkGetrs(a, pivots, b);
      getrs(trans, a, pivots, b);
    },
  };
}
