/**
 * The ULV elimination of an HSS matrix (../ulv/eliminate.ts) as launches on a device, all nodes of a level at once:
 *
 *   assemble [D_SS, D_RS, D_RR];   G = D_RS − T·D_SS,   H = D_RR − T·D_RSᵀ − G·Tᵀ = L·Lᵀ,   V = L⁻¹·G,
 *   D_SS ← D_SS − Vᵀ·V.
 *
 * T stands there, as the matrix's products read it. L and V go to `factors`, as the team's plan has them
 * (../ulv/plan.ts); `work` holds D_SS with both triangles, for a level and the one below it, and D_RS as it was
 * assembled.
 */
import { leftChild } from '../../../core/indices.js';
import { placesOfBlock, steps, type Piece, type Places } from '../../../device/work/gathers.js';
import type { BlockProducts, ProductTarget } from '../../../device/work/products.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import type { BlockPlaces } from '../../device/plan.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { leftmostLeaf, type UlvPlan } from '../ulv/plan.js';
import type { CommonBuffer, EliminationPlan, EliminationStep } from './elimination.js';

/** Buffers of an elimination. */
type UlvBuffer = CommonBuffer | 'factors';
/** The elimination as launches. */
export type UlvElimination = EliminationPlan<UlvBuffer>;

/** Launches of a level at most. */
export const MOST_LEVEL_LAUNCHES = 10;

/** What a node eliminates, and where its parts stand. */
interface NodePlaces {
  readonly ν: number;
  /** Skeletons, and variables that are eliminated. */
  readonly k: number;
  readonly r: number;
  /** L and V in `factors`. */
  readonly l: number;
  readonly v: number;
  /** D_SS and D_RS in `work`. */
  readonly ss: number;
  readonly rs: number;
  /** T in `basis`. */
  readonly t: number;
}

const single = new Int32Array(1);

class Planner {
  readonly #data: HierarchicalData;
  readonly #plan: UlvPlan;
  readonly #places: BlockPlaces;
  readonly #steps: EliminationStep<UlvBuffer>[] = [];
  #workLength = 0;

  constructor(data: HierarchicalData, plan: UlvPlan, places: BlockPlaces) {
    this.#data = data;
    this.#plan = plan;
    this.#places = places;
  }

