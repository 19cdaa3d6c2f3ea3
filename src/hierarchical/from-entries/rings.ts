/**
 * Rings around a node: rows outside by the level of the smallest cluster that they share with it, or with neighbors of
 * it (row-sampler.ts). A ring is made of clusters of one level; of large ones a pool is read (row-pools.ts).
 */
import { leftChild, levelOf, parentOf } from '../../core/indices.js';
import { type ClusterTree, firstLeaf, leafBelow } from '../../tree/cluster-tree.js';
import { poolBegin, positionOf, readableRows, type RowPools } from './row-pools.js';

/** Mark of nodes: neighbors stand below them. */
export const OTHER = 1;
/** Mark of nodes: the node, or leaves near to it, stand below them. */
export const EXCLUDED = 2;
/** Rows of a pool that are near to one, in the order of the tree. */
const NEAR_IN_POOL = 64;

/** Rings of one node at a time. The last one is that of neighbors, whose rows the sampler has. */
export class Rings {
  /** Of rings: their rows, those not yet taken, and those that count once. */
  readonly size: Int32Array;
  readonly free: Int32Array;
  readonly certain: Int32Array;
  /** Of rings: the places that rows are read at, as many as it has rows but for pools; and those not yet taken. */
  readonly places: Int32Array;
  readonly open: Int32Array;
  /** Whether all rows outside may be read. */
  isWhole = true;
  /** Clusters of all rings. */
  clusters = 0;
  /** What `read` has read: a row, its leaf, and for how many rows of its cluster it stands. */
  index = 0;
  leaf = 0;
  standsFor = 1;
  readonly #tree: ClusterTree;
  #pools: RowPools;
  readonly #mark: Uint8Array;
  /** Of each cluster its level, and how many places of its ring stand before. */
  readonly #node: Int32Array;
  readonly #before: Int32Array;
  readonly #level: Uint8Array;
  readonly #sortedNode: Int32Array;
  readonly #sortedBefore: Int32Array;
  readonly #firstCluster: Int32Array;
  /** The cluster that was read last. */
  #last = 0;

  /** `mark` says of each node what stands below it. */
  constructor(tree: ClusterTree, pools: RowPools, mark: Uint8Array) {
    const { depth } = tree;
    const leaves = 2 ** depth;
    this.#tree = tree;
    this.#pools = pools;
    this.#mark = mark;
    this.#node = new Int32Array(leaves);
    this.#before = new Int32Array(leaves);
    this.#level = new Uint8Array(leaves);
    this.#sortedNode = new Int32Array(leaves);
    this.#sortedBefore = new Int32Array(leaves);
    this.#firstCluster = new Int32Array(depth + 3);
    // One for each level, and one for the neighbors.
    this.size = new Int32Array(depth + 2);
    this.free = new Int32Array(depth + 2);
    this.certain = new Int32Array(depth + 2);
    this.places = new Int32Array(depth + 2);
    this.open = new Int32Array(depth + 2);
  }

  /** How many there are, that of neighbors among them. */
  get count(): number {
    return this.size.length;
  }

  /** The ring of neighbors. */
  get ofNeighbors(): number {
    return this.count - 1;
  }

  /** The node of the cluster numbered so, ring by ring. */
  nodeOf(r: number): number {
    return this.#sortedNode[r];
  }

