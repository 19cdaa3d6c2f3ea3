/** The Matérn kernel of smoothness 3/2, k = (1 + s)·exp(−s), s = √3·r/h. */
import { CHUNK, exponential } from './exponential.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** (1 + √3 r/h)·exp(−√3 r/h), r = ‖x − y‖. */
export const matern32: KernelForm = {
  formula: '(1 + sqrt(3)*r/h)*exp(-sqrt(3)*r/h)',
  argument: 'squaredDistance',
  parameters: BANDWIDTH,
  evaluator({ bandwidth: h }) {
    const factor = Math.sqrt(3) / h;
    const power = new Float64Array(CHUNK);
    return (values, offset, length) => {
      for (let begin = offset; begin < offset + length; begin += CHUNK) {
        const count = Math.min(CHUNK, offset + length - begin);
        for (let i = 0; i < count; i++) {
          const s = factor * Math.sqrt(values[begin + i]);
          values[begin + i] = 1 + s;
          power[i] = -s;
        }
        exponential(power, 0, count);
        for (let i = 0; i < count; i++) values[begin + i] *= power[i];
      }
    };
  },
};
