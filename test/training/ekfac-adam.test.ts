import { describe, expect, it } from 'vitest';
import { OptionError, NonFiniteError } from '#hmatrix/core/errors.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { ekfacAdam, type EkfacAdamOptions } from '#hmatrix/training/optimizers/ekfac-adam.js';
import type { Layer } from '#hmatrix/network/network.js';
import { largestDifference, smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { begin, resumed, steps, type AtWork } from './steppers.js';

const DEEP = { widths: [6, 7, 5, 4], samples: 60 };

/** U_A·F·U_Γᵀ or, with `way` 'in', U_AᵀFU_Γ, by plain sums; null: the identity. */
function turned(
  { offset, width, outputs }: Layer,
  f: ArrayLike<number>,
  [u, v]: readonly (ArrayLike<number> | undefined)[],
  way: 'in' | 'back',
): Float64Array {
  const at = (basis: ArrayLike<number> | undefined, size: number, i: number, j: number): number =>
    basis === undefined ? Number(i === j) : way === 'in' ? basis[j + i * size] : basis[i + j * size];
  const out = new Float64Array(width * outputs);
  for (let p = 0; p < outputs; p++)
    for (let i = 0; i < width; i++)
      for (let q = 0; q < outputs; q++)
        for (let j = 0; j < width; j++)
          out[p * width + i] += at(u, width, i, j) * f[offset + q * width + j] * at(v, outputs, p, q);
  return out;
}

const basesOf = ({ stepper: { arrays, numbers } }: AtWork, layer: number): (ArrayLike<number> | undefined)[] =>
  numbers[`turned ${layer + 1}`] === 1 ? [arrays[`input basis ${layer + 1}`], arrays[`output basis ${layer + 1}`]] : [];

describe('ekfacAdam', () => {
  it.each(['f32', 'f64'] as const)('is Adam without bases and warm-up, bit for bit (%s)', async (precision) => {
    const model = smallModel({ ...DEEP, precision });
    const rates = { learningRate: 3e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-7 };
    const layers = model.network.layers.map((_, ℓ) => (ℓ === 1 ? null : { factor: 1, decay: 0.1, decayBias: false }));
    const plan = { batchSize: 20, layers };
    const one = await begin(ekfacAdam({ ...rates, largestSide: 0, warmUp: 0 }), model, { precision });
    const other = await begin(adam(rates), model, { precision });
    steps(one, 0, 12, plan);
    steps(other, 0, 12, plan);
    expect(one.objective.parameters).toEqual(other.objective.parameters);
    expect(one.stepper.rules).toEqual(['adam', 'adam', 'adam']);
  });

  it.each([
    ['factors', 'mse'],
    ['factors', 'cross-entropy'],
    ['gradients', 'bce'],
  ] as const)('follows its formulas, moments turned along: %s, %s', async (statistics, loss) => {
    const model = smallModel({ ...DEEP, loss });
    const settings = { learningRate: 0.01, beta1: 0.8, beta2: 0.95, epsilon: 1e-6 };
    const own = { ...settings, statistics, warmUp: 4, basesEvery: 7, statisticsEvery: 2, largestSide: 6 };
    const work = await begin(ekfacAdam(own), model);
    const { network } = model;
    const raw = network.layers.map(({ width, outputs }) => new Float64Array(width * outputs));
    const second = raw.map((x) => x.slice());
    const θ = model.parameters.slice();
    for (let t = 0; t < 24; t++) {
      steps(work, t, t + 1, { batchSize: 30 });
      network.layers.forEach((layer, ℓ) => {
        const bases = basesOf(work, ℓ);
        const g = turned(layer, work.objective.gradient, bases, 'in');
        // m in the parameters' own basis, whatever bases there were: what turning along keeps.
        for (let k = 0; k < g.length; k++) {
          raw[ℓ][k] = 0.8 * raw[ℓ][k] + 0.2 * work.objective.gradient[layer.offset + k];
          second[ℓ][k] = 0.95 * second[ℓ][k] + 0.05 * g[k] ** 2;
        }
        const first = turned({ ...layer, offset: 0 }, raw[ℓ], bases, 'in');
        const direction = first.map(
          (m, k) => m / (1 - 0.8 ** (t + 1)) / (Math.sqrt(second[ℓ][k] / (1 - 0.95 ** (t + 1))) + 1e-6),
        );
        const step = turned({ ...layer, offset: 0 }, direction, bases, 'back');
        const rate = 0.01 * Math.min(1, (t + 1) / 4);
        step.forEach((d, k) => (θ[layer.offset + k] -= rate * d));
      });
      expect(largestDifference(work.objective.parameters, θ)).toBeLessThan(1e-11);
    }
    const both = 'ekfac-adam, turned by inputs and outputs';
    // Of [7, 7], [8, 5], [6, 4] sides above 6 are not turned, nor are those of mse's outputs, which are diagonal.
    expect(work.stepper.rules).toEqual([
      'adam',
      'ekfac-adam, turned by outputs',
      loss === 'mse' ? 'ekfac-adam, turned by inputs' : both,
    ]);
  });

  it('leaves turned inputs alone', async () => {
    const { stepper } = await begin(ekfacAdam(), smallModel(DEEP), { rotatedInputs: true });
    expect(Object.keys(stepper.arrays)).not.toContain('input factor 1');
    expect(Object.keys(stepper.arrays)).toContain('output factor 1');
  });

  it.each(['factors', 'gradients'] as const)('goes on from its state with the same bits: %s', async (statistics) => {
    const model = smallModel({ ...DEEP, precision: 'f32', loss: 'cross-entropy' });
    const optimizer = ekfacAdam({ statistics, basesEvery: 8 });
    const whole = await begin(optimizer, model, { precision: 'f32' });
    steps(whole, 0, 11, { batchSize: 20 });
    const rest = await resumed(whole, optimizer, { precision: 'f32' });
    steps(whole, 11, 35, { batchSize: 20 });
    steps(rest, 11, 35, { batchSize: 20 });
    expect(rest.objective.parameters).toEqual(whole.objective.parameters);
    expect(rest.stepper.arrays).toEqual(whole.stepper.arrays);
  });

  it('has the same bits on any team', async () => {
    const model = smallModel({ widths: [120, 130, 90, 20], samples: 240, precision: 'f32' });
    const team = await sharedTeam(2);
    const optimizer = ekfacAdam({ statisticsEvery: 2, basesEvery: 5 });
    const alone = await begin(optimizer, model, { precision: 'f32' });
    const together = await begin(optimizer, model, { precision: 'f32', team });
    steps(alone, 0, 12, { batchSize: 120 });
    steps(together, 0, 12, { batchSize: 120 });
    together.objective.close();
    expect(together.objective.parameters).toEqual(alone.objective.parameters);
    expect(together.stepper.arrays).toEqual(alone.stepper.arrays);
  });

  it('goes by Adam where no basis is found, says so, and tries again', async () => {
    const model = smallModel(DEEP);
    const work = await begin(ekfacAdam({ basesEvery: 4, statisticsEvery: 2 }), model);
    steps(work, 0, 4);
    work.stepper.arrays['input factor 2'].fill(Number.NaN);
    const [report] = steps(work, 4, 5);
    expect(report.note).toBe('Adam on layer 2: no eigenbasis was found');
    expect(work.stepper.rules[1]).toBe('adam');
    expect(work.stepper.rules[0]).toBe('ekfac-adam, turned by inputs and outputs');
    expect(steps(work, 5, 9).every(({ note }) => note === undefined)).toBe(true);
    expect(work.stepper.rules[1]).toBe('ekfac-adam, turned by inputs and outputs');
  });

  it('touches nothing where the gradient is not finite', async () => {
    const model = smallModel(DEEP);
    const work = await begin(ekfacAdam(), model);
    steps(work, 0, 3);
    const { objective, stepper } = work;
    const θ = objective.parameters.slice();
    θ[3] = Number.NaN;
    objective.parameters.set(θ);
    const state = structuredClone({ arrays: Object.values(stepper.arrays).map((x) => x.slice()), n: stepper.numbers });
    expect(() => steps(work, 3, 4)).toThrow(NonFiniteError);
    expect(objective.parameters).toEqual(θ);
    expect({ arrays: Object.values(stepper.arrays).map((x) => x.slice()), n: stepper.numbers }).toEqual(state);
  });

  it.each([
    [{ learningRate: 0 }, /learningRate/],
    [{ beta1: 1 }, /beta1/],
    [{ beta2: -0.1 }, /beta2/],
    [{ epsilon: Number.NaN }, /epsilon/],
    [{ statistics: 'labels' as 'factors' }, /'factors'/],
    [{ statisticsEvery: 0 }, /statisticsEvery/],
    [{ average: 1 }, /average/],
    [{ basesEvery: 1.5 }, /basesEvery/],
    [{ largestSide: -1 }, /largestSide/],
    [{ rate: 1 } as EkfacAdamOptions, /no option "rate"/],
  ])('refuses %o', (options, message) => {
    expect(() => ekfacAdam(options)).toThrow(OptionError);
    expect(() => ekfacAdam(options)).toThrow(message);
  });
});
