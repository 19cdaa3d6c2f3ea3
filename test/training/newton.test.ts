import { describe, expect, it } from 'vitest';
import { NonFiniteError, NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import { dampedNewton, newton } from '#hmatrix/training/optimizers/dense-newton.js';
import { HF_PRECONDITIONERS, hessianFree } from '#hmatrix/training/optimizers/hessian-free.js';
import { lbfgs } from '#hmatrix/training/optimizers/lbfgs.js';
import { chooseLmSolver, levenbergMarquardt } from '#hmatrix/training/optimizers/levenberg-marquardt.js';
import { gaussNewtonCg, newtonCg, newtonLanczos } from '#hmatrix/training/optimizers/newton-cg.js';
import type { Optimizer, StepReport } from '#hmatrix/training/optimizer.js';
import { sharedTeam } from '../teams.js';
import { denseCurvature, denseSolve, distance, dot, norm, openCase } from './newton-cases.js';

const ALL: Readonly<Record<string, () => Optimizer>> = {
  newton: () => newton({ learningRate: 0.1 }),
  'damped-newton': () => dampedNewton(),
  'damped-newton by Armijo': () => dampedNewton({ search: 'armijo', damping: 0.1 }),
  'newton-cg': () => newtonCg(),
  'newton-cg by Wolfe': () => newtonCg({ search: 'wolfe' }),
  'newton-cg by radius': () => newtonCg({ search: 'radius' }),
  'gauss-newton-cg': () => gaussNewtonCg(),
  'gauss-newton-cg, fixed': () => gaussNewtonCg({ search: 'fixed', damping: 1 }),
  'levenberg-marquardt': () => levenbergMarquardt(),
  'levenberg-marquardt, dual': () => levenbergMarquardt({ solver: 'dual' }),
  'levenberg-marquardt, cg': () => levenbergMarquardt({ solver: 'cg' }),
  'newton-lanczos': () => newtonLanczos(),
  'newton-lanczos by ratio': () => newtonLanczos({ search: 'ratio' }),
  lbfgs: () => lbfgs({ history: 4 }),
  ...Object.fromEntries(
    HF_PRECONDITIONERS.map((preconditioner) => [
      `hessian-free, ${preconditioner}`,
      () => hessianFree({ preconditioner, rank: 8, refresh: 3, curvatureShare: 0.5 }),
    ]),
  ),
};
const names = Object.keys(ALL);

describe('every Newton method', () => {
  it.each(names)('%s lowers the loss, and tells the truth of its steps', async (name) => {
    for (const loss of ['mse', 'cross-entropy', 'bce'] as const) {
      const { objective, stepper, plan, reload } = await openCase(ALL[name](), { loss });
      const first = objective.measure().loss;
      let previous = first;
      for (let step = 0; step < 12; step++) {
        reload();
        const before = Float64Array.from(objective.parameters);
        await stepper.prepare?.(undefined);
        const report: StepReport = stepper.step(plan(step));
        const moved = objective.parameters.map((value, k) => value - before[k]);
        const after = objective.measure().loss;
        expect(report.loss).toBeCloseTo(previous, 12);
        if (report.rejected === true) expect(norm(moved)).toBe(0);
        else expect(report.stepNorm! / norm(moved)).toBeCloseTo(1, 5);
        if (!name.includes('fixed') && name !== 'newton') expect(after).toBeLessThanOrEqual(previous);
        previous = after;
      }
      if (name !== 'newton') expect(previous).toBeLessThan(0.8 * first);
    }
  });

  it.each(names)('%s gives the same bits on teams of one and two', async (name) => {
    const run = async (workers: number): Promise<Float32Array> => {
      const team = workers === 0 ? undefined : await sharedTeam(workers);
      const options = { team, samples: 120, precision: 'f32', loss: 'cross-entropy' } as const;
      const { objective, stepper, plan } = await openCase(ALL[name](), options);
      for (let step = 0; step < 4; step++) {
        await stepper.prepare?.(undefined);
        stepper.step(plan(step));
      }
      objective.close();
      return Float32Array.from(objective.parameters);
    };
    const alone = await run(0);
    expect(await run(1)).toEqual(alone);
    expect(await run(2)).toEqual(alone);
  });

  it.each(names)('%s goes on from its arrays and numbers bit for bit', async (name) => {
    const options = { precision: 'f32', regularization: 1e-3, dropout: 0.2 } as const;
    const one = await openCase(ALL[name](), options);
    for (let step = 0; step < 5; step++) {
      await one.stepper.prepare?.(undefined);
      one.stepper.step(one.plan(step));
    }
    const two = await openCase(ALL[name](), options);
    two.objective.parameters.set(one.objective.parameters);
    for (const [key, array] of Object.entries(one.stepper.arrays)) two.stepper.arrays[key].set(array);
    Object.assign(two.stepper.numbers, one.stepper.numbers);
    two.stepper.restored?.();
    for (let step = 5; step < 9; step++) {
      await one.stepper.prepare?.(undefined);
      await two.stepper.prepare?.(undefined);
      const a = one.stepper.step(one.plan(step));
      expect(two.stepper.step(two.plan(step))).toEqual(a);
    }
    expect(Float32Array.from(two.objective.parameters)).toEqual(Float32Array.from(one.objective.parameters));
  });

  it.each(names)('%s leaves θ and state as they were where numbers are not finite', async (name) => {
    const { objective, stepper, plan } = await openCase(ALL[name]());
    stepper.step(plan(0));
    objective.parameters[3] = Number.NaN;
    const before = Float64Array.from(objective.parameters);
    const numbers = { ...stepper.numbers };
    const arrays = Object.values(stepper.arrays).map((array) => Array.from(array));
    expect(() => stepper.step(plan(1))).toThrow(NonFiniteError);
    expect(Float64Array.from(objective.parameters)).toEqual(before);
    expect(stepper.numbers).toEqual(numbers);
    expect(Object.values(stepper.arrays).map((array) => Array.from(array))).toEqual(arrays);
  });

  it.each(names)('%s leaves frozen layers alone, and takes factors, decay and clipping', async (name) => {
    const { objective, stepper, plan, network } = await openCase(ALL[name](), { widths: [5, 6, 4, 3] });
    const layers = [{ factor: 1, decay: 0, decayBias: false }, null, { factor: 0.5, decay: 0.01, decayBias: false }];
    const before = Float64Array.from(objective.parameters);
    for (let step = 0; step < 4; step++) {
      await stepper.prepare?.(undefined);
      stepper.step({ ...plan(step), layers, clip: 0.5 });
    }
    const { offset, width, outputs } = network.layers[1];
    const part = (x: ArrayLike<number>): number[] => Array.from(x).slice(offset, offset + width * outputs);
    expect(part(objective.parameters)).toEqual(part(before));
    expect(Float64Array.from(objective.parameters)).not.toEqual(before);
  });

  it.each(names)('%s takes no more memory than it said', async (name) => {
    // openCase adds room for eight vectors: all of it is still there.
    const { objective } = await openCase(ALL[name](), { precision: 'f32', samples: 33 });
    for (let k = 0; k < 8; k++) objective.vector();
  });
});

describe('dense Newton', () => {
  it('solves_a_quadratic_in_one_step', async () => {
    for (const optimizer of [newton(), dampedNewton({ damping: 1e-10, search: 'fixed' })]) {
      // A regularized linear network.
      const { objective, stepper, plan } = await openCase(optimizer, { widths: [5, 3], regularization: 0.1 });
      stepper.step(plan());
      objective.evaluate();
      expect(norm(objective.gradient)).toBeLessThan(1e-8);
    }
  });

  it('leaves_inputs_out_that_are_zero_in_the_batch', async () => {
    const { objective, stepper, plan, network } = await openCase(dampedNewton({ search: 'fixed', damping: 5 }), {
      regularization: 0.05,
    });
    objective.inputsOf(0).forEach((_, at, a) => {
      if (at % network.layers[0].width === 2) a[at] = 0;
    });
    objective.evaluate();
    const g = Float64Array.from(objective.gradient);
    const h = denseCurvature(objective, 'hessian');
    const before = Float64Array.from(objective.parameters);
    const { products, negativeCurvature } = stepper.step(plan());
    expect(products).toBe(network.parameters - network.layers[0].outputs);
    const moved = objective.parameters.map((value, k) => value - before[k]);
    const exact = denseSolve(
      h,
      5,
      g.map((value) => -value),
    );
    expect(negativeCurvature).toBeUndefined();
    expect(distance(moved, exact)).toBeLessThan(1e-9);
  });

  it('tells_negative_curvature_and_goes_down_by_its_amount', async () => {
    const { objective, stepper, plan } = await openCase(dampedNewton({ search: 'fixed', damping: 1e-3 }));
    objective.evaluate();
    const g = Float64Array.from(objective.gradient);
    const before = Float64Array.from(objective.parameters);
    const report = stepper.step(plan());
    expect(report.negativeCurvature).toBeLessThan(0);
    expect(stepper.numbers['negativeCurvatures']).toBe(1);
    expect(
      dot(
        g,
        objective.parameters.map((value, k) => value - before[k]),
      ),
    ).toBeLessThan(0);
  });

  it('refuses_a_network_that_is_too_large', async () => {
    await expect(openCase(dampedNewton({ mostParameters: 20 }))).rejects.toThrow(OptionError);
    await expect(openCase(dampedNewton({ mostParameters: 20 }))).rejects.toThrow('mostParameters');
  });
});

describe('directions by products', () => {
  it('are_those_of_a_dense_solve', async () => {
    for (const [optimizer, of] of [
      [newtonCg({ search: 'fixed', damping: 5, iterations: 100, tolerance: 1e-12 }), 'hessian'],
      [gaussNewtonCg({ search: 'fixed', damping: 0.3, iterations: 200, tolerance: 1e-12 }), 'gauss-newton'],
    ] as const) {
      const { objective, stepper, plan } = await openCase(optimizer);
      objective.evaluate();
      const g = Float64Array.from(objective.gradient);
      const dense = denseCurvature(objective, of);
      const before = Float64Array.from(objective.parameters);
      const { residual } = stepper.step(plan());
      expect(residual).toBeLessThan(1e-11);
      const moved = objective.parameters.map((value, k) => value - before[k]);
      const λ = of === 'hessian' ? 5 : 0.3;
      expect(
        distance(
          moved,
          denseSolve(
            dense,
            λ,
            g.map((value) => -value),
          ),
        ),
      ).toBeLessThan(1e-8);
    }
  });

  it('of_Levenberg_and_Marquardt_are_the_same_by_all_solvers', async () => {
    for (const loss of ['mse', 'cross-entropy', 'bce'] as const) {
      for (const regularization of [0, 0.02]) {
        const steps: Float64Array[] = [];
        for (const solver of ['dense', 'dual', 'cg'] as const) {
          const optimizer = levenbergMarquardt({
            solver,
            damping: 0.05,
            search: 'fixed',
            iterations: 500,
            tolerance: 1e-12,
          });
          const { objective, stepper, plan } = await openCase(optimizer, { loss, regularization, samples: 9 });
          const before = Float64Array.from(objective.parameters);
          const { residual } = stepper.step(plan());
          if (solver !== 'dense') expect(residual).toBeLessThan(1e-10);
          steps.push(Float64Array.from(objective.parameters, (value, k) => value - before[k]));
        }
        expect(distance(steps[1], steps[0])).toBeLessThan(1e-8);
        expect(distance(steps[2], steps[0])).toBeLessThan(1e-8);
      }
    }
  });

  it('refuse_a_dual_system_that_is_too_large', () => {
    const { spare } = levenbergMarquardt({ solver: 'dual' });
    const network = { layers: [], inputs: 3, outputs: 100, parameters: 500 };
    expect(() => spare(network, 1000)).toThrow("solver: 'cg'");
  });

  it('raise_a_damping_that_a_dual_system_cannot_tell_from_zero', async () => {
    const options = { solver: 'dual', damping: 1e-19, increase: 1e3 } as const;
    const twice = async (search: 'ratio' | 'armijo') => {
      const one = await openCase(levenbergMarquardt({ ...options, search }), { samples: 12 });
      const { objective } = one;
      // Samples that are there twice make it singular.
      for (const array of [objective.inputsOf(0), objective.targetsOf()])
        array.copyWithin(array.length / 2, 0, array.length / 2);
      return one;
    };
    const { stepper, plan } = await twice('ratio');
    const { damping, rejected } = stepper.step(plan());
    expect(damping).toBeGreaterThan(1e-18);
    expect(rejected).toBeUndefined();
    const other = await twice('armijo');
    expect(() => other.stepper.step(other.plan())).toThrow(NotPositiveDefiniteError);
  });

  it('choose_the_smaller_system', () => {
    const network = { layers: [], inputs: 3, outputs: 10, parameters: 500 };
    expect(chooseLmSolver('auto', network, 20)).toBe('dual');
    expect(chooseLmSolver('auto', network, 100)).toBe('dense');
    expect(chooseLmSolver('auto', { ...network, parameters: 1e6 }, 1000)).toBe('cg');
    expect(chooseLmSolver('cg', network, 20)).toBe('cg');
    // Of layers there is no dual system.
    const ofLayers = { ...network, kind: 'graph' };
    expect(chooseLmSolver('auto', ofLayers, 20)).toBe('dense');
    expect(chooseLmSolver('auto', { ...ofLayers, parameters: 1e4 }, 20)).toBe('cg');
  });

  it('plan_on_devices_with_what_large_systems_are_factored_in', () => {
    const network = { layers: [], inputs: 3, outputs: 10, parameters: 1500 };
    const beside = (solver: 'dense' | 'dual' | 'cg', batchSize: number) =>
      levenbergMarquardt({ solver }).beside!(network, batchSize, 'mse');
    expect([beside('dense', 10), beside('dual', 100)]).toEqual([256 * 1500, 256 * 1000]);
    expect([beside('dual', 99), beside('cg', 10)]).toEqual([0, 0]);
    expect(newton().beside!({ ...network, parameters: 992 }, 10, 'mse')).toBe(0);
  });

  it('need_fewer_iterations_with_a_preconditioner', async () => {
    // Inputs of very different sizes.
    const iterations: Record<string, number> = {};
    for (const preconditioner of HF_PRECONDITIONERS) {
      const optimizer = hessianFree({ preconditioner, damping: 1e-3, curvatureShare: 1, rank: 15, warmStart: 0 });
      const { objective, stepper, plan, network } = await openCase(optimizer, { samples: 60, widths: [8, 6, 3] });
      const { width } = network.layers[0];
      objective.inputsOf(0).forEach((value, at, a) => {
        if (at % width < 8) a[at] = value * 2 ** ((at % width) - 4);
      });
      await stepper.prepare?.(undefined);
      iterations[preconditioner] = stepper.step(plan()).cgIterations!;
    }
    expect(iterations['kfac']).toBeLessThan(iterations['none']);
    expect(iterations['hierarchical']).toBeLessThan(iterations['kfac']);
    expect(iterations['nystrom']).toBeLessThan(iterations['none']);
  });
});

describe('invariances', () => {
  it('a_loss_of_another_scale_gives_the_same_steps_with_the_damping_scaled', async () => {
    // 'mean-squared' is 2/r times 'mse'.
    const scale = 2 / 3;
    for (const [name, make] of Object.entries({
      newton: (λ: number) => dampedNewton({ damping: λ, search: 'armijo' }),
      cg: (λ: number) => newtonCg({ damping: λ }),
      gauss: (λ: number) => gaussNewtonCg({ damping: λ, leastDamping: λ * 1e-6, mostDamping: λ * 1e6 }),
      lm: (λ: number) =>
        levenbergMarquardt({ damping: λ, leastDamping: λ * 1e-6, mostDamping: λ * 1e6, solver: 'dual' }),
      lanczos: () => newtonLanczos(),
      steihaug: () => newtonCg({ search: 'radius' }),
    })) {
      const ends: Float64Array[] = [];
      for (const [loss, λ] of [
        ['mse', 0.3],
        ['mean-squared', 0.3 * scale],
      ] as const) {
        const { objective, stepper, plan } = await openCase(make(λ), { loss });
        for (let step = 0; step < 4; step++) stepper.step(plan(step));
        ends.push(Float64Array.from(objective.parameters));
      }
      expect(distance(ends[1], ends[0]), name).toBeLessThan(1e-6);
    }
  });
});

describe('L-BFGS', () => {
  it('steps_as_a_plain_reference_does', async () => {
    const history = 3;
    const { objective, stepper, plan } = await openCase(lbfgs({ history }));
    const pairs: { s: Float64Array; y: Float64Array }[] = [];
    for (let step = 0; step < 8; step++) {
      objective.evaluate();
      const g = Float64Array.from(objective.gradient);
      const θ = Float64Array.from(objective.parameters);
      // The inverse by the dense update formula, from (sᵀy/yᵀy)I.
      const n = g.length;
      const last = pairs.at(-1);
      const γ = last === undefined ? 1 : dot(last.s, last.y) / dot(last.y, last.y);
      let h = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? γ : 0)));
      for (const { s, y } of pairs) {
        const ρ = 1 / dot(s, y);
        const hy = h.map((row) => dot(row, y));
        const yhy = dot(y, hy);
        h = h.map((row, i) =>
          row.map((value, j) => value - ρ * (s[i] * hy[j] + hy[i] * s[j]) + (ρ * ρ * yhy + ρ) * s[i] * s[j]),
        );
      }
      const d = h.map((row) => -dot(row, g));
      const report = stepper.step(plan(step));
      const moved = Float64Array.from(objective.parameters, (value, k) => value - θ[k]);
      expect(dot(moved, d) / (norm(moved) * norm(d))).toBeCloseTo(1, 8);
      // The strong Wolfe conditions of the step.
      objective.evaluate();
      const after = Float64Array.from(objective.gradient);
      expect(Math.abs(dot(after, moved))).toBeLessThanOrEqual(0.9 * Math.abs(dot(g, moved)) * (1 + 1e-9));
      expect(objective.measure().loss).toBeLessThanOrEqual(report.loss + 1e-4 * dot(g, moved) + 1e-12);
      pairs.push({ s: moved, y: after.map((value, k) => value - g[k]) });
      if (pairs.length > history) pairs.shift();
    }
  });

  it('uses_the_gradient_of_its_last_step_while_the_batch_stays_loaded', async () => {
    const one = await openCase(lbfgs());
    const two = await openCase(lbfgs());
    for (let step = 0; step < 6; step++) {
      two.reload();
      const a = one.stepper.step(one.plan(step));
      expect(two.stepper.step(two.plan(step))).toEqual(a);
    }
    expect(Float64Array.from(one.objective.parameters)).toEqual(Float64Array.from(two.objective.parameters));
  });
});

