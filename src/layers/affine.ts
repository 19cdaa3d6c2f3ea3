/**
 * Layers that multiply by a matrix of weights: dense layers, on every position of their inputs, and convolutions.
 */
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { requireNonNegative, requireWhole } from '../core/checks.js';
import type { Node } from '../tape/node.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { lastRow } from '../tape/primitives/biases.js';
import { spread } from '../tape/primitives/spread.js';
import { sum } from '../tape/primitives/sum.js';
import { rowsOf, type Shape } from '../tape/shape.js';
import type { Builder, Layer } from './builder.js';
import { geometryOver, windowsOf, type WindowOptions } from './windows.js';

/** Settings of {@link dense}. */
export interface DenseOptions {
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Deviation of the initial weights. Default √(2/inputs) (He). */
  readonly deviation?: number | undefined;
}

const DENSE_KEYS: KeysOf<DenseOptions> = { bias: 'boolean', deviation: 'number' };

/** Wᵀx + b at every position, from all features of x to `units`. Initial weights N(0, 2/inputs). Throws OptionError. */
export function dense(units: number, options: DenseOptions = {}): Layer {
  requireWhole(units, 'units of dense', 1);
  const { bias = true, deviation } = requireKnownOptions(options, DENSE_KEYS, 'dense');
  if (deviation !== undefined) requireNonNegative(deviation, 'deviation');
  return (builder, x) => {
    const inputs = rowsOf(x.shape);
    const initial = { kind: 'normal', deviation: deviation ?? Math.sqrt(2 / inputs) } as const;
    const w = builder.block({ name: 'weight', kind: 'dense', inputs, outputs: units, bias, initial });
    const shape: Shape = { ...x.shape, dims: [units, ...x.shape.dims.slice(1)] };
    return withBias(builder, bias ? w : null, shape, () =>
      bilinear(builder.graph, 'dense', { mode: 2 }, [w, x], shape),
    );
  };
}

/** Settings of {@link conv2d}; pairs are [horizontal, vertical]. */
export interface ConvolutionOptions extends WindowOptions {
  /**
   * Channels are split into so many groups, each with outputs of its own; as many as channels: depthwise. Default 1.
   */
  readonly groups?: number | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
}

const CONVOLUTION_KEYS: KeysOf<ConvolutionOptions> = {
  stride: true,
  padding: true,
  dilation: true,
  groups: 'number',
  bias: 'boolean',
};

/**
 * A convolution with `channels` outputs (cross-correlation, as frameworks have it): kernels of kernel × kernel pixels.
 * Initial weights N(0, 2/(inputs·pixels)). With as many groups as channels every channel has a kernel of its own.
 * Throws OptionError; the network throws ShapeError where images and windows do not fit.
 */
export function conv2d(
  channels: number,
  kernel: number | readonly [number, number],
  options: ConvolutionOptions = {},
): Layer {
  requireWhole(channels, 'channels of conv2d', 1);
  const { groups = 1, bias = true } = requireKnownOptions(options, CONVOLUTION_KEYS, 'conv2d');
  requireWhole(groups, 'groups', 1);
  const windows = windowsOf('conv2d', kernel, options);
  return (builder, x) => {
    const { graph } = builder;
    const geometry = geometryOver(graph, 'conv2d', x, windows);
    const inputs = rowsOf(x.shape);
    if (!(inputs % groups === 0 && channels % groups === 0))
      graph.fail('conv2d', `${groups} groups do not divide ${inputs} channels into ${channels}.`);
    const window = windows.kernel;
    const taps = window[0] * window[1];
    const shape: Shape = { perSample: true, dims: [channels, geometry.outWidth, geometry.outHeight] };
    const deviation = Math.sqrt((2 * groups) / (inputs * taps));
    const initial = { kind: 'normal', deviation } as const;
    if (groups === inputs && channels === inputs && groups > 1) {
      const w = builder.block({ name: 'weight', kind: 'vector', inputs, outputs: taps, bias: false, initial, window });
      const y = bilinear(graph, 'depthwise', { mode: 2, settings: { ...geometry } }, [w, x], shape);
      return bias ? sum(graph, [y, spread(graph, builder.vector('bias', channels, 0), 'columns', shape)]) : y;
    }
    const own = (inputs / groups) * taps;
    const request = { name: 'weight', kind: 'convolution', inputs: own, outputs: channels, bias, initial } as const;
    const w = builder.block({ ...request, window });
    return withBias(builder, bias ? w : null, shape, () =>
      bilinear(graph, 'convolution', { mode: 2, settings: { ...geometry, groups } }, [w, x], shape),
    );
  };
}

/** The product plus w's biases. They come first, so that w's gradient begins with the product's, which fills it. */
function withBias({ graph }: Builder, w: Node | null, shape: Shape, product: () => Node): Node {
  if (w === null) return product();
  const biases = spread(graph, lastRow(graph, w), 'columns', shape);
  return sum(graph, [product(), biases]);
}
