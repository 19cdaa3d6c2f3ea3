/** HODLR matrices of several ranks, threads of one process: every number is that of one rank, to the last bit. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { look } from './hodlr-ranks.mjs';
import { runInTurn } from './in-turn.js';

const module = new URL('hodlr-ranks.mjs', import.meta.url);
const folder = temporaryFolder();

/** With 8 blocks of rows, of which ranks share those of level 2 or 3; with 2, of which three ranks get none or one. */
const CASES = {
  'in double precision': { size: 4100, shift: 0.1, options: { leafSize: 40, tolerance: 1e-4 } },
  'in single precision': { size: 1100, shift: 0.1, options: { leafSize: 20, tolerance: 1e-3, dtype: 'f32' } },
} as const;
type Name = keyof typeof CASES;
/** Ranks, workers of each, and what they have. */
const RUNS: readonly (readonly [ranks: number, workers: number, names: readonly Name[]])[] = [
  [3, 2, ['in double precision', 'in single precision']],
  [4, 1, ['in double precision']],
];

describe('HODLR matrices', () => {
  const dataOf = (name: Name, ranks: number): object => ({
    ...CASES[name],
    file: join(folder, `${name}-${ranks}.hm`),
  });
  const alone = new Map<Name, Record<string, unknown>>();
  beforeAll(async () => {
    for (const name of Object.keys(CASES) as Name[]) alone.set(name, await look(selfCommunicator(), dataOf(name, 1)));
  });

  it.each(Object.keys(CASES) as Name[])('have_own_rows_that_are_those_of_the_whole_where_one_is_alone_%s', (name) => {
    const one = alone.get(name)!;
    expect(Object.keys(one).filter((key) => one[key] === false)).toEqual([]);
    expect(one['refusal']).toMatch(/^NotPositiveDefiniteError: /);
  });

  it.each(RUNS)('have_the_bits_of_one_on_%i_ranks_of_%i_workers: %j', async (ranks, workers, names) => {
    const cases = names.map((name) => ({ ...dataOf(name, ranks), workers }));
    const found = await runInTurn<object, object>(ranks, { module, name: 'look' }, cases);
    expect(found.map((each) => each.length)).toEqual(names.map(() => ranks));
    found.forEach((each, k) => {
      for (const one of each) expect(one).toEqual(alone.get(names[k]));
    });
  });
});

it('messages_of_HODLR_grow_as_the_square_of_the_levels_that_ranks_share', async () => {
  for (const levels of [1, 2]) {
    const [found] = await runInTurn<object, object>(2 ** levels, { module, name: 'messages' }, [{ size: 2100 }]);
    const solve = levels ** 2 + levels;
    expect(found).toHaveLength(2 ** levels);
    for (const each of found)
      expect(each).toMatchObject({ product: levels, factorization: levels ** 2, solve, F: solve / 2 });
  }
});
