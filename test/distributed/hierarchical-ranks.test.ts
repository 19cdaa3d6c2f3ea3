/** Hierarchical matrices of several ranks: every number is that of one rank, to the last bit. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAUNCHERS, runAlone, runRanks } from './launchers.js';

interface Found {
  readonly ranks: number;
  readonly found: readonly { readonly size: number; readonly digests: readonly unknown[] }[];
  readonly messages: readonly string[];
}

const PROGRAM = 'hierarchical-ranks.mjs';
/**
 * Ranks, and workers of each: powers of two and others, more ranks than some matrices have leaves. Waiting ranks of
 * MPICH keep their cores from those that they wait for: it has no more of them than there are cores.
 */
const RUNS = {
  openmpi: [[3, 2]],
  mpich: [[2, 1]],
} as const;

describe('matrices of several ranks', () => {
  let one: Found;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ranks-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeAll(async () => {
    const { status, stdout, stderr } = await runAlone([PROGRAM]);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    one = JSON.parse(stdout) as Found;
  }, 120_000);

  it('one_rank_refuses_nothing', () => {
    expect(one.ranks).toBe(1);
    expect(one.messages[0]).toMatch(/^NotPositiveDefiniteError: .*The smallest shift that works is /);
    expect(one.messages[1]).toMatch(/^OptionError: A matrix of format 'fmm' with 1 near blocks off the diagonal /);
  });

  for (const launcher of LAUNCHERS)
    for (const [ranks, workers] of RUNS[launcher.family]) {
      const name = `${ranks}_of_${workers}_workers_give_the_bits_of_one (${launcher.family})`;
      if (launcher.missing !== undefined) it.skip(`${name}: ${launcher.missing}`, () => undefined);
      else
        it(
          name,
          async () => {
            const { status, stdout, stderr } = await runRanks(
              launcher,
              ranks,
              [PROGRAM, String(workers), join(folder, `${launcher.family}-${ranks}.hm`)],
              {
                limit: 240,
              },
            );
            expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
            const several = JSON.parse(stdout) as Found;
            expect(several.ranks).toBe(ranks);
            several.found.forEach((matrix, k) => expect(matrix).toEqual(one.found[k]));
            expect(several.messages).toEqual(one.messages);
          },
          300_000,
        );
    }
});
