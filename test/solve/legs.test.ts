/**
 * Legs of a solve: x is kept from one preconditioner to the next, and nothing is lost where one cannot be made.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { Candidate, Used } from '#hmatrix/solve/candidates.js';
import { runLegs } from '#hmatrix/solve/legs.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const SIZE = 400;
// Condition 1e4: some hundred steps without a preconditioner.
const values = Float64Array.from({ length: SIZE }, (_, i) => 1 + (1e4 * i * i) / SIZE ** 2);
const system = diagonalOperator(values);
const b = randomMatrix(SIZE, 1, 1);
let team: Team;
let released: string[];

beforeAll(async () => {
  team = await sharedTeam(1);
});

const used = (name: Used['name'], operator?: Used['operator']): Used => ({
  name,
  operator,
  bytes: 0,
  details: {},
  seconds: { compress: 1, factor: 2 },
  release: () => {
    released.push(name);
  },
});
const none: Candidate = {
  name: 'none',
  prediction: { setup: 0, step: 1, iterations: 5, atLeast: true, details: '' },
  make: () => Promise.resolve(used('none')),
};
const exact: Candidate = {
  name: 'hss',
  prediction: { setup: 20, step: 1, iterations: 2, atLeast: false, details: '' },
  make: () => Promise.resolve(used('hss', diagonalOperator(values.map((value) => 1 / value)))),
};
const failing = (candidate: Candidate): Candidate => ({
  ...candidate,
  make: () => Promise.reject(new MemoryError('There is no room.', {})),
});

async function run(candidates: readonly Candidate[], maxIterations?: number) {
  released = [];
  const out = zeros(SIZE, 1);
  const done = await runLegs(
    { reason: '', candidates },
    system,
    { b, out, tolerance: 1e-8, roundoff: 2 ** -52, maxIterations },
    { team },
  );
  const residual = Math.hypot(...b.data.map((value, i) => value - values[i] * out.data[i])) / Math.hypot(...b.data);
  return { ...done, x: out, residual };
}

describe('legs', () => {
  it('move_on_keep_x_and_count_all_iterations', async () => {
    const { solution, used: last, told, residual, seconds } = await run([none, exact]);
    expect([solution.outcome, last.name]).toEqual(['converged', 'hss']);
    expect(residual).toBeLessThan(1e-8);
    expect(told).toHaveLength(2);
    const steps = Number(/^Left none after (\d+) iterations at residual/.exec(told[0])![1]);
    expect(steps).toBeLessThan(60);
    expect(told[1]).toMatch(/^Solved with hss, 1 iteration\.$/);
    expect(solution.iterations).toBe(steps + 1);
    expect(solution.history).toHaveLength(solution.iterations + 1);
    expect(released).toEqual(['none']);
    expect(seconds).toMatchObject({ compress: 2, factor: 4 });
  });

  it('go_on_with_who_was_left_where_nobody_else_can_be_made', async () => {
    const { solution, used: last, told, residual } = await run([none, failing(exact)]);
    expect([solution.outcome, last.name]).toEqual(['converged', 'none']);
    expect(residual).toBeLessThan(1e-8);
    expect(told[1]).toBe('Not hss, which cannot be made here: There is no room.');
    expect(told[2]).toMatch(/^Solved with none, \d+ iterations\.$/);
  });

  it('throw_what_the_last_one_throws_where_nobody_ran', async () => {
    await expect(run([failing(exact)])).rejects.toThrow('There is no room.');
    await expect(run([failing(exact), failing({ ...exact, name: 'nystrom' })])).rejects.toThrow('There is no room.');
  });

  it('share_one_limit_of_iterations', async () => {
    const { solution } = await run([none], 7);
    expect([solution.outcome, solution.iterations]).toEqual(['maxIterations', 7]);
  });

  it('end_where_only_the_rounding_of_x_to_float32_is_left', async () => {
    released = [];
    const out = zeros(SIZE, 1, 'f32');
    const candidates = [exact, none].map(({ name, make }) => ({ name, make }));
    const { solution, used: last } = await runLegs(
      { reason: '', candidates },
      system,
      { b, out, tolerance: 1e-10, roundoff: Number.EPSILON },
      { team },
    );
    expect({ name: last.name, outcome: solution.outcome }).toEqual({ name: 'hss', outcome: 'stagnated' });
    expect(solution.iterations).toBeLessThanOrEqual(3);
    expect(solution.unrounded).toBeLessThanOrEqual(1e-10);
    expect(solution.residual).toBeLessThan(1e-6);
  });

  it('end_with_the_callers_abort_and_never_move_on_from_it', async () => {
    released = [];
    const controller = new AbortController();
    controller.abort();
    const out = zeros(SIZE, 1);
    const asked = { b, out, tolerance: 1e-8, roundoff: 2 ** -52 };
    const { solution, used: last } = await runLegs({ reason: '', candidates: [none, exact] }, system, asked, {
      team,
      signal: controller.signal,
    });
    expect([solution.outcome, last.name]).toEqual(['aborted', 'none']);
  });
});
