/**
 * Gauss–Newton products: against the dense matrix of brute-force Jacobians, and what a LinearOperator owes its callers.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, copyInto, view, zeros } from '#hmatrix/dense/matrix.js';
import type { DataSet } from '#hmatrix/network/data-set.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { asymmetry, denseOperator, forgetful } from './operators.js';

const blas = openBlas();
const portable = openBlas('portable');
const eps = 2 ** -52;

describe('gauss_newton_products', () => {
  it.each(smallModels())('equal_the_dense_matrix: $name', ({ model }) => {
    const dense = denseGaussNewton(model);
    const g = denseOperator(gaussNewton(model, { blas }));
    // Sums of at most n·r + 2·layers·width terms on either side.
    expect(relativeError(g, dense)).toBeLessThan(200 * eps);
    expect(asymmetry(g)).toBeLessThan(200 * eps);
  });

  it.each(smallModels().filter((_, i) => i % 7 === 0))('are_those_of_a_semidefinite_matrix: $name', ({ model }) => {
    const g = denseOperator(gaussNewton(model, { blas }));
    const eigenvalues = new Float64Array(g.rows);
    blas.syevd(false, 'L', g, eigenvalues);
    const largest = eigenvalues[g.rows - 1];
    expect(largest).toBeGreaterThan(0);
    expect(eigenvalues[0]).toBeGreaterThan(-100 * g.rows * eps * largest);
  });

  it('use_the_portable_backend_as_well', () => {
    for (const { model } of smallModels().slice(-6))
      expect(
        relativeError(denseOperator(gaussNewton(model, { blas: portable })), denseGaussNewton(model)),
      ).toBeLessThan(200 * eps);
  });

  it.each(smallModels('f32').filter((_, i) => i % 5 === 0))('in_single_precision: $name', ({ model }) => {
    const x = randomMatrix(model.network.parameters, 3, 5);
    const y = apply(gaussNewton(model, { blas }), x);
    expect(y.data).toBeInstanceOf(Float64Array);
    const reference = zeros(x.rows, 3);
    blas.gemm('N', 'N', 1, denseGaussNewton(model), x, 0, reference);
    // The brute force has the same single-precision parameters and data, and double-precision arithmetic.
    expect(relativeError(y, reference)).toBeLessThan(500 * 2 ** -23);
  });

  it('take_vectors_of_another_precision_than_the_model', () => {
    const model = randomModel({
      widths: [5, 4, 3],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      samples: 20,
    });
    const operator = gaussNewton(model, { blas });
    const x = randomMatrix(operator.cols, 2, 1);
    const single = zeros(operator.cols, 2, 'f32');
    copyInto(single, x);
    copyInto(x, single);
    const y = apply(operator, x);
    const ySingle = apply(operator, single);
    expect(ySingle.data).toBeInstanceOf(Float32Array);
    expect([...ySingle.data]).toEqual([...Float32Array.from(y.data)]);
  });
});

describe('blocks_of_vectors', () => {
  const model = randomModel({
    widths: [9, 6, 7, 11],
    activation: ['tanh', 'gelu', 'sigmoid'],
    loss: 'cross-entropy',
    bias: true,
    samples: 230,
  });
  const squared = randomModel({
    widths: [9, 6, 7, 15],
    activation: 'softplus',
    loss: 'squared-error',
    bias: true,
    samples: 230,
  });

  it.each([
    ['direct', model],
    ['reduced', squared],
  ] as const)('give_each_vector_its_product: %s', (_, one) => {
    const operator = gaussNewton(one, { blas });
    const dense = denseGaussNewton(one);
    const x = randomMatrix(operator.cols, 75, 3);
    const expected = zeros(operator.cols, 75);
    blas.gemm('N', 'N', 1, dense, x, 0, expected);
    for (const vectors of [1, 2, 7, 8, 9, 33, 75]) {
      const y = apply(operator, block(x, 0, 0, x.rows, vectors));
      expect(relativeError(y, block(expected, 0, 0, x.rows, vectors))).toBeLessThan(2000 * eps);
    }
    // More than one slab.
    const wide = zeros(operator.cols, 300);
    for (let j = 0; j < 300; j++) copyInto(block(wide, 0, j, x.rows, 1), block(x, 0, j % 75, x.rows, 1));
    const y = apply(operator, wide);
    for (const j of [0, 74, 255, 256, 299])
      expect(relativeError(block(y, 0, j, x.rows, 1), block(expected, 0, j % 75, x.rows, 1))).toBeLessThan(2000 * eps);
  });

  it('honour_alpha_beta_and_leading_dimensions', () => {
    const operator = gaussNewton(model, { blas });
    const n = operator.rows;
    const x = view(randomMatrix(n + 3, 4, 1).data, 2, n, 4, n + 3);
    const tight = zeros(n, 4);
    copyInto(tight, x);
    const product = apply(operator, tight);
    const out = view(randomMatrix(n + 5, 4, 2).data, 1, n, 4, n + 5);
    const before = out.data.slice();
    operator.applyUnchecked(out, x, -1.5, 0.25);
    for (let j = 0; j < 4; j++) {
      for (let i = 0; i < n + 5; i++) {
        const at = i + j * (n + 5);
        const expected = i >= 1 && i <= n ? -1.5 * product.data[i - 1 + j * n] + 0.25 * before[at] : before[at];
        expect(Math.abs(out.data[at] - expected)).toBeLessThanOrEqual(
          i >= 1 && i <= n ? 8 * eps * (Math.abs(expected) + Math.abs(before[at]) + 1) : 0,
        );
      }
    }
  });

  it('with_beta_zero_do_not_read_what_was_there', () => {
    const operator = gaussNewton(model, { blas });
    const x = randomMatrix(operator.cols, 2, 1);
    const out = zeros(operator.rows, 2);
    out.data.fill(Number.NaN);
    operator.applyUnchecked(out, x, 1, 0);
    expect([...out.data]).toEqual([...apply(operator, x).data]);
  });
});

describe('data_in_batches', () => {
  const model = randomModel({ widths: [8, 5, 4, 20], activation: 'tanh', loss: 'mse', bias: true, samples: 101 });
  const expected = denseGaussNewton(model);

  it('change_rounding_only', () => {
    for (const batchSize of [1, 10, 33, 100]) {
      const operator = gaussNewton({ ...model, data: forgetful(model.data) }, { blas, batchSize, memoryLimit: 23_000 });
      expect(operator.capacity).toBe(Math.min(batchSize, Math.floor(23_000 / 232)));
      expect(operator.kept).toBe(false);
      expect(relativeError(denseOperator(operator), expected)).toBeLessThan(2000 * eps);
    }
  });

  it('follow_the_memory_limit_where_no_size_is_given', () => {
    const whole = gaussNewton(model, { blas });
    expect(whole.kept).toBe(true);
    const operator = gaussNewton(model, { blas, memoryLimit: whole.bytes / 3 });
    expect(operator.kept).toBe(false);
    expect(operator.bytes).toBeLessThan(whole.bytes / 2);
    expect(relativeError(denseOperator(operator), expected)).toBeLessThan(2000 * eps);
  });

  it('with_beta_add_to_the_old_result_once', () => {
    const operator = gaussNewton(model, { blas, batchSize: 20, memoryLimit: 20_000 });
    expect(operator.kept).toBe(false);
    const x = randomMatrix(operator.cols, 2, 4);
    const product = apply(operator, x);
    const out = zeros(operator.rows, 2);
    out.data.fill(3);
    operator.applyUnchecked(out, x, 2, 5);
    for (let i = 0; i < out.data.length; i++)
      expect(Math.abs(out.data[i] - (2 * product.data[i] + 15))).toBeLessThan(100 * eps * 30);
  });
});

describe('teams', () => {
  let teams: Team[];
  beforeAll(async () => {
    teams = await Promise.all([1, 2, 3].map((workers) => sharedTeam(workers)));
  });

  const models: [string, Model][] = [
    [
      'direct',
      randomModel({
        widths: [12, 9, 8],
        activation: 'sigmoid',
        outputActivation: 'tanh',
        loss: 'bce',
        bias: true,
        samples: 700,
      }),
    ],
    ['reduced', randomModel({ widths: [30, 4, 30], activation: 'tanh', loss: 'mse', bias: false, samples: 700 })],
    [
      'softmax',
      randomModel({ widths: [12, 9, 8], activation: 'relu', loss: 'cross-entropy', bias: true, samples: 700 }),
    ],
  ];

  it.each(models)('of_any_size_give_the_same_bits_as_no_team: %s', (_, model) => {
    const alone = gaussNewton(model, { blas });
    for (const vectors of [1, 3, 40]) {
      const x = randomMatrix(alone.cols, vectors, vectors);
      const expected = apply(alone, x).data;
      for (const team of teams) {
        const operator = gaussNewton(model, { blas, team });
        expect(apply(operator, x).data).toEqual(expected);
        expect(apply(operator, x).data).toEqual(expected);
        const shared = view(sharedFloat64(expected.length), 0, alone.rows, vectors);
        operator.applyUnchecked(shared, x, 1, 0);
        expect(Array.from(shared.data)).toEqual(Array.from(expected));
        operator.release();
      }
    }
  });

  it('work_batch_by_batch_on_vectors_that_are_not_shared', () => {
    const model = models[0][1];
    const x = view(
      Float64Array.from(randomMatrix(model.network.parameters, 5, 9).data),
      0,
      model.network.parameters,
      5,
    );
    const options = { blas, batchSize: 300, memoryLimit: 300 * 600 };
    const expected = apply(gaussNewton(model, options), x).data;
    for (const team of teams) {
      const operator = gaussNewton(model, { ...options, team });
      expect(operator.kept).toBe(false);
      expect(apply(operator, x).data).toEqual(expected);
      const out = view(Float64Array.from(expected), 0, operator.rows, 5);
      operator.applyUnchecked(out, x, 1, -1);
      expect(Math.max(...out.data.map(Math.abs))).toBeLessThan(4 * eps * Math.max(...expected.map(Math.abs)));
    }
  });

  it('report_activations_that_are_not_finite', () => {
    const model = models[2][1];
    const parameters = model.parameters.slice();
    parameters[3] = Number.NaN;
    for (const team of teams)
      expect(() => gaussNewton({ ...model, parameters }, { blas, team })).toThrow(NonFiniteError);
  });
});

describe('what_cannot_be_multiplied_is_refused', () => {
  const model = randomModel({ widths: [4, 3, 2], activation: 'tanh', loss: 'mse', bias: true, samples: 600 });

  it('vectors_of_another_length', () => {
    expect(() => apply(gaussNewton(model, { blas }), zeros(5, 1))).toThrow(ShapeError);
  });

  it('inputs_that_are_not_finite_named_by_their_sample_in_the_data', () => {
    const data: DataSet = {
      ...model.data,
      batch: (first, count) => {
        const batch = model.data.batch(first, count);
        const inputs = zeros(4, count);
        copyInto(inputs, batch.inputs);
        if (first <= 555 && 555 < first + count) inputs.data[(555 - first) * 4 + 2] = Number.NaN;
        return { inputs, targets: batch.targets };
      },
    };
    const make = (batchSize: number, memoryLimit: number) =>
      gaussNewton({ ...model, data }, { blas, batchSize, memoryLimit });
    let thrown: unknown;
    try {
      make(100, 2 ** 30);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(NonFiniteError);
    expect((thrown as NonFiniteError).data).toMatchObject({ sample: 555, unit: 2, layer: 0 });
    const streamed = make(100, 100 * 8 * 20);
    expect(() => apply(streamed, zeros(streamed.cols, 1))).toThrow(NonFiniteError);
  });

  it('limits_without_room_for_a_sample_and_sizes_that_are_none', () => {
    expect(() => gaussNewton(model, { blas, memoryLimit: 10 })).toThrow(MemoryError);
    expect(() => gaussNewton(model, { blas, memoryLimit: -1 })).toThrow(OptionError);
    expect(() => gaussNewton(model, { blas, batchSize: 0, memoryLimit: 1000 })).toThrow(OptionError);
    expect(() => gaussNewton({ ...model, parameters: model.parameters.slice(1) }, { blas })).toThrow(ShapeError);
  });

  it('a_released_operator', () => {
    const operator = gaussNewton(model, { blas });
    operator.release();
    expect(() => apply(operator, zeros(operator.cols, 1))).toThrow(OptionError);
  });
});
