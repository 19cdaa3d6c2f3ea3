/**
 * The networks whose Gauss–Newton Hessians are approximated, and the published figures of those that were measured
 * elsewhere. Reference: S. Reiz and others, slides on hierarchical matrices for Gauss–Newton Hessians (after C. Chen et
 * al., SIAM J. Matrix Anal. Appl. 42(1), 2021): relative Frobenius error at a share of the dense storage. They name
 * three autoencoders only; sizes and shares fit 784-d-784 without biases, d = 10, 25, 50.
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

/** ε_F by row of the table. */
export type PublishedErrors = Readonly<Partial<Record<string, number>>>;

const PUBLISHED: Readonly<Record<number, PublishedErrors>> = {
  10: {
    'HM-low': 1.7e-1,
    'HM-high': 4.7e-4,
    'RSVD-low': 4.3e-1,
    'RSVD-high': 5.1e-3,
    'KFAC-low': 1.2e-1,
    'KFAC-high': 7.3e-2,
  },
  25: {
    'HM-low': 5.7e-3,
    'HM-high': 6.4e-4,
    'RSVD-low': 8.4e-1,
    'RSVD-high': 2.3e-1,
    'KFAC-low': 1.7e-1,
    'KFAC-high': 3.8e-2,
  },
  50: {
    'HM-low': 4.2e-3,
    'HM-high': 4.9e-4,
    'RSVD-low': 9.1e-1,
    'RSVD-high': 2.1e-1,
    'KFAC-low': 1.6e-1,
    'KFAC-high': 4.1e-2,
  },
};

export const publishedErrors = ({ widths }: Pick<HessianCase, 'widths'>): PublishedErrors =>
  widths.length === 3 && widths[0] === widths[2] ? (PUBLISHED[widths[1]] ?? {}) : {};
