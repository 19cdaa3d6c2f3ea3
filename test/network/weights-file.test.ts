import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  FileAccessError,
  FileFormatError,
  HmatrixError,
  NonFiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { get, type FloatArray } from '#hmatrix/dense/matrix.js';
import { readNpz, writeNpz } from '#hmatrix/io/npz.js';
import { readSafetensors, writeSafetensors, type Tensor } from '#hmatrix/io/safetensors.js';
import { defineNetwork, layerWeights, type Network } from '#hmatrix/network/network.js';
import {
  readWeights,
  writeWeights,
  type LoadedWeights,
  type ReadWeightsOptions,
} from '#hmatrix/network/weights-file.js';
import { flaxNpz, perceptron, torchSafetensors } from '../io/array-fixtures.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const folder = temporaryFolder();
const npz = join(folder, 'w.npz');
const safetensors = join(folder, 'w.safetensors');

function randomParameters(network: Network, seed: number, single = false): FloatArray {
  const random = new RandomStream(seed);
  const values = Float64Array.from({ length: network.parameters }, () => random.normal());
  return single ? Float32Array.from(values) : values;
}

/** An array of this shape with elements all different; `first` keeps arrays of a file apart. */
const tensor = (first: number, ...shape: number[]): Tensor => ({
  shape,
  data: Float64Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, k) => first + k / 1024),
});
async function save(arrays: Record<string, Tensor>): Promise<void> {
  await writeSafetensors(safetensors, new Map(Object.entries(arrays)));
}
async function load(
  arrays: Record<string, Tensor>,
  options: ReadWeightsOptions = {},
  network?: Network,
): Promise<LoadedWeights> {
  await save(arrays);
  return readWeights(safetensors, network, options);
}
async function failure(
  arrays: Record<string, Tensor>,
  options: ReadWeightsOptions = {},
  network?: Network,
): Promise<Error> {
  const error: unknown = await load(arrays, options, network).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(HmatrixError);
  expect((error as Error).message).toContain(safetensors);
  return error as Error;
}
const weightNames = ({ layers }: LoadedWeights): string[] => layers.map(({ weight }) => weight);

describe('weights that others wrote', () => {
  it.each([
    ['PyTorch, safetensors', torchSafetensors, 'net.0.weight'],
    ['Flax, .npz', flaxNpz, 'params/Dense_0/kernel'],
  ])('%s: the network computes what NumPy computed', async (_, bytes, name) => {
    const path = join(folder, 'foreign');
    writeFileSync(path, bytes);
    const { widths, bias, parameters, layers } = await readWeights(path);
    expect([widths, bias, layers[0].weight]).toEqual([perceptron.widths, true, name]);
    expect(parameters).toBeInstanceOf(Float32Array);
    expect(parameters.buffer).toBeInstanceOf(SharedArrayBuffer);
    const network = defineNetwork({ widths, bias });
    // Independent of the library's own pass: units are columns, the bias is the last row.
    let a = perceptron.x;
    network.layers.forEach((layer, ℓ) => {
      const w = layerWeights(layer, parameters);
      const z = Array.from({ length: layer.outputs }, (_, p) =>
        a.reduce((sum, x, q) => sum + x * get(w, q, p), get(w, layer.inputs, p)),
      );
      a = ℓ === 0 ? z.map(Math.tanh) : z;
    });
    a.forEach((value, k) => {
      expect(Math.abs(value - perceptron.y[k])).toBeLessThan(1e-14);
    });
  });

  it('precision follows the file, or what is asked for', async () => {
    const path = join(folder, 'foreign');
    writeFileSync(path, torchSafetensors);
    const wide = (await readWeights(path, undefined, { precision: 'f64' })).parameters;
    expect(wide).toBeInstanceOf(Float64Array);
    expect(wide).toEqual(Float64Array.from((await readWeights(path)).parameters));
    expect((await load({ weight: tensor(0, 2, 3) })).parameters).toBeInstanceOf(Float64Array);
    expect((await load({ weight: tensor(0, 2, 3) }, { precision: 'f32' })).parameters).toEqual(
      Float32Array.from({ length: 6 }, (_, k) => k / 1024),
    );
  });

  it('C and Fortran order, (out, in) and (in, out), give the same parameters', async () => {
    const [inputs, outputs] = [37, 70];
    const w = (p: number, q: number): number => p + q / 64;
    const rowMajor = Float64Array.from({ length: inputs * outputs }, (_, k) => w(Math.floor(k / inputs), k % inputs));
    const columnMajor = Float64Array.from({ length: inputs * outputs }, (_, k) =>
      w(k % outputs, Math.floor(k / outputs)),
    );
    for (const [name, shape, fortranOrder, data] of [
      ['0.weight', [outputs, inputs], false, rowMajor],
      ['0.weight', [outputs, inputs], true, columnMajor],
      ['Dense_0/kernel', [inputs, outputs], false, columnMajor],
      ['Dense_0/kernel', [inputs, outputs], true, rowMajor],
    ] as const) {
      await writeNpz(npz, new Map([[name, { shape, data, fortranOrder }]]));
      const { widths, bias, parameters } = await readWeights(npz);
      expect([widths, bias]).toEqual([[inputs, outputs], false]);
      expect(parameters).toEqual(rowMajor);
    }
  });
});

