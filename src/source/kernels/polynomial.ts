/** The polynomial kernel, k = (x·y/h² + 1)^p with a positive whole number p, the degree. */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { BANDWIDTH, type KernelForm } from './kernel.js';

/** (xᵀy/h² + 1)^degree. */
export const polynomial: KernelForm = {
  formula: '(x·y/h^2 + 1)^degree',
  argument: 'innerProduct',
  parameters: {
    ...BANDWIDTH,
    degree: {
      fallback: 2,
      text: (degree) => `degree ${degree}`,
      require(degree) {
        if (!Number.isInteger(degree) || degree < 1 || degree > 64)
          throw new OptionError(
            `The polynomial kernel's degree must be a whole number from 1 to 64, not ${describe(degree)}.`,
            {
              option: 'degree',
              degree,
            },
          );
      },
    },
  },
  text({ bandwidth: h, degree }, target, number) {
    const product = Array.from({ length: degree - 1 }, () => `${target} = ${target} * b;`).join(' ');
    return `real b = ${number(1 / (h * h))} * v + 1.0; ${target} = b; ${product}`;
  },
  evaluator({ bandwidth: h, degree }) {
    const factor = 1 / (h * h);
    return (values, offset, length) => {
      for (let i = offset; i < offset + length; i++) {
        const base = factor * values[i] + 1;
        let power = base;
        for (let e = 1; e < degree; e++) power *= base;
        values[i] = power;
      }
    };
  },
};
