/** Conjugate gradients of Hessian-free optimization with a hierarchical matrix that is kept. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import { floats, type FloatArray } from '#hmatrix/core/floats.js';
import type { KroneckerFactorization } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { view } from '#hmatrix/dense/matrix.js';
import { availableMemory } from '#hmatrix/io/machine.js';
import { onHost } from '#hmatrix/training/newton/newton-objective.js';
import { Point } from '#hmatrix/training/newton/point.js';
import { now } from '#hmatrix/training/newton/steps.js';
import { hierarchicalCosts, matrixBytes } from '#hmatrix/training/newton/preconditioners/hierarchical-costs.js';
import {
  HierarchicalPreconditioner,
  hierarchicalPreconditioner,
  type HierarchicalPlaces,
} from '#hmatrix/training/newton/preconditioners/hierarchical.js';
import { hessianFree, type HessianFreeOptions } from '#hmatrix/training/optimizers/hessian-free.js';
import type { StepReport } from '#hmatrix/training/optimizer.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { denseCurvature, denseSolve, distance, openCase, type Case, type CaseOptions } from './newton-cases.js';

const folder = temporaryFolder();

const optimizer = (options: HessianFreeOptions = {}) =>
  hessianFree({ preconditioner: 'hierarchical', curvatureShare: 1, ...options });

async function stepOf({ stepper, plan }: Case, step = 0): Promise<StepReport> {
  await stepper.prepare?.(undefined);
  return stepper.step(plan(step));
}

/** Inputs of very different sizes. */
function stretch({ objective, network }: Case): void {
  const { width, inputs } = network.layers[0];
  objective.inputsOf(0).forEach((value, at, a) => {
    const row = at % width;
    if (row < inputs) a[at] = value * 4 ** (row - inputs / 2);
  });
}

