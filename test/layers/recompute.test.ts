/** Forward passes that are made again in segments: the same bits from less memory. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { flatten, relu, residual, sequential, stack } from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  sliceSamples,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { planInSegments, planNetwork, type NetworkPlan } from '#hmatrix/layers/network-plan.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { globalAveragePool, maxPool } from '#hmatrix/layers/pooling.js';
import { openTapeMemory, Tapes } from '#hmatrix/layers/tape-memory.js';
import { mobilenet } from '#hmatrix/models/mobilenet.js';
import { resnet20 } from '#hmatrix/models/resnet.js';
import { languageModel, transformer } from '#hmatrix/models/transformer.js';
import { variationalAutoencoder } from '#hmatrix/models/variational-autoencoder.js';
import type { Batch } from '#hmatrix/network/data-set.js';
import { labelTargets, memoryDataSet } from '#hmatrix/network/data-set.js';
import { adam, momentum } from '#hmatrix/training/optimizers/first-order.js';
import { ekfacAdam } from '#hmatrix/training/optimizers/ekfac-adam.js';
import { hessianFree } from '#hmatrix/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '#hmatrix/training/optimizers/kfac.js';
import { gaussNewtonCg, newtonCg } from '#hmatrix/training/optimizers/newton-cg.js';
import { train } from '#hmatrix/training/train.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const folder = temporaryFolder();
const image = (size: number) => imageInput({ channels: 3, height: size, width: size });
const block = (channels: number, stride = 1) =>
  sequential(
    residual(
      stack({
        conv1: conv2d(channels, 3, { padding: 1, stride, bias: false }),
        bn1: batchNorm(),
        relu,
        conv2: conv2d(channels, 3, { padding: 1, bias: false }),
        bn2: batchNorm(),
      }),
      stride === 1 ? undefined : sequential(conv2d(channels, 1, { stride, bias: false }), batchNorm()),
    ),
    relu,
  );
const words = { features: 16, heads: 2, layers: 4, padding: 0, dropout: 0.2 };

/** Networks of all kinds of nodes. */
const NETWORKS: Readonly<Record<string, () => GraphNetwork>> = {
  perceptron: () =>
    graphNetwork({
      inputs: vectorInput(12),
      layers: sequential(...Array.from({ length: 9 }, () => sequential(dense(20), relu)), dense(4)),
      loss: 'cross-entropy',
    }),
  'residual blocks': () =>
    graphNetwork({
      inputs: image(12),
      layers: stack({
        stem: conv2d(8, 3, { padding: 1 }),
        pool: maxPool(2),
        ...Object.fromEntries(Array.from({ length: 6 }, (_, k) => [`block${k}`, block(8, k === 3 ? 2 : 1)])),
        average: globalAveragePool,
        flatten,
        fc: dense(4),
      }),
      loss: 'cross-entropy',
    }),
  resnet20: () => graphNetwork({ inputs: image(16), layers: resnet20({ classes: 4 }), loss: 'cross-entropy' }),
  mobilenet: () => graphNetwork({ inputs: image(32), layers: mobilenet(0.25, { classes: 4 }), loss: 'cross-entropy' }),
  transformer: () =>
    graphNetwork({
      inputs: [tokenInput(6, 9), tokenInput(5, 11)],
      layers: transformer({ ...words, sourceWords: 9, targetWords: 11 }),
      loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
    }),
  'language model': () =>
    graphNetwork({
      inputs: tokenInput(7, 9),
      layers: languageModel({ ...words, words: 9, norm: 'post', positions: 'learned' }),
      loss: tokenLoss({ padding: 0 }),
    }),
  autoencoder: () =>
    graphNetwork({
      inputs: vectorInput(12),
      layers: variationalAutoencoder({
        encoder: sequential(dense(20), relu, dense(20), relu),
        decoder: sequential(dense(20), relu, dense(20), relu, dense(12)),
        code: 3,
      }),
      loss: 'bce',
    }),
};

