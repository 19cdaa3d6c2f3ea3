/**
 * A symmetric matrix of low rank by its eigenvectors: U·diag(s)·Uᵀ.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { precisionOf, sharedFloats } from '../core/floats.js';
import { asFloat64 } from '../core/numbers.js';
import type { Blas } from '../dense/blas.js';
import { asVectors, copyInto, view, type FloatArray, type Matrix, type Vectors } from '../dense/matrix.js';
import type { Team } from '../parallel/team.js';
import { BlockWorkspace, byChunks } from '../operator/block-workspace.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { trustClass } from '../operator/self-check.js';
import { PanelAlgebra } from './panel-algebra.js';

const isShared = (a: Matrix): boolean => a.data.buffer instanceof SharedArrayBuffer;

/**
 * A = U·diag(s)·Uᵀ with U of size N × r and s of length r; 4Nr flops a vector. U's precision is that of the vectors
 * (others: `converted`). An array over shared memory that U fills is kept as it is, others are copied. With a team, its
 * workers share each product; the bits are the same. Workspaces of (r + 2N) × at most 256 vectors, kept between
 * products; those of N vectors only where a team works and vectors are not over shared memory.
 */
export class LowRankOperator implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  /** N × r, orthonormal columns where a decomposition made it. */
  readonly vectors: Matrix;
  /** s, of length r. */
  readonly values: Float64Array;
  readonly #algebra: PanelAlgebra;
  readonly #small = new BlockWorkspace();
  readonly #input = new BlockWorkspace();
  readonly #output = new BlockWorkspace();

  /** Throws ShapeError, NonFiniteError (values that are not finite). */
  constructor(givenVectors: Vectors, givenValues: ArrayLike<number>, blas: Blas, team?: Team) {
    const vectors = asVectors(givenVectors, 'vectors');
    const values = asFloat64(givenValues, 'values');
    const { rows, cols } = vectors;
    if (values.length !== cols)
      throw new ShapeError(`There are ${values.length} values for ${cols} vectors.`, {
        values: values.length,
        vectors: cols,
      });
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) throw new NonFiniteError(`Value ${i} is ${value}.`, { index: i, value });
    });
    this.rows = rows;
    this.cols = rows;
    this.values = values;
    this.vectors =
      isShared(vectors) && vectors.offset === 0 && vectors.data.length === rows * cols ? vectors : tight(vectors);
    this.#algebra = new PanelAlgebra(blas, team);
  }

  get rank(): number {
    return this.values.length;
  }

  /** Bytes of the two arrays: N·r numbers in U's precision and r of float64. */
  get bytes(): number {
    return this.vectors.data.byteLength + this.values.byteLength;
  }

  /** ‖A‖_F² = Σ s², where the columns of U are orthonormal. */
  get squaredNorm(): number {
    return this.values.reduce((sum, value) => sum + value * value, 0);
  }

  flops(vectors: number): number {
    return 4 * this.rows * this.rank * vectors;
  }

  diagonal(out: Float64Array): void {
    const { vectors: u, values } = this;
    out.fill(0);
    for (let k = 0; k < values.length; k++)
      for (let i = 0, at = u.offset + k * u.ld; i < u.rows; i++, at++) out[i] += values[k] * u.data[at] ** 2;
  }

  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    byChunks(out, x, (y, z) => {
      this.#multiply(y, z, alpha, beta);
    });
  }

  #multiply(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const { vectors: u, values } = this;
    const algebra = this.#algebra;
    const r = values.length;
    const p = x.cols;
    const input = this.#staged(x, this.#input);
    if (input !== x) copyInto(input, x);
    const small = this.#small.take(r, p, x.data);
    algebra.cross(u, input, small);
    for (let j = 0; j < p; j++) for (let i = 0; i < r; i++) small.data[i + j * r] *= values[i];
    const output = this.#staged(out, this.#output);
    if (output !== out && beta !== 0) copyInto(output, out);
    algebra.multiply(alpha, u, small, beta, output);
    if (output !== out) copyInto(out, output);
  }

  /** The block itself where the workers can see it or none work, else a workspace of its shape. */
  #staged(a: Matrix, workspace: BlockWorkspace): Matrix {
    return this.#algebra.team === undefined || isShared(a) ? a : workspace.take(a.rows, a.cols, a.data);
  }
}
trustClass(LowRankOperator);

function tight(a: Matrix): Matrix {
  const length = a.rows * a.cols;
  const data: FloatArray = sharedFloats(length, precisionOf(a.data));
  const copy = view(data, 0, a.rows, a.cols);
  copyInto(copy, a);
  return copy;
}
