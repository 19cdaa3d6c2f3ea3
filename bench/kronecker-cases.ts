/**
 * Networks whose Gauss–Newton Hessians are approximated by sums of Kronecker products: those of the tables of Hessians,
 * and others by their activation, biases, loss and samples.
 */
import type { ActivationName } from '../src/network/activations/table.js';
import type { LossName } from '../src/network/losses/table.js';
import { tableBudgets } from '../src/experiment/table-plan.js';
import { HESSIAN_CASES } from './hessian-cases.js';

export interface KroneckerCase {
  readonly name: string;
  readonly widths: readonly number[];
  readonly activation: ActivationName;
  readonly loss: LossName;
  readonly bias: boolean;
  readonly samples: number;
  readonly shares: readonly number[];
}

const parameters = (widths: readonly number[], bias: boolean): number =>
  widths.slice(1).reduce((sum, outputs, ℓ) => sum + outputs * (widths[ℓ] + (bias ? 1 : 0)), 0);

const coder = (
  hidden: number,
  activation: ActivationName,
  more: Partial<KroneckerCase> & { readonly name: string },
): KroneckerCase => ({
  widths: [784, hidden, 784],
  activation,
  loss: 'mse',
  bias: false,
  samples: 1000,
  shares: [tableBudgets(parameters([784, hidden, 784], false)).low],
  ...more,
});

export const KRONECKER_CASES: readonly KroneckerCase[] = [
  ...HESSIAN_CASES.map(({ name, widths, activation, loss, low, high }): KroneckerCase => {
    const budgets = tableBudgets(parameters(widths, false), low, high);
    return {
      name: name.replace('hessian', 'kronecker'),
      widths,
      activation,
      loss,
      bias: false,
      samples: 1000,
      shares: [budgets.low, budgets.high],
    };
  }),
  coder(25, 'gelu', { name: 'kronecker-784-25-784-gelu' }),
  coder(25, 'softplus', { name: 'kronecker-784-25-784-softplus' }),
  coder(25, 'tanh', { name: 'kronecker-784-25-784-tanh-bias', bias: true }),
  coder(25, 'tanh', { name: 'kronecker-784-25-784-tanh-bce', loss: 'bce' }),
  coder(50, 'tanh', { name: 'kronecker-784-50-784-tanh-n4000', samples: 4000 }),
  coder(50, 'tanh', { name: 'kronecker-784-50-784-tanh-n10000', samples: 10_000 }),
];
