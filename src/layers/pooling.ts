/**
 * Layers that make one number of a window of pixels, channel by channel.
 */
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { maxima } from '../tape/primitives/maximum.js';
import { gather } from '../tape/primitives/spread.js';
import { positionsOf, rowsOf, shapeText, type Shape } from '../tape/shape.js';
import type { Layer } from './builder.js';
import { windowsOf } from './windows.js';

/** Settings of {@link maxPool} and {@link averagePool}; pairs are [horizontal, vertical]. */
export interface PoolOptions {
  /** Default the window's own sides: windows beside each other. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** Pixels around the image, fewer than the window has. Default 0. */
  readonly padding?: number | readonly [number, number] | undefined;
}

const POOL_KEYS: KeysOf<PoolOptions> = { stride: true, padding: true };

/** The largest number of each window; pixels outside the image are −∞. */
export function maxPool(window: number | readonly [number, number], options: PoolOptions = {}): Layer {
  const { stride = window, padding = 0 } = requireKnownOptions(options, POOL_KEYS, 'maxPool');
  return (builder, x) => {
    const geometry = windowsOf(builder.graph, 'maxPool', x, window, { stride, padding });
    if (geometry.padX >= geometry.kernelWidth || geometry.padY >= geometry.kernelHeight)
      builder.graph.fail(
        'maxPool',
        `padding of ${geometry.padX} × ${geometry.padY} pixels makes windows of ${geometry.kernelWidth} × ` +
          `${geometry.kernelHeight} that lie outside the image: take fewer.`,
      );
    return maxima(builder.graph, x, geometry);
  };
}

/** The mean of each window; pixels outside the image count, as zeros. */
export function averagePool(window: number | readonly [number, number], options: PoolOptions = {}): Layer {
  const { stride = window, padding = 0 } = requireKnownOptions(options, POOL_KEYS, 'averagePool');
  return (builder, x) => {
    const geometry = windowsOf(builder.graph, 'averagePool', x, window, { stride, padding });
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
