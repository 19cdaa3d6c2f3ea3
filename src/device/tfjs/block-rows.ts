/**
 * Block rows as batched products: the blocks of a target stand side by side, so that its sum is one product, over its
 * terms in order. Targets of alike shapes are one batch; zeros fill what they lack.
 */
import type { BlockRows } from '../block-rows.js';
import {
  batchesOf,
  behindZero,
  NOTHING,
  NumberLists,
  Placement,
  rowsOf,
  type Batch,
  type TfProgram,
} from './program.js';

/** Block rows, whose blocks lie on the device in batches: `values` places each of them. */
export interface BlockRowsProgram extends TfProgram {
  readonly batches: readonly Batch[];
  /** Place of each entry of a batch's blocks among the values, counted from 1; 0: none. */
  readonly places: (batch: Batch) => Int32Array;
}

/** What the launch has batch b by. */
export const blocksName = (b: number): string => `blocks ${b}`;

/** Rows that a target multiplies; one that multiplies none has one of zeros. */
function depthOf({ termBegin, terms }: BlockRows, b: number): number {
  let depth = 0;
  for (let t = termBegin[b]; t < termBegin[b + 1]; t++) depth += terms[t];
  return Math.max(1, depth);
}

/** The entries of the targets of a batch, m × k each. */
function placesOf(rows: BlockRows, { members, shape: [m, k] }: Batch): Int32Array {
  const places = new Int32Array(members.length * m * k);
  members.forEach((b, member) => {
    let column = 0;
    for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
      const [down, across] = rows.transposed[t] === 1 ? [rows.ld[t], 1] : [1, rows.ld[t]];
      for (let i = 0; i < rows.count[b]; i++) {
        const at = (member * m + i) * k + column;
        for (let d = 0; d < rows.terms[t]; d++) places[at + d] = 1 + rows.offset[t] + i * down + d * across;
      }
      column += rows.terms[t];
    }
  });
  return places;
}

/** The launch of block rows that reach so many rows. */
export function blockRowsProgram(rows: BlockRows, reach: number): BlockRowsProgram {
  const targets = rows.first.length;
  const batches = batchesOf(Array.from({ length: targets }, (_, b) => [rows.count[b], depthOf(rows, b)]));
  if (targets === 0) return { ...NOTHING, batches, places: () => new Int32Array(0) };
  const lists = new NumberLists();
  const height = rows.count.reduce((sum, count) => sum + count, 0);
  const [to, from, starts] = [new Int32Array(height), new Int32Array(height), new Int32Array(height)];
  let [u, results] = [0, 0];
  const sources = batches.map(({ members, shape: [m, k] }) => {
    const source = new Int32Array(members.length * k);
    members.forEach((b, member) => {
      let at = member * k;
      for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++)
        for (let d = 0; d < rows.terms[t]; d++) source[at++] = 1 + rows.source[t] + d;
      for (let i = 0; i < rows.count[b]; i++, u++) {
        to[u] = rows.first[b] + i;
        from[u] = results + member * m + i;
        if (rows.startBegin[b] >= 0) starts[u] = 1 + rows.starts[rows.startBegin[b] + i];
      }
    });
    results += members.length * m;
    return lists.add(source, [members.length, k]);
  });
  const placement = new Placement(lists, to, from);
  const started = starts.some((row) => row > 0)
    ? lists.add(placement.order.map((result) => starts[result]))
    : undefined;
  const { alpha = 1, keep } = rows;
  return {
    lists: lists.all,
    batches,
    places: (batch) => placesOf(rows, batch),
    padded: (width) => batches.reduce((sum, { members, shape: [m, k] }) => sum + 2 * members.length * m * k * width, 0),
    run: (tf, at, { vectors, ...operands }, width) => {
      const table = behindZero(tf, rowsOf(tf, vectors, 0, reach, width), width);
      const sums = batches.map(({ members, shape: [m] }, b) =>
        tf.reshape(tf.matMul(operands[blocksName(b)], tf.gather(table, at[sources[b]])), [members.length * m, width]),
      );
      let updates = placement.select(tf, at, sums);
      if (alpha !== 1) updates = tf.mul(updates, alpha);
      if (started !== undefined) updates = tf.add(updates, tf.gather(table, at[started]));
      if (keep) updates = tf.add(updates, placement.current(tf, at, vectors, width));
      return { vectors: placement.put(tf, at, vectors, [updates, width]) };
    },
  };
}
