/**
 * Windows over images, as convolutions and poolings have them: sizes, strides and padding, checked.
 */
import type { Geometry } from '../tape/forms/geometry.js';
import type { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import { shapeText } from '../tape/shape.js';

/** How windows lie; pairs are [horizontal, vertical]. */
export interface WindowOptions {
  /** Default 1. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** Zeros around the image. Default 0; 'same': as many as keep its size (stride 1, odd kernels). */
  readonly padding?: number | readonly [number, number] | 'same' | undefined;
  /** Pixels from one number of a window to the next. Default 1. */
  readonly dilation?: number | readonly [number, number] | undefined;
}

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

/** Windows over the images of x. Throws ShapeError where x has no images, or one smaller than a window. */
export function windowsOf(
  graph: Graph,
  op: string,
  x: Node,
  kernel: number | readonly [number, number],
  { stride = 1, padding = 0, dilation = 1 }: WindowOptions,
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
