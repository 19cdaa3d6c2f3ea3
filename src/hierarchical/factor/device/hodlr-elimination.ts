/**
 * The factorization of a HODLR matrix (../hodlr/factor.ts) as launches on a device, all nodes of a level at once:
 *
 *   W = P·G of all nodes, D + λI = L·Lᵀ of leaves, W ← L⁻¹·W;   a level, from the leaves up:
 *   X = R_l·R_rᵀ,  C·Cᵀ = I − Xᵀ·X,  t = Qᵀ·W(c),  W(r) ← W(r) + Q_r·(C⁻¹·(t_r − Xᵀ·t_l) − t_r);   W = Q·R.
 *
 * P and D stand there, as the matrix's products read them; G, which splits the couplings and depends on no λ, is sent.
 * Q takes the place of W in `bases`, L, X and C go to `factors`, as the team's plan has them. `work` holds R of all
 * nodes, then what a level needs.
 *
 * Long sums, and QR of rows, are cut into blocks of rows, those of the nodes of one level: each block by itself, then
 * what they give together, of which QR takes 2^FAN triangles at a time (J. Demmel, L. Grigori, M. Hoemmen, J. Langou,
 * SIAM J. Sci. Comput. 34(1), 2012).
 */
import { floats, type FloatArray } from '../../../core/floats.js';
import { firstOfLevel, leftChild, levelOf, parentOf } from '../../../core/indices.js';
import { placesOfBlock, steps, type Piece, type Places } from '../../../device/work/gathers.js';
import type { BlockProducts, ProductTarget, ProductTerm } from '../../../device/work/products.js';
import type { QrBlock } from '../../../device/work/qr.js';
import type { Substitutions } from '../../../device/work/triangles.js';
import { firstLeaf, leavesOf } from '../../../tree/cluster-tree.js';
import type { BlockPlaces } from '../../device/plan.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { columnsAbove, coupled, type HodlrPlan } from '../hodlr/plan.js';
import type { CommonBuffer, EliminationPlan, EliminationStep } from './elimination.js';

/** Buffers that a factorization keeps, and those of its elimination. */
export type HodlrBuffer = 'bases' | 'factors' | 'splits';
type Buffer = CommonBuffer | HodlrBuffer;

/** Rows of a block on average, at least: a few times the ranks that are usual. */
const BLOCK_ROWS = 256;
/** Levels whose triangles are factored together. */
export const FAN = 2;

/** Launches of a level at most, but for QR. */
export const MOST_LEVEL_LAUNCHES = 11;

/** Where I of the order of the largest rank stands in `constants`, behind λ. */
const IDENTITY = 1;

const single = new Int32Array(1);

/** A block of columns side by side. */
interface Panel {
  readonly offset: number;
  readonly ld: number;
}

class Planner {
  readonly #data: HierarchicalData;
  readonly #plan: HodlrPlan;
  readonly #places: BlockPlaces;
  readonly #steps: EliminationStep<Buffer>[] = [];
  readonly #blockLevels: readonly number[];
  #workLength: number;

  constructor(data: HierarchicalData, plan: HodlrPlan, places: BlockPlaces) {
    this.#data = data;
    this.#plan = plan;
    this.#places = places;
    this.#workLength = plan.triangleLength;
    this.#blockLevels = Array.from({ length: data.tree.depth + 1 }, (_, level) => this.#blockLevelOf(level));
  }

  plan(): EliminationPlan<Buffer> {
    const { depth } = this.#data.tree;
    this.#bases();
    this.#leaves();
    for (let level = depth; level >= 0; level--) {
      if (level < depth) this.#inner(level);
      if (level > 0) this.#orthonormalize(level);
    }
    const diagonals = this.#diagonals();
    return { steps: this.#steps, workLength: this.#workLength, diagonals };
  }

  #level(level: number): number[] {
    return Array.from({ length: 2 ** level }, (_, i) => firstOfLevel(level) + i);
  }

