/**
 * Kronecker sums that are made positive semidefinite, against dense Gauss–Newton Hessians.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerSum, type KroneckerSumOptions } from '#hmatrix/curvature/kronecker-sum/compress.js';
import type { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { ACTIVATIONS } from '#hmatrix/network/activations/table.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';
import { bruteForceJacobian, denseGaussNewton } from './brute-force.js';
import { distance, norm, smoothModel } from './smooth-inputs.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (model: Model, options: KroneckerSumOptions, of: Team = team): Promise<KroneckerSumMatrix> =>
  kroneckerSum(model, { semidefinite: true, ...options }, { team: of });

/** λ_min. */
function smallest(matrix: Matrix): number {
  const copy = zeros(matrix.rows, matrix.cols);
  copy.data.set(matrix.data);
  const values = new Float64Array(copy.rows);
  expect(team.blas.syevd(false, 'L', copy, values)).toBe(0);
  return values[0];
}

describe('a sum that is asked to be semidefinite', () => {
  it('has_no_negative_eigenvalues_and_states_an_error_of_at_most_three_times_what_it_was', async () => {
    let [made, lifted, negative] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          input: fc.integer({ min: 6, max: 24 }),
          hidden: fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 1, maxLength: 2 }),
          output: fc.integer({ min: 1, max: 7 }),
          activation: fc.constantFrom(...ACTIVATIONS),
          loss: fc.constantFrom(...LOSSES),
          bias: fc.boolean(),
          samples: fc.integer({ min: 5, max: 60 }),
          seed: fc.integer({ min: 1, max: 1000 }),
          share: fc.double({ min: 0.05, max: 0.5, noNaN: true }),
        }),
        async ({ input, hidden, output, share, ...shape }) => {
          const outputs = shape.loss === 'cross-entropy' ? output + 1 : output;
          const model = smoothModel([input, ...hidden, outputs], shape);
          const reference = denseGaussNewton(model);
          const plain = await build(model, { share, semidefinite: false }).catch((error: unknown) => {
            if (error instanceof OptionError && (error.data['least'] as number) > share) return undefined;
            throw error;
          });
          if (plain === undefined) return;
          const matrix = await build(model, { share });
          const d = matrix.toDense();
          made++;
          if ((matrix.report.semidefinite?.lifts ?? 0) > 0) lifted++;
          if (smallest(plain.toDense()) < -1e-9 * plain.report.norm) negative++;
          expect(matrix.share).toBeLessThanOrEqual(share);
          // Where a softmax is saturated, diag(p) − ppᵀ cancels: to eps of 1, not of itself.
          const jacobians =
            bruteForceJacobian(model).reduce((sum, { data }) => sum + norm(data) ** 2, 0) / shape.samples;
          const size = norm(reference.data);
          const rounding = 100 * EPS * d.rows * Math.max(size, jacobians);
          expect(smallest(d)).toBeGreaterThanOrEqual(-rounding);
          const { error, report } = matrix;
          expect(Math.abs(error * size - distance(d, reference))).toBeLessThanOrEqual(
            1e-7 * error * size + report.rounding * Math.max(size, jacobians) + rounding,
          );
          expect(error).toBeLessThanOrEqual(3 * plain.error + plain.report.rounding);
          plain.release();
          matrix.release();
        },
      ),
      { numRuns: 40, seed: 1, endOnFailure: true },
    );
    // The property says something only where there is something to mend.
    expect(made).toBeGreaterThan(24);
    expect(negative).toBeGreaterThan(made / 3);
    expect(lifted).toBeGreaterThan(made / 5);
  }, 240_000);

  const model = smoothModel([40, 6, 40]);

  it('keeps_to_a_tolerance', async () => {
    const reference = denseGaussNewton(model);
    for (const tolerance of [0.1, 1e-2]) {
      const matrix = await build(model, { tolerance });
      expect(matrix.error).toBeLessThanOrEqual(tolerance);
      expect(matrix.report.met).toBe(true);
      const d = matrix.toDense();
      expect(Math.abs(matrix.error - distance(d, reference) / norm(reference.data))).toBeLessThanOrEqual(
        1e-7 * matrix.error,
      );
      expect(smallest(d)).toBeGreaterThanOrEqual(-100 * EPS * d.rows * matrix.report.norm);
    }
  });

  it('says_what_it_measured_and_nothing_where_nothing_is_left_out', async () => {
    const { semidefinite } = (await build(model, { share: 0.04 })).report;
    expect(semidefinite!.bound).toBeLessThanOrEqual(1e-9);
    expect(semidefinite!.shift).toBeGreaterThanOrEqual(-semidefinite!.smallest);
    expect((await build(model, { tolerance: 0 })).report.semidefinite).toBeUndefined();
    expect((await build(model, { share: 0.04, semidefinite: false })).report.semidefinite).toBeUndefined();
  });

  it('has_no_negative_eigenvalues_of_large_sums_by_products_either', async () => {
    const large = smoothModel([56, 12, 56], { loss: 'bce', activation: 'relu', samples: 24 });
    const alone = await sharedTeam(1);
    const [plain, matrix] = [
      await build(large, { share: 0.01, semidefinite: false }, alone),
      await build(large, { share: 0.01 }, alone),
    ];
    // More than are decomposed whole.
    expect(matrix.data.size).toBeGreaterThan(810);
    expect(smallest(plain.toDense())).toBeLessThan(-1e-9 * plain.report.norm);
    const d = matrix.toDense();
    expect(smallest(d)).toBeGreaterThanOrEqual(-100 * EPS * d.rows * matrix.report.norm);
    expect(matrix.error).toBeLessThanOrEqual(3 * plain.error);
    const reference = denseGaussNewton(large);
    expect(Math.abs(matrix.error - distance(d, reference) / norm(reference.data))).toBeLessThanOrEqual(
      1e-7 * matrix.error + matrix.report.rounding,
    );
  }, 240_000);

  it('is_had_of_streamed_modes_and_of_float32_too', async () => {
    const reference = denseGaussNewton(model);
    const size = norm(reference.data);
    for (const options of [{ modes: 30 }, { dtype: 'f32' }] as const) {
      const matrix = await build(model, { share: 0.04, ...options });
      const entries = matrix.toDense();
      const rounding = 'dtype' in options ? 100 * 2 ** -23 : 100 * EPS * entries.rows;
      expect(smallest(entries)).toBeGreaterThanOrEqual(-rounding * size);
      const error = distance(entries, reference) / size;
      const { interval } = matrix.report;
      expect(error).toBeLessThanOrEqual((interval?.high ?? matrix.error) * 1.1 + rounding);
      expect(error).toBeGreaterThanOrEqual((interval?.low ?? matrix.error) * 0.9 - rounding);
    }
  });

  it('has_the_same_bits_for_every_team', async () => {
    const results: Float64Array[] = [];
    for (const workers of [1, 3]) {
      const matrix = await build(model, { share: 0.04 }, await sharedTeam(workers));
      const x = zeros(matrix.rows, 3);
      new RandomStream(4).fillNormal(x.data);
      results.push(Float64Array.from([matrix.error, ...matrix.data.values, ...apply(matrix, x).data]));
    }
    expect(results[1]).toEqual(results[0]);
  });

  it.each([[{ semidefinite: 1 as unknown as boolean }], [{ seed: -1 }], [{ batchSize: 3 }]])(
    'refuses_the_options_%j',
    async (options) => {
      await expect(build(model, { share: 0.1, ...options })).rejects.toBeInstanceOf(OptionError);
    },
  );
});

