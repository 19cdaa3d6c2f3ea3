import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import { modelStep, nextDamping } from '#hmatrix/training/optimizers/damping.js';
import { kfacOptimizer } from '#hmatrix/training/optimizers/kfac.js';
import type { KfacOptimizerOptions } from '#hmatrix/training/optimizers/kfac-options.js';
import { denseGaussNewton } from '../curvature/brute-force.js';
import { denseInverse } from '../curvature/operators.js';
import { largestDifference, normalMatrix, smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { begin, planOf, resumed, steps, type AtWork } from './steppers.js';

const blas = defaultBlas();
const DEEP = { widths: [6, 7, 5, 4], samples: 60 };
/** Of a plain damped natural gradient: rate 1, no momentum, fixed λ. */
const PLAIN = {
  learningRate: 1,
  fixedMomentum: 0,
  normConstraint: null,
  adaptDamping: false,
  largestRise: 1e9,
  statisticsSamples: 1000,
};

const times = ({ data, rows, cols }: Matrix, x: ArrayLike<number>): Float64Array => {
  const y = new Float64Array(rows);
  for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) y[i] += data[i + j * rows] * x[j];
  return y;
};
const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
};

/** A = E āāᵀ of a layer's inputs, both with bias: of the first layer. */
function inputMoment({ network, data }: Model): Matrix {
  const { width, inputs } = network.layers[0];
  const a = zeros(width, width);
  const { inputs: x } = data.batch(0, data.samples);
  for (let s = 0; s < data.samples; s++) {
    const of = (k: number): number => (k === inputs ? 1 : x.data[x.offset + s * x.ld + k]);
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) a.data[i + j * width] += (of(i) * of(j)) / data.samples;
  }
  return a;
}

const takenBy = ({ objective, model }: AtWork): Float64Array =>
  Float64Array.from(objective.parameters, (θ, k) => θ - model.parameters[k]);