  #rank(ν: number): number {
    return this.#plan.begin[ν + 1] - this.#plan.begin[ν];
  }

  #rowsOf(ν: number): number {
    const { begin, end } = this.#data.tree;
    return end[ν] - begin[ν];
  }

  /** Nodes with bases above node ν, and it where `own`. */
  #above(ν: number, own: boolean): number[] {
    const nodes: number[] = [];
    for (let μ = own ? ν : parentOf(ν); μ > 0; μ = parentOf(μ)) if (this.#rank(μ) > 0) nodes.push(μ);
    return nodes;
  }

  /** Rows of node g, it or below, in the basis of node ν. */
  #basis(ν: number, g: number): Panel {
    const { begin } = this.#data.tree;
    return { offset: this.#plan.basisBegin[ν] + begin[g] - begin[ν], ld: this.#rowsOf(ν) };
  }

  /** R of node ν. */
  #triangle(ν: number): Panel {
    return { offset: this.#plan.triangleBegin[ν], ld: this.#rank(ν) };
  }

  /** Numbers of `work` for a level, after those of levels before. */
  #reserve(from: number, length: number): number {
    this.#workLength = Math.max(this.#workLength, from + length);
    return from;
  }

  /** The level whose nodes' rows are blocks of a node on `level`: their ranks have room in each. */
  #blockLevelOf(level: number): number {
    const { depth, size } = this.#data.tree;
    const most = this.#level(level).reduce((largest, ν) => Math.max(largest, this.#rank(ν)), 0);
    const fits = (at: number): boolean => this.#level(at).every((g) => this.#rowsOf(g) >= 2 * most);
    let at = Math.max(level, Math.min(depth, Math.floor(Math.log2(size / BLOCK_ROWS))));
    while (at > level && !fits(at)) at--;
    return at;
  }

  /** The blocks of node ν. */
  #blocks(ν: number, blockLevel: number): number[] {
    const count = 2 ** (blockLevel - levelOf(ν));
    return Array.from({ length: count }, (_, i) => (ν + 1) * count - 1 + i);
  }

  /** W = P·G of all nodes. */
  #bases(): void {
    const { tree, skeletons } = this.#data;
    const { splitBegin } = this.#plan;
    const leaf0 = firstLeaf(tree);
    const pieces: Piece[] = [];
    const targets: ProductTarget[] = [];
    for (let ν = 1; ν < leaf0 + leavesOf(tree); ν++) {
      const k = this.#rank(ν);
      if (k === 0) continue;
      const stored = skeletons.begin[ν + 1] - skeletons.begin[ν];
      const split = { offset: splitBegin[ν], ld: stored };
      const leaf = ν >= leaf0;
      // A leaf's interpolation is [I; Tᵀ]: of it, T stands there.
      if (leaf)
        pieces.push({
          from: placesOfBlock(split.offset, stored, stored, k),
          to: placesOfBlock(this.#plan.basisBegin[ν], this.#rowsOf(ν), stored, k),
        });
      const ld = this.#rowsOf(ν) - (leaf ? stored : 0);
      const blockLevel = this.#blockLevels[levelOf(ν)];
      for (const g of this.#blocks(ν, blockLevel)) {
        const first = tree.begin[g] - tree.begin[ν];
        const rows = this.#rowsOf(g) - (leaf ? stored : 0);
        const { offset, ld: step } = this.#basis(ν, g);
        const c = { offset: offset + (leaf ? stored : 0), ld: step };
        const a = { offset: this.#places.basis[ν] + first, ld };
        if (rows > 0) targets.push({ c, rows, columns: k, terms: [{ a, b: split, depth: stored }] });
      }
    }
    this.#gather('bases: G', { keep: false, pieces }, 'splits', 'bases');
    this.#multiply('bases: P·G', { alpha: 1, beta: 0, targets }, ['basis', 'splits', 'bases']);
  }

  /** L of the leaves, and their rows of all bases. */
  #leaves(): void {
    const { tree } = this.#data;
    const leaf0 = firstLeaf(tree);
    const leaves = this.#level(tree.depth).filter((ν) => this.#rowsOf(ν) > 0);
    const factorOf = (ν: number): Places => {
      const n = this.#rowsOf(ν);
      return placesOfBlock(this.#plan.factorBegin[ν], n, n, n);
    };
    const pieces = leaves.map((ν): Piece => {
      const n = this.#rowsOf(ν);
      return { from: placesOfBlock(this.#places.leaf[ν - leaf0], n, n, n), to: factorOf(ν) };
    });
    this.#gather('leaves: D', { keep: false, pieces }, 'leaf', 'factors');
    const add = (offset: number, n: number): Piece => this.#onDiagonal(0, offset, n);
    const shifts = leaves.map((ν) => add(this.#plan.factorBegin[ν], this.#rowsOf(ν)));
    this.#gather('leaves: λ', { keep: true, pieces: shifts }, 'constants', 'factors');
    const triangleOf = (ν: number): { offset: number; ld: number; order: number } => {
      const n = this.#rowsOf(ν);
      return { offset: this.#plan.factorBegin[ν], ld: n, order: n };
    };
    if (leaves.length > 0)
      this.#steps.push({
        name: 'leaves: Cholesky',
        work: { kind: 'cholesky', triangles: leaves.map((ν) => ({ ...triangleOf(ν), status: ν })) },
        operands: { values: 'factors', status: 'status' },
      });
    const systems = leaves.flatMap((ν) =>
      this.#above(ν, true).map((μ) => ({
        triangle: triangleOf(ν),
        x: { block: this.#basis(μ, ν), columns: this.#rank(μ) },
      })),
    );
    this.#solve('leaves: L⁻¹·W', systems, 'bases');
  }

  /** One of the constants, added to a diagonal. */
  #onDiagonal(constant: number, offset: number, n: number): Piece {
    return {
      from: { offset: constant, rows: new Int32Array(n), columns: single },
      to: { offset, rows: steps(n, n + 1), columns: single },
    };
  }

  /** X and C of a level's nodes, and their factors applied to the bases above. */
  #inner(level: number): void {
    const name = `factor, level ${level}`;
    const nodes = this.#level(level).filter((ν) => coupled(this.#plan, ν));
    if (nodes.length === 0) return;
    const { factorBegin } = this.#plan;
    const ranks = nodes.map((ν) => this.#rank(leftChild(ν)));
    const xOf = (ν: number, k: number): Panel => ({ offset: factorBegin[ν], ld: k });
    const cOf = (ν: number, k: number): Panel => ({ offset: factorBegin[ν] + k * k, ld: k });
    const square = (of: (ν: number, k: number) => Pick<ProductTarget, 'c' | 'terms' | 'lower'>): ProductTarget[] =>
      nodes.map((ν, i) => ({ rows: ranks[i], columns: ranks[i], ...of(ν, ranks[i]) }));
    const crossed = square((ν, k) => {
      const [a, b] = [this.#triangle(leftChild(ν)), { ...this.#triangle(leftChild(ν) + 1), transposed: true }];
      return { c: xOf(ν, k), terms: [{ a, b, depth: k }] };
    });
    this.#multiply(`${name}: X`, { alpha: 1, beta: 0, targets: crossed }, ['work', 'work', 'factors']);
    const complements = square((ν, k) => {
      const x = xOf(ν, k);
      return { c: cOf(ν, k), lower: true, terms: [{ a: { ...x, transposed: true }, b: x, depth: k }] };
    });
    this.#multiply(`${name}: −XᵀX`, { alpha: -1, beta: 0, targets: complements }, ['factors', 'factors', 'factors']);
    const ones = nodes.map((ν, i) => this.#onDiagonal(IDENTITY, cOf(ν, ranks[i]).offset, ranks[i]));
    this.#gather(`${name}: I − XᵀX`, { keep: true, pieces: ones }, 'constants', 'factors');
    const triangles = nodes.map((ν, i) => ({ ...cOf(ν, ranks[i]), order: ranks[i] }));
    this.#steps.push({
      name: `${name}: Cholesky`,
      work: { kind: 'cholesky', triangles: triangles.map((triangle, i) => ({ ...triangle, status: nodes[i] })) },
      operands: { values: 'factors', status: 'status' },
    });
    this.#update(name, level, { nodes, triangles, xOf });
  }

  /** W(r) ← W(r) + Q_r·(C⁻¹·(t_r − Xᵀ·t_l) − t_r) of all bases above, t = Qᵀ·W(c). */
  #update(
    name: string,
    level: number,
    {
      nodes,
      triangles,
      xOf,
    }: {
      readonly nodes: readonly number[];
      readonly triangles: readonly { readonly offset: number; readonly ld: number; readonly order: number }[];
      readonly xOf: (ν: number, k: number) => Panel;
    },
  ): void {
    if (level === 0) return;
    const blockLevel = this.#blockLevels[level + 1];
    const split = blockLevel > level + 1;
    const children = nodes.flatMap((ν) => [leftChild(ν), leftChild(ν) + 1]);
    // t of all children, then w of right ones, then what each block adds to t.
    let at = this.#plan.triangleLength;
    const take = (numbers: number): number => {
      at += numbers;
      return this.#reserve(at - numbers, numbers);
    };
    const widthOf = (child: number): number => columnsAbove(this.#plan, child);
    const t = new Map(children.map((child) => [child, take(this.#rank(child) * widthOf(child))]));
    const w = new Map(nodes.map((ν) => [ν, take(this.#rank(leftChild(ν)) * widthOf(leftChild(ν)))]));
    const partial: ProductTarget[] = [];
    const sums: ProductTarget[] = [];
    const updates: ProductTarget[] = [];
    for (const child of children) {
      const k = this.#rank(child);
      const columns = widthOf(child);
      const terms: ProductTerm[] = [];
      for (const g of this.#blocks(child, blockLevel)) {
        const out = split ? take(k * columns) : t.get(child)!;
        const q = this.#basis(child, g);
        const rows = this.#rowsOf(g);
        let column = 0;
        for (const μ of this.#above(child, false)) {
          const b = this.#basis(μ, g);
          const of = { a: { ...q, transposed: true }, b, depth: rows };
          partial.push({ c: { offset: out + column * k, ld: k }, rows: k, columns: this.#rank(μ), terms: [of] });
          if ((child & 1) === 0) {
            const x = { offset: w.get(parentOf(child))! + column * k, ld: k };
            updates.push({ c: b, rows, columns: this.#rank(μ), terms: [{ a: q, b: x, depth: k }] });
          }
          column += this.#rank(μ);
        }
        terms.push({ a: { offset: IDENTITY, ld: this.#plan.mostRank }, b: { offset: out, ld: k }, depth: k });
      }
      if (columns > 0) sums.push({ c: { offset: t.get(child)!, ld: k }, rows: k, columns, terms });
    }
    this.#multiply(`${name}: Qᵀ·W`, { alpha: 1, beta: 0, targets: partial }, ['bases', 'bases', 'work']);
    if (split) this.#multiply(`${name}: sums`, { alpha: 1, beta: 0, targets: sums }, ['constants', 'work', 'work']);
    const wide = nodes.filter((ν) => widthOf(leftChild(ν)) > 0);
    const copies = wide.map((ν): Piece => {
      const [k, columns] = [this.#rank(leftChild(ν)), widthOf(leftChild(ν))];
      const place = (offset: number): Places => placesOfBlock(offset, k, k, columns);
      return { from: place(t.get(leftChild(ν) + 1)!), to: place(w.get(ν)!) };
    });
    this.#gather(`${name}: t`, { keep: false, pieces: copies }, 'work', 'work');
    const crossed = wide.map((ν): ProductTarget => {
      const l = leftChild(ν);
      const k = this.#rank(l);
      const terms = [{ a: { ...xOf(ν, k), transposed: true }, b: { offset: t.get(l)!, ld: k }, depth: k }];
      return { c: { offset: w.get(ν)!, ld: k }, rows: k, columns: widthOf(l), terms };
    });
    this.#multiply(`${name}: t − Xᵀ·t`, { alpha: -1, beta: 1, targets: crossed }, ['factors', 'work', 'work']);
    const systems = nodes.flatMap((ν, i) => {
      const block = { offset: w.get(ν)!, ld: triangles[i].order };
      const columns = widthOf(leftChild(ν));
      return columns === 0 ? [] : [{ triangle: triangles[i], x: { block, columns } }];
    });
    this.#solve(`${name}: C⁻¹`, systems, 'work');
    this.#gather(`${name}: − t`, { keep: true, alpha: -1, pieces: copies }, 'work', 'work');
    this.#multiply(`${name}: W + Q·w`, { alpha: 1, beta: 1, targets: updates }, ['bases', 'work', 'bases']);
  }

  /** W = Q·R of a level's nodes: of blocks, then of their triangles, and Q on the way back. */
  #orthonormalize(level: number): void {
    const name = `QR, level ${level}`;
    const nodes = this.#level(level).filter((ν) => this.#rank(ν) > 0);
    if (nodes.length === 0) return;
    // Levels whose nodes' rows, or stacked triangles, are factored: those of blocks first.
    const levels = [this.#blockLevels[level]];
    while (levels[levels.length - 1] > level) levels.push(Math.max(level, levels[levels.length - 1] - FAN));
    let at = this.#plan.triangleLength;
    /** The stacked triangles below node c, for the basis of node ν: rows of level i − 1 in each of level i. */
    const stacks = levels.map((one, i) => {
      const places = new Map<number, number>();
      for (const ν of i === 0 ? [] : nodes)
        for (const c of this.#blocks(ν, one)) {
          const numbers = 2 ** (levels[i - 1] - one) * this.#rank(ν) ** 2;
          places.set(c, this.#reserve(at, numbers));
          at += numbers;
        }
      return places;
    });
    /** What stage i factors of node c, and the place of a triangle in the stack above it. */
    const factored = (i: number, ν: number, c: number): Panel =>
      i === 0 ? this.#basis(ν, c) : { offset: stacks[i].get(c)!, ld: 2 ** (levels[i - 1] - levels[i]) * this.#rank(ν) };
    const within = (i: number, ν: number, c: number): Panel => {
      const down = levels[i] - levels[i + 1];
      const parent = Math.floor((c + 1) / 2 ** down) - 1;
      const { offset, ld } = factored(i + 1, ν, parent);
      return { offset: offset + ((c + 1) % 2 ** down) * this.#rank(ν), ld };
    };
    const last = levels.length - 1;
    const rowsOf = (i: number, ν: number, c: number): number => (i === 0 ? this.#rowsOf(c) : factored(i, ν, c).ld);
    levels.forEach((one, i) => {
      const blocks = nodes.flatMap((ν) =>
        this.#blocks(ν, one).map((c): QrBlock => ({
          a: factored(i, ν, c),
          r: i === last ? this.#triangle(ν) : within(i, ν, c),
          rows: rowsOf(i, ν, c),
          columns: this.#rank(ν),
        })),
      );
      const operands = { values: i === 0 ? 'bases' : 'work', triangles: 'work' } as const;
      this.#steps.push({ name, work: { kind: 'qr', blocks }, operands });
    });
    // Q_c·Z_c, to a place of its own, and back.
    for (let i = last - 1; i >= 0; i--) {
      const pieces: Piece[] = [];
      const targets: ProductTarget[] = [];
      let to = at;
      for (const ν of nodes)
        for (const c of this.#blocks(ν, levels[i])) {
          const [k, rows] = [this.#rank(ν), rowsOf(i, ν, c)];
          const { offset, ld } = factored(i, ν, c);
          targets.push({
            c: { offset: this.#reserve(to, rows * k), ld: rows },
            rows,
            columns: k,
            terms: [{ a: { offset, ld }, b: within(i, ν, c), depth: k }],
          });
          pieces.push({ from: placesOfBlock(to, rows, rows, k), to: placesOfBlock(offset, ld, rows, k) });
          to += rows * k;
        }
      const buffer = i === 0 ? 'bases' : 'work';
      this.#multiply(`${name}: Q·Z`, { alpha: 1, beta: 0, targets }, [buffer, 'work', 'work']);
      this.#gather(`${name}: Q`, { keep: false, pieces }, 'work', buffer);
    }
  }

  /** Diagonals of L, where their indices stand, then of C: how many numbers. */
  #diagonals(): number {
    const { tree } = this.#data;
    const pieces: Piece[] = [];
    let at = tree.size;
    const add = (offset: number, n: number, to: number): void => {
      if (n > 0)
        pieces.push({ from: { offset, rows: steps(n, n + 1), columns: single }, to: placesOfBlock(to, n, n, 1) });
    };
    for (const ν of this.#level(tree.depth)) add(this.#plan.factorBegin[ν], this.#rowsOf(ν), tree.begin[ν]);
    for (let ν = 0; ν < firstLeaf(tree); ν++) {
      const k = this.#rank(leftChild(ν));
      add(this.#plan.factorBegin[ν] + k * k, k, at);
      at += k;
    }
    this.#gather('diagonals', { keep: false, pieces }, 'factors', 'diagonal');
    return at;
  }

  #gather(
    name: string,
    { alpha = 1, ...of }: { readonly keep: boolean; readonly alpha?: number; readonly pieces: readonly Piece[] },
    from: Buffer,
    to: Buffer,
  ): void {
    if (of.pieces.length > 0)
      this.#steps.push({ name, work: { kind: 'gathers', alpha, ...of }, operands: { from, to } });
  }

  #multiply(name: string, work: Omit<BlockProducts, 'kind'>, [a, b, c]: readonly [Buffer, Buffer, Buffer]): void {
    if (work.targets.length > 0) this.#steps.push({ name, work: { kind: 'products', ...work }, operands: { a, b, c } });
  }

  #solve(name: string, systems: Substitutions['systems'], x: Buffer): void {
    if (systems.length === 0) return;
    const work = { kind: 'substitutions', transposed: false, systems } as const;
    this.#steps.push({ name, work, operands: { triangles: 'factors', x } });
  }
}

/**
 * The elimination as launches: a level takes at most MOST_LEVEL_LAUNCHES, and for its QR one and, where rows are cut
 * into blocks, 3 for each FAN levels between; and 7 more. Cost: the number of blocks, times the depth.
 */
export const planHodlrElimination = (
  data: HierarchicalData,
  plan: HodlrPlan,
  places: BlockPlaces,
): EliminationPlan<Buffer> => new Planner(data, plan, places).plan();

/** What stands behind λ. */
export function hodlrConstants({ mostRank: k, precision }: HodlrPlan): FloatArray {
  const identity = floats(k * k, precision);
  for (let i = 0; i < k; i++) identity[i * (k + 1)] = 1;
  return identity;
}
