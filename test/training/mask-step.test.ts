/** Numbers that tell the masks of a step's parts apart. */
import { describe, expect, it } from 'vitest';
import { maskStep } from '#hmatrix/training/objective/mask-step.js';

describe('steps of masks', () => {
  it('differ_in_32_bits_from_part_to_part_and_from_step_to_step', () => {
    const seen = new Set<number>();
    for (let part = 0; part < 300; part++)
      for (const step of [0, 1, 63, 1000, 2 ** 20 - 1]) seen.add(maskStep(step, part)! >>> 0);
    expect(seen.size).toBe(300 * 5);
  });

  it('are_those_of_the_step_for_a_batch_of_one_part', () => {
    expect(maskStep(17, 0)).toBe(17);
    expect(maskStep(null, 3)).toBeNull();
  });
});
