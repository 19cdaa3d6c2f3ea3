/**
 * Fisher matrices of networks of layers: against gradients of single samples, against the perceptrons', and the Monte
 * Carlo ones' mean against the Gauss–Newton matrix.
 */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import type { CurvatureOptions } from '#hmatrix/curvature/products/sample-operator.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { dense } from '#hmatrix/layers/affine.js';
import type { Layer } from '#hmatrix/layers/builder.js';
import { activation, stack } from '#hmatrix/layers/compose.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { graphNetwork, vectorInput } from '#hmatrix/layers/graph-network.js';
import { lossWeight } from '#hmatrix/layers/targets.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import { apply } from '#hmatrix/operator/apply.js';
import { columnDots } from '#hmatrix/tape/primitives/softmax.js';
import { randomMatrix, relativeError } from '../../support.js';
import { sharedTeam } from '../../teams.js';
import { randomModel } from '../brute-force.js';
import { asymmetry, denseOperator, forgetful } from '../operators.js';
import { convolutional, language, smallGraphs, variational } from './models.js';

const eps = 2 ** -52;
/** Three slices. */
const SAMPLES = 41;
const models = [...smallGraphs(SAMPLES), { name: 'variational', model: variational(SAMPLES) }];

/** (1/w) Σ_i g_i g_iᵀ, each g_i the gradient of a data set of that sample alone. */
function meanOfOuterProducts(model: GraphModel): Matrix {
  const { network, data, loss } = model;
  const n = network.trained;
  const out = zeros(n, n);
  const { inputs, targets } = data.batch(0, data.samples);
  const total = lossWeight(loss, targets);
  for (let i = 0; i < data.samples; i++) {
    const column = ({ rows, data: all }: Matrix): Matrix => ({
      ...zeros(rows, 1),
      data: all.slice(i * rows, (i + 1) * rows),
    });
    const own = memoryDataSet(column(inputs), column(targets), { samples: 'columns' });
    const { gradient } = lossAndGradient({ ...model, data: own });
    const weight = lossWeight(loss, column(targets)) ** 2 / total;
    for (let b = 0; b < n; b++) for (let a = 0; a < n; a++) out.data[a + b * n] += weight * gradient[a] * gradient[b];
  }
  return out;
}

const sampled =
  (seed: number, draws = 1) =>
  (model: GraphModel, options: CurvatureOptions = {}) =>
    monteCarloFisher(model, { ...options, draws, seed });

/** Σ x∘y, and Σ |x∘y|. */
function dot(x: Matrix, y: Matrix): { readonly sum: number; readonly size: number } {
  let [sum, size] = [0, 0];
  for (let k = 0; k < x.data.length; k++) {
    sum += x.data[k] * y.data[k];
    size += Math.abs(x.data[k] * y.data[k]);
  }
  return { sum, size };
}

