/** What goes wrong on one of several ranks that compress together is thrown on all, and none waits for ever. */
import { describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';

interface Thrown {
  readonly name: string;
  readonly message: string;
}

const thrownBy = (ranks: number, data: object): Promise<(Thrown | undefined)[]> =>
  runOnThreads<object, Thrown | undefined>(ranks, {
    module: new URL('failing-ranks.mjs', import.meta.url),
    name: 'failing',
    data,
  });

describe('a compression on several ranks', () => {
  it.each([
    [undefined, 2],
    ['neighbors', 2],
    ['neighbors', 6],
    ['tree', 2],
    ['forecast ranks', 2],
    ['skeletonize', 2],
    ['evaluate blocks', 2],
    ['compare columns', 2],
  ] as const)('is_aborted_on_all_when_one_is_(%s)_in_%i_dimensions', async (phase, dimension) => {
    for (const thrown of await thrownBy(3, { wrong: 'abort', phase, dimension }))
      expect(thrown?.name).toBe('AbortedError');
  });

  it('fails_on_all_when_the_source_of_one_does', async () => {
    const thrown = await thrownBy(3, { wrong: 'source' });
    expect(thrown.map((one) => one?.name)).toEqual(['CommunicationError', expect.anything(), 'CommunicationError']);
    for (const one of thrown) expect(one?.message).toContain('a source that fails');
  });

  it('fails_on_all_wherever_entries_of_one_fail', async () => {
    for (const ranks of [2, 3])
      for (const after of [1, 12, 25, 60, 200, 1000]) {
        const thrown = await thrownBy(ranks, { after });
        expect(new Set(thrown.map((one) => one?.name.replace(/^RangeError$/, 'CommunicationError'))).size).toBe(1);
        for (const one of thrown) expect(one?.message).toContain('a source that fails');
      }
  });

  it.each([
    ['points', 'coordinates'],
    ['diagonal', 'diagonal'],
    ['options', 'options'],
  ] as const)('refuses_on_all_where_ranks_have_different_%s', async (wrong, named) => {
    for (const one of await thrownBy(2, { wrong })) {
      expect(one?.name).toBe('CommunicationError');
      expect(one?.message).toContain(`different ${named}`);
    }
  });
});
