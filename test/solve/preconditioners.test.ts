/**
 * Every preconditioner: symmetric positive definite as an operator, the same after another shift, exact where it should
 * be, typed errors where it cannot be made.
 */
import { Subject } from '#hmatrix/approximation/subject.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, MemoryError, NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { conjugateGradients } from '#hmatrix/krylov/conjugate-gradients.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import { preconditionerOf } from '#hmatrix/solve/preconditioners/make.js';
import { PRECONDITIONERS, type PreconditionerName } from '#hmatrix/solve/preconditioners/table.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { randomMatrix, relativeError } from '../support.js';
import { denseSolve } from '../krylov/systems.js';
import { sharedTeam } from '../teams.js';
import {
  asymmetryOf,
  denseOf,
  eigenvaluesOf,
  FOR_ENTRIES,
  FOR_NETWORKS,
  kernelSubject,
  networkSubject,
  shiftedDense,
  SMALL,
  type Known,
} from './subjects.js';

const EPS = Number.EPSILON;
let team: Team;
let kernel: Known;
let network: Known;
let wide: Known;

beforeAll(async () => {
  team = await sharedTeam(2);
  kernel = kernelSubject(team);
  network = await networkSubject(team);
  wide = await networkSubject(team, [12, 4, 12]);
});

const cases: [string, PreconditionerName][] = [
  ...FOR_ENTRIES.map((name): [string, PreconditionerName] => ['kernel', name]),
  ...FOR_NETWORKS.map((name): [string, PreconditionerName] => ['network', name]),
];
const of = (which: string): Known => (which === 'kernel' ? kernel : network);

describe.each(cases)('of a %s: %s', (which, name) => {
  it('is_symmetric_and_positive_definite', async () => {
    const { subject, norm, dense } = of(which);
    const n = dense.rows;
    for (const relative of [1e-1, 1e-4]) {
      const made = await preconditionerOf(subject, name, relative * norm, SMALL, { team });
      expect(made).toMatchObject({ name, shift: relative * norm });
      expect(made.bytes).toBeGreaterThan(0);
      const m = denseOf(made.operator!);
      // Rounding of M = F⁻ᵀF⁻¹ is amplified by cond(A + λI) ≤ 1 + ‖A‖/λ.
      expect(asymmetryOf(m)).toBeLessThan((n * EPS) / relative);
      expect(eigenvaluesOf(m, team.blas)[0]).toBeGreaterThan(0);
      made.release();
    }
  });

  it('at_another_shift_is_what_it_would_be_made_anew', async () => {
    const { subject, norm } = of(which);
    const first = await preconditionerOf(subject, name, 0.5 * norm, SMALL, { team });
    const before = denseOf(first.operator!).data;
    const again = await first.reshift(0.01 * norm);
    const anew = await preconditionerOf(subject, name, 0.01 * norm, SMALL, { team });
    expect(again.seconds.compress).toBe(first.seconds.compress);
    expect(denseOf(again.operator!).data).toEqual(denseOf(anew.operator!).data);
    // The first one is not touched.
    expect(denseOf(first.operator!).data).toEqual(before);
    for (const one of [first, again, anew]) one.release();
  });
});

describe.each(['hss', 'hodlr'] as const)('a tolerance by the first shift: %s', (name) => {
  it('tightened_for_a_smaller_shift_leaves_the_factorizations_before_whole', async () => {
    const { subject, norm, dense } = kernel;
    const first = await preconditionerOf(subject, name, 0.1 * norm, { leafSize: 32 }, { team });
    const second = await first.reshift(1e-5 * norm);
    expect(second.details['tolerance']).toBeLessThan(0.2 * Number(first.details['tolerance']));
    // It multiplies with the matrix that was factored first.
    const { condition } = await first.factorization!.conditionEstimate();
    const values = eigenvaluesOf(shiftedDense(dense, first.shift), team.blas);
    expect(condition / (values[299] / values[0])).toBeCloseTo(1, 1);
    for (const one of [first, second]) one.release();
  });
});

