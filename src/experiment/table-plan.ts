/**
 * Which approximations a table compares, and at which budgets.
 */
import { OptionError } from '../core/errors.js';
import { APPROXIMATION_METHODS, type ApproximationMethod } from '../approximation/approximation.js';
import { percent, rankWithin } from '../approximation/budget.js';

/** What `methods` may name; `kfac` stands for both of its variants. */
export const TABLE_METHODS: readonly string[] = APPROXIMATION_METHODS.filter((method) => method !== 'kfac-mc');
/** Methods of a table unless asked otherwise. */
export const DEFAULT_TABLE_METHODS: readonly string[] = ['hm', 'rsvd', 'kfac', 'ekfac', 'nystrom'];

/** One row of a table: a method at a share of the dense matrix's memory. */
export interface PlannedRow {
  readonly name: string;
  readonly method: ApproximationMethod;
  readonly share: number;
}

/**
 * Numbers a row of the two published columns, and the shares of the sizes that were published (784-d-784 without
 * biases, d = 10, 25, 50).
 */
const LOW_NUMBERS = 208;
const HIGH_NUMBERS = 1811;
const PUBLISHED: Readonly<Record<number, readonly [number, number]>> = {
  15_680: [0.0123, 0.1177],
  39_200: [0.0053, 0.0462],
  78_400: [0.0028, 0.0231],
};
const MOST = 0.5;

/**
 * Shares of a matrix of size N: those asked for, else the published ones, else 208 and 1811 numbers a row; at most half
 * of the matrix. Throws OptionError.
 */
export function tableBudgets(size: number, low?: number, high?: number): { low: number; high: number } {
  const [usualLow, usualHigh] = PUBLISHED[size] ?? [LOW_NUMBERS / size, HIGH_NUMBERS / size];
  const budgets = {
    low: low ?? Math.min(MOST, usualLow, high ?? 1),
    high: high ?? Math.min(MOST, Math.max(usualHigh, low ?? 0)),
  };
  for (const name of ['low', 'high'] as const) {
    const share = budgets[name];
    if (!(share > 0 && share <= 1))
      throw new OptionError(`A share of the dense matrix lies above 0 and is at most 1, not ${share}.`, {
        option: name,
        share,
      });
    try {
      rankWithin({ share }, size);
    } catch (error) {
      throw new OptionError((error as Error).message, { option: name, share });
    }
  }
  if (budgets.low > budgets.high)
    throw new OptionError(`The low share (${percent(budgets.low)}) is above the high one (${percent(budgets.high)}).`, {
      option: 'low',
      ...budgets,
    });
  return budgets;
}

const TITLES: Readonly<Record<string, string>> = {
  hm: 'HM',
  rsvd: 'RSVD',
  nystrom: 'Nystrom',
  hss: 'HSS',
  hodlr: 'HODLR',
  fmm: 'FMM',
};

/** The rows in the order of the methods. Throws OptionError for a method there is not. */
export function planTable(
  methods: readonly string[],
  { low, high }: { readonly low: number; readonly high: number },
): PlannedRow[] {
  if (methods.length === 0)
    throw new OptionError(`No methods are named: choose of ${TABLE_METHODS.join(', ')}.`, { option: 'methods' });
  return [...new Set(methods)].flatMap((name): PlannedRow[] => {
    if (!TABLE_METHODS.includes(name))
      throw new OptionError(`There is no method "${name}"; there are ${TABLE_METHODS.join(', ')}.`, {
        option: 'methods',
        method: name,
      });
    const method = name as ApproximationMethod;
    if (method === 'kfac')
      return [
        { name: 'KFAC-low', method: 'kfac-mc', share: low },
        { name: 'KFAC-high', method: 'kfac', share: high },
      ];
    if (method === 'ekfac') return [{ name: 'EKFAC', method, share: high }];
    const title = TITLES[method];
    return title === undefined
      ? [{ name: method, method, share: high }]
      : [
          { name: `${title}-low`, method, share: low },
          { name: `${title}-high`, method, share: high },
        ];
  });
}
