/**
 * Copies over samples, positions or rows, and the sums that are their adjoints. For x of d₀ × samples × positions:
 *
 *   over        from                 to
 *   columns     d₀ (shared)          every column
 *   rows        1 × columns          every row
 *   positions   d₀ per sample        every position of the sample
 *   samples     d₀ × positions       every sample
 *   all         one number           everywhere
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Machine, Primitive } from '../primitive.js';
import { columnsOf, numbersOf, positionsOf, rowsOf, sameShape, shapeText, type Shape } from '../shape.js';
import { scaled } from './sum.js';

/** What is copied over, or summed. */
export type Over = 'columns' | 'rows' | 'positions' | 'samples' | 'all';

/** The shape of what is spread to `shape`. */
export function sourceShape({ perSample, dims }: Shape, over: Over): Shape {
  switch (over) {
    case 'columns':
      return { perSample: false, dims: [dims[0]] };
    case 'rows':
      return { perSample, dims: [1, ...dims.slice(1)] };
    case 'positions':
      return { perSample, dims: [dims[0]] };
    case 'samples':
      return { perSample: false, dims };
    case 'all':
      return { perSample: false, dims: [1] };
  }
}

/** x, of the source's shape, spread to `shape`. Throws ShapeError. */
export function spread(graph: Graph, x: Node, over: Over, shape: Shape): Node {
  const wanted = sourceShape(shape, over);
  if (!sameShape(x.shape, wanted))
    graph.fail(
      'spread',
      `"${x.name}" is ${shapeText(x.shape)}: what is spread over ${over} to ${shapeText(shape)} is ` +
        `${shapeText(wanted)}.`,
    );
  return graph.add('spread', [x], { over }, shape);
}

/** The sum of x over what `over` says, or its mean. */
export function gather(graph: Graph, x: Node, over: Over, mean = false): Node {
  return graph.add('gather', [x], { over, mean }, sourceShape(x.shape, over));
}

/** The linear map that spreads: `shape` is that of its result. */
function spreadMean(graph: Graph, x: Node, { shape, attributes }: Node): Node {
  const over = attributes['over'] as Over;
  return attributes['mean'] === true
    ? graph.add('spread', [x], { over, mean: true }, shape)
    : graph.add('spread', [x], { over }, shape);
}

/** How many numbers of x come to one of its source. */
function share(x: Shape, over: Over, samples: number): number {
  return numbersOf(x, samples) / numbersOf(sourceShape(x, over), samples);
}

const factorOf = ({ attributes }: Node, x: Shape, samples: number): number =>
  attributes['mean'] === true ? 1 / share(x, attributes['over'] as Over, samples) : 1;

/** x as a matrix whose columns are summed, or have a vector added: its rows and columns; null for other kinds. */
function asMatrix(x: Shape, over: Over, samples: number): [number, number] | null {
  if (over === 'columns') return [rowsOf(x), columnsOf(x, samples)];
  if (over === 'positions') return [rowsOf(x) * (x.perSample ? samples : 1), positionsOf(x)];
  return null;
}

/** Visits the sample block of each position: its place in x and in the shared source. */
function eachPosition(x: Shape, samples: number, visit: (at: number, from: number) => void): void {
  const rows = rowsOf(x);
  for (let p = 0; p < positionsOf(x); p++) visit(p * rows * samples, p * rows);
}

/** The primitive that spreads; with `mean` it divides by how often. */
export const SPREAD: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && spreadMean(graph, tangent, node),
  pullback: (graph, { attributes }, cotangent) => {
    const over = attributes['over'] as Over;
    return gather(graph, cotangent, over, attributes['mean'] === true);
  },
  accumulates: true,
  run: (machine, node, beta) => {
    const { tensors, count } = machine;
    const over = node.attributes['over'] as Over;
    const from = machine.array(node.inputs[0]);
    const y = machine.array(node);
    const factor = factorOf(node, node.shape, count);
    const matrix = asMatrix(node.shape, over, count);
    const [rows, cols] = [rowsOf(node.shape), columnsOf(node.shape, count)];
    if (matrix !== null)
      tensors.combineRows(...matrix, null, null, null, null, scaledCopy(machine, node, from, factor), beta, y);
    else if (over === 'rows')
      tensors.combineColumns(rows, cols, null, null, null, null, scaledCopy(machine, node, from, factor), beta, y);
    else if (over === 'all') {
      const value = factor * from[0];
      const n = numbersOf(node.shape, count);
      if (beta === 0) y.fill(value, 0, n);
      else for (let i = 0; i < n; i++) y[i] += value;
    } else {
      const copy = scaledCopy(machine, node, from, factor);
      eachPosition(node.shape, count, (at, source) => {
        const block = machine.part(machine.at(node) + at, rows * count);
        tensors.combineRows(rows, count, null, null, null, null, copy.subarray(source, source + rows), beta, block);
      });
    }
  },
  scratch: (node, samples) => numbersOf(node.inputs[0].shape, samples),
};

/** factor·x in scratch memory; x itself where the factor is one. */
function scaledCopy(machine: Machine, node: Node, x: ReturnType<Machine['array']>, factor: number): typeof x {
  if (factor === 1) return x;
  const n = numbersOf(node.inputs[0].shape, machine.count);
  const copy = machine.part(machine.scratch, n);
  machine.vectors.combine(n, factor, x, 0, copy);
  return copy;
}

/** The primitive that sums. */
export const GATHER: Primitive = {
  pushforward: (graph, { attributes }, [tangent]) =>
    tangent && gather(graph, tangent, attributes['over'] as Over, attributes['mean'] === true),
  pullback: (graph, node, cotangent) => spreadMean(graph, cotangent, { ...node, shape: node.inputs[0].shape }),
  accumulates: true,
  run: (machine, node, beta) => {
    const { tensors, count } = machine;
    const over = node.attributes['over'] as Over;
    const [x] = node.inputs;
    const from = machine.array(x);
    const to = machine.array(node);
    const factor = factorOf(node, x.shape, count);
    const matrix = asMatrix(x.shape, over, count);
    const [rows, cols] = [rowsOf(x.shape), columnsOf(x.shape, count)];
    if (matrix !== null) tensors.rowSums(...matrix, factor, from, beta, to);
    else if (over === 'rows') tensors.columnSums(rows, cols, factor, from, beta, to);
    else if (over === 'all') {
      let total = 0;
      for (let i = 0; i < rows * cols; i++) total += from[i];
      to[0] = factor * total + (beta === 0 ? 0 : to[0]);
    } else
      eachPosition(x.shape, count, (at, target) => {
        const block = machine.part(machine.at(x) + at, rows * count);
        tensors.rowSums(rows, count, factor, block, beta, machine.part(machine.at(node) + target, rows));
      });
  },
};

/** −x. */
export const negative = (graph: Graph, x: Node): Node => scaled(graph, -1, x);
