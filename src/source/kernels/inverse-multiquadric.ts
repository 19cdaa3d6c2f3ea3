/** The inverse multiquadric, k = 1/√(1 + (r/h)²). */
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** 1/√(1 + ‖x − y‖²/h²). */
export const inverseMultiquadric: KernelForm = {
  formula: '1/sqrt(1 + (r/h)^2)',
  argument: 'squaredDistance',
  parameters: BANDWIDTH,
  evaluator({ bandwidth: h }) {
    const factor = 1 / (h * h);
    return (values, offset, length) => {
      for (let i = offset; i < offset + length; i++) values[i] = 1 / Math.sqrt(1 + factor * values[i]);
    };
  },
};
