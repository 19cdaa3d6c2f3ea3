/**
 * Layers that make one number of a window of pixels, channel by channel.
 */
import { OptionError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { maxima } from '../tape/primitives/maximum.js';
import { gather } from '../tape/primitives/spread.js';
import { positionsOf, rowsOf, shapeText, type Shape } from '../tape/shape.js';
import type { Layer } from './builder.js';
import { geometryOver, windowsOf } from './windows.js';

/** Settings of {@link maxPool} and {@link averagePool}; pairs are [horizontal, vertical]. */
export interface PoolOptions {
  /** Default the window's own sides: windows beside each other. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** Pixels around the image, fewer than the window has. Default 0. */
  readonly padding?: number | readonly [number, number] | undefined;
}

const POOL_KEYS: KeysOf<PoolOptions> = { stride: true, padding: true };

/** The largest number of each window; pixels outside the image are −∞. Throws OptionError. */
export function maxPool(window: number | readonly [number, number], options: PoolOptions = {}): Layer {
  const { stride = window, padding = 0 } = requireKnownOptions(options, POOL_KEYS, 'maxPool');
  const windows = windowsOf('maxPool', window, { stride, padding });
  if (windows.padding.some((pixels, k) => pixels >= windows.kernel[k]))
    throw new OptionError(
      `padding of maxPool is ${windows.padding.join(' × ')}: fewer pixels than the ${windows.kernel.join(' × ')} of ` +
        'the window.',
      { padding },
    );
  return (builder, x) => {
    const geometry = geometryOver(builder.graph, 'maxPool', x, windows);
    return maxima(builder.graph, x, geometry);
  };
}

/** The mean of each window; pixels outside the image count, as zeros. Throws OptionError. */
export function averagePool(window: number | readonly [number, number], options: PoolOptions = {}): Layer {
  const { stride = window, padding = 0 } = requireKnownOptions(options, POOL_KEYS, 'averagePool');
  const windows = windowsOf('averagePool', window, { stride, padding });
  return (builder, x) => {
    const geometry = geometryOver(builder.graph, 'averagePool', x, windows);
    const channels = rowsOf(x.shape);
    const taps = geometry.kernelWidth * geometry.kernelHeight;
    const w = builder.constant('window', [channels, taps], new Float64Array(channels * taps).fill(1 / taps));
    const shape: Shape = { perSample: true, dims: [channels, geometry.outWidth, geometry.outHeight] };
    return bilinear(builder.graph, 'depthwise', { mode: 2, settings: { ...geometry } }, [w, x], shape);
  };
}

/** The mean over all positions of a sample: features of one position. */
export const globalAveragePool: Layer = ({ graph }, x) => {
  if (!x.shape.perSample) graph.fail('globalAveragePool', `${shapeText(x.shape)} is shared by all samples.`);
  return positionsOf(x.shape) === 1 && x.shape.dims.length === 1 ? x : gather(graph, x, 'positions', true);
};
