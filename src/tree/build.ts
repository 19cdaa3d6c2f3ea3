/**
 * Building the cluster tree: level by level near the root, subtree by subtree below. Layer 4.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { firstOfLevel } from '../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Shared } from '../parallel/team.js';
import type { EntrySource } from '../source/entry-source.js';
import { chooseDistance } from './choose-distance.js';
import type { ClusterTree } from './cluster-tree.js';
import type { DistanceName } from './distance.js';
import { chunksPerNode, CHUNK, halvedRanges, subtreeLevel } from './split.js';
import { cutNode, farthestFromCentroid, farthestFromFirst, projectChunk, splitSubtree, type LevelArgs, type SplitState } from './two-centroids.js';

export interface ClusterTreeOptions {
  /** Most indices a leaf may hold, at least 2. */
  readonly leafSize: number;
  readonly seed?: number;
}

/**
 * Orders the source's indices into a complete binary tree of depth ⌈log₂(N / leafSize)⌉ (0 where N ≤ leafSize): every node is cut at the
 * exact median by two far-apart members (two-centroids.ts), the left child taking ⌈n/2⌉ of its n indices, whatever the distances are.
 * `lexicographic` gives the identity, `random` a seeded shuffle. Cost O(N log N) distances; the same tree for any team.
 * Throws OptionError, NonFiniteError where a distance is not a number, AbortedError.
 */
export async function buildClusterTree(source: EntrySource, distance: DistanceName, options: ClusterTreeOptions, control: TeamControl): Promise<ClusterTree> {
  const { leafSize, seed = 0 } = options;
  if (!Number.isInteger(leafSize) || leafSize < 2) throw new OptionError(`leafSize must be a whole number of at least 2, not ${leafSize}.`, { leafSize });
  throwIfAborted(control.signal);
  const { size, state: data, modules, solo } = chooseDistance(distance, source, seed);
  const ranges = halvedRanges(size, depthFor(size, leafSize));
  const { depth, begin, end } = ranges;
  const order = sharedInt32(size);
  const tree: ClusterTree = { size, depth, order, begin, end };
  if (data.kind === 'line') {
    data.place.forEach((place, i) => { order[place] = i; });
    return tree;
  }
  for (let i = 0; i < size; i++) order[i] = i;
  const top = subtreeLevel(ranges);
  const chunks = Math.max(1, Math.ceil((2 * size) / CHUNK) + 1);
  const state: SplitState = {
    distance: data, ranges, order, values: sharedFloat64(size), poles: sharedInt32(2 * begin.length), farthest: sharedInt32(chunks), reach: sharedFloat64(chunks), seed,
  };
  const { team } = control;
  const shared = await team.share(state, { modules, solo });
  try {
    for (let level = 0; level < top; level++) await splitLevel(shared, level, control);
    await team.run('tree', splitSubtree, shared, independentTasks(2 ** top), { level: top }, control);
  } finally {
    team.release(shared);
  }
  return tree;
}

/** Levels below the root: the fewest whose leaves hold at most leafSize indices. */
function depthFor(size: number, leafSize: number): number {
  let depth = 0;
  while (size > leafSize * 2 ** depth) depth++;
  return depth;
}

/** Splits every node of a level, large as they are, in chunks. */
async function splitLevel(shared: Shared<SplitState>, level: number, control: TeamControl): Promise<void> {
  const { team } = control;
  const { signal } = control;
  const { state } = shared;
  const nodes = 2 ** level;
  const perNode = chunksPerNode(state.ranges, level);
  const args: LevelArgs = { level, perNode };
  const chunks = independentTasks(nodes * perNode);
  await team.run('tree', farthestFromCentroid, shared, chunks, args, { signal });
  mergeFarthest(state, args, 0);
  await team.run('tree', farthestFromFirst, shared, chunks, args, { signal });
  mergeFarthest(state, args, 1);
  await team.run('tree', projectChunk, shared, chunks, args, { signal });
  await team.run('tree', cutNode, shared, independentTasks(nodes), { level }, control);
}

/** The farthest of a node's chunks becomes its pole p (0) or q (1), ties to the smaller index. */
function mergeFarthest({ poles, farthest, reach }: SplitState, { level, perNode }: LevelArgs, pole: 0 | 1): void {
  for (let n = 0; n < 2 ** level; n++) {
    let best = n * perNode;
    for (let t = best + 1; t < (n + 1) * perNode; t++) {
      if (reach[t] > reach[best] || (reach[t] === reach[best] && farthest[t] < farthest[best])) best = t;
    }
    poles[2 * (firstOfLevel(level) + n) + pole] = farthest[best];
  }
}
