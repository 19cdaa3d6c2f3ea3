/** Plans of random graphs: memory is shared rightly, phases run again, and nothing more is taken than is needed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { Graph } from '#hmatrix/tape/graph.js';
import type { Node } from '#hmatrix/tape/node.js';
import { packIntervals } from '#hmatrix/tape/plan/pack.js';
import { makePlan } from '#hmatrix/tape/plan/plan.js';
import { bilinear } from '#hmatrix/tape/primitives/bilinear.js';
import { elementwise, multiply } from '#hmatrix/tape/primitives/elementwise.js';
import { normalize } from '#hmatrix/tape/primitives/normalize.js';
import { reshape } from '#hmatrix/tape/primitives/rearrange.js';
import { softmax } from '#hmatrix/tape/primitives/softmax.js';
import { sum } from '#hmatrix/tape/primitives/sum.js';
import { hideKeys } from '#hmatrix/tape/primitives/tokens.js';
import { numbersOf, type Shape } from '#hmatrix/tape/shape.js';
import { evaluate, execute } from './evaluate.js';

const ROWS = 3;
const COUNT = 4;
const SHAPE: Shape = { perSample: true, dims: [ROWS, 2] };

/** A graph of `size` nodes of one shape, on two leaves of samples, a matrix, and a direction. */
interface RandomGraph {
  readonly graph: Graph;
  readonly leaves: readonly Node[];
  readonly direction: Node;
  readonly values: Map<Node, Float64Array>;
  readonly outputs: readonly Node[];
  /** Those that depend on the direction. */
  readonly later: readonly Node[];
}

function randomGraph(seed: number, size: number): RandomGraph {
  const random = new RandomStream(seed);
  const graph = new Graph();
  const leaves = [0, 1].map((k) => graph.leaf('input', k, SHAPE));
  const w = graph.leaf('parameter', 0, { perSample: false, dims: [ROWS, ROWS] });
  const direction = graph.leaf('direction', 0, SHAPE);
  const nodes = [...leaves, direction];
  const depends = new Set([direction]);
  const again = (x: Node): Node => reshape(graph, reshape(graph, x, [ROWS, 2, 1]), [ROWS, 2]);
  const dense = (x: Node): Node => bilinear(graph, 'dense', { mode: 2 }, [w, x], SHAPE);
  const seen = (x: Node): Node => {
    const scores = reshape(graph, x, [ROWS, 1, 2]);
    return reshape(graph, hideKeys(graph, scores, { causal: true, keys: null, padding: -1 }), [ROWS, 2]);
  };
  const one = (): Node => nodes[Math.max(0, nodes.length - 1 - random.integer(6))];
  while (nodes.length < size) {
    const [x, y, z] = [one(), one(), one()];
    const makers: (() => Node)[] = [
      () => sum(graph, [x, y, z]),
      () => sum(graph, [x, y], [1, -0.5]),
      () => sum(graph, [bilinear(graph, 'dense', { mode: 2 }, [w, x], SHAPE), multiply(graph, x, y), z]),
      () => multiply(graph, x, y),
      () => elementwise(graph, 'tanh', x),
      () => multiply(graph, elementwise(graph, 'gelu', x, { order: 1 }), elementwise(graph, 'gelu', x)),
      () => softmax(graph, x),
      () => normalize(graph, x, { over: 'rows', centered: true, epsilon: 0.1 }).y,
      () => bilinear(graph, 'dense', { mode: 1 }, [w, x], SHAPE),
      () => elementwise(graph, 'sigmoid', again(x)),
      // The same numbers by two names, beside a term that writes into the sum.
      () => sum(graph, [x, again(x), dense(y)]),
      () => sum(graph, [softmax(graph, again(x)), dense(x), again(again(y))], [1, 1, -2]),
      () => sum(graph, [dense(x), again(dense(y)), dense(x), z]),
      () => softmax(graph, again(softmax(graph, again(x)))),
      () => softmax(graph, seen(x)),
      () => sum(graph, [softmax(graph, seen(x)), dense(x), y]),
      () => sum(graph, [sum(graph, [x, dense(x)]), dense(sum(graph, [x, y]))]),
    ];
    const made = makers[random.integer(makers.length)]();
    // The size stays where products are made of products; now and then what is read next is the sum itself.
    const bounded = elementwise(graph, 'tanh', made);
    const node = random.integer(4) === 0 && made.op !== 'leaf' ? made : bounded;
    for (const input of node === made ? [made, bounded] : [bounded]) {
      nodes.push(nodes.includes(input) ? elementwise(graph, 'sigmoid', input) : input);
      if ([x, y, z].some((one) => depends.has(one))) depends.add(nodes.at(-1)!);
    }
  }
  const values = new Map<Node, Float64Array>(
    [...leaves, w, direction].map((leaf) => [
      leaf,
      Float64Array.from({ length: numbersOf(leaf.shape, COUNT) }, () => random.normal()),
    ]),
  );
  const outputs = nodes.filter((node, k) => node.op !== 'leaf' && (k === nodes.length - 1 || random.integer(8) === 0));
  return { graph, leaves, direction, values, outputs, later: outputs.filter((node) => depends.has(node)) };
}

