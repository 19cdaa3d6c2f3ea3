/** Places that launches touch: what is written twice or read as well is found, however the runs lie. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { demandOf, firstCommon, type Runs } from '#hmatrix/device/work/demand.js';

type Run = readonly [begin: number, end: number];
const runsOf =
  (runs: readonly Run[]): Runs =>
  (visit) => {
    for (const [begin, end] of runs) visit(begin, end);
  };
/** How many runs have each place. */
function counted(runs: readonly Run[]): Map<number, number> {
  const places = new Map<number, number>();
  for (const [begin, end] of runs) for (let i = begin; i < end; i++) places.set(i, (places.get(i) ?? 0) + 1);
  return places;
}

describe.each([
  ['many short runs', 40, 200, 5],
  ['few long runs far apart', 5, 40_000, 400],
  ['a run or two', 2, 60, 40],
] as const)('%s', (_, most, span, longest) => {
  const random = new RandomStream(most);
  const whole = (below: number): number => Math.floor(random.uniform() * below);
  const some = (): Run[] =>
    Array.from({ length: 1 + whole(most) }, () => {
      const begin = whole(span);
      return [begin, begin + 1 + whole(longest)] as const;
    });

  it('the_first_place_that_is_written_twice_is_told', () => {
    let [refused, taken] = [0, 0];
    for (let trial = 0; trial < 200; trial++) {
      const runs = some();
      const twice = [...counted(runs)].flatMap(([place, count]) => (count > 1 ? [place] : []));
      const demand = (): unknown => demandOf('c', 'numbers', { writes: runsOf(runs) });
      if (twice.length === 0) {
        taken++;
        expect(demand()).toMatchObject({ reach: Math.max(...runs.map(([, end]) => end)) });
      } else {
        refused++;
        expect(demand).toThrow(`writes twice to place ${Math.min(...twice)} of c`);
      }
    }
    expect(Math.min(refused, taken)).toBeGreaterThan(3);
  });

  it('a_place_that_is_written_and_read_is_one_of_both', () => {
    let [common, apart] = [0, 0];
    for (let trial = 0; trial < 200; trial++) {
      // In order, so that no place is written twice.
      let end = 0;
      const writes = some().map(([begin, last]): Run => {
        const first = end + (begin % 20);
        end = first + (last - begin);
        return [first, end];
      });
      const reads = some();
      const { writes: written } = demandOf('c', 'numbers', { writes: runsOf(writes.toReversed()) });
      const { reads: read } = demandOf('a', 'numbers', { reads: runsOf(reads) });
      const [there, here] = [counted(writes), counted(reads)];
      const place = firstCommon(written, [read]);
      if (place >= 0) {
        common++;
        expect([there.has(place), here.has(place)]).toEqual([true, true]);
      } else {
        apart++;
        expect([...here.keys()].some((one) => there.has(one))).toBe(false);
      }
    }
    expect(Math.min(common, apart)).toBeGreaterThan(3);
  });
});
