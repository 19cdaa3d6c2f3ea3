/** The Laplace kernel, k = exp(−r/h), the exponential covariance. */
import { exponential } from './exponential.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** exp(−‖x − y‖/h). */
export const laplace: KernelForm = {
  formula: 'exp(-r/h)',
  argument: 'squaredDistance',
  parameters: BANDWIDTH,
  evaluator({ bandwidth: h }) {
    const factor = -1 / h;
    return (values, offset, length) => {
      for (let i = offset; i < offset + length; i++) values[i] = factor * Math.sqrt(values[i]);
      exponential(values, offset, length);
    };
  },
};
