/**
 * cuSOLVER on a card: a handle with the card's stream. A factorization of it is A = L·Lᵀ in place, of the lower
 * triangle of a matrix that stands by columns; the same bits each time on one card and version: it is not among the
 * functions that may give others (cuSOLVER library, cusolverDnSetDeterministicMode), and where there is a mode it is
 * set.
 */
import { NUMBER_BYTES, PRECISIONS, type Precision } from '../../core/floats.js';
import { arrayAddress } from '../../native/koffi.js';
import type { TrianglePlace } from '../work/triangles.js';
import { cublasBytes } from './cublas-handle.js';
import type { CudaContext } from './context.js';
import type { CusolverLibrary } from './cusolver.js';

/** CUBLAS_FILL_MODE_LOWER, CUSOLVER_DETERMINISTIC_RESULTS, CUDA_R_64F and CUDA_R_32F. */
const LOWER = 0;
const DETERMINISTIC = 1;
const TYPE: Readonly<Record<Precision, number>> = { f64: 1, f32: 0 };

/** Bytes that it is thought to take of a card for itself: what cuBLAS does, which it multiplies by. */
export const cusolverBytes = (architecture: number): number => cublasBytes(architecture) / 2;

/** Where memory that nobody reads may begin: what sizes are asked for with. */
const ANYWHERE = 256;

/** What a factorization is handed. */
export interface FactorOperands {
  readonly precision: Precision;
  /** Where the numbers begin that the triangle stands in. */
  readonly values: number;
  /** Memory of the card that it works in. */
  readonly at: number;
  readonly bytes: number;
  /** Where its outcome goes: an int, 0 or the number of the first pivot, from 1 on, that is not positive. */
  readonly outcome: number;
}

/** A triangle in numbers that begin at `values`, as calls take it. */
function matrixOf({ offset, ld, order }: TrianglePlace, precision: Precision, values: number): number[] {
  const type = TYPE[precision];
  return [LOWER, order, type, values + NUMBER_BYTES[precision] * offset, ld, type];
}

/** A handle of cuSOLVER. */
export class CusolverHandle {
  readonly #library: CusolverLibrary;
  readonly #context: CudaContext;
  readonly #handle: number;
  readonly #parameters: number;

  /** Makes it in the context of this thread. Throws MemoryError, DeviceError. */
  constructor(library: CusolverLibrary, context: CudaContext) {
    this.#library = library;
    this.#context = context;
    const to = new BigInt64Array(1);
    library.call('cusolverDnCreate', arrayAddress(to));
    this.#handle = Number(to[0]);
    try {
      library.call('cusolverDnSetStream', this.#handle, context.stream);
      if (library.hasModes) library.call('cusolverDnSetDeterministicMode', this.#handle, DETERMINISTIC);
      library.call('cusolverDnCreateParams', arrayAddress(to));
    } catch (error) {
      library.status('cusolverDnDestroy', this.#handle);
      throw error;
    }
    this.#parameters = Number(to[0]);
  }

  /** Bytes that the factorization of a triangle works in on the card, in any precision. Throws DeviceError. */
  bytes(triangle: TrianglePlace): number {
    return Math.max(...PRECISIONS.map((precision) => this.#sizes(matrixOf(triangle, precision, ANYWHERE))[0]));
  }

  /** The call of a factorization, which adds it to the stream each time. Throws MemoryError, DeviceError. */
  prepare(triangle: TrianglePlace, { precision, values, at, bytes, outcome }: FactorOperands): () => void {
    const matrix = matrixOf(triangle, precision, values);
    const own = new Uint8Array(this.#sizes(matrix)[1]);
    const here = own.length;
    let isUsed = false;
    return () => {
      // The call before may still read and write what is here.
      if (here > 0 && isUsed) this.#context.wait();
      isUsed = true;
      // Arrays are handed over by where they stand now.
      this.#call('cusolverDnXpotrf', ...matrix, at, bytes, here === 0 ? 0 : arrayAddress(own), here, outcome);
    };
  }

  /** Bytes that a factorization works in, on the card and here. */
  #sizes(matrix: readonly number[]): number[] {
    const sizes = new BigInt64Array(2);
    const places = [0, 8].map((byte) => arrayAddress(sizes) + byte);
    this.#call('cusolverDnXpotrf_bufferSize', ...matrix, ...places);
    return Array.from(sizes, Number);
  }

  /** Frees what it has there, when what was handed over is done; of a card that was lost nothing is left to free. */
  close(): void {
    if (this.#context.lost) return;
    this.#context.wait();
    this.#library.status('cusolverDnDestroyParams', this.#parameters);
    this.#library.status('cusolverDnDestroy', this.#handle);
  }

  #call(name: 'cusolverDnXpotrf_bufferSize' | 'cusolverDnXpotrf', ...values: number[]): void {
    try {
      this.#library.call(name, this.#handle, this.#parameters, ...values);
    } catch (error) {
      // Where the card was lost this says so; cuSOLVER cannot.
      this.#context.enter();
      throw error;
    }
  }
}
