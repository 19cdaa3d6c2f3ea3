/**
 * HODLR factors on a device: made there, or the team's, sent there; a solve (../hodlr/pass.ts) as launches, all nodes
 * of a level at once.
 *
 * Rows of vectors: B in tree order, which X replaces; t and w of each basis vector.
 *
 *   upward     x ← L⁻¹·x of leaves;   t = Qᵀ·x,  w_r ← C⁻¹·(t_r − Xᵀ·t_l) − t_r,  x_r ← x_r + Q_r·w_r
 *   downward   t_r = Q_rᵀ·x_r,  s = C⁻ᵀ·t_r,  w_l ← −X·s,  w_r ← s − t_r,  x ← x + Q·w;   x ← L⁻ᵀ·x of leaves
 */
import { firstOfLevel, leftChild } from '../../../core/indices.js';
import { NUMBER_BYTES, sharedFloats, type Precision } from '../../../core/floats.js';
import { BlockRowsBuilder } from '../../../device/block-rows.js';
import type { Device, DeviceBuffer } from '../../../device/device.js';
import { steps as rangeOf } from '../../../device/work/gathers.js';
import type { Substitutions } from '../../../device/work/triangles.js';
import { onTeam, type Control } from '../../../parallel/default-team.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks } from '../../../parallel/task-graph.js';
import { firstLeaf, isolatedOf, nodesOf } from '../../../tree/cluster-tree.js';
import type { VectorStep } from '../../device/launches.js';
import { BlockPacking } from '../../device/packing.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { breakdownOfHodlr } from '../hodlr/breakdown.js';
import type { HodlrFactors } from '../hodlr/factors.js';
import { coupled, planHodlr, type HodlrPlan } from '../hodlr/plan.js';
import { splitCoupling } from '../hodlr/split.js';
import { factorThere, type ResidentBlocks } from './elimination.js';
import { hodlrConstants, planHodlrElimination } from './hodlr-elimination.js';
import { requireFactors, sendPackings, sentFactors, type ResidentFactors } from './resident-factors.js';

/** Which buffer the blocks of a launch lie in: Q, or L, X and C. */
export type HodlrPart = 'bases' | 'factors';

/** A solve as launches, in order, and the rows of vectors. */
export interface HodlrSolvePlan {
  readonly steps: readonly VectorStep<HodlrPart>[];
  readonly rows: number;
}

/** A triangle, and the rows of vectors that it is to solve for. */
type RowSystem = Substitutions['systems'][number];

class Planner {
  readonly #data: HierarchicalData;
  readonly #plan: HodlrPlan;
  readonly #steps: VectorStep<HodlrPart>[] = [];

  constructor(data: HierarchicalData, plan: HodlrPlan) {
    this.#data = data;
    this.#plan = plan;
  }

  plan(): HodlrSolvePlan {
    const { tree } = this.#data;
    const leaves = this.#level(tree.depth);
    const levels = Array.from({ length: tree.depth }, (_, level) => level);
    this.#triangles(
      'leaves, L',
      false,
      leaves.map((ν) => this.#leaf(ν)),
    );
    for (const level of levels.toReversed()) this.#up(level);
    for (const level of levels) this.#down(level);
    this.#triangles(
      'leaves, Lᵀ',
      true,
      leaves.map((ν) => this.#leaf(ν)),
    );
    const vectors = this.#plan.begin[nodesOf(tree)];
    return { steps: this.#steps, rows: tree.size + Math.max(2 * vectors, isolatedOf(tree)) };
  }

  #level(level: number): number[] {
    return Array.from({ length: 2 ** level }, (_, i) => firstOfLevel(level) + i);
  }

