/**
 * Products with a hierarchical matrix: upward, coupling, downward and near passes as one task graph.
 *
 *   upward      w̃_ν = P_ν w            (leaf),  P_ν [w̃_l; w̃_r]  (inner node)
 *   coupling    ũ_α = Σ_{β ∈ Far(α)} K_{α̃β̃} w̃_β
 *   downward    [ũ_l; ũ_r] += P_νᵀ ũ_ν,  u += P_νᵀ ũ_ν  (leaf)
 *   near        u_α += Σ_{β ∈ Near(α)} K_{αβ} w_β
 *
 * (SC17.) P = [I T] is never multiplied out: its identity part is a copy. Vectors stand transposed, p × n, the p values
 * of an index contiguous: then picking, copying and permuting indices moves whole cache lines. The caller's columns are
 * transposed in tiles first (a single one is read where it stands, leaf by leaf), and the result back last. A task
 * writes only its node's values, in tree order, and sums in a fixed order, so every team size gives the same bits.
 */
import { sharedFloats } from '../../core/floats.js';
import { leftChild, levelOf, parentOf, rightChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { inLargePages } from '../../dense/large-pages.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { multiplyRows } from '../../dense/row-products.js';
import { defineTask } from '../../parallel/task.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import { isolatedOf, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData } from './data.js';
import { gatherVectors, PANEL, passNumbers, passPlaces, transposeIn, transposeOut } from './transposed-vectors.js';
import { FORMAT_TABLE } from './format.js';
import { blockLevel, heldRows, weightPlaces, type HeldRows } from './row-blocks.js';
import type { OwnRows } from '../ranks/own-rows.js';

/**
 * A matrix and the workspace of its products: each array holds `width` values per index or skeleton, of which a product
 * with p ≤ width vectors uses the first p·(number of indices or skeletons).
 */
export interface ApplyState {
  readonly data: HierarchicalData;
  readonly width: number;
  /**
   * Far pairs of each node whose coupling is not known to be zero, CSR: pair number f, or −1 − f where the node is the
   * pair's second.
   */
  readonly farBegin: Int32Array;
  readonly farPairs: Int32Array;
  /** The place of each index in tree order; empty while nobody has asked for whole vectors. */
  readonly place: Int32Array;
  /** xᵀ and yᵀ, columns in tree order. */
  readonly input: FloatArray;
  readonly output: FloatArray;
  /** Weights of node ν from upBegin[ν] on (row-blocks.ts). */
  readonly up: FloatArray;
  readonly upBegin: Int32Array;
  readonly down: FloatArray;
}

/** x: first of the p columns to multiply; out ← α·K̃·x + β·out. Both over shared memory, in the caller's order. */
export interface ApplyArguments {
  readonly x: Matrix;
  readonly out: Matrix;
  readonly alpha: number;
  readonly beta: number;
  /** Where x and out have own rows, in the order of the tree; default: all rows in the caller's order. */
  readonly own?: OwnRows | undefined;
}

/** Bytes of an `ApplyState` for each vector. */
export const bytesOfVector = (data: HierarchicalData): number => {
  const weights = weightPlaces(data)[nodesOf(data.tree)];
  return data.values.BYTES_PER_ELEMENT * (2 * data.tree.size + weights + data.skeletons.indices.length);
};

/** The state of products with up to `width` vectors; `place` of the state, which may be empty. */
export function applyState(data: HierarchicalData, width: number, place: Int32Array): ApplyState {
  const allocate = (rows: number): FloatArray => inLargePages(sharedFloats(rows * width, data.dtype));
  const indices = data.tree.size;
  const skeletons = data.skeletons.indices.length;
  const upBegin = weightPlaces(data);
  return {
    data,
    width,
    ...farByNode(data),
    place,
    input: allocate(indices),
    output: allocate(indices),
    up: allocate(upBegin[nodesOf(data.tree)]),
    upBegin,
    down: allocate(skeletons),
  };
}

/** Far pairs node by node, for `ApplyState`; those whose coupling is known to be zero are left out. */
export function farByNode(data: HierarchicalData): { farBegin: Int32Array; farPairs: Int32Array } {
  const { far } = data.lists;
  const nodes = nodesOf(data.tree);
  const zero = sharesZeros(data);
  const farBegin = sharedInt32(nodes + 1);
  for (let e = 0; e < far.length; e++) farBegin[far[e] + 1] += 1 - zero[e >> 1];
  for (let ν = 0; ν < nodes; ν++) farBegin[ν + 1] += farBegin[ν];
  const farPairs = sharedInt32(farBegin[nodes]);
  const next = farBegin.slice(0, nodes);
  for (let f = 0; f < far.length / 2; f++) {
    if (zero[f] === 1) continue;
    farPairs[next[far[2 * f]]++] = f;
    farPairs[next[far[2 * f + 1]]++] = -1 - f;
  }
  return { farBegin, farPairs };
}

/**
 * Tasks ν (upward) and nodes + ν (coupling and downward; at a leaf also near), and the transpositions around them, with
 * what each must wait for.
 */
export function applyGraph(data: HierarchicalData): TaskGraph {
  const { tree, lists } = data;
  const numbers = passNumbers(nodesOf(tree), tree.size);
  const { nodes, panels, panelIn, panelOut, began, ended } = numbers;
  const leaf0 = firstLeaf(tree);
  const edges: number[] = [];
  for (let panel = 0; panel < panels; panel++) edges.push(panelIn + panel, began, ended, panelOut + panel);
  for (let ν = leaf0; ν < nodes; ν++) edges.push(began, ν, nodes + ν, ended);
  for (let ν = 1; ν < nodes; ν++) edges.push(ν, parentOf(ν), nodes + parentOf(ν), nodes + ν);
  // out may be x: nothing is written to it before all leaves have read theirs.
  edges.push(0, nodes);
  for (let f = 0; f < lists.far.length; f += 2) {
    const α = lists.far[f];
    const β = lists.far[f + 1];
    edges.push(α, nodes + β, β, nodes + α);
  }
  for (let α = 0; α < lists.nearBegin.length - 1; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++)
      edges.push(leaf0 + lists.near[e], nodes + leaf0 + α);
  }
  return taskGraph(ended + 1, edges, passPlaces(numbers));
}