describe('kfacOptimizer', () => {
  it('solves exactly where K-FAC is exact: a linear layer', async () => {
    const model = smallModel({ widths: [5, 4], samples: 40 });
    const work = await begin(kfacOptimizer({ ...PLAIN, damping: 0.2 }), model);
    steps(work, 0, 1);
    const solved = times(denseInverse(denseGaussNewton(model), 0.2, blas), work.objective.gradient);
    expect(
      largestDifference(
        takenBy(work),
        solved.map((d) => -d),
      ),
    ).toBeLessThan(1e-12);
  });

  it('solves exactly by factored damping: (A + π√λ I)⁻¹ G (Γ + √λ/π I)⁻¹', async () => {
    const model = smallModel({ widths: [5, 4], samples: 40 });
    const λ = 0.2;
    const work = await begin(kfacOptimizer({ ...PLAIN, damping: λ, dampingKind: 'factored' }), model);
    steps(work, 0, 1);
    const a = inputMoment(model);
    const { width, outputs } = model.network.layers[0];
    let trace = 0;
    for (let k = 0; k < width; k++) trace += a.data[k * (width + 1)];
    // Γ = I.
    const π = Math.sqrt(trace / width);
    const inverse = denseInverse(a, π * Math.sqrt(λ), blas);
    const expected = new Float64Array(width * outputs);
    for (let p = 0; p < outputs; p++) {
      const g = work.objective.gradient.subarray(p * width, (p + 1) * width);
      times(inverse, g).forEach((d, i) => (expected[p * width + i] = -d / (1 + Math.sqrt(λ) / π)));
    }
    expect(largestDifference(takenBy(work), expected)).toBeLessThan(1e-12);
  });

  it('solves the last layer of a deep network exactly, the others frozen', async () => {
    const model = smallModel(DEEP);
    const work = await begin(kfacOptimizer({ ...PLAIN, damping: 0.1 }), model);
    const layers = [null, null, { factor: 1, decay: 0, decayBias: false }];
    work.objective.load(model.data.batch(0, 60));
    work.stepper.step(planOf(model, 0, { layers }));
    const { offset, width, outputs } = model.network.layers[2];
    const n = width * outputs;
    const whole = denseGaussNewton(model);
    const own = zeros(n, n);
    for (let j = 0; j < n; j++)
      for (let i = 0; i < n; i++) own.data[i + j * n] = whole.data[offset + i + (offset + j) * whole.rows];
    const solved = times(denseInverse(own, 0.1, blas), work.objective.gradient.subarray(offset, offset + n));
    const taken = takenBy(work);
    expect(taken.subarray(0, offset).every((δ) => δ === 0)).toBe(true);
    expect(
      largestDifference(
        taken.subarray(offset),
        solved.map((d) => -d),
      ),
    ).toBeLessThan(1e-12);
  });

  it.each(['mse', 'cross-entropy', 'bce'] as const)(
    'chooses α and μ that minimise the dense model: %s',
    async (loss) => {
      const model = smallModel({ ...DEEP, loss });
      const optimizer = kfacOptimizer({ modelSamples: 60, damping: 0.3, adaptDamping: false });
      const work = await begin(optimizer, model, { regularization: 0.05 });
      for (let t = 0; t < 4; t++) {
        const θ = work.objective.parameters.slice() as Float64Array;
        const [report] = steps(work, t, t + 1);
        const δ = Float64Array.from(work.objective.parameters, (after, k) => after - θ[k]);
        // The gradient of q = f + gᵀδ + ½δᵀBδ is orthogonal to δ at its minimum over a space that holds δ.
        const g = work.objective.gradient;
        const b = denseGaussNewton({ ...model, parameters: θ });
        const isWeight = new Float64Array(θ.length).fill(1);
        for (const { offset, width, outputs } of model.network.layers)
          for (let p = 1; p <= outputs; p++) isWeight[offset + p * width - 1] = 0;
        const bδ = times(b, δ).map((x, k) => x + (0.3 + 0.05 * isWeight[k]) * δ[k]);
        const slope = dot(g, δ);
        expect(Math.abs(slope + dot(δ, bδ))).toBeLessThan(1e-9 * Math.abs(slope));
        expect(report.products).toBe(t === 0 ? 1 : 2);
        expect(report.equivalentRate).toBeGreaterThan(0);
        if (t > 0) expect(report.momentum).not.toBe(0);
      }
    },
  );

  it('takes no step by which f rises much, and forgets the step before', async () => {
    const model = smallModel(DEEP);
    const work = await begin(
      kfacOptimizer({ ...PLAIN, largestRise: 0.1, adaptDamping: true, learningRate: 1e-3 }),
      model,
    );
    expect(steps(work, 0, 1)[0].rejected).toBeUndefined();
    const λ = work.stepper.numbers['damping'];
    const θ = work.objective.parameters.slice();
    const long = await resumed(work, kfacOptimizer({ ...PLAIN, largestRise: 0.1, learningRate: 1e4, ratioEvery: 1 }));
    const [report] = steps(long, 1, 2);
    expect(report.rejected).toBe(true);
    expect(long.objective.parameters).toEqual(θ);
    expect(long.stepper.arrays['previous'].every((p) => p === 0)).toBe(true);
    const adapting = await resumed(
      work,
      kfacOptimizer({ ...PLAIN, largestRise: 0.1, learningRate: 1e4, ratioEvery: 1, adaptDamping: true }),
    );
    steps(adapting, 1, 2);
    expect(adapting.stepper.numbers['damping']).toBeGreaterThan(λ);
  });

  it('bounds a fixed rate by the norm constraint', async () => {
    const model = smallModel({ widths: [5, 4], samples: 40 });
    const work = await begin(kfacOptimizer({ ...PLAIN, damping: 0.2, normConstraint: 1e-3 }), model);
    steps(work, 0, 1);
    const δ = takenBy(work);
    const b = denseGaussNewton(model);
    expect(
      dot(
        δ,
        times(b, δ).map((x, k) => x + 0.2 * δ[k]),
      ),
    ).toBeCloseTo(1e-3, 10);
  });

  it('makes statistics alone in the burn-in', async () => {
    const work = await begin(kfacOptimizer({ burnIn: 3 }), smallModel(DEEP));
    expect(steps(work, 0, 3).map(({ note }) => note)).toEqual(Array.from({ length: 3 }, () => 'statistics alone'));
    expect(takenBy(work).every((δ) => δ === 0)).toBe(true);
    expect(steps(work, 3, 4)[0].ratio).toBeDefined();
  });

  it('goes on from its state with the same bits', async () => {
    const model = smallModel({ ...DEEP, precision: 'f32', loss: 'cross-entropy' });
    const optimizer = kfacOptimizer({ inversesEvery: 7, largestSide: 7 });
    const whole = await begin(optimizer, model, { precision: 'f32' });
    steps(whole, 0, 11, { batchSize: 20 });
    const rest = await resumed(whole, optimizer, { precision: 'f32' });
    steps(whole, 11, 30, { batchSize: 20 });
    steps(rest, 11, 30, { batchSize: 20 });
    expect(rest.objective.parameters).toEqual(whole.objective.parameters);
    expect(rest.stepper.arrays).toEqual(whole.stepper.arrays);
    expect(rest.stepper.numbers).toEqual(whole.stepper.numbers);
    expect(rest.stepper.rules).toContain('kfac: A diagonal 8, Γ 5 × 5');
  });

  it('has the same bits on any team', async () => {
    const model = smallModel({ widths: [120, 130, 90, 20], samples: 240, precision: 'f32' });
    const team = await sharedTeam(2);
    const optimizer = kfacOptimizer({ statisticsEvery: 2, inversesEvery: 5 });
    const alone = await begin(optimizer, model, { precision: 'f32' });
    const together = await begin(optimizer, model, { precision: 'f32', team });
    const reports = steps(alone, 0, 10, { batchSize: 120 });
    expect(steps(together, 0, 10, { batchSize: 120 })).toEqual(reports);
    together.objective.close();
    expect(together.objective.parameters).toEqual(alone.objective.parameters);
    expect(together.stepper.arrays).toEqual(alone.stepper.arrays);
  });

  it('steps along the gradient where no basis is found, and says so', async () => {
    const model = smallModel({ widths: [5, 4], samples: 40 });
    const work = await begin(kfacOptimizer({ ...PLAIN, damping: 1, inversesEvery: 1, statisticsEvery: 5 }), model);
    steps(work, 0, 1);
    work.stepper.arrays['input factor 1'].fill(Number.NaN);
    const before = work.objective.parameters.slice();
    const [{ note }] = steps(work, 1, 2);
    expect(note).toBe('no eigenbasis was found for layer 1: its step is along the gradient');
    const δ = Float64Array.from(work.objective.parameters, (after, k) => after - before[k]);
    // (1·1 + λ)δ = −g.
    expect(
      largestDifference(
        δ,
        Float64Array.from(work.objective.gradient, (g) => -g / 2),
      ),
    ).toBeLessThan(1e-14);
  });

  it('touches nothing where the gradient is not finite', async () => {
    const work = await begin(kfacOptimizer(), smallModel(DEEP));
    steps(work, 0, 3);
    const { objective, stepper } = work;
    objective.parameters[3] = Number.NaN;
    const kept = (): unknown => ({
      arrays: Object.values(stepper.arrays).map((x) => x.slice()),
      n: { ...stepper.numbers },
    });
    const state = kept();
    expect(() => steps(work, 3, 4)).toThrow(NonFiniteError);
    expect(kept()).toEqual(state);
  });

  it.each([
    [{ damping: 0 }, /damping/],
    [{ damping: 20 }, /dampingCeiling/],
    [{ dampingFactor: 1.2 }, /dampingFactor/],
    [{ dampingKind: 'both' as 'exact' }, /'factored'/],
    [{ learningRate: -1 }, /learningRate/],
    [{ normConstraint: 0 }, /normConstraint/],
    [{ modelSamples: 0 }, /modelSamples/],
    [{ dampng: 1 } as KfacOptimizerOptions, /did you mean "damping"/],
  ])('refuses %o', (options, message) => {
    expect(() => kfacOptimizer(options)).toThrow(OptionError);
    expect(() => kfacOptimizer(options)).toThrow(message);
  });
});

