/**
 * Linear maps that move numbers: other dimensions of the same numbers, positions into rows, some of the rows, columns
 * by index. Each comes with its adjoint.
 */
import { ShapeError } from '../../core/errors.js';
import type { ChunkAxis } from '../../dense/tensor-kernels.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Machine, Primitive } from '../primitive.js';
import { columnsOf, numbersEach, numbersOf, positionsOf, rowsOf, shapeText, type Shape } from '../shape.js';

/** The same numbers with other dimensions after the first; they stay where they are. Throws ShapeError. */
export function reshape(graph: Graph, x: Node, dims: readonly number[]): Node {
  const shape: Shape = { ...x.shape, dims };
  if (dims[0] !== rowsOf(x.shape) || numbersEach(shape) !== numbersEach(x.shape))
    graph.fail(
      'reshape',
      `${shapeText(x.shape)} cannot be ${shapeText(shape)}: the first dimension and the number of numbers stay.`,
    );
  return graph.add('reshape', [x], {}, shape);
}

/**
 * All positions of a sample into rows: d₀ × samples × positions → (positions·d₀) × samples, the positions of the first
 * row, then those of the second.
 */
export function flatten(graph: Graph, x: Node): Node {
  const shape: Shape = { perSample: true, dims: [numbersEach(x.shape)] };
  if (positionsOf(x.shape) === 1) return reshape(graph, x, [rowsOf(x.shape)]);
  return graph.add('flatten', [x], {}, shape);
}

/** The inverse of `flatten`. Throws ShapeError. */
export function unflatten(graph: Graph, x: Node, dims: readonly number[]): Node {
  const shape: Shape = { perSample: true, dims };
  if (positionsOf(x.shape) !== 1 || numbersEach(shape) !== rowsOf(x.shape))
    graph.fail('unflatten', `${shapeText(x.shape)} cannot be ${shapeText(shape)}.`);
  return positionsOf(shape) === 1 ? reshape(graph, x, dims) : graph.add('unflatten', [x], {}, shape);
}

function requireRows(graph: Graph, op: string, [first, count]: readonly [number, number], total: number): void {
  if (!(first >= 0 && count >= 1 && first + count <= total))
    graph.fail(op, `rows ${first} to ${first + count} are not among the ${total} that there are.`);
}

/** Rows [first, first + count) of every column. Throws ShapeError. */
export function rows(graph: Graph, x: Node, first: number, count: number): Node {
  requireRows(graph, 'rows', [first, count], rowsOf(x.shape));
  return graph.add('rows', [x], { first }, { ...x.shape, dims: [count, ...x.shape.dims.slice(1)] });
}

/** x as the rows from `first` on of a tensor of `total` rows, the others zero. Throws ShapeError. */
export function place(graph: Graph, x: Node, first: number, total: number): Node {
  requireRows(graph, 'place', [first, rowsOf(x.shape)], total);
  return graph.add('place', [x], { first }, { ...x.shape, dims: [total, ...x.shape.dims.slice(1)] });
}

/**
 * Columns of the shared matrix W (d × words) by the indices of `ids` (1 × positions, per sample). Throws ShapeError.
 */
export function columnsAt(graph: Graph, w: Node, ids: Node): Node {
  if (w.shape.perSample || w.shape.dims.length !== 2 || rowsOf(ids.shape) !== 1)
    graph.fail(
      'columnsAt',
      `the columns of ${shapeText(w.shape)} by ${shapeText(ids.shape)}: a shared matrix and one index each.`,
    );
  return graph.add('columnsAt', [w, ids], {}, { ...ids.shape, dims: [rowsOf(w.shape), ...ids.shape.dims.slice(1)] });
}

/** Computes nothing: the plan lets it stand where its input does. */
export const RESHAPE: Primitive = {
  pushforward: (graph, { shape }, [tangent]) => tangent && reshape(graph, tangent, shape.dims),
  pullback: (graph, { inputs: [x] }, cotangent) => reshape(graph, cotangent, x.shape.dims),
  run: () => undefined,
};

/** Moves numbers between d₀ × samples × positions and (positions·d₀) × samples; `toImage`: to the former. */
function turn(machine: Machine, image: Node, [x, y]: readonly [Node, Node], toImage: boolean): void {
  const { tensors, count } = machine;
  const d = rowsOf(image.shape);
  const positions = positionsOf(image.shape);
  const axis = (n: number, ofImage: number, ofRows: number): ChunkAxis =>
    toImage ? { count: n, from: ofRows, to: ofImage } : { count: n, from: ofImage, to: ofRows };
  const axes = [axis(d, 1, positions), axis(positions, d * count, 1)];
  const all = numbersOf(image.shape, count);
  for (let b = 0; b < count; b++) {
    const [ofImage, ofRows] = [d * b, d * positions * b];
    const [from, to] = toImage ? [ofRows, ofImage] : [ofImage, ofRows];
    tensors.copyChunks(
      1,
      axes,
      machine.part(machine.at(x) + from, all - from),
      0,
      machine.part(machine.at(y) + to, all - to),
    );
  }
}

