/**
 * Which rows a node's skeleton is found from: neighbor-based importance sampling.
 * After C. Yu, J. Levitt, S. Reiz, G. Biros, *Geometry-oblivious FMM for compressing dense SPD matrices*, SC17:
 * neighbors outside the node first. Here they are ranked by votes, mixed with uniform rows, and the uniform rows carry
 * the weight √(outside/drawn), so that ‖W·A‖_F² estimates the energy of the whole block row and the decomposition
 * minimises that, not the energy of the sample. Uniform rows are stratified: one from each of equal stretches of the
 * tree's order, so that every cluster outside is seen in proportion to its size (W. Cochran, *Sampling Techniques*, 3rd
 * ed., chapter 5). Drawing in proportion to K_ii instead, which bounds a row's energy, was measured on Gauss–Newton
 * Hessians and is far worse: the rows with large diagonal entries are much alike, and mostly uncoupled from the node.
 */
import type { RandomStream } from '../../core/random.js';
import { isolatedOf, type ClusterTree, firstLeaf, leavesOf } from '../../tree/cluster-tree.js';

/** What the sampler reads: the tree, each index's neighbors, the near lists. */
export interface RowSamplerState {
  readonly tree: ClusterTree;
  /** Leaf number of each index; 2^depth where it is isolated. */
  readonly leafOf: Int32Array;
  /** κ neighbors of each index, and κ. */
  readonly neighbors: Int32Array;
  readonly neighborCount: number;
  /**
   * Near lists (tree/interaction-lists.ts): rows that are near to any leaf of a node never pass through its skeleton.
   */
  readonly nearBegin: Int32Array;
  readonly near: Int32Array;
}

/** Share of the sample that neighbors may fill; the rest is uniform. */
const NEIGHBOR_SHARE = 0.5;

/** Draws the rows of one node at a time, weighted. */
export class RowSampler {
  /** The rows drawn (indices), neighbors first. */
  readonly rows: Int32Array;
  /** How many rows stand in `rows`. */
  count = 0;
  /** The first `certain` rows count once, the others stand for `uniformWeight²` rows each. */
  certain = 0;
  uniformWeight = 1;
  /** Rows outside the node and its near leaves: what the sample stands for. */
  population = 0;
  readonly #state: RowSamplerState;
  readonly #excluded: Uint8Array;
  readonly #votes: Int32Array;
  readonly #touched: Int32Array;
  /**
   * Stretches of positions outside: number k begins at position #from[k], #before[k] positions stand in those before
   * it.
   */
  readonly #from: Int32Array;
  readonly #before: Int32Array;
  #stretches = 0;

  /** Room for `capacity` rows. */
  constructor(state: RowSamplerState, capacity: number) {
    const { size, depth } = state.tree;
    this.#state = state;
    this.rows = new Int32Array(Math.min(capacity, size));
    this.#excluded = new Uint8Array(2 ** depth + 1);
    this.#votes = new Int32Array(size);
    this.#touched = new Int32Array(size);
    this.#from = new Int32Array(2 ** depth);
    this.#before = new Int32Array(2 ** depth);
  }

