/**
 * Networks of layers for images by every kind of optimizer: a small CNN on digits, ResNet-20 and MobileNet × 0.5 on
 * generated shapes of 32 × 32 pixels, moved at random. Runs end at their target.
 */
import { shapeImages } from '../../datasets/shapes.js';
import type { Layer } from '../../src/layers/builder.js';
import { graphNetwork, imageInput, initialParameters, type ImageSize } from '../../src/layers/graph-network.js';
import { mobilenet as mobilenetLayers } from '../../src/models/mobilenet.js';
import { resnet20 as resnetLayers } from '../../src/models/resnet.js';
import { simpleCnn } from '../../src/models/simple-cnn.js';
import type { DataSet } from '../../src/network/data-set.js';
import { imageDataSet } from '../../src/network/image-data.js';
import { imageAugmentation } from '../../src/training/data/image-augmentation.js';
import type { TrainOptions } from '../../src/training/train-options.js';
import { classified, digitData } from './data.js';
import { trials, type Experiment, type Outcome, type Setup } from './experiment.js';
import { fewerSamples, field, raceTable, type FieldOptions } from './race.js';

const DIGITS = { channels: 1, height: 28, width: 28 };
const SHAPES = { channels: 3, height: 32, width: 32 };

/** A network, its data, and how it is trained. */
interface Problem {
  readonly title: string;
  readonly layers: Layer;
  readonly size: ImageSize;
  readonly data: {
    readonly training: DataSet;
    readonly validation: DataSet;
    readonly name: string;
  };
  readonly field: FieldOptions;
  readonly accuracy: number;
  readonly options: TrainOptions;
}

async function race(setup: Setup, { title, layers, size, data, accuracy, ...problem }: Problem): Promise<Outcome> {
  const { training, validation, name } = data;
  const network = graphNetwork({ inputs: imageInput(size), layers, loss: 'cross-entropy' });
  const start = { network, parameters: initialParameters(network, { seed: setup.seed }), data: training };
  const common = { seed: setup.seed, validation, targetAccuracy: accuracy, ...problem.options };
  const rows = (await trials(setup, start, field(problem.field), common)).map(({ row }) => row);
  const target = { accuracy };
  return {
    data: name,
    tables: [
      raceTable(`${title}, ${network.trained} parameters: validation images`, rows, target, {
        columns: ['outcome'],
        of: ({ outcome }) => [outcome],
      }),
    ],
    checks: [fewerSamples(rows, target)],
    details: { network: title, parameters: network.trained, target, runs: rows },
  };
}

function shapes({ seed }: Setup, training: number, validation: number): Problem['data'] {
  const own = imageDataSet(shapeImages(training, seed + 1), { precision: 'f32', standardize: true });
  const others = shapeImages(validation, seed + 2);
  return {
    training: own,
    validation: imageDataSet(others, { precision: 'f32', standardize: own.statistics }),
    name: `generated shapes of 32 × 32 pixels, ${training} for training, ${validation} for validation`,
  };
}

/** A small CNN on digits. */
export const cnn: Experiment = {
  what: 'a CNN of two convolutions on digits: every kind of optimizer',
  run: async (setup) => {
    const { quick } = setup;
    const data = await digitData(setup, quick ? 200 : 8000, quick ? 100 : 500);
    return race(setup, {
      title: 'CNN 16-32-10',
      layers: simpleCnn(quick ? { channels: [2, 4] } : {}),
      size: DIGITS,
      data: { ...data, training: classified(data.training), validation: classified(data.validation) },
      field: {
        adam: [3e-3, 1e-2, 2e-2],
        ekfac: [1.2e-2],
        kfac: { learningRate: 0.03, normConstraint: null, dampingFloor: 0.1 },
        batchSize: 100,
        largeBatch: quick ? 100 : 200,
        iterations: 10,
        newtonSteps: quick ? 2 : 20,
        kfacSteps: quick ? 2 : 80,
      },
      accuracy: 0.96,
      options: { epochs: 2, evaluateEvery: 5 },
    });
  },
};

/** What networks on shapes share. */
const onShapes = (
  setup: Setup,
  given: Pick<Problem, 'title' | 'layers' | 'accuracy' | 'options'> & Pick<FieldOptions, 'adam' | 'ekfac'>,
) =>
  race(setup, {
    ...given,
    size: SHAPES,
    data: setup.quick ? shapes(setup, 32, 16) : shapes(setup, 3000, 300),
    field: {
      adam: setup.quick ? [3e-3] : given.adam,
      ekfac: setup.quick ? [3e-3] : given.ekfac,
      batchSize: setup.quick ? 16 : 64,
      largeBatch: setup.quick ? 32 : 128,
      iterations: setup.quick ? 2 : 5,
      newtonSteps: setup.quick ? 1 : 40,
      kfacSteps: setup.quick ? 1 : 120,
    },
    options: {
      evaluateEvery: 8,
      augment: imageAugmentation(SHAPES, { padding: 2, flip: true, seed: setup.seed }),
      ...(setup.quick ? { epochs: 1 } : given.options),
    },
  });

/** ResNet-20 on shapes. */
export const resnet20: Experiment = {
  what: 'ResNet-20 on generated shapes: every kind of optimizer',
  run: (setup) =>
    onShapes(setup, {
      title: 'ResNet-20',
      layers: resnetLayers(),
      accuracy: 0.6,
      options: { epochs: 8 },
      adam: [1e-3, 3e-3, 1e-2],
      ekfac: [3e-3],
    }),
};

/** MobileNet × 0.5 on shapes. */
export const mobilenet: Experiment = {
  what: 'MobileNet × 0.5 on generated shapes: every kind of optimizer',
  run: (setup) =>
    onShapes(setup, {
      title: 'MobileNet × 0.5',
      layers: mobilenetLayers(0.5),
      accuracy: 0.35,
      options: { epochs: 14 },
      adam: [3e-3, 1e-2],
      ekfac: [3e-3, 1e-2],
    }),
};