/** Samples that fit the network: words where it takes words. */
function batchOf({ inputs, outputs, inputKinds, loss }: GraphNetwork, count: number): Batch {
  const x = randomMatrix(inputs, count, 3);
  const y = randomMatrix(outputs, count, 4);
  const word = (value: number, most: number): number => Math.floor(Math.abs(1000 * value)) % most;
  const { vocabulary } = inputKinds[0];
  if (vocabulary !== null) x.data.forEach((value, k) => (x.data[k] = word(value, vocabulary)));
  if (typeof loss !== 'string') y.data.forEach((value, k) => (y.data[k] = word(value, 9)));
  else if (loss === 'bce') y.data.forEach((value, k) => (y.data[k] = Math.min(1, Math.abs(value))));
  else
    return {
      inputs: x,
      targets: labelTargets(
        Array.from({ length: count }, (_, k) => k % outputs),
        outputs,
      ),
    };
  return { inputs: x, targets: y };
}

/** Loss and gradient of a batch by one plan. */
function gradientBy(network: GraphNetwork, plan: NetworkPlan, count: number): { loss: number; gradient: Float32Array } {
  const sizes = { precision: 'f32', slices: 1, workers: 1, vectors: 1 } as const;
  const layout = openTapeMemory({ network, plan, ...sizes }, initialParameters(network, { seed: 5 }), 'A test');
  const tapes = new Tapes(layout, defaultBlas(), 0);
  const tape = tapes.tape(0);
  const gradient = tapes.vector(0);
  tape.bind('gradient', gradient);
  tape.load(batchOf(network, count), { order: null, first: 0, count }, 1 / count);
  tape.drawMasks(7, 1, 0);
  return { loss: tape.run(), gradient: Float32Array.from(gradient) };
}

describe('a forward pass in segments', () => {
  it.each(Object.keys(NETWORKS))('gives the same bits from less memory: %s', (name) => {
    const network = NETWORKS[name]();
    const capacity = 6;
    const { training, layers } = network;
    const whole = planNetwork(training, layers, { gradient: true, passes: [], capacity });
    const wanted = gradientBy(network, whole, capacity);
    expect(wanted.gradient.some((value) => value !== 0)).toBe(true);
    let least = Infinity;
    let tried = 0;
    for (const segments of [2, 3, 4, 6, 9, 14]) {
      const plan = planInSegments(training, layers, { capacity, segments });
      if (plan === null) continue;
      tried++;
      least = Math.min(least, plan.plan.work);
      // Part of a batch, too, leaves the places of a full one.
      for (const count of segments === 4 ? [capacity, 2] : [capacity])
        expect({ segments, ...gradientBy(network, plan, count) }).toEqual({
          segments,
          ...(count === capacity ? wanted : gradientBy(network, whole, count)),
        });
    }
    expect(tried).toBeGreaterThan(1);
    expect(least).toBeLessThan(0.75 * whole.plan.work);
  });

  it('is planned without changing the graph, so that it can be planned again', () => {
    const network = NETWORKS['residual blocks']();
    const { training, layers } = network;
    planNetwork(training, layers, { gradient: true, passes: [], capacity: 4 });
    const nodes = training.graph.nodes.length;
    const first = planInSegments(training, layers, { capacity: 4, segments: 4 })!;
    const second = planInSegments(training, layers, { capacity: 4, segments: 4 })!;
    expect(training.graph.nodes.length).toBe(nodes);
    expect(second.plan.work).toBe(first.plan.work);
  });
});

