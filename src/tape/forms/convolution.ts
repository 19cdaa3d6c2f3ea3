/**
 * T = ⟨Y, conv(W, X)⟩: X images of inputs, Y of outputs, W of every output its taps' inputs (inputs/groups × taps; rows
 * beyond, biases, have no part in it). Each tap of each row of pixels is one multiplication of matrices on the images
 * as they lie: Y_row += W_tapᵀ X_row', and likewise for X and W; nothing is padded or unrolled.
 */
import { fill, view, type Matrix } from '../../dense/matrix.js';
import type { Node } from '../node.js';
import type { Machine } from '../primitive.js';
import { numbersOf, rowsOf } from '../shape.js';
import type { Form, Operands } from './form.js';
import { blocksOf, type Block } from './geometry.js';
import { fromPhases, intoPhases, phaseNumbers } from './phases.js';
import { isUnfolded, patchNumbers, runUnfolded } from './unfolded.js';

const groupsOf = ({ attributes }: Node): number => attributes['groups'] as number;

/** Taps, group by group, as matrices; and rows of images. */
interface Views {
  readonly w: (tap: number, group: number) => Matrix;
  readonly x: (block: Block, group: number) => Matrix;
  readonly y: (block: Block, group: number) => Matrix;
}

function views(machine: Machine, [w, x, y]: Operands, groups: number, imagesAt: number): Views {
  const { heap, count } = machine;
  const [inputs, outputs] = [rowsOf(x.shape), rowsOf(y.shape)];
  const [own, made, width] = [inputs / groups, outputs / groups, rowsOf(w.shape)];
  const [wAt, yAt] = [machine.at(w), machine.at(y)];
  return {
    w: (tap, group) => view(heap, wAt + own * tap + width * made * group, own, made, width),
    x: (block, group) =>
      view(heap, imagesAt + inputs * count * block.x + group * own, own, block.pixels * count, inputs),
    y: (block, group) =>
      view(heap, yAt + outputs * count * block.y + group * made, made, block.pixels * count, outputs),
  };
}

/** The form. */
export const CONVOLUTION: Form = {
  run: (machine, use, beta) => {
    if (isUnfolded(use)) {
      runUnfolded(machine, use, beta);
      return;
    }
    const { node, operands, mode } = use;
    const { blas } = machine;
    const [w, x] = operands;
    const groups = groupsOf(node);
    const { toOutputs, toInputs } = blocksOf(node.attributes);
    if (mode === 1) {
      const target = fromPhases(machine, node, x, beta);
      const { w: W, x: X, y: Y } = views(machine, operands, groups, target.at);
      for (const block of toInputs)
        for (let g = 0; g < groups; g++) {
          if (block.tap >= 0)
            blas.gemm('N', 'N', 1, W(block.tap, g), Y(block, g), block.begins ? target.beta : 1, X(block, g));
          else if (target.beta === 0) fill(X(block, g), 0);
        }
      target.done();
      return;
    }
    const { w: W, x: X, y: Y } = views(machine, operands, groups, intoPhases(machine, node, x));
    if (mode === 0 && beta === 0) machine.array(w).fill(0, 0, numbersOf(w.shape, machine.count));
    for (const block of toOutputs)
      for (let g = 0; g < groups; g++) {
        if (block.tap < 0) {
          if (mode === 2 && beta === 0) fill(Y(block, g), 0);
        } else if (mode === 2)
          blas.gemm('T', 'N', 1, W(block.tap, g), X(block, g), block.begins ? beta : 1, Y(block, g));
        else blas.gemm('N', 'T', 1, X(block, g), Y(block, g), 1, W(block.tap, g));
      }
  },
  flops: ({ node, operands }, samples) => {
    const [, x, y] = operands;
    const { toOutputs } = blocksOf(node.attributes);
    const perPixel = (2 * rowsOf(x.shape) * rowsOf(y.shape)) / groupsOf(node);
    return perPixel * samples * toOutputs.reduce((pixels, block) => pixels + (block.tap < 0 ? 0 : block.pixels), 0);
  },
  scratch: (use, samples) => (isUnfolded(use) ? patchNumbers : phaseNumbers)(use.node, use.operands[1], samples),
};