  /** Finds the rings around node ν, of whose rows outside so many are neighbors, with these pools from now on. */
  find(ν: number, neighbors: number, pools: RowPools): void {
    this.#pools = pools;
    this.clusters = 0;
    this.isWhole = true;
    this.#firstCluster.fill(0);
    this.size.fill(0);
    this.places.fill(0);
    this.certain.fill(0);
    this.#descend(0, ν, 0);
    const { count } = this;
    for (let r = 0; r < this.clusters; r++) this.#firstCluster[this.#level[r] + 1]++;
    for (let ring = 0; ring < count; ring++) this.#firstCluster[ring + 1] += this.#firstCluster[ring];
    const next = this.#firstCluster.slice(0, count);
    for (let r = 0; r < this.clusters; r++) {
      const to = next[this.#level[r]]++;
      this.#sortedBefore[to] = this.#before[r];
      this.#sortedNode[to] = this.#node[r];
    }
    // Neighbors lie in the places of the last level, and are a ring of their own.
    this.size[count - 2] -= neighbors;
    this.size[count - 1] = neighbors;
    this.free.set(this.size);
    this.open.set(this.places);
    this.open[count - 2] -= neighbors;
    this.open[count - 1] = neighbors;
    this.places[count - 1] = neighbors;
  }

  /** Adds the rows of μ that lie outside ν to their rings; `ring` is the level of the smallest marked node above. */
  #descend(μ: number, ν: number, ring: number): void {
    if (μ === ν) return;
    const [tree, pools] = [this.#tree, this.#pools];
    const mark = this.#mark[μ];
    if (mark !== 0 && μ < firstLeaf(tree)) {
      const level = levelOf(μ);
      this.#descend(leftChild(μ), ν, level);
      this.#descend(leftChild(μ) + 1, ν, level);
      return;
    }
    if ((mark & EXCLUDED) !== 0) return;
    const own = mark === 0 ? ring : tree.depth;
    const r = this.clusters++;
    this.#node[r] = μ;
    this.#before[r] = this.places[own];
    this.#level[r] = own;
    const size = tree.end[μ] - tree.begin[μ];
    const rows = readableRows(tree, pools, μ);
    this.size[own] += size;
    this.places[own] += rows;
    if (rows < size) this.isWhole = false;
  }

  /** Reads the row at a place of a ring, other than that of neighbors. */
  read(ring: number, place: number): void {
    const before = this.#sortedBefore;
    let r = this.#last;
    const end = this.#firstCluster[ring + 1];
    if (r < this.#firstCluster[ring] || r >= end) r = this.#firstCluster[ring];
    while (before[r] > place) r--;
    while (r + 1 < end && before[r + 1] <= place) r++;
    this.#last = r;
    this.#readOf(this.#sortedNode[r], place - before[r]);
  }

  #readOf(μ: number, place: number): void {
    const [tree, pools] = [this.#tree, this.#pools];
    const rows = readableRows(tree, pools, μ);
    const position = positionOf(tree, pools, μ, place, rows);
    const begin = poolBegin(pools, μ);
    this.index = begin < 0 ? tree.order[position] : pools.numbers[begin + place];
    this.leaf = leafBelow(tree, μ, position);
    this.standsFor = (tree.end[μ] - tree.begin[μ]) / rows;
  }

  /** Notes that a row was taken which was read at a place of a ring. */
  takeRead(ring: number): void {
    this.free[ring]--;
    this.open[ring]--;
  }

  /** Notes that a row of a ring counts once. Whether it stands in a pool nobody knows. */
  takeCertain(ring: number): void {
    this.free[ring]--;
    this.certain[ring]++;
    if (!this.isPooled(ring)) this.open[ring]--;
  }

  /** Whether a ring has rows that cannot be read. Leaves, and neighbors among their rows, are read whole. */
  isPooled(ring: number): boolean {
    return ring < this.count - 2 && this.places[ring] < this.size[ring];
  }

  /** Whether half of the places of some pool were taken: what is left has to tell what the sample missed. */
  get isScarce(): boolean {
    for (let ring = 0; ring < this.count - 2; ring++)
      if (this.isPooled(ring) && this.open[ring] < this.places[ring] / 2) return true;
    return false;
  }

  /** The ring of a leaf's rows, other than neighbors: the level of the smallest marked node above it. */
  ofLeaf(leaf: number): number {
    let μ = firstLeaf(this.#tree) + leaf;
    while (this.#mark[μ] === 0) μ = parentOf(μ);
    return levelOf(μ);
  }

  /**
   * Calls `each` with the rows around one of a leaf outside, and their leaves: those of that leaf, or where a pool is
   * read, those of the pool that stand near to it in the order of the tree.
   */
  around(leaf: number, each: (index: number, leaf: number) => void): void {
    const [tree, pools] = [this.#tree, this.#pools];
    const ν = firstLeaf(tree) + leaf;
    let μ = ν;
    while (this.#mark[μ] === 0 && this.#mark[parentOf(μ)] === 0) μ = parentOf(μ);
    const [first, size] = [tree.begin[μ], tree.end[μ] - tree.begin[μ]];
    const rows = readableRows(tree, pools, μ);
    if (rows === size) {
      for (let p = tree.begin[ν]; p < tree.end[ν]; p++) each(tree.order[p], leaf);
      return;
    }
    const middle = Math.floor(((tree.begin[ν] - first) * rows) / size);
    const from = Math.max(0, Math.min(middle - NEAR_IN_POOL / 2, rows - NEAR_IN_POOL));
    for (let place = from; place < from + NEAR_IN_POOL; place++) {
      this.#readOf(μ, place);
      each(this.index, this.leaf);
    }
  }
}
