/**
 * The networks whose Gauss–Newton Hessians are approximated.
 */
import type { ActivationName } from '../src/network/activations/table.js';
import type { LossName } from '../src/network/losses/table.js';

export interface HessianCase {
  readonly name: string;
  readonly widths: readonly number[];
  readonly activation: ActivationName;
  readonly loss: LossName;
  /** Where the usual shares would be too much to hold. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

const coder = (hidden: number, activation: ActivationName): HessianCase => ({
  name: `hessian-784-${hidden}-784-${activation}`,
  widths: [784, hidden, 784],
  activation,
  loss: 'mse',
});

export const HESSIAN_CASES: readonly HessianCase[] = [
  ...[10, 25, 50].flatMap((hidden) => (['sigmoid', 'tanh'] as const).map((activation) => coder(hidden, activation))),
  // 209,000 parameters: at the usual 1811 numbers a row, a low-rank panel and its sketch would take 6 GB.
  {
    name: 'hessian-784-128-32-128-784-tanh',
    widths: [784, 128, 32, 128, 784],
    activation: 'tanh',
    loss: 'mse',
    low: 0.0005,
    high: 0.002,
  },
  { name: 'hessian-784-20-20-10-relu', widths: [784, 20, 20, 10], activation: 'relu', loss: 'cross-entropy' },
];
