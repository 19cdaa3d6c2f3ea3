/**
 * Triangles: Cholesky factorizations and substitutions column by column, of all triangles of a batch at once. What a
 * triangle lacks to the order of its batch is the identity.
 */
import {
  ofRows,
  type Choleskys,
  type Substitutions,
  type SubstitutionTarget,
  type TrianglePlace,
} from '../work/triangles.js';
import type { TfOperations, TfTensor } from './api.js';
import { forEachPlace } from './products.js';
import { batchesOf, behindZero, NOTHING, NumberLists, Placement, rowsOf, type TfProgram } from './program.js';

/** Numbers behind a zero and a one: place i stands at i + 2. */
const behindUnits = (tf: TfOperations, x: TfTensor): TfTensor => tf.concat([tf.zeros([1]), tf.ones([1]), x], 0);

/** Entry (i, j) ← place(i, j) of a triangle, or of the identity beyond its order. */
function fillTriangle(
  list: Int32Array,
  [first, n]: readonly [number, number],
  order: number,
  place: (i: number, j: number) => number,
): void {
  for (let i = 0; i < order; i++) for (let j = 0; j <= i; j++) list[first + i * n + j] = 2 + place(i, j);
  for (let i = order; i < n; i++) list[first + i * n + i] = 1;
}

const ordersOf = (triangles: readonly TrianglePlace[]): number[][] => triangles.map(({ order }) => [order]);

/** L and the pivots of `count` matrices of order n, by columns from the left. */
function factor(
  tf: TfOperations,
  matrices: TfTensor,
  count: number,
  n: number,
): { readonly l: TfTensor; readonly pivots: TfTensor } {
  const columns: TfTensor[] = [];
  const pivots: TfTensor[] = [];
  let rest = matrices;
  for (let j = 0; j < n; j++) {
    const pivot = tf.slice(rest, [0, 0, 0], [count, 1, 1]);
    const column = tf.div(tf.slice(rest, [0, 0, 0], [count, n - j, 1]), tf.sqrt(pivot));
    columns.push(
      j === 0
        ? column
        : tf.pad(column, [
            [0, 0],
            [j, 0],
            [0, 0],
          ]),
    );
    pivots.push(tf.reshape(pivot, [count, 1]));
    if (j === n - 1) break;
    const below = tf.slice(column, [0, 1, 0]);
    rest = tf.sub(tf.slice(rest, [0, 1, 1]), tf.matMul(below, below, false, true));
  }
  return { l: tf.concat(columns, 2), pivots: tf.concat(pivots, 1) };
}

/** The launch of Cholesky factorizations. */
export function choleskyProgram({ triangles }: Choleskys): TfProgram {
  if (triangles.length === 0) return NOTHING;
  const lists = new NumberLists();
  const batches = batchesOf(ordersOf(triangles));
  const [to, from]: [number[], number[]] = [[], []];
  const told = new Int32Array(triangles.length);
  let [results, number] = [0, 0];
  const read = batches.map(({ members, shape: [n] }) => {
    const list = new Int32Array(members.length * n * n);
    members.forEach((t, member) => {
      const { offset, ld, order } = triangles[t];
      const first = member * n * n;
      fillTriangle(list, [first, n], order, (i, j) => offset + i + j * ld);
      // The steps take whole columns of what is left: both triangles.
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) list[first + j * n + i] = list[first + i * n + j];
      for (let i = 0; i < order; i++) {
        for (let j = 0; j <= i; j++) {
          to.push(offset + i + j * ld);
          from.push(results + first + i * n + j);
        }
      }
      told[t] = number++;
    });
    results += members.length * n * n;
    // Pivots by number, counted from 1.
    return {
      list: lists.add(list, [members.length, n, n]),
      pivots: lists.add(Float32Array.from({ length: n }, (_, j) => j + 1)),
    };
  });
  const placement = new Placement(lists, Int32Array.from(to), Int32Array.from(from));
  const statuses = Int32Array.from(triangles, ({ status }) => status);
  const outcome = new Placement(lists, statuses, told);
  return {
    lists: lists.all,
    padded: () => batches.reduce((sum, { members, shape: [n] }) => sum + members.length * n * n * (n + 1), 0),
    run: (tf, at, { values, status }) => {
      const table = behindUnits(tf, values);
      const factored = batches.map(({ members, shape: [n] }, b) => {
        const { l, pivots } = factor(tf, tf.gather(table, at[read[b].list]), members.length, n);
        const positive = tf.logicalAnd(tf.greater(pivots, 0), tf.less(pivots, Infinity));
        const first = tf.min(tf.where(positive, n + 1, at[read[b].pivots]), 1);
        const state = tf.where(tf.less(first, n + 1), first, 0);
        return { l: tf.reshape(l, [-1, 1]), state: tf.reshape(state, [-1, 1]) };
      });
      const select = (which: Placement, of: 'l' | 'state'): [TfTensor, number] => [
        which.select(
          tf,
          at,
          factored.map((one) => one[of]),
        ),
        1,
      ];
      return {
        values: placement.put(tf, at, values, select(placement, 'l')),
        status: outcome.put(tf, at, status, select(outcome, 'state')),
      };
    },
  };
}

