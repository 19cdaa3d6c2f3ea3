/**
 * The far list: the fewest blocks that cover everything the near blocks leave over.
 *
 * Siblings split the off-diagonal part of their parent's block. A pair of nodes (α, β) with no near pair of leaves
 * below it is one far block; else α or β is split, so that pairs may join nodes of different levels. With f(α, β) the
 * fewest blocks,
 *   f = 1                                             if nothing below is near,
 *   f = 0                                             if both are leaves (and near),
 *   f = min{ f(α_l, β) + f(α_r, β), f(α, β_l) + f(α, β_r) }   otherwise, over the nodes that can be split,
 * tabulated for all pairs below (α, β) from the leaves up: 4 S² numbers for subtrees of S leaves. Beyond 2,048 leaves
 * the tables would outgrow memory and time: there pairs are first split on both sides down to subtrees of 64 leaves,
 * and the cover is the smallest below those. Never more blocks than by splitting both sides always.
 */
import { firstOfLevel, leftChild, levelOf, rightChild, type NodeId } from '../core/indices.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { NearLeaves } from './near-leaves.js';

/** Trees of up to so many leaves are covered by the fewest blocks. */
const WHOLE_LEAVES = 2048;
/** Leaves of the subtrees that larger trees are tabulated by. */
const PART_LEAVES = 64;

/** Far pairs (α, β), α < β, in ascending order, two entries a pair. */
export function farCover(depth: number, near: NearLeaves): Int32Array {
  const leaves = 2 ** depth;
  const cover = new Cover(depth, near, leaves <= WHOLE_LEAVES ? leaves : PART_LEAVES);
  for (let ν = 0; ν < firstOfLevel(depth); ν++) cover.add(leftChild(ν), rightChild(ν));
  const nodes = 2 * leaves - 1;
  const keys = Float64Array.from(cover.far).sort();
  const far = sharedInt32(2 * keys.length);
  keys.forEach((key, k) => {
    far[2 * k] = Math.floor(key / nodes);
    far[2 * k + 1] = key % nodes;
  });
  return far;
}

class Cover {
  /** α·nodes + β for each pair found. */
  readonly far: number[] = [];
  readonly #depth: number;
  readonly #nodes: number;
  readonly #near: NearLeaves;
  readonly #largest: number;
  /** Of local pair (i, j) at i·width + j: twice the fewest blocks, plus one if something below is near. */
  #table = new Int32Array(0);

  constructor(depth: number, near: NearLeaves, largest: number) {
    this.#depth = depth;
    this.#nodes = 2 ** (depth + 1) - 1;
    this.#near = near;
    this.#largest = largest;
  }

  /** Covers the block of two nodes of the same level. */
  add(α: NodeId, β: NodeId): void {
    const height = this.#depth - levelOf(α);
    const leaves = 2 ** height;
    if (!this.#anyNear(α, β, height)) {
      this.#emit(α, β);
    } else if (leaves <= this.#largest) {
      this.#tabulate(α, β, height);
      this.#follow(α, β, 0, 0, height);
    } else {
      for (const a of [leftChild(α), rightChild(α)]) for (const b of [leftChild(β), rightChild(β)]) this.add(a, b);
    }
  }

  #emit(α: NodeId, β: NodeId): void {
    this.far.push(Math.min(α, β) * this.#nodes + Math.max(α, β));
  }

  #firstLeaf(node: NodeId, height: number): number {
    return descendants(node, height) - firstOfLevel(this.#depth);
  }

  /** Whether a pair of leaves below is near. */
  #anyNear(α: NodeId, β: NodeId, height: number): boolean {
    const { nearBegin, near } = this.#near;
    const a = this.#firstLeaf(α, height);
    const b = this.#firstLeaf(β, height);
    const leaves = 2 ** height;
    for (let row = a; row < a + leaves; row++) {
      let low = nearBegin[row];
      let high = nearBegin[row + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (near[middle] < b) low = middle + 1;
        else high = middle;
      }
      if (low < nearBegin[row + 1] && near[low] < b + leaves) return true;
    }
    return false;
  }

  #tabulate(α: NodeId, β: NodeId, height: number): void {
    const leaves = 2 ** height;
    const inner = leaves - 1;
    const width = 2 * leaves - 1;
    if (this.#table.length < width * width) this.#table = new Int32Array(width * width);
    const table = this.#table;
    const { nearBegin, near } = this.#near;
    const a = this.#firstLeaf(α, height);
    const b = this.#firstLeaf(β, height);
    for (let i = width - 1; i >= 0; i--) {
      const row = i * width;
      const left = (2 * i + 1) * width;
      const right = left + width;
      if (i >= inner) {
        table.fill(2, row + inner, row + width);
        for (let k = nearBegin[a + i - inner]; k < nearBegin[a + i - inner + 1]; k++) {
          const leaf = near[k] - b;
          if (leaf >= 0 && leaf < leaves) table[row + inner + leaf] = 1;
        }
        for (let j = inner - 1; j >= 0; j--) table[row + j] = joined(table[row + 2 * j + 1], table[row + 2 * j + 2]);
      } else {
        for (let j = width - 1; j >= inner; j--) table[row + j] = joined(table[left + j], table[right + j]);
        for (let j = inner - 1; j >= 0; j--)
          table[row + j] = Math.min(
            joined(table[left + j], table[right + j]),
            joined(table[row + 2 * j + 1], table[row + 2 * j + 2]),
          );
      }
    }
  }

  /**
   * Emits the cover of the local pair (i, j) that the table stands for; where either node may be split, the larger one
   * is, else β.
   */
  #follow(α: NodeId, β: NodeId, i: number, j: number, height: number): void {
    const width = 2 ** (height + 1) - 1;
    const inner = 2 ** height - 1;
    const table = this.#table;
    const value = table[i * width + j];
    if ((value & 1) === 0) {
      this.#emit(globalNode(α, i), globalNode(β, j));
    } else if (i < inner || j < inner) {
      const first =
        i < inner ? joined(table[(2 * i + 1) * width + j], table[(2 * i + 2) * width + j]) : Number.POSITIVE_INFINITY;
      const second =
        j < inner ? joined(table[i * width + 2 * j + 1], table[i * width + 2 * j + 2]) : Number.POSITIVE_INFINITY;
      if (first < second || (first === second && levelOf(i) < levelOf(j))) {
        this.#follow(α, β, 2 * i + 1, j, height);
        this.#follow(α, β, 2 * i + 2, j, height);
      } else {
        this.#follow(α, β, i, 2 * j + 1, height);
        this.#follow(α, β, i, 2 * j + 2, height);
      }
    }
  }
}

/** Table value of a pair from those of the two pairs it is split into. */
function joined(u: number, v: number): number {
  return ((u | v) & 1) === 0 ? 2 : (u & ~1) + (v & ~1) + 1;
}

/** First descendant of a node, so many levels below it. */
const descendants = (node: NodeId, levels: number): NodeId => (node + 1) * 2 ** levels - 1;

/** The node that has number `local` in the subtree of `root`, both in heap numbering. */
function globalNode(root: NodeId, local: number): NodeId {
  const level = levelOf(local);
  return descendants(root, level) + local - firstOfLevel(level);
}
