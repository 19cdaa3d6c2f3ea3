/**
 * Memory of shared arrays that were let go, given back at once.
 */
import { describe, expect, it } from 'vitest';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { isWorthCollecting } from '#hmatrix/parallel/collect.js';
import { Team } from '#hmatrix/parallel/team.js';

const MEGABYTE = 2 ** 20;
const resident = (): number => process.memoryUsage.rss() / MEGABYTE;

/** Shares `megabytes` of memory with the team, all of it touched, and releases it. */
async function use(team: Team, megabytes: number): Promise<void> {
  const shared = await team.share({ array: sharedFloat64((megabytes * MEGABYTE) / 8).fill(1) });
  team.release(shared);
}

describe('Team.collect', () => {
  it.each([1, 2])('gives_back_the_memory_that_every_thread_has_let_go: %i workers', async (workers) => {
    const team = await Team.open({ workers });
    const before = resident();
    await use(team, 256);
    expect(resident() - before).toBeGreaterThan(200);
    // Workers take their messages in their own time.
    for (let attempt = 0; attempt < 100 && resident() - before > 100; attempt++) {
      team.collect(256 * MEGABYTE);
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
    expect(resident() - before).toBeLessThan(100);
    await team.close();
  });

  it('takes_no_time_for_little_and_nothing_on_a_closed_team', async () => {
    const team = await Team.open({ workers: 2 });
    expect([isWorthCollecting(MEGABYTE), isWorthCollecting(256 * MEGABYTE)]).toEqual([false, true]);
    const start = performance.now();
    for (let k = 0; k < 1000; k++) team.collect(MEGABYTE);
    expect(performance.now() - start).toBeLessThan(200);
    await team.close();
    team.collect(256 * MEGABYTE);
  });
});
