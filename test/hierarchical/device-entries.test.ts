/** A card evaluates the blocks of a kernel matrix from points: products are those of blocks that were sent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { NUMBER_BYTES, ROUNDOFF } from '#hmatrix/core/floats.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource, Points } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { ard, productKernels, scaleKernel, sumKernels } from '#hmatrix/source/kernels/compose.js';
import { expressionKernel } from '#hmatrix/source/kernels/expression.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import { kernelFromDefinition, type KernelFamily } from '#hmatrix/source/kernels/table.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { FEW_DEVICES, whatIsMissing } from '../device/devices.js';
import { denseOf, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});
useStandIn();

const family = (name: KernelFamily, more = {}): Kernel =>
  kernelFromDefinition({ family: name, bandwidth: 1.5, ...more });
/** All families, several inputs, compositions in one another, and a program. */
const everything = async (): Promise<Kernel> =>
  sumKernels(
    ...(['gaussian', 'laplace', 'matern32', 'imq', 'constant'] as const).map((name) => family(name)),
    productKernels(
      family('rationalQuadratic', { alpha: 1.5 }),
      family('periodic', { period: 4 }),
      scaleKernel(family('cosine'), 0.25),
    ),
    scaleKernel(ard(sumKernels(family('matern52'), family('polynomial', { degree: 3 })), [1, 2, 3]), 0.5),
    await expressionKernel('max(0, 1 - r/9)^4*(4*r/9 + 1) + (r < 1 ? 0 : exp(-r^2)) + 1/(1 + abs(r)^3)'),
    // Powers of what is below zero, and of zero.
    await expressionKernel('(r - 3)^6/1e3 + max(-1, (1 - r)^5) + min(1, r^-1.5) + min(1, r^-3)'),
  );
const points = (): Points => {
  const { coordinates, ...of } = normalPoints(230, 3, 4);
  // Far from the origin, where squared distances by norms would have no digits in float32.
  return { ...of, coordinates: coordinates.map((x) => x + 20) };
};
const small: CompressOptions = { leafSize: 32, maxRank: 24, tolerance: 1e-3, neighbors: 16, seed: 3 };
const nugget = Array.from({ length: 230 }, (_, i) => 1 + i / 230);

describe.each(FEW_DEVICES)('on %s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const test = missing === undefined ? it : it.skip;
  if (missing !== undefined) it.skip(missing, () => undefined);
  const ε = ROUNDOFF[precision];
  let device: Device;
  beforeAll(async () => {
    if (missing === undefined) device = await openDevice(name, {}, { team });
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });

  test.each([
    ['everything, nugget', async () => kernelSource(points(), await everything(), { nugget, blas: team.blas }), 'fmm'],
    ['gaussian, ridge', async () => kernelSource(points(), family('gaussian'), { ridge: 2, blas: team.blas }), 'hodlr'],
  ] as const)('points_are_sent_instead_of_blocks_and_products_are_the_same: %s', async (_, sourceOf, format) => {
    const source = await sourceOf();
    const matrix = await compress(source, { ...small, format, budget: format === 'fmm' ? 0.3 : 0 }, { team });
    const sent = await matrix.to(device, { precision });
    const between = device.counters.uploaded;
    const onDevice = await matrix.to(device, { precision, source });
    const uploaded = device.counters.uploaded - between;
    const { basis, coupling, leaf, lists } = onDevice.memory();
    expect(sent.memory()).toMatchObject({ basis, coupling, leaf, lists });
    const x = randomMatrix(matrix.rows, 3, 1);
    const [y, z] = [await onDevice.apply(x), await sent.apply(x)];
    if (device.kernels === null) {
      expect(onDevice.evaluationError).toBeUndefined();
      expect(y.data).toEqual(z.data);
    } else {
      expect(relativeError(y, z)).toBeLessThan(300 * ε);
      expect(onDevice.evaluationError).toBeGreaterThan(0);
      expect(onDevice.evaluationError).toBeLessThan(300 * ε);
      // Points of each input, of rows and of skeletons, what tells blocks apart, and vectors of the products.
      const rows = matrix.size + matrix.data.skeletons.indices.length;
      const numbers = 4 * 6 * rows + 2 * matrix.data.lists.far.length * 7 + matrix.size * (17 + 3);
      expect(uploaded).toBeLessThan(basis + lists + NUMBER_BYTES[precision] * numbers);
      expect(uploaded).toBeLessThan(basis + coupling + leaf + lists + NUMBER_BYTES[precision] * matrix.size * 20);
    }
    for (const one of [sent, onDevice]) one.release();
  });

  test('a_source_that_is_none_or_not_the_matrix_s_is_refused_by_name', async () => {
    const source = kernelSource(points(), family('gaussian'), { blas: team.blas });
    const matrix = await compress(source, { ...small, format: 'hss' }, { team });
    const of = (other: unknown): Promise<unknown> => matrix.to(device, { source: other as EntrySource });
    await expect(of(3)).rejects.toThrow(OptionError);
    if (device.kernels === null) return;
    await expect(of(denseSource(denseOf(source).data as Float64Array))).rejects.toThrow(/must be a kernelSource/);
    const own: Kernel = { name: 'mine', argument: 'squaredDistance', evaluate: () => undefined };
    await expect(of(kernelSource(points(), own))).rejects.toThrow(/kernel mine .* is a function of this program/);
    await expect(of(kernelSource(points(), await expressionKernel('exp(-r)*cos(r)^2')))).rejects.toThrow(
      /it takes cos/,
    );
    await expect(of(kernelSource(points(), family('laplace')))).rejects.toThrow(/not what this matrix was compressed/);
    await expect(of(kernelSource(normalPoints(9, 3, 1), family('laplace')))).rejects.toThrow(/has 9 points/);
    // However large the diagonal is.
    const ridge = 1e5;
    const heavy = await compress(
      kernelSource(points(), family('gaussian'), { ridge, blas: team.blas }),
      { ...small, format: 'hss' },
      { team },
    );
    const laplace = kernelSource(points(), family('laplace'), { ridge, blas: team.blas });
    await expect(heavy.to(device, { source: laplace })).rejects.toThrow(/not what this matrix was compressed/);
  });
});
