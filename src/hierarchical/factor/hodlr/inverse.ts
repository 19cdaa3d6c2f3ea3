/**
 * The diagonal of the inverse from a HODLR factorization, exactly.
 *
 * (I + Q·[0 X; Xᵀ 0]·Qᵀ)⁻¹ = I + Q·N·Qᵀ with diagonal blocks N_ll = X·C⁻ᵀ·C⁻¹·Xᵀ, N_rr = Xᵀ·X + Xᵀ·N_ll·X, so that
 *
 *   diag(A⁻¹) at a leaf = diag(L⁻ᵀ·L⁻¹) + Σ over the leaf and its ancestors μ of diag(Y_μ·N·Y_μᵀ),   Y_μ = F_μ⁻ᵀ·Q_μ:
 *
 * sums of squares, nothing cancels. Level by level from the root's children, since a level's nodes write different
 * indices. Near the root rows are worked on in blocks (matrix/row-blocks.ts), and where several ranks have them each
 * works on its own. Cost: about a factorization.
 */
import { floats } from '../../../core/floats.js';
import { leftChild, levelOf, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import type { Communicator } from '../../../distributed/communicator.js';
import { defineTask } from '../../../parallel/task.js';
import { blockLevel, eachBelow, eachBlock, heldRows } from '../../matrix/row-blocks.js';
import { addUp, SiblingExchange } from '../../ranks/exchange.js';
import { heldNodes, type Share } from '../../ranks/share.js';
import { basisRowsOf, cornerOf, leafFactorOf, type HodlrFactors } from './factors.js';
import { coupled } from './plan.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/** `out`: the diagonal in the caller's order, zero before the first level. */
export interface HodlrInverseState extends HodlrFactors {
  readonly out: Float64Array;
  /** Scratch of nodes near the root. */
  readonly slots: FloatArray;
}

/** Y_μ of a node: its rows here begin at position `begin`, with leading dimension `data.rows`. */
interface Columns {
  readonly node: number;
  readonly begin: number;
  readonly y: Matrix;
}

/** The diagonal's parts, on one thread. */
class InverseDiagonal {
  readonly #blockLevel: number;
  readonly #state: HodlrInverseState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #allocate: (length: number) => FloatArray;
  readonly #right: FloatArray;
  readonly #left: FloatArray;
  readonly #projected: FloatArray;
  #y: FloatArray;
  #product: FloatArray;

  constructor(state: HodlrInverseState, blas: Blas) {
    const { precision, mostRank: k } = state.plan;
    this.#allocate = (length) => floats(length, precision);
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    this.#blockLevel = blockLevel(state.data.tree);
    this.#right = this.#allocate(k * k);
    this.#left = this.#allocate(k * k);
    this.#projected = this.#allocate(k * k);
    this.#y = this.#allocate(0);
    this.#product = this.#allocate(0);
  }

  run(μ: number): void {
    const columns = this.#columns(μ);
    if (columns !== undefined) {
      this.#solveDown(μ, columns);
      this.finish(columns);
    }
    if (μ >= this.#leaf0) this.#leaf(μ);
  }

  /** Y_μ before it is solved for, in scratch; undefined where μ is not coupled to its sibling. */
  #columns(μ: number): Columns | undefined {
    if (μ === 0 || !coupled(this.#state.plan, parentOf(μ))) return undefined;
    const { rows, cols } = basisRowsOf(this.#state, μ, μ);
    this.#reserve(rows * cols);
    return this.#copied(μ, view(this.#y, 0, rows, cols));
  }

  /** The same in memory of its own. */
  ownColumns(μ: number): Columns | undefined {
    if (!coupled(this.#state.plan, parentOf(μ))) return undefined;
    const { rows, cols } = basisRowsOf(this.#state, μ, μ);
    return this.#copied(μ, view(this.#allocate(rows * cols), 0, rows, cols));
  }

  #copied(node: number, y: Matrix): Columns {
    copyInto(y, basisRowsOf(this.#state, node, node));
    return { node, begin: heldRows(this.#state.data).begin[node], y };
  }

  /** Adds what Y_μ·N·Y_μᵀ has on its diagonal; Y_μ is overwritten. */
  finish({ node: μ, begin, y }: Columns): void {
    const blas = this.#blas;
    const { data } = this.#state;
    const { x, c } = cornerOf(this.#state, parentOf(μ));
    eachBlock(data, μ, (g) => {
      const rows = this.#rowsOf({ node: μ, begin, y }, g);
      this.#reserve(rows.rows * rows.cols);
      const product = view(this.#product, 0, rows.rows, rows.cols);
      // Rows of Y·X·C⁻ᵀ at a left child; of Z = Y·Xᵀ and of Z·X·C⁻ᵀ at a right one.
      if ((μ & 1) === 1) {
        blas.gemm('N', 'N', 1, rows, x, 0, product);
        blas.trsm('R', 'L', 'T', 'N', 1, c, product);
        this.#addSquares(g, product);
      } else {
        blas.gemm('N', 'T', 1, rows, x, 0, product);
        this.#addSquares(g, product);
        blas.gemm('N', 'N', 1, product, x, 0, rows);
        blas.trsm('R', 'L', 'T', 'N', 1, c, rows);
        this.#addSquares(g, rows);
      }
    });
  }

  /** Rows of node ν in Y of a node above it. */
  #rowsOf({ begin, y }: Columns, ν: number): Matrix {
    const rows = heldRows(this.#state.data);
    return block(y, rows.begin[ν] - begin, 0, rows.end[ν] - rows.begin[ν], y.cols);
  }

  /** Y ← F⁻ᵀ·Y down the subtree of ν, whose rows are here. */
  #solveDown(ν: number, columns: Columns): void {
    if (ν >= this.#leaf0) {
      this.#blas.trsm('L', 'L', 'T', 'N', 1, leafFactorOf(this.#state, ν), this.#rowsOf(columns, ν));
      return;
    }
    const r = leftChild(ν) + 1;
    if (coupled(this.#state.plan, ν)) {
      this.project(r, columns);
      for (let level = this.#blockLevel - 1; level >= levelOf(r); level--)
        eachBelow(this.#state.data.share, r, level, (c) => this.addProjections(r, c, columns));
      this.couple(ν, columns);
    }
    this.#solveDown(r - 1, columns);
    this.#solveDown(r, columns);
  }

  /** The rest of `solveDown` from the nodes of a level on, once those above are done. */
  solveBelow(level: number, columns: Columns): void {
    eachBelow(this.#state.data.share, columns.node, level, (ν) => this.#solveDown(ν, columns));
  }

  /** s = Q_rᵀ·Y over each block of r. */
  project(r: number, columns: Columns): void {
    eachBlock(this.#state.data, r, (g) => {
      const s = this.#projection(r, g, columns.y.cols);
      this.#blas.gemm('T', 'N', 1, basisRowsOf(this.#state, r, g), this.#rowsOf(columns, g), 0, s);
    });
  }

  /** s over c, r or a node below it, from that over its children. */
  addProjections(r: number, c: number, { y: { cols } }: Columns): void {
    const out = this.projection(r, c, cols);
    const left = this.projection(r, leftChild(c), cols);
    const right = this.projection(r, leftChild(c) + 1, cols);
    for (let i = 0; i < out.length; i++) out[i] = left[i] + right[i];
  }

  /** s over c. */
  projection(r: number, c: number, cols: number): FloatArray {
    const { data, offset, rows } = this.#projection(r, c, cols);
    return data.subarray(offset, offset + rows * cols);
  }

  /** Of nodes below the block level, which are worked on one after another, in one place. */
  #projection(r: number, c: number, cols: number): Matrix {
    const { plan, slots } = this.#state;
    const k = plan.begin[r + 1] - plan.begin[r];
    return levelOf(c) > this.#blockLevel ? view(this.#right, 0, k, cols) : view(slots, plan.slotBegin[c], k, cols);
  }

  /** s ← C⁻ᵀ·s, Y_l −= Q_l·X·s, Y_r += Q_r·(s − its old value): the children's rows that are here. */
  couple(ν: number, columns: Columns): void {
    const { data } = this.#state;
    const blas = this.#blas;
    const l = leftChild(ν);
    const r = l + 1;
    const { x, c } = cornerOf(this.#state, ν);
    const { cols } = columns.y;
    const s = this.#projection(r, r, cols);
    const numbers = this.projection(r, r, cols);
    this.#projected.set(numbers as never);
    blas.trsm('L', 'L', 'T', 'N', 1, c, s);
    const w = view(this.#left, 0, x.rows, cols);
    blas.gemm('N', 'N', -1, x, s, 0, w);
    for (let i = 0; i < numbers.length; i++) numbers[i] -= this.#projected[i];
    for (const child of [l, r])
      if (data.share?.held[child] !== 0)
        eachBlock(data, child, (g) => {
          const q = basisRowsOf(this.#state, child, g);
          blas.gemm('N', 'N', 1, q, child === l ? w : s, 1, this.#rowsOf(columns, g));
        });
  }

  #leaf(ν: number): void {
    const factor = leafFactorOf(this.#state, ν);
    const n = factor.rows;
    this.#reserve(n * n);
    const inverse = view(this.#y, 0, n, n);
    inverse.data.fill(0, 0, n * n);
    for (let i = 0; i < n; i++) inverse.data[i * (n + 1)] = 1;
    // Rows of L⁻ᵀ.
    this.#blas.trsm('L', 'L', 'T', 'N', 1, factor, inverse);
    this.#addSquares(ν, inverse);
  }

  /** out += squared norms of the rows. */
  #addSquares(ν: number, a: Matrix): void {
    const {
      data: {
        tree: { order, begin },
      },
      out,
    } = this.#state;
    for (let j = 0; j < a.cols; j++)
      for (let i = 0; i < a.rows; i++) out[order[begin[ν] + i]] += a.data[a.offset + i + j * a.ld] ** 2;
  }

  #reserve(length: number): void {
    if (this.#y.length >= length) return;
    this.#y = this.#allocate(length);
    this.#product = this.#allocate(length);
  }
}

/** Adds what node `first + task` contributes. */
export const addInverseDiagonal = defineTask<HodlrInverseState, { readonly first: number }>(
  import.meta.url,
  'addInverseDiagonal',
  (state, context) => {
    const diagonal = new InverseDiagonal(state, context.blas);
    const { share } = state.data;
    return (task, { first }) => {
      if (share?.held[first + task] !== 0) diagonal.run(first + task);
    };
  },
);

/**
 * Adds what the nodes above a share contribute to the rows that this rank has: level by level, each from its own rows
 * and sums of k² numbers over those of others. Collective: O(log³P) messages.
 */
export function invertAbove(state: HodlrInverseState, share: Share, communicator: Communicator, blas: Blas): void {
  const diagonal = new InverseDiagonal(state, blas);
  const siblings = new SiblingExchange(communicator, share);
  const deepest = blockLevel(state.data.tree);
  const { begin } = state.plan;
  for (let top = 1; top < share.level; top++) {
    const all = Array.from(heldNodes(share, top)).flatMap((μ) => diagonal.ownColumns(μ) ?? []);
    for (let level = top; level < share.level; level++) {
      const above = (c: number, from: number): number => ((c + 1) >> (from - top)) - 1;
      const columnsOf = new Map(all.map((columns) => [columns.node, columns]));
      /** Columns for the right children of the level; there are none where the node above is not coupled. */
      const right = (c: number): boolean => (c & 1) === 0 && columnsOf.has(above(c, level + 1));
      const numbers = (c: number, d: number): FloatArray => {
        const μ = above(c, level + 1);
        return diagonal.projection(c, d, right(c) ? begin[μ + 1] - begin[μ] : 0);
      };
      const children = heldNodes(share, level + 1).filter(right);
      for (const c of children) diagonal.project(c, columnsOf.get(above(c, level + 1))!);
      addUp(share, siblings, {
        from: deepest,
        to: level + 1,
        numbers,
        add: (c, d) => {
          const columns = columnsOf.get(above(c, level + 1));
          if (columns !== undefined && right(c)) diagonal.addProjections(c, d, columns);
        },
      });
      siblings.run(level + 1, (c) => numbers(c, c));
      for (const ν of heldNodes(share, level)) {
        const columns = columnsOf.get(above(ν, level));
        if (columns !== undefined && coupled(state.plan, ν)) diagonal.couple(ν, columns);
      }
    }
    for (const columns of all) {
      diagonal.solveBelow(share.level, columns);
      diagonal.finish(columns);
    }
  }
}