/** The primitive. */
export const FLATTEN: Primitive = {
  pushforward: (graph, _, [tangent]) => tangent && flatten(graph, tangent),
  pullback: (graph, { inputs: [x] }, cotangent) => unflatten(graph, cotangent, x.shape.dims),
  run: (machine, node) => {
    turn(machine, node.inputs[0], [node.inputs[0], node], false);
  },
};

/** The primitive. */
export const UNFLATTEN: Primitive = {
  pushforward: (graph, { shape }, [tangent]) => tangent && unflatten(graph, tangent, shape.dims),
  pullback: (graph, _, cotangent) => flatten(graph, cotangent),
  run: (machine, node) => {
    turn(machine, node, [node.inputs[0], node], true);
  },
};

const firstOf = ({ attributes }: Node): number => attributes['first'] as number;

/** The primitive. */
export const ROWS_OF: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && rows(graph, tangent, firstOf(node), rowsOf(node.shape)),
  pullback: (graph, node, cotangent) => place(graph, cotangent, firstOf(node), rowsOf(node.inputs[0].shape)),
  accumulates: true,
  run: (machine, node, beta) => {
    const [x] = node.inputs;
    const [own, all, count] = [rowsOf(node.shape), rowsOf(x.shape), columnsOf(x.shape, machine.count)];
    const first = firstOf(node);
    const from = machine.part(machine.at(x) + first, all * count - first);
    machine.tensors.copyChunks(own, [{ count, from: all, to: own }], from, beta, machine.array(node));
  },
};

/** The primitive. */
export const PLACE: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && place(graph, tangent, firstOf(node), rowsOf(node.shape)),
  pullback: (graph, node, cotangent) => rows(graph, cotangent, firstOf(node), rowsOf(node.inputs[0].shape)),
  accumulates: true,
  run: (machine, node, beta) => {
    const [x] = node.inputs;
    const [own, all, count] = [rowsOf(x.shape), rowsOf(node.shape), columnsOf(x.shape, machine.count)];
    const first = firstOf(node);
    if (beta === 0) machine.array(node).fill(0, 0, all * count);
    const to = machine.part(machine.at(node) + first, all * count - first);
    machine.tensors.copyChunks(own, [{ count, from: own, to: all }], machine.array(x), beta, to);
  },
};

/** ids as indices of `words` columns, in scratch memory. Throws ShapeError that names the node for what is none. */
function indicesFrom(machine: Machine, { name }: Node, ids: Node, words: number): Int32Array {
  const n = numbersOf(ids.shape, machine.count);
  const indices = machine.scratchIndices(n);
  const x = machine.array(ids);
  for (let i = 0; i < n; i++) {
    if (!(Number.isInteger(x[i]) && x[i] >= 0 && x[i] < words))
      throw new ShapeError(`${name}: it is given the index ${x[i]}: indices run from 0 to ${words - 1}.`, {
        node: name,
        index: x[i],
        words,
      });
    indices[i] = x[i];
  }
  return indices;
}

/** The primitive. */
export const COLUMNS_AT: Primitive = {
  pushforward: (graph, { inputs: [, ids] }, [tangent]) => tangent && columnsAt(graph, tangent, ids),
  pullback: (graph, { inputs: [w, ids] }, cotangent, k) =>
    k === 0 ? graph.add('addColumnsAt', [ids, cotangent], {}, w.shape) : null,
  accumulates: true,
  run: (machine, node, beta) => {
    const [w, ids] = node.inputs;
    const [d, cols] = [rowsOf(node.shape), columnsOf(node.shape, machine.count)];
    const table = machine.part(machine.at(w), numbersEach(w.shape));
    machine.tensors.gather(
      d,
      cols,
      indicesFrom(machine, node, ids, columnsOf(w.shape, 1)),
      table,
      beta,
      machine.array(node),
    );
  },
  scratch: (node, samples) => numbersOf(node.inputs[1].shape, samples),
};

/** The adjoint of `columnsAt` in W. */
export const ADD_COLUMNS_AT: Primitive = {
  pushforward: (graph, { inputs: [ids], shape }, [, tangent]) =>
    tangent && graph.add('addColumnsAt', [ids, tangent], {}, shape),
  pullback: (graph, { inputs: [ids] }, cotangent, k) => (k === 1 ? columnsAt(graph, cotangent, ids) : null),
  accumulates: true,
  run: (machine, node, beta) => {
    const [ids, y] = node.inputs;
    const [d, cols] = [rowsOf(y.shape), columnsOf(y.shape, machine.count)];
    const n = numbersEach(node.shape);
    const w = machine.part(machine.at(node), n);
    if (beta === 0) w.fill(0);
    machine.tensors.scatterAdd(d, cols, indicesFrom(machine, node, ids, columnsOf(node.shape, 1)), machine.array(y), w);
  },
  scratch: (node, samples) => numbersOf(node.inputs[0].shape, samples),
};
