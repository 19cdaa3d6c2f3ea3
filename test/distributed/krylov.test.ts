/** Krylov methods on several ranks: the outcome of one process to the last bit, and one reduction for each step. */
import { beforeAll, describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import type { TrafficByPhase } from '#hmatrix/distributed/recorded.js';

const module = new URL('krylov-ranks.mjs', import.meta.url);
const onThreads = <R>(ranks: number, name: string, data: object): Promise<R[]> =>
  runOnThreads<object, R>(ranks, { module, name, data });

type Outcomes = Record<string, Readonly<Record<string, unknown>>>;

/** N, λ and how it is compressed: also fewer leaves than ranks, one leaf, one row, near blocks of other ranks. */
const CASES = [
  [500, 1e-2, { leafSize: 30, tolerance: 1e-4 }],
  [101, 1e-2, { leafSize: 40, tolerance: 1e-3 }],
  [150, 1e-2, { leafSize: 30, tolerance: 1e-3, format: 'hodlr' }],
  [7, 1e-2, { leafSize: 16 }],
  [1, 1e-2, {}],
  [400, 5, { leafSize: 25, maxRank: 30, tolerance: 1e-2, format: 'fmm', budget: 0.2 }],
] as const;

describe('Krylov methods', () => {
  const outcomes = (ranks: number): Promise<Outcomes[][]> =>
    onThreads<Outcomes[]>(ranks, 'solves', {
      cases: CASES.map(([size, shift, options]) => ({ size, shift, options })),
    });
  let one: readonly Outcomes[];
  beforeAll(async () => {
    [one] = await outcomes(1);
  });

  it('of_one_rank_end_alike_whether_vectors_are_whole_or_of_own_rows', () => {
    CASES.forEach(([size], k) => {
      const found = one[k];
      for (const name of ['plain', 'guess', 'preconditioned', 'another tree', 'zero'])
        expect({ size, found: found[`${name}, own rows`] }).toEqual({ size, found: found[name] });
      for (const name of ['flexible', 'minres', 'block'].flatMap((one) => [one, `${one} preconditioned`]))
        expect({ size, found: found[`${name}, own rows`] }).toEqual({ size, found: found[name] });
      expect(found['both own rows']).toEqual(found.preconditioned);
      expect(found.again).toEqual(found.plain);
    });
  });

  it('have_the_outcomes_that_one_process_has', () => {
    CASES.forEach(([size, , options], k) => {
      expect({ size, ...one[k] }).toMatchObject({
        size,
        plain: { outcome: 'converged' },
        'far out': { outcome: 'converged' },
        zero: { outcome: 'converged', iterations: 0, products: 0 },
        indefinite: { outcome: 'indefinite' },
        sum: { outcome: 'converged' },
        'another tree': { outcome: 'converged' },
        flexible: { outcome: 'converged' },
        minres: { outcome: 'converged' },
        block: { outcome: 'converged' },
        'block of two': { outcome: 'converged' },
        'block indefinite': { outcome: 'indefinite' },
        'minres indefinite': { outcome: 'converged' },
        ...(size > 100 && {
          loose: { outcome: 'maxIterations', iterations: 7 },
          aborted: { outcome: 'aborted', iterations: 3 },
          'flexible aborted': { outcome: 'aborted', iterations: 3 },
          'block aborted': { outcome: 'aborted', iterations: 3 },
          eigenvalues: { outcome: 'converged' },
          'eigenvalues alike': true,
          'minres aborted': { outcome: 'aborted', iterations: 3 },
        }),
        ...(!('format' in options) && {
          'negative preconditioner': { outcome: 'indefinitePreconditioner', iterations: 0 },
        }),
      });
    });
    expect(one[1].stagnated).toMatchObject({ outcome: 'stagnated' });
  });

  it.each([3])('of_%i_ranks_end_as_those_of_one_to_the_last_bit', async (ranks) => {
    for (const [rank, found] of (await outcomes(ranks)).entries())
      expect({ rank, found }).toEqual({ rank, found: one });
  });
});

/** Reductions of a step, and the sums of all of them. */
const STEPS = [
  ['conjugateGradients', 1, 11],
  // Of nine places for directions 6.2 are taken on average of the steps 3 to 12.
  ['flexibleConjugateGradients', 2, 5 + 2 + 6.2],
  ['minres', 2, 3 + 6],
  // Of three columns: two of three and a 3 × 3 (that of all steps but the first), another, two, and three.
  ['blockConjugateGradients', 4, 15 + 9 + 18 + 3],
] as const;

it('a_step_takes_one_or_two_allreduces_besides_the_messages_of_its_products', async () => {
  for (const ranks of [2, 3]) {
    const size = 600;
    const data = { size, options: { leafSize: 30, tolerance: 1e-3 } };
    for (const traffic of await onThreads<TrafficByPhase>(ranks, 'messages', data))
      for (const [method, reductions, sums] of STEPS) {
        const [few, many] = [2, 12].map((steps) => traffic[`${method} ${steps}`]);
        const operations = ['allreduce', 'allgather', 'alltoall', 'broadcast', 'gather', 'barrier'] as const;
        const more = (operation: (typeof operations)[number] | 'send' | 'receive'): number =>
          (many[operation]?.calls ?? 0) - (few[operation]?.calls ?? 0);
        const calls = Object.fromEntries(operations.map((operation) => [operation, more(operation)]));
        const none = { allgather: 0, alltoall: 0, broadcast: 0, gather: 0, barrier: 0 };
        expect({ method, ...calls }).toEqual({ method, ...none, allreduce: 10 * reductions });
        const isPlain = method === 'blockConjugateGradients';
        for (const operation of ['send', 'receive'] as const) {
          const [product, solve] = [traffic.product, traffic.solve].map((phase) => phase[operation]?.calls ?? 0);
          expect(more(operation)).toBe(10 * (product + (isPlain ? 0 : solve)));
        }
        // The sums of each node that the ranks have, and whether one wants to stop.
        const numbers = sums * (ranks === 2 ? 2 : 7) + reductions;
        const bytes = (many.allreduce!.sentBytes - few.allreduce!.sentBytes) / 10;
        expect(bytes).toBeCloseTo((2 * 8 * numbers * (ranks - 1)) / ranks, 6);
      }
  }
});

it('what_is_refused_is_refused_by_all_ranks', async () => {
  const [first, second] = await onThreads<string[]>(2, 'refusals', { size: 60, options: { leafSize: 10 } });
  expect(first[0]).toMatch(/^NonFiniteError: b holds NaN in row 1, column 0/);
  expect(second[0]).toMatch(/^NonFiniteError: b holds a number that is not finite in the rows of another rank/);
  for (const found of [first, second]) {
    expect(found[1]).toMatch(/^ShapeError: b is 61 × 1, and 30 × 1 is needed/);
    expect(found[2]).toMatch(/^OptionError: The operator is over own rows, and the preconditioner is not/);
    expect(found[3]).toMatch(/^OptionError: This operator has no rows of its own/);
    expect(found[4]).toMatch(/^OptionError: The preconditioner is over own rows, and the operator is not/);
    expect(found[5]).toMatch(/^OptionError: Some of these operators are over own rows/);
    expect(found[6]).toMatch(/^OptionError: permuted takes operators over all rows/);
    expect(found[7]).toBe('converged');
  }
});
