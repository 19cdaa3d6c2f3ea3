/** Errors that are kept to, and the method that suits: of each kind of matrix, within memory and to a tolerance. */
import { beforeAll, describe, expect, it } from 'vitest';
import { approximate, approximateSubject } from '#hmatrix/approximation/approximate.js';
import type { Approximation } from '#hmatrix/approximation/approximation.js';
import type { Goal } from '#hmatrix/approximation/methods/method.js';
import { APPROXIMATION_METHODS, METHOD_TABLE, type ApproximationMethod } from '#hmatrix/approximation/methods/table.js';
import { MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { laplace } from '#hmatrix/source/kernels/named.js';
import { randomModel } from '../curvature/brute-force.js';
import { columnsOf, relativeDistance } from './dense-copies.js';
import { filled, withEigenvalues } from '../krylov/systems.js';
import { denseOf, gaussianSource, normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

/** Its true error. */
const truth = (exact: Matrix, { operator }: Approximation): number => relativeDistance(exact, columnsOf(operator));

describe('a tolerance', () => {
  const reaching = APPROXIMATION_METHODS.filter((method) => METHOD_TABLE[method].reach !== undefined);
  const ofNetworks: readonly ApproximationMethod[] = ['kronecker-sum', 'eigenbasis'];

  it.each(reaching.flatMap((method) => [1e-1, 1e-3, 1e-6].map((tolerance) => [method, tolerance] as const)))(
    'is_kept_by_%s: %s',
    async (method, tolerance) => {
      const source = gaussianSource(400, 2, 3, team.blas);
      const hessian = gaussNewton(
        randomModel({ widths: [12, 6, 5], activation: 'tanh', loss: 'mse', bias: true, samples: 40 }),
        { team },
      );
      const matrix = ofNetworks.includes(method) ? hessian : source;
      const made = await approximate(matrix, method, { tolerance }, {}, { team });
      expect(made.note ?? '').not.toMatch(/missed/);
      expect(truth(matrix === source ? denseOf(source) : columnsOf(hessian), made)).toBeLessThanOrEqual(tolerance);
      const larger = await approximate(matrix, method, { tolerance: tolerance / 10 }, {}, { team });
      expect(larger.bytes).toBeGreaterThanOrEqual(made.bytes);
      expect(larger.tried).toBeUndefined();
      made.release();
      larger.release();
    },
  );

  it.each(['hss', 'hodlr', 'rsvd'] as const)('is_kept_from_products_alone: %s', async (method) => {
    const dense = denseOf(gaussianSource(300, 1, 3, team.blas));
    const operator = denseOperator(dense, true, { blas: team.blas });
    const made = await approximate(operator, method, { tolerance: 1e-4 }, {}, { team });
    expect(truth(dense, made)).toBeLessThanOrEqual(1e-4);
  });

  it('that_a_high_rank_keeps_is_kept_where_low_ranks_promise_little', async () => {
    // Eigenvalues fall like 1/i, then there are no more.
    const a = withEigenvalues(
      filled(300, (i) => (i < 150 ? 1 / (1 + i) : 0)),
      team.blas,
      3,
    );
    for (const method of ['rsvd', 'nystrom'] as const) {
      const made = await approximate(a, method, { tolerance: 1e-6 }, {}, { team });
      expect(made.details['rank']).toBeLessThanOrEqual(150);
      expect(truth(a, made)).toBeLessThanOrEqual(1e-6);
    }
  });

  it('is_none_of_methods_whose_error_the_matrix_decides', async () => {
    const hessian = gaussNewton(
      randomModel({ widths: [6, 5, 4], activation: 'tanh', loss: 'mse', bias: true, samples: 30 }),
      {
        team,
      },
    );
    for (const method of ['kfac', 'ekfac', 'diagonal', 'block-diagonal'] as const)
      await expect(approximate(hessian, method, { tolerance: 0.1 }, {}, { team })).rejects.toThrow(/has no tolerance/);
  });

  it.each([{ tolerance: 0 }, { tolerance: 1 }, { tolerance: NaN }, { share: 0.1, tolerance: 0.1 }, {}] as Goal[])(
    'or_share_must_be_one_of_the_two: %o',
    async (goal) => {
      const source = gaussianSource(30, 2, 1, team.blas);
      await expect(approximate(source, goal, {}, { team })).rejects.toBeInstanceOf(OptionError);
      await expect(approximate(source, 'rsvd', goal, {}, { team })).rejects.toBeInstanceOf(OptionError);
    },
  );
});

describe('without a method', () => {
  const made = (matrix: Parameters<typeof approximate>[0], goal: Goal): Promise<Approximation> =>
    approximate(matrix, goal, {}, { team });

  it('a_diagonal_matrix_is_a_diagonal', async () => {
    const n = 200;
    const a = zeros(n, n);
    for (let i = 0; i < n; i++) a.data[i * (n + 1)] = 1 + i;
    for (const goal of [{ share: 0.02 }, { tolerance: 1e-6 }]) {
      const { method, bytes, operator, reason, tried } = await made(a, goal);
      expect({ method, bytes }).toEqual({ method: 'diagonal', bytes: 8 * n });
      expect(relativeDistance(a, columnsOf(operator))).toBe(0);
      expect(reason).toMatch(/^Chosen diagonal: error 0.0e\+0/);
      expect(tried!.find((one) => one.method === 'diagonal')!.error).toBe(0);
    }
  });

  it('a_matrix_of_low_rank_in_no_order_is_of_low_rank', async () => {
    const n = 300;
    const a = withEigenvalues(
      filled(n, (i) => (i < 6 ? 10 - i : 0)),
      team.blas,
      3,
    );
    const precise = await made(a, { tolerance: 1e-5 });
    expect(precise.method).toBe('rsvd');
    expect(precise.details['rank']).toBe(6);
    expect(truth(a, precise)).toBeLessThan(1e-12);
    const within = await made(a, { share: 0.05 });
    expect(within.method).toBe('rsvd');
    expect(truth(a, within)).toBeLessThan(1e-12);
  });

  it('a_kernel_in_one_dimension_is_hierarchical_and_low_rank_is_not_even_made', async () => {
    const source = kernelSource(normalPoints(1500, 1, 2), laplace(0.3), { blas: team.blas });
    const exact = denseOf(source);
    const precise = await made(source, { tolerance: 1e-4 });
    expect(precise.method).toBe('hm');
    expect(truth(exact, precise)).toBeLessThanOrEqual(1e-4);
    expect(precise.tried!.find(({ method }) => method === 'rsvd')!.note).toMatch(/no rank up to \d+/);
    const within = await made(source, { share: 0.1 });
    expect(within.method).toBe('hm');
    expect(within.share).toBeLessThanOrEqual(0.1);
    const rsvd = within.tried!.find(({ method }) => method === 'rsvd')!;
    // What was predicted of it is near what it does.
    const predicted = Number(/is predicted to be (\S+)$/.exec(rsvd.note!)![1]);
    const lowRank = truth(exact, await approximate(source, 'rsvd', { share: 0.1 }, {}, { team }));
    expect(lowRank).toBeGreaterThan(truth(exact, within));
    expect(predicted / lowRank).toBeGreaterThan(1 / 3);
    expect(predicted / lowRank).toBeLessThan(3);
  });

  it.each([
    ['tanh', 'mse', 0.25],
    ['relu', 'cross-entropy', 0.3],
    ['sigmoid', 'mse', 0.6],
  ] as const)('of_a_network_none_is_nearer: %s, %s, %s', async (activation, loss, share) => {
    const operator = gaussNewton(randomModel({ widths: [12, 6, 5], activation, loss, bias: true, samples: 40 }), {
      team,
    });
    const exact = columnsOf(operator);
    const best = await made(operator, { share });
    const mine = truth(exact, best);
    for (const { method, share: taken, error } of best.tried!) {
      if (error === undefined) continue;
      expect(taken!).toBeLessThanOrEqual(share);
      const other = await approximate(operator, method, { share }, {}, { team });
      expect(mine).toBeLessThanOrEqual(truth(exact, other) * (1 + 1e-9) + 1e-14);
    }
    const precise = await made(operator, { tolerance: 1e-3 });
    expect(truth(exact, precise)).toBeLessThanOrEqual(1e-3);
  });

  it('an_indefinite_matrix_is_of_low_rank_where_hierarchical_ones_refuse_it', async () => {
    const a = withEigenvalues(
      filled(100, (i) => (i < 4 ? (-1) ** i * (4 - i) : 0)),
      team.blas,
      3,
    );
    expect(Math.min(...filled(100, (i) => a.data[i * 101]))).toBeLessThan(0);
    for (const goal of [{ share: 0.2 }, { tolerance: 1e-3 }]) {
      const best = await made(a, goal);
      expect(best.method).toBe('rsvd');
      expect(truth(a, best)).toBeLessThan(1e-3);
      expect(best.tried!.find(({ method }) => method === 'hm')!.note).toMatch(/positive semidefinite/);
    }
  });

  it('is_of_those_there_is_memory_for', async () => {
    const operator = gaussNewton(
      randomModel({ widths: [30, 8, 30], activation: 'tanh', loss: 'mse', bias: true, samples: 40 }),
      { team },
    );
    // Enough for the eigenbasis, too little for a sketch of low rank.
    const memoryLimit = 600_000;
    await expect(approximate(operator, 'rsvd', { share: 0.1 }, { memoryLimit }, { team })).rejects.toThrow(
      /bytes|MB|kB/,
    );
    const best = await approximate(operator, { share: 0.1 }, { memoryLimit }, { team });
    expect(best.method).toBe('hm');
    expect(best.reason).toMatch(/rsvd: .*memoryLimit/);
    expect(best.note).toMatch(/lack of memory/);
    await expect(approximate(operator, { tolerance: 0.1 }, { memoryLimit: 1000 }, { team })).rejects.toBeInstanceOf(
      MemoryError,
    );
  });

  it('what_no_form_makes_smaller_is_called_so', async () => {
    const n = 500;
    const flat = withEigenvalues(
      filled(n, (i) => 1 + i / n),
      team.blas,
      3,
    );
    const { note, operator } = await made(denseSource(flat), { tolerance: 1e-6 });
    expect(note).toMatch(/No hierarchical matrix that keeps the tolerance is much smaller than the dense one/);
    expect(relativeDistance(flat, columnsOf(operator))).toBeLessThanOrEqual(1e-6);
  });

  it('a_share_that_holds_nothing_is_refused_with_the_least', async () => {
    const source = gaussianSource(300, 2, 1, team.blas);
    const refused = await made(source, { share: 1e-4 }).catch((error: unknown) => error as OptionError);
    expect(refused).toBeInstanceOf(OptionError);
    const { least } = (refused as OptionError).data as { least: number };
    expect(least).toBeGreaterThan(1e-4);
    expect((await made(source, { share: least })).share).toBeLessThanOrEqual(least);
  });

  it.each([7, 54, 98])('the_least_share_that_is_named_holds_a_vector_of_any_size: %s', async (n) => {
    const a = denseOperator(
      withEigenvalues(
        filled(n, (i) => 1 / (1 + i)),
        team.blas,
        3,
      ),
      true,
      { blas: team.blas },
    );
    for (const method of ['rsvd', 'nystrom'] as const) {
      const refused: unknown = await approximate(a, method, { share: 1e-4 }, {}, { team }).catch((e: unknown) => e);
      const { least } = (refused as OptionError).data as { least: number };
      const { details, note } = await approximate(a, method, { share: least }, {}, { team });
      expect({ rank: details['rank'], note }).toEqual({ rank: 1, note: undefined });
    }
  });

  it('has_the_same_bits_on_any_team', async () => {
    const bits: Float64Array[] = [];
    let method: ApproximationMethod | undefined;
    for (const workers of [1, 2, 3]) {
      const on = await sharedTeam(workers);
      const source = gaussianSource(350, 3, 2, on.blas);
      const found = await approximate(source, { tolerance: 1e-3 }, {}, { team: on });
      method ??= found.method;
      expect(found.method).toBe(method);
      bits.push(columnsOf(found.operator).data as Float64Array);
    }
    for (const one of bits) expect(one).toEqual(bits[0]);
  });
});

it.each([
  { leafSize: -3 },
  { leafSize: 0 },
  { leafSize: 1.5 },
  { memoryLimit: NaN },
  { memoryLimit: -1 },
  { seed: -1 },
  { powerPasses: 0.5 },
])('the_options_%o_are_refused_whatever_is_made', async (options) => {
  const operator = gaussNewton(
    randomModel({ widths: [4, 3, 2], activation: 'tanh', loss: 'mse', bias: true, samples: 9 }),
    { team },
  );
  for (const goal of [{ share: 0.5 }, { tolerance: 0.01 }]) {
    await expect(approximate(operator, goal, options, { team })).rejects.toBeInstanceOf(OptionError);
    await expect(approximate(operator, 'hm', goal, options, { team })).rejects.toBeInstanceOf(OptionError);
  }
});

it('an_aborted_run_ends', async () => {
  const operator = denseOperator(denseOf(gaussianSource(100, 2, 1, team.blas)), true, { blas: team.blas });
  const control = { team, signal: AbortSignal.abort() };
  await expect(approximateSubject(operator, undefined, { share: 0.5 }, {}, control)).rejects.toThrow(/abort/i);
});