  /** Draws about `wanted` rows for node ν, or all rows outside if there are no more. */
  draw(ν: number, wanted: number, random: RandomStream): void {
    const { tree, leafOf } = this.#state;
    const votes = this.#votes;
    const excluded = this.#excluded;
    this.#exclude(ν);
    const goal = Math.min(wanted, this.rows.length);
    this.count = 0;
    this.uniformWeight = 1;
    if (this.population <= goal) {
      for (let p = isolatedOf(tree); p < tree.size; p++) {
        const i = tree.order[p];
        if (excluded[leafOf[i]] === 0) this.rows[this.count++] = i;
      }
      this.certain = this.count;
      return;
    }
    const touched = this.#vote(ν);
    this.#takeMostVoted(touched, Math.floor(NEIGHBOR_SHARE * goal));
    this.certain = this.count;
    // A vote of −1 marks a row as drawn.
    const marked = this.count;
    for (let t = 0; t < touched; t++) votes[this.#touched[t]] = 0;
    for (let r = 0; r < marked; r++) votes[this.rows[r]] = -1;
    this.#drawUniform(goal - this.count, random);
    for (let r = 0; r < marked; r++) votes[this.rows[r]] = 0;
    this.uniformWeight = Math.sqrt((this.population - this.certain) / (this.count - this.certain));
  }

  /** Replaces the sample by `wanted` uniform rows outside the node of the last draw. */
  drawFresh(wanted: number, random: RandomStream): void {
    this.count = 0;
    this.certain = 0;
    this.#drawUniform(Math.min(wanted, this.population), random);
    this.uniformWeight = Math.sqrt(this.population / Math.max(1, this.count));
  }

  #exclude(ν: number): void {
    const { tree, nearBegin, near } = this.#state;
    const excluded = this.#excluded;
    excluded.fill(0);
    // Isolated rows are zero: they tell nothing.
    excluded[excluded.length - 1] = 1;
    let first = ν;
    let last = ν;
    const leaf0 = firstLeaf(tree);
    while (first < leaf0) {
      first = 2 * first + 1;
      last = 2 * last + 2;
    }
    let inside = 0;
    for (let leaf = first - leaf0; leaf <= last - leaf0; leaf++) {
      for (let e = nearBegin[leaf]; e < nearBegin[leaf + 1]; e++) {
        const other = near[e];
        if (excluded[other] === 0) {
          excluded[other] = 1;
          inside += tree.end[leaf0 + other] - tree.begin[leaf0 + other];
        }
      }
      if (excluded[leaf] === 0) {
        excluded[leaf] = 1;
        inside += tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
      }
    }
    this.population = tree.size - isolatedOf(tree) - inside;
    this.#stretches = 0;
    let before = 0;
    for (let leaf = 0, last = -2; leaf < leavesOf(tree); leaf++) {
      if (excluded[leaf] !== 0) continue;
      if (last !== leaf - 1) {
        this.#from[this.#stretches] = tree.begin[leaf0 + leaf];
        this.#before[this.#stretches++] = before;
      }
      before += tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
      last = leaf;
    }
  }

  /** Counts, for every row outside, how many of the node's indices have it as a neighbor. */
  #vote(ν: number): number {
    const { tree, leafOf, neighbors, neighborCount } = this.#state;
    const votes = this.#votes;
    let touched = 0;
    for (let p = tree.begin[ν]; p < tree.end[ν]; p++) {
      const from = tree.order[p] * neighborCount;
      for (let q = from; q < from + neighborCount; q++) {
        const j = neighbors[q];
        if (this.#excluded[leafOf[j]] === 0 && votes[j]++ === 0) this.#touched[touched++] = j;
      }
    }
    return touched;
  }

  #takeMostVoted(touched: number, most: number): void {
    const votes = this.#votes;
    if (touched <= most) {
      for (let t = 0; t < touched; t++) this.rows[this.count++] = this.#touched[t];
      return;
    }
    let highest = 0;
    for (let t = 0; t < touched; t++) highest = Math.max(highest, votes[this.#touched[t]]);
    const histogram = new Int32Array(highest + 1);
    for (let t = 0; t < touched; t++) histogram[votes[this.#touched[t]]]++;
    let bar = highest;
    let above = 0;
    while (above + histogram[bar] <= most && bar > 0) above += histogram[bar--];
    let atBar = most - above;
    for (let t = 0; t < touched; t++) {
      const j = this.#touched[t];
      if (votes[j] > bar || (votes[j] === bar && atBar-- > 0)) this.rows[this.count++] = j;
    }
  }

  /**
   * Adds one row from each of equal stretches of the rows outside, as positions on a circle that begin at a random one,
   * so that each is as likely as any other. Rows whose vote is −1 are taken already; so many more stretches are made
   * that about `wanted` new rows are found.
   */
  #drawUniform(wanted: number, random: RandomStream): void {
    const { population } = this;
    const { order } = this.#state.tree;
    const before = this.#before;
    const draws = Math.min(
      population,
      this.rows.length - this.count,
      Math.round((wanted * population) / (population - this.count)),
    );
    const stretch = population / draws;
    const shift = random.uniform() * stretch;
    let k = 0;
    for (let t = 0; t < draws; t++) {
      const from = Math.floor(shift + t * stretch);
      let place = from + random.integer(Math.floor(shift + (t + 1) * stretch) - from);
      if (place >= population) place -= population;
      while (before[k] > place) k--;
      while (k + 1 < this.#stretches && before[k + 1] <= place) k++;
      const i = order[this.#from[k] + place - before[k]];
      if (this.#votes[i] >= 0) this.rows[this.count++] = i;
    }
  }
}
