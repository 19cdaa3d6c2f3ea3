/**
 * Damped inverses of K-FAC and EKFAC against dense solves with their own definitions.
 */
import { describe, expect, it } from 'vitest';
import { NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Model } from '#hmatrix/network/model.js';
import { randomMatrix } from '../support.js';
import { randomModel, smallModels } from './brute-force.js';
import {
  bruteForceFactors,
  denseOperator,
  frobenius,
  kroneckerDense,
  type ReferenceFactors,
} from './kronecker-reference.js';

const blas = openBlas();
const models = smallModels();
const someModels = models.filter((_, i) => i % 5 === 0 || i >= models.length - 6);

const trace = (a: Matrix): number => {
  let sum = 0;
  for (let k = 0; k < a.rows; k++) sum += a.data[k * (a.rows + 1)];
  return sum;
};
const shifted = (a: Matrix, shift: number): Matrix => {
  const b = { ...a, data: Float64Array.from(a.data) };
  for (let k = 0; k < a.rows; k++) b.data[k * (a.rows + 1)] += shift;
  return b;
};

/** ‖(K + λI)·(solver·X) − X‖ relative to X: at most the condition number times rounding. */
function expectInverse(inverse: LinearOperator, matrix: Matrix, condition: number): void {
  const n = matrix.rows;
  const x = randomMatrix(n, 3, 12);
  const residual = zeros(n, 3);
  blas.gemm('N', 'N', 1, matrix, apply(inverse, x), 0, residual);
  expect(frobenius(residual, x)).toBeLessThanOrEqual(16 * n * Number.EPSILON * condition * frobenius(x));
}

/** (A + πγI) ⊗ (Γ + γ/π·I), λI where a factor is zero. */
function tikhonov(model: Model, factors: readonly ReferenceFactors[], damping: number): Matrix {
  const γ = Math.sqrt(damping);
  return kroneckerDense(
    model.network.layers,
    model.network.parameters,
    factors.map(({ input, output }) => {
      const π = Math.sqrt(trace(input) / input.rows / (trace(output) / output.rows));
      if (!(π > 0 && π < Infinity))
        return {
          input: shifted(zeros(input.rows, input.rows), γ),
          output: shifted(zeros(output.rows, output.rows), γ),
        };
      return { input: shifted(input, π * γ), output: shifted(output, γ / π) };
    }),
  );
}

describe('the exact damped inverse of K-FAC', () => {
  it.each(someModels)('solves with K + λI: $name', ({ model }) => {
    const k = kfac(model, { blas });
    const dense = denseOperator(k);
    for (const damping of [10, 1e-2, 1e-5]) {
      const solver = k.solver({ damping });
      expect(solver.damping).toBe(damping);
      expectInverse(solver, shifted(dense, damping), 1 + frobenius(dense) / damping);
    }
  });

  it('agrees with LU of the dense matrix', () => {
    const { model } = someModels[0];
    const k = kfac(model, { blas });
    const a = shifted(denseOperator(k), 0.1);
    const b = randomMatrix(k.rows, 2, 3);
    const x = apply(k.solver({ damping: 0.1 }), b);
    const pivots = new Int32Array(k.rows);
    expect(blas.getrf(a, pivots)).toBe(0);
    blas.getrs('N', a, pivots, b);
    expect(frobenius(x, b)).toBeLessThanOrEqual(1e-11 * frobenius(b));
  });

  it('needs no damping where the blocks are positive definite', () => {
    const model = randomModel({ widths: [4, 3], activation: 'linear', loss: 'bce', bias: true, samples: 30 });
    const k = kfac(model, { blas });
    const dense = denseOperator(k);
    for (const kind of ['exact', 'factored-tikhonov'] as const)
      expectInverse(k.solver({ damping: 0, kind }), dense, 1e3);
  });

  it('counts the arrays that a product reads', () => {
    const model = randomModel({ widths: [6, 5, 4], activation: 'tanh', loss: 'mse', bias: false, samples: 9 });
    const k = kfac(model, { blas });
    // U_A, 1 ⊘ (s_A s_Γᵀ + λ), and U_Γ where Γ is not diagonal.
    expect(k.solver({ damping: 1 }).bytes).toBe(8 * (36 + 30 + 25 + 25 + 20));
    expect(k.solver({ damping: 1, kind: 'factored-tikhonov' }).bytes).toBe(8 * (36 + 25 + 25 + 4));
  });
});

describe('factored Tikhonov damping', () => {
  it.each(someModels)('solves with (A + πγI) ⊗ (Γ + γ/π I): $name', ({ model }) => {
    const factors = bruteForceFactors(model);
    for (const damping of [10, 1e-2, 1e-5]) {
      const matrix = tikhonov(model, factors, damping);
      expectInverse(
        kfac(model, { blas }).solver({ damping, kind: 'factored-tikhonov' }),
        matrix,
        1 + frobenius(matrix) / damping,
      );
    }
  });
});

