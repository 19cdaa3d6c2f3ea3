/**
 * Curvature of networks of layers: against differences of outputs and gradients, whatever is kept and whoever works.
 */
import { describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { GraphOperator } from '#hmatrix/curvature/graphs/operator.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import type { CurvatureOptions } from '#hmatrix/curvature/products/sample-operator.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { lossAndGradient, meanLoss } from '#hmatrix/layers/gradient.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix, relativeError } from '../../support.js';
import { sharedTeam } from '../../teams.js';
import { asymmetry, denseOperator, forgetful } from '../operators.js';
import {
  convolutional,
  denseGraphGaussNewton,
  denseVariationalGaussNewton,
  differencedHessian,
  language,
  smallGraphs,
  variational,
} from './models.js';

const eps = 2 ** -52;
/** Three slices of 13, 14 and 14 samples. */
const SAMPLES = 41;

/** The operator with a limit of memory that holds one slice. */
function streamed(
  make: (model: GraphModel, options: CurvatureOptions) => GraphOperator,
  model: GraphModel,
  team?: Team,
): GraphOperator {
  let memoryLimit = 2 ** 20;
  while (make(model, { memoryLimit }).kept) memoryLimit /= 2;
  return make(model, { memoryLimit, batchSize: 7, team });
}

describe('curvature_of_graphs', () => {
  it.each(smallGraphs(SAMPLES))('gauss_newton_is_that_of_differenced_outputs: $name', ({ model }) => {
    const g = denseOperator(gaussNewton(model));
    expect(relativeError(g, denseGraphGaussNewton(model))).toBeLessThan(1e-8);
    expect(asymmetry(g)).toBeLessThan(500 * eps);
  });

  it('gauss_newton_of_two_terms_is_the_sum_of_both', () => {
    const model = variational(SAMPLES);
    const g = denseOperator(gaussNewton(model));
    expect(relativeError(g, denseVariationalGaussNewton(model))).toBeLessThan(1e-8);
    expect(relativeError(denseOperator(hessian(model)), differencedHessian(model))).toBeLessThan(1e-8);
  });

  it.each(smallGraphs(SAMPLES))('hessian_is_that_of_differenced_gradients: $name', ({ model }) => {
    const h = denseOperator(hessian(model));
    expect(relativeError(h, differencedHessian(model))).toBeLessThan(1e-8);
    expect(asymmetry(h)).toBeLessThan(500 * eps);
  });

  it('gauss_newton_is_semidefinite', () => {
    for (const { model } of smallGraphs(5)) {
      const g = gaussNewton(model);
      const x = randomMatrix(g.rows, 4, 1);
      const y = apply(g, x);
      for (let j = 0; j < 4; j++) {
        let form = 0;
        let size = 0;
        for (let i = j * g.rows; i < (j + 1) * g.rows; i++) {
          form += x.data[i] * y.data[i];
          size += Math.abs(x.data[i] * y.data[i]);
        }
        expect(form).toBeGreaterThan(-100 * eps * size);
      }
    }
  });

  it('bits_do_not_depend_on_what_is_kept', () => {
    for (const { model } of smallGraphs(SAMPLES))
      for (const make of [gaussNewton, hessian] as const)
        for (const vectors of [1, 3, 19]) {
          const kept = make(model);
          const oneSlice = streamed(make, { ...model, data: forgetful(model.data) });
          expect(kept.kept).toBe(true);
          expect([oneSlice.kept, oneSlice.capacity]).toEqual([false, 16]);
          const x = randomMatrix(kept.rows, vectors, 2);
          expect(apply(oneSlice, x).data).toEqual(apply(kept, x).data);
          expect(oneSlice.flops(vectors)).toBeGreaterThan(kept.flops(vectors));
        }
  });

  it('bits_do_not_depend_on_the_team', async () => {
    const team = await sharedTeam(3);
    for (const { model } of smallGraphs(SAMPLES))
      for (const vectors of [1, 5]) {
        const alone = gaussNewton(model);
        const shared = gaussNewton(model, { team });
        const few = streamed(gaussNewton, model, team);
        const x = randomMatrix(alone.rows, vectors, 3);
        const expected = apply(alone, x).data;
        expect(apply(shared, x).data).toEqual(expected);
        expect(apply(few, x).data).toEqual(expected);
        shared.release();
        few.release();
        expect(() => apply(shared, x)).toThrow(OptionError);
      }
  });

  it('single_precision_is_near_double', () => {
    smallGraphs(SAMPLES, 'f32').forEach(({ model }, k) => {
      const double = { ...smallGraphs(SAMPLES)[k].model, parameters: Float64Array.from(model.parameters) };
      for (const make of [gaussNewton, hessian] as const) {
        const x = randomMatrix(model.network.trained, 3, 4);
        const y = apply(make(model), x);
        expect(relativeError(y, apply(make(double), x))).toBeLessThan(2000 * 2 ** -24);
      }
    });
  });

  it('a_block_is_its_vectors', () => {
    const { model } = smallGraphs(SAMPLES)[0];
    const g = gaussNewton(model);
    const x = randomMatrix(g.rows, 5, 6);
    const y = apply(g, x);
    const out = zeros(g.rows, 5);
    out.data.fill(2);
    g.applyUnchecked(out, x, -3, 0.5);
    for (let i = 0; i < y.data.length; i++) expect(out.data[i]).toBeCloseTo(1 - 3 * y.data[i], 12);
    for (let j = 0; j < 5; j++) {
      const column = apply(g, view(x.data, j * g.rows, g.rows, 1));
      expect(relativeError(column, view(y.data, j * g.rows, g.rows, 1))).toBeLessThan(100 * eps);
    }
  });

  it('padding_counts_nothing', () => {
    // A sample that is all padding changes neither loss nor curvature.
    const model = language(9);
    const { inputs, targets } = model.data.batch(0, 9);
    const longer = (x: typeof inputs): typeof inputs => {
      const more = zeros(x.rows, 10);
      more.data.set(x.data.subarray(0, 9 * x.rows));
      return more;
    };
    const padded = { ...model, data: memoryDataSet(longer(inputs), longer(targets)) };
    const x = randomMatrix(model.network.trained, 2, 1);
    expect(relativeError(apply(gaussNewton(padded), x), apply(gaussNewton(model), x))).toBeLessThan(100 * eps);
    expect(meanLoss(padded)).toBeCloseTo(meanLoss(model), 13);
  });

  it('gradients_are_those_of_the_loss', () => {
    for (const { model } of smallGraphs(SAMPLES)) {
      const { loss, gradient } = lossAndGradient(model);
      expect(loss).toBeCloseTo(meanLoss(model, { batchSize: 7 }), 12);
      expect(gradient.length).toBe(model.network.trained);
      const v = randomMatrix(gradient.length, 1, 9).data;
      const at = (t: number): number =>
        meanLoss({ ...model, parameters: model.parameters.map((θ, k) => θ + (k < v.length ? t * v[k] : 0)) });
      const h = 1e-4;
      const slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      let expected = 0;
      for (let k = 0; k < v.length; k++) expected += v[k] * gradient[k];
      // Rounding of the loss, over h; the fifth derivative's h⁴.
      expect(Math.abs(slope - expected)).toBeLessThan(1e-9 * (1 + Math.abs(expected)));
    }
  });

  it('refuses_what_is_wrong', () => {
    const model = convolutional(5);
    const { inputs, targets } = model.data.batch(0, 5);
    const broken = zeros(inputs.rows, 5);
    broken.data.set(inputs.data);
    broken.data[inputs.rows * 3 + 2] = Number.NaN;
    expect(() => gaussNewton({ ...model, data: memoryDataSet(broken, targets) })).toThrow(/Input 2 of sample 3 is NaN/);
    const parameters = Float64Array.from(model.parameters);
    parameters[4] = Infinity;
    expect(() => hessian({ ...model, parameters })).toThrow(NonFiniteError);
    expect(() => gaussNewton(model, { memoryLimit: 100 })).toThrow(MemoryError);
    expect(() => gaussNewton(model, { memoryLimit: -1 })).toThrow(OptionError);
    expect(() => gaussNewton({ ...model, parameters: parameters.subarray(1) })).toThrow(ShapeError);
    expect(() => gaussNewton({ ...model, data: memoryDataSet(targets, targets) })).toThrow(ShapeError);
    const words = language(4);
    const ids = words.data.batch(0, 4);
    const outside = zeros(4, 4);
    outside.data.set(ids.inputs.data);
    outside.data[5] = 6;
    expect(() => gaussNewton({ ...words, data: memoryDataSet(outside, ids.targets, { samples: 'columns' }) })).toThrow(
      ShapeError,
    );
  });
});
