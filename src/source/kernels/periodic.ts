/**
 * The periodic kernel, k = exp(−2 Σ_k sin²(π(x_k − y_k)/p)/h²): the Gaussian of points wound around circles. Source: D.
 * J. C. MacKay, Introduction to Gaussian processes, in Neural Networks and Machine Learning, Springer, 1998.
 */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { gaussian } from './gaussian.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';
import { onCircles } from './point-map.js';

/** exp(−‖u(x) − u(y)‖²/(2h²)), u(x) = (cos 2πx_k/p, sin 2πx_k/p), k = 1 … d. */
export const periodic: KernelForm = {
  formula: 'exp(-2*sum_k sin(pi*(x_k - y_k)/period)^2/h^2)',
  argument: 'squaredDistance',
  parameters: {
    ...BANDWIDTH,
    period: {
      fallback: 1,
      text: (period) => `period ${period}`,
      require(period) {
        if (!(Number.isFinite(period) && period > 0))
          throw new OptionError(`The period must be a positive number, not ${describe(period)}.`, {
            option: 'period',
            period,
          });
      },
    },
  },
  map: ({ period }) => onCircles(period),
  text: ({ bandwidth: h }, target, number) => `${target} = exp(${number(-0.5 / (h * h))} * v);`,
  evaluator: (parameters) => gaussian.evaluator(parameters),
};