describe('exactness', () => {
  it.each(['hss', 'hodlr'] as const)('full_rank_%s_is_the_inverse', async (name) => {
    const { subject, norm, dense } = kernel;
    const shift = 1e-3 * norm;
    const made = await preconditionerOf(subject, name, shift, { leafSize: 32, maxRank: 300, tolerance: 0 }, { team });
    const b = randomMatrix(300, 2, 1);
    const x = randomMatrix(300, 2, 2);
    made.operator!.applyUnchecked(x, b, 1, 0);
    expect(relativeError(x, denseSolve(shiftedDense(dense, shift), b, team.blas))).toBeLessThan(300 * EPS * 1e3 * 10);
    expect(made.note).toBeUndefined();
  });

  it('the_dual_form_solves_as_LAPACK_does', async () => {
    const { subject, norm, dense } = network;
    const shift = 1e-3 * norm;
    const made = await preconditionerOf(subject, 'dual', shift, {}, { team });
    const b = randomMatrix(dense.rows, 2, 1);
    const x = randomMatrix(dense.rows, 2, 2);
    made.operator!.applyUnchecked(x, b, 1, 0);
    expect(relativeError(x, denseSolve(shiftedDense(dense, shift), b, team.blas))).toBeLessThan(dense.rows * EPS * 1e3);
  });

  it('a_kronecker_sum_that_is_exact_leaves_a_tenth_of_a_residual', async () => {
    const { subject, norm, dense } = network;
    for (const relative of [1e-1, 1e-3]) {
      const shift = relative * norm;
      const made = await preconditionerOf(subject, 'kronecker-sum', shift, { share: 0.99 }, { team });
      expect(made.details['error']).toBeLessThan(1e-6);
      expect(Number(made.details['degree']) % 2).toBe(1);
      // Residuals I − (G + λI)M have the eigenvalues r(t): up to a tenth within the interval, which is estimated.
      const m = denseOf(made.operator!);
      const n = dense.rows;
      const product = zeros(n, n);
      team.blas.gemm('N', 'N', 1, shiftedDense(dense, shift), m, 0, product);
      let trace = 0;
      for (let i = 0; i < n; i++) trace += Math.abs(1 - product.data[i * (n + 1)]);
      expect(trace / n).toBeLessThan(0.1);
      made.release();
    }
  });

  it('with_a_kronecker_sum_conjugate_gradients_take_fewer_steps_in_the_memory_of_hss', async () => {
    const { subject, norm } = wide;
    const shift = 1e-4 * norm;
    const b = randomMatrix(subject.operator.rows, 1, 3);
    const steps: Record<string, number> = {};
    let bytes = Infinity;
    for (const name of ['hss', 'kronecker-sum'] as const) {
      const made = await preconditionerOf(subject, name, shift, { share: 0.02 }, { team });
      const x = zeros(b.rows, 1);
      const { outcome, iterations } = conjugateGradients(shifted(subject.operator, shift), b, x, {
        preconditioner: made.operator,
        relativeTolerance: 1e-6,
      });
      expect(outcome).toBe('converged');
      // Memory is filled by blocks, up to what was asked: hss first.
      expect(made.bytes).toBeLessThan(1.05 * bytes);
      bytes = made.bytes;
      steps[name] = iterations;
      made.release();
    }
    expect(steps['kronecker-sum']).toBeLessThan(steps['hss']);
  });

  it('a_kronecker_sum_further_from_the_matrix_than_the_shift_leaves_hss_alone', async () => {
    const { subject, norm } = wide;
    const shift = 1e-6 * norm;
    const made = await preconditionerOf(subject, 'kronecker-sum', shift, { share: 0.02 }, { team });
    expect(made).toMatchObject({ note: expect.stringContaining('a larger share') as string, details: { degree: 1 } });
    const alone = await preconditionerOf(subject, 'hss', shift, { share: 0.01 }, { team });
    const b = randomMatrix(subject.operator.rows, 1, 4);
    const [x, y] = [zeros(b.rows, 1), zeros(b.rows, 1)];
    made.operator!.applyUnchecked(x, b, 1, 0);
    alone.operator!.applyUnchecked(y, b, 1, 0);
    expect(x.data).toEqual(y.data);
    expect(made.bytes).toBe(alone.bytes);
    for (const one of [made, alone]) one.release();
  });

  it('block_jacobi_of_one_block_is_the_inverse_and_jacobi_of_a_diagonal_matrix', async () => {
    const { subject, norm, dense } = kernel;
    const shift = 1e-2 * norm;
    const b = randomMatrix(300, 1, 1);
    const x = randomMatrix(300, 1, 2);
    const block = await preconditionerOf(subject, 'block-jacobi', shift, { leafSize: 300 }, { team });
    expect(block.details).toEqual({ blocks: 1, of: 'leaves' });
    block.operator!.applyUnchecked(x, b, 1, 0);
    expect(relativeError(x, denseSolve(shiftedDense(dense, shift), b, team.blas))).toBeLessThan(300 * EPS * 100);
    const values = Float64Array.from({ length: 300 }, (_, i) => i % 7);
    const source = {
      size: 300,
      entries: () => {
        throw new Error('no entries are needed');
      },
      diagonal: (out: Float64Array) => {
        out.set(values);
      },
    };
    const jacobi = await preconditionerOf(new Subject(diagonalOperator(values), { source }), 'jacobi', 2, {}, { team });
    jacobi.operator!.applyUnchecked(x, b, 1, 0);
    expect(x.data).toEqual(b.data.map((value, i) => value * (1 / (values[i] + 2))));
  });

  it('nystrom_without_a_shift_stays_positive_definite_where_the_matrix_is_of_low_rank', async () => {
    const values = Float64Array.from({ length: 200 }, (_, i) => (i < 5 ? 10 - i : 0));
    const made = await preconditionerOf(new Subject(diagonalOperator(values)), 'nystrom', 0, { rank: 20 }, { team });
    const m = denseOf(made.operator!);
    const eigenvalues = eigenvaluesOf(m, team.blas);
    // λ_r/Λ of the five that are there, and 1.
    expect(eigenvalues[0]).toBeGreaterThan(0.6 - 1e-6);
    expect(eigenvalues[199]).toBeLessThan(1 + 200 * EPS);
  });
});

