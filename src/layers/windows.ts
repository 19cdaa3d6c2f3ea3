/**
 * Windows over images, as convolutions and poolings have them: sizes, strides and padding, checked.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import type { Geometry } from '../tape/forms/geometry.js';
import type { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import { shapeText } from '../tape/shape.js';

/** How windows lie; pairs are [horizontal, vertical]. */
export interface WindowOptions {
  /** Default 1. */
  readonly stride?: number | Pair | undefined;
  /** Zeros around the image. Default 0; 'same': as many as keep its size (stride 1, odd kernels). */
  readonly padding?: number | Pair | 'same' | undefined;
  /** Pixels from one number of a window to the next. Default 1. */
  readonly dilation?: number | Pair | undefined;
}

/** A whole number for both directions, or one for each. */
type Pair = readonly [number, number];

/** Both directions of a setting. Throws OptionError unless they are whole numbers of at least `least`. */
export function pairOf(value: number | Pair, name: string, of: string, least = 1): Pair {
  const both: readonly unknown[] = Array.isArray(value) ? value : [value, value];
  if (both.length !== 2 || !both.every((size) => Number.isSafeInteger(size) && (size as number) >= least))
    throw new OptionError(
      `${name} of ${of} must be a whole number of at least ${least}, or a pair of them, not ${describe(value)}.`,
      { [name]: value },
    );
  return both as Pair;
}

/** Windows as they are asked for, whatever the image. */
export interface Windows {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

/** The settings of windows, checked. Throws OptionError. */
export function windowsOf(
  of: string,
  kernel: number | Pair,
  { stride = 1, padding = 0, dilation = 1 }: WindowOptions,
): Windows {
  const own = pairOf(kernel, 'the window', of);
  const dilations = pairOf(dilation, 'dilation', of);
  const reach = own.map((size, k) => dilations[k] * (size - 1)) as [number, number];
  if (padding === 'same' && reach.some((size) => size % 2 === 1))
    throw new OptionError(`padding 'same' of ${of} takes windows of odd sides, not ${own.join(' × ')}.`, { padding });
  return {
    kernel: own,
    stride: pairOf(stride, 'stride', of),
    padding: padding === 'same' ? [reach[0] / 2, reach[1] / 2] : pairOf(padding, 'padding', of, 0),
    dilation: dilations,
  };
}

/** The windows over the images of x. Throws ShapeError where x has no images, or one smaller than a window. */
export function geometryOver(graph: Graph, op: string, x: Node, windows: Windows): Geometry {
  if (!x.shape.perSample || x.shape.dims.length !== 3)
    graph.fail(op, `its input is ${shapeText(x.shape)}: images have channels, width and height.`);
  const [, width, height] = x.shape.dims;
  const [kernelWidth, kernelHeight] = windows.kernel;
  const [strideX, strideY] = windows.stride;
  const [padX, padY] = windows.padding;
  const [dilationX, dilationY] = windows.dilation;
  const reach = [dilationX * (kernelWidth - 1) + 1, dilationY * (kernelHeight - 1) + 1];
  const [outWidth, outHeight] = [
    Math.floor((width + 2 * padX - reach[0]) / strideX) + 1,
    Math.floor((height + 2 * padY - reach[1]) / strideY) + 1,
  ];
  if (!(outWidth >= 1 && outHeight >= 1))
    graph.fail(op, `a window of ${reach[0]} × ${reach[1]} pixels does not fit into ${width} × ${height}.`);
  const sizes = { width, height, outWidth, outHeight, kernelWidth, kernelHeight };
  return { ...sizes, strideX, strideY, padX, padY, dilationX, dilationY };
}
