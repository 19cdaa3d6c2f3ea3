/** The bench of growing sizes: that it runs at small ones, and what its table shows. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeDefaultTeam } from '#hmatrix/parallel/default-team.js';
import { choose } from '../../dist/bench/labels.js';
import { measureScaling, type ScalingResult } from '../../dist/bench/scaling.js';
import { makeScalingTable } from '../../dist/bench/scaling-table.js';
import { sharedTeam } from '../teams.js';

afterAll(closeDefaultTeam);

describe('the_bench_of_growing_sizes', () => {
  it('is_chosen_by_its_name', () => {
    expect([...choose('scaling')]).toEqual([65_536, 262_144, 1_000_000, 4_000_000].map((size) => `scaling-${size}`));
  });

  it('measures_every_phase', async () => {
    const result = await measureScaling(3000, 'small', (await sharedTeam(2)) as never);
    expect(result.met).toBe(true);
    expect(result.error).toBeLessThan(1e-4);
    expect(result.residual).toBeLessThan(1e-10);
    for (const phase of ['compress', 'error', 'product', 'factor', 'solve'] as const) {
      expect(result.seconds[phase]).toBeGreaterThan(0);
      expect(result.peaks[phase]).toBeGreaterThan(result.memory.matrixBytes);
    }
  });

  it('shows_exponents_of_N', () => {
    const all = (value: number): ScalingResult['seconds'] => ({
      compress: value,
      error: value,
      product: value,
      factor: value,
      solve: value,
    });
    const result = (size: number): ScalingResult => ({
      name: `scaling-${size}`,
      size,
      workers: 2,
      blas: 'some',
      seconds: all(size / 1e5),
      processorSeconds: all((size / 1e5) ** 2),
      peaks: all(1e4 * size),
      memory: { matrixBytes: 1e3 * size, factorBytes: 2e3 * size },
      largestRank: 99,
      error: 5e-5,
      met: true,
      residual: 1e-14,
    });
    const text = makeScalingTable([result(4e6), result(1e6)]);
    expect(text).toContain('| 1,000,000 | 10 (100) | 1 GB | 10 GB | 99 |');
    expect(text).toContain('compress 1.00 (2.00)');
    expect(text).toContain('stored 1.00');
    expect(text.indexOf('| 1,000,000')).toBeLessThan(text.indexOf('| 4,000,000'));
    expect(makeScalingTable([result(1e6)])).not.toContain('Exponents');
  });
});