/** A product's work at each node, on one thread. */
export class NodeProduct {
  readonly #state: ApplyState;
  readonly #blas: Blas;
  readonly #tasks: ReturnType<typeof passNumbers>;
  readonly #leaf0: number;
  readonly #nested: boolean;
  readonly #blockLevel: number;
  readonly #rows: HeldRows;

  constructor(state: ApplyState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#tasks = passNumbers(nodesOf(state.data.tree), state.data.tree.size);
    this.#leaf0 = firstLeaf(state.data.tree);
    this.#nested = FORMAT_TABLE[state.data.format].nested;
    this.#blockLevel = blockLevel(state.data.tree);
    this.#rows = heldRows(state.data);
  }

  run(task: number, args: ApplyArguments): void {
    const p = args.x.cols;
    const { nodes, panelIn, panelOut, began } = this.#tasks;
    const { input, output } = this.#state;
    const place = args.own?.place ?? this.#state.place;
    if (task < nodes) this.up(task, args.x, args.own?.begin);
    else if (task < 2 * nodes) this.down(task - nodes, p);
    else if (task < panelOut) {
      if (p > 1) transposeIn((task - panelIn) * PANEL, args.x, input, place);
    } else if (task < began)
      transposeOut((task - panelOut) * PANEL, args.out, args.alpha, args.beta, { values: output, place });
  }

