/**
 * Every curvature operator and every damped inverse, of models of either precision, takes vectors of either precision.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { blockDiagonal } from '#hmatrix/source/block-diagonal.js';
import { curvatureDiagonal } from '#hmatrix/curvature/kronecker/curvature-diagonal.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { copyInto, view, zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { randomModel } from './brute-force.js';
import { layerRanges } from '#hmatrix/network/ranges.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const DAMPING = 0.1;
type Make = (model: Model) => LinearOperator | Promise<LinearOperator>;
/** Ĵᵀ(Ĵx). */
function throughDual(model: Model): LinearOperator {
  const dual = dualForm(model, { blas: team.blas });
  return {
    rows: dual.parameters,
    cols: dual.parameters,
    symmetric: true,
    applyUnchecked: (out, x) => {
      const middle = zeros(dual.order, x.cols, x.data instanceof Float64Array ? 'f64' : 'f32');
      dual.applyJacobian(x, middle);
      dual.applyJacobianTransposed(middle, out);
    },
  };
}
const FAMILY: readonly (readonly [string, Make])[] = [
  ['gaussNewton', (model) => gaussNewton(model, { blas: team.blas, team })],
  ['hessian', (model) => hessian(model, { blas: team.blas })],
  ['empiricalFisher', (model) => empiricalFisher(model, { blas: team.blas })],
  ['monteCarloFisher', (model) => monteCarloFisher(model, { blas: team.blas })],
  ['kfac', (model) => kfac(model, { blas: team.blas })],
  ['ekfac', (model) => ekfac(model, { blas: team.blas })],
  ['the exact damped inverse of kfac', (model) => kfac(model, { blas: team.blas }).solver({ damping: DAMPING })],
  [
    'the factored damped inverse of kfac',
    (model) => kfac(model, { blas: team.blas }).solver({ damping: DAMPING, kind: 'factored-tikhonov' }),
  ],
  ['the damped inverse of ekfac', (model) => ekfac(model, { blas: team.blas }).solver({ damping: DAMPING })],
  ['curvatureDiagonal', (model) => curvatureDiagonal(model, { blas: team.blas })],
  [
    'blockDiagonal',
    (model) => blockDiagonal(gaussNewtonSource(model, { blas: team.blas }), layerRanges(model.network), {}, { team }),
  ],
  ['the dual form', throughDual],
  ['kroneckerHierarchical', (model) => kroneckerHierarchical(model, { preserve: 'positive-definite' }, { team })],
  [
    'its factorization',
    async (model) =>
      factorKronecker(
        await kroneckerHierarchical(model, { preserve: 'positive-definite' }, { team }),
        { shift: DAMPING },
        { team },
      ),
  ],
];

const as = (precision: Precision, a: Matrix): Matrix =>
  view(precision === 'f64' ? Float64Array.from(a.data) : Float32Array.from(a.data), 0, a.rows, a.cols);

describe.each(FAMILY)('%s', (_, make) => {
  it.each(['mse', 'cross-entropy'] as const)(
    '%s: products_of_either_precision_are_those_of_float64_rounded',
    async (loss) => {
      for (const precision of ['f64', 'f32'] as const) {
        const operator = await make(
          randomModel({ widths: [5, 4, 3], activation: 'tanh', loss, bias: true, samples: 9, precision }),
        );
        // Numbers of float32, so that all calls multiply the same.
        const x = as('f64', as('f32', randomMatrix(operator.rows, 3, 4)));
        const exact = zeros(operator.rows, 3);
        operator.applyUnchecked(exact, x, 1, 0);
        for (const [xs, outs] of [
          ['f64', 'f32'],
          ['f32', 'f64'],
          ['f32', 'f32'],
        ] as const) {
          const before = as(outs, as('f32', randomMatrix(operator.rows, 3, 5)));
          const out = zeros(operator.rows, 3, outs);
          copyInto(out, before);
          const expected = zeros(operator.rows, 3);
          for (let i = 0; i < expected.data.length; i++)
            expected.data[i] = 2 * exact.data[i] + (_ === 'the dual form' ? 0 : before.data[i]);
          if (_ === 'the dual form') {
            operator.applyUnchecked(out, as(xs, x), 1, 0);
            for (let i = 0; i < out.data.length; i++) out.data[i] *= 2;
          } else operator.applyUnchecked(out, as(xs, x), 2, 1);
          // Roundings of vectors to float32, and of the operator's own arithmetic where that is of float32.
          expect(relativeError(out, expected)).toBeLessThan(64 * 2 ** -24);
        }
      }
    },
  );
});
