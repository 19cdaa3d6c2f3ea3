/**
 * Block products and gathers: places one by one. The terms of a product stand side by side, as those of block rows do.
 */
import type { Block } from '../work/demand.js';
import type { Gathers } from '../work/gathers.js';
import type { BlockProducts, ProductTarget } from '../work/products.js';
import type { TfOperations, TfTensor } from './api.js';
import { batchesOf, behindZero, NOTHING, NumberLists, Placement, type TfProgram } from './program.js';

/** Numbers as rows of one. */
const column = (tf: TfOperations, x: TfTensor): TfTensor => tf.reshape(x, [-1, 1]);

/** Hands the place of each entry of a block over. */
export function forEachPlace(
  { offset, ld, transposed }: Block,
  [rows, columns]: readonly [number, number],
  visit: (i: number, j: number, place: number) => void,
): void {
  const [down, across] = transposed === true ? [ld, 1] : [1, ld];
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) visit(i, j, offset + i * down + j * across);
}

const depthOf = ({ terms }: ProductTarget): number =>
  Math.max(
    1,
    terms.reduce((sum, { depth }) => sum + depth, 0),
  );

/** The launch of block products. */
export function productsProgram({ alpha, beta, targets }: BlockProducts): TfProgram {
  if (targets.length === 0) return NOTHING;
  const lists = new NumberLists();
  const batches = batchesOf(targets.map((target) => [target.rows, target.columns, depthOf(target)]));
  const entries = targets.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const [to, from] = [new Int32Array(entries), new Int32Array(entries)];
  let [u, results] = [0, 0];
  const operands = batches.map(({ members, shape: [m, n, k] }) => {
    const [a, b] = [new Int32Array(members.length * m * k), new Int32Array(members.length * k * n)];
    members.forEach((target, member) => {
      const { c, rows, columns, terms } = targets[target];
      let before = 0;
      for (const term of terms) {
        forEachPlace(term.a, [rows, term.depth], (i, d, place) => {
          a[(member * m + i) * k + before + d] = 1 + place;
        });
        forEachPlace(term.b, [term.depth, columns], (d, j, place) => {
          b[(member * k + before + d) * n + j] = 1 + place;
        });
        before += term.depth;
      }
      forEachPlace(c, [rows, columns], (i, j, place) => {
        to[u] = place;
        from[u++] = results + (member * m + i) * n + j;
      });
    });
    results += members.length * m * n;
    const shape = (rows: number, columns: number): number[] => [members.length, rows, columns];
    return { a: lists.add(a, shape(m, k)), b: lists.add(b, shape(k, n)) };
  });
  const placement = new Placement(lists, to, from);
  return {
    lists: lists.all,
    padded: () => batches.reduce((sum, { members, shape: [m, n, k] }) => sum + 2 * members.length * m * n * k, 0),
    run: (tf, at, { a, b, c }) => {
      const [left, right] = [a, b].map((x) => behindZero(tf, x));
      const sums = operands.map((batch) =>
        column(tf, tf.matMul(tf.gather(left, at[batch.a]), tf.gather(right, at[batch.b]))),
      );
      let updates = placement.select(tf, at, sums);
      if (alpha !== 1) updates = tf.mul(updates, alpha);
      if (beta !== 0) {
        const current = placement.current(tf, at, c, 1);
        updates = tf.add(updates, beta === 1 ? current : tf.mul(current, beta));
      }
      return { c: placement.put(tf, at, c, [updates, 1]) };
    },
  };
}

/** The launch of gathers. */
export function gathersProgram({ alpha, keep, pieces }: Gathers): TfProgram {
  const moved = pieces.reduce((sum, { to }) => sum + to.rows.length * to.columns.length, 0);
  if (moved === 0) return NOTHING;
  const lists = new NumberLists();
  const places = { from: new Int32Array(moved), to: new Int32Array(moved) };
  for (const side of ['from', 'to'] as const) {
    let u = 0;
    for (const {
      [side]: { offset, rows, columns },
    } of pieces)
      for (const j of columns) for (const i of rows) places[side][u++] = offset + i + j;
  }
  const placement = new Placement(lists, places.to, places.from);
  return {
    lists: lists.all,
    padded: () => (keep ? moved : 0),
    run: (tf, at, { from, to }) => {
      let updates = placement.select(tf, at, [column(tf, from)]);
      if (alpha !== 1) updates = tf.mul(updates, alpha);
      if (keep) updates = tf.add(updates, placement.current(tf, at, to, 1));
      return { to: placement.put(tf, at, to, [updates, 1]) };
    },
  };
}
