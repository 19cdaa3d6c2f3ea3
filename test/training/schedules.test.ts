/** Schedules against their formulas. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import * as schedules from '#hmatrix/training/schedules.js';
import type { Schedule } from '#hmatrix/training/train-options.js';

const steps = 40;
/** Factors over a run of 40 steps, 8 an epoch. */
const factors = ({ factor }: Schedule): number[] =>
  Array.from({ length: steps }, (_, step) => factor({ step, epoch: Math.floor(step / 8), progress: step / steps }));
const near = (schedule: Schedule, expected: (t: number, e: number, p: number) => number): void => {
  factors(schedule).forEach((factor, t) => {
    expect(Math.abs(factor - expected(t, Math.floor(t / 8), t / steps))).toBeLessThan(1e-14);
  });
};
const cosine = (from: number, to: number, t: number): number => from + (to - from) * Math.sin((Math.PI * t) / 2) ** 2;

describe('schedules', () => {
  it('follow their formulas', () => {
    near(schedules.constantSchedule(), () => 1);
    near(schedules.stepSchedule({ every: 2, factor: 0.5 }), (_t, e) => 0.5 ** Math.floor(e / 2));
    near(schedules.stepSchedule({ every: 7, per: 'step' }), (t) => 0.1 ** Math.floor(t / 7));
    near(schedules.exponentialSchedule({ factor: 0.9 }), (_t, e) => 0.9 ** e);
    near(schedules.exponentialSchedule({ factor: 0.99, per: 'step' }), (t) => 0.99 ** t);
    near(schedules.timeSchedule({ decay: 0.3 }), (_t, e) => 1 / (1 + 0.3 * e));
    near(schedules.cosineSchedule(), (_t, _e, p) => cosine(1, 0, p));
    near(schedules.cosineSchedule({ least: 0.2 }), (_t, _e, p) => cosine(1, 0.2, p));
    near(schedules.warmUpSchedule({ steps: 5 }), (t) => Math.min(1, (t + 1) / 5));
    near(
      schedules.warmUpSchedule({ steps: 5, then: schedules.cosineSchedule() }),
      (t, _e, p) => Math.min(1, (t + 1) / 5) * cosine(1, 0, p),
    );
    near(schedules.oneCycleSchedule({ rise: 0.25, first: 0.1, last: 0.01 }), (_t, _e, p) =>
      p <= 0.25 ? cosine(0.1, 1, p / 0.25) : cosine(1, 0.01, (p - 0.25) / 0.75),
    );
  });

  it('go up and down in cycles', () => {
    // Up over 4 steps, down over 4.
    const triangle = (t: number): number => 1 - Math.abs((t % 8) / 4 - 1);
    near(schedules.cyclicSchedule({ steps: 4 }), (t) => 0.1 + 0.9 * triangle(t));
    near(
      schedules.cyclicSchedule({ steps: 4, least: 0.2, mode: 'triangular2' }),
      (t) => 0.2 + 0.8 * triangle(t) * 0.5 ** Math.floor(t / 8),
    );
    near(
      schedules.cyclicSchedule({ steps: 4, mode: 'exp_range', gamma: 0.98 }),
      (t) => 0.1 + 0.9 * triangle(t) * 0.98 ** t,
    );
  });

  it('come one after the other', () => {
    const joined = schedules.joinedSchedules([
      { schedule: schedules.warmUpSchedule({ steps: 10 }), steps: 10 },
      { schedule: schedules.cosineSchedule(), steps: 10 },
      { schedule: schedules.cosineSchedule({ least: 0.5 }) },
    ]);
    near(joined, (t) => (t < 10 ? (t + 1) / 10 : t < 20 ? cosine(1, 0, (t - 10) / 10) : cosine(1, 0.5, (t - 20) / 20)));
    expect(joined.settings).toMatchObject({ '0': 'warm-up', '0.lasts': 10, '2.least': 0.5 });
  });

  it.each<[string, () => unknown]>([
    ['every', () => schedules.stepSchedule({ every: 0 })],
    ['factor', () => schedules.stepSchedule({ every: 1, factor: 1.5 })],
    ['per', () => schedules.exponentialSchedule({ factor: 0.5, per: 'batch' as never })],
    ['decay', () => schedules.timeSchedule({ decay: -1 })],
    ['least', () => schedules.cosineSchedule({ least: 2 })],
    ['warmUpSchedule', () => schedules.warmUpSchedule({ steps: 3, then: 1 as never })],
    ['rise', () => schedules.oneCycleSchedule({ rise: 1 })],
    ['mode', () => schedules.cyclicSchedule({ steps: 2, mode: 'square' as never })],
    [
      'steps of stretch 0',
      () =>
        schedules.joinedSchedules([
          { schedule: schedules.constantSchedule() },
          { schedule: schedules.constantSchedule() },
        ]),
    ],
    ['last stretch', () => schedules.joinedSchedules([{ schedule: schedules.constantSchedule(), steps: 3 }])],
    ['joinedSchedules', () => schedules.joinedSchedules([])],
  ])('refuse a bad %s by name', (name, make) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(name);
  });
});
