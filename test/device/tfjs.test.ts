/** TensorFlow.js as a device: what it is opened on, what a launch costs, what it frees, and what it refuses. */
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceError, DeviceLostError, LibraryError, MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { putModel } from '#hmatrix/curvature/device/model.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Device, DeviceBuffer, PreparedWork } from '#hmatrix/device/device.js';
import { describeDevices, openDevice } from '#hmatrix/device/open.js';
import type { TensorFlow } from '#hmatrix/device/tfjs/api.js';
import type { Work } from '#hmatrix/device/work/work.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';
import { exampleOf, excess, numbersOf, plain } from './block-rows.js';
import { NO_TENSORFLOW, tensorFlow } from './tensorflow.js';

/** Kernels that a device does not count: views, and what `where` repeats its operands with. */
const VIEWS = ['Reshape', 'Slice', 'Identity', 'Tile'];

describe.skipIf(tensorFlow === undefined)('tfjs', () => {
  const tf = tensorFlow!;
  /** TensorFlow.js but for what `other` has; its backend but for what `backend` has. */
  const changed = (other: object, backend?: object): TensorFlow => {
    const own = backend === undefined ? {} : { backend: () => Object.assign(Object.create(tf.backend()), backend) };
    return { ...tf, ...own, ...other } as never;
  };
  const opened: Device[] = [];
  const open = async (given: TensorFlow = tf): Promise<Device> => {
    const device = await openDevice('tfjs', { tf: given });
    opened.push(device);
    return device;
  };
  afterEach(async () => {
    for (const device of opened.splice(0)) await device.close();
  });

  const example = exampleOf(
    [
      { count: 3, starts: true, terms: [[5, true]] },
      { count: 2, terms: [[3, false]] },
    ],
    true,
    1,
    0.5,
  );
  const numbers = numbersOf(example.values, 'f32', 1);
  const before = numbersOf(2 * example.height, 'f32', 2);

  it('is_found_by_name_or_handed_over_and_says_its_version_and_backend', async () => {
    const named = await openDevice('tfjs');
    expect(named.description).toMatch(/^tfjs: TensorFlow\.js \d+\.\d+\.\d+ \(@tensorflow\/tfjs[-\w]*\), backend \w+/);
    await named.close();
    const device = await open();
    expect(device.description).toBe(`tfjs: TensorFlow.js ${tf.version_core} (handed over), backend cpu`);
    expect([device.name, device.precisions, device.memory.limit]).toEqual(['tfjs', ['f32'], Infinity]);
    expect(await describeDevices()).toContainEqual({
      device: 'tfjs',
      usable: true,
      description: named.description.replace('tfjs: ', ''),
    });
  });

  it('is_never_taken_unasked', async () => {
    const device = await openDevice('auto', {}, { team: await sharedTeam(2) });
    expect(device.name).not.toBe('tfjs');
    await device.close();
  });

  it('takes_what_is_TensorFlow_js_and_computes_in_float32_and_says_what_else_it_was_given', async () => {
    const { matMul: _, gather: __, ...part } = tf;
    await expect(open(part as never)).rejects.toThrow(/an object .*without matMul, gather: hand over the module/);
    await expect(open(7 as never)).rejects.toThrow(OptionError);
    await expect(open(changed({ ready: () => Promise.reject(new Error('none here')) }))).rejects.toThrow(
      /has no backend that can be used: none here\. Install one/,
    );
    const half = open(changed({ mul: (x: Parameters<typeof tf.onesLike>[0]) => tf.onesLike(x) }));
    await expect(half).rejects.toThrow(LibraryError);
    await expect(half).rejects.toThrow(/backend cpu .* float16 .* take another/);
    await expect(openDevice('cpu', { tf })).rejects.toThrow(/takes tf for the device tfjs, not for cpu/);
  });

  it('leaves_no_tensor_behind_after_1000_cycles_nor_in_a_tidy_of_the_caller', async () => {
    const device = await open();
    const start = tf.memory().numTensors;
    for (let cycle = 0; cycle < 1000; cycle++) {
      const rows = await device.prepare(example.rows);
      const [values, vectors] = [await device.upload(numbers), await device.upload(before)];
      device.multiply(rows, { values, vectors }, 2);
      device.write(vectors, before.subarray(0, 2), 1);
      if (cycle % 100 === 0) await device.read(vectors, before.slice());
      for (const one of [rows, values, vectors]) one.destroy();
    }
    await device.finish();
    expect(tf.memory().numTensors).toBe(start);
    const rows = await device.prepare(example.rows);
    const [values, vectors] = [await device.upload(numbers), await device.upload(before)];
    tf.tidy(() => {
      device.multiply(rows, { values, vectors }, 2);
    });
    const got = before.slice();
    await device.read(vectors, got);
    expect(excess(got, plain(example, numbers, before, 2), 'f32')).toBeLessThanOrEqual(1);
    await device.close();
    expect(tf.memory().numTensors).toBe(start);
  });

  it('multiplies_by_the_blocks_as_they_were_written_last', async () => {
    const device = await open();
    const rows = await device.prepare(example.rows);
    const values = await device.upload(numbers);
    for (const seed of [7, 8]) {
      const other = numbersOf(example.values, 'f32', seed);
      device.write(values, other);
      const vectors = await device.upload(before);
      device.multiply(rows, { values, vectors }, 2);
      const got = before.slice();
      await device.read(vectors, got);
      expect(excess(got, plain(example, other, before, 2), 'f32')).toBeLessThanOrEqual(1);
    }
  });

  it('counts_the_operations_that_TensorFlow_js_runs', async () => {
    const device = await open();
    const block = { offset: 1, ld: 3 };
    const system = { triangle: { ...block, order: 2 }, x: { block: { offset: 9, ld: 2 }, columns: 2 } };
    const rowSystem = { triangle: { ...block, order: 3 }, x: { first: 1 } };
    const works: readonly (readonly [Work, readonly string[]])[] = [
      [
        {
          kind: 'products',
          alpha: 2,
          beta: 3,
          targets: [{ c: block, rows: 3, columns: 2, terms: [{ a: block, b: block, depth: 2 }] }],
        },
        ['a', 'b', 'c'],
      ],
      [
        {
          kind: 'gathers',
          alpha: 2,
          keep: true,
          pieces: [
            {
              from: { offset: 0, rows: Int32Array.of(3, 1), columns: Int32Array.of(0) },
              to: { offset: 4, rows: Int32Array.of(0, 5), columns: Int32Array.of(0) },
            },
          ],
        },
        ['from', 'to'],
      ],
      [{ kind: 'cholesky', triangles: [{ ...block, order: 3, status: 2 }] }, ['values', 'status']],
      [{ kind: 'substitutions', transposed: false, systems: [system] }, ['triangles', 'x']],
      [{ kind: 'substitutions', transposed: true, systems: [rowSystem] }, ['triangles', 'x']],
      [{ kind: 'innerProducts', products: [{ x: 0, y: 1, count: 2000, to: 0 }] }, ['x', 'y', 'out']],
    ];
    const run = async (launch: () => void): Promise<number> => {
      const { kernels } = await tf.profile(launch);
      return kernels.filter(({ name }) => !VIEWS.includes(name)).length;
    };
    for (const [work, names] of works) {
      const planned: PreparedWork = await device.plan(work);
      const operands: Record<string, DeviceBuffer> = {};
      for (const name of names) operands[name] = await device.upload(numbersOf(2001 * 2, 'f32', 1));
      const count = await run(() => {
        device.launch(planned, operands as never, 2);
      });
      expect(count, work.kind).toBe(planned.cost(2).launches);
      expect(planned.cost(2).launches).toBeGreaterThan(1);
    }
    const rows = await device.prepare(example.rows);
    const operands = { values: await device.upload(numbers), vectors: await device.upload(before) };
    // The first time, blocks are gathered.
    device.multiply(rows, operands, 2);
    const count = await run(() => {
      device.multiply(rows, operands, 2);
    });
    expect(count).toBe(rows.cost(2).launches);
  });

  const refuse = (): never => {
    throw new Error('too large');
  };

  it('says_what_it_refuses_and_what_it_was_refused', async () => {
    const device = await open(changed({ matMul: refuse }));
    const rows = await device.prepare(example.rows);
    const operands = { values: await device.upload(numbers), vectors: await device.upload(before) };
    expect(() => device.multiply(rows, operands, 2)).toThrow(/tfjs refused what it was handed: too large\./);
    const { numTensors } = tf.memory();
    expect(() => device.multiply(rows, operands, 2)).toThrow(DeviceError);
    expect(tf.memory().numTensors).toBe(numTensors);
    await expect(device.plan({ kind: 'convolutions' } as never)).rejects.toThrow(/no operations for .*convolutions/);
    const network = defineNetwork({ widths: [2, 3, 1], activation: 'tanh' });
    const data = memoryDataSet(zeros(2, 4), zeros(1, 4));
    const model = { network, parameters: initialParameters(network, 1), loss: 'mse', data } as const;
    const { buffers } = device.memory;
    await expect(putModel(model, device)).rejects.toThrow(/no kernels of ours.* openDevice\('webgpu'\)/);
    expect(device.memory.buffers).toBe(buffers);
    const webgl = await open(changed({ getBackend: () => 'webgl' }));
    await expect(webgl.allocate(2 ** 24 + 1, 'f32')).rejects.toThrow(MemoryError);
    (await webgl.allocate(2 ** 24, 'f32')).destroy();
  });

  it('ends_where_the_backend_is_another_or_was_lost', async () => {
    let backend = 'cpu';
    const moved = await open(changed({ getBackend: () => backend }));
    backend = 'wasm';
    await expect(moved.allocate(1, 'f32')).rejects.toThrow(/is wasm now, and was cpu .* set it back/);
    backend = 'cpu';
    await moved.allocate(1, 'f32');

    let contextLost = false;
    const webgl = await open(changed({}, { gpgpu: { gl: { isContextLost: () => contextLost } } }));
    const buffer = await webgl.upload(Float32Array.of(1, 2));
    contextLost = true;
    await expect(webgl.read(buffer, new Float32Array(2))).rejects.toThrow(DeviceLostError);
    expect(() => webgl.write(buffer, Float32Array.of(1))).toThrow(/was lost \(the context of WebGL\)/);

    // A card that never answers again.
    let lose: (loss: { message: string }) => void = () => undefined;
    const lost = new Promise<{ message: string }>((resolve) => (lose = resolve));
    let silent = false;
    const slice = (...all: Parameters<typeof tf.slice>): unknown =>
      silent ? { data: () => new Promise(() => undefined), dispose: () => undefined } : tf.slice(...all);
    const keep = (tensor: never): unknown => (silent ? tensor : tf.keep(tensor));
    const card = await open(changed({ slice, keep }, { device: { lost } }));
    const rows = await card.prepare(example.rows);
    const operands = { values: await card.upload(numbers), vectors: await card.upload(before) };
    card.multiply(rows, operands, 2);
    await card.finish();
    silent = true;
    const waiting = [card.read(operands.vectors, before.slice()), card.finish()];
    lose({ message: 'unplugged' });
    for (const one of waiting) await expect(one).rejects.toThrow(/was lost \(unplugged\)/);
    expect(() => card.multiply(rows, operands, 2)).toThrow(DeviceLostError);
  });

  it('leaves_factoring_hodlr_to_the_team_whose_factors_solve_there', async () => {
    const team = await sharedTeam(2);
    const matrix = await compress(gaussianSource(60, 2, 1, team.blas), { format: 'hodlr', leafSize: 16 }, { team });
    const device = await open();
    const onDevice = await matrix.to(device);
    const there = device.memory;
    await expect(onDevice.factor({ shift: 1 }, { team })).rejects.toThrow(/no operations for the launches qr/);
    expect(device.memory).toEqual(there);
    const inverse = await (await factor(matrix, { shift: 1 }, { team })).to(device);
    expect(inverse.residual).toBeLessThan(1e-5);
    for (const one of [inverse, onDevice]) one.release();
  });
});
if (tensorFlow === undefined) it.skip(NO_TENSORFLOW, () => undefined);
