/**
 * A solve with the factors of a ULV factorization (../ulv/pass.ts) as launches, all nodes of a level at once.
 *
 * Rows of vectors: B in tree order, which X replaces; the variables in the order they are eliminated in; the skeletons.
 *
 *   upward     b_S ← …,  z_R ← … − T·b_S,  z_R ← L⁻¹·z_R,  b_S ← b_S − Vᵀ·z_R
 *   downward   x_R ← z_R − V·x_S,  x_R ← L⁻ᵀ·x_R,  x_S ← x_S − Tᵀ·x_R,  and to the children
 */
import { leftChild } from '../../../core/indices.js';
import { BlockRowsBuilder, type BlockTerm } from '../../../device/block-rows.js';
import { steps as rangeOf } from '../../../device/work/gathers.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import type { VectorStep } from '../../device/launches.js';
import type { HierarchicalData } from '../../matrix/data.js';
import type { UlvPlan } from '../ulv/plan.js';

/** Which buffer the blocks of a launch lie in. */
export type SolvePart = 'basis' | 'factors';

/** A solve as launches, in order. */
export interface SolvePlan {
  readonly steps: readonly VectorStep<SolvePart>[];
  /** Rows of vectors. */
  readonly rows: number;
}

class Planner {
  readonly #data: HierarchicalData;
  readonly #plan: UlvPlan;
  readonly #basis: Float64Array;
  readonly #steps: VectorStep<SolvePart>[] = [];

  constructor(data: HierarchicalData, plan: UlvPlan, basis: Float64Array) {
    this.#data = data;
    this.#plan = plan;
    this.#basis = basis;
  }

  plan(): SolvePlan {
    const { tree, skeletons } = this.#data;
    for (let level = tree.depth; level >= 0; level--) this.#up(`upward, level ${level}`, nodesOf(level));
    for (let level = 0; level <= tree.depth; level++) this.#down(`downward, level ${level}`, nodesOf(level));
    return { steps: this.#steps, rows: 2 * tree.size + skeletons.indices.length };
  }

  /** Where node ν's variables and skeletons stand among the rows, and its parts in the buffers. */
  #of(ν: number): {
    readonly k: number;
    readonly r: number;
    readonly variables: number;
    readonly skeletons: number;
    readonly l: number;
    readonly v: number;
    readonly t: number;
  } {
    const { tree, skeletons } = this.#data;
    const { begin, rank, factorBegin } = this.#plan;
    const r = begin[ν + 1] - begin[ν];
    const l = factorBegin[ν];
    return {
      k: rank[ν],
      r,
      variables: tree.size + begin[ν],
      skeletons: 2 * tree.size + skeletons.begin[ν],
      l,
      v: l + r * r,
      t: this.#basis[ν],
    };
  }