describe('what the methods ask of an objective', () => {
  it('squares_of_the_samples_gradients', async () => {
    const { objective, network, reload } = await openCase(newtonCg(), { samples: 7 });
    objective.evaluate();
    const squares = objective.vector();
    objective.gradientSquares(squares);
    const exact = new Float64Array(network.parameters);
    for (let i = 0; i < 7; i++) {
      reload(i, 1);
      objective.evaluate();
      objective.gradient.forEach((value, k) => (exact[k] += value ** 2 / 7));
    }
    expect(distance(squares, exact)).toBeLessThan(1e-12);
  });

  it('f_at_another_point_with_the_masks_of_a_step', async () => {
    const { objective } = await openCase(newtonCg(), { dropout: 0.4, samples: 130 });
    const there = objective.vector();
    there.set(objective.parameters);
    for (const step of [0, 1, 7]) {
      const loss = objective.evaluate({ step });
      expect(objective.measure(there, step).loss).toBeCloseTo(loss, 12);
      expect(objective.measure(there).loss).not.toBeCloseTo(loss, 6);
    }
  });
});

describe('options', () => {
  it('are_checked_and_listed_with_their_defaults', () => {
    expect(hessianFree().settings).toMatchObject({ damping: 1, adapt: true, preconditioner: 'kfac', warmStart: 0.95 });
    expect(newtonCg().settings).toMatchObject({ search: 'armijo', iterations: 20, tolerance: 1e-5, damping: 1 });
    expect(gaussNewtonCg({ search: 'fixed' }).learningRate).toBe(1);
    expect(newtonCg().learningRate).toBeNull();
    expect(newtonCg().batchSize).toBe(512);
    for (const make of [
      newton,
      dampedNewton,
      newtonCg,
      gaussNewtonCg,
      hessianFree,
      levenbergMarquardt,
      newtonLanczos,
      lbfgs,
    ])
      expect(() => make({ dampng: 1 } as never)).toThrow(OptionError);
    expect(() => newtonCg({ damping: -1 })).toThrow('damping of newton-cg is -1');
    expect(() => newtonCg({ search: 'wolf' as never })).toThrow('choose fixed, armijo, wolfe, ratio, radius');
    expect(() => dampedNewton({ search: 'radius' as never })).toThrow(OptionError);
    expect(() => levenbergMarquardt({ damping: 0 })).toThrow(OptionError);
    expect(() => hessianFree({ warmStart: 1 })).toThrow('warmStart');
    expect(() => hessianFree({ curvatureShare: 0 })).toThrow('curvatureShare');
    expect(() => hessianFree({ preconditioner: 'jacobi' as never })).toThrow(
      'none, diagonal, kfac, nystrom, hierarchical',
    );
    expect(() => lbfgs({ history: 0 })).toThrow('history');
    expect(() => lbfgs({ curvature: 1 })).toThrow('curvature');
    expect(() => newtonLanczos({ tolerance: 2 })).toThrow('tolerance');
    expect(() => newtonCg({ increase: 0.5 })).toThrow('increase');
  });
});
