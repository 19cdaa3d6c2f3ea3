/** Conjugate gradients whose vectors stay on a device: the outcomes of those here, and a few numbers a step. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { NUMBER_BYTES, ROUNDOFF } from '#hmatrix/core/floats.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { DeviceMatrix } from '#hmatrix/hierarchical/device/device-matrix.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { conjugateGradients } from '#hmatrix/krylov/conjugate-gradients.js';
import { deviceConjugateGradients, type DeviceSolverOptions } from '#hmatrix/krylov/device-conjugate-gradients.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { FEW_DEVICES, whatIsMissing } from '../device/devices.js';
import { gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const SHIFT = 1;
let team: Team;
let matrix: HierarchicalMatrix;
beforeAll(async () => {
  team = await sharedTeam(2);
  const options = { leafSize: 32, maxRank: 32, tolerance: 1e-10, neighbors: 16, seed: 3, format: 'hss' } as const;
  matrix = await compress(gaussianSource(301, 1, 0.5, team.blas), options, { team });
});

/** ‖b_j − (K̃ + λI)·x_j‖/‖b_j‖ of each column, here in float64. */
function residuals(x: Matrix, b: Matrix, shift = SHIFT): number[] {
  const product = zeros(b.rows, b.cols);
  const exact = view(Float64Array.from(x.data), x.offset, x.rows, x.cols, x.ld);
  shifted(matrix, shift).applyUnchecked(product, exact, 1, 0);
  return Array.from({ length: b.cols }, (_, j) => {
    let [rest, length] = [0, 0];
    for (let i = 0; i < b.rows; i++) {
      rest += (b.data[b.offset + i + j * b.ld] - product.data[i + j * b.rows]) ** 2;
      length += b.data[b.offset + i + j * b.ld] ** 2;
    }
    return length === 0 ? 0 : Math.sqrt(rest / length);
  });
}

useStandIn();

