/**
 * A data set of images: bytes that become numbers batch by batch, so that a large set takes a byte a pixel.
 */
import { requirePrecision } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { floats } from '../core/floats.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { block, zeros, type FloatArray, type Precision } from '../dense/matrix.js';
import type { LabeledImages } from '../io/labeled-images.js';
import { labelTargets, type DataSet } from './data-set.js';

/** Mean and standard deviation of each channel's values, which lie in [0, 1]. */
export interface ChannelStatistics {
  readonly means: readonly number[];
  readonly deviations: readonly number[];
}

/** How images become numbers. */
export interface ImageDataSetOptions {
  /** Precision of inputs and targets. Default 'f64'. */
  readonly precision?: Precision | undefined;
  /**
   * Whether each channel is shifted and scaled: false (default) leaves values in [0, 1]; true takes mean and standard
   * deviation of these images, which give mean 0 and deviation 1; statistics are taken as they are, those of the
   * training images for others. A channel of deviation 0 is shifted only.
   */
  readonly standardize?: boolean | ChannelStatistics | undefined;
}
const IMAGE_DATA_SET_KEYS: KeysOf<ImageDataSetOptions> = { precision: true, standardize: true };

/** A data set of images and their classes: inputs channel by channel, targets unit vectors. */
export interface ImageDataSet extends DataSet {
  /** What the inputs were shifted and scaled by; undefined where they were not. */
  readonly statistics: ChannelStatistics | undefined;
}

const VALUES = 256;

/** Mean and deviation of each channel, from the counts of its 256 values: exact but for the last roundings. */
function statisticsOf({ channels, height, width, pixels }: LabeledImages): ChannelStatistics {
  const size = height * width;
  const counts = new Float64Array(channels * VALUES);
  for (let at = 0, c = 0; at < pixels.length; at += size, c = (c + 1) % channels)
    for (let p = at; p < at + size; p++) counts[c * VALUES + pixels[p]]++;
  const total = pixels.length / channels;
  const means: number[] = [];
  const deviations: number[] = [];
  for (let c = 0; c < channels; c++) {
    const own = counts.subarray(c * VALUES, (c + 1) * VALUES);
    const mean = own.reduce((sum, n, value) => sum + n * value, 0) / total;
    const square = own.reduce((sum, n, value) => sum + n * (value - mean) ** 2, 0) / total;
    means.push(mean / 255);
    deviations.push(Math.sqrt(square) / 255);
  }
  return { means, deviations };
}

function checkImages(images: LabeledImages): void {
  const given: unknown = images;
  const { channels, height, width, pixels, labels, classes } = (given ?? {}) as Partial<LabeledImages>;
  const sizes = [channels, height, width];
  if (!(pixels instanceof Uint8Array) || !(labels instanceof Int32Array) || !Array.isArray(classes))
    throw new OptionError(
      'imageDataSet takes images { channels, height, width, classes, labels: Int32Array, pixels: Uint8Array }, as ' +
        `readCifar10 reads them, not ${describe(given)}.`,
    );
  if (!sizes.every((n) => Number.isSafeInteger(n) && n! > 0))
    throw new ShapeError(
      `Images have sizes of at least 1, not ${sizes.map(describe).join(' × ')} (channels, height, width).`,
      { channels, height, width },
    );
  if (labels.length === 0) throw new ShapeError('There is no image.', {});
  const size = sizes.reduce<number>((product, n) => product * n!, 1);
  if (pixels.length !== labels.length * size)
    throw new ShapeError(
      `${labels.length} labels and ${pixels.length} bytes of pixels: images of ${sizes.join(' × ')} need ` +
        `${labels.length * size}.`,
      { labels: labels.length, pixels: pixels.length, size },
    );
}

/** Throws OptionError unless there is a finite mean and a deviation of at least 0 for every channel. */
function checkStatistics(statistics: ChannelStatistics, channels: number): ChannelStatistics {
  const given = statistics as Partial<ChannelStatistics> | null;
  const wrong =
    typeof given !== 'object' ||
    [given?.means, given?.deviations].some(
      (list) => list?.length !== channels || !Array.from(list).every(Number.isFinite),
    ) ||
    !given!.deviations!.every((deviation) => deviation >= 0);
  if (wrong)
    throw new OptionError(
      'standardize must be true, false or { means, deviations }, a finite number for each of the ' +
        `${channels} channels and no negative deviation, not ${describe(statistics)}.`,
      { option: 'standardize' },
    );
  return statistics;
}

/** What each byte of each channel becomes: entry 256·c + byte. */
function valueTable(channels: number, statistics: ChannelStatistics | undefined, precision: Precision): FloatArray {
  const table = floats(channels * VALUES, precision);
  for (let c = 0; c < channels; c++) {
    const mean = statistics?.means[c] ?? 0;
    const deviation = statistics?.deviations[c] ?? 1;
    for (let value = 0; value < VALUES; value++)
      table[c * VALUES + value] = (value / 255 - mean) / (deviation === 0 ? 1 : deviation);
  }
  return table;
}

/**
 * A data set of labelled images, one a column, channel after channel as the bytes lie, scaled to [0, 1] or
 * standardized; targets are unit vectors of the classes. The bytes are not copied: a batch is made of them when it is
 * asked for, in memory that the next one reuses. Throws ShapeError, OptionError (a label that is no class).
 */
export function imageDataSet(images: LabeledImages, options: ImageDataSetOptions = {}): ImageDataSet {
  requireKnownOptions(options, IMAGE_DATA_SET_KEYS, 'imageDataSet');
  checkImages(images);
  const { channels, height, width, pixels, labels, classes } = images;
  const precision = requirePrecision(options.precision ?? 'f64');
  const { standardize = false } = options;
  const statistics =
    standardize === false
      ? undefined
      : standardize === true
        ? statisticsOf(images)
        : checkStatistics(standardize, channels);
  const targets = labelTargets(labels, classes.length, precision);
  const table = valueTable(channels, statistics, precision);
  const size = height * width;
  const inputs = channels * size;
  const outputs = classes.length;
  let room = zeros(inputs, 0, precision);
  return {
    samples: labels.length,
    inputs,
    outputs,
    statistics,
    batch: (first, count) => {
      if (room.cols < count) room = zeros(inputs, count, precision);
      const out = room.data;
      for (let c = 0; c < channels; c++)
        for (let j = 0; j < count; j++) {
          const from = ((first + j) * channels + c) * size;
          const to = (j * channels + c) * size;
          for (let p = 0; p < size; p++) out[to + p] = table[c * VALUES + pixels[from + p]];
        }
      return { inputs: block(room, 0, 0, inputs, count), targets: block(targets, 0, first, outputs, count) };
    },
  };
}
