/** Graphs: nodes made once, shapes checked where they arise, messages that name the node; tokens as columns. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { ancestorsOf, pullback, pushforward } from '#hmatrix/tape/differentiate.js';
import { Graph } from '#hmatrix/tape/graph.js';
import type { Node } from '#hmatrix/tape/node.js';
import { elementwise, multiply } from '#hmatrix/tape/primitives/elementwise.js';
import { columnsAt, place, reshape, rows, unflatten } from '#hmatrix/tape/primitives/rearrange.js';
import { columnDots, softmax } from '#hmatrix/tape/primitives/softmax.js';
import { spread } from '#hmatrix/tape/primitives/spread.js';
import { sum } from '#hmatrix/tape/primitives/sum.js';
import { directionNodes, hessianNodes } from '#hmatrix/tape/programs.js';
import { hideKeys, oneHot, present } from '#hmatrix/tape/primitives/tokens.js';
import { evaluate } from './evaluate.js';

const leaf = (graph: Graph, index: number, ...dims: number[]): Node =>
  graph.leaf('input', index, { perSample: true, dims });

describe('a graph', () => {
  it('makes_a_node_once', () => {
    const graph = new Graph();
    const x = leaf(graph, 0, 3, 2);
    expect(softmax(graph, x)).toBe(softmax(graph, x));
    expect(sum(graph, [x, x])).not.toBe(sum(graph, [x, x], [1, 2]));
    expect(leaf(graph, 0, 3, 2)).toBe(x);
  });

  it.each<[string, (graph: Graph, x: Node) => unknown, RegExp]>([
    [
      'other shapes in a sum',
      (g, x) => sum(g, [x, leaf(g, 1, 2, 3)]),
      /block\/sum: .*3 × samples × 2.*2 × samples × 3/,
    ],
    ['other shapes in a product', (g, x) => multiply(g, x, leaf(g, 1, 4)), /block\/multiply: .*same shape/],
    ['a node of another graph', (g, x) => sum(g, [x, leaf(new Graph(), 0, 3, 2)]), /block\/sum: .*another graph/],
    ['numbers that do not fit', (g, x) => reshape(g, x, [3, 4]), /block\/reshape: .*cannot be/],
    ['too few to unflatten', (g) => unflatten(g, leaf(g, 1, 5), [2, 3]), /block\/unflatten: .*cannot be/],
    ['rows that are not there', (g, x) => rows(g, x, 2, 2), /block\/rows: rows 2 to 4 are not among the 3/],
    ['a source of another shape', (g, x) => spread(g, x, 'rows', x.shape), /block\/spread: .*1 × samples × 2/],
    ['columns of samples', (g, x) => columnsAt(g, x, leaf(g, 1, 1, 4)), /block\/columnsAt: .*shared matrix/],
    ['no numbers', (g) => leaf(g, 1, 0, 3), /leaf: .*whole number ≥ 1/],
    ['too many rows', (g, x) => place(g, x, 2, 4), /block\/place: .*rows 2 to 5 are not among the 4/],
  ])('names_the_node_of_%s', (_, make, message) => {
    const graph = new Graph();
    const x = leaf(graph, 0, 3, 2);
    const made = (): unknown => graph.within('block', () => make(graph, x));
    expect(made).toThrow(ShapeError);
    expect(made).toThrow(message);
  });

  it.each([3, -1, 1.5, Number.NaN])('names_the_node_that_is_given_the_index_%s', (index) => {
    const graph = new Graph();
    const w = graph.leaf('parameter', 0, { perSample: false, dims: [2, 3] });
    const ids = leaf(graph, 0, 1);
    const node = graph.within('block', () => columnsAt(graph, w, ids));
    const values = new Map([
      [w, [1, 2, 3, 4, 5, 6]],
      [ids, [index]],
    ]);
    expect(() => evaluate(graph, [node], values, { count: 1 })).toThrow(ShapeError);
    expect(() => evaluate(graph, [node], values, { count: 1 })).toThrow(/block\/columnsAt: .*indices run from 0 to 2/);
  });

  it('says_where_a_third_derivative_is_asked_for', () => {
    const graph = new Graph();
    const x = leaf(graph, 0, 3);
    const second = elementwise(graph, 'tanh', x, { order: 2 });
    const along = new Map([[x, leaf(graph, 1, 3)]]);
    expect(() => pushforward(graph, [second], along)).toThrow(/third derivative of tanh/);
  });

  it('has_a_product_of_zeros_with_the_Hessian_of_a_linear_loss_in_the_phase_of_its_direction', () => {
    const graph = new Graph();
    const w = graph.leaf('parameter', 0, { perSample: false, dims: [3] });
    const x = leaf(graph, 0, 3);
    const loss = columnDots(graph, x, spread(graph, w, 'columns', x.shape));
    const of = { graph, parameters: [w], terms: [{ loss, output: x }], loss };
    const [product] = hessianNodes(of);
    const direction = directionNodes(of, 'product').get(w)!;
    expect(ancestorsOf([product])).toContain(direction);
    expect(evaluate(graph, [product], new Map([[direction, [1, -2, 3]]]), { count: 1 })[0].map(Math.abs)).toEqual(
      new Float64Array(3),
    );
  });

  it('has_no_derivative_along_what_a_node_does_not_depend_on', () => {
    const graph = new Graph();
    const [x, y] = [leaf(graph, 0, 3), leaf(graph, 1, 3)];
    const node = softmax(graph, x);
    expect(pushforward(graph, [node], new Map([[y, y]]))).toEqual([null]);
    expect(pullback(graph, new Map([[node, node]]), [x, y])[1]).toBeNull();
  });
});

describe('tokens', () => {
  const graph = new Graph();
  const ids = graph.leaf('input', 0, { perSample: true, dims: [1, 3] });
  // Samples stand within positions: (2, 0), (1, 1), (0, 2).
  const values = new Map([[ids, [2, 0, 1, 1, 0, 2]]]);

  it('become_shares_of_classes_with_none_for_padding', () => {
    const smooth = oneHot(graph, ids, { classes: 3, smoothing: 0.3, padding: 0 });
    const [found] = evaluate(graph, [smooth], values, { count: 2 });
    const columns = [2, 0, 1, 1, 0, 2].flatMap((id) =>
      [0, 1, 2].map((k) => (id === 0 ? 0 : k === id ? 0.7 + 0.1 : 0.1)),
    );
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(columns[i], 14);
    });
  });

  it('are_present_unless_they_are_padding', () => {
    expect([...evaluate(graph, [present(graph, ids, 0)], values, { count: 2 })[0]]).toEqual([1, 0, 1, 1, 0, 1]);
  });

  it('hide_scores_of_padding_and_of_what_comes_later', () => {
    const scores = graph.leaf('input', 1, { perSample: true, dims: [3, 1, 3] });
    const own = new Map([...values, [scores, new Array<number>(18).fill(0)]]);
    const seen = softmax(graph, hideKeys(graph, scores, { causal: true, keys: ids, padding: 0 }));
    const [weights] = evaluate(graph, [seen], own, { count: 2 });
    // Of each query the keys of sample 0 (tokens 2, 1, 0), then of sample 1 (tokens 0, 1, 2). A query that sees none
    // but padding: that, and nothing behind it.
    const expected = [1, 0, 0, 1, 0, 0, 0.5, 0.5, 0, 0, 1, 0, 0.5, 0.5, 0, 0, 0.5, 0.5];
    weights.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 14);
    });
  });
});
