/**
 * Residual networks (K. He, X. Zhang, S. Ren, J. Sun, *Deep residual learning for image recognition*, CVPR 2016): those
 * for images of 32 × 32 pixels, with parameters named as in the widespread PyTorch version of them ("linear" last), and
 * those for large ones, named as in torchvision ("fc" last; "downsample" shortcuts; strides in the 3 × 3 convolution).
 */
import { requireName, requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { relu, residual, sequential, stack } from '../layers/compose.js';
import { averagePool, globalAveragePool, maxPool } from '../layers/pooling.js';
import { place } from '../tape/primitives/rearrange.js';
import { rowsOf } from '../tape/shape.js';
import { convolution, IMAGE_MODEL_KEYS, normsOf, type ImageModelOptions } from './image-options.js';

/** Settings of {@link resnet20} and {@link resnet32}. */
export interface SmallResnetOptions extends ImageModelOptions {
  /**
   * Shortcuts where channels double: 'A' every second pixel, and zeros for the new channels, without parameters, as in
   * the paper; 'B' a 1 × 1 convolution with batch norm. Default 'A'.
   */
  readonly shortcut?: 'A' | 'B' | undefined;
  /** Those of the first stage; the others have twice and four times as many. Default 16. */
  readonly channels?: number | undefined;
}

/** Settings of {@link resnet18} and {@link resnet50}. */
export interface ResnetOptions extends ImageModelOptions {
  /**
   * How images come in: 'large' (224 × 224) by a 7 × 7 convolution of stride 2 and maxima of stride 2; 'small' (32 ×
   * 32) by a 3 × 3 convolution of stride 1. Default 'large'.
   */
  readonly images?: 'large' | 'small' | undefined;
}

const SMALL_KEYS: KeysOf<SmallResnetOptions> = { ...IMAGE_MODEL_KEYS, shortcut: true, channels: 'number' };
const LARGE_KEYS: KeysOf<ResnetOptions> = { ...IMAGE_MODEL_KEYS, images: true };

/** 20 layers for images of 32 × 32: 3 stages of 3 blocks, usually of 16, 32 and 64 channels. Throws OptionError. */
export const resnet20 = (options: SmallResnetOptions = {}): Layer => small(3, options, 'resnet20');

/** 32 layers for images of 32 × 32: 3 stages of 5 blocks, usually of 16, 32 and 64 channels. Throws OptionError. */
export const resnet32 = (options: SmallResnetOptions = {}): Layer => small(5, options, 'resnet32');

/** 18 layers: 4 stages of 2 blocks with 64 to 512 channels. Throws OptionError. */
export const resnet18 = (options: ResnetOptions = {}): Layer =>
  large({ blocks: [2, 2, 2, 2], block: basic, growth: 1 }, options, 'resnet18');

/** 50 layers: 4 stages of 3, 4, 6 and 3 blocks of three convolutions, with 256 to 2048 channels. Throws OptionError. */
export const resnet50 = (options: ResnetOptions = {}): Layer =>
  large({ blocks: [3, 4, 6, 3], block: bottleneck, growth: 4 }, options, 'resnet50');

/** How a block is made. */
interface BlockSettings {
  readonly channels: number;
  readonly stride: number;
  readonly norm: () => Layer;
}

const basic = ({ channels, stride, norm }: BlockSettings): Layer =>
  stack({
    conv1: convolution(channels, 3, { stride }),
    bn1: norm(),
    relu,
    conv2: convolution(channels, 3),
    bn2: norm(),
  });

const bottleneck = ({ channels, stride, norm }: BlockSettings): Layer =>
  stack({
    conv1: convolution(channels, 1),
    bn1: norm(),
    relu1: relu,
    conv2: convolution(channels, 3, { stride }),
    bn2: norm(),
    relu2: relu,
    conv3: convolution(4 * channels, 1),
    bn3: norm(),
  });

const projection = (channels: number, stride: number, norm: () => Layer): Layer =>
  sequential(convolution(channels, 1, { stride }), norm());

/** Every stride-th pixel, among `channels` of which the others are zero. */
const subsampled =
  (channels: number, stride: number): Layer =>
  (builder, x) => {
    const fewer = averagePool(1, { stride })(builder, x);
    return place(builder.graph, fewer, Math.floor((channels - rowsOf(x.shape)) / 2), channels);
  };

function small(blocks: number, options: SmallResnetOptions, of: string): Layer {
  const { classes = 10, shortcut = 'A', channels: own = 16 } = requireKnownOptions(options, SMALL_KEYS, of);
  requireWhole(own, 'channels', 1);
  const norm = normsOf(options);
  requireName(shortcut, 'shortcut', of, ['A', 'B']);
  const stage = (channels: number, first: number): Layer =>
    sequential(
      ...Array.from({ length: blocks }, (_, k) => {
        const stride = k === 0 ? first : 1;
        const main = basic({ channels, stride, norm });
        if (stride === 1) return sequentialRelu(residual(main));
        return sequentialRelu(
          residual(main, shortcut === 'A' ? subsampled(channels, stride) : projection(channels, stride, norm)),
        );
      }),
    );
  return stack({
    conv1: convolution(own, 3),
    bn1: norm(),
    relu,
    layer1: stage(own, 1),
    layer2: stage(2 * own, 2),
    layer3: stage(4 * own, 2),
    pool: globalAveragePool,
    linear: dense(classes),
  });
}

/** The layer, then relu, without a name of its own. */
const sequentialRelu =
  (layer: Layer): Layer =>
  (builder, x) =>
    relu(builder, layer(builder, x));

/** The blocks of a network. */
interface Plan {
  readonly blocks: readonly [number, number, number, number];
  readonly block: (settings: BlockSettings) => Layer;
  /** Channels behind a block, for one of its own. */
  readonly growth: number;
}

function large({ blocks, block, growth }: Plan, options: ResnetOptions, of: string): Layer {
  const { classes = 1000, images = 'large' } = requireKnownOptions(options, LARGE_KEYS, of);
  const norm = normsOf(options);
  requireName(images, 'images', of, ['large', 'small']);
  const stage = (index: number): Layer => {
    const channels = 64 << index;
    const changes = index > 0 || growth > 1;
    return sequential(
      ...Array.from({ length: blocks[index] }, (_, k) => {
        const stride = k === 0 && index > 0 ? 2 : 1;
        const shortcut = k === 0 && changes ? projection(growth * channels, stride, norm) : undefined;
        return sequentialRelu(residual(block({ channels, stride, norm }), shortcut, 'downsample'));
      }),
    );
  };
  const rest = { layer1: stage(0), layer2: stage(1), layer3: stage(2), layer4: stage(3) };
  return stack({
    conv1: images === 'large' ? convolution(64, 7, { stride: 2 }) : convolution(64, 3),
    bn1: norm(),
    relu,
    ...(images === 'large' ? { maxpool: maxPool(3, { stride: 2, padding: 1 }) } : {}),
    ...rest,
    avgpool: globalAveragePool,
    fc: dense(classes),
  });
}
