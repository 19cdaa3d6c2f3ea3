/** Refinement in float64 by factors and conjugate gradients in float32 on a device: the asked residual, or said so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import type { DeviceMatrix } from '#hmatrix/hierarchical/device/device-matrix.js';
import type { DeviceFactorization } from '#hmatrix/hierarchical/factor/device/device-factorization.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { deviceConjugateGradients } from '#hmatrix/krylov/device-conjugate-gradients.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { refine } from '#hmatrix/solve/refine.js';
import { hasAdapter, NO_ADAPTER } from '../device/adapter.js';
import { gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const SHIFT = 1e-3;
let team: Team;
let matrix: HierarchicalMatrix;
beforeAll(async () => {
  team = await sharedTeam(2);
  const options = { leafSize: 32, maxRank: 48, tolerance: 1e-12, neighbors: 16, seed: 3, format: 'hss' } as const;
  matrix = await compress(gaussianSource(301, 1, 0.5, team.blas), options, { team });
});

function residual(x: Matrix, b: Matrix): number {
  const rest = view(Float64Array.from(b.data), 0, b.rows, b.cols);
  shifted(matrix, SHIFT).applyUnchecked(rest, view(Float64Array.from(x.data), 0, x.rows, x.cols), -1, 1);
  let worst = 0;
  for (let j = 0; j < b.cols; j++) {
    let [squares, length] = [0, 0];
    for (let i = 0; i < b.rows; i++) {
      squares += rest.data[i + j * b.rows] ** 2;
      length += b.data[i + j * b.rows] ** 2;
    }
    worst = Math.max(worst, Math.sqrt(squares / length));
  }
  return worst;
}

describe.each(['cpu', 'webgpu'] as const)('on %s in float32', (name) => {
  const skipped = name === 'webgpu' && !hasAdapter;
  const test = skipped ? it.skip : it;
  if (skipped) it.skip(NO_ADAPTER, () => undefined);
  let device: Device;
  let onDevice: DeviceMatrix;
  let inverse: DeviceFactorization;
  beforeAll(async () => {
    if (skipped) return;
    device = await openDevice(name, {}, { team });
    onDevice = await matrix.to(device, { precision: 'f32' });
    inverse = await onDevice.factor({ shift: SHIFT });
  });
  afterAll(async () => {
    if (!skipped) await device.close();
  });

  test('factors_of_float32_give_residuals_of_float64', async () => {
    const b = randomMatrix(matrix.rows, 3, 1);
    const x = zeros(matrix.rows, 3);
    const options = { shift: SHIFT, relativeTolerance: 1e-10 };
    const solution = await refine(matrix, inverse, b, x, options);
    expect([solution.outcome, solution.x]).toEqual(['converged', x]);
    expect(solution.residual).toBeLessThanOrEqual(1e-10);
    expect(residual(x, b)).toBeCloseTo(solution.residual, 11);
    expect(solution.iterations).toBeLessThan(20);
    expect(solution.history).toHaveLength(solution.iterations + 1);
    // One solve there does not get that far.
    expect(residual(await inverse.solve(b), b)).toBeGreaterThan(1e-6);
    // From the solution there is nothing to do.
    const again = await refine(matrix, inverse, b, zeros(matrix.rows, 3), { ...options, guess: x });
    expect([again.outcome, again.iterations]).toEqual(['converged', 0]);
  });

  test('conjugate_gradients_there_are_an_inverse_too', async () => {
    const b = randomMatrix(matrix.rows, 1, 2);
    const x = zeros(matrix.rows, 1);
    const byGradients = {
      rows: matrix.rows,
      solve: (r: Matrix, out: Matrix) =>
        deviceConjugateGradients(onDevice, r, out, {
          shift: SHIFT,
          relativeTolerance: 1e-4,
          preconditioner: inverse,
        }),
    };
    const solution = await refine(matrix, byGradients, b, x, { shift: SHIFT, relativeTolerance: 1e-10 });
    expect(solution.outcome).toBe('converged');
    expect(residual(x, b)).toBeLessThanOrEqual(1.1e-10);
  });

  test('what_is_missed_is_said', async () => {
    const b = randomMatrix(matrix.rows, 1, 3);
    const x = zeros(matrix.rows, 1);
    const beyond = await refine(matrix, inverse, b, x, { shift: SHIFT, relativeTolerance: 1e-18 });
    expect(beyond.outcome).toBe('stagnated');
    expect(beyond.residual).toBeLessThan(1e-11);
    expect(residual(x, b)).toBeCloseTo(beyond.residual, 11);
    const few = await refine(matrix, inverse, b, x, { shift: SHIFT, relativeTolerance: 1e-10, maxIterations: 1 });
    expect([few.outcome, few.iterations]).toEqual(['maxIterations', 1]);
    const single = { ...zeros(matrix.rows, 1), data: new Float32Array(matrix.rows) };
    const rounded = await refine(matrix, inverse, b, single, { shift: SHIFT, relativeTolerance: 1e-10 });
    expect(rounded.outcome).toBe('stagnated');
    expect([rounded.unrounded <= 1e-10, rounded.residual > 1e-10]).toEqual([true, true]);
    const controller = new AbortController();
    controller.abort();
    const aborted = await refine(matrix, inverse, b, x, { shift: SHIFT, signal: controller.signal });
    expect([aborted.outcome, aborted.residual]).toEqual(['aborted', 1]);
    const broken = { rows: matrix.rows, solve: async (_: Matrix, out: Matrix) => out.data.fill(NaN) };
    expect((await refine(matrix, broken, b, x, { shift: SHIFT })).outcome).toBe('nonFinite');
  });

  test('what_does_not_fit_is_refused_by_name', async () => {
    const b = randomMatrix(matrix.rows, 1, 1);
    const x = zeros(matrix.rows, 1);
    await expect(refine(matrix, { ...inverse, rows: 3 } as never, b, x)).rejects.toThrow(/order 3, the operator/);
    await expect(refine(matrix, inverse, zeros(2, 1), x)).rejects.toThrow(ShapeError);
    await expect(refine(matrix, inverse, b, x, { relativeTolerance: -1 })).rejects.toThrow(OptionError);
    await expect(refine(matrix, inverse, b, x, { maxIteration: 1 } as never)).rejects.toThrow(/"maxIterations"/);
    await expect(refine(onDevice as never, inverse, b, x)).rejects.toThrow(/linear operator/);
  });
});
