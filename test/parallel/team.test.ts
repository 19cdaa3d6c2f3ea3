import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AbortedError, LibraryError, NonFiniteError, OptionError, WorkerError } from '#hmatrix/core/errors.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { WARNING_TYPE } from '#hmatrix/core/warning.js';
import { warnOfWorkers } from '#hmatrix/parallel/oversubscription.js';
import { controlWords } from '#hmatrix/parallel/control-block.js';
import { doneTasks, drain, resetRun, TASK_DONE } from '#hmatrix/parallel/schedule.js';
import { independentTasks, taskGraph, upwardTasks } from '#hmatrix/parallel/task-graph.js';
import { Team } from '#hmatrix/parallel/team.js';

interface Tasks {
  count: TaskDefinition<{ out: Int32Array; log: Int32Array }, { add: number }>;
  sumUpward: TaskDefinition<{ out: Int32Array }>;
  misbehave: TaskDefinition<{ turns: Int32Array }, { how: string; away: boolean }>;
  slow: TaskDefinition<object>;
}
const tasks = (await import('./tasks.mjs' as string)) as Tasks;

describe('task graph', () => {
  it('every_order_it_allows_respects_its_edges', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.tuple(fc.nat(29), fc.nat(29)), { maxLength: 60 }),
        (n, pairs) => {
          const edges = pairs.filter(([a, b]) => a < b && b < n).flat();
          const graph = taskGraph(n, edges);
          expect(graph.predecessors.reduce((a, b) => a + b, 0)).toBe(edges.length / 2);
          // One worker among others who do nothing takes the tasks of all lanes.
          for (const workers of [1, 3]) {
            const control = sharedInt32(controlWords(workers));
            resetRun(control, graph);
            const turn = new Int32Array(n).fill(-1);
            let turns = 0;
            const steps = drain(control, graph, workers - 1, (task) => {
              expect(turn[task]).toBe(-1);
              turn[task] = turns++;
            });
            for (const step of steps) expect(step).toBe(TASK_DONE);
            expect(turns).toBe(n);
            expect(doneTasks(control)).toBe(n);
            for (let e = 0; e < edges.length; e += 2) expect(turn[edges[e]]).toBeLessThan(turn[edges[e + 1]]);
          }
        },
      ),
    );
  });

  it('tasks_of_like_places_go_to_the_same_worker_where_it_has_time', () => {
    const places = [0, 0.1, 0.49, 0.5, 0.9, 0.99, 0.2, 0.7];
    const graph = taskGraph(8, [0, 7, 3, 6], places);
    const control = sharedInt32(controlWords(2));
    resetRun(control, graph);
    const first: number[] = [];
    const second: number[] = [];
    const [left, right] = [first, second].map((tasks, worker) =>
      drain(control, graph, worker, (task) => {
        tasks.push(task);
      }),
    );
    for (let turn = 0; turn < 4; turn++) {
      left.next();
      right.next();
    }
    expect(first).toEqual([0, 1, 2, 6]);
    expect(second).toEqual([3, 4, 5, 7]);
    expect([left.next().done, right.next().done]).toEqual([true, true]);
  });

  it('a_cycle_is_refused', () => {
    expect(() => taskGraph(3, [0, 1, 1, 2, 2, 0])).toThrow(OptionError);
  });
});

