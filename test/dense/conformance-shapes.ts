/**
 * Conformance suite, third part: what does not fit together is a ShapeError, and nothing is written before it is
 * thrown.
 */
import { expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import type { Blas } from '#hmatrix/dense/blas.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import type { Matrix, Precision } from '#hmatrix/dense/matrix.js';
import { floats } from './reference.js';

export function describeShapeErrors(precision: Precision, blas: () => Blas): void {
  const other: Precision = precision === 'f64' ? 'f32' : 'f64';
  const m = (rows: number, cols: number): Matrix => zeros(rows, cols, precision);
  const foreign = (rows: number, cols: number): Matrix => zeros(rows, cols, other);
  const f = (length: number): ReturnType<typeof floats> => floats(length, precision);
  const i = (length: number): Int32Array => new Int32Array(length);

  it('shapes_that_do_not_fit_are_refused', () => {
    const b = blas();
    refuse({
      'gemm, inner sizes': () => b.gemm('N', 'N', 1, m(3, 4), m(5, 2), 0, m(3, 2)),
      'gemm, inner sizes when transposed': () => b.gemm('T', 'N', 1, m(3, 4), m(4, 2), 0, m(4, 2)),
      'gemm, rows of C': () => b.gemm('N', 'N', 1, m(3, 4), m(4, 2), 0, m(2, 2)),
      'gemm, columns of C': () => b.gemm('N', 'T', 1, m(3, 4), m(2, 4), 0, m(3, 4)),
      'gemv, length of x': () => b.gemv('N', 1, m(3, 4), m(3, 1), 0, m(3, 1)),
      'gemv, length of y': () => b.gemv('T', 1, m(3, 4), m(3, 1), 0, m(3, 1)),
      'gemv, x not a column': () => b.gemv('N', 1, m(3, 4), m(4, 2), 0, m(3, 1)),
      'gemv, y not a column': () => b.gemv('N', 1, m(3, 1), m(1, 1), 0, m(3, 2)),
      'symm, A not square': () => b.symm('L', 'L', 1, m(3, 4), m(3, 2), 0, m(3, 2)),
      'symm, side': () => b.symm('R', 'L', 1, m(3, 3), m(3, 2), 0, m(3, 2)),
      'symm, C': () => b.symm('L', 'L', 1, m(3, 3), m(3, 2), 0, m(3, 3)),
      'symv, A not square': () => b.symv('L', 1, m(3, 4), m(4, 1), 0, m(3, 1)),
      'symv, x': () => b.symv('L', 1, m(3, 3), m(2, 1), 0, m(3, 1)),
      'symv, y': () => b.symv('L', 1, m(3, 3), m(3, 1), 0, m(2, 1)),
      'syrk, C not square': () => b.syrk('L', 'N', 1, m(3, 2), 0, m(3, 4)),
      'syrk, order': () => b.syrk('L', 'T', 1, m(3, 2), 0, m(3, 3)),
      'trsm, A not square': () => b.trsm('L', 'L', 'N', 'N', 1, m(3, 2), m(3, 2)),
      'trsm, side': () => b.trsm('R', 'L', 'N', 'N', 1, m(3, 3), m(3, 2)),
      'trmm, A not square': () => b.trmm('L', 'L', 'N', 'N', 1, m(3, 2), m(3, 2)),
      'trmm, side': () => b.trmm('L', 'L', 'N', 'N', 1, m(2, 2), m(3, 2)),
      'potrf, A not square': () => b.potrf('L', m(3, 2)),
      'geqrf, tau too short': () => b.geqrf(m(4, 3), f(2)),
      'ormqr, C on the left': () => b.ormqr('L', 'N', m(4, 3), f(3), m(3, 2)),
      'ormqr, C on the right': () => b.ormqr('R', 'N', m(4, 3), f(3), m(4, 2)),
      'ormqr, tau too short': () => b.ormqr('L', 'N', m(4, 3), f(2), m(4, 2)),
      'geqp3, pivots too short': () => b.geqp3(m(4, 3), i(2), f(3)),
      'geqp3, tau too short': () => b.geqp3(m(4, 3), i(3), f(2)),
      'gesdd, s too short': () => b.gesdd(m(4, 3), f(2), m(4, 3), m(3, 3)),
      'gesdd, U not thin': () => b.gesdd(m(4, 3), f(3), m(4, 4), m(3, 3)),
      'gesdd, Vᵀ not thin': () => b.gesdd(m(3, 4), f(3), m(3, 3), m(4, 4)),
      'gesdd, U alone': () => b.gesdd(m(4, 3), f(3), m(4, 3), null),
      'gesdd, Vᵀ alone': () => b.gesdd(m(4, 3), f(3), null, m(3, 3)),
      'syevd, A not square': () => b.syevd(true, 'L', m(3, 2), f(3)),
      'syevd, w too short': () => b.syevd(true, 'L', m(3, 3), f(2)),
      'getrf, pivots too short': () => b.getrf(m(3, 4), i(2)),
      'getrs, A not square': () => b.getrs('N', m(3, 4), i(3), m(3, 1)),
      'getrs, pivots too short': () => b.getrs('N', m(3, 3), i(2), m(3, 1)),
      'getrs, B': () => b.getrs('N', m(3, 3), i(3), m(2, 1)),
      'getrs, a pivot past the last row': () => b.getrs('N', m(3, 3), Int32Array.of(0, 3, 2), m(3, 1)),
      'getrs, a negative pivot': () => b.getrs('N', m(3, 3), Int32Array.of(0, -1, 2), m(3, 1)),
    });
  });

  it('mixed_precisions_are_refused', () => {
    const b = blas();
    const g = floats(3, other);
    refuse({
      'gemm A': () => b.gemm('N', 'N', 1, foreign(3, 3), m(3, 3), 0, m(3, 3)),
      'gemm B': () => b.gemm('N', 'N', 1, m(3, 3), foreign(3, 3), 0, m(3, 3)),
      'gemm C': () => b.gemm('N', 'N', 1, m(3, 3), m(3, 3), 0, foreign(3, 3)),
      'gemv x': () => b.gemv('N', 1, m(3, 3), foreign(3, 1), 0, m(3, 1)),
      'gemv y': () => b.gemv('N', 1, m(3, 3), m(3, 1), 0, foreign(3, 1)),
      'symm B': () => b.symm('L', 'L', 1, m(3, 3), foreign(3, 3), 0, m(3, 3)),
      'symm C': () => b.symm('L', 'L', 1, m(3, 3), m(3, 3), 0, foreign(3, 3)),
      'symv x': () => b.symv('L', 1, m(3, 3), foreign(3, 1), 0, m(3, 1)),
      'symv y': () => b.symv('L', 1, m(3, 3), m(3, 1), 0, foreign(3, 1)),
      'syrk C': () => b.syrk('L', 'N', 1, m(3, 3), 0, foreign(3, 3)),
      'trsm B': () => b.trsm('L', 'L', 'N', 'N', 1, m(3, 3), foreign(3, 3)),
      'trmm B': () => b.trmm('L', 'L', 'N', 'N', 1, m(3, 3), foreign(3, 3)),
      'geqrf tau': () => b.geqrf(m(3, 3), g),
      'ormqr tau': () => b.ormqr('L', 'N', m(3, 3), g, m(3, 3)),
      'ormqr C': () => b.ormqr('L', 'N', m(3, 3), f(3), foreign(3, 3)),
      'geqp3 tau': () => b.geqp3(m(3, 3), i(3), g),
      'gesdd s': () => b.gesdd(m(3, 3), g, null, null),
      'gesdd U': () => b.gesdd(m(3, 3), f(3), foreign(3, 3), m(3, 3)),
      'gesdd Vᵀ': () => b.gesdd(m(3, 3), f(3), m(3, 3), foreign(3, 3)),
      'syevd w': () => b.syevd(true, 'L', m(3, 3), g),
      'getrs B': () => b.getrs('N', m(3, 3), i(3), foreign(3, 3)),
    });
  });

  it('views_that_leave_their_array_are_refused_in_every_argument', () => {
    const b = blas();
    const good = m(3, 3);
    const column = m(3, 1);
    const bad: Record<string, Matrix> = {
      'past the end': view(f(9), 1, 3, 3, 3),
      'ld too large for the array': view(f(9), 0, 3, 3, 4),
      'ld below rows': { data: f(90), offset: 0, rows: 3, cols: 3, ld: 2 },
      'offset negative': view(f(90), -1, 3, 3, 3),
      'offset not whole': view(f(90), 0.5, 3, 3, 3),
      'offset not a number': view(f(90), Number.NaN, 3, 3, 3),
      'ld not whole': view(f(90), 0, 3, 3, 3.5),
      'offset that wraps in 32 bits': view(f(90), 2 ** 32, 3, 3, 3),
    };
    for (const [why, a] of Object.entries(bad)) {
      const badColumn = view(f(3), 1, 3, 1);
      refuse({
        [`gemm A ${why}`]: () => b.gemm('N', 'N', 1, a, good, 0, good),
        [`gemm B ${why}`]: () => b.gemm('N', 'N', 1, good, a, 0, good),
        [`gemm C ${why}`]: () => b.gemm('N', 'N', 1, good, good, 0, a),
        [`gemv A ${why}`]: () => b.gemv('N', 1, a, column, 0, column),
        'gemv x': () => b.gemv('N', 1, good, badColumn, 0, column),
        'gemv y': () => b.gemv('N', 1, good, column, 0, badColumn),
        [`symm A ${why}`]: () => b.symm('L', 'L', 1, a, good, 0, good),
        [`symm B ${why}`]: () => b.symm('L', 'L', 1, good, a, 0, good),
        [`symm C ${why}`]: () => b.symm('L', 'L', 1, good, good, 0, a),
        [`symv A ${why}`]: () => b.symv('L', 1, a, column, 0, column),
        'symv x': () => b.symv('L', 1, good, badColumn, 0, column),
        'symv y': () => b.symv('L', 1, good, column, 0, badColumn),
        [`syrk A ${why}`]: () => b.syrk('L', 'N', 1, a, 0, good),
        [`syrk C ${why}`]: () => b.syrk('L', 'N', 1, good, 0, a),
        [`trsm A ${why}`]: () => b.trsm('L', 'L', 'N', 'N', 1, a, good),
        [`trsm B ${why}`]: () => b.trsm('L', 'L', 'N', 'N', 1, good, a),
        [`trmm A ${why}`]: () => b.trmm('L', 'L', 'N', 'N', 1, a, good),
        [`trmm B ${why}`]: () => b.trmm('L', 'L', 'N', 'N', 1, good, a),
        [`potrf ${why}`]: () => b.potrf('L', a),
        [`geqrf ${why}`]: () => b.geqrf(a, f(3)),
        [`ormqr A ${why}`]: () => b.ormqr('L', 'N', a, f(3), good),
        [`ormqr C ${why}`]: () => b.ormqr('L', 'N', good, f(3), a),
        [`geqp3 ${why}`]: () => b.geqp3(a, i(3), f(3)),
        [`gesdd A ${why}`]: () => b.gesdd(a, f(3), null, null),
        [`gesdd U ${why}`]: () => b.gesdd(good, f(3), a, good),
        [`gesdd Vᵀ ${why}`]: () => b.gesdd(good, f(3), good, a),
        [`syevd ${why}`]: () => b.syevd(false, 'L', a, f(3)),
        [`getrf ${why}`]: () => b.getrf(a, i(3)),
        [`getrs A ${why}`]: () => b.getrs('N', a, i(3), good),
        [`getrs B ${why}`]: () => b.getrs('N', good, i(3), a),
      });
    }
  });

  it('nothing_is_written_before_the_refusal', () => {
    const c = zeros(3, 3, precision);
    c.data.fill(7);
    expect(() => blas().gemm('N', 'N', 1, m(3, 4), m(5, 3), 0, c)).toThrow(ShapeError);
    expect(() => blas().syrk('L', 'N', 1, m(4, 3), 0, c)).toThrow(ShapeError);
    expect(Array.from(c.data)).toEqual(new Array(9).fill(7));
  });
}

function refuse(calls: Record<string, () => unknown>): void {
  for (const [what, call] of Object.entries(calls)) expect(call, what).toThrow(ShapeError);
}
