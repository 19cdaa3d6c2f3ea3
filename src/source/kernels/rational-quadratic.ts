/** The rational quadratic kernel, k = (1 + r²/(2αh²))^(−α): a mixture of Gaussians whose 1/h² are gamma distributed. */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { exponential } from './exponential.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** Between these neither 2α nor 1/(2α), nor either times what it meets here, leaves the range where it matters. */
const [LEAST, MOST] = [1e-100, 1e100];

/** (1 + ‖x − y‖²/(2αh²))^(−α). */
export const rationalQuadratic: KernelForm = {
  formula: '(1 + r^2/(2*alpha*h^2))^(-alpha)',
  argument: 'squaredDistance',
  parameters: {
    ...BANDWIDTH,
    alpha: {
      fallback: 1,
      text: (alpha) => `α = ${alpha}`,
      require(alpha) {
        if (!(typeof alpha === 'number' && alpha >= LEAST && alpha <= MOST))
          throw new OptionError(
            `The rational quadratic kernel's alpha must be a number from ${LEAST} to ${MOST}, not ${describe(alpha)}.`,
            { option: 'alpha', alpha },
          );
      },
    },
  },
  text({ bandwidth: h, alpha }, target, number) {
    const q = `${number(0.5 / (alpha * h * h))} * v`;
    // log(1 + q) of what remains of q beside 1.
    return `real q = ${q}; real u = 1.0 + q; real l = log(u) - ((u - 1.0) - q) / u;
${target} = exp(${number(-alpha)} * l);`;
  },
  evaluator({ bandwidth: h, alpha }) {
    const factor = 1 / (h * h);
    const share = 1 / (2 * alpha);
    if (alpha === 1)
      return (values, offset, length) => {
        for (let i = offset; i < offset + length; i++) values[i] = 1 / (1 + 0.5 * (factor * values[i]));
      };
    return (values, offset, length) => {
      // By log1p: (1 + q)^(−α) would multiply the rounding of 1 + q by α.
      for (let i = offset; i < offset + length; i++) {
        const q = factor * values[i] * share;
        const log = q < Infinity ? Math.log1p(q) : 2 * Math.log(Math.sqrt(values[i]) / h) + Math.log(share);
        values[i] = -alpha * log;
      }
      exponential(values, offset, length);
    };
  },
};
