/**
 * Which rows a node's skeleton is found from and verified on: neighbors, and strata around them.
 *
 * After C. Yu, J. Levitt, S. Reiz, G. Biros, *Geometry-oblivious FMM for compressing dense SPD matrices*, SC17:
 * neighbors outside the node first, those with most votes, each of which counts once. Indices whose nearest neighbors
 * lie in the node are neighbors as well: an outlier is nobody's neighbor. Then lonely rows (voters.ts), the loneliest
 * of each cluster outside, rows around those that were found to err, and witnesses, in which an earlier compression
 * of the same matrix erred: they count once, too.
 *
 * All other rows are drawn by strata. A row outside lies in many clusters of the tree; its stratum is the level of the
 * smallest of them that holds a neighbor, or some of the node itself. So strata are rings around the node, the first
 * about a leaf wide, each next one about twice as large, and the last ones hold nearly all rows. Half of the rows are
 * shared out evenly among the rings, half by their sizes: rows close by, where a kernel is hardest to interpolate, are
 * seen at any N, and no row counts for more than twice what it would in an even sample. Row i of a ring of n rows of
 * which m were drawn has the weight √(n/m), so that ‖W·A‖_F² is an unbiased estimate of the whole block row (W.
 * Cochran, *Sampling Techniques*, 3rd ed., chapter 5); within a ring one row is drawn from each of equal stretches of
 * the tree's order, where clusters are large from a pool of it (row-pools.ts). No row is drawn twice. Drawing in
 * proportion to K_ii instead, which bounds a row's energy, was measured on Gauss–Newton Hessians and is far worse: the
 * rows with large diagonal entries are much alike, and mostly uncoupled from the node.
 */
