/**
 * The diagonal of the Gauss–Newton matrix, and blocks on its diagonal.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { blockDiagonal, blockDiagonalBytes } from '#hmatrix/source/block-diagonal.js';
import { curvatureDiagonal } from '#hmatrix/curvature/kronecker/curvature-diagonal.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { denseOperator, forgetful } from './operators.js';
import { layerRanges, unitRanges } from '#hmatrix/network/ranges.js';

const blas = openBlas();
const eps = 2 ** -52;

const diagonalOf = (a: Matrix): Float64Array =>
  Float64Array.from({ length: a.rows }, (_, i) => a.data[i * (a.rows + 1)]);

describe('diagonal', () => {
  it.each(smallModels())('is_that_of_the_dense_matrix: $name', ({ model }) => {
    const exact = diagonalOf(denseGaussNewton(model));
    const diagonal = curvatureDiagonal(model, { blas });
    const largest = Math.max(...exact);
    expect(diagonal.bytes).toBe(8 * model.network.parameters);
    // Each entry to its own precision, for nothing cancels; but where the errors come from a Gram matrix passed
    // downwards.
    diagonal.values.forEach((value, i) => {
      expect(Math.abs(value - exact[i])).toBeLessThanOrEqual(200 * eps * exact[i] + 50 * eps * largest);
    });
  });

  it.each(smallModels('f32').filter((_, i) => i % 9 === 0))(
    'of_a_single_precision_model_is_computed_in_double: $name',
    ({ model }) => {
      const exact = diagonalOf(denseGaussNewton(model));
      const { values } = curvatureDiagonal(model, { blas });
      const largest = Math.max(...exact);
      // The passes read the same numbers; only activations in double precision enter.
      values.forEach((value, i) => {
        expect(Math.abs(value - exact[i])).toBeLessThanOrEqual(200 * eps * exact[i] + 50 * eps * largest);
      });
    },
  );

  it.each([...smallModels(), ...smallModels('f32').filter((_, i) => i % 5 === 0)])(
    'of_the_hessian_is_that_of_the_dense_matrix: $name',
    ({ model }) => {
      // Of a float32 model in double precision too.
      const wide = { ...model, parameters: Float64Array.from(model.parameters) };
      const exact = diagonalOf(denseOperator(hessian(wide, { blas })));
      const largest = Math.max(...exact.map(Math.abs), ...diagonalOf(denseGaussNewton(model)));
      const { values } = curvatureDiagonal(model, { blas, kind: 'hessian' });
      values.forEach((value, i) => {
        expect(Math.abs(value - exact[i])).toBeLessThanOrEqual(500 * eps * largest);
      });
      if (model.network.layers.every(({ activation }) => activation === 'relu' || activation === 'linear'))
        expect(values).toEqual(curvatureDiagonal(model, { blas }).values);
    },
  );

  it('of_the_hessian_of_a_deep_network_in_slabs_and_in_any_batches', () => {
    // 200 · 150 + 150² + 200² numbers a sample: slabs of 45 samples.
    const model = randomModel({
      widths: [5, 200, 150, 6, 3],
      activation: 'softplus',
      loss: 'cross-entropy',
      bias: true,
      samples: 70,
    });
    const { values } = curvatureDiagonal(model, { blas, kind: 'hessian' });
    const operator = hessian(model, { blas });
    const largest = Math.max(...values.map(Math.abs));
    const x = zeros(operator.rows, 1);
    for (let i = 3; i < operator.rows; i += 1013) {
      x.data.fill(0);
      x.data[i] = 1;
      expect(Math.abs(values[i] - apply(operator, x).data[i])).toBeLessThan(1000 * eps * largest);
    }
    for (const batchSize of [1, 13]) {
      const other = curvatureDiagonal(
        { ...model, data: forgetful(model.data) },
        { blas, batchSize, kind: 'hessian' },
      ).values;
      other.forEach((value, i) => {
        expect(Math.abs(value - values[i])).toBeLessThanOrEqual(500 * eps * largest);
      });
    }
  });

  it('of_the_hessian_checks_targets_and_the_kind', () => {
    const model = randomModel({ widths: [3, 2], activation: 'tanh', loss: 'bce', bias: true, samples: 4 });
    const targets = zeros(2, 4);
    targets.data[5] = 2;
    const wrong = { ...model, data: memoryDataSet(model.data.batch(0, 4).inputs, targets) };
    expect(() => curvatureDiagonal(wrong, { blas, kind: 'hessian' })).toThrow(/Target 1 of sample 2 is 2/);
    expect(() => curvatureDiagonal(model, { blas, kind: 'fisher' as never })).toThrow(
      /kind must be 'gauss-newton' or 'hessian', not the text "fisher"/,
    );
  });

  it('multiplies_and_reads_data_in_any_batches', () => {
    const model = randomModel({
      widths: [6, 5, 4, 7],
      activation: 'gelu',
      loss: 'cross-entropy',
      bias: true,
      samples: 90,
    });
    const whole = curvatureDiagonal(model, { blas });
    for (const batchSize of [1, 13, 89]) {
      const { values } = curvatureDiagonal({ ...model, data: forgetful(model.data) }, { blas, batchSize });
      values.forEach((value, i) => {
        expect(Math.abs(value - whole.values[i])).toBeLessThanOrEqual(500 * eps * whole.values[i]);
      });
    }
    const x = randomMatrix(whole.rows, 3, 2);
    const y = apply(whole, x);
    for (let k = 0; k < y.data.length; k++) expect(y.data[k]).toBe(whole.values[k % whole.rows] * x.data[k]);
  });

  it('refuses_what_is_not_finite_and_sizes_that_are_none', () => {
    const model = randomModel({ widths: [3, 2], activation: 'tanh', loss: 'mse', bias: true, samples: 4 });
    const parameters = model.parameters.slice();
    parameters[1] = Number.POSITIVE_INFINITY;
    expect(() => curvatureDiagonal({ ...model, parameters }, { blas })).toThrow(NonFiniteError);
    expect(() => curvatureDiagonal(model, { blas, batchSize: 0 })).toThrow(OptionError);
    expect(() => curvatureDiagonal({ ...model, parameters: parameters.slice(1) }, { blas })).toThrow(ShapeError);
  });
});

describe('blocks_on_the_diagonal', () => {
  let teams: Team[];
  beforeAll(async () => {
    teams = await Promise.all([1, 2, 3].map((workers) => sharedTeam(workers)));
  });

  it('of_units_and_of_layers_are_those_of_the_dense_matrix', async () => {
    for (const { model } of smallModels().slice(-8)) {
      const dense = denseGaussNewton(model);
      const source = gaussNewtonSource(model, { blas });
      for (const ranges of [unitRanges(model.network), layerRanges(model.network)]) {
        const expected = zeros(dense.rows, dense.rows);
        for (let k = 0; k + 1 < ranges.length; k++) {
          for (let b = ranges[k]; b < ranges[k + 1]; b++)
            for (let a = ranges[k]; a < ranges[k + 1]; a++)
              expected.data[a + b * dense.rows] = dense.data[a + b * dense.rows];
        }
        const operator = await blockDiagonal(source, ranges, {}, { team: teams[1] });
        expect(operator.bytes).toBe(blockDiagonalBytes(ranges));
        expect(operator.bytes).toBe(operator.values.byteLength + operator.ranges.byteLength);
        expect(relativeError(denseOperator(operator), expected)).toBeLessThan(1000 * eps);
        operator.release();
      }
    }
  });

  it('have_the_same_bits_for_every_team', async () => {
    const model = randomModel({ widths: [40, 6, 30], activation: 'tanh', loss: 'mse', bias: true, samples: 50 });
    const source = gaussNewtonSource(model, { blas });
    const x = randomMatrix(source.size, 5, 1);
    const products: Matrix['data'][] = [];
    for (const team of teams) {
      const operator = await blockDiagonal(source, unitRanges(model.network), {}, { team });
      products.push(apply(operator, x).data);
      operator.release();
      expect(() => apply(operator, x)).toThrow(OptionError);
    }
    expect(products[1]).toEqual(products[0]);
    expect(products[2]).toEqual(products[0]);
  });

  it('refuse_ranges_that_leave_indices_out_and_more_memory_than_there_may_be', async () => {
    const { model } = smallModels()[0];
    const source = gaussNewtonSource(model, { blas });
    for (const ranges of [
      [0, 3],
      [1, source.size],
      [0, 4, 4, source.size],
    ])
      await expect(blockDiagonal(source, Int32Array.from(ranges), {}, { team: teams[0] })).rejects.toThrow(ShapeError);
    await expect(
      blockDiagonal(source, layerRanges(model.network), { memoryLimit: 100 }, { team: teams[0] }),
    ).rejects.toThrow(MemoryError);
  });
});