describe('the hierarchical preconditioner', () => {
  it.each(['mse', 'cross-entropy', 'bce'] as const)(
    'is the inverse where all directions are kept: %s',
    async (loss) => {
      const options = { widths: [5, 6, 4, 3], loss, samples: 40, regularization: 0 } as const;
      const { objective, plan } = await openCase(optimizer(), options);
      objective.evaluate();
      const dense = denseCurvature(objective, 'gauss-newton', 30);
      const numbers: Record<string, number> = {};
      const preconditioner = hierarchicalPreconditioner({ share: undefined, curvatureShare: 0.75 }).begin(
        // Room for what it keeps.
        (await openCase(optimizer(), options)).objective,
        numbers,
      )!;
      const point = new Point(onHost(objective));
      now(point.begin(plan()));
      await preconditioner.ready!(30, 0.01, undefined);
      preconditioner.prepare(point, 30, 0.01);
      const solve = (): Float64Array => {
        const r = new Float64Array(dense.rows).map((_, k) => Math.sin(k + 1));
        const z = new Float64Array(dense.rows);
        preconditioner.apply(r, z);
        expect(distance(z, denseSolve(dense, numbers['hierarchicalShift'], r))).toBeLessThan(1e-8);
        return z;
      };
      solve();
      // λ within a factor of four leaves it as it is.
      await preconditioner.ready!(30, 0.03, undefined);
      expect(numbers['hierarchicalShift']).toBe(0.01);
      await preconditioner.ready!(30, 0.5, undefined);
      expect(numbers['hierarchicalShift']).toBe(0.5);
      solve();
      expect(numbers['hierarchicalMade']).toBe(1);
    },
  );

  it.each(['f64', 'f32'] as const)('takes fewer iterations to the same solution: %s', async (precision) => {
    const solution = async (preconditioner: 'none' | 'hierarchical', share?: number) => {
      const made = hessianFree({
        preconditioner,
        share,
        damping: 1e-3,
        curvatureShare: 1,
        iterations: 2000,
        progress: 0,
      });
      const one = await openCase(made, { widths: [8, 6, 3], samples: 60, precision });
      stretch(one);
      const report = await stepOf(one);
      return { iterations: report.cgIterations!, x: Float64Array.from(one.stepper.arrays['solution']) };
    };
    const none = await solution('none');
    const whole = await solution('hierarchical');
    const part = await solution('hierarchical', 0.6);
    const most = precision === 'f64' ? 1e-6 : 0.02;
    expect(distance(whole.x, none.x)).toBeLessThan(most);
    expect(distance(part.x, none.x)).toBeLessThan(most);
    if (precision === 'f64') {
      expect(whole.iterations).toBeLessThan(6);
      expect(part.iterations).toBeLessThan(none.iterations);
    }
    expect(whole.iterations).toBeLessThan(0.5 * none.iterations);
  });

  it('is kept over steps, and made anew where it serves no more', async () => {
    const one = await openCase(optimizer({ damping: 0.1, adapt: false, warmStart: 0 }), {
      widths: [8, 6, 3],
      samples: 60,
    });
    const { numbers } = one.stepper;
    for (let step = 0; step < 3; step++) await stepOf(one, step);
    expect(numbers['hierarchicalMade']).toBe(1);
    // Another batch and other parameters altogether: G̃ has nothing to do with G.
    stretch(one);
    const first = numbers['hierarchicalFirst'];
    const { iteration, making } = hierarchicalCosts({ network: one.network, loss: 'mse', samples: 60 }, 75);
    let beyond = numbers['hierarchicalBeyond'];
    let slowest = 0;
    let step = 3;
    for (; numbers['hierarchicalSlow'] === 0; step++) {
      one.objective.parameters.forEach((_, k, θ) => (θ[k] = 0.7 * Math.sin(5 * k)));
      const { cgIterations } = await stepOf(one, step);
      slowest = Math.max(slowest, cgIterations!);
      beyond += Math.max(0, cgIterations! - first);
      expect(numbers['hierarchicalBeyond']).toBe(beyond);
      expect(numbers['hierarchicalMade']).toBe(1);
      expect(step).toBeLessThan(200);
    }
    expect(beyond * iteration).toBeGreaterThan(0.9 * making);
    expect(slowest).toBeGreaterThan(2 * first);
    expect((await stepOf(one, step)).cgIterations).toBeLessThan(slowest);
    expect(numbers).toMatchObject({ hierarchicalMade: 2, hierarchicalSlow: 0, hierarchicalBeyond: 0 });
  });

  it('gives the same bits on every team, and resumed after it was factored for another damping', async () => {
    const options = { samples: 120, precision: 'f32', loss: 'cross-entropy', dropout: 0.1, widths: [9, 8, 3] } as const;
    const begun = async (more: CaseOptions) =>
      openCase(optimizer({ damping: 1, decrease: 0.2, curvatureShare: 0.5 }), { ...options, ...more });
    const run = async (workers: number): Promise<FloatArray> => {
      const one = await begun({ team: workers === 0 ? undefined : await sharedTeam(workers) });
      for (let step = 0; step < 6; step++) await stepOf(one, step);
      expect(one.stepper.numbers['hierarchicalShift']).not.toBe(1);
      const two = await begun({});
      two.objective.parameters.set(one.objective.parameters);
      for (const [name, array] of Object.entries(one.stepper.arrays)) two.stepper.arrays[name].set(array);
      Object.assign(two.stepper.numbers, one.stepper.numbers);
      two.stepper.restored?.();
      for (let step = 6; step < 10; step++) expect(await stepOf(two, step)).toEqual(await stepOf(one, step));
      expect(two.objective.parameters).toEqual(one.objective.parameters);
      expect(two.stepper.numbers['hierarchicalMade']).toBeLessThan(9);
      one.objective.close();
      return one.objective.parameters.slice();
    };
    const alone = await run(0);
    expect(await run(1)).toEqual(alone);
    expect(await run(2)).toEqual(alone);
  });

  it('trains, goes on from a checkpoint with the same bits, with frozen first layers and dropout', async () => {
    const model = smallModel({ samples: 60, widths: [6, 5, 4, 3] });
    const all = { batchSize: 'all', optimizer: optimizer({ curvatureShare: 0.5 }) } as const;
    for (const more of [{}, all, { groups: [{ layers: [0], frozen: true }], dropout: 0.2 }, { rotateInputs: true }]) {
      const options: TrainOptions = { optimizer: optimizer(), batchSize: 20, validation: 0, seed: 4, ...more };
      const whole = await train(model, { ...options, epochs: 4 });
      expect(whole.outcome).toBe('finished');
      const checkpoint = join(folder, `run-${Object.keys(more).join('-')}`);
      await train(model, { ...options, epochs: 2, checkpoint });
      const resumed = await train(model, { ...options, epochs: 4, checkpoint, resume: true });
      expect(resumed.parameters).toEqual(whole.parameters);
    }
  });

  it('goes without where it cannot be made, and says so', async () => {
    const one = await openCase(optimizer());
    await stepOf(one);
    const batch = one.objective.inputsOf(0).slice();
    one.objective.inputsOf(0).fill(Number.NaN);
    one.stepper.numbers['hierarchicalSlow'] = 1;
    await one.stepper.prepare!(undefined);
    expect(() => one.stepper.step(one.plan(1))).toThrow(NonFiniteError);
    expect(one.stepper.numbers['hierarchicalSamples']).toBe(0);
    one.objective.inputsOf(0).set(batch);
    expect((await stepOf(one, 1)).note).toBeUndefined();
    expect(one.stepper.numbers['hierarchicalMade']).toBe(2);
  });

  it('holds no factorization that cannot be taken', async () => {
    const { objective } = await openCase(optimizer());
    const { network, parameters } = objective;
    const taken: KroneckerFactorization[] = [];
    let takes = false;
    const numbers: Record<string, number> = {};
    const places: HierarchicalPlaces = {
      subject: objective,
      keep: (length) => floats(length, objective.precision),
      loaded: async (samples) => ({
        parameters,
        inputs: view(objective.inputsOf(0), 0, network.inputs, samples, network.layers[0].width),
        targets: view(objective.targetsOf(), 0, network.outputs, samples),
      }),
      take: async (factorization) => {
        taken.push(factorization);
        if (!takes) throw new NotPositiveDefiniteError('not there.');
        return 0.25;
      },
      drop: () => undefined,
      apply: () => undefined,
    };
    const own = new HierarchicalPreconditioner(places, { share: undefined, curvatureShare: 1 }, numbers);
    const ready = async (damping: number): Promise<readonly [string | undefined, number]> => {
      await own.ready(10, damping, undefined);
      return [own.note, numbers['hierarchicalDistance']];
    };
    const note = 'no hierarchical preconditioner: not there.';
    expect(await ready(1)).toEqual([note, 0]);
    takes = true;
    expect(await ready(1)).toEqual([undefined, 0.25]);
    expect(taken[1].kept.layers).toHaveLength(network.layers.length);
    takes = false;
    expect(await ready(10)).toEqual([note, 0]);
    expect(taken[2]).toBe(taken[1]);
    for (const factorization of taken) expect(() => factorization.kept).toThrow(OptionError);
    objective.close();
  });

  it('leaves its state as it was where it is aborted', async () => {
    const one = await openCase(optimizer());
    await stepOf(one);
    one.stepper.numbers['hierarchicalSlow'] = 1;
    const numbers = { ...one.stepper.numbers };
    const arrays = Object.values(one.stepper.arrays).map((array) => Array.from(array));
    await expect(one.stepper.prepare!(AbortSignal.abort())).rejects.toThrow(AbortedError);
    expect(one.stepper.numbers).toEqual(numbers);
    expect(Object.values(one.stepper.arrays).map((array) => Array.from(array))).toEqual(arrays);
  });

  it('refuses what it cannot do by name', async () => {
    expect(optimizer().settings).toMatchObject({ preconditioner: 'hierarchical', share: null });
    expect(() => optimizer({ share: 0 })).toThrow('share of hessian-free is 0');
    expect(() => optimizer({ damping: 0, adapt: false })).toThrow("the preconditioner 'hierarchical' factors G + λI");
    await expect(openCase(optimizer({ share: availableMemory() }))).rejects.toThrow(
      /lower its share or curvatureShare/,
    );
    const small = await openCase(optimizer({ share: 1e-3 }), { widths: [8, 30, 8] });
    await expect(small.stepper.prepare!(undefined)).rejects.toThrow(OptionError);
    await expect(small.stepper.prepare!(undefined)).rejects.toThrow(/the least share here is/);
  });

  it('has by default as many directions as are factored at the price of some products', () => {
    const layer = { width: 785, inputs: 784, outputs: 784, offset: 0, bias: true, activation: 'linear' } as const;
    const network = { layers: [layer], inputs: 784, outputs: 784, parameters: 785 * 784 };
    const few = matrixBytes({ network, loss: 'cross-entropy', samples: 10 });
    const many = matrixBytes({ network, loss: 'cross-entropy', samples: 1000 });
    expect(many).toBeGreaterThan(few);
    expect(many).toBeLessThan(0.02 * 8 * network.parameters ** 2);
  });
});
