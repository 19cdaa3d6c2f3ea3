/**
 * What is known of a matrix before it is skeletonized: neighbors, tree, ‖K‖_F, and what options are chosen by that.
 */
import { ShapeError } from '../../core/errors.js';
import { requireMemory } from '../../core/memory.js';
import { MOST_COLUMNS } from '../../device/work/interpolations.js';
import { availableMemory } from '../../io/machine.js';
import type { Team } from '../../parallel/team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { depthFor, treeOf, type BuiltTree } from '../../tree/build.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { dealOrder, moveOrder, type DealtOrder } from '../../tree/dealt-order.js';
import { isPlaced } from '../../tree/distances/choose-distance.js';
import { bytesOfNeighbor, findNeighborRows, type NeighborRows } from '../../tree/neighbors.js';
import { ownLists } from '../../tree/own-lists.js';
import { upperLevels } from '../../tree/upper-levels.js';
import { checkTree } from '../matrix/check-data.js';
import type { ChosenOptions } from '../matrix/chosen-options.js';
import type { HierarchicalFormat } from '../matrix/format.js';
import { COMPRESSION_NEED } from '../matrix/memory.js';
import type { EntriesReport } from '../matrix/report.js';
import { estimateNorm } from '../measure/norm-estimate.js';
import { chooseOptions, LEAF_SIZES } from './choose-options.js';
import { rangesOnTeam } from '../ranks/whole.js';
import { leastBytes } from './memory-estimate.js';
import type { AskedOptions, ResolvedOptions } from './options.js';
import { pilotRanks } from './rank-pilot.js';
import type { ScaledEntries } from './scaled-entries.js';

/** What is known of a matrix before it is skeletonized. */
export interface Prepared {
  readonly neighbors: NeighborRows;
  /** Bytes that the search took for each of them. */
  readonly perNeighbor: number;
  readonly tree: ClusterTree;
  /** Where each of several ranks has its part of the tree's order; undefined where it has all. */
  readonly dealt?: DealtOrder | undefined;
  /** ‖factor·K‖_F². */
  readonly normSquared: number;
  readonly seconds: Pick<EntriesReport['seconds'], 'neighbors' | 'tree'>;
}

/** Neighbors and tree, and ‖K‖_F. Throws MemoryError before anything else where no ranks would fit. */
export async function prepare(
  { source, diagonal, sums, card }: ScaledEntries,
  options: AskedOptions,
  control: TeamControl,
): Promise<Prepared> {
  const { distance, seed } = options;
  const perNeighbor = bytesOfNeighbor(source, distance, options.neighbors);
  const leafSize = options.leafSize ?? LEAF_SIZES[0];
  const inner = sums.nonzero || source.size;
  const { size: ranks } = control.team.communicator;
  const least = leastBytes(source.size, inner, { ...options, leafSize }, perNeighbor, ranks);
  requireMemory(least, options.memoryLimit ?? availableMemory(), COMPRESSION_NEED);
  const searched = performance.now();
  const { neighbors: count, tree: given } = options;
  // What is prepared was checked (scaled-entries.ts).
  const found = await findNeighborRows(source, distance, { neighbors: count, seed, isFinite: true, card }, control);
  // Distances, and of several ranks what lists moved by.
  const moving = ranks > 1 && perNeighbor > 4 ? 16 : 0;
  control.team.collect(((perNeighbor + moving) / 4) * found.indices.byteLength);
  const grown = performance.now();
  if (given !== undefined) requireTree(given, source.size);
  const nonzero = sums.nonzero;
  const { tree, ranges: built }: BuiltTree =
    given === undefined
      ? await treeOf(source, distance, { leafSize, seed, diagonal, nonzero }, control)
      : { tree: given };
  const ranges = rangesOnTeam(tree, options.format, control.team);
  const dealt = built === undefined ? undefined : dealOrder(tree, built, ranges, control.team.communicator);
  const neighbors = await ownLists(found, tree, { ranges, keeps: false, dealt }, control);
  const listed = performance.now();
  const normSquared = await estimateNorm(source, diagonal, seed, control, sums);
  const seconds = { neighbors: (grown - searched) / 1000, tree: (listed - grown) / 1000 };
  return { neighbors, perNeighbor, tree, dealt, normSquared, seconds };
}

/** Leaf size and rank limit by a pilot (rank-pilot.ts), of which nobody need have asked for any. */
export async function chooseByPilot(
  { source, card }: ScaledEntries,
  asked: AskedOptions,
  { tree, dealt, neighbors, normSquared }: Prepared,
  control: TeamControl,
): Promise<ChosenOptions> {
  const { tolerance, seed } = asked;
  const pilot = await pilotRanks(source, { tree, dealt, neighbors, normSquared, tolerance, seed }, control);
  const mostCandidates = card === undefined ? undefined : MOST_COLUMNS;
  return chooseOptions({ size: tree.end[0] - tree.begin[0], depth: tree.depth, mostCandidates }, pilot, asked);
}

/**
 * The part of a tree's order that this rank has of a matrix of that format, on the tree cut to level `depth`; undefined
 * where it has all. The order is perhaps another matrix's, too: what stands at a position stays the same. Collective.
 */
function redealt(
  { tree, dealt }: Prepared,
  depth: number,
  format: HierarchicalFormat,
  team: Team,
): DealtOrder | undefined {
  if (dealt === undefined) return undefined;
  const ranges = rangesOnTeam({ ...tree, depth }, format, team);
  moveOrder(tree.order, dealt.ranges, ranges, team.communicator);
  return { ...dealt, ranges };
}

/** What was prepared, with the order and the lists that this rank has of a matrix of that format. Collective. */
export async function dealtFor(
  prepared: Prepared,
  format: HierarchicalFormat,
  control: TeamControl,
): Promise<Prepared> {
  const { tree } = prepared;
  const dealt = redealt(prepared, tree.depth, format, control.team);
  if (dealt === undefined) return prepared;
  const { ranges } = dealt;
  const neighbors = await ownLists(prepared.neighbors, tree, { ranges, keeps: true, dealt }, control);
  return { ...prepared, neighbors, dealt };
}

/** What was prepared, on the tree of a leaf size that is at least as large. */
export async function withLeaves(
  prepared: Prepared,
  { source }: ScaledEntries,
  { tree: given, leafSize, distance, format }: ResolvedOptions,
  control: TeamControl,
): Promise<Prepared> {
  const { tree } = prepared;
  const depth = depthFor(tree.end[0] - tree.begin[0], leafSize);
  if (given !== undefined || depth === tree.depth) return prepared;
  const dealt = redealt(prepared, depth, format, control.team);
  const own = dealt?.ranges[control.team.communicator.rank];
  const cut = await upperLevels(tree, { depth, placed: isPlaced(distance, source), own }, control);
  return { ...prepared, tree: cut, dealt };
}

/** Throws ShapeError unless the caller's tree is a cluster tree over the source's indices. */
function requireTree(tree: ClusterTree, size: number): void {
  checkTree(tree, (what) => {
    throw new ShapeError(`The tree given is no cluster tree: ${what}.`, { size });
  });
  if (tree.size !== size)
    throw new ShapeError(`The tree has ${tree.size} indices, the source ${size}.`, { tree: tree.size, size });
}