import { placeOf } from '../../core/index-places.js';
import { IndexTable } from '../../core/index-table.js';
import { levelOf, parentOf } from '../../core/indices.js';
import type { RandomStream } from '../../core/random.js';
import { firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { leafOfLoner, LONERS } from './loners.js';
import { EXCLUDED, OTHER, Rings } from './rings.js';
import type { RowPools } from './row-pools.js';
import { markInside, Votes, type GivenVotes, type VotesState } from './votes.js';

/**
 * What the sampler reads: the tree, neighbors of each index of the nodes it works on, the near lists. Rows that are
 * near to any leaf of a node never pass through its skeleton.
 */
export interface RowSamplerState extends VotesState {
  readonly pools: RowPools;
  /** Rows that every sample is to have: an earlier compression erred there. */
  readonly witnesses: Int32Array;
}

/** Rows of a batch: their numbers, their weights, all 1 where the batch is certain. */
export interface Batch {
  readonly rows: Int32Array;
  readonly weights: Float64Array;
}

/** Some rows, and the leaf that each stands in. */
export interface RowsOfLeaves {
  readonly indices: Int32Array;
  readonly leaves: Int32Array;
}

/** Share of the rows that goes to rings by their nearness, each next one's by DECLINE smaller; the rest by size. */
const NEARNESS_SHARE = 0.65;
const DECLINE = 0.5;
/** A ring of which so large a share would be drawn is taken whole. */
const WHOLE_SHARE = 0.5;

/** Bytes of a sampler of a tree of that depth. */
export const samplerBytes = (depth: number): number => 40 * 2 ** depth;

/** Draws the rows of one node at a time, weighted. */
export class RowSampler {
  /** Weights of the rows taken so far, certain ones 1. */
  weights: Float64Array;
  /** How many of them are witnesses. */
  witnessed = 0;
  /** Rows outside the node and its near leaves: what the sample stands for. */
  population = 0;
  readonly #state: RowSamplerState;
  /** Of nodes: OTHER | EXCLUDED, and which are marked. */
  readonly #mark: Uint8Array;
  readonly #marked: Int32Array;
  #markedCount = 0;
  /** Leaves near to the node, outside it. */
  readonly #nearLeaves: Int32Array;
  #nearCount = 0;
  /** 1 for leaves of the node, leaves near to it, and isolated rows: those are zero and tell nothing. */
  readonly #inside: Uint8Array;
  /** Rows taken so far, and the leaf of each. */
  readonly #taken = new IndexTable();
  #leaves = new Int32Array(this.#taken.list.length);
  readonly #voted = new Votes();
  readonly #rings: Rings;

  constructor(state: RowSamplerState) {
    const { depth } = state.tree;
    const leaves = 2 ** depth;
    this.#state = state;
    this.weights = new Float64Array(this.#taken.list.length);
    this.#mark = new Uint8Array(nodesOf(state.tree));
    this.#marked = new Int32Array(nodesOf(state.tree));
    this.#nearLeaves = new Int32Array(leaves);
    this.#inside = new Uint8Array(leaves + 1);
    this.#rings = new Rings(state.tree, state.pools, this.#mark);
  }

  /** How many rows were taken so far. */
  get count(): number {
    return this.#taken.count;
  }

  /** Their indices, `count` at the beginning of the array. */
  get rows(): Int32Array {
    return this.#taken.list;
  }

  /** Whether every row outside was taken. */
  get complete(): boolean {
    return this.count === this.population;
  }

  /** Whether all rows outside may be read, as none of them lies in a pool. */
  get isWhole(): boolean {
    return this.#rings.isWhole;
  }

  /** Whether so many rows of pools were taken that a larger sample would leave none to judge it by. */
  get isScarce(): boolean {
    return this.#rings.isScarce;
  }

  /** The rows from the one numbered so on, valid until more are taken. */
  batch(from: number): Batch {
    return { rows: this.rows.subarray(from, this.count), weights: this.weights.subarray(from, this.count) };
  }

  /**
   * Begins with node ν: no rows yet. Votes that are given were counted already, by several ranks; pools that are given
   * are read in place of the state's.
   */
  open(ν: number, given?: GivenVotes, pools: RowPools = this.#state.pools): void {
    this.#taken.clear();
    for (let m = 0; m < this.#markedCount; m++) this.#mark[this.#marked[m]] = 0;
    this.witnessed = 0;
    this.#markedCount = 0;
    this.#exclude(ν);
    const state = this.#state;
    const { tree } = state;
    const leaf0 = firstLeaf(tree);
    const voted = this.#voted;
    voted.clear();
    if (given !== undefined) voted.give(given);
    else {
      voted.add(state, this.#inside, ν, levelOf(ν));
      // Beyond near leaves, theirs are the next rows outside.
      for (let k = 0; k < this.#nearCount; k++) voted.add(state, this.#inside, leaf0 + this.#nearLeaves[k], tree.depth);
    }
    for (let t = 0; t < voted.count; t++) this.#markUpwards(leaf0 + voted.leaves[t], OTHER, true);
    this.#rings.find(ν, voted.count, pools);
  }

  /** Takes the `most` rows with most votes, or all that have any: they count once. Returns how many. */
  takeNeighbors(most: number): number {
    const first = this.count;
    const { votes, count } = this.#voted;
    if (count <= most) {
      for (let t = 0; t < count; t++) this.#takeNeighbor(t);
    } else {
      let highest = 0;
      for (let t = 0; t < count; t++) highest = Math.max(highest, votes[t]);
      const histogram = new Int32Array(highest + 1);
      for (let t = 0; t < count; t++) histogram[votes[t]]++;
      let bar = highest;
      let above = 0;
      while (bar > 0 && above + histogram[bar] <= most) above += histogram[bar--];
      let atBar = most - above;
      for (let t = 0; t < count; t++) if (votes[t] > bar || (votes[t] === bar && atBar-- > 0)) this.#takeNeighbor(t);
    }
    return this.count - first;
  }

  /**
   * Takes about `wanted` rows more from all rings, weighted so that they alone stand for all rows outside but the
   * certain ones; of pools at most so many as leave that share of them. Returns how many.
   */
  takeSpread(wanted: number, random: RandomStream, leave = 0): number {
    const first = this.count;
    const { free, open, places, size, certain, count } = this.#rings;
    let all = 0;
    let nearness = 0;
    for (const left of free) {
      all += left;
      nearness = left > 0 ? 1 + DECLINE * nearness : nearness;
    }
    let nearer = NEARNESS_SHARE / nearness;
    for (let ring = count - 1; ring >= 0; ring--) {
      const left = free[ring];
      if (left === 0) continue;
      const even = Math.ceil(wanted * (nearer + ((1 - NEARNESS_SHARE) * left) / all));
      const share = this.#rings.isPooled(ring) ? Math.min(even, open[ring] - leave * places[ring]) : even;
      nearer *= DECLINE;
      const from = this.count;
      if (share <= 0) continue;
      if (!this.#rings.isPooled(ring) && share >= WHOLE_SHARE * left) this.#takeRing(ring);
      else this.#takeStretches(ring, share, random);
      let rows = 0;
      for (let r = from; r < this.count; r++) rows += this.weights[r];
      const standFor = size[ring] - certain[ring];
      for (let r = from; r < this.count; r++) this.weights[r] = Math.sqrt((standFor * this.weights[r]) / rows);
    }
    return this.count - first;
  }

  /** Takes every row outside that is left, with weight 1, where all may be read. Returns how many. */
  takeRest(): number {
    const first = this.count;
    const { free, count } = this.#rings;
    for (let ring = 0; ring < count; ring++) if (free[ring] > 0) this.#takeRing(ring);
    this.weights.fill(1, first, this.count);
    return this.count - first;
  }

  /**
   * Takes the loneliest row of each cluster that a ring is made of, the largest ring first, then the second of each,
   * and so on, `most` at most; they count once. Returns how many.
   */
  takeLoners(most: number): number {
    const first = this.count;
    const { loners } = this.#state;
    if (loners.length === 0) return 0;
    for (let place = 0; place < LONERS; place++) {
      for (let r = 0; r < this.#rings.clusters; r++) {
        const ν = this.#rings.nodeOf(r);
        const i = loners[ν * LONERS + place];
        if (i < 0) continue;
        if (this.count - first >= most) return this.count - first;
        if (this.#taken.placeOf(i) < 0) this.#takeOnce(i, leafOfLoner(this.#state, ν, i));
      }
    }
    return this.count - first;
  }

  /** Takes the witnesses outside; they count once. Returns how many. */
  takeWitnesses(): number {
    const first = this.count;
    for (const i of this.#state.witnesses) this.#takeOnce(i, this.#leafOf(i));
    this.witnessed = this.count - first;
    return this.witnessed;
  }

  /**
   * The rows outside, not taken yet, among those numbered from … end − 1, whose leaves are told or else known. Returns
   * how many.
   */
  freeAmong(
    { indices, leaves }: Pick<RowsOfLeaves, 'indices'> & Partial<RowsOfLeaves>,
    from: number,
    end: number,
    into: RowsOfLeaves,
  ): number {
    let count = 0;
    for (let q = from; q < end; q++) {
      const j = indices[q];
      const leaf = leaves === undefined ? this.#leafOf(j) : leaves[q];
      if (this.#inside[leaf] !== 0 || this.#taken.placeOf(j) >= 0) continue;
      into.leaves[count] = leaf;
      into.indices[count++] = j;
    }
    return count;
  }

  /** Takes the row of that leaf where it is not taken yet; it counts once. */
  takeRow(i: number, leaf: number): void {
    this.#takeOnce(i, leaf);
  }

  /** Calls `each` with the rows around one that was taken, as far as they may be read, and their leaves. */
  around(i: number, each: (index: number, leaf: number) => void): void {
    this.#rings.around(this.#leaves[this.#taken.placeOf(i)], each);
  }

  /** The leaf of an index that is known by its number. */
  #leafOf(i: number): number {
    const { places, leafAt } = this.#state;
    return leafAt[placeOf(places, i)];
  }

  /** Takes row i of a leaf where it lies outside and is not taken yet; it counts once. */
  #takeOnce(i: number, leaf: number): void {
    if (this.#inside[leaf] !== 0 || !this.#put(i, 1, leaf)) return;
    const rings = this.#rings;
    rings.takeCertain(this.#voted.has(i) ? rings.ofNeighbors : rings.ofLeaf(leaf));
  }

  /** Takes the row numbered so among those with votes. */
  #takeNeighbor(t: number): void {
    this.#put(this.#voted.touched[t], 1, this.#voted.leaves[t]);
    this.#rings.takeCertain(this.#rings.ofNeighbors);
  }

  /** Takes row i of that leaf with that weight; false where it is taken already. */
  #put(i: number, weight: number, leaf: number): boolean {
    const taken = this.#taken;
    const place = taken.count;
    if (taken.add(i) < place) return false;
    if (place >= this.weights.length) {
      const [weights, leaves] = [this.weights, this.#leaves];
      this.weights = new Float64Array(taken.list.length);
      this.weights.set(weights);
      this.#leaves = new Int32Array(taken.list.length);
      this.#leaves.set(leaves);
    }
    this.weights[place] = weight;
    this.#leaves[place] = leaf;
    return true;
  }

  /** Marks a node and those above it; `once` stops where one is marked so. */
  #markUpwards(node: number, as: number, once: boolean): void {
    const mark = this.#mark;
    for (let μ = node; μ >= 0; μ = parentOf(μ)) {
      if (once && (mark[μ] & as) !== 0) return;
      if (mark[μ] === 0) this.#marked[this.#markedCount++] = μ;
      mark[μ] |= as;
      if (μ === 0) return;
    }
  }

  /** Marks the node, its near leaves and what stands above them; counts the rows outside. */
  #exclude(ν: number): void {
    const { tree } = this.#state;
    this.population = tree.end[0] - tree.begin[0] - (tree.end[ν] - tree.begin[ν]);
    this.#markUpwards(ν, EXCLUDED, false);
    this.#nearCount = markInside(this.#state, ν, this.#inside, this.#nearLeaves);
    for (let k = 0; k < this.#nearCount; k++) {
      const leaf = firstLeaf(tree) + this.#nearLeaves[k];
      this.#markUpwards(leaf, EXCLUDED, true);
      this.population -= tree.end[leaf] - tree.begin[leaf];
    }
  }

  #takeRing(ring: number): void {
    const places = this.#rings.places[ring];
    for (let place = 0; place < places; place++) this.#takePlace(ring, place);
  }

  /** Takes the row at a place of a ring, unless it is taken already or belongs to another ring. */
  #takePlace(ring: number, place: number): void {
    const rings = this.#rings;
    if (ring === rings.ofNeighbors) {
      if (this.#put(this.#voted.touched[place], 1, this.#voted.leaves[place])) rings.takeRead(ring);
      return;
    }
    rings.read(ring, place);
    if (!this.#voted.has(rings.index) && this.#put(rings.index, rings.standsFor, rings.leaf)) rings.takeRead(ring);
  }

  /**
   * Takes one row from each of equal stretches of a ring, as places on a circle that begin at a random one, so that
   * each is as likely as any other. Places that are not free are passed over; so many more stretches are made that
   * about `wanted` rows are found, and one at least where one is left.
   */
  #takeStretches(ring: number, wanted: number, random: RandomStream): void {
    const places = this.#rings.places[ring];
    const before = this.count;
    const draws = Math.min(places, Math.round((wanted * places) / this.#rings.open[ring]));
    const stretch = places / draws;
    const shift = random.uniform() * stretch;
    let place = 0;
    for (let t = 0; t < draws; t++) {
      const from = Math.floor(shift + t * stretch);
      place = from + random.integer(Math.floor(shift + (t + 1) * stretch) - from);
      if (place >= places) place -= places;
      this.#takePlace(ring, place);
    }
    for (let tried = 0; this.count === before && tried < places; tried++) {
      place = place + 1 === places ? 0 : place + 1;
      this.#takePlace(ring, place);
    }
  }
}
