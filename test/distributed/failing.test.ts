/** What goes wrong on one of several ranks that compress together is thrown on all, and none waits for ever. */
import { beforeAll, describe, expect, it } from 'vitest';
import { runInTurn } from './in-turn.js';

interface Thrown {
  readonly name: string;
  readonly message: string;
}

/** By case, then by rank: the same ranks go on after each failure. */
const thrownBy = (ranks: number, cases: readonly object[]): Promise<(Thrown | undefined)[][]> =>
  runInTurn(ranks, { module: new URL('failing-ranks.mjs', import.meta.url), name: 'failing' }, cases);

const ABORTS = [
  [undefined, 2],
  ['neighbors', 2],
  ['neighbors', 6],
  ['tree', 2],
  ['forecast ranks', 2],
  ['skeletonize', 2],
  ['evaluate blocks', 2],
  ['compare columns', 2],
] as const;
const DIFFERENCES = [
  ['points', 'coordinates'],
  ['diagonal', 'diagonal'],
  ['options', 'options'],
] as const;

describe('a compression on several ranks', () => {
  let aborted: (Thrown | undefined)[][];
  let failed: (Thrown | undefined)[];
  let refused: (Thrown | undefined)[][];
  beforeAll(async () => {
    const aborts = ABORTS.map(([phase, dimension]) => ({ wrong: 'abort', phase, dimension }));
    [failed, ...aborted] = await thrownBy(3, [{ wrong: 'source' }, ...aborts]);
    refused = await thrownBy(
      2,
      DIFFERENCES.map(([wrong]) => ({ wrong })),
    );
  });

  it.each(ABORTS)('is_aborted_on_all_when_one_is_(%s)_in_%i_dimensions', (phase, dimension) => {
    const at = ABORTS.findIndex((one) => one[0] === phase && one[1] === dimension);
    expect(aborted[at].map((one) => one?.name)).toEqual(['AbortedError', 'AbortedError', 'AbortedError']);
  });

  it('fails_on_all_when_the_source_of_one_does', () => {
    expect(failed.map((one) => one?.name)).toEqual(['CommunicationError', expect.anything(), 'CommunicationError']);
    for (const one of failed) expect(one?.message).toContain('a source that fails');
  });

  it.each([2, 3])('fails_on_all_of_%i_wherever_entries_of_one_fail', async (ranks) => {
    const cases = [1, 12, 25, 60, 200, 1000].map((after) => ({ after }));
    for (const thrown of await thrownBy(ranks, cases)) {
      expect(new Set(thrown.map((one) => one?.name.replace(/^RangeError$/, 'CommunicationError'))).size).toBe(1);
      for (const one of thrown) expect(one?.message).toContain('a source that fails');
    }
  });

  it.each(DIFFERENCES)('refuses_on_all_where_ranks_have_different_%s', (wrong, named) => {
    for (const one of refused[DIFFERENCES.findIndex(([of]) => of === wrong)]) {
      expect(one?.name).toBe('CommunicationError');
      expect(one?.message).toContain(`different ${named}`);
    }
  });
});
