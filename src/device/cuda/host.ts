/**
 * What launches on CUDA need of their device: memory, kernels, a queue.
 */
import type { NativeArray } from '../../native/koffi.js';
import type { Arithmetic } from '../device.js';
import type { BlockProducts } from '../work/products.js';
import type { TrianglePlace } from '../work/triangles.js';
import type { GemmOperands } from './cublas-handle.js';
import type { FactorOperands } from './cusolver-handle.js';
import type { GemmCall } from './gemms.js';
import type { KernelSource } from './kernels/source.js';
import type { Launch } from './launches.js';

/** A compiled kernel: a CUfunction, and the threads of a block. */
export interface Kernel {
  readonly handle: number;
  readonly threads: number;
}

/** Memory of the card, and what frees it, once, after handing over what reads it. */
export interface HeldMemory {
  readonly address: number;
  readonly bytes: number;
  free(): void;
}

/** A device, as launches see it. */
export interface CudaHost {
  /** Memory of the card. Throws MemoryError. */
  make(bytes: number): number;
  /** Frees memory, after handing over what reads it. */
  free(address: number): void;
  /** Memory of the card that counts with what lies there; `what` takes it. Throws MemoryError. */
  held(bytes: number, what: string): HeldMemory;
  /** The card's memory at `to` ← list, which is counted. */
  send(to: number, list: NativeArray): void;
  /** The kernel, compiled when it is first needed. */
  kernel(source: KernelSource): Kernel;
  /** The kernels of those names (each a CUfunction) of a program, which is compiled now. */
  kernels(names: readonly string[], title: string, source: () => string): readonly number[];
  /** The calls of cuBLAS for all of products, or none (chooseAllGemms); where there is one. */
  chooseAll(work: BlockProducts, arithmetic: Arithmetic | undefined): readonly GemmCall[];
  /** A call of cuBLAS, which is opened by the first. Throws MemoryError, DeviceError. */
  gemm(call: GemmCall, operands: GemmOperands): () => void;
  /** Bytes that a factorization by cuSOLVER works in, which is opened by the first. Throws MemoryError, DeviceError. */
  factorBytes(triangle: TrianglePlace): number;
  /** A call of cuSOLVER that factors. Throws DeviceError. */
  factor(triangle: TrianglePlace, operands: FactorOperands): () => void;
  /** Adds a launch to the queue; the same object where it is the same launch. */
  add(launch: Launch): void;
}

/** Lists begin at multiples of so many bytes. */
const ALIGNED = 16;

/** Where lists lie that are put into one piece of memory, from its first byte on, and the bytes of all. */
export function layOut(lists: readonly NativeArray[]): { readonly places: readonly number[]; readonly bytes: number } {
  let bytes = 0;
  const places = lists.map(({ byteLength }) => {
    const place = bytes;
    bytes += ALIGNED * Math.ceil(byteLength / ALIGNED);
    return place;
  });
  return { places, bytes };
}
