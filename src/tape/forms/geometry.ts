/**
 * Which pixels a convolution brings together. Output pixel o and tap k meet input pixel o·stride + k·dilation −
 * padding. With strides the input is read as stride × stride phase images of its own, each of every stride-th pixel, so
 * that what a tap sees of a row of outputs is a block of neighboring columns, whatever the stride; a tap is then a
 * shift of a phase image. Blocks depend on the geometry alone: samples stand within pixels (shape.ts).
 */
import type { Attributes } from '../node.js';

/** Sizes of images and windows, in pixels. */
export interface Geometry {
  readonly width: number;
  readonly height: number;
  readonly outWidth: number;
  readonly outHeight: number;
  readonly kernelWidth: number;
  readonly kernelHeight: number;
  readonly strideX: number;
  readonly strideY: number;
  readonly padX: number;
  readonly padY: number;
  readonly dilationX: number;
  readonly dilationY: number;
}

/** Pixels of a row that a tap takes from an image of inputs, in the order of phases, to the outputs. */
export interface Block {
  /** The tap kx + ky·kernelWidth; −1 where the target's pixels get nothing and are zero. */
  readonly tap: number;
  readonly x: number;
  readonly y: number;
  readonly pixels: number;
  /** Nothing stands in the target's pixels yet. */
  readonly begins: boolean;
}

/** Every stride-th pixel of an image, from (x, y) on. */
export interface Phase {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Pixels of the phases before it. */
  readonly first: number;
  /** Whether a tap reads it. */
  readonly used: boolean;
}

/** Blocks whose targets are rows of outputs, and rows of inputs. */
export interface Blocks {
  readonly phases: readonly Phase[];
  readonly toOutputs: readonly Block[];
  readonly toInputs: readonly Block[];
}

const known = new WeakMap<Attributes, Blocks>();

/** The geometry among a node's settings. */
export const geometryOf = (attributes: Attributes): Geometry => attributes as unknown as Geometry;

/** The blocks of a node's geometry, made once. */
export function blocksOf(attributes: Attributes): Blocks {
  let blocks = known.get(attributes);
  if (blocks === undefined) known.set(attributes, (blocks = makeBlocks(geometryOf(attributes))));
  return blocks;
}

interface Tap {
  readonly tap: number;
  readonly phase: Phase;
  readonly shiftX: number;
  readonly shiftY: number;
  /** Outputs [from, to) of a row that it reaches. */
  readonly from: number;
  readonly to: number;
}

/** Pixels from `first` on, every stride-th of `size`. */
const every = (size: number, first: number, stride: number): number => Math.max(0, Math.ceil((size - first) / stride));
const remainder = (a: number, b: number): number => ((a % b) + b) % b;

function makeBlocks(geometry: Geometry): Blocks {
  const g = isPointwise(geometry) ? asOneRow(geometry) : geometry;
  const offsets = Array.from({ length: g.kernelWidth * g.kernelHeight }, (_, tap) => ({
    tap,
    dx: (tap % g.kernelWidth) * g.dilationX - g.padX,
    dy: Math.floor(tap / g.kernelWidth) * g.dilationY - g.padY,
  }));
  const used = new Set(offsets.map(({ dx, dy }) => remainder(dx, g.strideX) + g.strideX * remainder(dy, g.strideY)));
  const phases: Phase[] = [];
  let first = 0;
  for (let y = 0; y < g.strideY; y++)
    for (let x = 0; x < g.strideX; x++) {
      const [width, height] = [every(g.width, x, g.strideX), every(g.height, y, g.strideY)];
      phases.push({ x, y, width, height, first, used: used.has(x + g.strideX * y) });
      first += width * height;
    }
  const taps = offsets
    .map(({ tap, dx, dy }): Tap => {
      const phase = phases[remainder(dx, g.strideX) + g.strideX * remainder(dy, g.strideY)];
      const [shiftX, shiftY] = [Math.floor(dx / g.strideX), Math.floor(dy / g.strideY)];
      const [from, to] = [Math.max(0, -shiftX), Math.min(g.outWidth, phase.width - shiftX)];
      return { tap, phase, shiftX, shiftY, from, to };
    })
    .filter(({ from, to }) => to > from)
    // Those that reach all of a row first: they need no zeros to begin with.
    .sort((a, b) => b.to - b.from - (a.to - a.from) || a.tap - b.tap);
  return { phases, toOutputs: toOutputs(g, taps), toInputs: toInputs(g, phases, taps) };
}

/** Whether windows are of one pixel, and take every one. */
export const isPointwise = (g: Geometry): boolean =>
  g.kernelWidth * g.kernelHeight * g.strideX * g.strideY === 1 && g.padX === 0 && g.padY === 0;

/** All pixels at one stroke. */
const asOneRow = (g: Geometry): Geometry => ({
  ...g,
  width: g.width * g.height,
  height: 1,
  outWidth: g.outWidth * g.outHeight,
  outHeight: 1,
});

function toOutputs({ outWidth, outHeight }: Geometry, taps: readonly Tap[]): Block[] {
  const blocks: Block[] = [];
  for (let row = 0; row < outHeight; row++) {
    const y = row * outWidth;
    const reached = taps.filter(({ shiftY, phase }) => row + shiftY >= 0 && row + shiftY < phase.height);
    let begins = reached.length > 0 && reached[0].from === 0 && reached[0].to === outWidth;
    if (!begins) blocks.push({ tap: -1, x: 0, y, pixels: outWidth, begins: true });
    for (const { tap, phase, shiftX, shiftY, from, to } of reached) {
      const x = phase.first + (row + shiftY) * phase.width + from + shiftX;
      blocks.push({ tap, x, y: y + from, pixels: to - from, begins });
      begins = false;
    }
  }
  return blocks;
}

function toInputs({ outWidth, outHeight }: Geometry, phases: readonly Phase[], taps: readonly Tap[]): Block[] {
  const blocks: Block[] = [];
  for (const phase of phases)
    for (let row = 0; row < phase.height; row++) {
      const x = phase.first + row * phase.width;
      const reached = taps
        .filter((tap) => tap.phase === phase && row - tap.shiftY >= 0 && row - tap.shiftY < outHeight)
        .sort((a, b) => b.to - b.from - (a.to - a.from) || a.tap - b.tap);
      const full = reached.find(({ from, to }) => to - from === phase.width);
      let begins = full !== undefined && reached[0] === full;
      if (!begins) blocks.push({ tap: -1, x, y: 0, pixels: phase.width, begins: true });
      for (const { tap, shiftX, shiftY, from, to } of reached) {
        const y = (row - shiftY) * outWidth + from;
        blocks.push({ tap, x: x + from + shiftX, y, pixels: to - from, begins });
        begins = false;
      }
    }
  return blocks;
}