const graphs = fc.record({ seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }), size: fc.integer({ min: 5, max: 40 }) });

/** The bound of rounding errors: sums add in another order, and what follows changes no number more than tenfold. */
function expectClose(a: FloatArray, b: FloatArray): void {
  a.forEach((value, i) => {
    expect(Math.abs(value - b[i])).toBeLessThanOrEqual(1e6 * 2 ** -53 * Math.max(1, Math.abs(value)));
  });
}

describe('plans', () => {
  it('give_the_same_where_nodes_share_memory_and_where_none_do', () => {
    fc.assert(
      fc.property(graphs, ({ seed, size }) => {
        const { graph, values, ...random } = randomGraph(seed, size);
        // The same node as an output twice.
        const outputs = [...random.outputs, random.outputs[0]];
        const own = evaluate(graph, outputs, values, { count: COUNT, apart: true });
        evaluate(graph, outputs, values, { count: COUNT }).forEach((shared, k) => {
          expectClose(shared, own[k]);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('run_a_later_phase_again_and_again', () => {
    fc.assert(
      fc.property(graphs, ({ seed, size }) => {
        const { graph, outputs, later, direction, values } = randomGraph(seed, size);
        const first = outputs.filter((node) => !later.includes(node));
        const read = (nodes: readonly Node[]): { node: Node; place: null }[] =>
          nodes.map((node) => ({ node, place: null }));
        const plan = makePlan({
          phases: [read(first), read(later)],
          phaseOf: ({ attributes }) => (attributes['kind'] === 'direction' ? 1 : 0),
          leafPlace: () => null,
          capacity: COUNT,
        });
        const runs = [1, -2, 1].map((scale) => {
          const along = values.get(direction)!.map((value) => scale * value);
          const own = new Map(values).set(direction, along);
          return { along, expected: evaluate(graph, later, own, { count: COUNT, apart: true }) };
        });
        const execution = execute(plan, 'f64');
        execution.setCount(COUNT);
        for (const [leaf, numbers] of values) if (plan.places.has(leaf.id)) execution.array(leaf).set(numbers);
        execution.run(0);
        for (const { along, expected } of runs) {
          if (plan.places.has(direction.id)) execution.array(direction).set(along);
          execution.run(1);
          later.forEach((node, k) => {
            expectClose(expected[k], execution.array(node));
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('take_memory_of_a_few_nodes_for_a_long_chain', () => {
    const graph = new Graph();
    const x = graph.leaf('input', 0, SHAPE);
    let node = x;
    for (let k = 0; k < 50; k++) node = bilinear(graph, 'elementwise', { mode: 2 }, [node, x], SHAPE);
    const request = { phaseOf: () => 0, leafPlace: () => null, capacity: COUNT };
    const { work } = makePlan({ phases: [[{ node, place: null }]], ...request });
    expect(work).toBeLessThanOrEqual(2 * 32);
  });
});

describe('packed intervals', () => {
  it('overlap_in_time_or_in_memory_and_never_in_both', () => {
    const interval = fc
      .record({ numbers: fc.integer({ min: 1, max: 50 }), first: fc.nat(30), steps: fc.nat(10) })
      .map(({ numbers, first, steps }) => ({ numbers, first, last: first + steps }));
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 30 }), (intervals) => {
        const { places, numbers } = packIntervals(intervals);
        intervals.forEach((a, i) => {
          expect(places[i] + a.numbers).toBeLessThanOrEqual(numbers);
          intervals.forEach((b, j) => {
            const inTime = i < j && a.first <= b.last && b.first <= a.last;
            const inMemory = places[i] < places[j] + b.numbers && places[j] < places[i] + a.numbers;
            expect(inTime && inMemory).toBe(false);
          });
        });
      }),
    );
  });
});
