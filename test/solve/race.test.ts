/**
 * The race among preconditioners on a simulated clock: candidates with given costs and rates.
 */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { Race, type Runner } from '#hmatrix/solve/race.js';

const TOLERANCE = 1e-8;

/** A runner as it is predicted, and the iterations that it truly takes. */
interface Simulated extends Runner {
  readonly takes: number;
}

const costOf = ({ setup, step, takes }: Simulated): number => setup + step * takes;

/**
 * Runs the race from a residual on; every runner takes it down at an even rate. Returns what was spent, and who
 * finished.
 */
function run(runners: readonly Simulated[], from = 1): { spent: number; visited: number[] } {
  const race = new Race(runners, TOLERANCE);
  const visited: number[] = [];
  let spent = 0;
  let residual = from;
  for (;;) {
    const runner = runners[race.current];
    visited.push(race.current);
    spent += runner.setup;
    race.start(residual);
    const begin = residual;
    for (let k = 1; ; k++) {
      spent += runner.step;
      residual = begin * TOLERANCE ** (k / runner.takes);
      if (residual <= TOLERANCE * (1 + 1e-9)) return { spent, visited };
      if (race.watch(residual) && race.moveOn()) break;
    }
  }
}

const between = (random: RandomStream, low: number, high: number): number =>
  Math.exp(Math.log(low) + random.uniform() * Math.log(high / low));

const exactly = (kind: string, setup: number, step: number, takes: number): Simulated => ({
  kind,
  setup,
  step,
  takes,
  iterations: takes,
  atLeast: false,
});