  /** Rows that the skeletons of an inner node and what it eliminates come from: its children's skeletons. */
  #origins(ν: number): { readonly skeletons: Int32Array; readonly variables: Int32Array } {
    const {
      tree,
      skeletons: { begin, gather, picked },
    } = this.#data;
    const l = leftChild(ν);
    const first = 2 * tree.size + begin[l];
    const rows: number[] = [];
    for (const child of [l, l + 1])
      for (let j = begin[child] + picked[child]; j < begin[child + 1]; j++) rows.push(2 * tree.size + j);
    return {
      skeletons: gather.subarray(begin[ν], begin[ν + 1]).map((place) => first + place),
      variables: Int32Array.from(rows),
    };
  }

  #up(name: string, nodes: readonly number[]): void {
    const { tree } = this.#data;
    const skeletons = new BlockRowsBuilder(false);
    const variables = new BlockRowsBuilder(false, -1);
    const reduced = new BlockRowsBuilder(true, -1);
    for (const ν of nodes) {
      const { k, r, variables: own, skeletons: above, t, v } = this.#of(ν);
      const isLeaf = ν >= firstLeaf(tree);
      const first = tree.begin[ν];
      const origins = isLeaf
        ? { skeletons: rangeOf(k, 1, first), variables: rangeOf(r, 1, first + k) }
        : this.#origins(ν);
      const terms = (offset: number, transposed: boolean, source: number, count: number): BlockTerm[] =>
        k * r === 0 ? [] : [{ offset, ld: r, transposed, source, terms: count }];
      skeletons.add(above, k, [], origins.skeletons);
      // A leaf's b_S stands among the rows that came, too.
      variables.add(own, r, terms(t, false, isLeaf ? first : above, k), origins.variables);
      if (k * r > 0) reduced.add(above, k, terms(v, true, own, r));
    }
    this.#rows(`${name}: skeletons`, 'basis', skeletons);
    this.#rows(`${name}: variables`, 'basis', variables);
    this.#substitute(name, nodes, false);
    this.#rows(`${name}: reduced`, 'factors', reduced);
  }

  #down(name: string, nodes: readonly number[]): void {
    const { tree } = this.#data;
    const variables = new BlockRowsBuilder(true, -1);
    const skeletons = new BlockRowsBuilder(true, -1);
    const handedOn = new BlockRowsBuilder(false);
    for (const ν of nodes) {
      const { k, r, variables: own, skeletons: above, t, v } = this.#of(ν);
      if (k * r > 0) {
        variables.add(own, r, [{ offset: v, ld: r, transposed: false, source: above, terms: k }]);
        skeletons.add(above, k, [{ offset: t, ld: r, transposed: true, source: own, terms: r }]);
      }
      if (ν >= firstLeaf(tree)) {
        handedOn.add(tree.begin[ν], k, [], rangeOf(k, 1, above));
        handedOn.add(tree.begin[ν] + k, r, [], rangeOf(r, 1, own));
      } else this.#handOn(handedOn, ν);
    }
    this.#rows(`${name}: variables`, 'factors', variables);
    this.#substitute(name, nodes, true);
    this.#rows(`${name}: skeletons`, 'basis', skeletons);
    this.#rows(`${name}: handed on`, 'basis', handedOn);
  }

  /** The children's skeletons, from where `#origins` took them to. */
  #handOn(to: BlockRowsBuilder, ν: number): void {
    const { tree, skeletons } = this.#data;
    const { k, r, variables, skeletons: above } = this.#of(ν);
    const l = leftChild(ν);
    const first = 2 * tree.size + skeletons.begin[l];
    const { skeletons: chosen, variables: rest } = this.#origins(ν);
    const starts = new Int32Array(k + r).fill(-1);
    chosen.forEach((row, i) => (starts[row - first] = above + i));
    rest.forEach((row, i) => (starts[row - first] = variables + i));
    to.add(first, k + r, [], starts);
  }

  #rows(name: string, part: SolvePart, builder: BlockRowsBuilder): void {
    if (builder.targets > 0) this.#steps.push({ name, part, rows: builder.build() });
  }

  #substitute(name: string, nodes: readonly number[], transposed: boolean): void {
    const systems = nodes
      .map((ν) => this.#of(ν))
      .filter(({ r }) => r > 0)
      .map(({ l, r, variables }) => ({
        triangle: { offset: l, ld: r, order: r },
        x: { first: variables },
      }));
    if (systems.length > 0)
      this.#steps.push({
        name: `${name}: triangles`,
        part: 'factors',
        work: { kind: 'substitutions', transposed, systems },
      });
  }
}

const nodesOf = (level: number): number[] => Array.from({ length: 2 ** level }, (_, i) => 2 ** level - 1 + i);

/**
 * A solve as launches: at most 8 a level. `basis`: where the interpolation of each node begins in its buffer. Rows of
 * isolated indices, which stand first, are left as they are. Cost: the number of skeletons and blocks.
 */
export const planUlvSolve = (data: HierarchicalData, plan: UlvPlan, basis: Float64Array): SolvePlan =>
  new Planner(data, plan, basis).plan();
