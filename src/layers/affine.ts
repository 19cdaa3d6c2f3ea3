/**
 * Layers that multiply by a matrix of weights: dense layers, on every position of their inputs, and convolutions.
 */
import type { Geometry } from '../tape/forms/geometry.js';
import type { Node } from '../tape/node.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { lastRow } from '../tape/primitives/biases.js';
import { spread } from '../tape/primitives/spread.js';
import { sum } from '../tape/primitives/sum.js';
import { rowsOf, shapeText, type Shape } from '../tape/shape.js';
import type { Builder, Layer } from './builder.js';

/** Settings of {@link dense}. */
export interface DenseOptions {
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Deviation of the initial weights. Default √(2/inputs) (He). */
  readonly deviation?: number | undefined;
}

/** Wᵀx + b at every position, from all features of x to `units`. Initial weights N(0, 2/inputs). */
export function dense(units: number, { bias = true, deviation }: DenseOptions = {}): Layer {
  return (builder, x) => {
    const inputs = rowsOf(x.shape);
    const initial = { kind: 'normal', deviation: deviation ?? Math.sqrt(2 / inputs) } as const;
    const w = builder.block({ name: 'weight', kind: 'dense', inputs, outputs: units, bias, initial });
    const shape: Shape = { ...x.shape, dims: [units, ...x.shape.dims.slice(1)] };
    return withBias(builder, bilinear(builder.graph, 'dense', { mode: 2 }, [w, x], shape), bias ? w : null);
  };
}

/** Settings of {@link conv2d}; pairs are [horizontal, vertical]. */
export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** Zeros around the image. Default 0; 'same': as many as keep its size (stride 1, odd kernels). */
  readonly padding?: number | readonly [number, number] | 'same' | undefined;
  readonly dilation?: number | readonly [number, number] | undefined;
  /** Channels are split into so many groups, each with outputs of its own; as many as channels: depthwise. Default 1. */
  readonly groups?: number | undefined;
  /** Default true. */
  readonly bias?: boolean | undefined;
}

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

/** Windows over the images of x. Throws ShapeError where x has no images, or one smaller than a window. */
export function windowsOf(
  { graph }: Builder,
  op: string,
  x: Node,
  kernel: number | readonly [number, number],
  { stride = 1, padding = 0, dilation = 1 }: Pick<ConvolutionOptions, 'stride' | 'padding' | 'dilation'>,
): Geometry {
  if (!x.shape.perSample || x.shape.dims.length !== 3)
    graph.fail(op, `its input is ${shapeText(x.shape)}: images have channels, width and height.`);
  const [, width, height] = x.shape.dims;
  const [kernelWidth, kernelHeight] = pair(kernel);
  const [strideX, strideY] = pair(stride);
  const [dilationX, dilationY] = pair(dilation);
  for (const size of [kernelWidth, kernelHeight, strideX, strideY, dilationX, dilationY])
    if (!Number.isSafeInteger(size) || size < 1)
      graph.fail(op, `windows, strides and dilations are whole numbers of at least 1, not ${size}.`);
  const reach = [dilationX * (kernelWidth - 1) + 1, dilationY * (kernelHeight - 1) + 1];
  const [padX, padY] = padding === 'same' ? reach.map((size) => (size - 1) / 2) : pair(padding);
  if (!Number.isSafeInteger(padX) || !Number.isSafeInteger(padY) || padX < 0 || padY < 0)
    graph.fail(op, `padding of ${padX} and ${padY} pixels: whole numbers ≥ 0 ('same' takes odd kernels).`);
  const [outWidth, outHeight] = [
    Math.floor((width + 2 * padX - reach[0]) / strideX) + 1,
    Math.floor((height + 2 * padY - reach[1]) / strideY) + 1,
  ];
  if (!(outWidth >= 1 && outHeight >= 1))
    graph.fail(op, `a window of ${reach[0]} × ${reach[1]} pixels does not fit into ${width} × ${height}.`);
  const sizes = { width, height, outWidth, outHeight, kernelWidth, kernelHeight };
  return { ...sizes, strideX, strideY, padX, padY, dilationX, dilationY };
}

/**
 * A convolution with `channels` outputs (cross-correlation, as frameworks have it): kernels of kernel × kernel pixels.
 * Initial weights N(0, 2/(inputs·pixels)). With as many groups as channels every channel has a kernel of its own.
 */
export function conv2d(
  channels: number,
  kernel: number | readonly [number, number],
  options: ConvolutionOptions = {},
): Layer {
  const { groups = 1, bias = true } = options;
  return (builder, x) => {
    const { graph } = builder;
    const geometry = windowsOf(builder, 'conv2d', x, kernel, options);
    const inputs = rowsOf(x.shape);
    if (!(Number.isSafeInteger(groups) && groups >= 1 && inputs % groups === 0 && channels % groups === 0))
      graph.fail('conv2d', `${groups} groups do not divide ${inputs} channels into ${channels}.`);
    const taps = geometry.kernelWidth * geometry.kernelHeight;
    const shape: Shape = { perSample: true, dims: [channels, geometry.outWidth, geometry.outHeight] };
    const deviation = Math.sqrt((2 * groups) / (inputs * taps));
    const initial = { kind: 'normal', deviation } as const;
    if (groups === inputs && channels === inputs && groups > 1) {
      const w = builder.block({ name: 'weight', kind: 'vector', inputs, outputs: taps, bias: false, initial });
      const y = bilinear(graph, 'depthwise', { mode: 2, settings: { ...geometry } }, [w, x], shape);
      return bias ? sum(graph, [y, spread(graph, builder.vector('bias', channels, 0), 'columns', shape)]) : y;
    }
    const own = (inputs / groups) * taps;
    const w = builder.block({ name: 'weight', kind: 'convolution', inputs: own, outputs: channels, bias, initial });
    const y = bilinear(graph, 'convolution', { mode: 2, settings: { ...geometry, groups } }, [w, x], shape);
    return withBias(builder, y, bias ? w : null);
  };
}

function withBias({ graph }: Builder, y: Node, w: Node | null): Node {
  return w === null ? y : sum(graph, [y, spread(graph, lastRow(graph, w), 'columns', y.shape)]);
}
