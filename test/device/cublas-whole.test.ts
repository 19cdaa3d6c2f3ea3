/** Matrices, factorizations and models on the device cuda by cuBLAS and cuSOLVER: they are those of the team. */
import { describe, expect, it } from 'vitest';
import { putModel } from '#hmatrix/curvature/device/model.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { CudaDevice } from '#hmatrix/device/cuda/device.js';
import { findCard } from '#hmatrix/device/cuda/open.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { apply } from '#hmatrix/operator/apply.js';
import { gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import * as standIn from './cuda-stand-in/stand-in.js';

const { callsSince, forgetCalls, hasStandIn, NO_COMPILER } = standIn;
const open = (): CudaDevice =>
  new CudaDevice(findCard(), { memoryLimit: undefined, gemms: { extent: 12, depth: 8, flops: 2 ** 14 }, factors: 0 });
const gemmCalls = (): number => callsSince().filter((line) => /^cublas[DS]gemm/.test(line)).length;
const distance = (a: Matrix, b: Matrix): number => {
  const difference = zeros(a.rows, a.cols);
  difference.data.forEach((_, i) => (difference.data[i] = a.data[i] - b.data[i]));
  return Math.sqrt(squaredNorm(difference) / squaredNorm(b));
};

standIn.useStandIn();
if (!hasStandIn) it.skip(NO_COMPILER, () => undefined);

describe.skipIf(!hasStandIn)('cuBLAS', () => {
  it.each(['fmm', 'hss', 'hodlr'] as const)('multiplies_and_factors_a_matrix: %s', async (format) => {
    const team = await sharedTeam(2);
    const options = { leafSize: 64, maxRank: 48, tolerance: 1e-4, neighbors: 16, format };
    const matrix = await compress(gaussianSource(700, 2, 0.7, team.blas), options, { team });
    // A card that was lost before, in a test of another file, leaves some.
    const solvers = standIn.liveSolvers();
    const device = open();
    const onDevice = await matrix.to(device);
    const x = randomMatrix(700, 40, 1);
    forgetCalls();
    expect(distance(await onDevice.apply(x), matrix.apply(x))).toBeLessThan(1e-13);
    expect(gemmCalls()).toBeGreaterThan(0);
    if (format !== 'fmm') {
      forgetCalls();
      const [there, here] = [await onDevice.factor({ shift: 1 }), await factor(matrix, { shift: 1 }, { team })];
      expect(gemmCalls()).toBeGreaterThan(0);
      expect(callsSince().some((line) => line.startsWith('cusolverDnXpotrf '))).toBe(true);
      expect(distance(await there.solve(x), await here.solve(x))).toBeLessThan(1e-11);
      expect(Math.abs(there.logdet - here.logdet)).toBeLessThan(1e-9);
      there.release();
    }
    onDevice.release();
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
    expect([standIn.liveObjects(), standIn.liveSolvers()]).toEqual([0, solvers]);
  });

  it('has_the_passes_of_a_model', async () => {
    const team = await sharedTeam(2);
    const network = defineNetwork({ widths: [20, 40, 15], activation: 'tanh' });
    const data = memoryDataSet(randomMatrix(20, 300, 1), randomMatrix(15, 300, 2));
    const model = { network, parameters: initialParameters(network, 0), loss: 'mse' as const, data };
    const device = open();
    forgetCalls();
    const onDevice = await putModel(model, device, { curvature: 'gauss-newton', precision: 'f64' });
    const v = randomMatrix(network.parameters, 1, 3);
    const operator = gaussNewton(model, { blas: team.blas, team });
    const got = await onDevice.apply(v.data as Float64Array);
    const expected = apply(operator, v.data as Float64Array);
    got.data.forEach((value, k) => {
      expect(Math.abs(value - expected.data[k])).toBeLessThan(1e-12);
    });
    expect(gemmCalls()).toBeGreaterThan(0);
    onDevice.release();
    operator.release();
    await device.close();
  });
});
