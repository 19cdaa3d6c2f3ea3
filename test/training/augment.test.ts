/** Images moved while a network trains: by the seed alone, anew in every epoch, the same when a run is gone on with. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { flatten, relu, stack } from '#hmatrix/layers/compose.js';
import { graphNetwork, imageInput, initialParameters } from '#hmatrix/layers/graph-network.js';
import { labelTargets, memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters as initialWeights } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { SampleOrder } from '#hmatrix/network/sample-order.js';
import { AugmentedBatches } from '#hmatrix/training/data/augmented-batches.js';
import { imageAugmentation } from '#hmatrix/training/data/image-augmentation.js';
import { ekfacAdam } from '#hmatrix/training/optimizers/ekfac-adam.js';
import { adam, sgd } from '#hmatrix/training/optimizers/first-order.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const control = { blas: openBlas() };
const folder = temporaryFolder();
const size = { channels: 2, height: 4, width: 5 };
const [pixels, samples] = [40, 22];
const random = new RandomStream(7, 1);
const inputs = zeros(pixels, samples, 'f32');
inputs.data.forEach((_, k) => (inputs.data[k] = random.normal()));
const data = memoryDataSet(
  inputs,
  labelTargets(
    Array.from({ length: samples }, (_, i) => i % 3),
    3,
    'f32',
  ),
);
const network = graphNetwork({
  inputs: imageInput(size),
  layers: stack({ conv: conv2d(3, 3, { padding: 1 }), relu, flatten, fc: dense(3) }),
  loss: 'cross-entropy',
});
const model = { network, parameters: initialParameters(network, { seed: 1 }), data };
const moved = (seed: number) => imageAugmentation(size, { padding: 1, flip: true, seed });
const base: TrainOptions = { optimizer: adam({ learningRate: 1e-2 }), batchSize: 5, epochs: 4, seed: 3 };
const trained = async (options: TrainOptions) => (await train(model, { ...base, ...options }, control)).parameters;

describe('a run whose images are moved', () => {
  it('has_the_bits_of_its_seed_and_not_those_of_another_or_of_none', async () => {
    const first = await trained({ augment: moved(1) });
    expect(await trained({ augment: moved(1) })).toEqual(first);
    expect(await trained({ augment: moved(2) })).not.toEqual(first);
    expect(await trained({})).not.toEqual(first);
    // A move by nothing changes nothing.
    expect(await trained({ augment: imageAugmentation(size) })).toEqual(await trained({}));
  });

  it.each([adam(), ekfacAdam({ basesEvery: 3 })])('goes_on_bit_for_bit_within_an_epoch: $name', async (optimizer) => {
    const options = { optimizer, augment: moved(1), checkpoint: join(folder, optimizer.name) };
    const whole = await trained({ optimizer, augment: moved(1) });
    await trained({ ...options, steps: 7 });
    expect(await trained({ ...options, resume: true })).toEqual(whole);
    await expect(trained({ ...options, augment: moved(2), resume: true })).rejects.toThrow(/augment.seed 1, not/);
    await expect(trained({ ...options, augment: undefined, resume: true })).rejects.toThrow(/no augment.flip/);
  });

  it('steps_on_one_batch_of_all_samples_anew_in_every_epoch', async () => {
    // Without a rate θ stays, and losses tell the batches.
    const { evaluations } = await train(
      model,
      { ...base, optimizer: sgd({ learningRate: 1e-30 }), batchSize: 'all', augment: moved(1) },
      control,
    );
    const losses = evaluations.map(({ loss }) => loss);
    expect(new Set(losses).size).toBe(4);
  });

  it('is_one_of_images_that_fit_and_are_not_turned', async () => {
    const other = imageAugmentation(size, { height: 3 });
    await expect(trained({ augment: other })).rejects.toThrow(ShapeError);
    await expect(trained({ augment: { flip: true } as never })).rejects.toThrow(OptionError);
    const perceptron = defineNetwork({ widths: [pixels, 3], activation: 'tanh' });
    const parameters = Float32Array.from(initialWeights(perceptron, 1));
    const flat = { network: perceptron, parameters, loss: 'cross-entropy', data } as const;
    const run = (options: TrainOptions) => train(flat, { ...base, augment: moved(1), ...options }, control);
    await expect(run({ rotateInputs: true })).rejects.toThrow(/rotateInputs would leave none/);
    expect((await run({ optimizer: ekfacAdam() })).outcome).toBe('finished');
  });
});

describe('batches of moved images', () => {
  it('are_the_images_of_their_numbers_moved_in_whatever_chunk_they_are_read', () => {
    const augmentation = moved(5);
    const batchSize = 4;
    // Chunks of eight samples.
    const order = new SampleOrder(data, null, { batchSize, seed: 1, shuffleBytes: 8 * (pixels + 3) * 8 });
    const batches = new AugmentedBatches(augmentation, batchSize);
    const whole = zeros(pixels, samples, 'f32');
    const seen = new Set<number>();
    for (const epoch of [0, 3]) {
      augmentation.apply(
        inputs,
        Int32Array.from({ length: samples }, (_, i) => i),
        epoch,
        whole,
      );
      for (const picks of order.picks(epoch)) {
        const numbers = Array.from({ length: picks.count }, (_, i) => picks.start + picks.order[picks.first + i]);
        const batch = batches.of(picks, epoch);
        numbers.forEach((number, i) => {
          seen.add(number);
          const from = batch.order[batch.first + i] * pixels;
          expect(batch.inputs.data.slice(from, from + pixels)).toEqual(
            whole.data.slice(number * pixels, (number + 1) * pixels),
          );
          expect(batch.targets.data[3 * i + (number % 3)]).toBe(1);
        });
      }
    }
    expect(seen.size).toBe(samples);
  });
});
