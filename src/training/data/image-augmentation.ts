/**
 * Images moved at random while a network trains: cropped from a padded frame, shifted, mirrored.
 * What is drawn depends on (seed, epoch, number of the sample) alone, so neither batches nor their order matter.
 * Padding and cropping after A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional
 * neural networks", 2012, §4.1, and K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning", 2016, §4.2.
 */
import { requireSeed, requireWhole } from '../../core/checks.js';
import { OptionError, ShapeError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { hashKey, hashSeed } from '../../core/random.js';
import { checkView, type Matrix } from '../../dense/matrix.js';

/** Sizes of images that lie channel by channel, each row by row. */
export interface ImageSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** How images are moved. */
export interface ImageAugmentationOptions {
  /** Mirror left and right, each second image by chance. Default false. */
  readonly flip?: boolean | undefined;
  /** Most pixels by which an image is shifted, down or up and right or left. Default 0. */
  readonly shift?: number | undefined;
  /** Pixels added on each side before the crop. Default 0. */
  readonly padding?: number | undefined;
  /** Height of the crop, anywhere in the padded image. Default the image's. */
  readonly height?: number | undefined;
  /** Width of the crop. Default the image's. */
  readonly width?: number | undefined;
  /**
   * What lies beyond an image: 'fill' (default) the value `fill`, 'edge' its nearest pixel, 'reflect' its mirror image
   * about the outermost pixels.
   */
  readonly beyond?: 'fill' | 'edge' | 'reflect' | undefined;
  /** Value beyond an image. Default 0: black, or the mean of standardized channels. */
  readonly fill?: number | undefined;
  /** Default 0. Seeds all draws. */
  readonly seed?: number | undefined;
}
const IMAGE_AUGMENTATION_KEYS: KeysOf<ImageAugmentationOptions> = {
  flip: 'boolean',
  shift: 'number',
  padding: 'number',
  height: 'number',
  width: 'number',
  beyond: true,
  fill: 'number',
  seed: 'number',
};

/** Moves batches of images; sizes are those of what it makes. */
export interface ImageAugmentation extends ImageSize {
  /** Every option, defaults filled in: what the checkpoint of a run is compared by. */
  readonly settings: Readonly<Record<keyof ImageAugmentationOptions, number | string | boolean>>;
  /**
   * out ← the images in the columns of x, moved. numbers[j] is the number of column j's sample in the data: the same
   * image is moved in the same way whenever (seed, epoch, number) are the same. Allocates nothing that grows with
   * the batch. Throws ShapeError, also where x and out overlap, and OptionError.
   */
  apply(x: Matrix, numbers: ArrayLike<number>, epoch: number, out: Matrix): void;
}

/** Keeps these draws apart from others of the same seed. */
const PURPOSE = 0x6175676d;
const BEYOND = ['fill', 'edge', 'reflect'] as const;
/** Marks rows and columns that hold the fill. */
const OUTSIDE = -1;

/** A whole number from `least` to `most`, uniform: draw number `k` of those that begin with `hash`. */
const drawn = (hash: number, k: number, least: number, most: number): number =>
  least + Math.floor((hashKey(hash, k) / 4294967296) * (most - least + 1));

/** Line i of n lines, those beyond them too. */
function lineOf(i: number, n: number, beyond: (typeof BEYOND)[number]): number {
  if (i >= 0 && i < n) return i;
  if (beyond === 'fill') return OUTSIDE;
  if (beyond === 'edge') return i < 0 ? 0 : n - 1;
  return i < 0 ? -i : 2 * (n - 1) - i;
}

function requireSize(image: ImageSize): void {
  const { channels, height, width } = (image as ImageSize | null | undefined) ?? {};
  if ([channels, height, width].every((n) => Number.isSafeInteger(n) && n! > 0)) return;
  const wanted = '{ channels, height, width }, whole numbers of at least 1';
  const sizes = `${describe(channels)}, ${describe(height)}, ${describe(width)}`;
  throw new ShapeError(`imageAugmentation takes the size of the images, ${wanted}, not ${sizes}.`, {
    channels,
    height,
  });
}

const overlap = (x: Matrix, out: Matrix): boolean =>
  x.data.buffer === out.data.buffer && placeOf(x, 0) < placeOf(out, out.cols) && placeOf(out, 0) < placeOf(x, x.cols);
const placeOf = ({ data, offset, ld }: Matrix, column: number): number =>
  data.byteOffset + data.BYTES_PER_ELEMENT * (offset + column * ld);

function checkBatch(x: Matrix, numbers: ArrayLike<number>, out: Matrix, inside: ImageSize, made: ImageSize): void {
  for (const [name, matrix, { channels, height, width }] of [
    ['x', x, inside],
    ['out', out, made],
  ] as const) {
    checkView(matrix, name);
    if (matrix.rows !== channels * height * width)
      throw new ShapeError(
        `${name} has ${matrix.rows} rows; images of ${channels} × ${height} × ${width} have ` +
          `${channels * height * width}, one image a column.`,
        { name, rows: matrix.rows },
      );
  }
  if (x.cols !== out.cols || numbers.length !== x.cols)
    throw new ShapeError(`${x.cols} images, ${numbers.length} numbers of samples, ${out.cols} columns of out.`, {
      images: x.cols,
      numbers: numbers.length,
      out: out.cols,
    });
  if (overlap(x, out)) throw new ShapeError('x and out overlap: images cannot be moved in place.', {});
}

/**
 * Random moves of images of one size, any number of channels: a crop of `height` × `width` anywhere in the image
 * padded by `padding`, shifted by up to `shift` pixels, and mirrored (`flip`), each drawn uniformly. The crop of the
 * image's own size from a padding of 4, and `flip`, are what CIFAR-10 is trained with. Throws OptionError (a crop
 * larger than the padded image; reflections beyond the other edge), ShapeError.
 */
export function imageAugmentation(image: ImageSize, options: ImageAugmentationOptions = {}): ImageAugmentation {
  requireSize(image);
  requireKnownOptions(options, IMAGE_AUGMENTATION_KEYS, 'imageAugmentation');
  const { channels, height: rows, width: cols } = image;
  const { flip = false, beyond = 'fill', fill = 0 } = options;
  const shift = requireWhole(options.shift ?? 0, 'shift', 0, 2 ** 20);
  const padding = requireWhole(options.padding ?? 0, 'padding', 0, 2 ** 20);
  const height = requireWhole(options.height ?? rows, 'height', 1, rows + 2 * padding);
  const width = requireWhole(options.width ?? cols, 'width', 1, cols + 2 * padding);
  const seed = requireSeed(options.seed ?? 0);
  const hash = hashKey(hashSeed(seed), PURPOSE);
  if (!BEYOND.includes(beyond))
    throw new OptionError(`beyond must be 'fill', 'edge' or 'reflect', not ${describe(beyond)}.`, { option: 'beyond' });
  if (!Number.isFinite(fill))
    throw new OptionError(`fill must be a finite number, not ${describe(fill)}.`, { option: 'fill' });
  const least = Math.min(rows, cols) - 1;
  if (beyond === 'reflect' && shift + padding > least)
    throw new OptionError(
      `Images of ${rows} × ${cols} can be reflected by up to ${least} pixels; padding and shift are ` +
        `${padding + shift} together.`,
      { option: 'beyond', padding, shift },
    );
  const made = { channels, height, width };
  const rowOf = new Int32Array(height);
  const columnOf = new Int32Array(width);

  const apply = (x: Matrix, numbers: ArrayLike<number>, epoch: number, out: Matrix): void => {
    checkBatch(x, numbers, out, image, made);
    const ofEpoch = hashKey(hash, requireWhole(epoch, 'epoch', 0));
    for (let j = 0; j < x.cols; j++) {
      const own = hashKey(ofEpoch, numbers[j]);
      const top = drawn(own, 0, -padding, rows + padding - height) + drawn(own, 1, -shift, shift);
      const left = drawn(own, 2, -padding, cols + padding - width) + drawn(own, 3, -shift, shift);
      const mirrored = flip && drawn(own, 4, 0, 1) === 1;
      for (let a = 0; a < height; a++) rowOf[a] = lineOf(top + a, rows, beyond);
      for (let b = 0; b < width; b++) columnOf[b] = lineOf(left + (mirrored ? width - 1 - b : b), cols, beyond);
      let to = out.offset + j * out.ld;
      for (let c = 0; c < channels; c++)
        for (let a = 0; a < height; a++) {
          const row = rowOf[a];
          const from = x.offset + j * x.ld + (c * rows + row) * cols;
          for (let b = 0; b < width; b++, to++) {
            const column = columnOf[b];
            out.data[to] = row === OUTSIDE || column === OUTSIDE ? fill : x.data[from + column];
          }
        }
    }
  };
  return { ...made, settings: { flip, shift, padding, height, width, beyond, fill, seed }, apply };
}
