/**
 * Bytes of a plan, of the rank that has most: what every rank has whole, and what ranks share.
 */
import { vectorsAtATime } from '../../hierarchical/matrix/vector-chunks.js';
import { plannedClusters } from './clusters.js';
import { bytesOfPoint, heldPoints, mostHeld } from './held-points.js';
import type { PlannedTree, TreeLevel } from './levels.js';
import type { PlanSetup } from './options.js';
import { plannedSearch } from './searches.js';
import { rowsAround } from './traffic.js';

/** One part of the memory. */
export interface PlannedBytes {
  readonly part: string;
  readonly bytes: number;
  /** Whether every rank has all of it, however many there are. */
  readonly replicated: boolean;
}

/** The parts, when each stage holds them; a stage's sum is what a rank needs while it runs. */
export interface PlannedMemory {
  readonly compress: readonly PlannedBytes[];
  readonly product: readonly PlannedBytes[];
  readonly factor: readonly PlannedBytes[];
  readonly solve: readonly PlannedBytes[];
}

/** Bytes of these. */
export const sumOfBytes = (parts: readonly PlannedBytes[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * While skeletons are found, for each index: of several ranks which are known; of each that is known, its leaf and
 * where its list stands; of a rank's own indices their order in the tree, and as it is laid out, whom one asks for
 * leaves, and who votes for whom; and of those that samples read the order.
 */
const TREE_BYTES = 4;
const LAID_BYTES = 4;
const TOLD_BYTES = 4;
const BIT_BYTES = 1 / 4;
const KNOWN_BYTES = 8;
const VOTER_BYTES = 28;
/** Orders and places of the compressed matrix, and of the tree that it was compressed by, for each index. */
const ORDER_BYTES = 12;

/** Vectors that a product, or a solve, takes at a time on a rank with the plan's memory, half of it free. */
export function vectorsInTurn({ size, width, memory, vectors }: PlanSetup): number {
  // Vectors in tree order, in and out, and copies over shared memory.
  const bytes = size * (2 * width + 16);
  return Math.min(vectorsAtATime(bytes, memory, memory / 2), 2 ** Math.ceil(Math.log2(vectors)));
}

/**
 * Memory of each stage. Every rank has whole: orders and places of whole vectors (12N), and vectors (16Np in and out,
 * twice N·w for each of those that are multiplied at a time); the points (8dN bytes), unless each rank has a part of
 * them and while it compresses those of the phase that works on most. Ranks share neighbors (4κN, above 4 dimensions
 * 12κN), orders, leaves and votes (48N, 8 for each neighbor that another rank has, and 4 for each row of a cluster
 * around own ones), interpolations, e·k numbers of each node and while they are found as many of 8 bytes; couplings, k²
 * of each pair; diagonal blocks, n(n + 1)/2; factors, e·c; Schur complements, k² for each leaf.
 */
export function plannedMemory(setup: PlanSetup, tree: PlannedTree): PlannedMemory {
  const { size, ranks, parts, depth, width, neighbors, vectors } = setup;
  const { levels, shareLevel, most } = tree;
  const share = most / 2 ** shareLevel;
  const sum = (of: (level: TreeLevel) => number): number =>
    levels.reduce((total, one) => total + one.nodes * of(one), 0);
  const interpolations = sum(({ level, eliminated, rank }) => (level === 0 ? 0 : eliminated * rank));
  // A pair's block belongs to its parent; pairs are known to all who hold the parent.
  const couplings = levels.reduce(
    (total, { level, rank }) => total + (level === 0 ? 0 : levels[level - 1].nodes * rank * rank),
    0,
  );
  const pairsBelow = depth === 0 ? size * size : 0;
  const diagonal =
    depth === 0 ? pairsBelow : levels[depth].nodes * ((levels[depth].size * (levels[depth].size + 1)) / 2);
  const factors = sum(({ eliminated, candidates }) => eliminated * candidates);
  const slots = slotNumbers(levels, shareLevel);
  const chunk = vectorsInTurn(setup);
  const whole = (part: string, bytes: number): PlannedBytes => ({ part, bytes, replicated: true });
  const own = (part: string, bytes: number): PlannedBytes => ({ part, bytes, replicated: false });
  const ofPoint = bytesOfPoint(setup);
  const points = parts ? own('own points', (ofPoint * size) / ranks) : whole('points', ofPoint * size);
  const held = parts
    ? [
        own('points that are worked on', ofPoint * mostHeld(heldPoints(setup, tree))),
        // And those that are brought.
        whole('which points these are', 2 * BIT_BYTES * size),
      ]
    : [];
  const orders = whole('orders', ORDER_BYTES * size);
  const blocks = own('blocks', width * (interpolations + couplings + diagonal));
  const factored = own('factors', width * factors);
  const inTurn = [
    whole('vectors, in and out', 16 * size * vectors),
    whole(`workspace of ${chunk} vector${chunk === 1 ? '' : 's'}`, 2 * width * size * chunk),
  ];
  // Pools of a level take the place of those before.
  const brought = Math.max(0, ...plannedClusters(setup, { shareLevel }).map(({ rows }) => rows));
  const bytesOfNeighbor = plannedSearch(setup).boxed ? 4 : 12;
  return {
    compress: [
      points,
      ...held,
      ...(share < 1 ? [whole('known indices', BIT_BYTES * size)] : []),
      own('order of the tree', TREE_BYTES * (size * share + brought) + (share < 1 ? TOLD_BYTES * size * share : 0)),
      own(
        'neighbors and votes',
        (bytesOfNeighbor * neighbors + LAID_BYTES + VOTER_BYTES) * size * share +
          KNOWN_BYTES * (size * share + rowsAround(setup, size * share)),
      ),
      own('skeletons found', 8 * interpolations + sum(({ rank }) => 16 * rank)),
      blocks,
    ],
    product: [points, orders, blocks, ...inTurn],
    factor: [points, orders, blocks, factored, own('Schur complements', width * slots)],
    solve: [points, orders, blocks, factored, ...inTurn],
  };
}

/** The slot of a leaf takes the largest k² of the nodes that it is the leftmost leaf of. */
function slotNumbers(levels: readonly TreeLevel[], shareLevel: number): number {
  let most = 0;
  let numbers = 0;
  for (const { level, nodes, rank } of [...levels].reverse()) {
    most = Math.max(most, rank * rank);
    // Right children: their leftmost leaf is no other node's above them.
    if (level > shareLevel) numbers += (nodes / 2) * most;
    else if (level === shareLevel) numbers += nodes * most;
  }
  return numbers;
}
