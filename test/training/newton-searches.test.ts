import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { nextDamping, nextRadius, reductionRatio } from '#hmatrix/training/newton/adaptation.js';
import { armijo, wolfe, type LineEnd, type LineStart } from '#hmatrix/training/newton/line-search.js';
import { now, ready } from '#hmatrix/training/newton/steps.js';

/** Smooth functions of one variable that fall at 0: waves on a bowl, walls, narrow valleys. */
function randomLine(seed: number) {
  const random = new RandomStream(seed);
  const bowl = 10 ** (6 * random.uniform() - 3);
  const center = 10 ** (4 * random.uniform() - 2);
  const wave = 0.3 * random.uniform() * bowl * center ** 2;
  const often = (1 + 20 * random.uniform()) / center;
  const phase = 6 * random.uniform();
  const wall = random.uniform() < 0.3 ? center * (2 + 3 * random.uniform()) : Infinity;
  const value = (t: number): number => {
    if (t > wall) return Infinity;
    const w = Math.sin(often * t + phase);
    return bowl * (t - center) ** 2 + wave * w;
  };
  const slope = (t: number): number => 2 * bowl * (t - center) + wave * often * Math.cos(often * t + phase);
  return { value, slope };
}

describe('line searches', () => {
  it('meet_the_conditions_that_they_claim_on_random_problems', () => {
    let strong = 0;
    let problems = 0;
    for (let seed = 0; seed < 500; seed++) {
      const { value, slope } = randomLine(seed);
      const start = { value: value(0), slope: slope(0) };
      if (!(start.slope < 0)) continue;
      problems++;
      const back = now(armijo((t) => ready(value(t)), start));
      if (back.rate > 0) {
        expect(back.met).toBe('armijo');
        expect(back.value).toBe(value(back.rate));
        expect(back.value).toBeLessThanOrEqual(start.value + 1e-4 * back.rate * start.slope);
      }
      let last = Number.NaN;
      let calls = 0;
      const end = now(
        wolfe(
          (t) => {
            last = t;
            calls++;
            return ready({ value: value(t), slope: slope(t) });
          },
          start,
          { most: 40 },
        ),
      );
      expect(end.evaluations).toBe(calls);
      if (end.met === 'strong-wolfe') {
        strong++;
        expect(Math.abs(slope(end.rate))).toBeLessThanOrEqual(-0.9 * start.slope);
      }
      if (end.met !== 'none') {
        expect(end.rate).toBe(last);
        expect(value(end.rate)).toBeLessThanOrEqual(start.value + 1e-4 * end.rate * start.slope);
      }
    }
    expect(problems).toBeGreaterThan(200);
    expect(strong / problems).toBeGreaterThan(0.97);
  });

  it('give_up_where_nothing_falls', () => {
    const rising = { value: 0, slope: -1 };
    const back = (value: number, start: LineStart): LineEnd => now(armijo(() => ready(value), start));
    const strong = (value: number, slope: number, start: LineStart): LineEnd =>
      now(wolfe(() => ready({ value, slope }), start));
    expect(back(1, rising).rate).toBe(0);
    expect(back(Infinity, rising)).toMatchObject({ rate: 0, met: 'none' });
    expect(strong(Infinity, Number.NaN, rising)).toMatchObject({ rate: 0, met: 'none' });
    expect(back(-1, { value: 0, slope: 1 })).toMatchObject({ rate: 0, evaluations: 0 });
    expect(strong(-1, 0, { value: 0, slope: 1 })).toMatchObject({ rate: 0, evaluations: 0 });
  });

  it('reach_far_and_near', () => {
    for (const center of [1e-6, 1e-3, 1, 1e3]) {
      const value = (t: number): number => (t - center) ** 2;
      const slope = (t: number): number => 2 * (t - center);
      const start = { value: value(0), slope: slope(0) };
      const end = now(wolfe((t) => ready({ value: value(t), slope: slope(t) }), start, { curvature: 0.1 }));
      expect(end.met).toBe('strong-wolfe');
      expect(end.rate / center).toBeCloseTo(1, 0);
    }
  });
});

describe('ratio rules', () => {
  const rule = { increase: 1.5, decrease: 0.5, least: 1, most: 9 };
  it('raise_and_lower_the_damping_within_its_limits', () => {
    expect(nextDamping(4, 0.1, rule)).toBe(6);
    expect(nextDamping(4, -3, rule)).toBe(6);
    expect(nextDamping(4, Number.NaN, rule)).toBe(6);
    expect(nextDamping(4, 0.5, rule)).toBe(4);
    expect(nextDamping(4, 0.9, rule)).toBe(2);
    expect(nextDamping(1.5, 0.9, rule)).toBe(1);
    expect(nextDamping(8, 0.1, rule)).toBe(9);
  });

  it('shrink_the_radius_to_a_quarter_of_the_step_and_double_it_at_the_boundary', () => {
    expect(nextRadius(4, { ratio: 0.1, length: 2, boundary: false, most: 10 })).toBe(0.5);
    expect(nextRadius(4, { ratio: 0.9, length: 4, boundary: true, most: 10 })).toBe(8);
    expect(nextRadius(8, { ratio: 0.9, length: 8, boundary: true, most: 10 })).toBe(10);
    expect(nextRadius(4, { ratio: 0.9, length: 2, boundary: false, most: 10 })).toBe(4);
    expect(nextRadius(4, { ratio: 0.5, length: 4, boundary: true, most: 10 })).toBe(4);
  });

  it('count_a_model_that_promises_nothing_as_failed', () => {
    expect(reductionRatio(2, 1, -2)).toBe(0.5);
    expect(reductionRatio(2, 1, 1)).toBe(Number.NEGATIVE_INFINITY);
    expect(reductionRatio(2, Infinity, -1)).toBe(Number.NEGATIVE_INFINITY);
  });
});
