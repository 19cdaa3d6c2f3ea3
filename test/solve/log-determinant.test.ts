/**
 * log det(A + λI) with a preconditioner by name: the stated intervals hold the truth, are narrower than without, and
 * have the same bits on every team.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import type { Matrix } from '#hmatrix/dense/matrix.js';
import { estimatedLogDeterminant } from '#hmatrix/krylov/log-determinant.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { LOG_DETERMINANT_PRECONDITIONERS, preconditionedLogDeterminant } from '#hmatrix/solve/log-determinant.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { denseOf, gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';
import { eigenvaluesOf, networkSubject, shiftedDense } from './subjects.js';

const SIZE = 300;
const SHIFT = 1e-2;
const SEEDS = 40;
let team: Team;
let other: Team;
let source: EntrySource;
let dense: Matrix;
let truth: number;

const logdetOf = (a: Matrix, shift: number): number =>
  eigenvaluesOf(a, team.blas).reduce((sum, value) => sum + Math.log(value + shift), 0);

beforeAll(async () => {
  [team, other] = [await sharedTeam(2), await sharedTeam(1)];
  source = gaussianSource(SIZE, 2, 0.5, team.blas);
  dense = denseOf(source);
  truth = logdetOf(dense, SHIFT);
});

// 6 probes of 30 steps are fewer products than rows: nothing is written out.
const few = { shift: SHIFT, probes: 6, degree: 30 };
const loose = { hss: { tolerance: 1e-3 }, hodlr: { tolerance: 1e-3 }, nystrom: { rank: 60 } } as const;

describe.each(LOG_DETERMINANT_PRECONDITIONERS)('with %s', (preconditioner) => {
  const making = { leafSize: 50, ...loose[preconditioner] };

  it('the_interval_holds_the_truth_for_most_seeds_and_is_narrower_than_without', async () => {
    let held = 0;
    let width = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const found = await preconditionedLogDeterminant(source, { ...few, preconditioner, making, seed }, { team });
      expect([found.outcome, found.exact]).toEqual(['estimated', false]);
      if (found.lower <= truth && truth <= found.upper) held++;
      width += (found.upper - found.lower) / SEEDS;
    }
    // 95 % of 40, less three standard deviations of that count.
    expect(held).toBeGreaterThanOrEqual(34);
    const plain = await estimatedLogDeterminant(denseOperator(shiftedDense(dense, SHIFT), true, { blas: team.blas }), {
      blas: team.blas,
      probes: 6,
      lowerBound: SHIFT,
    });
    expect(width).toBeLessThan((plain.upper - plain.lower) / (preconditioner === 'nystrom' ? 2 : 5));
  });

  it('has_the_same_bits_on_every_team_and_says_what_was_made', async () => {
    const asked = { ...few, preconditioner, making, seed: 3 };
    const found = await preconditionedLogDeterminant(source, asked, { team });
    expect(await preconditionedLogDeterminant(source, asked, { team: other })).toEqual(found);
    expect(found.preconditioner?.name).toBe(preconditioner);
    expect(Math.abs(found.preconditioner!.logdet - truth)).toBeLessThan(100);
    expect(found.preconditioner!.details['rank']).toBeGreaterThan(0);
  });
});

describe('a log determinant', () => {
  it('is_nearly_exact_with_a_tolerance_by_λ', async () => {
    const found = await preconditionedLogDeterminant(source, { ...few, making: { leafSize: 50 } }, { team });
    expect(found.lower).toBeLessThanOrEqual(truth);
    expect(found.upper).toBeGreaterThanOrEqual(truth);
    expect(found.upper - found.lower).toBeLessThan(1);
  });

  it('is_exact_where_products_would_reach_N_and_nothing_is_made', async () => {
    const found = await preconditionedLogDeterminant(source, { shift: SHIFT }, { team });
    expect([found.exact, found.preconditioner]).toEqual([true, undefined]);
    expect(Math.abs(found.value / truth - 1)).toBeLessThan(1e-10);
  });

  it('of_a_network_too', async () => {
    const { subject, dense: g, norm } = await networkSubject(team);
    const shift = 1e-2 * norm;
    const asked = { shift, probes: 6, degree: 30 };
    for (const preconditioner of ['hss', 'nystrom'] as const) {
      const found = await preconditionedLogDeterminant(subject.operator, { ...asked, preconditioner }, { team });
      const of = logdetOf(g, shift);
      // Outside of one of twenty intervals, but not far.
      expect(Math.abs(found.value - of)).toBeLessThan(5 * (found.upper - found.lower) + 1e-6 * Math.abs(of));
    }
  });

  it('refuses_what_it_cannot_take', async () => {
    await expect(preconditionedLogDeterminant(source, { preconditioner: 'jacobi' as never }, { team })).rejects.toThrow(
      /one of hss, hodlr, nystrom/,
    );
    await expect(
      preconditionedLogDeterminant(source, { ...few, shift: 0, preconditioner: 'nystrom' }, { team }),
    ).rejects.toThrow(/needs a shift above 0/);
    await expect(preconditionedLogDeterminant(source, { shift: -1 }, { team })).rejects.toBeInstanceOf(OptionError);
    await expect(preconditionedLogDeterminant(source, { making: { ranks: 3 } as never }, { team })).rejects.toThrow(
      /ranks/,
    );
  });
});
