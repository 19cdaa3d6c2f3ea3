/** HODLR matrices of several ranks, threads of one process: every number is that of one rank, to the last bit. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { look } from './hodlr-ranks.mjs';

const module = new URL('hodlr-ranks.mjs', import.meta.url);
const folder = temporaryFolder();

/** With 8 blocks of rows, of which ranks share those of level 2 or 3; with 2, of which three ranks get none or one. */
const CASES = [
  { name: 'in_double_precision', size: 4100, options: { leafSize: 40, tolerance: 1e-4 }, ranks: [3, 4] },
  { name: 'in_single_precision', size: 1100, options: { leafSize: 20, tolerance: 1e-3, dtype: 'f32' }, ranks: [3] },
] as const;

describe.each(CASES)('HODLR matrices of several ranks $name', ({ name, size, options, ranks }) => {
  const data = { size, options, shift: 0.1 };
  const file = (count: number): string => join(folder, `${name}-${count}.hm`);
  let one: Record<string, unknown>;
  beforeAll(async () => {
    one = await look({ data: { ...data, file: file(1) } });
  }, 60_000);

  it('have_own_rows_that_are_those_of_the_whole_where_one_is_alone', () => {
    expect(Object.keys(one).filter((key) => one[key] === false)).toEqual([]);
    expect(one['refusal']).toMatch(/^NotPositiveDefiniteError: /);
  });

  it.each(ranks)('have_the_bits_of_one_on_%i', async (count) => {
    const workers = count === 3 ? 2 : 1;
    const found = await runOnThreads<object, Record<string, unknown>>(count, {
      module,
      name: 'look',
      data: { ...data, file: file(count), workers },
    });
    for (const each of found) expect(each).toEqual(one);
  });
});

it('messages_of_HODLR_grow_as_the_square_of_the_levels_that_ranks_share', async () => {
  for (const levels of [1, 2]) {
    const found = await runOnThreads<object, object>(2 ** levels, { module, name: 'messages', data: { size: 2100 } });
    const solve = levels ** 2 + levels;
    for (const each of found)
      expect(each).toMatchObject({ product: levels, factorization: levels ** 2, solve, F: solve / 2 });
  }
});
