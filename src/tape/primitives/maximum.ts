/**
 * Maxima of windows over images. The value and the place of each maximum are two nodes; along changes of the image the
 * maxima change as the numbers at their places do.
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Machine, Primitive } from '../primitive.js';
import { numbersOf, rowsOf, type Shape } from '../shape.js';
import { geometryOf, type Geometry } from '../forms/geometry.js';

type Part = 'value' | 'place';

const maximum = (graph: Graph, x: Node, part: Part, geometry: Geometry): Node => {
  const shape: Shape = { ...x.shape, dims: [rowsOf(x.shape), geometry.outWidth, geometry.outHeight] };
  return graph.add('maximum', [x], { ...geometry, part }, shape);
};

/** The largest number of each window, outside the image −∞; the first one where several are as large. */
export const maxima = (graph: Graph, x: Node, geometry: Geometry): Node => maximum(graph, x, 'value', geometry);

/** The primitive, of values and of places. */
export const MAXIMUM: Primitive = {
  pushforward: (graph, node, [tangent]) => {
    if (tangent === null || node.attributes['part'] !== 'value') return null;
    return graph.add('pick', [tangent, placesOf(graph, node)], {}, node.shape);
  },
  pullback: (graph, node, cotangent) =>
    graph.add('putBack', [cotangent, placesOf(graph, node)], {}, node.inputs[0].shape),
  together: ({ attributes }) => JSON.stringify({ ...attributes, part: null }),
  run: (machine, node, _, together) => {
    const nodes = [node, ...together];
    const of = (part: Part): Node | undefined => nodes.find(({ attributes }) => attributes['part'] === part);
    const [values, places] = [of('value'), of('place')];
    const g = geometryOf(node.attributes);
    const [x] = node.inputs;
    const n = numbersOf(node.shape, machine.count);
    machine.tensors.maxPool(
      {
        depth: rowsOf(x.shape) * machine.count,
        width: g.width,
        height: g.height,
        window: [g.kernelWidth, g.kernelHeight],
        stride: [g.strideX, g.strideY],
        padding: [g.padX, g.padY],
        out: [g.outWidth, g.outHeight],
      },
      machine.array(x),
      values === undefined ? machine.part(machine.scratch, n) : machine.array(values),
      places === undefined ? machine.scratchIndices(n) : machine.indices(places),
    );
  },
  // Of values or places where the other ones are not asked for.
  scratch: ({ shape }, samples) => numbersOf(shape, samples),
};

function placesOf(graph: Graph, { inputs: [x], attributes }: Node): Node {
  const { part: _, ...geometry } = attributes;
  return maximum(graph, x, 'place', geometryOf(geometry));
}

/** x at the places: linear in x. */
export const PICK: Primitive = {
  pushforward: (graph, { inputs: [, places], shape }, [tangent]) =>
    tangent && graph.add('pick', [tangent, places], {}, shape),
  pullback: (graph, { inputs: [x, places] }, cotangent, k) =>
    k === 0 ? graph.add('putBack', [cotangent, places], {}, x.shape) : null,
  accumulates: true,
  run: (machine, node, beta) => {
    const [x, places] = node.inputs;
    const n = numbersOf(node.shape, machine.count);
    machine.tensors.gather(1, n, machine.indices(places), whole(machine, x), beta, machine.array(node));
  },
};

/** The adjoint of `pick`. */
export const PUT_BACK: Primitive = {
  pushforward: (graph, { inputs: [, places], shape }, [tangent]) =>
    tangent && graph.add('putBack', [tangent, places], {}, shape),
  pullback: (graph, { inputs: [y, places] }, cotangent, k) =>
    k === 0 ? graph.add('pick', [cotangent, places], {}, y.shape) : null,
  accumulates: true,
  run: (machine, node, beta) => {
    const [y, places] = node.inputs;
    const x = whole(machine, node);
    if (beta === 0) x.fill(0);
    machine.tensors.scatterAdd(1, numbersOf(y.shape, machine.count), machine.indices(places), machine.array(y), x);
  },
};

const whole = (machine: Machine, node: Node): ReturnType<Machine['array']> =>
  machine.part(machine.at(node), numbersOf(node.shape, machine.count));
