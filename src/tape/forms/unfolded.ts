/**
 * Convolutions of few channels: a multiplication of matrices for each tap would be one of few rows, so the taps of a
 * row of pixels are copied beside each other first, and one multiplication takes them all.
 */
import { view, type Matrix } from '../../dense/matrix.js';
import type { Node } from '../node.js';
import type { Beta, Machine } from '../primitive.js';
import { numbersOf, rowsOf } from '../shape.js';
import type { FormUse } from './form.js';
import { blocksOf, geometryOf, type Block } from './geometry.js';
import { intoPhases, phaseNumbers } from './phases.js';

/** Channels with which copying is cheaper: a copy of a number costs about as much as a dozen flops. */
const FEW = 8;

/** Whether Y or W of a convolution is computed by copies of its inputs. */
export function isUnfolded({ node, operands: [, x], mode }: FormUse): boolean {
  const { kernelWidth, kernelHeight } = geometryOf(node.attributes);
  return mode !== 1 && node.attributes['groups'] === 1 && rowsOf(x.shape) <= FEW && kernelWidth * kernelHeight > 1;
}

/** Inputs of an output pixel: those of one group at every tap. */
const patchRows = (node: Node, x: Node): number => {
  const { kernelWidth, kernelHeight } = geometryOf(node.attributes);
  return (rowsOf(x.shape) / (node.attributes['groups'] as number)) * kernelWidth * kernelHeight;
};

/** A block row by row of output pixels: with windows of one pixel it is all of the image. */
function rowsOfBlock(block: Block, outWidth: number): Block[] {
  if (block.pixels <= outWidth) return [block];
  const { x, y, pixels } = block;
  const rows = Math.ceil(pixels / outWidth);
  return Array.from({ length: rows }, (_, row) => ({
    ...block,
    x: x + row * outWidth,
    y: y + row * outWidth,
    pixels: outWidth,
  }));
}

/** Numbers of scratch memory that `eachPatchRow` takes; `node` has the geometry, x are its inputs. */
export const patchNumbers = (node: Node, x: Node, samples: number): number =>
  phaseNumbers(node, x, samples) + (patchRows(node, x) + 1) * geometryOf(node.attributes).outWidth * samples;

/**
 * Visits the inputs of every row of output pixels, group by group: a column for each pixel and sample, of it the taps'
 * channels one after the other, zeros outside the image; a last row of ones where `ones`. The matrix is the visitor's
 * until it returns.
 */
export function eachPatchRow(
  machine: Machine,
  { node, x, ones = false }: { readonly node: Node; readonly x: Node; readonly ones?: boolean },
  visit: (patches: Matrix, row: number) => void,
): void {
  const { heap, count, tensors } = machine;
  const { outWidth } = geometryOf(node.attributes);
  const groups = node.attributes['groups'] as number;
  const channels = rowsOf(x.shape);
  const own = channels / groups;
  const [rows, cols] = [patchRows(node, x) + (ones ? 1 : 0), outWidth * count];
  const images = intoPhases(machine, node, x);
  const at = machine.scratch + phaseNumbers(node, x, count);
  const patches = machine.part(at, rows * cols);
  const toOutputs = blocksOf(node.attributes).toOutputs.flatMap((block) => rowsOfBlock(block, outWidth));
  const copy = ({ tap, x: first, pixels }: Block, pixel: number, group: number): void => {
    const n = pixels * count;
    const from = machine.part(images + channels * count * first + group * own, channels * (n - 1) + own);
    const to = machine.part(at + rows * count * pixel + own * tap, rows * (n - 1) + own);
    tensors.copyChunks(own, [{ count: n, from: channels, to: rows }], from, 0, to);
  };
  for (let group = 0; group < groups; group++)
    for (let k = 0; k < toOutputs.length;) {
      const row = Math.floor(toOutputs[k].y / outWidth);
      patches.fill(0);
      if (ones) for (let j = rows - 1; j < rows * cols; j += rows) patches[j] = 1;
      for (; k < toOutputs.length && Math.floor(toOutputs[k].y / outWidth) === row; k++)
        if (toOutputs[k].tap >= 0) copy(toOutputs[k], toOutputs[k].y - row * outWidth, group);
      visit(view(heap, at, rows, cols), row);
    }
}

/** Y ← WᵀP + beta·Y (mode 2), or W ← PYᵀ + beta·W, P the copies, row by row of pixels. */
export function runUnfolded(machine: Machine, { node, operands: [w, x, y], mode }: FormUse, beta: Beta): void {
  const { blas, heap, count } = machine;
  const [outputs, cols] = [rowsOf(y.shape), geometryOf(node.attributes).outWidth * count];
  const W = view(heap, machine.at(w), patchRows(node, x), outputs, rowsOf(w.shape));
  if (mode === 0 && beta === 0) machine.array(w).fill(0, 0, numbersOf(w.shape, count));
  eachPatchRow(machine, { node, x }, (P, row) => {
    const Y = view(heap, machine.at(y) + outputs * cols * row, outputs, cols);
    if (mode === 2) blas.gemm('T', 'N', 1, W, P, beta, Y);
    else blas.gemm('N', 'T', 1, P, Y, 1, W);
  });
}