describe('the order of layers', () => {
  const chain = (stems: string[], widths: number[], leaf = 'weight'): Record<string, Tensor> =>
    Object.fromEntries(
      stems
        .map(
          (stem, ℓ) =>
            [
              `${stem}${stem === '' ? '' : '.'}${leaf}`,
              leaf === 'weight' ? tensor(ℓ, widths[ℓ + 1], widths[ℓ]) : tensor(ℓ, widths[ℓ], widths[ℓ + 1]),
            ] as const,
        )
        .reverse(),
    );

  it.each<[string, string[]]>([
    ['gaps', ['0', '2', '4', '10']],
    [
      'any prefix',
      ['_orig_mod.module.net.0', '_orig_mod.module.net.3', '_orig_mod.module.net.20', '_orig_mod.module.net.100'],
    ],
    ['numbers at the end', ['fc1', 'fc2', 'fc9', 'fc10']],
    ['the first without a number', ['dense', 'dense_1', 'dense_2', 'dense_11']],
    ['two numbers', ['blocks.0.fc1', 'blocks.0.fc2', 'blocks.1.fc1', 'blocks.1.fc2']],
    ['words that tell', ['input', 'layers.0', 'layers.1', 'output']],
    ['words in words', ['fc_in', 'fc1', 'fc2', 'fc_out']],
    ['numbers and a head', ['net.0', 'net.2', 'net.10', 'net.head']],
    ['encoder and decoder', ['encoder.0', 'encoder.2', 'decoder.0', 'decoder.2']],
  ])('%s', async (_, stems) => {
    // All widths alike: nothing but the names tells.
    expect(weightNames(await load(chain(stems, [5, 5, 5, 5, 5])))).toEqual(stems.map((stem) => `${stem}.weight`));
  });

  it('an autoencoder whose widths would chain either way', async () => {
    const { widths, parameters } = await load(
      chain(['encoder.0', 'encoder.2', 'decoder.0', 'decoder.2'], [6, 4, 2, 4, 6]),
    );
    expect(widths).toEqual([6, 4, 2, 4, 6]);
    expect(parameters[0]).toBe(0);
    expect(parameters.at(-1)).toBe(3 + 23 / 1024);
  });

  it('words without a known meaning: the widths tell, or the network, or the parts asked for', async () => {
    expect(weightNames(await load(chain(['zeta', 'alpha', 'mid'], [2, 3, 4, 5])))).toEqual([
      'zeta.weight',
      'alpha.weight',
      'mid.weight',
    ]);
    const round = chain(['up', 'down'], [3, 7, 3]);
    expect((await failure(round)).message).toMatch(/layers "down", "up" fit together in 2 orders.*parts/);
    expect(weightNames(await load(round, {}, defineNetwork({ widths: [7, 3, 7], bias: false })))).toEqual([
      'down.weight',
      'up.weight',
    ]);
    expect((await load(round, { parts: ['up', 'down'] })).widths).toEqual([3, 7, 3]);
    expect((await load(round, { parts: ['down', 'up'] })).widths).toEqual([7, 3, 7]);
    expect((await failure(chain(['a', 'b', 'c', 'd', 'e', 'f', 'g'], [2, 2, 2, 2, 2, 2, 2, 2]))).message).toMatch(
      /cannot be told from their names/,
    );
  });

  it('parts leave the rest of the file out', async () => {
    const arrays = {
      ...chain(['net.0', 'net.2'], [3, 2, 4]),
      'optimizer.step': tensor(0),
      'net.norm.running_mean': tensor(0, 2),
    };
    expect((await failure(arrays)).message).toMatch(
      /"(optimizer.step|net.norm.running_mean)" is neither weight, kernel nor bias/,
    );
    expect((await load(arrays, { parts: ['net.0', 'net.2'] })).widths).toEqual([3, 2, 4]);
    expect(await failure(arrays, { parts: ['net.0', 'nets'] })).toBeInstanceOf(OptionError);
  });

  it('Flax, with dots or slashes', async () => {
    for (const stems of [
      ['Dense_0', 'Dense_1', 'Dense_10'],
      ['params.Dense_0', 'params.Dense_1', 'params.Dense_10'],
    ]) {
      expect((await load(chain(stems, [3, 4, 5, 6], 'kernel'))).widths).toEqual([3, 4, 5, 6]);
    }
    await save({ 'params/mlp/Dense_0/kernel': tensor(0, 3, 2), 'params/mlp/Dense_0/bias': tensor(1, 2) });
    expect(await readWeights(safetensors)).toMatchObject({
      widths: [3, 2],
      bias: true,
      layers: [{ weight: 'params/mlp/Dense_0/kernel', bias: 'params/mlp/Dense_0/bias' }],
    });
  });
});

