/**
 * Labelled images as data sets for training and validation, with the sizes that networks are made for: grey ones as
 * they are, from 0 to 1; bytes with channels standardized by those that are trained on.
 */
import { ShapeError } from '../core/errors.js';
import type { Precision } from '../core/floats.js';
import { view } from '../dense/matrix.js';
import type { LabeledImages } from '../io/labeled-images.js';
import { labelTargets, memoryDataSet, type DataSet } from '../network/data-set.js';
import { imageDataSet } from '../network/image-data.js';
import type { Points } from '../source/entry-source.js';
import { splitData, splitNumbers } from '../training/data/split.js';
import type { ImageSizes } from './models.js';
import { classesOf } from './training-task.js';

/** How images become data. */
export interface ImageSetOptions {
  /** Share that is kept apart. */
  readonly validation: number;
  readonly seed: number;
  readonly precision: Precision;
  /** Whether images are their own targets. */
  readonly reconstructs: boolean;
}

/** Data with the sizes of its images. */
export interface ImageSets {
  readonly sizes: ImageSizes;
  readonly training: DataSet;
  readonly validation: DataSet | null;
}

/** The side of square images of one channel. Throws ShapeError. */
function sideOf(pixels: number): number {
  const side = Math.sqrt(pixels);
  if (!Number.isInteger(side))
    throw new ShapeError(
      `Images of ${pixels} numbers are not square: networks of layers take grey images of equal sides, such as 28 × ` +
        '28, or those of CIFAR-10.',
      { pixels },
    );
  return side;
}

/** Grey images, with the labels of their classes where these are needed. */
export interface GreyImages {
  /** One image a point, grey values from 0 to 1, row by row. */
  readonly images: Points;
  readonly labels?: Int32Array | undefined;
  /** How many classes there are, where that is known better than by the labels. */
  readonly classes?: number | undefined;
}

/** Square grey images. Throws ShapeError, OptionError. */
export function greySets(
  { images, labels, classes = labels === undefined ? 0 : classesOf(labels) }: GreyImages,
  { validation, seed, reconstructs }: ImageSetOptions,
): ImageSets {
  const { coordinates, count, dimension } = images;
  const side = sideOf(dimension);
  const inputs = view(coordinates, 0, dimension, count);
  const targets = reconstructs ? inputs : labelTargets(labels!, classes);
  const data = memoryDataSet(inputs, targets, { samples: 'columns' });
  const sizes = { channels: 1, height: side, width: side, classes };
  return validation === 0
    ? { sizes, training: data, validation: null }
    : { sizes, ...splitData(data, validation, seed) };
}

/** Images of bytes; those that are their own targets from 0 to 1. Throws OptionError. */
export function byteSets(
  images: LabeledImages,
  { validation, seed, precision, reconstructs }: ImageSetOptions,
): ImageSets {
  const { channels, height, width, classes, labels } = images;
  const sizes = { channels, height, width, classes: classes.length };
  const part = validation === 0 ? null : splitNumbers(labels.length, validation, seed);
  const own = part === null ? images : imagesOf(images, part.training);
  const apart = part === null ? null : imagesOf(images, part.validation);
  if (reconstructs) {
    const data = (some: LabeledImages): DataSet => reconstructed(imageDataSet(some, { precision }));
    return { sizes, training: data(own), validation: apart && data(apart) };
  }
  const training = imageDataSet(own, { precision, standardize: true });
  return { sizes, training, validation: apart && imageDataSet(apart, { precision, standardize: training.statistics }) };
}

/** The images of those numbers. */
function imagesOf(images: LabeledImages, numbers: Int32Array): LabeledImages {
  const size = images.channels * images.height * images.width;
  const pixels = new Uint8Array(size * numbers.length);
  numbers.forEach((from, to) => {
    pixels.set(images.pixels.subarray(from * size, (from + 1) * size), to * size);
  });
  return { ...images, pixels, labels: numbers.map((number) => images.labels[number]) };
}

/** The data with its inputs as targets. */
const reconstructed = (data: DataSet): DataSet => ({
  samples: data.samples,
  inputs: data.inputs,
  outputs: data.inputs,
  batch: (first, count) => {
    const { inputs } = data.batch(first, count);
    return { inputs, targets: inputs };
  },
});
