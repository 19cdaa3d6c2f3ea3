/**
 * What a rank has of the order of a tree beyond its own positions while it skeletonizes: what samples around its nodes
 * may read. Rows outside a node are read by clusters, each beside one that holds the node, neighbors of it or leaves
 * near to it; small ones whole, of large ones a pool (from-entries/row-pools.ts). So a rank asks the others for the
 * orders of small clusters around its own, and for pools of larger ones, farther away; or for all of a large one, where
 * that is less.
 */
import { firstWhere } from '../../core/first-where.js';
import { leftChild, parentOf } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import { exchangeParts, partsOf, type Parts } from '../../distributed/exchange-parts.js';
import { together } from '../../distributed/together.js';
import { firstLeaf, leavesOf, nodesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import { overlap, type DealtOrder } from '../../tree/dealt-order.js';
import type { PositionRange } from '../../tree/split.js';
import { positionOf, readableRows, type RowPools } from '../from-entries/row-pools.js';
import { leavesBelow, type VotesState } from '../from-entries/votes.js';

/** The tree, and which leaves are near to each. */
type NearLists = Pick<VotesState, 'tree' | 'nearBegin' | 'near'>;

/** What is asked for: the rows of node μ that may be read as μ, all of them as ~μ. */
type Asked = number;

/** Clusters to ask for, and their rows. */
interface Asking {
  readonly asked: readonly Asked[];
  readonly rows: number;
}

const NOTHING: Asking = { asked: [], rows: 0 };
const nodeOf = (asked: Asked): number => (asked < 0 ? ~asked : asked);

/** Positions of a rank. */
interface RankRange extends PositionRange {
  readonly rank: number;
}

/** The ranks, of some whose positions ascend, that have some of these. */
function* ranksOf(ranges: readonly RankRange[], { begin, end }: PositionRange): Iterable<number> {
  const first = firstWhere(0, ranges.length, (k) => ranges[k].end > begin);
  for (let k = first; k < ranges.length && ranges[k].begin < end; k++) yield ranges[k].rank;
}

/** Brings clusters of a tree of which each rank has a part of the order; nothing where it has all. */
export class BroughtClusters {
  readonly #tree: ClusterTree;
  readonly #lists: NearLists;
  readonly #dealt: DealtOrder | undefined;
  readonly #communicator: Communicator;
  /** 1 for clusters all of which was brought. */
  readonly #isHere: Uint8Array;
  #pools: RowPools;
  /** Clusters all of which was brought last. */
  #whole: readonly number[] = [];

  /** `pools` says how large they are. */
  constructor(lists: NearLists, pools: RowPools, dealt: DealtOrder | undefined, communicator: Communicator) {
    const { tree } = lists;
    this.#tree = tree;
    this.#lists = lists;
    this.#dealt = dealt;
    this.#communicator = communicator;
    this.#isHere = new Uint8Array(dealt === undefined ? 0 : nodesOf(tree));
    this.#pools = pools;
  }

  /** The pools that were brought last, for workers to read. */
  get pools(): RowPools {
    return this.#pools;
  }

  /** Indices that are here without being brought: own ones, or all. */
  get own(): Int32Array {
    const { order } = this.#tree;
    if (this.#dealt === undefined) return order;
    const { begin, end } = this.#dealt.ranges[this.#communicator.rank];
    return order.subarray(begin, end);
  }

  /** Indices that were brought last: those of pools and of whole clusters. */
  get brought(): Int32Array[] {
    const { begin, end, order } = this.#tree;
    return [this.#pools.numbers, ...this.#whole.map((μ) => order.subarray(begin[μ], end[μ]))];
  }

  /**
   * Collective: brings what samples around these nodes may read, whose neighbors stand in these leaves. Small
   * clusters are put in the tree's order, in place; pools take the place of those before. Three alltoalls: a number to
   * each rank, one a cluster to those that have some of it, and 4 bytes a row back. Throws MemoryError.
   */
  bring(nodes: Int32Array, leaves: Iterable<number>): void {
    if (this.#dealt === undefined) return;
    const { ranges } = this.#dealt;
    const communicator = this.#communicator;
    const { rank, size } = communicator;
    const { order } = this.#tree;
    const asking = together(communicator, () => {
      const wanted = this.#wanted(nodes, leaves, ranges[rank]);
      this.#makeRoom(wanted, ranges[rank]);
      const having = ranges.map((range, r) => ({ ...range, rank: r })).filter(({ begin, end }) => begin < end);
      return partsOf(size, 1, (put) => {
        for (const some of wanted)
          for (const r of ranksOf(having, this.#rangeOf(some)))
            if (r !== rank && this.#count(some, ranges[r]) > 0) put(r, some);
      });
    });
    const asked = exchangeParts(communicator, asking);
    const { going, sent, coming, received } = together(communicator, () => {
      const [sent, received] = [this.#rows(asked, () => ranges[rank]), this.#rows(asking, (r) => ranges[r])];
      const [going, coming] = [sent, received].map((rows) => new Int32Array(rows.reduce((sum, some) => sum + some, 0)));
      let to = 0;
      for (const some of asked.numbers)
        this.#visit(some, ranges[rank], (_, position) => {
          going[to++] = order[position];
        });
      return { going, sent, coming, received };
    });
    communicator.alltoall(going, sent, coming, received);
    let [at, from] = [0, 0];
    asking.counts.forEach((count, r) => {
      for (const end = at + count; at < end; at++) {
        const put = this.#putter(asking.numbers[at]);
        this.#visit(asking.numbers[at], ranges[r], (place, position) => {
          put(place, position, coming[from++]);
        });
      }
    });
  }

  #rangeOf(asked: Asked): PositionRange {
    const μ = nodeOf(asked);
    return { begin: this.#tree.begin[μ], end: this.#tree.end[μ] };
  }

  #sizeOf(μ: number): number {
    return this.#tree.end[μ] - this.#tree.begin[μ];
  }

  /** Whether rows that are asked for are a pool. */
  #isPool(asked: Asked): boolean {
    return this.#rowsOf(asked) < this.#sizeOf(nodeOf(asked));
  }

  #rowsOf(asked: Asked): number {
    return asked < 0 ? this.#sizeOf(~asked) : readableRows(this.#tree, this.#pools, asked);
  }

  /** What samples around these nodes may read, but for what is here. */
  #wanted(nodes: Int32Array, leaves: Iterable<number>, own: PositionRange): readonly Asked[] {
    if (nodes.length === 0) return [];
    const { begin, end } = this.#tree;
    const leaf0 = firstLeaf(this.#tree);
    // Clusters that are read are children of these.
    const holds = new Uint8Array(begin.length);
    const mark = (node: number): void => {
      for (let μ = node; μ >= 0 && holds[μ] === 0; μ = parentOf(μ)) holds[μ] = 1;
    };
    const { nearBegin, near } = this.#lists;
    for (const ν of nodes) {
      // What is below it is not outside.
      mark(parentOf(ν));
      const { first, last } = leavesBelow(this.#tree, ν);
      for (let e = nearBegin[first]; e < nearBegin[last + 1]; e++)
        if (near[e] < first || near[e] > last) mark(leaf0 + near[e]);
    }
    // Isolated indices are in no leaf of the tree.
    for (const leaf of leaves) if (leaf < leavesOf(this.#tree)) mark(leaf0 + leaf);
    const first = nodes.reduce((least, ν) => Math.min(least, begin[ν]), Infinity);
    const last = nodes.reduce((most, ν) => Math.max(most, end[ν]), 0);
    const look = (μ: number): Asking => {
      if ((own.begin <= begin[μ] && end[μ] <= own.end) || this.#isHere[μ] === 1) return NOTHING;
      const others = this.#sizeOf(μ) - overlap(this.#rangeOf(μ), own);
      if (!this.#isPool(μ)) return { asked: [μ], rows: others };
      // What has all of the nodes is outside of none.
      const isOutside = begin[μ] > first || end[μ] < last;
      const below = holds[μ] === 0 ? [] : [look(leftChild(μ)), look(leftChild(μ) + 1)];
      const parts = isOutside ? [{ asked: [μ], rows: this.#rowsOf(μ) }, ...below] : below;
      const rows = parts.reduce((sum, part) => sum + part.rows, 0);
      return rows < others ? { asked: parts.flatMap((part) => part.asked), rows } : { asked: [~μ], rows: others };
    };
    return look(0).asked;
  }

  /** Room for pools, with own rows of them; and notes which whole clusters come. */
  #makeRoom(wanted: readonly Asked[], own: PositionRange): void {
    const pooled = wanted.filter((some) => this.#isPool(some));
    this.#whole = wanted.filter((some) => !this.#isPool(some)).map(nodeOf);
    for (const μ of this.#whole) this.#isHere[μ] = 1;
    const at = sharedInt32(nodesOf(this.#tree)).fill(-1);
    let next = 0;
    for (const μ of pooled) {
      at[μ] = next;
      next += this.#rowsOf(μ);
    }
    this.#pools = { ...this.#pools, at, numbers: sharedInt32(next) };
    for (const μ of pooled) {
      const put = this.#putter(μ);
      this.#visit(μ, own, (place, position) => {
        put(place, position, this.#tree.order[position]);
      });
    }
  }

  /** What puts a row that was asked for where it is read. */
  #putter(asked: Asked): (place: number, position: number, index: number) => void {
    const { at, numbers } = this.#pools;
    const { order } = this.#tree;
    return this.#isPool(asked)
      ? (place, _, index) => (numbers[at[asked] + place] = index)
      : (_, position, index) => (order[position] = index);
  }

  /** Rows of clusters that go to each rank or come from it, those in the range of the one that has them. */
  #rows({ numbers, counts }: Parts, rangeOf: (rank: number) => PositionRange): Int32Array {
    let at = 0;
    return counts.map((count, r) => {
      let rows = 0;
      for (const end = at + count; at < end; at++) rows += this.#count(numbers[at], rangeOf(r));
      return rows;
    });
  }

  #count(asked: Asked, range: PositionRange): number {
    return this.#firstPlace(asked, range.end) - this.#firstPlace(asked, range.begin);
  }

  /** Rows that are asked for, those in a range. */
  #visit(asked: Asked, range: PositionRange, visit: (place: number, position: number) => void): void {
    const [μ, rows] = [nodeOf(asked), this.#rowsOf(asked)];
    const end = this.#firstPlace(asked, range.end);
    for (let place = this.#firstPlace(asked, range.begin); place < end; place++)
      visit(place, positionOf(this.#tree, this.#pools, μ, place, rows));
  }

  /** The first place of what is asked for whose position is not before that one: positions ascend. */
  #firstPlace(asked: Asked, position: number): number {
    const [μ, rows] = [nodeOf(asked), this.#rowsOf(asked)];
    return firstWhere(0, rows, (place) => positionOf(this.#tree, this.#pools, μ, place, rows) >= position);
  }
}
