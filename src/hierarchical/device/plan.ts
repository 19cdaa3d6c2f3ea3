/**
 * A product with a hierarchical matrix as a few launches a level (device/block-rows.ts): the passes of matrix/apply.ts,
 * each the block rows of all nodes of a level, with the blocks packed as launches read them.
 *
 * Rows of vectors: X in tree order, then Y, then w̃ and ũ of all skeletons. Identity parts of interpolations are
 * starts, so that copies are part of the launch that needs them. Blocks stand once, used as they are and transposed; of
 * the diagonal blocks, stored as triangles, both are filled.
 */
import { leftChild, parentOf, rightChild } from '../../core/indices.js';
import { BlockRowsBuilder, type BlockRows, type BlockTerm } from '../../device/block-rows.js';
import { firstLeaf, isolatedOf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { farByNode } from '../matrix/apply.js';
import { diagonalOrder, type HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { basisRows } from '../matrix/layout.js';
import type { VectorStep } from './launches.js';
import { BlockPacking, type PackedBlock } from './packing.js';

/** Which buffer the blocks of a launch lie in: interpolations, couplings, or the leaves' dense blocks. */
export type PlanPart = 'basis' | 'coupling' | 'leaf';

/** A launch of a product. */
export type PlanStep = VectorStep<PlanPart> & { readonly rows: BlockRows };

/** Where blocks begin in the buffer of their part, in numbers; −1: there is none. */
export interface BlockPlaces {
  /** The interpolation of each node. */
  readonly basis: Float64Array;
  /** The coupling of each far pair. */
  readonly coupling: Float64Array;
  /** The diagonal block of each leaf, with both triangles. */
  readonly leaf: Float64Array;
}

/** A product as launches, in order, and the blocks they read. */
export interface ProductPlan {
  readonly steps: readonly PlanStep[];
  readonly blocks: Readonly<Record<PlanPart, readonly PackedBlock[]>>;
  readonly places: BlockPlaces;
  /** Numbers of each part. */
  readonly elements: Readonly<Record<PlanPart, number>>;
  /** Rows of vectors: X from row 0 on, Y from row N on. */
  readonly rows: number;
}

/** Puts the launches of a product together. */
class Planner {
  readonly #data: HierarchicalData;
  readonly #packings: Readonly<Record<PlanPart, BlockPacking>> = {
    basis: new BlockPacking(),
    coupling: new BlockPacking(),
    leaf: new BlockPacking(),
  };
  readonly #steps: PlanStep[] = [];
  readonly #places: BlockPlaces;
  readonly #up: number;
  readonly #down: number;

  constructor(data: HierarchicalData) {
    this.#data = data;
    const { tree, skeletons, offsets } = data;
    this.#up = 2 * tree.size;
    this.#down = this.#up + skeletons.indices.length;
    const nested = FORMAT_TABLE[data.format].nested;
    const basis = Float64Array.from({ length: nodesOf(tree) }, (_, ν) => {
      const rows = basisRows(tree, skeletons, nested, ν);
      const columns = this.#rank(ν);
      return rows * columns === 0
        ? -1
        : this.#packings.basis.add({ kind: 'dense', offset: offsets.basis[ν], rows, columns, ld: rows });
    });
    const coupling = new Float64Array(data.lists.far.length / 2).fill(-1);
    this.#places = { basis, coupling, leaf: new Float64Array(leavesOf(tree)) };
  }

  plan(): ProductPlan {
    const { tree, format } = this.#data;
    const levels = Array.from({ length: tree.depth }, (_, i) => i + 1);
    if (FORMAT_TABLE[format].nested) {
      for (const level of levels.toReversed())
        this.#step(`upward, level ${level}`, 'basis', false, level, this.#upward);
      this.#couple();
      for (const level of levels) this.#step(`downward, level ${level}`, 'basis', true, level, this.#downward);
    } else {
      // Bases of nodes above the leaves stand as a whole: no level waits for another.
      const upward = new BlockRowsBuilder(false);
      for (let ν = 1; ν < nodesOf(tree); ν++) this.#upward(upward, ν);
      this.#add('upward', 'basis', upward);
      this.#couple();
    }
    this.#nearField();
    this.#step('to indices', 'basis', true, tree.depth, this.#toIndices);
    if (!FORMAT_TABLE[format].nested)
      for (const level of levels.toReversed().slice(1))
        this.#step(`to indices, level ${level}`, 'basis', true, level, this.#fromBasis);
    const { basis, coupling, leaf } = this.#packings;
    return {
      steps: this.#steps,
      places: this.#places,
      blocks: { basis: basis.blocks, coupling: coupling.blocks, leaf: leaf.blocks },
      elements: { basis: basis.elements, coupling: coupling.elements, leaf: leaf.elements },
      rows: this.#down + this.#data.skeletons.indices.length,
    };
  }

  #rank(ν: number): number {
    const { begin } = this.#data.skeletons;
    return begin[ν + 1] - begin[ν];
  }

  #add(name: string, part: PlanPart, builder: BlockRowsBuilder): void {
    if (builder.targets > 0) this.#steps.push({ name, part, rows: builder.build() });
  }

  /** A launch of all nodes of a level. */

  #step(
    name: string,
    part: PlanPart,
    keep: boolean,
    level: number,
    of: (to: BlockRowsBuilder, ν: number) => void,
  ): void {
    const builder = new BlockRowsBuilder(keep);
    for (let ν = 2 ** level - 1; ν < 2 ** (level + 1) - 1; ν++) of.call(this, builder, ν);
    this.#add(name, part, builder);
  }

  /** Rows of the interpolation of ν that belong to its children's redundant skeletons: the left child's come first. */
  #redundantOf(ν: number): readonly [left: number, right: number] {
    const { picked } = this.#data.skeletons;
    const [l, r] = [leftChild(ν), rightChild(ν)];
    return [this.#rank(l) - picked[l], this.#rank(r) - picked[r]];
  }

  /** w̃_ν = P_ν x, or P_ν [w̃_l; w̃_r]. */
  #upward(to: BlockRowsBuilder, ν: number): void {
    const { tree, skeletons, format } = this.#data;
    const { begin, gather, picked } = skeletons;
    const k = this.#rank(ν);
    const offset = this.#places.basis[ν];
    const target = this.#up + begin[ν];
    if (ν >= firstLeaf(tree)) {
      const first = tree.begin[ν];
      const redundant = tree.end[ν] - first - k;
      const term = { offset, ld: redundant, transposed: true, source: first + k, terms: redundant };
      to.add(target, k, [term], range(first, k));
    } else if (!FORMAT_TABLE[format].nested) {
      const rows = tree.end[ν] - tree.begin[ν];
      to.add(target, k, [{ offset, ld: rows, transposed: true, source: tree.begin[ν], terms: rows }]);
    } else {
      const [l, r] = [leftChild(ν), rightChild(ν)];
      const [left, right] = this.#redundantOf(ν);
      const shared = { ld: left + right, transposed: true };
      const terms = [
        { ...shared, offset, source: this.#up + begin[l] + picked[l], terms: left },
        { ...shared, offset: offset + left, source: this.#up + begin[r] + picked[r], terms: right },
      ];
      const children = this.#up + begin[l];
      to.add(
        target,
        k,
        terms,
        gather.subarray(begin[ν], begin[ν] + k).map((number) => children + number),
      );
    }
  }

  /** ũ_α = Σ K_{α̃β̃} w̃_β, all nodes at once. */
  #couple(): void {
    const { tree, lists, skeletons, offsets } = this.#data;
    const { begin } = skeletons;
    const { farBegin, farPairs } = farByNode(this.#data);
    const builder = new BlockRowsBuilder(false);
    const packing = this.#packings.coupling;
    const places = this.#places.coupling;
    const placeOf = (f: number, rows: number, columns: number): number => {
      const points = [tree.size + begin[lists.far[2 * f]], tree.size + begin[lists.far[2 * f + 1]]] as const;
      if (places[f] < 0)
        places[f] = packing.add({ kind: 'dense', offset: offsets.coupling[f], rows, columns, ld: rows, points });
      return places[f];
    };
    for (let ν = 0; ν < nodesOf(tree); ν++) {
      const terms: BlockTerm[] = [];
      for (let e = farBegin[ν]; e < farBegin[ν + 1] && this.#rank(ν) > 0; e++) {
        const second = farPairs[e] < 0;
        const f = second ? -1 - farPairs[e] : farPairs[e];
        const [α, β] = [lists.far[2 * f], lists.far[2 * f + 1]];
        const other = second ? α : β;
        if (this.#rank(other) === 0) continue;
        const offset = placeOf(f, this.#rank(α), this.#rank(β));
        const source = this.#up + begin[other];
        terms.push({ offset, ld: this.#rank(α), transposed: second, source, terms: this.#rank(other) });
      }
      builder.add(this.#down + begin[ν], this.#rank(ν), terms);
    }
    this.#add('coupling', 'coupling', builder);
  }

  /** ũ_ν += what its parent passes down: to the picked skeletons by copies, to the redundant ones through Tᵀ. */
  #downward(to: BlockRowsBuilder, ν: number): void {
    const { begin, gather, picked } = this.#data.skeletons;
    const parent = parentOf(ν);
    const [k, rank] = [this.#rank(ν), this.#rank(parent)];
    if (k === 0 || rank === 0) return;
    const left = leftChild(parent) === ν;
    const first = left ? 0 : this.#rank(leftChild(parent));
    const target = this.#down + begin[ν];
    const starts = new Int32Array(picked[ν]).fill(-1);
    for (let j = begin[parent]; j < begin[parent + 1]; j++) {
      const place = gather[j] - first;
      if (place >= 0 && place < k) starts[place] = this.#down + j;
    }
    to.add(target, picked[ν], [], starts);
    const [l, r] = this.#redundantOf(parent);
    const offset = this.#places.basis[parent] + (left ? 0 : l);
    const source = this.#down + begin[parent];
    to.add(target + picked[ν], k - picked[ν], [{ offset, ld: l + r, transposed: false, source, terms: rank }]);
  }

  /** y_α = Σ K_{αβ} x_β over the near list of each leaf, itself first; isolated indices are zero. */
  #nearField(): void {
    const { tree, lists, offsets } = this.#data;
    const packing = this.#packings.leaf;
    const builder = new BlockRowsBuilder(false);
    builder.add(tree.size, isolatedOf(tree), []);
    const places = new Map<number, number>();
    const leaf0 = firstLeaf(tree);
    const sizeOf = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
    for (let α = 0; α < leavesOf(tree); α++) {
      const first = tree.begin[leaf0 + α];
      const n = sizeOf(α);
      const m = diagonalOrder(tree, α >> 1);
      const upper = (α & 1) === 1;
      const at = offsets.diagonal[α >> 1] + (upper ? m : 0);
      const points = [first, first] as const;
      const own = packing.add({ kind: upper ? 'upper' : 'lower', offset: at, rows: n, columns: n, ld: m, points });
      this.#places.leaf[α] = own;
      const terms: BlockTerm[] = [{ offset: own, ld: n, transposed: false, source: first, terms: n }];
      for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) {
        const β = lists.near[e];
        if (β === α) continue;
        // K(α, β) stands where α < β, and leaves come in that order.
        const ld = Math.min(α, β) === α ? n : sizeOf(β);
        let offset = places.get(offsets.near[e]);
        if (offset === undefined) {
          const block = { kind: 'dense', offset: offsets.near[e], rows: n, columns: sizeOf(β), ld } as const;
          offset = packing.add({ ...block, points: [first, tree.begin[leaf0 + β]] });
          places.set(offsets.near[e], offset);
        }
        terms.push({ offset, ld, transposed: β < α, source: tree.begin[leaf0 + β], terms: sizeOf(β) });
      }
      builder.add(tree.size + first, n, terms);
    }
    this.#add('near', 'leaf', builder);
  }

  /** y += P_νᵀ ũ_ν at a leaf. */
  #toIndices(to: BlockRowsBuilder, ν: number): void {
    const { tree, skeletons } = this.#data;
    const k = this.#rank(ν);
    if (k === 0) return;
    const redundant = tree.end[ν] - tree.begin[ν] - k;
    const target = tree.size + tree.begin[ν];
    const source = this.#down + skeletons.begin[ν];
    to.add(target, k, [], range(source, k));
    const term = { offset: this.#places.basis[ν], ld: redundant, transposed: false, source, terms: k };
    to.add(target + k, redundant, [term]);
  }

  /** HODLR: y += P_νᵀ ũ_ν of a node above the leaves. */
  #fromBasis(to: BlockRowsBuilder, ν: number): void {
    const { tree, skeletons } = this.#data;
    const k = this.#rank(ν);
    const rows = tree.end[ν] - tree.begin[ν];
    if (k === 0) return;
    const source = this.#down + skeletons.begin[ν];
    to.add(tree.size + tree.begin[ν], rows, [
      { offset: this.#places.basis[ν], ld: rows, transposed: false, source, terms: k },
    ]);
  }
}

const range = (first: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => first + i);

/**
 * The product with the matrix as launches: for nested formats at most 2·depth + 3, for `hodlr` depth + 4. Cost: the
 * number of skeletons and blocks.
 */
export const planProduct = (data: HierarchicalData): ProductPlan => new Planner(data).plan();