describe.each(FEW_DEVICES)('on %s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const skipped = missing !== undefined;
  const test = skipped ? it.skip : it;
  // The software adapter is slow, and kernels are not what these tests ask for.
  const once = name === 'webgpu' ? it.skip : test;
  if (skipped) it.skip(missing, () => undefined);
  const tolerance = precision === 'f64' ? 1e-10 : 5e-5;
  let device: Device;
  let onDevice: DeviceMatrix;
  beforeAll(async () => {
    if (skipped) return;
    device = await openDevice(name, {}, { team });
    onDevice = await matrix.to(device, { precision });
  });
  afterAll(async () => {
    if (skipped) return;
    onDevice.release();
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });

  test('steps_are_those_of_conjugate_gradients_here_with_every_preconditioner', async () => {
    const b = randomMatrix(matrix.rows, 1, 1);
    const here = await factor(matrix, { shift: 2 * SHIFT }, { team });
    const there = await onDevice.factor({ shift: 2 * SHIFT });
    const diagonal = new Float64Array(matrix.rows).fill(1 / (1 + SHIFT));
    const cases = [
      [undefined, undefined],
      [undefined, diagonal],
      [here, there],
    ] as const;
    for (const [theirs, ours] of cases) {
      const expected = conjugateGradients(shifted(matrix, SHIFT), b, zeros(matrix.rows, 1), {
        relativeTolerance: tolerance,
        preconditioner: theirs,
      });
      const x = zeros(matrix.rows, 1);
      const seen: number[] = [];
      const solution = await deviceConjugateGradients(onDevice, b, x, {
        shift: SHIFT,
        relativeTolerance: tolerance,
        preconditioner: ours,
        onIteration: (iteration) => seen.push(iteration),
      });
      expect([solution.outcome, solution.x]).toEqual(['converged', x]);
      // Rounding delays conjugate gradients by a share of their steps.
      expect(Math.abs(solution.iterations - expected.iterations)).toBeLessThanOrEqual(
        precision === 'f64' ? 2 + solution.iterations / 20 : 2 + solution.iterations / 4,
      );
      expect(seen).toEqual(Array.from({ length: solution.iterations }, (_, i) => i + 1));
      expect(solution.history).toHaveLength(solution.iterations + 1);
      expect(solution.residual).toBeLessThanOrEqual(tolerance);
      expect(residuals(x, b)[0]).toBeLessThanOrEqual(tolerance + 300 * ROUNDOFF[precision]);
    }
    there.release();
    here.release();
  });

  once('columns_are_solved_side_by_side_and_more_than_a_group_one_after_the_other', async () => {
    const b = randomMatrix(matrix.rows, 35, 2);
    // Zeros, and numbers whose squares float32 has no room for.
    b.data.fill(0, 3 * matrix.rows, 4 * matrix.rows);
    for (let i = 0; i < matrix.rows; i++) {
      b.data[i + 5 * matrix.rows] *= 1e25;
      b.data[i + 34 * matrix.rows] *= 1e-30;
    }
    const there = await onDevice.factor({ shift: SHIFT });
    const x = zeros(matrix.rows, 35);
    const options = { shift: SHIFT, relativeTolerance: tolerance, preconditioner: there };
    const solution = await deviceConjugateGradients(onDevice, b, x, options);
    expect(solution.outcome).toBe('converged');
    expect(solution.residuals.every((residual) => residual <= tolerance)).toBe(true);
    expect(Math.max(...residuals(x, b))).toBeLessThanOrEqual(tolerance + 300 * ROUNDOFF[precision]);
    expect([solution.columnIterations[3], solution.residuals[3], x.data[3 * matrix.rows]]).toEqual([0, 0, 0]);
    expect((await deviceConjugateGradients(onDevice, zeros(matrix.rows, 0), zeros(matrix.rows, 0))).outcome).toBe(
      'converged',
    );
    there.release();
  });

  test('a_step_moves_six_numbers_a_column_and_nothing_goes_there', async () => {
    const b = randomMatrix(matrix.rows, 3, 1);
    const x = zeros(matrix.rows, 3);
    const traffic: (readonly [uploaded: number, downloaded: number])[] = [];
    await deviceConjugateGradients(onDevice, b, x, {
      shift: SHIFT,
      relativeTolerance: tolerance,
      maxIterations: 6,
      onIteration: () => {
        const { uploaded, downloaded } = device.counters;
        traffic.push([uploaded, downloaded]);
      },
    });
    expect(traffic).toHaveLength(6);
    for (let k = 2; k < traffic.length; k++)
      expect([traffic[k][0] - traffic[k - 1][0], traffic[k][1] - traffic[k - 1][1]]).toEqual([
        0,
        6 * 3 * NUMBER_BYTES[precision],
      ]);
  });

  // The decisions are this side's: one card shows that its numbers tell them.
  if (name !== 'cuda')
    once('outcomes_are_data', async () => {
      const b = randomMatrix(matrix.rows, 2, 1);
      const x = zeros(matrix.rows, 2);
      const few = await deviceConjugateGradients(onDevice, b, x, { shift: SHIFT, maxIterations: 3 });
      expect([few.outcome, few.iterations, few.residual > tolerance]).toEqual(['maxIterations', 3, true]);
      // From there on.
      const guess = view(x.data.slice(), 0, x.rows, 2);
      const more = await deviceConjugateGradients(onDevice, b, x, {
        shift: SHIFT,
        guess,
        relativeTolerance: tolerance,
      });
      expect(more.outcome).toBe('converged');
      expect(more.history[0]).toBeCloseTo(few.residual, 3);
      const controller = new AbortController();
      const aborted = await deviceConjugateGradients(onDevice, b, x, {
        shift: SHIFT,
        signal: controller.signal,
        onIteration: (iteration) => {
          if (iteration === 2) controller.abort();
        },
      });
      expect([aborted.outcome, aborted.iterations]).toEqual(['aborted', 2]);
      const beyond = await deviceConjugateGradients(onDevice, b, x, {
        shift: SHIFT,
        relativeTolerance: 0.01 * ROUNDOFF[precision],
      });
      expect(beyond.outcome).toBe('stagnated');
      expect(Math.max(...residuals(x, b))).toBeLessThan(1e4 * ROUNDOFF[precision]);
      expect(beyond.restarts).toBeGreaterThan(0);
      const negative = await deviceConjugateGradients(onDevice, b, x, { shift: -1 });
      expect(negative.outcome).toBe('indefinite');
      if (negative.outcome === 'indefinite') {
        expect(negative.curvature).toBeLessThan(-negative.curvatureBound);
        const direction = Float64Array.from(negative.direction.data);
        const product = zeros(matrix.rows, 1);
        shifted(matrix, -1).applyUnchecked(product, view(direction, 0, matrix.rows, 1), 1, 0);
        expect(direction.reduce((sum, value, i) => sum + value * product.data[i], 0)).toBeLessThan(0);
      }
      const wrong = new Float64Array(matrix.rows).fill(-1);
      const unfit = await deviceConjugateGradients(onDevice, b, x, { shift: SHIFT, preconditioner: wrong });
      expect(unfit.outcome).toBe('indefinitePreconditioner');
      if (unfit.outcome === 'indefinitePreconditioner') expect(unfit.preconditionerCurvature).toBeCloseTo(-1, 4);
      // A solution in float32 has the residual of what it was rounded to.
      const rounded = {
        data: new Float32Array(matrix.rows * 2),
        offset: 0,
        rows: matrix.rows,
        cols: 2,
        ld: matrix.rows,
      };
      const single = await deviceConjugateGradients(onDevice, b, rounded, { shift: SHIFT, relativeTolerance: 1e-4 });
      expect(single.outcome).toBe('converged');
      expect(Math.abs(single.residual - Math.max(...residuals(rounded, b)))).toBeLessThan(1e-5);
    });

  if (name !== 'cuda')
    once('keep_best_hands_back_the_iterate_of_least_residual_of_each_column', async () => {
      const shift = 0.01;
      const solve = async (options: DeviceSolverOptions, b: Matrix, x = zeros(b.rows, b.cols)) =>
        deviceConjugateGradients(onDevice, b, x, { shift, relativeTolerance: 1e-12, ...options });
      // Here residuals rise before they fall.
      const one = randomMatrix(matrix.rows, 1, 1);
      for (const maxIterations of [5, 11]) {
        const best = await solve({ maxIterations, keep: 'best' }, one);
        const last = await solve({ maxIterations }, one);
        expect([best.outcome, last.residual > 1.2 * best.residual]).toEqual(['maxIterations', true]);
        expect(best.residual).toBeLessThanOrEqual((1 + 1e3 * ROUNDOFF[precision]) * (Math.min(...best.history) / 0.8));
        expect(Math.abs(residuals(best.x, one, shift)[0] - best.residual)).toBeLessThan(1e4 * ROUNDOFF[precision]);
        const here = conjugateGradients(shifted(matrix, shift), one, zeros(one.rows, 1), {
          maxIterations,
          keep: 'best',
        });
        if (precision === 'f64') expect(best.residual).toBeCloseTo(here.residual, 7);
      }
      // A column that gets worse goes back to its start, beside one that gets better.
      const b = randomMatrix(matrix.rows, 2, 1);
      const solved = await solve({ shift: SHIFT, maxIterations: 8 }, b);
      const guess = solved.x;
      guess.data.fill(0, 0, matrix.rows);
      const [start, best, last] = await Promise.all([
        solve({ shift: SHIFT, maxIterations: 0, guess }, b),
        solve({ shift: SHIFT, maxIterations: 3, guess, keep: 'best' }, b),
        solve({ shift: SHIFT, maxIterations: 3, guess }, b),
      ]);
      expect(best.residuals[0]).toBe(start.residuals[0]);
      expect(last.residuals[0]).toBeGreaterThan(1.2 * start.residuals[0]);
      expect(best.residuals[1]).toBe(last.residuals[1]);
      expect(best.residuals[1]).toBeLessThan(0.9 * start.residuals[1]);
      await expect(solve({ keep: 'first' as never }, one)).rejects.toThrow(/keep must be 'last' or 'best'/);
    });

  once('what_does_not_fit_is_refused_by_name', async () => {
    const b = randomMatrix(matrix.rows, 1, 1);
    const x = zeros(matrix.rows, 1);
    await expect(deviceConjugateGradients(matrix as never, b, x)).rejects.toThrow(/await matrix.to\(device\) puts it/);
    await expect(deviceConjugateGradients(onDevice, zeros(3, 1), x)).rejects.toThrow(ShapeError);
    await expect(deviceConjugateGradients(onDevice, b, zeros(matrix.rows, 2))).rejects.toThrow(ShapeError);
    await expect(deviceConjugateGradients(onDevice, b, x, { shift: NaN })).rejects.toThrow(OptionError);
    await expect(deviceConjugateGradients(onDevice, b, x, { shifts: 1 } as never)).rejects.toThrow(/"shift"/);
    await expect(deviceConjugateGradients(onDevice, b, x, { preconditioner: [1, 2] })).rejects.toThrow(/has 2 numbers/);
    await expect(deviceConjugateGradients(onDevice, b, x, { preconditioner: matrix as never })).rejects.toThrow(
      /await matrix.to\(device\) puts it there/,
    );
    const nan = randomMatrix(matrix.rows, 1, 1);
    nan.data[4] = NaN;
    await expect(deviceConjugateGradients(onDevice, nan, x)).rejects.toThrow(NonFiniteError);
    const values = sharedFloat64(matrix.rows ** 2);
    for (let i = 0; i < matrix.rows; i++) values[i * (matrix.rows + 1)] = 2;
    for (let i = 1; i < matrix.rows; i++) values[i - 1 + i * matrix.rows] = values[i + (i - 1) * matrix.rows] = -0.9;
    const other = await compress(denseSource(values), { leafSize: 16, maxRank: 8, format: 'hss' }, { team });
    const foreign = await other.to(device, { precision });
    const inverse = await foreign.factor({ shift: 1 });
    await expect(deviceConjugateGradients(onDevice, b, x, { preconditioner: inverse })).rejects.toThrow(
      /another order/,
    );
    inverse.release();
    foreign.release();
    const second = await openDevice(name, {}, { team });
    const elsewhere = await (await matrix.to(second, { precision })).factor({ shift: SHIFT });
    await expect(deviceConjugateGradients(onDevice, b, x, { preconditioner: elsewhere })).rejects.toThrow(/one device/);
    await second.close();
  });
});
