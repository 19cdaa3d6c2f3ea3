/**
 * The partition of a matrix in a record: whether its lists fit together.
 */
import type { BlockStructure } from '../../hierarchical/matrix/block-structure.js';
import * as is from './shape.js';
import type { Refuse, Shape } from './shape.js';

const LISTS = is.members({
  size: is.whole(1),
  numberBytes: is.whole(1),
  leafBegin: is.list(is.whole(0), 1),
  ranks: is.list(is.whole(0)),
  near: is.list(is.whole(0)),
  far: is.list(is.whole(0)),
  zeros: is.list(is.whole(0)),
  errors: is.optional(is.list(is.measured)),
});

/** Pairs (α, β), α < β < `end`. */
function requirePairs(flat: readonly number[], end: number, at: string, refuse: Refuse): void {
  if (flat.length % 2 === 1) refuse(`${at} has ${flat.length} items, which make no pairs`);
  for (let k = 0; k < flat.length; k += 2)
    if (flat[k] >= flat[k + 1] || flat[k + 1] >= end)
      refuse(
        `${at}[${k}] and ${at}[${k + 1}] are ${flat[k]} and ${flat[k + 1]}, no pair of rising numbers below ${end}`,
      );
}

/** Checks the members of a BlockStructure one by one, and that they are of one tree. O(blocks). */
export const blockShape: Shape = (value, at, refuse) => {
  LISTS(value, at, refuse);
  const { size, leafBegin, ranks, near, far, zeros, errors } = value as BlockStructure;
  const leaves = leafBegin.length - 1;
  if (leaves < 1 || !Number.isInteger(Math.log2(leaves)))
    refuse(`${at}.leafBegin has ${leafBegin.length} items, not one more than a power of two`);
  if (leafBegin[leaves] !== size) refuse(`${at}.leafBegin ends with ${leafBegin[leaves]}, size is ${size}`);
  for (let k = 0; k < leaves; k++)
    if (leafBegin[k] > leafBegin[k + 1]) refuse(`${at}.leafBegin[${k + 1}] is below the item before it`);
  const nodes = 2 * leaves - 1;
  if (ranks.length !== nodes)
    refuse(`${at}.ranks has ${ranks.length} items; a tree of ${leaves} leaves has ${nodes} nodes`);
  requirePairs(near, leaves, `${at}.near`, refuse);
  requirePairs(far, nodes, `${at}.far`, refuse);
  const pairs = far.length / 2;
  const beyond = zeros.findIndex((f) => f >= pairs);
  if (beyond >= 0) refuse(`${at}.zeros[${beyond}] is ${zeros[beyond]}; there are ${pairs} far pairs`);
  if (errors !== undefined && errors.length !== pairs)
    refuse(`${at}.errors has ${errors.length} items; there are ${pairs} far pairs`);
};
