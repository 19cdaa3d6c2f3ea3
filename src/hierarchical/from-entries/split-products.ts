/**
 * Dense products by parts that several workers take: gemm, syrk and trsm within one worker's shared memory, cut into
 * fixed tiles. Tiles depend on the operands' sizes alone, so that every team computes the same bits.
 *
 *   gemm  C(:, J) ← α·op(A)·op(B)(:, J) + β·C(:, J)
 *   syrk  C(I, J) ← α·op(A)(I, :)·op(A)(J, :)ᵀ + β·C(I, J),  I ≥ J
 *   trsm  B(I, :) ← α·B(I, :)·op(A)⁻¹
 */
import type { Blas, Transpose } from '../../dense/blas.js';
import { block, view, type Matrix } from '../../dense/matrix.js';
import type { WorkerContext } from '../../parallel/task.js';

/** The routines that are cut, and gemv, which goes with them. */
export type Products = Pick<Blas, 'gemm' | 'gemv' | 'syrk' | 'trsm'>;

/** Where a worker says what is offered of its product: words and scalars; and what holds the operands. */
export interface ProductBoard {
  readonly words: Int32Array;
  readonly scalars: Float64Array;
  readonly numbers: Float64Array;
}
/** Words of a board. */
export const PRODUCT_WORDS = 16;
/** Scalars of a board: α and β. */
export const PRODUCT_SCALARS = 2;

/** Rows or columns of a tile. */
export const TILE = 256;
/** Products of fewer flops are done whole: to wake another worker takes as long. */
const LEAST_FLOPS = 2 ** 22;

/** Which routine is offered. */
const [GEMM, SYRK, TRSM] = [1, 2, 3];
/** Words: the routine, its transpositions, then the operands, each its offset, rows, columns, leading dimension. */
const [ROUTINE, FIRST, SECOND, OPERANDS] = [0, 1, 2, 3];
const OPERAND_WORDS = 4;

const tilesOf = (size: number): number => Math.ceil(size / TILE);
/** Tiles of a lower triangle. */
const triangleTiles = (size: number): number => (tilesOf(size) * (tilesOf(size) + 1)) / 2;

/** A tile of A: rows from `first` on, or columns. */
const sliceOf = (a: Matrix, rows: boolean, first: number): Matrix =>
  rows
    ? block(a, first, 0, Math.min(TILE, a.rows - first), a.cols)
    : block(a, 0, first, a.rows, Math.min(TILE, a.cols - first));

/** One worker's products, and the parts it takes of others'. */
export class SplitProducts implements Products {
  readonly #context: WorkerContext;
  readonly #own: ProductBoard;

  constructor(own: ProductBoard, context: WorkerContext) {
    this.#own = own;
    this.#context = context;
  }

  readonly gemv: Blas['gemv'] = (...args) => {
    this.#context.blas.gemv(...args);
  };

  readonly gemm: Blas['gemm'] = (...args) => {
    const [transA, transB, alpha, a, b, beta, c] = args;
    const flops = 2 * c.rows * c.cols * (transA === 'N' ? a.cols : a.rows);
    if (!this.#splits(flops, a, b, c)) this.#context.blas.gemm(...args);
    else this.#run([GEMM, transA, transB], [alpha, beta], [a, b, c], tilesOf(c.cols));
  };

  readonly syrk: Blas['syrk'] = (...args) => {
    const [uplo, trans, alpha, a, beta, c] = args;
    const flops = c.rows * c.rows * (trans === 'N' ? a.cols : a.rows);
    if (uplo !== 'L' || !this.#splits(flops, a, c)) this.#context.blas.syrk(...args);
    else this.#run([SYRK, trans, 'N'], [alpha, beta], [a, c], triangleTiles(c.rows));
  };

  readonly trsm: Blas['trsm'] = (...args) => {
    const [side, uplo, trans, diag, alpha, a, b] = args;
    const plain = side === 'R' && uplo === 'L' && diag === 'N';
    if (!plain || !this.#splits(b.rows * b.cols ** 2, a, b)) this.#context.blas.trsm(...args);
    else this.#run([TRSM, trans, 'N'], [alpha, 0], [a, b], tilesOf(b.rows));
  };

  /** Does a part of the product that stands on a worker's board. */
  part({ words, scalars, numbers }: ProductBoard, part: number): void {
    const { blas } = this.#context;
    const operand = (number: number): Matrix => {
      const at = OPERANDS + OPERAND_WORDS * number;
      return view(numbers, words[at], words[at + 1], words[at + 2], words[at + 3]);
    };
    const trans = (word: number): Transpose => (words[word] === 1 ? 'T' : 'N');
    const [alpha, beta] = scalars;
    const [a, b] = [operand(0), operand(1)];
    if (words[ROUTINE] === GEMM) {
      const c = sliceOf(operand(2), false, part * TILE);
      blas.gemm(trans(FIRST), trans(SECOND), alpha, a, sliceOf(b, words[SECOND] === 1, part * TILE), beta, c);
    } else if (words[ROUTINE] === TRSM) {
      blas.trsm('R', 'L', trans(FIRST), 'N', alpha, a, sliceOf(b, true, part * TILE));
    } else {
      let [column, before] = [0, 0];
      for (let tiles = tilesOf(b.rows); part - before >= tiles - column; column++) before += tiles - column;
      const [i, j] = [(column + part - before) * TILE, column * TILE];
      const whole = words[FIRST] === 0;
      const [left, right] = [sliceOf(a, whole, i), sliceOf(a, whole, j)];
      const c = sliceOf(sliceOf(b, true, i), false, j);
      if (i === j) blas.syrk('L', trans(FIRST), alpha, left, beta, c);
      else blas.gemm(whole ? 'N' : 'T', whole ? 'T' : 'N', alpha, left, right, beta, c);
    }
  }

  #splits(flops: number, ...operands: readonly Matrix[]): boolean {
    const { buffer } = this.#own.numbers;
    return flops >= LEAST_FLOPS && operands.every(({ data }) => data.buffer === buffer);
  }

  #run(
    [routine, first, second]: readonly [number, Transpose, Transpose],
    scalars: readonly number[],
    operands: readonly Matrix[],
    parts: number,
  ): void {
    const { words, numbers } = this.#own;
    words.set([routine, Number(first === 'T'), Number(second === 'T')]);
    this.#own.scalars.set(scalars);
    operands.forEach(({ data, offset, rows, cols, ld }, number) => {
      const at = offset + (data.byteOffset - numbers.byteOffset) / numbers.BYTES_PER_ELEMENT;
      words.set([at, rows, cols, ld], OPERANDS + OPERAND_WORDS * number);
    });
    this.#context.runParts(parts, (part) => {
      this.part(this.#own, part);
    });
  }
}
