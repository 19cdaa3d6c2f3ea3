/** Networks of which a part is trained: curvature is the part's block, training leaves the others. */
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GivenGraph, GraphModel } from '#hmatrix/layers/graph-model.js';
import { predict } from '#hmatrix/layers/predict.js';
import { fromStateDict, toStateDict } from '#hmatrix/layers/state-dict.js';
import { trainedPart } from '#hmatrix/layers/trained-part.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { kfacOptimizer } from '#hmatrix/training/optimizers/kfac.js';
import { train } from '#hmatrix/training/train.js';
import { relativeError } from '../support.js';
import { denseOperator } from '../curvature/operators.js';
import { convolutional, language, variational } from '../curvature/graphs/models.js';

const eps = 2 ** -52;

/** Models, each with blocks of its beginning, middle and end. */
const CASES: readonly (readonly [GraphModel, readonly string[]])[] = [
  [convolutional(9), ['bn1.weight', 'fc.weight', 'conv1.weight']],
  [language(7), ['layers.0.linear1.weight', 'layers.0.norm1.bias', 'generator.weight']],
  [variational(8), ['code.weight', 'decoder.weight']],
];

/** Where the chosen blocks stand in θ, in their order. */
const placesOf = ({ network }: GivenGraph, names: readonly string[]): number[] =>
  network.layers
    .filter(({ name }) => names.includes(name))
    .sort((a, b) => a.offset - b.offset)
    .flatMap(({ offset, width, outputs }) => Array.from({ length: width * outputs }, (_, k) => offset + k));

function submatrix(a: Matrix, places: readonly number[]): Matrix {
  const out = zeros(places.length, places.length);
  places.forEach((j, q) => places.forEach((i, p) => (out.data[p + q * out.rows] = a.data[i + j * a.rows])));
  return out;
}

describe('parts_of_networks', () => {
  it('have_the_blocks_of_the_wholes_curvature', () => {
    for (const [model, names] of CASES) {
      const own = { ...trainedPart(model, (name) => names.includes(name)), data: model.data };
      const places = placesOf(model, names);
      expect(own.network.trained).toBe(places.length);
      expect(own.parameters.length).toBe(model.parameters.length);
      const makes = [gaussNewton, hessian, empiricalFisher, monteCarloFisher];
      for (const make of makes)
        expect(relativeError(denseOperator(make(own)), submatrix(denseOperator(make(model)), places))).toBeLessThan(
          1000 * eps,
        );
      expect(relativeError(denseOperator(kfac(own)), submatrix(denseOperator(kfac(model)), places))).toBeLessThan(
        1000 * eps,
      );
      const [part, whole] = [lossAndGradient(own), lossAndGradient(model)];
      expect(part.loss).toBeCloseTo(whole.loss, 13);
      places.forEach((place, k) => expect(part.gradient[k]).toBeCloseTo(whole.gradient[place], 12));
      const { inputs } = model.data.batch(0, 4);
      expect(predict(own, inputs).data).toEqual(predict(model, inputs).data);
    }
  });

  it('have_the_tensors_of_the_whole_by_name', () => {
    const [model, names] = CASES[0];
    const own = trainedPart(model, (name) => names.includes(name));
    const tensors = toStateDict(model.network, model.parameters);
    const copies = toStateDict(own.network, own.parameters);
    expect(new Set(Object.keys(copies))).toEqual(new Set(Object.keys(tensors)));
    for (const [name, { shape, data }] of Object.entries(tensors)) expect(copies[name]).toEqual({ shape, data });
    expect(fromStateDict(own.network, tensors)).toEqual(own.parameters);
    // A part of a part.
    const last = trainedPart(own, (name) => name === 'fc.weight');
    expect(last.network.trained).toBe(9);
    expect(() => trainedPart(last, (name) => name === 'conv1.weight')).toThrow(OptionError);
  });

  it('are_trained_and_nothing_else_is', async () => {
    const [model, names] = CASES[0];
    for (const optimizer of [adam({ learningRate: 0.01 }), kfacOptimizer()]) {
      const own = trainedPart(model, (name) => names.includes(name));
      const result = await train({ ...own, data: model.data }, { optimizer, epochs: 2, batchSize: 5, seed: 1 });
      for (const { name, kind, offset, width, outputs } of own.network.layers) {
        const [before, after] = [own.parameters, result.parameters].map((θ) =>
          Array.from(θ.subarray(offset, offset + width * outputs)),
        );
        if (kind === 'statistics') continue;
        if (names.includes(name)) expect(after).not.toEqual(before);
        else expect(after).toEqual(before);
      }
    }
  });

  it('refuse_what_is_no_part', () => {
    const model = convolutional(2);
    expect(() => trainedPart(model, () => false)).toThrow(/their names are conv1.weight/);
    // What is never trained is none that may be chosen.
    expect(() => trainedPart(model, (name) => name.includes('running'))).toThrow(/names are (?!.*running)/);
    const rest = trainedPart(model, (name) => name === 'fc.weight');
    expect(() => trainedPart(rest, () => false)).toThrow(/their names are fc\.weight\.$/);
    // Not what is true in JavaScript alone: a match, a promise.
    expect(() => trainedPart(model, ((name: string) => /fc/.exec(name)) as never)).toThrow(/true or false .* not null/);
    expect(() => trainedPart(model, (() => Promise.resolve(false)) as never)).toThrow(OptionError);
    expect(() => trainedPart(model, 'fc' as never)).toThrow(OptionError);
    expect(() => trainedPart({ ...model, parameters: new Float64Array(3) }, () => true)).toThrow(ShapeError);
  });
});