/** ‖G − G̃‖_F from entries, which read the terms anew. */
function scaledError(matrix: KroneckerSumMatrix, reference: Matrix): number {
  const all = Int32Array.from({ length: matrix.rows }, (_, i) => i);
  const entries = zeros(matrix.rows, matrix.rows);
  matrix.source().entries(all, all, entries);
  return distance(entries, reference);
}

describe("K-FAC's diagonal", () => {
  it('stands_for_blocks_within_layers_that_are_not_kept_where_it_is_worth_its_bytes', async () => {
    let found = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const model = smoothModel([14, 5, 4, 3], { activation: 'sigmoid', loss: 'squared-error', bias: true, seed });
      const matrix = await build(model, { share: 0.07, semidefinite: false });
      const terms = matrix.data.terms.filter((term) => term !== null);
      if (terms.length === 0) continue;
      found++;
      const reference = denseGaussNewton(model);
      const size = norm(reference.data);
      const error = distance(matrix.toDense(), reference);
      expect(Math.abs(error - matrix.error * size)).toBeLessThanOrEqual(1e-9 * error);
      // Any other multiple of a term is worse: what it lowers the error by is a projection's.
      for (const factor of [0.9, 1.1]) {
        for (const { inputs } of terms) for (let q = 0; q < inputs.length; q++) inputs[q] *= factor;
        const scaled = scaledError(matrix, reference);
        expect(scaled).toBeGreaterThan(error);
        for (const { inputs } of terms) for (let q = 0; q < inputs.length; q++) inputs[q] /= factor;
      }
    }
    expect(found).toBeGreaterThan(0);
  });
});
