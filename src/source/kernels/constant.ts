/** The constant kernel, k = 1 for every pair of points. */
import type { KernelForm } from './kernel.js';

/** 1, whatever the points. */
export const constant: KernelForm = {
  formula: '1',
  argument: 'squaredDistance',
  parameters: {},
  text: (_, target) => `${target} = 1.0;`,
  evaluator: () => (values, offset, length) => {
    values.fill(1, offset, offset + length);
  },
};