describe('team', () => {
  let team: Team | undefined;
  afterEach(async () => {
    await team?.close();
    team = undefined;
  });

  it.each([1, 2, 4])('runs_every_task_exactly_once: %i workers', async (workers) => {
    team = await Team.open({ workers });
    const state = { out: sharedInt32(1000), log: sharedInt32(1000) };
    const shared = await team.share(state);
    const graph = independentTasks(1000);
    for (let repeat = 1; repeat <= 20; repeat++) await team.run('count', tasks.count, shared, graph, { add: 0 });
    team.runSync(tasks.count, shared, graph, { add: 2 });
    expect(state.out.every((x) => x === 23)).toBe(true);
    expect(state.log.every((worker) => worker >= 0 && worker < workers)).toBe(true);
  });

  it('children_run_before_their_parents', async () => {
    team = await Team.open({ workers: 3 });
    const nodes = 2 ** 12 - 1;
    const state = { out: sharedInt32(nodes) };
    const shared = await team.share(state);
    for (let repeat = 0; repeat < 5; repeat++) {
      state.out.fill(0);
      team.runSync(tasks.sumUpward, shared, upwardTasks(nodes), undefined);
      expect(state.out[0]).toBe((nodes * (nodes - 1)) / 2);
    }
  });

  it('a_typed_error_in_a_worker_keeps_its_type_and_the_team_survives', async () => {
    team = await Team.open({ workers: 2 });
    const shared = await team.share({ turns: sharedInt32(2) });
    await expect(
      team.run('fail', tasks.misbehave, shared, independentTasks(50), { how: 'typed', away: true }),
    ).rejects.toBeInstanceOf(NonFiniteError);
    await expect(
      team.run('fail', tasks.misbehave, await team.share({ turns: sharedInt32(2) }), independentTasks(50), {
        how: 'plain',
        away: true,
      }),
    ).rejects.toThrow(/x is not a function/);
    const state = { out: sharedInt32(9), log: sharedInt32(9) };
    await team.run('count', tasks.count, await team.share(state), independentTasks(9), { add: 0 });
    expect(state.out.every((x) => x === 1)).toBe(true);
  });

  it('a_failure_on_the_calling_thread_is_thrown_as_it_is', async () => {
    team = await Team.open({ workers: 1 });
    const shared = await team.share({ turns: sharedInt32(2) });
    await expect(
      team.run('fail', tasks.misbehave, shared, independentTasks(5), { how: 'plain', away: false }),
    ).rejects.toBeInstanceOf(TypeError);
  });

  it('a_worker_that_dies_ends_the_run_with_a_typed_error', async () => {
    team = await Team.open({ workers: 2 });
    const shared = await team.share({ turns: sharedInt32(2) });
    const run = team.run('die', tasks.misbehave, shared, independentTasks(20), { how: 'exit', away: true });
    await expect(run).rejects.toBeInstanceOf(WorkerError);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(
      team.run('count', tasks.count, shared as never, independentTasks(1), { add: 0 }),
    ).rejects.toBeInstanceOf(WorkerError);
  }, 60_000);

  it('a_synchronous_run_notices_a_lost_worker_by_its_silence', async () => {
    team = await Team.open({ workers: 2, stallSeconds: 2 });
    const shared = await team.share({ turns: sharedInt32(2) });
    expect(() => team!.runSync(tasks.misbehave, shared, independentTasks(20), { how: 'hang', away: true })).toThrow(
      WorkerError,
    );
  }, 60_000);

  it('abort_and_progress_reach_a_running_phase', async () => {
    team = await Team.open({ workers: 2 });
    const shared = await team.share({});
    const controller = new AbortController();
    const seen: number[] = [];
    const run = team.run('slow', tasks.slow, shared, independentTasks(2000), undefined, {
      signal: controller.signal,
      onProgress: ({ phase, done, total }) => {
        expect(phase).toBe('slow');
        expect(total).toBe(2000);
        seen.push(done);
        if (seen.length === 3) controller.abort();
      },
    });
    await expect(run).rejects.toBeInstanceOf(AbortedError);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.at(-1)).toBeLessThan(2000);
    await expect(
      team.run('slow', tasks.slow, shared, independentTasks(1), undefined, { signal: controller.signal }),
    ).rejects.toBeInstanceOf(AbortedError);
    await team.run('slow', tasks.slow, shared, independentTasks(3), undefined);
  });

  it('an_error_in_the_progress_callback_ends_the_run', async () => {
    team = await Team.open({ workers: 2 });
    const shared = await team.share({});
    const run = team.run('slow', tasks.slow, shared, independentTasks(100), undefined, {
      onProgress: () => {
        throw new RangeError('callback');
      },
    });
    await expect(run).rejects.toThrow('callback');
    await team.run('slow', tasks.slow, shared, independentTasks(3), undefined);
  });

  it('phases_started_together_run_one_after_the_other', async () => {
    team = await Team.open({ workers: 2 });
    const state = { out: sharedInt32(100), log: sharedInt32(100) };
    const shared = await team.share(state);
    await Promise.all(
      Array.from({ length: 10 }, () => team!.run('count', tasks.count, shared, independentTasks(100), { add: 0 })),
    );
    expect(state.out.every((x) => x === 10)).toBe(true);
  });

  it('far_more_workers_than_cores_are_warned_of_once', async () => {
    const said: string[] = [];
    const listen = (warning: Error & { code?: string }): void => {
      if (warning.name === WARNING_TYPE) said.push(`${warning.code}: ${warning.message}`);
    };
    process.on('warning', listen);
    for (const [workers, cores] of [
      [8, 2],
      [500, 2],
      [500, 2],
      [64, 16],
      [65, 16],
    ])
      warnOfWorkers(workers, cores);
    await new Promise(setImmediate);
    expect(said.map((message) => /workers: .*team of (\d+) workers on (\d+) cores/.exec(message)?.slice(1))).toEqual([
      ['500', '2'],
      ['65', '16'],
    ]);
    // A team that cannot be opened is warned of before the attempt.
    const workers = Math.min(1024, 4 * availableParallelism() + 1);
    await Team.open({ workers, blas: '/nowhere/libnothing.so' }).catch(() => undefined);
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(said.at(-1)).toContain(`team of ${workers} workers`);
  });

  it('misuse_is_named', async () => {
    await expect(Team.open({ workers: 0 })).rejects.toBeInstanceOf(OptionError);
    await expect(Team.open({ workers: 1.5 })).rejects.toBeInstanceOf(OptionError);
    await expect(Team.open({ workers: 2, blas: '/nowhere/libnothing.so' })).rejects.toBeInstanceOf(LibraryError);
    team = await Team.open({ workers: 2 });
    const shared = await team.share({ out: sharedInt32(1), log: sharedInt32(1) });
    team.release(shared);
    expect(() => team!.runSync(tasks.count, shared, independentTasks(1), { add: 0 })).toThrow(/released/);
    await team.close();
    await expect(team.share({})).rejects.toMatchObject({ name: 'ClosedError', code: 'closed' });
  });
});
