/**
 * Which approximations a table compares, and at which budgets.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { APPROXIMATION_METHODS, type ApproximationMethod, METHOD_TABLE } from '../approximation/methods/table.js';
import { percent, rankWithin } from '../approximation/budget.js';

/** What `methods` may name; a method stands for its variants too. */
export const TABLE_METHODS: readonly string[] = APPROXIMATION_METHODS.filter(
  (method) => METHOD_TABLE[method].variantOf === undefined,
);
/** Of a method's rows. */
const ORDER = ['low', 'high'];
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
      throw new OptionError(`A share of the dense matrix lies above 0 and is at most 1, not ${describe(share)}.`, {
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
    return APPROXIMATION_METHODS.filter((method) => (METHOD_TABLE[method].variantOf ?? method) === name)
      .flatMap((method) => METHOD_TABLE[method].rows.map((row) => ({ ...row, method })))
      .sort((a, b) => ORDER.indexOf(a.share) - ORDER.indexOf(b.share))
      .map(({ name: title, method, share }) => ({ name: title, method, share: share === 'low' ? low : high }));
  });
}