describe('the quadratic model', () => {
  it('has its minimum at α and μ, and that reduction', () => {
    const r = normalMatrix(6, 6, 3);
    const b = zeros(6, 6);
    blas.gemm('N', 'T', 1, r, r, 0, b);
    const [g, d, p] = [4, 5, 6].map((seed) => normalMatrix(6, 1, seed).data);
    const { alpha, momentum, reduction } = modelStep({
      slopes: [dot(g, d), dot(g, p)],
      curvature: [dot(d, times(b, d)), dot(d, times(b, p)), dot(p, times(b, p))],
    })!;
    const q = (a: number, m: number): number => {
      const δ = Float64Array.from(d, (x, k) => a * x + m * p[k]);
      return dot(g, δ) + dot(δ, times(b, δ)) / 2;
    };
    expect(q(alpha, momentum)).toBeCloseTo(-reduction, 10);
    for (const [a, m] of [
      [1e-3, 0],
      [-1e-3, 0],
      [0, 1e-3],
      [0, -1e-3],
    ])
      expect(q(alpha + a, momentum + m)).toBeGreaterThan(q(alpha, momentum));
  });

  it('goes without momentum where the step before is zero or parallel, and not along negative curvature', () => {
    expect(modelStep({ slopes: [-2, 0], curvature: [4, 0, 0] })).toEqual({ alpha: 0.5, momentum: 0, reduction: 0.5 });
    expect(modelStep({ slopes: [-2, -4], curvature: [4, 8, 16] })?.momentum).toBe(0);
    expect(modelStep({ slopes: [-2, 0], curvature: [-1, 0, 1] })).toBeNull();
    expect(modelStep({ slopes: [Number.NaN, 0], curvature: [1, 0, 1] })).toBeNull();
  });

  it('makes λ smaller where it is right, larger where it is wrong, within its bounds', () => {
    const rule = { factor: 0.5, floor: 0.1, ceiling: 4 };
    expect([0.9, 0.5, 0.1, -3, Number.NaN].map((ρ) => nextDamping(1, ρ, rule))).toEqual([0.5, 1, 2, 2, 2]);
    expect(nextDamping(0.15, 1, rule)).toBe(0.1);
    expect(nextDamping(3, 0, rule)).toBe(4);
  });
});