/** M⁻¹·X of `count` lower triangles of order n, for X of `columns` columns. */
function substitute(
  tf: TfOperations,
  [triangles, x]: readonly [TfTensor, TfTensor],
  [count, n, columns]: readonly [number, number, number],
): TfTensor {
  const solved: TfTensor[] = [];
  let rest = x;
  for (let j = 0; j < n; j++) {
    const pivot = tf.slice(triangles, [0, j, j], [count, 1, 1]);
    const row = tf.div(tf.slice(rest, [0, 0, 0], [count, 1, columns]), pivot);
    solved.push(row);
    if (j === n - 1) break;
    const below = tf.slice(triangles, [0, j + 1, j], [count, n - 1 - j, 1]);
    rest = tf.sub(tf.slice(rest, [0, 1, 0]), tf.matMul(below, row));
  }
  return tf.concat(solved, 1);
}

/** Columns of a block, or 1 for rows of vectors, which are read by rows. */
const columnsOf = (x: SubstitutionTarget): number => (x.block === undefined ? 1 : x.columns);

/** The launch of substitutions: L⁻ᵀ is the inverse of a lower triangle too, with rows and columns from the last on. */
export function substitutionsProgram(work: Substitutions): TfProgram {
  const { transposed, systems } = work;
  if (systems.length === 0) return NOTHING;
  const rowwise = ofRows(work);
  const lists = new NumberLists();
  const batches = batchesOf(systems.map(({ triangle: { order }, x }) => [order, columnsOf(x)]));
  const [to, from]: [number[], number[]] = [[], []];
  let results = 0;
  const read = batches.map(({ members, shape: [n, columns] }) => {
    const list = new Int32Array(members.length * n * n);
    const vectors = new Int32Array(members.length * n * columns);
    members.forEach((s, member) => {
      const { triangle, x } = systems[s];
      const { offset, ld, order } = triangle;
      const row = (i: number): number => (transposed ? order - 1 - i : i);
      fillTriangle(list, [member * n * n, n], order, (i, j) =>
        transposed ? offset + row(j) + row(i) * ld : offset + i + j * ld,
      );
      // Rows of vectors have their first for an offset, as numbers have.
      const block = x.block ?? { offset: x.first, ld: order };
      forEachPlace(block, [order, columnsOf(x)], (i, j, place) => {
        const at = (member * n + row(i)) * columns + j;
        vectors[at] = 1 + place;
        to.push(place);
        from.push(results + at);
      });
    });
    results += members.length * n * columns;
    const shape = [members.length, n, ...(rowwise ? [] : [columns])];
    return { list: lists.add(list, [members.length, n, n]), vectors: lists.add(vectors, shape) };
  });
  const placement = new Placement(lists, Int32Array.from(to), Int32Array.from(from));
  const reach = to.reduce((most, place) => Math.max(most, place + 1), 0);
  return {
    lists: lists.all,
    padded: (width) =>
      batches.reduce((sum, { members, shape: [n, columns] }) => {
        return sum + members.length * n * n * (rowwise ? width : columns);
      }, 0),
    run: (tf, at, { triangles, x }, width) => {
      const table = behindUnits(tf, triangles);
      const one = rowwise ? width : 1;
      const source = rowwise ? behindZero(tf, rowsOf(tf, x, 0, reach, width), width) : behindZero(tf, x);
      const solved = batches.map(({ members, shape: [n, columns] }, b) => {
        const operands = [tf.gather(table, at[read[b].list]), tf.gather(source, at[read[b].vectors])] as const;
        const result = substitute(tf, operands, [members.length, n, rowwise ? width : columns]);
        return tf.reshape(result, [-1, one]);
      });
      return { x: placement.put(tf, at, x, [placement.select(tf, at, solved), one]) };
    },
  };
}
