/** The Matérn kernel of smoothness 5/2, k = (1 + s + s²/3)·exp(−s), s = √5·r/h. */
import { CHUNK, exponential } from './exponential.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** exp(−s) is exactly 0 from about 745 on; s² of a larger s could be infinite, and 0 × ∞ is not a number. */
const LARGEST_S = 1000;

/** (1 + √5 r/h + 5r²/(3h²))·exp(−√5 r/h), r = ‖x − y‖. */
export const matern52: KernelForm = {
  formula: '(1 + sqrt(5)*r/h + 5*r^2/(3*h^2))*exp(-sqrt(5)*r/h)',
  argument: 'squaredDistance',
  parameters: BANDWIDTH,
  evaluator({ bandwidth: h }) {
    const factor = Math.sqrt(5) / h;
    const power = new Float64Array(CHUNK);
    return (values, offset, length) => {
      for (let begin = offset; begin < offset + length; begin += CHUNK) {
        const count = Math.min(CHUNK, offset + length - begin);
        for (let i = 0; i < count; i++) {
          const s = Math.min(factor * Math.sqrt(values[begin + i]), LARGEST_S);
          values[begin + i] = 1 + s * (1 + s / 3);
          power[i] = -s;
        }
        exponential(power, 0, count);
        for (let i = 0; i < count; i++) values[begin + i] *= power[i];
      }
    };
  },
};
