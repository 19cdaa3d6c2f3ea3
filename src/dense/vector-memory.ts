/**
 * One linear memory for a training run: a shared WebAssembly.Memory that the elementwise kernels address by themselves,
 * that a BLAS takes as typed arrays, and that workers get as it is. Nothing is copied between the three. An array that
 * has been taken stays until the memory goes.
 *
 *     the kernels' constants, and where the next array begins (one page) ─ arrays, each from a multiple of 64 bytes on
 */
import { NUMBER_BYTES, type Precision } from '../core/floats.js';
import { MemoryError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { inUnits, requireMemory } from '../core/memory.js';
import type { FloatArray } from './matrix.js';
import { PortableTensorKernels } from './portable/tensor-kernels.js';
import { instantiate, TrainingKernels } from './portable/training-kernels.js';
import { WebAssembly, type SharedMemory } from './portable/web-assembly.js';
import type { TensorKernels } from './tensor-kernels.js';
import type { VectorKernels } from './vector-kernels.js';

export type { ChunkAxis, PoolShape, TensorKernels } from './tensor-kernels.js';
export type {
  ActivationKind,
  AdamDirectionNumbers,
  AdamNumbers,
  LossKind,
  MeanKind,
  VectorKernels,
} from './vector-kernels.js';

const PAGE = 65536;
/** What 32-bit addresses reach. */
const MOST_PAGES = 65536;
/** Arrays begin at multiples of this many bytes: a cache line. */
const LINE = 64;
/** Where, in 32-bit words, the number of lines that are taken stands: the last word of the first page. */
const TAKEN = PAGE / 4 - 1;

/** A linear memory and its kernels on this thread. */
export class VectorMemory {
  readonly #memory: SharedMemory;
  readonly #words: Int32Array;
  #instance: object | undefined;
  readonly #kernels: Partial<Record<Precision, VectorKernels>> = {};
  readonly #tensorKernels: Partial<Record<Precision, TensorKernels>> = {};

  private constructor(memory: SharedMemory) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer, 0, PAGE / 4);
  }

  /**
   * A memory, all zero, with room for arrays of `bytes` together, each counted by `bytesOf`; the system commits what is
   * touched. Throws MemoryError, saying that `what` wanted it, beyond 4 GiB, beyond `limit` (default: none), or where
   * the process cannot have it.
   */
  static open(bytes: number, what = 'A linear memory', limit = Infinity): VectorMemory {
    requireMemory(bytes, limit, { what: `${what} needs`, advice: 'take smaller batches, or raise memoryLimit.' });
    const pages = Math.ceil(bytes / PAGE) + 1;
    if (!(pages <= MOST_PAGES)) {
      throw new MemoryError(
        `${what} needs ${inUnits(bytes)} of memory that 32-bit WebAssembly addresses, and that reaches ` +
          `${inUnits(VectorMemory.most)}.`,
        { bytes, limit: VectorMemory.most },
      );
    }
    let memory: SharedMemory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch {
      throw new MemoryError(
        `${what} needs ${inUnits(bytes)} of memory in one piece, more than this process can have.`,
        { bytes },
      );
    }
    const opened = new VectorMemory(memory);
    Atomics.store(opened.#words, TAKEN, PAGE / LINE);
    return opened;
  }

  /** The memory that another thread opened and sent to this one. Throws ShapeError for anything else. */
  static over(memory: object): VectorMemory {
    const { buffer } = memory as SharedMemory;
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < PAGE)
      throw new ShapeError(`A VectorMemory is put over the memory of another one, not ${describe(memory)}.`);
    return new VectorMemory(memory as SharedMemory);
  }

  /** Most bytes of a memory. */
  static readonly most = (MOST_PAGES - 1) * PAGE;

  /** What `take` uses up for an array. */
  static bytesOf(length: number, precision: Precision): number {
    return Math.ceil((length * NUMBER_BYTES[precision]) / LINE) * LINE;
  }

  /** Bytes of all of it. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** What to send to workers. A typed array that is sent arrives over another buffer: send its offset, for `at`. */
  get memory(): object {
    return this.#memory;
  }

  /** The next free array, zero, from a multiple of 64 bytes on; any thread may take. Throws MemoryError when full. */
  take(length: number, precision: Precision): FloatArray {
    return this.at(this.#reserve(VectorMemory.bytesOf(length, precision)), length, precision);
  }

  /** An array of indices, as `take`; it uses up what one of float32 does. */
  takeIndices(length: number): Int32Array {
    return this.indicesAt(this.#reserve(VectorMemory.bytesOf(length, 'f32')), length);
  }

  /** Where the next free bytes begin, which are taken now. */
  #reserve(bytes: number): number {
    const { byteLength } = this.#memory.buffer;
    const words = this.#words;
    for (;;) {
      const lines = Atomics.load(words, TAKEN);
      const free = byteLength - lines * LINE;
      if (!(bytes <= free)) {
        throw new MemoryError(
          `An array of ${inUnits(bytes)} is to lie in a linear memory of which ${inUnits(free)} are free.`,
          { bytes, available: free },
        );
      }
      if (Atomics.compareExchange(words, TAKEN, lines, lines + bytes / LINE) === lines) return lines * LINE;
    }
  }

  /**
   * The numbers from `byteOffset` on, as a thread has taken them. Throws ShapeError where they are not all in the
   * memory, or not at a multiple of their width.
   */
  at(byteOffset: number, length: number, precision: Precision): FloatArray {
    const buffer = this.#bufferWith(byteOffset, length, NUMBER_BYTES[precision]);
    return precision === 'f64'
      ? new Float64Array(buffer, byteOffset, length)
      : new Float32Array(buffer, byteOffset, length);
  }

  /** All of the memory, for views of matrices: number k lies at byte k·width; the first page is not to be written. */
  all(precision: Precision): FloatArray {
    const { buffer } = this.#memory;
    const length = Math.floor(buffer.byteLength / NUMBER_BYTES[precision]);
    return precision === 'f64' ? new Float64Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
  }

  /** The indices from `byteOffset` on, as `at`. */
  indicesAt(byteOffset: number, length: number): Int32Array {
    return new Int32Array(this.#bufferWith(byteOffset, length, Int32Array.BYTES_PER_ELEMENT), byteOffset, length);
  }

  #bufferWith(byteOffset: number, length: number, width: number): SharedArrayBuffer {
    const { buffer } = this.#memory;
    if (
      !Number.isInteger(length) ||
      length < 0 ||
      !Number.isInteger(byteOffset / width) ||
      byteOffset < PAGE ||
      byteOffset + length * width > buffer.byteLength
    ) {
      throw new ShapeError(
        `${length} numbers of ${width} bytes from byte ${byteOffset} on are no array of a linear memory of ` +
          `${buffer.byteLength} bytes, the first ${PAGE} of which are its own.`,
        { byteOffset, length, width, size: buffer.byteLength },
      );
    }
    return buffer;
  }

  /** The kernels of a precision, made on first use. Throws MemoryError, LibraryError where WebAssembly cannot run. */
  kernels(precision: Precision): VectorKernels {
    return (this.#kernels[precision] ??= new TrainingKernels(this.#exports(), this.#memory.buffer, precision));
  }

  /** The kernels of tensors of a precision, made on first use. Throws as `kernels`. */
  tensorKernels(precision: Precision): TensorKernels {
    const kernels = this.#tensorKernels;
    return (kernels[precision] ??= new PortableTensorKernels(this.#exports(), this.#memory.buffer, precision));
  }

  #exports(): object {
    return (this.#instance ??= instantiate(this.#memory, 4 * TAKEN));
  }
}
