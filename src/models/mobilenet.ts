/**
 * MobileNet (A. Howard et al., *MobileNets: efficient convolutional neural networks for mobile vision applications*,
 * arXiv 1704.04861): convolutions of 3 × 3 on each channel, then of 1 × 1 between channels.
 */
import { requireName, requirePositive } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { relu, sequential, stack } from '../layers/compose.js';
import { globalAveragePool } from '../layers/pooling.js';
import { rowsOf } from '../tape/shape.js';
import { convolution, IMAGE_MODEL_KEYS, normsOf, type ImageModelOptions } from './image-options.js';

/** Settings of {@link mobilenet}. */
export interface MobilenetOptions extends ImageModelOptions {
  /**
   * The first convolution's stride: 2 for 'large' images (224 × 224), 1 for 'small' ones (32 × 32). Default 'small'.
   */
  readonly images?: 'large' | 'small' | undefined;
}

const MOBILENET_KEYS: KeysOf<MobilenetOptions> = { ...IMAGE_MODEL_KEYS, images: true };

/** Channels and strides of the blocks. */
const BLOCKS: readonly (readonly [number, number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
];

/**
 * MobileNet v1 with `width` times as many channels, rounded to multiples of 8: parameters "conv1", "bn1",
 * "layers.0.conv1" (of each channel), "layers.0.conv2" (between channels), …, "linear". Throws OptionError.
 */
export function mobilenet(width = 1, options: MobilenetOptions = {}): Layer {
  requirePositive(width, 'width');
  const { classes = 10, images = 'small' } = requireKnownOptions(options, MOBILENET_KEYS, 'mobilenet');
  const norm = normsOf(options);
  requireName(images, 'images', 'mobilenet', ['large', 'small']);
  const channels = (full: number): number => Math.max(8, 8 * Math.round((full * width) / 8));
  const block = ([full, stride]: readonly [number, number]): Layer =>
    stack({
      conv1: perChannel(stride),
      bn1: norm(),
      relu1: relu,
      conv2: convolution(channels(full), 1),
      bn2: norm(),
      relu2: relu,
    });
  return stack({
    conv1: convolution(channels(32), 3, { stride: images === 'large' ? 2 : 1 }),
    bn1: norm(),
    relu,
    layers: sequential(...BLOCKS.map(block)),
    pool: globalAveragePool,
    linear: dense(classes),
  });
}

/** A convolution of 3 × 3 on each channel. */
const perChannel =
  (stride: number): Layer =>
  (builder, x) =>
    convolution(rowsOf(x.shape), 3, { stride, groups: rowsOf(x.shape) })(builder, x);
