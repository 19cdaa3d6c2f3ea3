/** What tasks throw reaches the caller, whatever it is; a thread that has ended is noticed at once. */
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { WorkerError } from '#hmatrix/core/errors.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import * as hmatrix from '#hmatrix/index.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { independentTasks } from '#hmatrix/parallel/task-graph.js';
import { Team, type Shared } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { normalPoints } from '../support.js';

interface Tasks {
  THINGS: Record<string, unknown>;
  hurl: TaskDefinition<{ turns: Int32Array }, { what: string; from: 'here' | 'away' | 'both' }>;
  end: TaskDefinition<{ turns: Int32Array }, { how: string }>;
  nothing: TaskDefinition<object>;
}
const tasks = (await import('./tasks.mjs' as string)) as Tasks;
const { THINGS } = tasks;

interface Caught {
  readonly thrown: unknown;
}
const caughtFrom = async (call: () => unknown): Promise<Caught | undefined> => {
  try {
    await call();
  } catch (thrown) {
    return { thrown };
  }
  return undefined;
};

let team: Team | undefined;
afterEach(async () => {
  await team?.close();
  team = undefined;
});

/** Both ways to run a phase that throws. */
function ways(from: 'here' | 'away' | 'both', what: string): (() => unknown)[] {
  const shared = (): Shared<{ turns: Int32Array }> => team!.shareNow({ turns: sharedInt32(2) });
  return [
    () => team!.run('hurl', tasks.hurl, shared(), independentTasks(40), { what, from }),
    () => {
      team!.runSync(tasks.hurl, shared(), independentTasks(40), { what, from });
    },
  ];
}

describe('what a task throws', () => {
  it.each([1, 2])('reaches_the_caller_as_it_is_from_the_calling_thread: %i workers', async (workers) => {
    team = await Team.open({ workers });
    for (const what of Object.keys(THINGS)) {
      for (const way of ways('here', what)) expect(Object.is((await caughtFrom(way))?.thrown, THINGS[what])).toBe(true);
    }
  });

  it('reaches_the_caller_as_a_copy_from_a_worker', async () => {
    team = await Team.open({ workers: 2 });
    for (const what of Object.keys(THINGS))
      for (const way of ways('away', what)) expect(await caughtFrom(way), what).toEqual({ thrown: THINGS[what] });
    for (const way of ways('away', 'function')) {
      // A function cannot leave its thread.
      const caught = await caughtFrom(way);
      expect(caught!.thrown).toBeInstanceOf(WorkerError);
      expect(String(caught!.thrown)).toMatch(/cannot be copied/);
    }
    team.runSync(tasks.nothing, await team.share({}), independentTasks(4), undefined);
  });

  it('is_of_its_own_phase_and_not_of_one_before', async () => {
    team = await Team.open({ workers: 2 });
    for (let repeat = 0; repeat < 5; repeat++) {
      for (const way of ways('both', 'text')) expect(await caughtFrom(way)).toEqual({ thrown: 'text' });
      for (const way of ways('away', 'zero')) expect(await caughtFrom(way)).toEqual({ thrown: 0 });
    }
  });

  it('comes_out_of_every_function_that_reads_a_source_on_the_calling_thread', async () => {
    team = await Team.open({ workers: 2 });
    const points = hmatrix.kernelSource(normalPoints(96, 2, 3), hmatrix.kernels.gaussian(1));
    const matrix = await hmatrix.compress(points, { leafSize: 12 }, { team });
    for (const thing of [undefined, null, 'text']) {
      const source: EntrySource = {
        size: 96,
        diagonal: (out) => points.diagonal(out),
        entries: () => {
          throw thing;
        },
      };
      const calls: Record<string, () => Promise<unknown>> = {
        compress: () => hmatrix.compress(source, { leafSize: 12 }, { team }),
        'compress in the given order': () =>
          hmatrix.compress(source, { leafSize: 12, distance: 'lexicographic', format: 'hodlr' }, { team }),
        estimateError: () => matrix.estimateError(source),
        operatorError: () => hmatrix.approximation.operatorError(source, matrix, {}, { team }),
        entryOperator: () => hmatrix.operators.entryOperator(source, {}, { team }),
        product: async () => {
          const operator = await hmatrix.operators.entryOperator(source, { keepBytes: 0 }, { team });
          return hmatrix.operators.apply(operator, hmatrix.dense.zeros(96, 1));
        },
        blockDiagonal: () => hmatrix.operators.blockDiagonal(source, Int32Array.of(0, 40, 96), {}, { team }),
        findNeighbors: () => hmatrix.trees.findNeighbors(source, 'gram', { neighbors: 4 }, { team }),
        buildClusterTree: () => hmatrix.trees.buildClusterTree(source, 'gram', { leafSize: 12 }, { team }),
      };
      for (const [name, call] of Object.entries(calls)) {
        const caught = await caughtFrom(call);
        expect(caught, `${name}, ${String(thing)}`).toEqual({ thrown: thing });
      }
    }
  });

  it('comes_out_of_a_progress_callback', async () => {
    team = await Team.open({ workers: 2 });
    const source = hmatrix.kernelSource(normalPoints(96, 2, 3), hmatrix.kernels.gaussian(1));
    expect(
      await caughtFrom(() =>
        hmatrix.compress(
          source,
          { leafSize: 12 },
          {
            team: team!,
            onProgress: () => {
              throw undefined;
            },
          },
        ),
      ),
    ).toEqual({ thrown: undefined });
  });
});

describe('a worker whose thread has ended', () => {
  const again = (error: unknown): void => {
    expect(error).toBeInstanceOf(WorkerError);
    // Not by its silence.
    expect(String(error)).toMatch(/died \(its thread has ended\).*open another one/);
  };

  it.each(['exit', 'terminated'])('ends_the_synchronous_phases_after_it_at_once: %s', async (how) => {
    const threads: Worker[] = [];
    const keep = (thread: Worker): void => {
      threads.push(thread);
    };
    process.on('worker', keep);
    team = await Team.open({ workers: 3, stallSeconds: 30 });
    process.off('worker', keep);
    const [ending, empty] = [await team.share({ turns: sharedInt32(1) }), await team.share({})];
    team.runSync(tasks.nothing, empty, independentTasks(4), undefined);
    // No turn of the event loop from here on: no event can tell.
    if (how === 'exit')
      await caughtFrom(() => {
        team!.runSync(tasks.end, ending, independentTasks(40), { how });
      });
    else void threads[1].terminate();
    for (let phase = 0; phase < 3; phase++) {
      let thrown: unknown;
      try {
        team.runSync(tasks.nothing, empty, independentTasks(4), undefined);
      } catch (error) {
        thrown = error;
      }
      again(thrown);
    }
    await expect(team.run('nothing', tasks.nothing, empty, independentTasks(4), undefined)).rejects.toBeInstanceOf(
      WorkerError,
    );
  });
});
