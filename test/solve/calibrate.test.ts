/** How fast a machine is: rates that are measured, and what they do to predictions. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError } from '#hmatrix/core/errors.js';
import { calibrate } from '#hmatrix/solve/calibrate.js';
import { costOfEntries, costOfPass, costOfVectors, ofStored, VECTOR } from '#hmatrix/solve/cost-model.js';
import { USUAL_RATES, type MachineRates } from '#hmatrix/solve/machine-rates.js';
import { solve } from '#hmatrix/solve/solve.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

it('rates_are_what_was_measured_beside_gemm', async () => {
  const { rates, measured } = await calibrate({ team });
  for (const speed of Object.values(measured)) expect(speed).toBeGreaterThan(1e6);
  // A rate turns the cost in the model into the time beside gemm, to its two digits.
  const near = (cost: number, perSecond: number): void => {
    expect(cost / (measured.gemm / perSecond)).toBeGreaterThan(0.9);
    expect(cost / (measured.gemm / perSecond)).toBeLessThan(1.1);
  };
  if (rates.memory > 0.01) near(2 + rates.memory * (costOfPass(1, 1) - 2), measured.stored);
  near(rates.entries * costOfEntries(3), measured.entries);
  near(rates.steps * VECTOR, measured.vectors);
});

it('costs_grow_with_the_rates_and_are_those_of_the_model_at_1', () => {
  const slow = { memory: 3, entries: 2, steps: 5 };
  expect(ofStored(1e9, 1, USUAL_RATES)).toBe(costOfPass(5e8, 1));
  expect(ofStored(1e9, 1, slow) - 1e9).toBeCloseTo(3 * (ofStored(1e9, 1, USUAL_RATES) - 1e9), -2);
  expect(costOfVectors(1e6, 1, slow)).toBeGreaterThan(4 * costOfVectors(1e6, 1, USUAL_RATES));
});

describe('solve', () => {
  const b = Array.from({ length: 900 }, (_, i) => Math.cos(i));
  const run = (rates?: MachineRates): ReturnType<typeof solve> => {
    const source = kernelSource(normalPoints(900, 3, 1), matern32(1), { blas: team.blas });
    return solve(source, b, { shiftRelative: 1e-7, rates }, { team });
  };

  it('predicts_with_the_rates_and_chooses_as_without_at_1', async () => {
    const usual = await run();
    expect((await run(USUAL_RATES)).reason).toBe(usual.reason);
    // Where iterations cost a thousandfold, what has few of them is taken.
    const dear = await run({ memory: 1000, entries: 1, steps: 1000 });
    expect(dear.outcome).toBe('converged');
    expect(dear.iterations).toBeLessThanOrEqual(usual.iterations);
    expect(dear.reason).not.toBe(usual.reason);
  });

  it.each([
    { memory: 0, entries: 1, steps: 1 },
    { memory: 1, entries: NaN, steps: 1 },
    { memory: 1, entries: 1, steps: Infinity },
    { memory: 1, entries: 1 },
    { memory: 1, entries: 1, steps: 1, gemm: 1 },
  ] as MachineRates[])('refuses_rates_that_are_none: %o', async (rates) => {
    await expect(run(rates)).rejects.toBeInstanceOf(OptionError);
  });
});

it('an_aborted_calibration_ends', async () => {
  await expect(calibrate({ team, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
});