describe('training in little memory', () => {
  const network = NETWORKS['residual blocks']();
  const { inputs, targets } = batchOf(network, 40);
  const data = memoryDataSet(inputs, targets, { samples: 'columns' });
  const start = { network, parameters: initialParameters(network, { seed: 1 }), data };
  const options = { optimizer: momentum({ learningRate: 0.01 }), epochs: 2, batchSize: 20, validation: 0.2 } as const;

  it('makes forward passes again, to the bit, and says so', async () => {
    const whole = await train(start, options);
    expect(whole.memory.recomputes).toBe(false);
    // The memory is made of pages of 64 KiB; the least is what the refusal tells.
    const refused = await train(start, { ...options, memoryLimit: 65536 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(MemoryError);
    const { bytes } = (refused as MemoryError).data as { bytes: number };
    expect(bytes).toBeLessThan(0.75 * whole.memory.bytes);
    const team = await sharedTeam(2);
    const shared = await train(start, options, { team });
    for (const [memoryLimit, control] of [
      [bytes, {}],
      [whole.memory.bytes - 2 * 65536, {}],
      [shared.memory.bytes - 2 * 65536, { team }],
    ] as const) {
      const run = await train(start, { ...options, memoryLimit }, control);
      expect(run.memory.recomputes).toBe(true);
      expect(run.parameters).toEqual(whole.parameters);
      expect(run.evaluations.map(({ loss }) => loss)).toEqual(whole.evaluations.map(({ loss }) => loss));
      expect(run.memory.bytes).toBeLessThanOrEqual(memoryLimit + 2 * 65536);
    }
  });

  it('goes on from a checkpoint that was written with more', async () => {
    const checkpoint = join(folder, 'state');
    const own = { ...options, optimizer: adam() };
    const whole = await train(start, own);
    await train(start, { ...own, epochs: 1, checkpoint });
    const memoryLimit = 0.8 * whole.memory.bytes;
    const less = await train(start, { ...own, checkpoint, resume: true, memoryLimit });
    expect(less.memory.recomputes).toBe(true);
    expect(less.parameters).toEqual(whole.parameters);
  });

  it.each([
    ekfacAdam({ statisticsEvery: 1 }),
    kfacOptimizer(),
    gaussNewtonCg({ iterations: 3 }),
    newtonCg({ iterations: 3 }),
    hessianFree({ preconditioner: 'kfac', iterations: 3 }),
  ])('holds few slices at a time for passes of curvature, to the bit: $name', async (optimizer) => {
    // Three slices, of which the last is shorter; words have blocks without factors.
    const translator = NETWORKS.transformer();
    for (const own of [network, translator]) {
      const samples = 2 * sliceSamples(own) + 5;
      const batch = batchOf(own, samples);
      const model = {
        network: own,
        parameters: initialParameters(own, { seed: 1 }),
        data: memoryDataSet(batch.inputs, batch.targets, { samples: 'columns' }),
      };
      const common = { optimizer, steps: 2, batchSize: 'all' } as const;
      const whole = await train(model, common);
      const memoryLimit = whole.memory.bytes - 2 * 65536;
      const less = await train(model, { ...common, memoryLimit });
      expect([whole.memory.recomputes, less.memory.recomputes]).toEqual([false, true]);
      expect(less.memory.bytes).toBeLessThan(0.9 * whole.memory.bytes);
      expect(less.parameters).toEqual(whole.parameters);
      const team = await sharedTeam(2);
      const shared = await train(model, { ...common, memoryLimit }, { team });
      expect(shared.memory.recomputes).toBe(true);
      expect(shared.parameters).toEqual(whole.parameters);
    }
  });

  it('refuses what does not fit, and what is no number of bytes', async () => {
    await expect(train(start, { ...options, memoryLimit: 1e5 })).rejects.toThrow(/Training needs .* memoryLimit/);
    const curved = { ...options, optimizer: kfacOptimizer(), memoryLimit: 1e5 };
    await expect(train(start, curved)).rejects.toThrow(MemoryError);
    for (const memoryLimit of [0, -1, Number.NaN])
      await expect(train(start, { ...options, memoryLimit })).rejects.toThrow(/memoryLimit/);
  });
});
