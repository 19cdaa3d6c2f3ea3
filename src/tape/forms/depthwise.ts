/**
 * T = ⟨Y, conv(W, X)⟩ where every channel has a kernel of its own: W channels × taps, X and Y images of the same
 * channels. Bound by memory: each tap of each row of pixels is one pass over the row, which stays in the cache.
 */
import type { Machine } from '../primitive.js';
import { numbersOf, rowsOf } from '../shape.js';
import type { Form } from './form.js';
import { blocksOf, type Block } from './geometry.js';
import { fromPhases, intoPhases, phaseNumbers } from './phases.js';

/** The form. */
export const DEPTHWISE: Form = {
  run: (machine, { node, operands, mode }, beta) => {
    const [w, x, y] = operands;
    const { tensors, count } = machine;
    const channels = rowsOf(x.shape);
    const { toOutputs, toInputs } = blocksOf(node.attributes);
    const chunk = channels * count;
    const part = (at: number, block: Block, from: number): ReturnType<Machine['part']> =>
      machine.part(at + chunk * from, chunk * block.pixels);
    const tap = (k: number): ReturnType<Machine['part']> => machine.part(machine.at(w) + channels * k, channels);
    const yAt = machine.at(y);
    if (mode === 1) {
      const target = fromPhases(machine, node, x, beta);
      for (const block of toInputs) {
        const out = part(target.at, block, block.x);
        const own = block.begins ? target.beta : 1;
        if (block.tap < 0) {
          if (target.beta === 0) out.fill(0);
        } else {
          const from = part(yAt, block, block.y);
          tensors.combineRows(channels, block.pixels * count, tap(block.tap), from, null, null, null, own, out);
        }
      }
      target.done();
      return;
    }
    const xAt = intoPhases(machine, node, x);
    if (mode === 0 && beta === 0) machine.array(w).fill(0, 0, numbersOf(w.shape, count));
    for (const block of toOutputs) {
      const to = part(yAt, block, block.y);
      if (block.tap < 0) {
        if (mode === 2 && beta === 0) to.fill(0);
        continue;
      }
      const from = part(xAt, block, block.x);
      const cols = block.pixels * count;
      if (mode === 0) tensors.rowDots(channels, cols, 1, from, to, 1, tap(block.tap));
      else {
        const own = block.begins ? beta : 1;
        tensors.combineRows(channels, cols, tap(block.tap), from, null, null, null, own, to);
      }
    }
  },
  flops: () => 0,
  scratch: ({ node, operands }, samples) => phaseNumbers(node, operands[1], samples),
};
