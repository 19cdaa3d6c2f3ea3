import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { block, matrixOver, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { labelTargets } from '#hmatrix/network/data-set.js';
import { applyLossFactor, applyLossHessian, lossGradient, lossSum } from '#hmatrix/network/losses/evaluate.js';
import { LOSSES, lossOf, squaredScale, type LossName } from '#hmatrix/network/losses/table.js';
import { checkTargets } from '#hmatrix/network/losses/targets.js';
import { applyCurvature, applyCurvatureFactor } from '#hmatrix/network/losses/curvature.js';
import { derivative, DIFFERENCE_TOLERANCE, largestDifference, normalMatrix, targetsFor } from './models.js';

const EPS = 2 ** -52;
const R = 5;
const COUNT = 3;

/** The r × r matrices of all samples, as r blocks of count columns: block k holds column k of each sample's matrix. */
function unitBlocks(): Matrix {
  const x = zeros(R, COUNT * R);
  for (let k = 0; k < R; k++) for (let i = 0; i < COUNT; i++) x.data[k + (k * COUNT + i) * R] = 1;
  return x;
}
const entry = (blocks: Matrix, sample: number, j: number, k: number): number =>
  blocks.data[j + (k * COUNT + sample) * R];
const hessian = (loss: LossName, f: Matrix): Matrix => {
  const q = unitBlocks();
  applyLossHessian(loss, f, q, q);
  return q;
};

describe.each(LOSSES)('%s', (loss) => {
  const f = normalMatrix(R, COUNT, 1);
  const y = targetsFor(loss, R, COUNT, 2);

  it('its gradient is the derivative of the sum, and comes with it', () => {
    const g = zeros(R, COUNT);
    const sum = lossGradient(loss, f, y, g);
    expect(sum).toBe(lossSum(loss, f, y));
    for (let e = 0; e < R * COUNT; e++) {
      const moved = (t: number): number => {
        const data = f.data.slice();
        data[e] = t;
        return lossSum(loss, view(data, 0, R, COUNT), y);
      };
      expect(Math.abs(derivative(moved, f.data[e]) - g.data[e])).toBeLessThan(DIFFERENCE_TOLERANCE * (1 + sum));
    }
  });

  it('its Hessian is the derivative of the gradient, symmetric and zero between samples', () => {
    const q = hessian(loss, f);
    for (let i = 0; i < COUNT; i++) {
      for (let k = 0; k < R; k++) {
        for (let j = 0; j < R; j++) {
          const moved = (t: number): number => {
            const data = f.data.slice();
            data[k + i * R] = t;
            const g = zeros(R, COUNT);
            lossGradient(loss, view(data, 0, R, COUNT), y, g);
            return g.data[j + i * R];
          };
          expect(Math.abs(derivative(moved, f.data[k + i * R]) - entry(q, i, j, k))).toBeLessThan(DIFFERENCE_TOLERANCE);
          expect(entry(q, i, j, k)).toBe(entry(q, i, k, j));
        }
      }
    }
  });

  it('S Sᵀ = Q, and Sᵀ is the transpose of S', () => {
    const q = hessian(loss, f);
    const product = unitBlocks();
    applyLossFactor(loss, f, 'T', product, product);
    const transposed = product.data.slice();
    applyLossFactor(loss, f, 'N', product, product);
    // Entries of size at most 2, sums of r products.
    expect(largestDifference(product.data, q.data)).toBeLessThan(4 * R * EPS);
    const s = unitBlocks();
    applyLossFactor(loss, f, 'N', s, s);
    for (let i = 0; i < COUNT; i++)
      for (let k = 0; k < R; k++)
        for (let j = 0; j < R; j++) expect(entry(s, i, j, k)).toBe(entry(view(transposed, 0, R, COUNT * R), i, k, j));
  });

  it('views, several blocks, results apart or in place, and a curvature kept: the same numbers', () => {
    const wide = normalMatrix(R + 2, 2 * COUNT, 5);
    const x = block(wide, 1, 0, R, 2 * COUNT);
    const out = zeros(R, 2 * COUNT);
    applyLossHessian(loss, f, x, out);
    const kept = lossOf(loss).curvature(f);
    const again = zeros(R, 2 * COUNT);
    applyCurvature(kept, x, again);
    expect(again.data).toEqual(out.data);
    const second = zeros(R, COUNT);
    applyLossHessian(loss, f, block(x, 0, COUNT, R, COUNT), second);
    expect(out.data.subarray(R * COUNT)).toEqual(second.data);
    const copy = { ...x, data: wide.data.slice() };
    applyLossHessian(loss, f, copy, copy);
    for (let j = 0; j < 2 * COUNT; j++) {
      expect(copy.data.slice(copy.offset + j * copy.ld, copy.offset + j * copy.ld + R)).toEqual(
        out.data.slice(j * R, (j + 1) * R),
      );
      expect(copy.data[j * copy.ld]).toBe(wide.data[j * wide.ld]);
    }
    applyCurvatureFactor(kept, 'N', x, again);
    applyLossFactor(loss, f, 'N', x, out);
    expect(again.data).toEqual(out.data);
  });

  it('single precision agrees with double precision', () => {
    const single = { ...f, data: Float32Array.from(f.data) };
    const exact = { ...f, data: Float64Array.from(single.data) };
    const y32 = { ...y, data: Float32Array.from(y.data) };
    const y64 = { ...y, data: Float64Array.from(y32.data) };
    const g = zeros(R, COUNT, 'f32');
    const h = zeros(R, COUNT);
    const sum = lossGradient(loss, exact, y64, h);
    expect(Math.abs(lossGradient(loss, single, y32, g) - sum)).toBeLessThan(16 * EPS * (1 + sum));
    expect(largestDifference(g.data, h.data)).toBeLessThan(2 ** -22 * 8);
  });

  it('stays exact for logits of a thousand', () => {
    const big = matrixOver(Float64Array.of(1000, -1000, 0, 999, -1000), R, 1);
    const target = loss === 'bce' ? matrixOver(Float64Array.of(0, 1, 0.5, 1, 0), R, 1) : labelTargets([1], R);
    const g = zeros(R, 1);
    const sum = lossGradient(loss, big, target, g);
    expect(Number.isFinite(sum)).toBe(true);
    expect(g.data.every(Number.isFinite)).toBe(true);
    // Label 1: log(e^1000 + e^999 + …) + 1000 = 2000 + log(1 + 1/e). bce: 1000 + 1000 + log 2 + 0 + 0.
    if (loss === 'cross-entropy') expect(sum).toBeCloseTo(2000 + Math.log1p(Math.exp(-1)), 11);
    if (loss === 'bce') expect(sum).toBeCloseTo(2000 + Math.LN2, 11);
    const q = zeros(R, R);
    for (let k = 0; k < R; k++) q.data[k + k * R] = 1;
    applyLossHessian(loss, big, q, q);
    expect(q.data.every(Number.isFinite)).toBe(true);
  });
});

describe('losses', () => {
  it('softmax does not feel a constant added to all logits', () => {
    const f = matrixOver(Float64Array.of(1, 2, 3, 0.5), 4, 1);
    const y = labelTargets([2], 4);
    const g = zeros(4, 1);
    const h = zeros(4, 1);
    const shifted = matrixOver(
      f.data.map((v) => v + 1024),
      4,
      1,
    );
    expect(
      Math.abs(lossGradient('cross-entropy', f, y, g) - lossGradient('cross-entropy', shifted, y, h)),
    ).toBeLessThan(1024 * EPS);
    expect(largestDifference(g.data, h.data)).toBeLessThan(1024 * EPS);
  });

  it('Q of the cross-entropy annihilates constants', () => {
    const f = normalMatrix(800, 4, 3);
    const one = zeros(800, 4);
    one.data.fill(1);
    applyLossHessian('cross-entropy', f, one, one);
    expect(Math.max(...one.data.map(Math.abs))).toBeLessThan(800 * EPS);
  });

  it('more logits than the scratch arrays hold', () => {
    const f = normalMatrix(5000, 2, 3);
    const y = labelTargets([17, 4999], 5000);
    let expected = 0;
    for (const [i, label] of [
      [0, 17],
      [1, 4999],
    ]) {
      let sum = 0;
      for (let k = 0; k < 5000; k++) sum += Math.exp(f.data[k + i * 5000]);
      expected += Math.log(sum) - f.data[label + i * 5000];
    }
    expect(Math.abs(lossSum('cross-entropy', f, y) - expected)).toBeLessThan(1e-11);
  });

  it('bce sums log(1 + e) without losing small terms or overflowing large products', () => {
    // −log σ(f) for label 1: f large, so that each term alone is about e^{−f}.
    for (const f of [0.1, 3, 5.5, 5.6, 12, 40, 600]) {
      const output = matrixOver(new Float64Array(3000).fill(f), 3000, 1);
      const ones = matrixOver(new Float64Array(3000).fill(1), 3000, 1);
      const sum = lossSum('bce', output, ones);
      expect(Math.abs(sum / (3000 * Math.log1p(Math.exp(-f))) - 1)).toBeLessThan(3000 * EPS);
    }
  });

  it('refuse targets they cannot take, naming sample and output', () => {
    const bad =
      (loss: LossName, values: number[]): (() => void) =>
      () =>
        checkTargets(loss, matrixOver(Float64Array.from([0.5, 0.5, ...values]), 2, 2), 40);
    for (const loss of LOSSES) {
      expect(bad(loss, [0.25, 0.75])).not.toThrow();
      expect(bad(loss, [0.5, Number.NaN])).toThrow(NonFiniteError);
      expect(bad(loss, [0.5, Number.NaN])).toThrow(/Target 1 of sample 41 is NaN/);
      expect(bad(loss, [-Infinity, 0])).toThrow(/Target 0 of sample 41 is -Infinity/);
    }
    expect(bad('cross-entropy', [0.5, 0.6])).toThrow(OptionError);
    expect(bad('cross-entropy', [0.5, 0.6])).toThrow(/sample 41 sum to 1.1/);
    expect(bad('cross-entropy', [-0.5, 1.5])).toThrow(/Target 0 of sample 41 is -0.5/);
    expect(bad('bce', [1.5, 0])).toThrow(/Target 0 of sample 41 is 1.5/);
    expect(bad('bce', [0, -1e-3])).toThrow(OptionError);
    expect(bad('mse', [-3, 7])).not.toThrow();
  });

  it('of squared errors are their formulas, mean-squared being the mean over all entries as of nn.MSELoss', () => {
    const f = normalMatrix(R, COUNT, 7);
    const y = normalMatrix(R, COUNT, 8);
    const squares = Array.from(f.data).reduce((sum, value, e) => sum + (value - y.data[e]) ** 2, 0);
    const formulas = {
      mse: squares / 2 / COUNT,
      'squared-error': squares / COUNT,
      'mean-squared': squares / (R * COUNT),
    } as const;
    for (const [loss, expected] of Object.entries(formulas) as [keyof typeof formulas, number][]) {
      expect(Math.abs(lossSum(loss, f, y) / COUNT / expected - 1)).toBeLessThan(R * COUNT * EPS);
      expect(squaredScale(loss, R)).toBe({ mse: 1, 'squared-error': 2, 'mean-squared': 2 / R }[loss]);
    }
    expect(LOSSES.filter((loss) => squaredScale(loss, R) === null)).toEqual(['cross-entropy', 'bce']);
  });

  it('labels out of range are refused', () => {
    expect(() => labelTargets([0, 3], 3)).toThrow(/Label 3 of sample 1 is out of range/);
    expect(() => labelTargets([-1], 3)).toThrow(OptionError);
    expect(() => labelTargets([0.5], 3)).toThrow(OptionError);
    expect(labelTargets([1, 0], 2).data).toEqual(Float64Array.of(0, 1, 1, 0));
  });

  it('refuse shapes that do not fit and names they do not know', () => {
    const f = zeros(3, 2);
    expect(() => lossSum('mse', f, zeros(3, 1))).toThrow(ShapeError);
    expect(() => lossGradient('mse', f, f, zeros(2, 2))).toThrow(ShapeError);
    expect(() => applyLossHessian('bce', f, zeros(3, 3), zeros(3, 3))).toThrow(ShapeError);
    expect(() => applyLossHessian('bce', f, zeros(3, 4), zeros(3, 2))).toThrow(ShapeError);
    expect(() => lossSum('hinge' as LossName, f, f)).toThrow(OptionError);
  });
});
