/**
 * Combinations and inner products of rows.
 */
import { PARTIAL_ROWS, type Coefficient, type Combination, type InnerProducts } from '../work/vectors.js';
import type { TfOperations, TfTensor } from './api.js';
import { around, NOTHING, NumberLists, Placement, rowsOf, type TfProgram } from './program.js';

/** A coefficient: a number, or a row of one for each column. */
function factorOf(
  tf: TfOperations,
  { constant, numerator, denominator, positive }: Coefficient,
  scalars: TfTensor,
  width: number,
): TfTensor | number {
  if (numerator === undefined && denominator === undefined) return constant;
  const row = (number: number | undefined): TfTensor =>
    number === undefined ? tf.ones([1, width]) : rowsOf(tf, scalars, number, number + 1, width);
  const [above, below] = [row(numerator), row(denominator)];
  const scaled = constant === 1 ? above : tf.mul(above, constant);
  const quotient = denominator === undefined ? scaled : tf.divNoNan(scaled, below);
  if (positive !== true) return quotient;
  const isPositive = (one: TfTensor): TfTensor => tf.logicalAnd(tf.greater(one, 0), tf.less(one, Infinity));
  return tf.where(tf.logicalAnd(isPositive(above), isPositive(below)), quotient, 0);
}

const times = (tf: TfOperations, x: TfTensor, factor: TfTensor | number): TfTensor =>
  factor === 1 ? x : tf.mul(x, factor);

/** The launch of a combination. */
export function combinationProgram({ x, y, count, alpha, beta, diagonal }: Combination): TfProgram {
  if (count === 0) return NOTHING;
  return {
    lists: [],
    padded: (width) => (diagonal === true ? 4 : 3) * count * width,
    run: (tf, _, operands, width) => {
      const rows = rowsOf(tf, operands['x'], x, x + count, width);
      const scaled =
        diagonal === true ? tf.mul(rows, tf.reshape(tf.slice(operands['diagonal'], [0], [count]), [count, 1])) : rows;
      const [a, b] = [alpha, beta].map((factor) => factorOf(tf, factor, operands['scalars'], width));
      let sum = times(tf, scaled, a);
      if (b !== 0) sum = tf.add(sum, times(tf, rowsOf(tf, operands['y'], y, y + count, width), b));
      return { y: around(tf, operands['y'], [y * width, (y + count) * width], sum) };
    },
  };
}

/** The launch of inner products. */
export function innerProductsProgram({ products }: InnerProducts): TfProgram {
  if (products.length === 0) return NOTHING;
  const lists = new NumberLists();
  const to = Int32Array.from(products, (product) => product.to);
  const placement = new Placement(lists, to, Int32Array.from(to.keys()));
  const rowCount = products.reduce((sum, { count }) => sum + count, 0);
  return {
    lists: lists.all,
    padded: (width) => 2 * rowCount * width,
    run: (tf, at, operands, width) => {
      const sums = products.map(({ x, y, count }) => {
        if (count === 0) return tf.zeros([1, width]);
        const [xs, ys] = [
          rowsOf(tf, operands['x'], x, x + count, width),
          rowsOf(tf, operands['y'], y, y + count, width),
        ];
        let terms = tf.mul(xs, ys);
        const parts = Math.ceil(count / PARTIAL_ROWS);
        if (parts > 1) {
          const whole = [0, parts * PARTIAL_ROWS - count] as const;
          terms = tf.sum(tf.reshape(tf.pad(terms, [whole, [0, 0]]), [parts, PARTIAL_ROWS, width]), 1);
        }
        return tf.reshape(tf.sum(terms, 0), [1, width]);
      });
      const updates = placement.select(tf, at, sums);
      return { out: placement.put(tf, at, operands['out'], [updates, width]) };
    },
  };
}
