/** Training and curvature on one to four ranks: the same bits. */
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../io/temporary-folder.js';
import { LAUNCHERS, runAlone, runRanks, type Ended } from './launchers.js';

interface Told {
  readonly ranks: number;
  /** Checksums by name. */
  readonly found: Readonly<Record<string, string>>;
  readonly ends: { readonly aborted: string; readonly parted: string; readonly timed: string };
}

const folder = temporaryFolder();
const program = (name: string): string[] => ['training-ranks.mjs', `${folder}/${name}`];

function toldBy({ status, stdout, stderr }: Ended): Told {
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Told;
}

// One library is enough: what is exchanged is the same, and the operations have a test of their own.
const launcher = LAUNCHERS.find(({ missing }) => missing === undefined);
const ENDS = { aborted: 'AbortedError', parted: 'CommunicationError', timed: 'seconds' };

describe('ranks that train together', { timeout: 120_000 }, () => {
  const alone = runAlone(program('alone'));

  it('one_process_goes_on_from_its_checkpoint', async () => {
    const { ranks, found, ends } = toldBy(await alone);
    expect(ranks).toBe(1);
    expect(ends).toEqual(ENDS);
    // Forward passes that are made again have the same bits.
    const limited = Object.keys(found).filter((name) => name.includes('memoryLimit'));
    expect(limited).toHaveLength(2);
    for (const name of limited) expect(found[name]).toBe(found[name.replace(',"memoryLimit":1000000', '')]);
    expect(found['a run that was gone on with']).toBe(found['the same without a break']);
  });

  if (launcher === undefined) it.skip(`more of them: ${LAUNCHERS.map(({ missing }) => missing).join('; ')}`);
  else
    it.each([3, 4])('%i_ranks_have_the_bits_of_one', async (count) => {
      const { ranks, found, ends } = toldBy(await runRanks(launcher, count, program(`${count}`)));
      expect(ranks).toBe(count);
      expect(found).toEqual(toldBy(await alone).found);
      expect(ends).toEqual(ENDS);
    });
});
