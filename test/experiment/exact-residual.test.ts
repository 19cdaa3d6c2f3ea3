/** Residuals against the matrix itself: by all rows, by products, by a sample with an interval that covers. */
import { beforeAll, describe, expect, it } from 'vitest';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { exactResidual } from '#hmatrix/experiment/exact-residual.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solveSystem } from '#hmatrix/solve/solve.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { norm2, residualOf } from '../krylov/systems.js';
import { shiftedDense } from '../solve/subjects.js';
import { denseOf, gaussianSource, randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const SHIFT = 1e-2;
const N = 500;
let team: Team;
let other: Team;
let dense: Matrix;
let b: Matrix;
let x: Matrix;

beforeAll(async () => {
  team = await sharedTeam(2);
  other = await sharedTeam(1);
  const source = gaussianSource(N, 3, 1, team.blas);
  dense = shiftedDense(denseOf(source), SHIFT);
  b = randomMatrix(N, 2, 1);
  ({ x } = await solveSystem(
    await compress(source, { format: 'hss', tolerance: 1e-4, leafSize: 64 }, { team }),
    b,
    { shift: SHIFT },
    { team },
  ));
});

const truth = (j: number, solution = x): number => residualOf(dense, b, solution, team.blas, j) / norm2(b, j);

describe('the residual against the matrix itself', () => {
  it('is_that_of_the_dense_matrix_by_entries_and_by_products_for_x_of_either_precision', async () => {
    const single = view(Float32Array.from(x.data), 0, N, 2);
    for (const source of [
      gaussianSource(N, 3, 1, team.blas),
      denseSource(denseOf(gaussianSource(N, 3, 1, team.blas)), { blas: team.blas }),
      denseSource(denseOf(gaussianSource(N, 3, 1, team.blas))),
    ]) {
      for (const solution of [x, single]) {
        const { residuals, low, high, rows } = await exactResidual(source, SHIFT, { b, x: solution }, {}, { team });
        expect(rows).toBe(N);
        for (let j = 0; j < 2; j++) {
          expect(Math.abs(residuals[j] / truth(j, solution) - 1)).toBeLessThan(1e-8);
          expect([low[j], high[j]]).toEqual([residuals[j], residuals[j]]);
        }
      }
    }
    // The compressed system was solved to 1e-8: what is seen here is the compression.
    expect(truth(0)).toBeGreaterThan(1e-6);
  });

  it('of_a_sample_covers_the_truth_in_93_of_100_cases_and_is_the_same_for_any_team', async () => {
    const source = gaussianSource(N, 3, 1, team.blas);
    let covered = 0;
    const seeds = 200;
    for (let seed = 0; seed < seeds; seed++) {
      const { low, high, rows, residuals } = await exactResidual(
        source,
        SHIFT,
        { b, x },
        { seed, exactSize: 100, sampleRows: 80 },
        { team: other },
      );
      expect(rows).toBe(80);
      expect(low[0]).toBeLessThanOrEqual(residuals[0]);
      if (low[0] <= truth(0) && truth(0) <= high[0]) covered++;
    }
    expect(covered / seeds).toBeGreaterThanOrEqual(0.93);
    const options = { seed: 4, exactSize: 100, sampleRows: 80 };
    expect(await exactResidual(source, SHIFT, { b, x }, options, { team })).toEqual(
      await exactResidual(source, SHIFT, { b, x }, options, { team: other }),
    );
  });

  it('of_a_sample_that_saw_nothing_has_no_upper_end', async () => {
    const sparse = zeros(N, 1);
    sparse.data[3] = 1;
    const identity = denseSource(
      view(
        Float64Array.from({ length: N * N }, (_, k) => (k % (N + 1) === 0 ? 1 : 0)),
        0,
        N,
        N,
      ),
    );
    const { residuals, high } = await exactResidual(
      identity,
      0,
      { b: sparse, x: zeros(N, 1) },
      { seed: 0, exactSize: 10, sampleRows: 10 },
      { team },
    );
    expect([residuals[0], high[0]]).toEqual([0, Number.POSITIVE_INFINITY]);
  });
});
