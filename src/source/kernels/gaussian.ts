/** The Gaussian kernel, k = exp(−r²/(2h²)), the squared exponential covariance. */
import { exponential } from './exponential.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** exp(−‖x − y‖²/(2h²)). */
export const gaussian: KernelForm = {
  formula: 'exp(-r^2/(2*h^2))',
  argument: 'squaredDistance',
  parameters: BANDWIDTH,
  evaluator({ bandwidth: h }) {
    const factor = -0.5 / (h * h);
    return (values, offset, length) => {
      for (let i = offset; i < offset + length; i++) values[i] *= factor;
      exponential(values, offset, length);
    };
  },
};
