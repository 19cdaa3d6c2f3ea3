/** Primitives: their derivatives against differences, adjoints, symmetric second derivatives, shared memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Precision } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Node } from '#hmatrix/tape/node.js';
import { CASES, makeCase } from './cases.js';
import { derive, type Derived } from './derived.js';
import { evaluate, type Values } from './evaluate.js';

const EPS: Readonly<Record<Precision, number>> = { f64: 2 ** -53, f32: 2 ** -24 };

const random = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const dot = (a: readonly Float64Array[], b: readonly Float64Array[]): number =>
  a.reduce((total, x, k) => total + x.reduce((own, value, i) => own + value * b[k][i], 0), 0);
const norm = (a: readonly Float64Array[]): number => Math.sqrt(dot(a, a));
const difference = (a: readonly Float64Array[], b: readonly Float64Array[]): number =>
  norm(a.map((x, k) => x.map((value, i) => value - b[k][i])));

/** Leaves moved by `step` along the directions. */
function moved({ values, along, directions }: Derived, step: number): Values {
  const all = new Map(values);
  along.forEach((x, k) => {
    const direction = values.get(directions[k])!;
    all.set(
      x,
      values.get(x)!.map((value, i) => value + step * direction[i]),
    );
  });
  return all;
}

/** What central differences of `nodes` say, and what may be wrong with them. */
function differences(d: Derived, nodes: readonly Node[]): { readonly values: Float64Array[]; readonly error: number } {
  const step = 1e-3;
  const at = (factor: number): Float64Array[] => evaluate(d.graph, nodes, moved(d, factor * step), { count: d.count });
  const [far, near, back, farBack] = [2, 1, -1, -2].map(at);
  // Of fourth order: (8(f₁ − f₋₁) − (f₂ − f₋₂))/12h.
  const values = near.map((x, k) =>
    x.map((value, i) => (8 * (value - back[k][i]) - (far[k][i] - farBack[k][i])) / (12 * step)),
  );
  const simple = near.map((x, k) => x.map((value, i) => (value - back[k][i]) / (2 * step)));
  // The error of second order bounds that of fourth; rounding comes beside it: sums are rounded as their terms, which
  // may cancel, are large.
  const terms = norm([...d.values.values()]);
  const rounding = (EPS.f64 * (norm(near) + norm(far) + terms) * 100) / step;
  return { values, error: difference(values, simple) + rounding };
}

const inputsOf = ({ values }: Derived, nodes: readonly Node[]): Float64Array[] => nodes.map((x) => values.get(x)!);
const all = ({ node, push, pulls, second }: Derived): Node[] => [node, push, ...pulls, ...second];

describe.each(Object.keys(CASES))('%s', (name) => {
  const make = (seed: number): Derived => derive(makeCase(name, new RandomStream(seed)), new RandomStream(seed, 1));

  it('changes_along_a_direction_as_differences_say', () => {
    fc.assert(
      fc.property(random, (seed) => {
        const d = make(seed);
        const { values, error } = differences(d, [d.node]);
        expect(difference(evaluate(d.graph, [d.push], d.values, d), values)).toBeLessThanOrEqual(error);
      }),
      { numRuns: 20 },
    );
  });

  it.each(['f64', 'f32'] as const)('has_the_adjoint_of_its_derivative_%s', (precision) => {
    fc.assert(
      fc.property(random, (seed) => {
        const d = make(seed);
        const { count } = d;
        const [pushed, ...pulled] = evaluate(d.graph, [d.push, ...d.pulls], d.values, { count, precision });
        const [u, v] = [inputsOf(d, [d.seed]), inputsOf(d, d.directions)];
        const size = norm([pushed]) * norm(u) + norm(pulled) * norm(v);
        expect(Math.abs(dot([pushed], u) - dot(pulled, v))).toBeLessThanOrEqual(500 * EPS[precision] * size);
      }),
      { numRuns: 20 },
    );
  });

  it('has_the_second_derivative_that_differences_of_its_adjoint_say', () => {
    fc.assert(
      fc.property(random, (seed) => {
        const d = make(seed);
        const { values, error } = differences(d, d.pulls);
        expect(difference(evaluate(d.graph, d.second, d.values, d), values)).toBeLessThanOrEqual(error);
      }),
      { numRuns: 20 },
    );
  });

  it.each(['f64', 'f32'] as const)('has_a_symmetric_second_derivative_%s', (precision) => {
    fc.assert(
      fc.property(random, (seed) => {
        const d = make(seed);
        const { count, graph, values } = d;
        const nodes = [...d.second, ...d.secondAlongOthers];
        const found = evaluate(graph, nodes, values, { count, precision });
        const [one, other] = [found.slice(0, d.along.length), found.slice(d.along.length)];
        const [v, w] = [inputsOf(d, d.directions), inputsOf(d, d.others)];
        const size = norm(one) * norm(w) + norm(other) * norm(v);
        expect(Math.abs(dot(one, w) - dot(other, v))).toBeLessThanOrEqual(500 * EPS[precision] * size);
      }),
      { numRuns: 20 },
    );
  });

  it('gives_the_same_where_nodes_share_memory_and_where_none_do', () => {
    fc.assert(
      fc.property(random, (seed) => {
        const d = make(seed);
        const nodes = all(d);
        const own = evaluate(d.graph, nodes, d.values, { count: d.count, apart: true });
        const shared = evaluate(d.graph, nodes, d.values, d);
        // Sums add their terms in another order.
        expect(difference(shared, own)).toBeLessThanOrEqual(100 * EPS.f64 * norm(own));
      }),
      { numRuns: 20 },
    );
  });

  it('gives_the_same_bits_under_a_plan_for_more_samples', () => {
    fc.assert(
      fc.property(random, fc.integer({ min: 1, max: 5 }), (seed, more) => {
        const d = make(seed);
        const { count } = d;
        const exact = evaluate(d.graph, all(d), d.values, { count });
        expect(evaluate(d.graph, all(d), d.values, { count, capacity: count + more })).toEqual(exact);
      }),
      { numRuns: 20 },
    );
  });
});
