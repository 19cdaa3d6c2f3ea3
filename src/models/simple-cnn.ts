/**
 * A small network of convolutions, for digits.
 */
import { requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { conv2d, dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { flatten, relu, stack } from '../layers/compose.js';
import { maxPool } from '../layers/pooling.js';
import { pairOf } from '../layers/windows.js';

/** Settings of {@link simpleCnn}. */
export interface SimpleCnnOptions {
  /** Default 10. */
  readonly classes?: number | undefined;
  /** Channels of the two convolutions. Default [16, 32]. */
  readonly channels?: readonly [number, number] | undefined;
}

const SIMPLE_CNN_KEYS: KeysOf<SimpleCnnOptions> = { classes: 'number', channels: true };

/**
 * Two convolutions of 3 × 3, each with relu and the maxima of 2 × 2 pixels behind it, and a dense layer: parameters
 * "conv1", "conv2", "fc". Throws OptionError.
 */
export function simpleCnn(options: SimpleCnnOptions = {}): Layer {
  const { classes = 10, channels = [16, 32] } = requireKnownOptions(options, SIMPLE_CNN_KEYS, 'simpleCnn');
  requireWhole(classes, 'classes', 1);
  const [first, second] = pairOf(channels, 'channels', 'simpleCnn');
  return stack({
    conv1: conv2d(first, 3, { padding: 'same' }),
    relu1: relu,
    pool1: maxPool(2),
    conv2: conv2d(second, 3, { padding: 'same' }),
    relu2: relu,
    pool2: maxPool(2),
    flatten,
    fc: dense(classes),
  });
}
