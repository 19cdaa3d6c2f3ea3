/** A team that is closed while functions work on it: each ends with ClosedError, and so does the process. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClosedError } from '#hmatrix/core/errors.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import * as hmatrix from '#hmatrix/index.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { independentTasks } from '#hmatrix/parallel/task-graph.js';
import { Team } from '#hmatrix/parallel/team.js';
import { normalPoints, randomMatrix } from '../support.js';
import { publicFunctions } from './public-functions.js';

const { slow, wait } = (await import('./tasks.mjs' as string)) as {
  slow: TaskDefinition<object>;
  wait: TaskDefinition<{ turns: Int32Array }>;
};

afterEach(() => {
  vi.restoreAllMocks();
});

/** Phases serve the event loop whenever they look at the clock, so that small ones can be closed in their midst. */
function hurry(): void {
  const now = performance.now.bind(performance);
  let ahead = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + (ahead += 60));
}
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

describe('closing a team', () => {
  it.each([0, 2, 10, 40])('ends_every_function_on_it: after %i turns of the event loop', async (moment) => {
    const team = await Team.open({ workers: 2 });
    const functions = await publicFunctions(team);
    hurry();
    const running = Object.entries(functions).map(([name, call]) =>
      call().then(
        () => `${name}: done`,
        (error: unknown) => (error instanceof ClosedError ? 'closed' : `${name}: ${String(error)}`),
      ),
    );
    await turns(moment);
    await team.close();
    for (const outcome of await Promise.all(running)) expect(outcome).toMatch(/closed|: done$/);
    for (const [name, call] of Object.entries(functions))
      await expect(call(), name).rejects.toBeInstanceOf(ClosedError);
  });

  it.each([1, 2, 3])('in_the_midst_of_a_phase_ends_that_phase_and_those_that_wait: %i workers', async (workers) => {
    const team = await Team.open({ workers });
    const shared = await team.share({});
    let ended = 0;
    const phases = Array.from({ length: 3 }, () =>
      team.run('slow', slow, shared, independentTasks(1e5), undefined).catch((error: unknown) => {
        ended++;
        return error;
      }),
    );
    await turns(2);
    expect(ended).toBe(0);
    const closings = [team.close(), team.close()];
    for (const error of await Promise.all(phases)) expect(error).toBeInstanceOf(ClosedError);
    await Promise.all(closings);
    expect(() => {
      team.runSync(slow, shared, independentTasks(1), undefined);
    }).toThrow(ClosedError);
    await expect(team.run('slow', slow, shared, independentTasks(1), undefined)).rejects.toBeInstanceOf(ClosedError);
    expect(() => team.shareNow({})).toThrow(ClosedError);
    await expect(team.share({})).rejects.toBeInstanceOf(ClosedError);
    expect(() => {
      team.release(shared);
    }).not.toThrow();
  });

  it('ends_a_phase_whose_worker_never_comes_back', async () => {
    const team = await Team.open({ workers: 2 });
    const state = { turns: sharedInt32(2) };
    const phase = team
      .run('wait', wait, await team.share(state), independentTasks(2), undefined)
      .catch((error: unknown) => error);
    while (Atomics.load(state.turns, 0) === 0) await turns(1);
    await team.close();
    expect(await phase).toBeInstanceOf(ClosedError);
  }, 60_000);

  it('from_a_progress_callback_and_under_products', async () => {
    const source = hmatrix.kernelSource(normalPoints(96, 2, 3), hmatrix.kernels.gaussian(1));
    const x = randomMatrix(96, 2, 4);
    for (const multiplies of [false, true]) {
      const team = await Team.open({ workers: 2 });
      const matrix = await hmatrix.compress(source, { leafSize: 12 }, { team });
      const expected = matrix.apply(x).data;
      hurry();
      let closing: Promise<void> | undefined;
      const compressing = hmatrix.compress(
        source,
        { leafSize: 12 },
        {
          team,
          onProgress: () => {
            // Until it is closed, a product is right; afterwards it is refused.
            if (multiplies && closing === undefined) expect(matrix.apply(x).data).toEqual(expected);
            closing ??= team.close();
            expect(() => matrix.apply(x)).toThrow(ClosedError);
          },
        },
      );
      await expect(compressing).rejects.toBeInstanceOf(ClosedError);
      await closing;
      vi.restoreAllMocks();
    }
  });

  it('which_is_the_default_one_lets_the_process_end', async () => {
    const index = join(import.meta.dirname, '../../dist/src/index.js');
    const script = `
      import { compress, kernels, kernelSource, openTeam, teams } from ${JSON.stringify(index)};
      const { gaussian } = kernels;
      const { closeDefaultTeam } = teams;
      const coordinates = Float64Array.from({ length: 8000 }, (_, i) => Math.sin(i * i));
      const source = kernelSource({ dimension: 2, count: 4000, coordinates }, gaussian(0.1));
      const codes = [];
      const options = { leafSize: 32, tolerance: 1e-8 };
      for (const ended of [compress(source, options), compress(source, options)])
        ended.catch(({ code }) => { codes.push(code); });
      setTimeout(async () => {
        await closeDefaultTeam();
        const team = await openTeam({ workers: 2 });
        const ended = compress(source, options, { team }).catch(({ code }) => { codes.push(code); });
        setTimeout(() => { void team.close(); }, 100);
        await ended;
        process.on('exit', () => { console.log(codes.join()); });
      }, 100);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 100_000,
    });
    expect(stdout.trim()).toBe('closed,closed,closed');
  });
});