  /**
   * w̃_ν; at a leaf of a share its part of xᵀ besides, whose rows stand as `gatherVectors` says (default: by index).
   */
  up(ν: number, x: Matrix, rows: Int32Array | number = this.#state.data.tree.order): void {
    const p = x.cols;
    const { data, input, up } = this.#state;
    const { tree, skeletons, offsets, values } = data;
    const { begin } = skeletons;
    const k = begin[ν + 1] - begin[ν];
    const leaf = ν >= this.#leaf0;
    if (leaf && (p === 1 || data.share !== undefined)) gatherVectors(input, x, rows, tree.begin[ν], tree.end[ν]);
    if (!this.#nested) {
      this.#weigh(ν, p);
      return;
    }
    if (k === 0) return;
    const out = view(up, begin[ν] * p, p, k);
    if (leaf) this.#fromIndices(ν, k, p, out);
    else {
      this.#pickUp(ν, k, p);
      this.#eachRedundant(ν, (_child, from, count, row, redundant) => {
        multiplyRows(
          this.#blas,
          1,
          view(up, from * p, p, count),
          'N',
          view(values, offsets.basis[ν] + row, count, k, redundant),
          1,
          out,
        );
      });
    }
  }

  /** w̃_ν ← P_ν w at a leaf. */
  #fromIndices(ν: number, k: number, p: number, out: Matrix): void {
    const { data, input, up } = this.#state;
    const { tree, offsets, values } = data;
    const first = tree.begin[ν];
    const redundant = tree.end[ν] - first - k;
    up.set(input.subarray(first * p, (first + k) * p) as never, out.offset);
    if (redundant > 0)
      multiplyRows(
        this.#blas,
        1,
        view(input, (first + k) * p, p, redundant),
        'N',
        view(values, offsets.basis[ν], redundant, k),
        1,
        out,
      );
  }

  /** HODLR: w̃_ν, and what the node's indices add to those of the nodes above it (row-blocks.ts). */
  #weigh(ν: number, p: number): void {
    const { data, up, upBegin } = this.#state;
    const { begin } = data.skeletons;
    const rank = (μ: number): number => begin[μ + 1] - begin[μ];
    const level = levelOf(ν);
    if (level < this.#blockLevel) {
      const l = leftChild(ν);
      const left = (upBegin[l] + rank(l)) * p;
      const right = (upBegin[l + 1] + rank(l + 1)) * p;
      const first = upBegin[ν] * p;
      const count = (upBegin[ν + 1] - upBegin[ν]) * p;
      for (let q = 0; q < count; q++) up[first + q] = up[left + q] + up[right + q];
      return;
    }
    const k = rank(ν);
    const out = view(up, upBegin[ν] * p, p, k);
    if (k > 0 && ν >= this.#leaf0) this.#fromIndices(ν, k, p, out);
    else if (k > 0) this.#addRows(ν, ν, p, out);
    if (level > this.#blockLevel) return;
    for (let μ = parentOf(ν), at = upBegin[ν] + k; μ > 0; at += rank(μ), μ = parentOf(μ))
      if (rank(μ) > 0) this.#addRows(μ, ν, p, view(up, at * p, p, rank(μ)));
  }

  /** out ← P_ν w over the indices of `block`, ν itself or a node below it. */
  #addRows(ν: number, block: number, p: number, out: Matrix): void {
    const { data, input } = this.#state;
    const { begin, end } = data.tree;
    const x = view(input, begin[block] * p, p, end[block] - begin[block]);
    multiplyRows(this.#blas, 1, x, 'N', this.#basisRows(ν, block), 0, out);
  }

  /** HODLR: rows of `block` in the basis of inner node ν. */
  #basisRows(ν: number, block: number): Matrix {
    const { tree, skeletons, offsets, values } = this.#state.data;
    const { begin, end } = this.#rows;
    const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
    const first = offsets.basis[ν] + tree.begin[block] - begin[ν];
    return view(values, first, tree.end[block] - tree.begin[block], k, end[ν] - begin[ν]);
  }

  /** w̃_ν ← the children's skeleton weights it picked. */
  #pickUp(ν: number, k: number, p: number): void {
    const { skeletons } = this.#state.data;
    const { up } = this.#state;
    const children = skeletons.begin[leftChild(ν)];
    let to = skeletons.begin[ν] * p;
    for (let j = skeletons.begin[ν]; j < skeletons.begin[ν] + k; j++) {
      const from = (children + skeletons.gather[j]) * p;
      for (let q = from; q < from + p; q++) up[to++] = up[q];
    }
  }

  /**
   * The redundant skeletons of both children: skeleton numbers from…from + count, rows row…row + count of the node's
   * interpolation.
   */
  #eachRedundant(
    ν: number,
    act: (child: number, from: number, count: number, row: number, rows: number) => void,
  ): void {
    const { begin, picked } = this.#state.data.skeletons;
    const l = leftChild(ν);
    const r = rightChild(ν);
    const leftCount = begin[l + 1] - begin[l] - picked[l];
    const rightCount = begin[r + 1] - begin[r] - picked[r];
    if (leftCount > 0) act(l, begin[l] + picked[l], leftCount, 0, leftCount + rightCount);
    if (rightCount > 0) act(r, begin[r] + picked[r], rightCount, leftCount, leftCount + rightCount);
  }

  /** ũ_ν, and at a leaf its part of yᵀ. */
  down(ν: number, p: number): void {
    const { data, down, output } = this.#state;
    const { tree } = data;
    const { begin } = data.skeletons;
    const k = begin[ν + 1] - begin[ν];
    const u = view(down, begin[ν] * p, p, k);
    if (k > 0) {
      const coupled = this.#couple(ν, p, u);
      if (!coupled) down.fill(0, begin[ν] * p, (begin[ν] + k) * p);
      if (this.#nested && ν > 0) this.#receive(ν, k, p, u);
    }
    if (ν >= this.#leaf0) {
      this.#nearField(ν, p);
      if (k > 0) this.#toIndices(ν, k, p, u);
      if (!this.#nested) this.#fromAncestors(ν, p);
      // Rows of isolated indices are zero.
      if (ν === this.#leaf0) output.fill(0, 0, isolatedOf(tree) * p);
    }
  }

  /** ũ_ν ← Σ K_{ν̃β̃} w̃_β over the node's far pairs, in list order. */
  #couple(ν: number, p: number, u: Matrix): boolean {
    const { data, farBegin, farPairs, up, upBegin } = this.#state;
    const { far } = data.lists;
    const { begin } = data.skeletons;
    let beta = 0;
    for (let e = farBegin[ν]; e < farBegin[ν + 1]; e++) {
      const second = farPairs[e] < 0;
      const f = second ? -1 - farPairs[e] : farPairs[e];
      const α = far[2 * f];
      const β = far[2 * f + 1];
      const other = second ? α : β;
      const coupling = view(data.values, data.offsets.coupling[f], begin[α + 1] - begin[α], begin[β + 1] - begin[β]);
      if (coupling.rows === 0 || coupling.cols === 0) continue;
      multiplyRows(
        this.#blas,
        1,
        view(up, upBegin[other] * p, p, begin[other + 1] - begin[other]),
        second ? 'N' : 'T',
        coupling,
        beta,
        u,
      );
      beta = 1;
    }
    return beta === 1;
  }

  /** Adds what the parent passes down to ν: its picked skeletons by copy, the redundant ones through Tᵀ. */
  #receive(ν: number, k: number, p: number, u: Matrix): void {
    const { data, down } = this.#state;
    const { skeletons, offsets, values } = data;
    const { begin, gather, picked } = skeletons;
    const parent = parentOf(ν);
    const rank = begin[parent + 1] - begin[parent];
    if (rank === 0) return;
    const left = leftChild(parent) === ν;
    const leftRank = left ? k : begin[ν] - begin[leftChild(parent)];
    const first = left ? 0 : leftRank;
    for (let j = begin[parent]; j < begin[parent + 1]; j++) {
      const place = gather[j] - first;
      if (place < 0 || place >= k) continue;
      let to = (begin[ν] + place) * p;
      for (let q = j * p; q < (j + 1) * p; q++) down[to++] += down[q];
    }
    const count = k - picked[ν];
    if (count === 0) return;
    this.#eachRedundant(parent, (child, _from, rows, row, redundant) => {
      if (child !== ν) return;
      const target = view(u.data, u.offset + picked[ν] * p, p, count);
      multiplyRows(
        this.#blas,
        1,
        view(down, begin[parent] * p, p, rank),
        'T',
        view(values, offsets.basis[parent] + row, rows, rank, redundant),
        1,
        target,
      );
    });
  }

  /** y_α ← Σ K_{αβ} x_β over the leaf's near list, itself first. */
  #nearField(ν: number, p: number): void {
    const { data, input, output } = this.#state;
    const { tree, lists, offsets, values } = data;
    const blas = this.#blas;
    const leaf0 = this.#leaf0;
    const α = ν - leaf0;
    const first = tree.begin[ν];
    const n = tree.end[ν] - first;
    const y = view(output, first * p, p, n);
    const x = view(input, first * p, p, n);
    const pair = α >> 1;
    const m = diagonalOrder(tree, pair);
    const upper = (α & 1) === 1;
    const diagonal = view(values, offsets.diagonal[pair] + (upper ? m : 0), n, n, m);
    if (p === 1) blas.symv(upper ? 'U' : 'L', 1, diagonal, view(input, first, n, 1), 0, view(output, first, n, 1));
    else blas.symm('R', upper ? 'U' : 'L', 1, diagonal, x, 0, y);
    for (let e = lists.nearBegin[α], next = e; e < lists.nearBegin[α + 1]; e = next) {
      const β = lists.near[e];
      const other = leaf0 + β;
      const from = tree.begin[other];
      next = e + 1;
      if (β === α) continue;
      if (β < α) {
        multiplyRows(
          blas,
          1,
          view(input, from * p, p, tree.end[other] - from),
          'N',
          view(values, offsets.near[e], tree.end[other] - from, n),
          1,
          y,
        );
        continue;
      }
      // Blocks of neighboring leaves stand one after the other: together they are one block.
      let last = other;
      while (
        next < lists.nearBegin[α + 1] &&
        lists.near[next] === last - leaf0 + 1 &&
        offsets.near[next] === offsets.near[e] + n * (tree.end[last] - from)
      ) {
        last++;
        next++;
      }
      const size = tree.end[last] - from;
      multiplyRows(blas, 1, view(input, from * p, p, size), 'T', view(values, offsets.near[e], n, size), 1, y);
    }
  }

  /** y += P_νᵀ ũ_ν at a leaf. */
  #toIndices(ν: number, k: number, p: number, u: Matrix): void {
    const { data, down, output } = this.#state;
    const { tree, skeletons, offsets, values } = data;
    const first = tree.begin[ν];
    const redundant = tree.end[ν] - first - k;
    const from = skeletons.begin[ν] * p;
    const to = first * p;
    for (let q = 0; q < k * p; q++) output[to + q] += down[from + q];
    if (redundant > 0)
      multiplyRows(
        this.#blas,
        1,
        u,
        'T',
        view(values, offsets.basis[ν], redundant, k),
        1,
        view(output, (first + k) * p, p, redundant),
      );
  }

  /** HODLR: y += P_νᵀ ũ_ν of every inner node above the leaf, bottom up. */
  #fromAncestors(leaf: number, p: number): void {
    const { data, down, output } = this.#state;
    const { tree, skeletons } = data;
    const first = tree.begin[leaf];
    const count = tree.end[leaf] - first;
    for (let ν = parentOf(leaf); ν > 0; ν = parentOf(ν)) {
      const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
      if (k === 0) continue;
      const basis = this.#basisRows(ν, leaf);
      multiplyRows(
        this.#blas,
        1,
        view(down, skeletons.begin[ν] * p, p, k),
        'T',
        basis,
        1,
        view(output, first * p, p, count),
      );
    }
  }
}

/** Runs task t of `applyGraph`. */
export const applyTask = defineTask<ApplyState, ApplyArguments>(import.meta.url, 'applyTask', (state, context) => {
  const product = new NodeProduct(state, context.blas);
  return (task, args) => product.run(task, args);
});
