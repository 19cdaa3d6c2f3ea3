/** Sums of parts over ranks by one tree, as tests make them. */
import { leavesOf, nodesWithin, sumNodes } from '#hmatrix/core/sum-tree.js';
import { NodeSums } from '#hmatrix/distributed/node-sums.js';

/** Number k of part `slice`: of many sizes, so that the order of additions shows in the bits. */
export const numberOf = (seed, slice, k) => Math.sin(seed + 31 * slice + k) * 10 ** (((slice * 7 + k) % 9) - 4);

/** The sum of a node's parts. */
function sumOfNode(node, { length, single, seed }) {
  const make = () => (single ? new Float32Array(length) : new Float64Array(length));
  const places = [];
  const leaves = leavesOf(node);
  sumNodes(leaves, {
    take: (leaf, place) => {
      places[place] = make().map((_, k) => numberOf(seed, leaves[leaf].first, k));
    },
    add: (to) => places[to].forEach((value, k) => (places[to][k] = value + places[to + 1][k])),
  });
  return places[0] ?? make();
}

/** The whole sum, by one. */
export const wholeSum = (slices, one) => sumOfNode({ first: 0, count: slices }, one);

/** The sum of counts[r] parts of each rank r, in turn; `exchange` numbers arrive at a time. */
export function sumOverRanks(world, { counts, exchange, ...one }) {
  let first = 0;
  const nodes = counts.map((count) => nodesWithin(first, (first += count)));
  const parts = nodes[world.rank].map((node) => sumOfNode(node, one));
  const room = Math.max(exchange, nodes.flat().length);
  const out = one.single ? new Float32Array(one.length) : new Float64Array(one.length);
  new NodeSums(world, one.single ? new Float32Array(room) : new Float64Array(room)).sum({ nodes, parts, out });
  return out;
}