describe('a race', () => {
  it('never_spends_more_than_twice_the_best_where_one_runner_is_unknown', () => {
    const random = new RandomStream(1);
    for (let trial = 0; trial < 5000; trial++) {
      const takes = Math.ceil(between(random, 10, 1e5));
      const none: Simulated = {
        ...exactly('none', 0, 1, takes),
        iterations: Math.ceil(takes * between(random, 1e-4, 1)),
        atLeast: true,
      };
      const others = Array.from({ length: 1 + random.integer(5) }, (_, i) =>
        exactly(`${i % 3}`, between(random, 1, 1e5), between(random, 1, 100), Math.ceil(between(random, 2, 1e3))),
      );
      const runners = [none, ...others];
      const best = Math.min(...runners.map(costOf));
      const { spent } = run(runners);
      // An iteration at a time: the last one of the first runner may be too many.
      expect(spent).toBeLessThanOrEqual(2 * best + 2 * none.step);
    }
  });

  it('takes_the_best_at_once_where_all_are_known', () => {
    const random = new RandomStream(2);
    for (let trial = 0; trial < 1000; trial++) {
      const runners = Array.from({ length: 2 + random.integer(5) }, (_, i) =>
        exactly(`${i}`, between(random, 1, 1e5), between(random, 1, 100), Math.ceil(between(random, 2, 1e3))),
      );
      const { spent, visited } = run(runners);
      expect(visited).toHaveLength(1);
      expect(spent).toBeLessThanOrEqual((1 + 1e-12) * Math.min(...runners.map(costOf)));
    }
  });

  it('spends_five_times_the_best_known_runner_at_most_whatever_the_unknown_ones_take', () => {
    const random = new RandomStream(3);
    for (let trial = 0; trial < 2000; trial++) {
      const unknown = ['none', 'nystrom'].map((kind, i): Simulated => {
        const takes = Math.ceil(between(random, 10, 1e6));
        const least = Math.ceil(takes * between(random, 1e-4, 1));
        return { ...exactly(kind, i * between(random, 1, 100), 1 + i, takes), iterations: least, atLeast: true };
      });
      const known = exactly(
        'hss',
        between(random, 10, 1e5),
        between(random, 1, 100),
        Math.ceil(between(random, 2, 50)),
      );
      expect(run([...unknown, known]).spent).toBeLessThanOrEqual(5 * costOf(known) + 10 * known.step);
    }
  });

  it('spends_three_times_a_known_runner_at_most_whatever_residuals_an_unknown_one_has', () => {
    const random = new RandomStream(4);
    for (let trial = 0; trial < 300; trial++) {
      const none = { ...exactly('none', 0, 1, 1), atLeast: true };
      const known = exactly('hss', between(random, 1, 1e3), between(random, 1, 10), 1 + random.integer(20));
      const race = new Race([none, known], TOLERANCE);
      let spent = 0;
      if (race.current === 0) {
        race.start(1);
        // Plateaus, jumps, and residuals that grow: never below what is asked for.
        for (let residual = 1; ;) {
          spent += none.step;
          residual = Math.min(1, Math.max(2 * TOLERANCE, residual * between(random, 0.1, 8)));
          if (race.watch(residual) && race.moveOn()) break;
        }
      }
      expect(race.current).toBe(1);
      expect(spent + costOf(known)).toBeLessThanOrEqual(3 * costOf(known) + 2 * none.step);
    }
  });

  it('spends_twice_the_best_and_the_sampling_where_a_trial_comes_first', () => {
    const random = new RandomStream(5);
    for (let trial = 0; trial < 3000; trial++) {
      const takes = Math.ceil(between(random, 3, 1e4));
      const none: Simulated = { ...exactly('none', 0, 1, takes), iterations: 1, atLeast: true };
      const others = Array.from({ length: 1 + random.integer(4) }, (_, i) =>
        exactly(`${i}`, between(random, 1, 1e4), between(random, 1, 100), Math.ceil(between(random, 2, 300))),
      );
      const measuring = between(random, 1, 1e4);
      const other = measuring + between(random, 1, 1e3);
      const best = Math.min(costOf(none), ...others.map(costOf));
      const first = new Race([none, exactly('others', other, 0, 1)], TOLERANCE);
      let spent = 0;
      let residual = 1;
      if (first.current === 0) {
        first.start(1);
        for (let k = 1; residual > TOLERANCE * (1 + 1e-9); k++) {
          spent += none.step;
          residual = TOLERANCE ** (k / takes);
          if (first.watch(residual)) break;
        }
      }
      if (residual > TOLERANCE * (1 + 1e-9)) {
        // At an even rate the trial knows what it had left, of which half counts.
        const left = first.current === 0 ? Math.ceil(first.iterationsLeft() / 2) : 1;
        const after = [{ ...none, iterations: Math.min(takes, left) }, ...others];
        spent += measuring + run(after, residual).spent;
      }
      // The sampling, and what is tried while nothing is known: twice what follows at least.
      expect(spent).toBeLessThanOrEqual(2 * best + measuring + 2 * other + 3 * none.step);
    }
  });

  it('leaves_a_runner_that_does_not_converge_and_takes_the_cheaper_ones_of_its_kind_along', () => {
    const stuck = { ...exactly('hss', 10, 1, 1e9), iterations: 5 };
    const { visited } = run([
      stuck,
      { ...exactly('hss', 5, 1, 1e9), iterations: 40 },
      exactly('hss', 100, 1, 3),
      exactly('none', 0, 1, 1e5),
    ]);
    expect(visited).toEqual([0, 2]);
  });

  it('the_last_one_runs_to_its_end', () => {
    const race = new Race([exactly('none', 0, 1, 1e6)], TOLERANCE);
    race.start(1);
    for (let k = 0; k < 1000; k++) expect(race.watch(1)).toBe(false);
    expect(race.next).toBeUndefined();
    expect(race.moveOn()).toBe(false);
  });

  it('unwatched_takes_the_least_expected_cost_and_leaves_it_only_when_it_is_told_to', () => {
    const none = { ...exactly('none', 0, 1, 1e6), iterations: 120, atLeast: true };
    const race = new Race([none, exactly('hss', 100, 1, 10), exactly('nystrom', 120, 1, 10)], TOLERANCE, false);
    expect(race.current).toBe(1);
    race.start(1);
    for (let k = 0; k < 1000; k++) expect(race.watch(1)).toBe(false);
    expect(race.moveOn()).toBe(true);
    expect(race.current).toBe(2);
  });

  it('makes_the_same_choices_every_time', () => {
    const runners = [{ ...exactly('none', 0, 1, 5000), iterations: 20, atLeast: true }, exactly('hss', 900, 3, 10)];
    expect(run(runners)).toEqual(run(runners));
    expect(run(runners).visited).toEqual([0, 1]);
  });
});