  plan(): UlvElimination {
    const { depth } = this.#data.tree;
    this.#workLength = 2 * this.#plan.slotLength;
    for (let level = depth; level >= 0; level--) this.#level(level);
    const diagonals: Piece[] = [];
    for (let level = depth; level >= 0; level--)
      for (const { ν, r, l } of this.#nodes(level)) {
        const from = { offset: l, rows: steps(r, r + 1), columns: single };
        diagonals.push({ from, to: placesOfBlock(this.#plan.begin[ν], r, r, 1) });
      }
    this.#gather('diagonals of L', { keep: false, pieces: diagonals }, 'factors', 'diagonal');
    return { steps: this.#steps, workLength: this.#workLength, diagonals: this.#data.tree.size };
  }

  /** Where D_SS of node ν stands: levels take turns, so that a node's and its children's are apart. */
  #slotOf(ν: number, level: number): number {
    const { slotBegin, slotLength } = this.#plan;
    return (level % 2) * slotLength + slotBegin[leftmostLeaf(this.#data.tree, ν)];
  }

  /** The nodes of a level that have something. */
  #nodes(level: number): NodePlaces[] {
    const { begin, factorBegin, rank, slotLength } = this.#plan;
    const nodes: NodePlaces[] = [];
    let rs = 2 * slotLength;
    for (let ν = 2 ** level - 1; ν < 2 ** (level + 1) - 1; ν++) {
      const [k, r] = [rank[ν], begin[ν + 1] - begin[ν]];
      const l = factorBegin[ν];
      nodes.push({ ν, k, r, l, v: l + r * r, ss: this.#slotOf(ν, level), rs, t: this.#places.basis[ν] });
      rs += r * k;
    }
    this.#workLength = Math.max(this.#workLength, rs);
    return nodes;
  }

  #level(level: number): void {
    const name = `eliminate, level ${level}`;
    const nodes = this.#nodes(level);
    if (2 ** level - 1 >= firstLeaf(this.#data.tree)) this.#assembleLeaves(name, nodes);
    else this.#assembleInner(name, nodes, level);
    const both = nodes.filter(({ k, r }) => k * r > 0);
    this.#multiply(`${name}: G`, ['basis', 'work', 'factors'], both, ({ r, k, t, ss, v }) => ({
      c: { offset: v, ld: r },
      rows: r,
      columns: k,
      terms: [{ a: { offset: t, ld: r }, b: { offset: ss, ld: k }, depth: k }],
    }));
    this.#multiply(`${name}: T·D_RSᵀ`, ['basis', 'work', 'factors'], both, ({ r, k, t, rs, l }) => ({
      c: { offset: l, ld: r },
      rows: r,
      columns: r,
      lower: true,
      terms: [{ a: { offset: t, ld: r }, b: { offset: rs, ld: r, transposed: true }, depth: k }],
    }));
    this.#multiply(`${name}: G·Tᵀ`, ['factors', 'basis', 'factors'], both, ({ r, k, t, v, l }) => ({
      c: { offset: l, ld: r },
      rows: r,
      columns: r,
      lower: true,
      terms: [{ a: { offset: v, ld: r }, b: { offset: t, ld: r, transposed: true }, depth: k }],
    }));
    const triangles = nodes.filter(({ r }) => r > 0).map(({ ν, l, r }) => ({ offset: l, ld: r, order: r, status: ν }));
    if (triangles.length > 0)
      this.#steps.push({
        name: `${name}: Cholesky`,
        work: { kind: 'cholesky', triangles },
        operands: { values: 'factors', status: 'status' },
      });
    if (both.length > 0)
      this.#steps.push({
        name: `${name}: V`,
        work: {
          kind: 'substitutions',
          transposed: false,
          systems: both.map(({ l, r, v, k }) => ({
            triangle: { offset: l, ld: r, order: r },
            x: { block: { offset: v, ld: r }, columns: k },
          })),
        },
        operands: { triangles: 'factors', x: 'factors' },
      });
    this.#multiply(`${name}: Schur complement`, ['factors', 'factors', 'work'], both, ({ r, k, v, ss }) => ({
      c: { offset: ss, ld: k },
      rows: k,
      columns: k,
      terms: [{ a: { offset: v, ld: r, transposed: true }, b: { offset: v, ld: r }, depth: r }],
    }));
  }

  /** D of the leaves, from the diagonal blocks, and λ on its diagonal. */
  #assembleLeaves(name: string, nodes: readonly NodePlaces[]): void {
    const [factors, work, shiftFactors, shiftWork]: Piece[][] = [[], [], [], []];
    const { leaf } = this.#places;
    const leaf0 = firstLeaf(this.#data.tree);
    const add = (pieces: Piece[], from: Places, to: Places): void => {
      if (to.rows.length * to.columns.length > 0) pieces.push({ from, to });
    };
    for (const { ν, k, r, l, v, ss, rs } of nodes) {
      const n = k + r;
      const at = leaf[ν - leaf0];
      add(work, placesOfBlock(at, n, k, k), placesOfBlock(ss, k, k, k));
      add(work, placesOfBlock(at + k, n, r, k), placesOfBlock(rs, r, r, k));
      add(factors, placesOfBlock(at + k, n, r, k), placesOfBlock(v, r, r, k));
      add(factors, placesOfBlock(at + k * (n + 1), n, r, r), placesOfBlock(l, r, r, r));
      const shift = (count: number): Places => ({ offset: 0, rows: new Int32Array(count), columns: single });
      add(shiftWork, shift(k), { offset: ss, rows: steps(k, k + 1), columns: single });
      add(shiftFactors, shift(r), { offset: l, rows: steps(r, r + 1), columns: single });
    }
    this.#gather(`${name}: D`, { keep: false, pieces: factors }, 'leaf', 'factors');
    this.#gather(`${name}: D of skeletons`, { keep: false, pieces: work }, 'leaf', 'work');
    this.#gather(`${name}: λ`, { keep: true, pieces: shiftFactors }, 'constants', 'factors');
    this.#gather(`${name}: λ of skeletons`, { keep: true, pieces: shiftWork }, 'constants', 'work');
  }

  /**
   * D of inner nodes: S_l of the left child, S_r of the right one and their coupling B, in the order of the node's
   * skeletons and of what it eliminates.
   */
  #assembleInner(name: string, nodes: readonly NodePlaces[], level: number): void {
    const pieces = { factors: [[], []], work: [[], []] } as Record<'factors' | 'work', [Piece[], Piece[]]>;
    for (const node of nodes) this.#assemble(node, level, pieces);
    for (const to of ['factors', 'work'] as const) {
      const suffix = to === 'work' ? ' of skeletons' : '';
      this.#gather(`${name}: Schur complements${suffix}`, { keep: false, pieces: pieces[to][0] }, 'work', to);
      this.#gather(`${name}: coupling${suffix}`, { keep: false, pieces: pieces[to][1] }, 'coupling', to);
    }
  }

  #assemble(
    { ν, k, r: order, l: h, v, ss, rs }: NodePlaces,
    level: number,
    pieces: Record<'factors' | 'work', [Piece[], Piece[]]>,
  ): void {
    const {
      skeletons: { begin, gather, picked },
    } = this.#data;
    const { rank, pairOf } = this.#plan;
    const l = leftChild(ν);
    const children = [l, l + 1].map((child, side) => {
      const [size, first] = [rank[child], picked[child]];
      const skeletons: number[] = [];
      const columns: number[] = [];
      for (let s = 0; s < k; s++) {
        const place = gather[begin[ν] + s] - (side === 0 ? 0 : rank[l]);
        if (place < 0 || place >= size) continue;
        skeletons.push(s);
        columns.push(place);
      }
      // What the node eliminates of it: its last skeletons, at `row` among the node's variables.
      const row = side === 0 ? 0 : rank[l] - picked[l];
      return { at: this.#slotOf(child, level + 1), size, first, row, count: size - first, skeletons, columns };
    });
    const scaled = (list: readonly number[], step: number): Int32Array => Int32Array.from(list, (one) => one * step);
    const add = (to: Piece[], piece: Piece): void => {
      if (piece.to.rows.length * piece.to.columns.length > 0) to.push(piece);
    };
    const coupling = Math.max(0, this.#places.coupling[pairOf[l]] ?? 0);
    children.forEach((a, side) => {
      children.forEach((b, other) => {
        // Entry (i, j) of what a's rows and b's columns meet in: of one child, of B, or of Bᵀ.
        const own = side === other ? 0 : 1;
        const offset = own === 0 ? a.at : coupling;
        const [down, across] = own === 0 ? [1, a.size] : side === 0 ? [1, a.size] : [b.size, 1];
        const chosen = { rows: scaled(a.columns, down), columns: scaled(b.columns, across) };
        const rest = { rows: steps(a.count, down, a.first * down), columns: steps(b.count, across, b.first * across) };
        add(pieces.work[own], {
          from: { offset, ...chosen },
          to: { offset: ss, rows: scaled(a.skeletons, 1), columns: scaled(b.skeletons, k) },
        });
        // Of D_RR the lower triangle is enough.
        if (side >= other)
          add(pieces.factors[own], {
            from: { offset, ...rest },
            to: placesOfBlock(h + a.row + b.row * order, order, a.count, b.count),
          });
        for (const [to, at] of [
          [pieces.factors, v],
          [pieces.work, rs],
        ] as const)
          add(to[own], {
            from: { offset, rows: rest.rows, columns: chosen.columns },
            to: { offset: at + a.row, rows: steps(a.count, 1), columns: scaled(b.skeletons, order) },
          });
      });
    });
  }

  #gather(
    name: string,
    of: { readonly keep: boolean; readonly pieces: readonly Piece[] },
    from: UlvBuffer,
    to: UlvBuffer,
  ): void {
    if (of.pieces.length === 0) return;
    this.#steps.push({ name, work: { kind: 'gathers', alpha: 1, ...of }, operands: { from, to } });
  }

  #multiply(
    name: string,
    [a, b, c]: readonly [UlvBuffer, UlvBuffer, UlvBuffer],
    nodes: readonly NodePlaces[],
    of: (node: NodePlaces) => ProductTarget,
  ): void {
    if (nodes.length === 0) return;
    const work: BlockProducts = { kind: 'products', alpha: -1, beta: 1, targets: nodes.map(of) };
    this.#steps.push({ name, work, operands: { a, b, c } });
  }
}

/**
 * The elimination as launches: at most MOST_LEVEL_LAUNCHES a level and one more. Cost: the number of blocks, and of
 * skeletons squared.
 */
export const planElimination = (data: HierarchicalData, plan: UlvPlan, places: BlockPlaces): UlvElimination =>
  new Planner(data, plan, places).plan();