describe('fisher_of_graphs', () => {
  it.each(models)('empirical_is_the_mean_of_outer_products_of_gradients: $name', ({ model }) => {
    const f = denseOperator(empiricalFisher(model));
    expect(relativeError(f, meanOfOuterProducts(model))).toBeLessThan(1000 * eps);
    expect(asymmetry(f)).toBeLessThan(500 * eps);
  });

  it('is_that_of_a_perceptron_with_the_same_labels', () => {
    for (const loss of LOSSES) {
      const perceptron = randomModel({ widths: [3, 4, 2], activation: 'tanh', loss, bias: true, samples: 20, seed: 5 });
      const layers = stack({ a: dense(4), t: activation('tanh'), b: dense(2) });
      const network = graphNetwork({ inputs: vectorInput(3), layers, loss });
      const graph = { network, parameters: perceptron.parameters, data: perceptron.data };
      expect(
        relativeError(denseOperator(empiricalFisher(graph)), denseOperator(empiricalFisher(perceptron))),
      ).toBeLessThan(500 * eps);
      const options = { draws: 3, seed: 7 };
      const drawn = denseOperator(monteCarloFisher(graph, options));
      expect(relativeError(drawn, denseOperator(monteCarloFisher(perceptron, options)))).toBeLessThan(500 * eps);
    }
  });

  it('forms_are_not_negative', () => {
    for (const { model } of models)
      for (const make of [empiricalFisher, sampled(1, 2)]) {
        const f = make(model);
        const x = randomMatrix(f.rows, 1, 1);
        const { sum, size } = dot(x, apply(f, x));
        expect(sum).toBeGreaterThan(-100 * eps * size);
        expect(asymmetry(denseOperator(f))).toBeLessThan(500 * eps);
      }
  });

  it('intervals_of_drawn_forms_cover_those_of_gauss_newton', () => {
    // Means over seeds, two standard errors on either side: about 95 of 100 hold xᵀGx, all seven times as wide do.
    const SEEDS = 60;
    const FORMS = 8;
    let covered = 0;
    let all = 0;
    for (const { model } of [...smallGraphs(9), { model: variational(9) }]) {
      const g = gaussNewton(model);
      const x = randomMatrix(g.rows, FORMS, 2);
      const formsOf = (y: Matrix): number[] =>
        Array.from({ length: FORMS }, (_, j) => {
          let form = 0;
          for (let i = j * g.rows; i < (j + 1) * g.rows; i++) form += x.data[i] * y.data[i];
          return form;
        });
      const exact = formsOf(apply(g, x));
      const drawn = Array.from({ length: SEEDS }, (_, seed) => formsOf(apply(sampled(seed, 2)(model), x)));
      for (let j = 0; j < FORMS; j++) {
        const mean = drawn.reduce((sum, forms) => sum + forms[j] / SEEDS, 0);
        const variance = drawn.reduce((sum, forms) => sum + (forms[j] - mean) ** 2 / (SEEDS - 1), 0);
        const off = Math.abs(mean - exact[j]) / Math.sqrt(variance / SEEDS);
        expect(off).toBeLessThan(7);
        all++;
        if (off < 2) covered++;
      }
    }
    expect(covered / all).toBeGreaterThan(0.8);
    expect(covered).toBeLessThan(all);
  });

  it('draws_are_independent', () => {
    // The error falls as draws rise: a hundred draws leave a tenth of what one does.
    const model = convolutional(9);
    const g = denseOperator(gaussNewton(model));
    const errorOf = (draws: number): number =>
      Math.hypot(...[1, 2, 3].map((seed) => relativeError(denseOperator(sampled(seed, draws)(model)), g)));
    const ratio = errorOf(100) / errorOf(1);
    expect(ratio).toBeGreaterThan(0.05);
    expect(ratio).toBeLessThan(0.2);
  });

  it('bits_do_not_depend_on_what_is_kept_or_who_works', async () => {
    const team = await sharedTeam(3);
    for (const { model } of models)
      for (const make of [empiricalFisher, sampled(3, 2)])
        for (const vectors of [1, 5]) {
          const alone = make(model);
          let memoryLimit = 2 ** 20;
          while (make(model, { memoryLimit }).kept) memoryLimit /= 2;
          const few = make({ ...model, data: forgetful(model.data) }, { memoryLimit, batchSize: 7, team });
          const shared = make(model, { team });
          const x = randomMatrix(alone.rows, vectors, 3);
          const expected = apply(alone, x).data;
          expect(apply(few, x).data).toEqual(expected);
          expect(apply(shared, x).data).toEqual(expected);
          few.release();
          shared.release();
        }
  });

  it('padding_counts_nothing', () => {
    const model = language(9);
    const { inputs, targets } = model.data.batch(0, 9);
    const longer = (x: Matrix): Matrix => {
      const more = zeros(x.rows, 10);
      more.data.set(x.data.subarray(0, 9 * x.rows));
      return more;
    };
    const padded = { ...model, data: memoryDataSet(longer(inputs), longer(targets)) };
    const x = randomMatrix(model.network.trained, 2, 1);
    for (const make of [empiricalFisher, sampled(3)])
      expect(relativeError(apply(make(padded), x), apply(make(model), x))).toBeLessThan(100 * eps);
  });

  it('single_precision_is_near_double', () => {
    smallGraphs(SAMPLES, 'f32').forEach(({ model }, k) => {
      const double = { ...smallGraphs(SAMPLES)[k].model, parameters: Float64Array.from(model.parameters) };
      const x = randomMatrix(model.network.trained, 3, 4);
      expect(relativeError(apply(empiricalFisher(model), x), apply(empiricalFisher(double), x))).toBeLessThan(
        2000 * 2 ** -24,
      );
    });
  });

  it('refuses_what_is_wrong', () => {
    const model = convolutional(3);
    // As many as a graph can have parts for: a billion would never end.
    expect(() => monteCarloFisher(model, { draws: 1e9 })).toThrow(/at most 10000 draws, not 1000000000/);
    for (const draws of [0, 1.5, Number.NaN]) expect(() => monteCarloFisher(model, { draws })).toThrow(OptionError);
    expect(() => monteCarloFisher(model, { seed: 0.5 })).toThrow(OptionError);
    // A term of the loss that does not tell how errors are drawn of it.
    const penalized: Layer = (builder, x) => {
      builder.penalties.push({ loss: columnDots(builder.graph, x, x), output: x });
      return x;
    };
    const network = graphNetwork({ inputs: vectorInput(3), layers: stack({ fc: dense(2), penalized }), loss: 'mse' });
    const own = { network, parameters: new Float64Array(8), data: memoryDataSet(randomMatrix(3, 4, 1), zeros(2, 4)) };
    expect(() => monteCarloFisher(own)).toThrow(/does not tell the root of its Hessian/);
    expect(denseOperator(empiricalFisher(own)).rows).toBe(8);
  });
});
