/**
 * The WebAssembly kernels of this thread, and the memory they work in.
 * Callers' matrices lie outside the linear memory, so every routine copies its operands into the arena, computes there
 * and copies results back (`staging.ts`). The arena grows to what a call needs; one that has grown beyond KEEP_BYTES is
 * given back afterwards.
 */
import { LibraryError, MemoryError } from '../../core/errors.js';
import type { FloatArray } from '../matrix.js';
import { kernels as encoded } from './kernels-wasm.js';
import { compiledFrom, WebAssembly } from './web-assembly.js';

interface LinearMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
/** A truth value for the kernels. */
export type Flag = 0 | 1;
/** Which part of C is computed. */
export const ALL = 0;
/** The lower triangle, as the kernels number it. */
export const LOWER = 1;
/** The upper triangle, as the kernels number it. */
export const UPPER = 2;

/**
 * The routines of one precision; `assembly/index.ts` documents them. Pointers in bytes, leading dimensions in elements.
 */
export interface Routines {
  gemm(
    transA: Flag,
    transB: Flag,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    beta: number,
    c: number,
    ldc: number,
    mask: number,
  ): void;
  scale(m: number, n: number, beta: number, c: number, ldc: number, mask: number): void;
  mirror(upper: Flag, n: number, a: number, lda: number): void;
  gemvN(m: number, n: number, alpha: number, a: number, lda: number, x: number, y: number): void;
  gemvT(m: number, n: number, alpha: number, a: number, lda: number, x: number, y: number): void;
  triangular(
    multiply: Flag,
    left: Flag,
    upper: Flag,
    trans: Flag,
    unit: Flag,
    m: number,
    n: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
  ): void;
  potrf(upper: Flag, n: number, a: number, lda: number): number;
  getrf(m: number, n: number, a: number, lda: number, pivots: number): number;
  geqrf(m: number, n: number, a: number, lda: number, tau: number, work: number): void;
  ormqr(
    left: Flag,
    trans: Flag,
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    tau: number,
    c: number,
    ldc: number,
    work: number,
  ): void;
  geqp3(m: number, n: number, a: number, lda: number, pivots: number, tau: number, work: number): void;
}

interface Exports {
  readonly memory: LinearMemory;
  arenaStart(): number;
  exponentials(n: number, x: number): void;
  radialValues(kind: number, n: number, x: number, factor: number): void;
  squaredDistances(m: number, n: number, d: number, x: number, y: number, c: number): void;
  jacobi(m: number, n: number, x: number, ldx: number, rowsJ: number, j: number, ldj: number, squares: number): number;
  tridiagonalize(n: number, a: number, lda: number, d: number, e: number, tau: number, work: number): void;
  implicitQL(n: number, d: number, e: number, rows: number, z: number, ldz: number, work: number): number;
  readonly [routine: string]: unknown;
}

const PAGE = 65536;
/** An arena up to this size stays from call to call. */
const KEEP_BYTES = 64 * 1024 * 1024;
/** What 32-bit addresses reach, less a page. */
const MOST_BYTES = 2 ** 32 - PAGE;
/** Reflectors per block in the kernels (BLOCK of assembly/qr.ts), which decides the size of their workspaces. */
export const BLOCK = 32;

function routinesOf(exports: Exports, suffix: '64' | '32'): Routines {
  const names: (keyof Routines)[] = [
    'gemm',
    'scale',
    'mirror',
    'gemvN',
    'gemvT',
    'triangular',
    'potrf',
    'getrf',
    'geqrf',
    'ormqr',
    'geqp3',
  ];
  return Object.fromEntries(names.map((name) => [name, exports[`${name}${suffix}`]])) as unknown as Routines;
}

/** One instance of the module with its memory. */
export class WasmInstance {
  readonly exports: Exports;
  readonly double: Routines;
  readonly single: Routines;
  /** First free byte. */
  readonly start: number;
  heap64: Float64Array;
  heap32: Float32Array;
  heapInt: Int32Array;
  #next: number;

  constructor(module: object) {
    this.exports = new WebAssembly.Instance(module, {}).exports as Exports;
    this.double = routinesOf(this.exports, '64');
    this.single = routinesOf(this.exports, '32');
    this.start = this.exports.arenaStart();
    const { buffer } = this.exports.memory;
    this.heap64 = new Float64Array(buffer);
    this.heap32 = new Float32Array(buffer);
    this.heapInt = new Int32Array(buffer);
    this.#next = this.start;
  }

  /**
   * Empties the arena and makes room for that many bytes in it; a multiple of 64 for each take() must be counted in.
   */
  begin(bytes: number): void {
    const need = this.start + bytes;
    const have = this.heap64.byteLength;
    if (need > have) {
      if (need > MOST_BYTES) {
        throw new MemoryError(
          `The portable dense kernels need ${(bytes / 2 ** 30).toFixed(1)} GiB for this matrix, 32-bit ` +
            'WebAssembly has 4; install OpenBLAS or split the matrix.',
          { bytes },
        );
      }
      try {
        // In steps, so that a series of growing matrices does not move the memory every time.
        this.exports.memory.grow(
          Math.ceil((Math.min(MOST_BYTES, Math.max(need, have + 4 * 1024 * 1024)) - have) / PAGE),
        );
      } catch {
        throw new MemoryError(`WebAssembly memory could not grow by ${((need - have) / 2 ** 20).toFixed(0)} MiB.`, {
          bytes,
        });
      }
      const { buffer } = this.exports.memory;
      this.heap64 = new Float64Array(buffer);
      this.heap32 = new Float32Array(buffer);
      this.heapInt = new Int32Array(buffer);
    }
    this.#next = this.start;
  }

  /** The address of that many bytes of the arena, on a cache line. */
  take(bytes: number): number {
    const at = this.#next;
    this.#next = at + Math.ceil(bytes / 64) * 64;
    return at;
  }

  /** Where the next take() begins; rewind() goes back there. */
  mark(): number {
    return this.#next;
  }

  rewind(mark: number): void {
    this.#next = mark;
  }
}

let compiled: object | undefined;
let current: WasmInstance | undefined;

/**
 * This thread's kernels. Throws MemoryError where WebAssembly gets no memory, LibraryError where it cannot run the
 * kernels at all.
 */
export function openWasm(): WasmInstance {
  if (current === undefined) {
    try {
      compiled ??= compiledFrom(encoded);
      current = new WasmInstance(compiled);
    } catch (error) {
      throw openingFailure(error);
    }
  }
  return current;
}

/** What to throw where WebAssembly cannot be started: what it threw, in our words. */
export function openingFailure(error: unknown): MemoryError | LibraryError {
  const { message } = error as Error;
  return error instanceof RangeError
    ? new MemoryError(
        `WebAssembly, in which part of every computation runs, gets no memory (${message}). Node reserves some ` +
          '10 GB of addresses for it on each thread: raise the limit on the address space (ulimit -v), or run Node ' +
          'with --disable-wasm-trap-handler, which needs none of them.',
      )
    : new LibraryError(
        `WebAssembly cannot run the dense kernels here (${message}): they need a processor with SIMD, and a Node ` +
          'that knows it.',
      );
}

/** To be called after a routine whose arena grows with the matrix: an outsized arena goes back to the system. */
export function releaseOutsized(): void {
  if (current !== undefined && current.heap64.byteLength > KEEP_BYTES) current = undefined;
}

/** Whether the kernels of float64 take this array; otherwise those of float32. */
export const isDouble = (data: FloatArray): data is Float64Array => data instanceof Float64Array;