describe('what is written is read back, to the bit', () => {
  const networks = fc
    .tuple(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 5 }), fc.infiniteStream(fc.boolean()))
    .map(([widths, flips]) =>
      defineNetwork({
        widths,
        bias: widths.slice(1).map(() => flips.next().value as boolean),
        activation: widths.slice(1).map(() => (flips.next().value ? 'tanh' : 'linear')),
      }),
    );

  it('both formats, both conventions, both precisions, any layers with biases', async () => {
    await fc.assert(
      fc.asyncProperty(
        networks,
        fc.boolean(),
        fc.constantFrom(npz, safetensors),
        fc.constantFrom('pytorch' as const, 'flax' as const),
        fc.integer({ min: 0, max: 1000 }),
        async (network, single, path, convention, seed) => {
          const parameters = randomParameters(network, seed, single);
          await writeWeights(path, network, parameters, { convention });
          for (const known of [network, undefined]) {
            const back = await readWeights(
              path,
              known,
              known === undefined ? { bias: network.layers.map(({ bias }) => bias) } : {},
            );
            expect(back.parameters).toEqual(parameters);
            const again = defineNetwork({
              widths: back.widths,
              bias: back.bias,
              activation: network.layers.map(({ activation }) => activation),
            });
            expect(again).toEqual(network);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('names and shapes are those that PyTorch and Flax expect', async () => {
    const network = defineNetwork({
      widths: [3, 2, 5, 4],
      activation: ['tanh', 'linear', 'linear'],
      bias: [true, false, true],
    });
    const parameters = randomParameters(network, 1);
    await writeWeights(safetensors, network, parameters);
    const { tensors } = await readSafetensors(safetensors);
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['0.weight', [2, 3]],
      ['0.bias', [2]],
      ['2.weight', [5, 2]],
      ['3.weight', [4, 5]],
      ['3.bias', [4]],
    ]);
    // Unit 1's weight from input 2, and its bias.
    expect([tensors.get('0.weight')!.data[1 * 3 + 2], tensors.get('0.bias')!.data[1]]).toEqual([
      parameters[1 * 4 + 2],
      parameters[1 * 4 + 3],
    ]);
    await writeWeights(npz, network, parameters, { convention: 'flax' });
    const arrays = await readNpz(npz);
    expect([...arrays].map(([name, { shape }]) => [name, shape])).toEqual([
      ['Dense_0/kernel', [3, 2]],
      ['Dense_0/bias', [2]],
      ['Dense_1/kernel', [2, 5]],
      ['Dense_2/kernel', [5, 4]],
      ['Dense_2/bias', [4]],
    ]);
    expect(arrays.get('Dense_0/kernel')!.data[2 * 2 + 1]).toBe(parameters[1 * 4 + 2]);
  });

  it('what cannot be written is refused', async () => {
    const network = defineNetwork({ widths: [3, 2] });
    await expect(writeWeights(npz, network, new Float64Array(7))).rejects.toThrow(ShapeError);
    await expect(writeWeights(join(folder, 'w.pt'), network, new Float64Array(8))).rejects.toThrow(
      /\.npz, \.safetensors or \.h5/,
    );
    await expect(writeWeights(npz, network, new Float64Array(8), { convention: 'keras' as 'flax' })).rejects.toThrow(
      OptionError,
    );
    await expect(writeWeights(join(folder, 'none', 'w.npz'), network, new Float64Array(8))).rejects.toThrow(
      FileAccessError,
    );
    await expect(writeWeights(npz, network, new Float64Array(8), { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
  });
});

describe('weights that do not fit', () => {
  it.each<[string, Record<string, Tensor>, RegExp]>([
    [
      'widths that do not chain',
      { '0.weight': tensor(0, 2, 3), '2.weight': tensor(0, 4, 5) },
      new RegExp(
        /"2.weight", of shape \(4, 5\), takes 5 inputs, and /.source +
          /"0.weight" before it, of shape \(2, 3\), gives 2 outputs.*parts/.source,
      ),
    ],
    [
      'transposed weights',
      { '0.weight': tensor(0, 3, 2), '2.weight': tensor(0, 2, 4) },
      /would fit if read the other way round/,
    ],
    [
      'transposed, told by the bias',
      { '0.kernel': tensor(0, 2, 3), '0.bias': tensor(0, 2) },
      /"0.bias" has shape \(2,\), and "0.kernel", of shape \(2, 3\), has 3 outputs.*the other way round/,
    ],
    [
      'a bias of another length',
      { '0.weight': tensor(0, 2, 3), '0.bias': tensor(0, 4) },
      /"0.bias" has shape \(4,\), and "0.weight", of shape \(2, 3\), has 2 outputs/,
    ],
    ['a bias of rank 2', { '0.weight': tensor(0, 2, 3), '0.bias': tensor(0, 2, 1) }, /"0.bias" has shape \(2, 1\)/],
    [
      'a bias alone',
      { '0.weight': tensor(0, 2, 3), '1.bias': tensor(0, 2) },
      /"1.bias" belongs to no weight: "1.weight"/,
    ],
    ['two weights', { '0.weight': tensor(0, 2, 3), '0.kernel': tensor(0, 3, 2) }, /layer "0" has two weights/],
    [
      'a normalisation',
      { '0.weight': tensor(0, 2, 3), '1.weight': tensor(0, 2), '1.bias': tensor(0, 2) },
      /"1.weight" has shape \(2,\).*normalisations/,
    ],
    ['a convolution', { '0.weight': tensor(0, 2, 3, 5, 5) }, /"0.weight" has shape \(2, 3, 5, 5\)/],
    ['an empty layer', { '0.weight': tensor(0, 0, 3) }, /"0.weight" has shape \(0, 3\).*at least one of each/],
    ['other arrays', { '0.weight_g': tensor(0, 2) }, /"0.weight_g" is neither weight, kernel nor bias/],
    ['nothing', {}, /no array called weight or kernel/],
  ])('%s', async (_, arrays, message) => {
    const error = await failure(arrays);
    expect(error).toBeInstanceOf(FileFormatError);
    expect(error.message).toMatch(message);
  });

  it("another network than the file's", async () => {
    const arrays = { '0.weight': tensor(0, 2, 3), '0.bias': tensor(1, 2), '2.weight': tensor(2, 4, 2) };
    const wide = await failure(arrays, {}, defineNetwork({ widths: [3, 5, 4] }));
    expect(wide).toBeInstanceOf(ShapeError);
    expect(wide.message).toMatch(/widths 3-2-4; weights for 3-5-4 are needed/);
    expect((await failure(arrays, {}, defineNetwork({ widths: [3, 4] }))).message).toMatch(
      /weights for 3-4 are needed/,
    );
    expect((await failure(arrays, {}, defineNetwork({ widths: [3, 2, 4] }))).message).toMatch(
      /"2.weight", layer 1 of the network, comes without a bias, and the network has one/,
    );
    expect((await failure(arrays, {}, defineNetwork({ widths: [3, 2, 4], bias: false }))).message).toMatch(
      /"0.weight", layer 0 of the network, comes with a bias, "0.bias", and the network has none/,
    );
    expect((await load(arrays, { bias: [true, false] })).bias).toEqual([true, false]);
    expect((await failure(arrays, { bias: [true, false] }, defineNetwork({ widths: [3, 2, 4] }))).message).toMatch(
      /"2.bias" is missing; there are "0.weight", "0.bias", "2.weight"/,
    );
    expect(
      (await failure(arrays, { bias: true }, defineNetwork({ widths: [3, 2, 4], bias: [true, false] }))).message,
    ).toMatch(/"2.bias" is missing/);
    expect((await failure(arrays, { bias: [true] })).message).toMatch(/bias says of 1 layers.*holds 2/);
    expect((await load(arrays, {}, defineNetwork({ widths: [3, 2, 4], bias: [true, false] }))).parameters).toHaveLength(
      16,
    );
  });

  it('an array that is missing, whichever it is, is named', async () => {
    for (const leaf of ['weight', 'kernel']) {
      const whole = {
        [`a.0.${leaf}`]: tensor(0, 3, 3),
        'a.0.bias': tensor(1, 3),
        [`a.1.${leaf}`]: tensor(2, 3, 3),
        'a.1.bias': tensor(3, 3),
        [`a.2.${leaf}`]: tensor(4, 3, 3),
        'a.2.bias': tensor(5, 3),
      };
      for (const missing of Object.keys(whole)) {
        const rest = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== missing));
        const error = await failure(rest);
        expect(error).toBeInstanceOf(FileFormatError);
        expect(error.message).toContain(missing.replace('kernel', 'weight'));
      }
    }
  });

  it('numbers that are not finite name array and index', async () => {
    for (const [fortranOrder, at] of [
      [false, 5],
      [true, 5],
    ] as const) {
      const data = new Float64Array(6);
      data[at] = NaN;
      data[0] = 1;
      await writeNpz(npz, new Map([['0.weight', { shape: [2, 3], data, fortranOrder }]]));
      await expect(readWeights(npz)).rejects.toThrow(NonFiniteError);
      await expect(readWeights(npz)).rejects.toThrow(/"0.weight"\[1, 2\] is NaN/);
    }
    const bias = { shape: [2], data: Float64Array.of(0, -Infinity) };
    expect((await failure({ '0.weight': tensor(0, 2, 3), '0.bias': bias })).message).toMatch(
      /"0.bias"\[1\] is -Infinity/,
    );
  });

  it('cut anywhere, foreign, missing: typed errors that name the file', async () => {
    const path = join(folder, 'cut');
    for (const whole of [torchSafetensors, flaxNpz]) {
      for (let length = 0; length < whole.length; length += 5) {
        writeFileSync(path, whole.subarray(0, length));
        const error: unknown = await readWeights(path).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(FileFormatError);
        expect((error as Error).message).toContain(path);
      }
    }
    writeFileSync(path, readFileSync(new URL(import.meta.url)));
    await expect(readWeights(path)).rejects.toThrow(/neither \.npz, nor safetensors, nor HDF5/);
    await expect(readWeights(join(folder, 'none.npz'))).rejects.toThrow(FileAccessError);
    await expect(readWeights(path, undefined, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });
});

it('as many biases as layers are needed', () => {
  expect(() => defineNetwork({ widths: [2, 3, 4], bias: [true] })).toThrow(OptionError);
  const { layers, parameters } = defineNetwork({ widths: [2, 3, 4], bias: [false, true] });
  expect(layers.map(({ bias, width, offset }) => [bias, width, offset])).toEqual([
    [false, 2, 0],
    [true, 4, 6],
  ]);
  expect(parameters).toBe(22);
});