  /** Nodes of a level whose children are coupled. */
  #coupled(level: number): number[] {
    return this.#level(level).filter((ν) => coupled(this.#plan, ν));
  }

  /** First rows of t and w of node ν, its rank, its indices, and Q. */
  #of(ν: number): {
    readonly t: number;
    readonly w: number;
    readonly k: number;
    readonly first: number;
    readonly n: number;
    readonly q: number;
  } {
    const { tree } = this.#data;
    const { begin, basisBegin } = this.#plan;
    const t = tree.size + begin[ν];
    const [first, n] = [tree.begin[ν], tree.end[ν] - tree.begin[ν]];
    return { t, w: t + begin[nodesOf(tree)], k: begin[ν + 1] - begin[ν], first, n, q: basisBegin[ν] };
  }

  #leaf(ν: number): RowSystem {
    const { first, n } = this.#of(ν);
    return { triangle: { offset: this.#plan.factorBegin[ν], ld: n, order: n }, x: { first } };
  }

  /** C of an inner node, for w of its right child. */
  #corner(ν: number): RowSystem {
    const { k, w } = this.#of(leftChild(ν) + 1);
    return { triangle: { offset: this.#plan.factorBegin[ν] + k * k, ld: k, order: k }, x: { first: w } };
  }

  #up(level: number): void {
    const nodes = this.#coupled(level);
    const name = `upward, level ${level}`;
    this.#project(name, level, () => true);
    const right = new BlockRowsBuilder(false, -1);
    for (const ν of nodes) {
      const [l, r] = [this.#of(leftChild(ν)), this.#of(leftChild(ν) + 1)];
      const x = { offset: this.#plan.factorBegin[ν], ld: r.k, transposed: true, source: l.t, terms: r.k };
      right.add(r.w, r.k, [x], rangeOf(r.k, 1, r.t));
    }
    this.#rows(`${name}: t − Xᵀ·t`, 'factors', right);
    this.#triangles(
      `${name}: C`,
      false,
      nodes.map((ν) => this.#corner(ν)),
    );
    this.#subtract(`${name}: − t`, level);
    this.#addToRows(
      `${name}: x + Q·w`,
      nodes.map((ν) => leftChild(ν) + 1),
    );
  }

  #down(level: number): void {
    const nodes = this.#coupled(level);
    const name = `downward, level ${level}`;
    // Of left children t is zero: nothing is subtracted from their w.
    this.#project(name, level, (ν) => (ν & 1) === 0);
    const right = new BlockRowsBuilder(false);
    const left = new BlockRowsBuilder(false, -1);
    for (const ν of nodes) {
      const [l, r] = [this.#of(leftChild(ν)), this.#of(leftChild(ν) + 1)];
      right.add(r.w, r.k, [], rangeOf(r.k, 1, r.t));
      left.add(l.w, l.k, [{ offset: this.#plan.factorBegin[ν], ld: l.k, transposed: false, source: r.w, terms: l.k }]);
    }
    this.#rows(`${name}: t`, 'factors', right);
    this.#triangles(
      `${name}: Cᵀ`,
      true,
      nodes.map((ν) => this.#corner(ν)),
    );
    this.#rows(`${name}: −X·s`, 'factors', left);
    this.#subtract(`${name}: − t`, level);
    this.#addToRows(
      `${name}: x + Q·w`,
      nodes.flatMap((ν) => [leftChild(ν), leftChild(ν) + 1]),
    );
  }

  /** t = Qᵀ·x of the children of a level's nodes, zero where it is not wanted. */
  #project(name: string, level: number, wanted: (ν: number) => boolean): void {
    const builder = new BlockRowsBuilder(false);
    for (const ν of this.#level(level + 1)) {
      const { t, k, first, n, q } = this.#of(ν);
      const terms = [{ offset: q, ld: n, transposed: true, source: first, terms: n }];
      builder.add(t, k, wanted(ν) && k > 0 ? terms : []);
    }
    this.#rows(`${name}: t = Qᵀ·x`, 'bases', builder);
  }

  /** w ← w − t of all children of a level's nodes: they stand side by side. */
  #subtract(name: string, level: number): void {
    const { begin } = this.#plan;
    const [first, end] = [firstOfLevel(level + 1), firstOfLevel(level + 2)];
    const count = begin[end] - begin[first];
    const { t, w } = this.#of(first);
    if (count === 0) return;
    const [alpha, beta] = [{ constant: -1 }, { constant: 1 }];
    this.#steps.push({ name, part: 'bases', work: { kind: 'combination', x: t, y: w, count, alpha, beta } });
  }

  #addToRows(name: string, nodes: readonly number[]): void {
    const builder = new BlockRowsBuilder(true);
    for (const ν of nodes) {
      const { first, n, q, w, k } = this.#of(ν);
      builder.add(first, n, [{ offset: q, ld: n, transposed: false, source: w, terms: k }]);
    }
    this.#rows(name, 'bases', builder);
  }

  #rows(name: string, part: HodlrPart, builder: BlockRowsBuilder): void {
    if (builder.targets > 0) this.#steps.push({ name, part, rows: builder.build() });
  }

  #triangles(name: string, transposed: boolean, all: readonly RowSystem[]): void {
    const systems = all.filter(({ triangle }) => triangle.order > 0);
    if (systems.length > 0)
      this.#steps.push({ name, part: 'factors', work: { kind: 'substitutions', transposed, systems } });
  }
}

