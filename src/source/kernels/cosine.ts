/** The cosine kernel, k = x·y/(‖x‖‖y‖). */
import type { KernelForm } from './kernel.js';

/** xᵀy/(‖x‖‖y‖). */
export const cosine: KernelForm = {
  formula: 'x·y/(|x| |y|)',
  argument: 'cosine',
  parameters: {},
  text: (_, target) => `${target} = v;`,
  evaluator: () => () => {
    /* the argument is the value */
  },
};
