/** Tasks whose parts several workers do. */
import { afterEach, describe, expect, it } from 'vitest';
import { NonFiniteError, WorkerError } from '#hmatrix/core/errors.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { runAlone } from '#hmatrix/parallel/parts.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { taskGraph, upwardTasks } from '#hmatrix/parallel/task-graph.js';
import { Team } from '#hmatrix/parallel/team.js';

interface State {
  readonly out: Int32Array;
  readonly turns: Int32Array;
  readonly now: Int32Array;
}
interface Tasks {
  inParts: TaskDefinition<State, { count: number; helpers: boolean; how: string }>;
}
const { inParts } = (await import('./tasks.mjs' as string)) as Tasks;

const PARTS = 40;
const stateOf = (tasks: number, count: number, workers: number): State => ({
  out: sharedInt32(tasks * count),
  turns: sharedInt32(1),
  now: sharedInt32(3 * workers),
});
/** A chain: whoever has no task waits for parts. */
const chain = (tasks: number): ReturnType<typeof taskGraph> =>
  taskGraph(tasks, Array.from({ length: tasks - 1 }, (_, t) => [t, t + 1]).flat());

describe('the parts of a task', () => {
  let team: Team | undefined;
  afterEach(async () => {
    await team?.close();
    team = undefined;
  });

  it.each([1, 2, 3])('are_done_exactly_once: %i workers', async (workers) => {
    team = await Team.open({ workers });
    const tasks = 63;
    for (const count of [1, 2, PARTS]) {
      const state = stateOf(tasks, count, workers);
      const shared = await team.share(state);
      for (let repeat = 0; repeat < 5; repeat++) {
        const args = { count, helpers: false, how: 'well' };
        if (repeat % 2 === 0) await team.run('parts', inParts, shared, upwardTasks(tasks), args);
        else team.runSync(inParts, shared, chain(tasks), args);
      }
      expect(state.out.every((times) => times === 5)).toBe(true);
    }
  });

  it('are_taken_by_workers_that_have_no_task', async () => {
    team = await Team.open({ workers: 2 });
    const state = stateOf(3, PARTS, 2);
    const shared = await team.share(state);
    await team.run('parts', inParts, shared, chain(3), { count: PARTS, helpers: true, how: 'well' });
    expect(state.out.every((times) => times === 1)).toBe(true);
    expect(Atomics.load(state.turns, 0)).toBeGreaterThanOrEqual(3);
  });

  it.each(['throws', 'own throws'])('end_the_run_where_one_%s_and_the_team_survives', async (how) => {
    team = await Team.open({ workers: 2 });
    const state = stateOf(3, PARTS, 2);
    const shared = await team.share(state);
    const run = (): Promise<void> =>
      team!.run('parts', inParts, shared, chain(3), { count: PARTS, helpers: true, how });
    const error = await run().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NonFiniteError);
    await team.run('parts', inParts, shared, chain(3), { count: PARTS, helpers: false, how: 'well' });
  });

  it.each(['run', 'runSync'])('are_given_up_where_the_thread_of_one_has_ended: %s', async (kind) => {
    team = await Team.open({ workers: 2 });
    const shared = await team.share(stateOf(3, PARTS, 2));
    const args = { count: PARTS, helpers: true, how: 'exits' };
    // As often as the worker has the first task itself, the calling thread does all of its parts.
    const outcome = async (): Promise<unknown> => {
      try {
        if (kind === 'run') await team!.run('parts', inParts, shared, chain(3), args);
        else team!.runSync(inParts, shared, chain(3), args);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(await outcome()).toBeInstanceOf(WorkerError);
  });

  it('are_all_done_by_a_thread_without_a_team', () => {
    const done: number[] = [];
    runAlone(3, (part) => done.push(part));
    expect(done).toEqual([0, 1, 2]);
  });
});
