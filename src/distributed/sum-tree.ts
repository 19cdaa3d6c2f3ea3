/**
 * The binary tree in which parts 0 … S − 1 are added, whoever has them: node [a, b) of more than one part is the sum of
 * [a, m) and [m, b), m = a + ⌈(b − a)/2⌉. It depends on S alone, so does the order of additions, and so do the bits.
 * Where the ranks are a power of two that divides S, each rank's equal share is one node.
 */

/** Parts first … end − 1. */
export interface Range {
  readonly first: number;
  readonly end: number;
}

/** Where the right half of a node of more than one part begins. */
export const middleOf = ({ first, end }: Range): number => first + Math.ceil((end - first) / 2);

/**
 * How many nodes within `range` are complete once part `part` is there, the last one before `part + 1` of its node: so
 * many times the latest two sums are added.
 */
export function completedBy(part: number, slices: number, range: Range): number {
  let [first, end] = [0, slices];
  let count = 0;
  while (end - first > 1) {
    if (end === part + 1 && first >= range.first) count++;
    const middle = middleOf({ first, end });
    if (part < middle) end = middle;
    else first = middle;
  }
  return count;
}

/** The largest nodes that lie within `range`, in their order: what the sum of its parts consists of. */
export function largestNodes(slices: number, range: Range): Range[] {
  const found: Range[] = [];
  const visit = (node: Range): void => {
    if (node.end <= range.first || node.first >= range.end) return;
    if (node.first >= range.first && node.end <= range.end) {
      found.push(node);
      return;
    }
    const middle = middleOf(node);
    visit({ first: node.first, end: middle });
    visit({ first: middle, end: node.end });
  };
  if (slices > 0) visit({ first: 0, end: slices });
  return found;
}

/**
 * Parts of each rank, differing by one at most for ranks of a power of two and by two else, chosen so that a rank's
 * parts are few nodes: one where the ranks are a power of two. Ranks beyond the parts have none.
 */
export function sliceCounts(slices: number, ranks: number): number[] {
  const counts: number[] = [];
  const share = ({ first, end }: Range, among: number): void => {
    if (among % 2 === 0 && end - first > 1) {
      const middle = middleOf({ first, end });
      share({ first, end: middle }, among / 2);
      share({ first: middle, end }, among / 2);
      return;
    }
    const length = end - first;
    for (let r = 0; r < among; r++)
      counts.push(Math.floor(((r + 1) * length) / among) - Math.floor((r * length) / among));
  };
  share({ first: 0, end: slices }, ranks);
  return counts;
}
