/**
 * Images and labels as the data of a network: an autoencoder's targets are its inputs, a classifier's are unit vectors.
 */
import type { RunControl } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import { tableTaken } from '../io/csv-format.js';
import { readLabels } from '../io/labels.js';
import { readPoints, type PointTable } from '../io/points.js';
import { labelTargets, memoryDataSet, type DataSet } from '../network/data-set.js';
import { lossOf, type LossName } from '../network/losses/table.js';
import type { Network } from '../network/network.js';
import type { Points } from '../source/entry-source.js';
import type { TableReading } from './record.js';
import { sampleDataSet, type SampleTable } from './sample-table.js';

/** Images, with their labels where there are any. */
export interface LabeledImages {
  /** One image a point, grey values from 0 to 1, row by row. */
  readonly images: Points;
  readonly labels?: Int32Array | undefined;
  /** What was taken, where the images came as a table. */
  readonly tables?: readonly TableReading[] | undefined;
}

/** What networks are trained with. */
export type NetworkSamples = LabeledImages | SampleTable;

/**
 * The first `limit` images of a file (IDX as MNIST comes, .npy, a table), and their labels where there is a file of
 * them: image i has label i. Throws ShapeError unless the files hold equally many, whatever the limit, and what
 * readPoints and readLabels throw.
 */
export async function readLabeledImages(
  images: string,
  labels: string | undefined,
  limit: number,
  control: RunControl = {},
): Promise<LabeledImages & { readonly images: PointTable }> {
  const points = await readPoints(images, { ...control, limit });
  if (labels === undefined) return { images: points };
  const all = await readLabels(labels, control);
  // A table read up to the limit does not know how many rows follow.
  const total = points.total ?? (await readPoints(images, control)).count;
  if (all.length !== total) {
    const what = `${images} holds ${total} images, ${labels} ${all.length} labels`;
    throw new ShapeError(`${what}: there must be as many of both. Are they of one set (train or t10k)?`, {
      images: total,
      labels: all.length,
    });
  }
  return { images: points, labels: all.subarray(0, limit) };
}

/** Side of the images that networks of 196 inputs see halved. */
const SIDE = 28;
const HALF = SIDE / 2;

/** Means of 2 × 2 pixels of 28 × 28 images. */
export function halvedImages({ count, coordinates }: Points): Points {
  const halved = sharedFloat64(count * HALF * HALF);
  for (let k = 0, to = 0; k < count; k++) {
    for (let i = 0; i < HALF; i++) {
      for (let j = 0; j < HALF; j++) {
        const at = SIDE * SIDE * k + 2 * i * SIDE + 2 * j;
        halved[to++] =
          (coordinates[at] + coordinates[at + 1] + coordinates[at + SIDE] + coordinates[at + SIDE + 1]) / 4;
      }
    }
  }
  return { dimension: HALF * HALF, count, coordinates: halved };
}

/** Whether the network gives back what it takes: a loss on classes makes even a square one a classifier. */
export const isAutoencoder = ({ inputs, outputs }: Pick<Network, 'inputs' | 'outputs'>, loss: LossName): boolean =>
  inputs === outputs && !lossOf(loss).classes;

/**
 * The first `samples` images as a data set in memory. Networks of 196 inputs see 28 × 28 images halved; rows of one's
 * own are taken as they are (`sampleDataSet`).
 * Throws OptionError (too few images, labels out of range or missing), ShapeError (images of another size, more or
 * fewer labels than images).
 */
export function networkData(network: Network, loss: LossName, data: NetworkSamples, samples: number): DataSet {
  if ('inputs' in data) return sampleDataSet(network, loss, data, samples);
  const { images, labels, tables = [] } = data;
  if (images.count < samples)
    throw new OptionError(`There are ${images.count} images; ${samples} samples are asked for.`, {
      option: 'samples',
      images: images.count,
      samples,
    });
  if (labels !== undefined && labels.length !== images.count) {
    const counts = { images: images.count, labels: labels.length };
    throw new ShapeError(`There are ${counts.images} images and ${counts.labels} labels: as many are needed.`, counts);
  }
  const fitting = network.inputs === HALF * HALF && images.dimension === SIDE * SIDE ? halvedImages(images) : images;
  if (fitting.dimension !== network.inputs) {
    throw new ShapeError(
      `The network takes ${network.inputs} inputs, the images have ${images.dimension} pixels: its first width ` +
        'must be ' +
        `${images.dimension}${images.dimension === SIDE * SIDE ? `, or ${HALF * HALF} for halved images` : ''}.` +
        tables.map(({ name, table }) => ` ${tableTaken(name, table)}`).join(''),
      { network: network.inputs, images: images.dimension },
    );
  }
  const inputs: Matrix = view(
    fitting.coordinates.subarray(0, samples * fitting.dimension),
    0,
    fitting.dimension,
    samples,
  );
  if (isAutoencoder(network, loss)) return memoryDataSet(inputs, inputs, { samples: 'columns' });
  if (labels === undefined)
    throw new OptionError(
      `A network of ${network.outputs} outputs with the loss ${loss} is a classifier and needs labels: pass a ` +
        'file of them, or use the generated digits.',
      { option: 'labels' },
    );
  return memoryDataSet(inputs, labelTargets(labels.subarray(0, samples), network.outputs), { samples: 'columns' });
}
