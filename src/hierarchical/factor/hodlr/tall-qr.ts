/**
 * QR of a node's rows in blocks (matrix/row-blocks.ts): of each block by itself, then of the triangles of two children,
 * up to the node's own R; and Q on the way back.
 *
 *   A_g = Q_g·R_g,   [R_l; R_r] = Q_c·R_c,   Z_ν = I,   [Z_l; Z_r] = Q_c·Z_c,   Q(g) = Q_g·Z_g
 *
 * What has no more rows than columns stays as it is: R is that part itself and Q the identity. Where several ranks have
 * the rows, each has its own blocks, and gets the R of a sibling that it does not hold. Source: J. Demmel, L. Grigori,
 * M. Hoemmen, J. Langou, SIAM J. Sci. Comput. 34(1), 2012 (TSQR).
 */
import { floats } from '../../../core/floats.js';
import { leftChild, levelOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { HouseholderQr } from '../../../dense/householder-qr.js';
import { copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { blockLevel, eachBelow, eachBlock } from '../../matrix/row-blocks.js';
import { basisRowsOf, triangleOf, type HodlrFactorState } from './factors.js';

/** The steps, for one node after another; all that they share stands in the nodes' slots. */
export class TallQr {
  readonly #state: HodlrFactorState;
  readonly #blas: Blas;
  readonly #blockLevel: number;
  readonly #householder: HouseholderQr;
  #panel: FloatArray;

  constructor(state: HodlrFactorState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#blockLevel = blockLevel(state.data.tree);
    this.#householder = new HouseholderQr(blas);
    this.#panel = floats(0, state.plan.precision);
  }

  /** All steps at node ν, whose rows are here: its basis becomes Q, and R its triangle. */
  run(ν: number): void {
    const { share } = this.#state.data;
    if (levelOf(ν) >= this.#blockLevel) {
      this.#householder.run(basisRowsOf(this.#state, ν, ν), triangleOf(this.#state, ν));
      return;
    }
    this.factorBlocks(ν);
    for (let level = this.#blockLevel - 1; level >= levelOf(ν); level--)
      eachBelow(share, ν, level, (c) => this.combine(ν, c));
    this.expand(ν);
  }

  /** Q_g and R_g of ν's blocks. */
  factorBlocks(ν: number): void {
    const { data } = this.#state;
    eachBlock(data, ν, (g) => {
      const a = basisRowsOf(this.#state, ν, g);
      const r = this.#triangle(ν, g);
      if (a.rows > a.cols) this.#householder.run(a, r);
      else copyInto(r, a);
    });
  }

  /** R_c and Q_c from the triangles of c's children; c is ν or lies below it. */
  combine(ν: number, c: number): void {
    const stack = this.#stack(ν, c);
    const l = this.#triangle(ν, leftChild(c));
    copyInto(view(stack.data, stack.offset, l.rows, l.cols, stack.ld), l);
    const r = this.#triangle(ν, leftChild(c) + 1);
    copyInto(view(stack.data, stack.offset + l.rows, r.rows, r.cols, stack.ld), r);
    if (c === ν) this.#householder.run(stack, triangleOf(this.#state, ν));
    else if (stack.rows > stack.cols) this.#householder.run(stack, this.#triangle(ν, c));
    else copyInto(this.#triangle(ν, c), stack);
  }

  /** Q of node ν in the place of its basis. */
  expand(ν: number): void {
    const { data } = this.#state;
    for (let level = levelOf(ν); level < this.#blockLevel; level++)
      eachBelow(data.share, ν, level, (c) => {
        const z = this.#expanded(ν, c);
        let row = 0;
        for (const child of [leftChild(c), leftChild(c) + 1]) {
          const own = this.#triangle(ν, child);
          copyInto(own, view(z.data, z.offset + row, own.rows, own.cols, z.ld));
          row += own.rows;
        }
      });
    eachBlock(data, ν, (g) => {
      const a = basisRowsOf(this.#state, ν, g);
      const z = this.#triangle(ν, g);
      if (a.rows <= a.cols) copyInto(a, z);
      else copyInto(a, this.#product(a, z));
    });
  }

  /** What a holder of c's sibling needs of it: R_c. */
  numbers(ν: number, c: number): FloatArray {
    const { data, offset, rows, cols } = this.#triangle(ν, c);
    return data.subarray(offset, offset + rows * cols);
  }

  /** Q_c·Z_c. */
  #expanded(ν: number, c: number): Matrix {
    const q = this.#stack(ν, c);
    if (c === ν) return q;
    const z = this.#triangle(ν, c);
    return q.rows > q.cols ? this.#product(q, z) : z;
  }

  #product(a: Matrix, z: Matrix): Matrix {
    const out = this.#reserve(a.rows, a.cols);
    this.#blas.gemm('N', 'N', 1, a, z, 0, out);
    return out;
  }

  /** R_c of the QR for ν, and later Z_c. */
  #triangle(ν: number, c: number): Matrix {
    const { slots, plan } = this.#state;
    return view(slots, plan.slotBegin[c], this.#rows(ν, c), this.#rank(ν));
  }

  /** [R_l; R_r] of c's children, and later Q_c: behind R_c. */
  #stack(ν: number, c: number): Matrix {
    const { slots, plan } = this.#state;
    const k = this.#rank(ν);
    const rows = this.#rows(ν, leftChild(c)) + this.#rows(ν, leftChild(c) + 1);
    return view(slots, plan.slotBegin[c] + k * k, rows, k);
  }

  /** Rows of R_c. */
  #rows(ν: number, c: number): number {
    const { begin, end } = this.#state.data.tree;
    return Math.min(end[c] - begin[c], this.#rank(ν));
  }

  #rank(ν: number): number {
    const { begin } = this.#state.plan;
    return begin[ν + 1] - begin[ν];
  }

  #reserve(rows: number, cols: number): Matrix {
    if (this.#panel.length < rows * cols) this.#panel = floats(rows * cols, this.#state.plan.precision);
    return view(this.#panel, 0, rows, cols);
  }
}