describe('the damped inverse of EKFAC', () => {
  it.each(someModels)('solves with K + λI: $name', ({ model }) => {
    const k = ekfac(model, { blas });
    const dense = denseOperator(k);
    for (const damping of [10, 1e-2, 1e-5])
      expectInverse(k.solver({ damping }), shifted(dense, damping), 1 + frobenius(dense) / damping);
  });
});

describe('damping at the edges', () => {
  // Biases of −100 switch every ReLU off: no errors reach layer 1, no activity layer 2 (without its bias).
  const model = randomModel({ widths: [5, 4, 3], activation: 'relu', loss: 'mse', bias: true, samples: 6 });
  const dead: Model = { ...model, parameters: Float64Array.from(model.parameters) };
  for (let p = 0; p < 4; p++) dead.parameters[p * 6 + 5] = -100;

  it('treats the zero block of a dead layer as λI', () => {
    const layer = dead.network.layers[0];
    const r = randomMatrix(dead.network.parameters, 2, 5);
    for (const solver of [
      kfac(dead, { blas }).solver({ damping: 0.25 }),
      kfac(dead, { blas }).solver({ damping: 0.25, kind: 'factored-tikhonov' }),
      ekfac(dead, { blas }).solver({ damping: 0.25 }),
    ]) {
      const x = apply(solver, r);
      for (let j = 0; j < 2; j++)
        for (let i = 0; i < layer.width * layer.outputs; i++) {
          const at = i + j * r.rows;
          expect(Math.abs(x.data[at] - 4 * r.data[at])).toBeLessThanOrEqual(64 * Number.EPSILON * 4 * frobenius(r));
        }
    }
  });

  it('treats a layer whose inputs are all zero as λI', () => {
    const still = randomModel({ widths: [4, 3], activation: 'linear', loss: 'cross-entropy', bias: false, samples: 2 });
    const zero: Model = {
      ...still,
      data: { ...still.data, batch: (_, count) => ({ inputs: zeros(4, count), targets: zeros(3, count) }) },
    };
    for (const kind of ['exact', 'factored-tikhonov'] as const) {
      const x = apply(kfac(zero, { blas }).solver({ damping: 2, kind }), randomMatrix(12, 1, 1));
      randomMatrix(12, 1, 1).data.forEach((value, i) =>
        expect(Math.abs(x.data[i] - value / 2)).toBeLessThanOrEqual(64 * Number.EPSILON * 4),
      );
    }
  });

  it('says which layer has no inverse without damping', () => {
    for (const some of [
      dead,
      randomModel({ widths: [9, 2], activation: 'linear', loss: 'mse', bias: false, samples: 3 }),
    ]) {
      const k = kfac(some, { blas });
      for (const kind of ['exact', 'factored-tikhonov'] as const) {
        expect(() => k.solver({ damping: 0, kind })).toThrow(NotPositiveDefiniteError);
        expect(() => k.solver({ damping: 0, kind })).toThrow(/layer 1.*larger λ/s);
      }
    }
    expect(() => ekfac(dead, { blas }).solver({ damping: 0 })).toThrow(NotPositiveDefiniteError);
  });

  it('refuses dampings that are none', () => {
    const k = kfac(model, { blas });
    for (const damping of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const kind of ['exact', 'factored-tikhonov'] as const)
        expect(() => k.solver({ damping, kind })).toThrow(OptionError);
      expect(() => ekfac(model, { blas }).solver({ damping })).toThrow(OptionError);
    }
    expect(() => k.solver({ damping: 1, kind: 'none' as never })).toThrow(/exact or factored-tikhonov/);
  });

  it('serves single-precision vectors for a single-precision model', () => {
    const single = randomModel({
      widths: [5, 4, 3],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      samples: 6,
      precision: 'f32',
    });
    const double: Model = { ...single, parameters: Float64Array.from(single.parameters) };
    const r = randomMatrix(single.network.parameters, 2, 5);
    const rounded = { ...r, data: Float32Array.from(r.data) };
    const pairs = [
      ...(['exact', 'factored-tikhonov'] as const).map((kind) => [
        kfac(single, { blas }).solver({ damping: 0.5, kind }),
        kfac(double, { blas }).solver({ damping: 0.5, kind }),
      ]),
      [ekfac(single, { blas }).solver({ damping: 0.5 }), ekfac(double, { blas }).solver({ damping: 0.5 })],
    ];
    for (const [inverse, reference] of pairs) {
      const exact = apply(reference, r);
      expect(frobenius(apply(inverse, rounded), exact)).toBeLessThanOrEqual(2 ** -23 * 200 * frobenius(exact));
      expect(inverse.bytes).toBe(reference.bytes / 2);
    }
  });
});
