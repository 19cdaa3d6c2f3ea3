/**
 * cuBLAS on a card: a handle with the card's stream and memory of ours to work in, so that what it adds to the stream
 * can be recorded in a graph, and gives the same bits each time: cuBLAS promises these for a stream with a workspace
 * of its own (cuBLAS library, 2.1.4 Results reproducibility, 2.1.12 CUDA graphs support), atomic sums being off.
 */
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../../core/floats.js';
import { arrayAddress } from '../../native/koffi.js';
import type { Arithmetic } from '../device.js';
import type { CudaContext } from './context.js';
import type { CublasLibrary } from './cublas.js';
import type { GemmCall, GemmShape, Places } from './gemms.js';

/** CUBLAS_DEFAULT_MATH: float32 stays float32, float64 takes the instructions for small matrices. */
const DEFAULT_MATH = 0;

/** Bytes of a workspace that NVIDIA recommends: for compute capability 9.0 and later, and before. */
const WORKSPACE = [2 ** 25, 2 ** 22] as const;

/** Bytes that cuBLAS takes of a card of that architecture: our workspace, and as much that it makes for itself. */
export const cublasBytes = (architecture: number): number => 2 * WORKSPACE[architecture >= 90 ? 0 : 1];

/** What a call is handed: operands of A, B and C, or the memory that has addresses of each, and its scalars. */
export interface GemmOperands {
  readonly precision: Precision;
  /** How factors in f32 are rounded; default: not at all. */
  readonly arithmetic?: Arithmetic | undefined;
  /** Addresses of the operands; of lists of addresses for the forms "batched" and "grouped". */
  readonly addresses: Places;
  readonly alpha: number;
  readonly beta: number;
}

const scalars = (count: number, value: number, precision: Precision): FloatArray =>
  floats(count, precision).fill(value);

/** CUDA_R_32F; CUBLAS_COMPUTE_32F_FAST_TF32 and _16BF: sums are float32; CUBLAS_GEMM_DEFAULT. */
const R_32F = 0;
const COMPUTE: Readonly<Record<Arithmetic, number>> = { tf32: 77, bf16: 75 };
const DEFAULT_WAY = -1;

/** What follows the handle, given where α and β stand. */
type Values = (alpha: number, beta: number) => number[];

function uniformValues({ form, shapes, counts, strides, offsets }: GemmCall, operands: GemmOperands): Values {
  const { addresses, precision, arithmetic } = operands;
  // Calls that round are told what numbers are, how to compute, and to choose the way themselves.
  const [type, end] = arithmetic === undefined ? [[], []] : [[R_32F], [COMPUTE[arithmetic], DEFAULT_WAY]];
  const [{ m, n, k, transposed, ld }] = shapes;
  const [a, b, c] = addresses.map((address, o) => {
    const first = form === 'batched' ? address : address + NUMBER_BYTES[precision] * offsets[0][o];
    return [first, ...type, ld[o], ...(form === 'strided' ? [strides[o]] : [])];
  });
  const count = form === 'one' ? [] : counts;
  return (alpha, beta) => [...transposed.map(Number), m, n, k, alpha, ...a, ...b, beta, ...c, ...count, ...end];
}

/** Shapes and counts are arrays of this machine, one for each group. */
function groupedValues({ shapes, counts }: GemmCall, { addresses: [a, b, c] }: GemmOperands): Values {
  const each = (of: (shape: GemmShape) => number | boolean): Int32Array =>
    Int32Array.from(shapes, (shape) => Number(of(shape)));
  const [left, right] = [each(({ transposed }) => transposed[0]), each(({ transposed }) => transposed[1])];
  const [m, n, k] = [each((shape) => shape.m), each((shape) => shape.n), each((shape) => shape.k)];
  const [lda, ldb, ldc] = [each(({ ld }) => ld[0]), each(({ ld }) => ld[1]), each(({ ld }) => ld[2])];
  const sizes = Int32Array.from(counts);
  return (alpha, beta) => {
    const shape = [left, right, m, n, k].map(arrayAddress);
    const lists = [a, arrayAddress(lda), b, arrayAddress(ldb), beta, c, arrayAddress(ldc)];
    return [...shape, alpha, ...lists, shapes.length, arrayAddress(sizes)];
  };
}

/** A handle of cuBLAS. */
export class CublasHandle {
  readonly #library: CublasLibrary;
  readonly #context: CudaContext;
  readonly #handle: number;
  readonly #workspace: number;

  /** Makes it in the context of this thread. Throws MemoryError, DeviceError. */
  constructor(library: CublasLibrary, context: CudaContext, architecture: number) {
    this.#library = library;
    this.#context = context;
    const to = new BigInt64Array(1);
    library.call('cublasCreate_v2', arrayAddress(to));
    this.#handle = Number(to[0]);
    let workspace: number | undefined;
    try {
      const bytes = cublasBytes(architecture) / 2;
      workspace = context.made('cuMemAlloc_v2', bytes);
      // In this order: with a stream the handle forgets its workspace.
      library.call('cublasSetStream_v2', this.#handle, context.stream);
      library.call('cublasSetWorkspace_v2', this.#handle, workspace, bytes);
      library.call('cublasSetMathMode', this.#handle, DEFAULT_MATH);
    } catch (error) {
      library.status('cublasDestroy_v2', this.#handle);
      if (workspace !== undefined) context.free(workspace);
      throw error;
    }
    this.#workspace = workspace;
  }

  /** The call, which adds its products to the stream each time; it throws MemoryError, DeviceError, DeviceLostError. */
  prepare(gemm: GemmCall, operands: GemmOperands): () => void {
    const { precision } = operands;
    const [alphas, betas] = [operands.alpha, operands.beta].map((value) =>
      scalars(gemm.shapes.length, value, precision),
    );
    const values = gemm.form === 'grouped' ? groupedValues(gemm, operands) : uniformValues(gemm, operands);
    return () => {
      // Arrays are handed over by where they stand now.
      const given = values(arrayAddress(alphas), arrayAddress(betas));
      try {
        this.#library.multiply(gemm.form, operands.arithmetic ?? precision, this.#handle, ...given);
      } catch (error) {
        // Where the card was lost this says so; cuBLAS cannot.
        this.#context.enter();
        throw error;
      }
    };
  }

  /** Frees what it has there, when what was handed over is done; of a card that was lost nothing is left to free. */
  close(): void {
    if (this.#context.lost) return;
    // Which makes the context this thread's, and waits.
    this.#context.free(this.#workspace);
    this.#library.status('cublasDestroy_v2', this.#handle);
  }
}
