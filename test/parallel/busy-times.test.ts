/** When workers are busy: what a team tells of its phases, and what a record keeps of that. */
import { afterEach, describe, expect, it } from 'vitest';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { observeWorkers } from '#hmatrix/experiment/worker-times.js';
import { sharedClock } from '#hmatrix/parallel/busy-times.js';
import { independentTasks, taskGraph } from '#hmatrix/parallel/task-graph.js';
import { Team, type PhaseTimes } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { normalPoints } from '#datasets/points.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';

/** Each task takes 5 ms. */
const { slow } = (await import('./tasks.mjs' as string)) as { slow: TaskDefinition<object> };
let team: Team | undefined;
afterEach(() => team?.close());

describe('observe', () => {
  it.each([1, 2, 3])(
    'tells_of_%i_workers_times_within_those_of_the_call_and_no_more_work_than_time',
    async (workers) => {
      team = await Team.open({ workers, blas: 'portable' });
      const told: PhaseTimes[] = [];
      const stop = team.observe((times) => told.push(times));
      const shared = await team.share({});
      for (const graph of [independentTasks(12), taskGraph(6, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5])]) {
        const before = sharedClock();
        await team.run('slow', slow, shared, graph, undefined);
        const after = sharedClock();
        const { phase, workers: times } = told.at(-1)!;
        expect([phase, times.length]).toEqual(['slow', workers]);
        let busy = 0;
        for (const one of times) {
          if (one === null) continue;
          const [from, to, worked] = one;
          expect(before <= from && from <= to && to <= after).toBe(true);
          // Sums of differences of numbers near 10^12 ms: each is rounded to 2^-12 of them.
          expect(worked).toBeLessThanOrEqual(to - from + 64 * 2 ** -12);
          busy += worked;
        }
        // Each task waited for 5 ms on its worker's clock.
        expect(busy).toBeGreaterThanOrEqual(graph.count * (5 - 2 ** -11));
      }
      stop();
      await team.run('slow', slow, shared, independentTasks(1), undefined);
      expect(told.length).toBe(2);
      team.release(shared);
    },
  );

  it('of_a_compression_has_phases_one_after_the_other_and_gives_the_same_bits', async () => {
    team = await Team.open({ workers: 2, blas: 'portable' });
    const source = kernelSource(normalPoints(400, 3, 1), gaussian(2), { blas: team.blas });
    const options = { leafSize: 32, tolerance: 1e-4 };
    const observed = observeWorkers(team);
    const matrix = await compress(source, options, { team });
    const timeline = observed.end();
    expect(timeline.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['neighbors', 'skeletonize']));
    let last = 0;
    for (const [k, { phase, workers }] of timeline.entries()) {
      expect(phase).not.toBe(timeline[k - 1]?.phase);
      const spans = workers.filter((span) => span !== null);
      expect(spans.length).toBeGreaterThan(0);
      // To a microsecond, as it is written.
      expect(Math.min(...spans.map(([from]) => from))).toBeGreaterThanOrEqual(last - 2e-6);
      last = Math.max(...spans.map(([, to]) => to));
    }
    const alone = await compress(source, options, { team });
    expect(alone.data.values).toEqual(matrix.data.values);
    expect(observed.end()).toEqual(timeline);
  });
});
