/** Cuts of a tree by values that an index has at each level. */
import { halvedRanges, subtreeLevel } from '#hmatrix/tree/split.js';
import { samplePlace, sampleOf } from '#hmatrix/tree/top-cut-tasks.js';
import { cutState, TopCuts } from '#hmatrix/tree/top-cuts.js';

/** Indices of the tests' trees. */
export const SIZE = 20_011;
const count = sampleOf(SIZE);
const sampled = new Set(Array.from({ length: count }, (_, s) => samplePlace(0, SIZE, count, s)));

/** Values by which an index is cut on a level, by name. */
export const VALUES = {
  equal: () => 1,
  ascending: (i) => i,
  descending: (i) => -i,
  few: (i, level) => (i * (level + 3)) % 5,
  mixed: (i, level) => Math.sin(i * (level + 1)),
  /** Extremes stand beside the middle. */
  wide: (i, level) => Math.sign(Math.sin(i + level)) * 10 ** ((i * 37) % 600) * 1e-300,
  /** Where the first sample is drawn all values are larger than elsewhere: the median is not in its bracket. */
  hidden: (i) => (sampled.has(i) ? 1e6 : 0) + ((i * 7919) % 1000),
  zeros: (i) => (i % 2 === 0 ? 0 : -0),
};

/** All levels above that of the subtrees, on this rank. */
export async function cutAll(team, { size, values, carries, depth = 9 }) {
  const ranges = halvedRanges(size, depth);
  const top = subtreeLevel(ranges);
  const state = cutState(ranges, top, { carries });
  const shared = await team.share(state);
  const cuts = new TopCuts(team, 'cuts', shared);
  const { begin, end } = cuts.positions[team.communicator.rank];
  for (let p = begin; p < end; p++) {
    state.orders[0][p] = p;
    if (carries) state.carried[0][p] = 3 * p;
  }
  for (let level = 0; level < top; level++) {
    for (let p = begin; p < end; p++) state.values[p] = VALUES[values](cuts.order[p], level);
    await cuts.cut(level);
  }
  team.release(shared);
  const of = (array) => Array.from(array.subarray(begin, end));
  return { order: of(cuts.order), carried: carries ? of(cuts.carried) : [], top };
}
