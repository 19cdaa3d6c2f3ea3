/**
 * Compressed Gauss–Newton Hessians by the better of two forms, which are compared before either is made.
 */
import { expect, it } from 'vitest';
import { approximate } from '#hmatrix/approximation/approximate.js';
import { planKroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { planKroneckerSum } from '#hmatrix/curvature/kronecker-sum/plan.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { smoothModel } from '../curvature/smooth-inputs.js';
import { sharedTeam } from '../teams.js';

const memoryLimit = 2 ** 30;

it('plans_say_the_bytes_of_what_they_make_and_the_smaller_one_is_taken_where_both_are_exact', async () => {
  const team = await sharedTeam(2);
  const model = smoothModel([20, 5, 20]);
  for (const share of [0.1, 0.9]) {
    const goal = { share, tolerance: 0 };
    const sum = await planKroneckerSum(model, { goal, memoryLimit, control: { team } });
    const rotated = await planKroneckerHierarchical(model, { ...goal, leafSize: 32, memoryLimit }, { team });
    expect((await sum.make()).bytes).toBe(sum.bytes);
    expect((await rotated.make()).memory().bytes).toBe(rotated.bytes);
    const made = await approximate(gaussNewton(model, { blas: team.blas, team }), 'hm', { share }, {}, { team });
    if (share === 0.9) expect(made.bytes).toBe(Math.min(sum.bytes, rotated.bytes));
    else expect(made.bytes).toBe(sum.error <= rotated.error ? sum.bytes : rotated.bytes);
  }
});