describe('what cannot be made', () => {
  // Products alone: the diagonal that it knows is kept to itself.
  const products: LinearOperator = { ...diagonalOperator(new Float64Array(10).fill(1)), diagonal: undefined };

  it.each([
    ['a_negative_shift', 'nystrom', -1, OptionError, /≥ 0/],
    ['a_shift_that_is_no_number', 'nystrom', Number.NaN, OptionError, /finite/],
    ['kfac_without_a_network', 'kfac', 1, OptionError, /pass the model/],
    ['ekfac_without_a_network', 'ekfac', 1, OptionError, /pass the model/],
    ['a_sum_without_a_network', 'kronecker-sum', 1, OptionError, /pass the model/],
    ['dual_without_a_network', 'dual', 1, OptionError, /pass the model/],
    ['jacobi_without_entries', 'jacobi', 1, OptionError, /pass a source/],
    ['blocks_without_entries', 'block-jacobi', 1, OptionError, /pass a source/],
    ['a_name_there_is_not', 'ilu', 1, OptionError, new RegExp(PRECONDITIONERS.join(', '))],
  ] as [string, PreconditionerName, number, typeof OptionError, RegExp][])(
    'is_refused: %s',
    async (_, name, shift, type, message) => {
      const error = await preconditionerOf(new Subject(products), name, shift, {}, { team }).catch(
        (caught: unknown) => caught,
      );
      expect(error).toBeInstanceOf(type);
      expect((error as Error).message).toMatch(message);
    },
  );

  it('says_so_where_the_shift_is_too_small', async () => {
    const zero = new Subject(diagonalOperator(new Float64Array(10)), {
      source: {
        size: 10,
        entries: (_rows: ArrayLike<number>, _cols: ArrayLike<number>, out: { data: { fill(x: number): unknown } }) => {
          out.data.fill(0);
        },
        diagonal: (out: Float64Array) => {
          out.fill(0);
        },
      },
    });
    for (const name of ['jacobi', 'block-jacobi', 'nystrom'] as const) {
      await expect(preconditionerOf(zero, name, 0, { leafSize: 4 }, { team })).rejects.toThrow(
        NotPositiveDefiniteError,
      );
    }
    for (const name of ['jacobi', 'block-jacobi', 'nystrom'] as const)
      expect((await preconditionerOf(zero, name, 1, { leafSize: 4 }, { team })).name).toBe(name);
    // The network's blocks are singular: 20 samples.
    await expect(preconditionerOf(network.subject, 'kfac', 0, {}, { team })).rejects.toThrow(NotPositiveDefiniteError);
    for (const name of ['dual', 'kronecker-sum'] as const)
      await expect(preconditionerOf(network.subject, name, 0, {}, { team })).rejects.toThrow(OptionError);
    const indefinite = new Subject(diagonalOperator(Float64Array.from({ length: 40 }, (_, i) => i - 20)));
    await expect(preconditionerOf(indefinite, 'nystrom', 0, {}, { team })).rejects.toThrow(NotPositiveDefiniteError);
  });

  it.each(['dual', 'kronecker-sum'] as const)('of_the_Gauss_Newton_matrix_alone: %s', async (name) => {
    const operator = hessian(network.subject.model!, { blas: team.blas });
    await expect(
      preconditionerOf(new Subject(operator, { model: network.subject.model }), name, 1, {}, { team }),
    ).rejects.toThrow(/gaussNewton/);
  });

  it('a_loose_compression_at_a_tiny_shift_still_gives_a_positive_definite_one', async () => {
    const made = await preconditionerOf(
      kernel.subject,
      'hss',
      1e-9 * kernel.norm,
      { leafSize: 32, maxRank: 2, tolerance: 0.5 },
      { team },
    );
    expect(eigenvaluesOf(denseOf(made.operator!), team.blas)[0]).toBeGreaterThan(0);
  });

  it('memory_and_abort_are_seen', async () => {
    for (const name of ['block-jacobi', 'nystrom', 'hss'] as const)
      await expect(preconditionerOf(kernel.subject, name, 1, { memoryLimit: 1000 }, { team })).rejects.toThrow(
        MemoryError,
      );
    await expect(preconditionerOf(kernel.subject, 'hss', 1, {}, { team, signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
  });

  it('a_dense_source_gives_what_a_kernel_does', async () => {
    const { subject, norm, dense } = kernel;
    const [a, b] = await Promise.all([
      preconditionerOf(subject, 'block-jacobi', norm, { leafSize: 300 }, { team }),
      preconditionerOf(
        new Subject(subject.operator, { source: denseSource(dense) }),
        'block-jacobi',
        norm,
        { leafSize: 300 },
        { team },
      ),
    ]);
    expect(relativeError(denseOf(a.operator!), denseOf(b.operator!))).toBeLessThan(300 * EPS);
  });
});