/** A solve as launches: at most 11 a level and two. Cost: the number of basis vectors and blocks. */
export const planHodlrSolve = (data: HierarchicalData, plan: HodlrPlan): HodlrSolvePlan =>
  new Planner(data, plan).plan();

/**
 * Factors K̃ + λI of format 'hodlr' on the device, from blocks that lie there and that it lets go of in the end; the
 * team splits the couplings, which takes no λ. Throws OptionError for a shift below 0, NotPositiveDefiniteError,
 * MemoryError before anything is computed there, DeviceError, DeviceLostError.
 */
export const factorHodlrOnDevice = (
  blocks: ResidentBlocks,
  shift: number,
  control: Control,
): Promise<ResidentFactors> =>
  factorThere(blocks, shift, async () => {
    const { data, device, precision, places } = blocks;
    const plan = planHodlr(data, precision);
    const splits = sharedFloats(plan.splitLength, precision);
    const state = { data, plan, splits };
    const here = await onTeam({ ...control, team: control.team ?? device.team ?? undefined }, 'factor');
    await runOnce('split couplings', splitCoupling, state, independentTasks(firstLeaf(data.tree)), here);
    return {
      plan: planHodlrElimination(data, plan, places),
      solve: planHodlrSolve(data, plan),
      kept: { bases: plan.basisLength, factors: plan.factorLength, splits },
      constants: hodlrConstants(plan),
      breakdown: (status) => breakdownOfHodlr(data, status),
    };
  });

/**
 * Puts the team's factors on a device, once. Throws MemoryError before anything is sent, NonFiniteError for numbers
 * beyond float32, DeviceError, DeviceLostError.
 */
export async function sendHodlr(
  { data, plan, bases, factors }: HodlrFactors,
  { shift, logdet }: { readonly shift: number; readonly logdet: number },
  device: Device,
  precision: Precision,
): Promise<ResidentFactors> {
  const packings = { bases: new BlockPacking(), factors: new BlockPacking() };
  const { tree } = data;
  // In the order of the plan, whose places are those there, too.
  for (let ν = 0; ν < nodesOf(tree); ν++) {
    const n = tree.end[ν] - tree.begin[ν];
    const k = plan.begin[ν + 1] - plan.begin[ν];
    if (n * k > 0) packings.bases.add({ kind: 'dense', offset: plan.basisBegin[ν], ld: n, rows: n, columns: k });
    const order = ν < firstLeaf(tree) ? plan.begin[leftChild(ν) + 1] - plan.begin[leftChild(ν)] : n;
    const columns = ν < firstLeaf(tree) ? 2 * order : order;
    if (order > 0)
      packings.factors.add({ kind: 'dense', offset: plan.factorBegin[ν], ld: order, rows: order, columns });
  }
  const { steps, rows } = planHodlrSolve(data, plan);
  const lengths = Object.values(packings).map(({ elements }) => elements);
  const all = lengths.reduce((sum, length) => sum + length, 0);
  requireFactors(device, precision, Math.max(...lengths), all);
  const values: Record<HodlrPart, DeviceBuffer> = await sendPackings(packings, { bases, factors }, device, precision);
  return sentFactors(steps, { precision, shift, logdet, values, bytes: NUMBER_BYTES[precision] * all, rows }, device);
}
