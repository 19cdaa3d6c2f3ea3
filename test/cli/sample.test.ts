/** hmatrix sample: draws have the covariance that they say, stand by the weights' names, and begin at the weights. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { view } from '#hmatrix/dense/matrix.js';
import type { SampleRecord } from '#hmatrix/experiment/sample-run.js';
import { readTensors, writeTensors } from '#hmatrix/io/tensors.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { readWeights, writeWeights } from '#hmatrix/network/weights-file.js';
import { apply } from '#hmatrix/operator/apply.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const n = 60;
const network = defineNetwork({ widths: [2, 4, 1], activation: 'tanh' });
const parameters = Float32Array.from(initialParameters(network, 3));
const [x, y] = [randomMatrix(2, n, 1), randomMatrix(1, n, 2)];
const options = ['--network', '2-4-1', '--bias', '--activation', 'tanh', '--workers', '1'];
const data = ['--data', at('data.npz'), '--targets', at('data.npz'), '--shift', '0.05'];

beforeAll(async () => {
  await writeTensors(at('data.npz'), { x: { shape: [n, 2], data: x.data }, y: { shape: [n, 1], data: y.data } });
  await writeWeights(at('torch.safetensors'), network, parameters);
  await writeWeights(at('flax.npz'), network, parameters, { convention: 'flax' });
});

const run = async (out: string, ...more: string[]): Promise<SampleRecord> => {
  const { status, stdout, stderr } = await hmatrix([
    'sample',
    ...options,
    ...data,
    '--out',
    at(out),
    '--json',
    ...more,
  ]);
  expect([stderr, status]).toEqual(['', 0]);
  return JSON.parse(stdout) as SampleRecord;
};

describe('hmatrix sample', () => {
  it('draws from N(θ̂, (G + λI)⁻¹/n), by the names and in the precision of the weights', async () => {
    const count = 400;
    const record = await run('d.npz', '--weights', at('torch.safetensors'), '--count', String(count));
    expect(record).toMatchObject({ count, samples: n, shift: 0.05 });
    expect(record.method).toBe('dense');
    expect(record.residual).toBeLessThan(1e-12);
    const { tensors } = await readTensors(at('d.npz'));
    const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual({
      '0.weight': [count, 4, 2],
      '0.bias': [count, 4],
      '2.weight': [count, 1, 4],
      '2.bias': [count, 1],
    });
    expect(tensors.get('0.weight')!.data).toBeInstanceOf(Float32Array);
    // Draw j as weights of its own, read back into θ.
    const deviations = view(new Float64Array(network.parameters * count), 0, network.parameters, count);
    for (let j = 0; j < count; j++) {
      const one = [...tensors].map(([name, { shape, data: all }]) => {
        const size = all.length / count;
        return [name, { shape: shape.slice(1), data: all.slice(j * size, (j + 1) * size) }] as const;
      });
      await writeTensors(at('one.safetensors'), Object.fromEntries(one));
      const θ = (await readWeights(at('one.safetensors'), network)).parameters;
      for (let i = 0; i < θ.length; i++) deviations.data[i + j * θ.length] = θ[i] - parameters[i];
    }
    // n·δᵀ(G + λI)δ is χ² with N degrees of freedom: its mean over k draws lies within 5 √(2N/k) of N.
    const model = {
      network,
      parameters: Float64Array.from(parameters),
      loss: 'mse',
      data: memoryDataSet(x, y),
    } as const;
    const products = apply(gaussNewton(model), deviations).data;
    const mean = deviations.data.reduce((sum, δ, k) => sum + δ * (products[k] + 0.05 * δ), 0) * (n / count);
    expect(Math.abs(mean - network.parameters)).toBeLessThan(5 * Math.sqrt((2 * network.parameters) / count));
  });

  it("gives the same draws in Flax's layout, and in every kind of file", async () => {
    await run('torch.h5', '--weights', at('torch.safetensors'));
    await run('torch.safetensors.npz', '--weights', at('torch.safetensors'));
    await run('flax-draws.safetensors', '--weights', at('flax.npz'));
    const own = (await readTensors(at('torch.h5'))).tensors;
    const npz = (await readTensors(at('torch.safetensors.npz'))).tensors;
    const flax = (await readTensors(at('flax-draws.safetensors'))).tensors;
    for (const [name, tensor] of own) expect(npz.get(name)).toEqual(tensor);
    expect(flax.get('Dense_0/kernel')!.shape).toEqual([10, 2, 4]);
    const [weight, kernel] = [own.get('0.weight')!.data, flax.get('Dense_0/kernel')!.data];
    // (draw, out, in) against (draw, in, out).
    expect([...weight]).toEqual(
      Array.from(weight, (_, k) => kernel[8 * Math.floor(k / 8) + 4 * (k % 2) + (Math.floor(k / 2) % 4)]),
    );
    expect([...flax.get('Dense_1/bias')!.data]).toEqual([...own.get('2.bias')!.data]);
  });

  it.each([
    [['--out', 'd.npy'], /a file of weights is written, not \.npy/],
    [['--out', 'd'], /ends in \.safetensors, \.npz or \.h5/],
    [[], /--out FILE takes the draws/],
    [['--out', 'd.npz', '--shift', '0'], /must be a positive number/],
  ])('says what is wrong: %j', async (args, message) => {
    const { status, stderr } = await hmatrix(['sample', ...options, ...data, ...args]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});
