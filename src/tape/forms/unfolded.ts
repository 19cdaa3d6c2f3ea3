/**
 * Convolutions of few channels: a multiplication of matrices for each tap would be one of few rows, so the taps of a
 * row of pixels are copied beside each other first, and one multiplication takes them all.
 */
import { view, type Matrix } from '../../dense/matrix.js';
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

const patchRows = ({ node, operands: [, x] }: FormUse): number => {
  const { kernelWidth, kernelHeight } = geometryOf(node.attributes);
  return rowsOf(x.shape) * kernelWidth * kernelHeight;
};

/** Numbers of scratch memory: the phases, and the copies of a row of pixels. */
export const unfoldedNumbers = (use: FormUse, samples: number): number =>
  phaseNumbers(use.node, use.operands[1], samples) +
  patchRows(use) * geometryOf(use.node.attributes).outWidth * samples;

/** Y ← WᵀP + beta·Y (mode 2), or W ← PYᵀ + beta·W, P the copies, row by row of pixels. */
export function runUnfolded(machine: Machine, use: FormUse, beta: Beta): void {
  const {
    node,
    operands: [w, x, y],
    mode,
  } = use;
  const { blas, heap, count } = machine;
  const { outWidth } = geometryOf(node.attributes);
  const [rows, outputs, cols] = [patchRows(use), rowsOf(y.shape), outWidth * count];
  const images = intoPhases(machine, node, x);
  const patchAt = machine.scratch + phaseNumbers(node, x, count);
  const P = view(heap, patchAt, rows, cols);
  const W = view(heap, machine.at(w), rows, outputs, rowsOf(w.shape));
  const Y = (row: number): Matrix => view(heap, machine.at(y) + outputs * cols * row, outputs, cols);
  if (mode === 0 && beta === 0) machine.array(w).fill(0, 0, numbersOf(w.shape, count));
  const { toOutputs } = blocksOf(node.attributes);
  for (let k = 0; k < toOutputs.length;) {
    const row = Math.floor(toOutputs[k].y / outWidth);
    const patches = machine.part(patchAt, rows * cols);
    patches.fill(0);
    for (; k < toOutputs.length && Math.floor(toOutputs[k].y / outWidth) === row; k++)
      copyTap(machine, use, toOutputs[k], { images, patchAt, pixel: toOutputs[k].y - row * outWidth });
    if (mode === 2) blas.gemm('T', 'N', 1, W, P, beta, Y(row));
    else blas.gemm('N', 'T', 1, P, Y(row), 1, W);
  }
}

/** The pixels that a tap sees, to its rows of the copies. */
function copyTap(
  machine: Machine,
  use: FormUse,
  { tap, x, pixels }: Block,
  { images, patchAt, pixel }: { readonly images: number; readonly patchAt: number; readonly pixel: number },
): void {
  if (tap < 0) return;
  const { count } = machine;
  const channels = rowsOf(use.operands[1].shape);
  const rows = patchRows(use);
  const n = pixels * count;
  const from = machine.part(images + channels * count * x, channels * n);
  const to = machine.part(patchAt + rows * count * pixel + channels * tap, rows * (n - 1) + channels);
  machine.tensors.copyChunks(channels, [{ count: n, from: channels, to: rows }], from, 0, to);
}
