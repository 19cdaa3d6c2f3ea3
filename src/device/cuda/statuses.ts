/**
 * What the statuses of CUDA's libraries mean to those who called.
 */
import { DeviceError, DeviceLostError, MemoryError, type HmatrixError } from '../../core/errors.js';

/** CUDA_ERROR_OUT_OF_MEMORY. */
export const OUT_OF_MEMORY = 2;
/** CUDA_ERROR_NOT_READY: what was asked about is still under way. */
export const NOT_READY = 600;

/**
 * Statuses of the driver (cuda.h) after which a context gives no more than the same one: addresses that are none,
 * traps, memory that failed, a card that went away.
 */
const LOST = new Set([
  4, // DEINITIALIZED
  46, // DEVICE_UNAVAILABLE
  201, // INVALID_CONTEXT
  214, // ECC_UNCORRECTABLE
  220, // NVLINK_UNCORRECTABLE
  226, // CONTAINED: memory that failed, and was contained
  700, // ILLEGAL_ADDRESS
  702, // LAUNCH_TIMEOUT
  709, // CONTEXT_IS_DESTROYED
  710, // ASSERT
  714, // HARDWARE_STACK_ERROR
  715, // ILLEGAL_INSTRUCTION
  716, // MISALIGNED_ADDRESS
  717, // INVALID_ADDRESS_SPACE
  718, // INVALID_PC
  719, // LAUNCH_FAILED
  721, // TENSOR_MEMORY_LEAK
  999, // UNKNOWN
]);

/** The error of a status: `what` was called, and `text` is the library's own name for it. */
export function failureOf(what: string, status: number, text: string): HmatrixError {
  const data = { device: 'cuda', call: what, status };
  if (status === OUT_OF_MEMORY)
    return new MemoryError(
      `The device cuda is out of memory: ${what} ends with ${text}. Release what lies there, or make the problem ` +
        'smaller.',
      data,
    );
  if (LOST.has(status))
    return new DeviceLostError(
      `The device cuda was lost: ${what} ends with ${text}. What lay on it is gone, what this machine has is not. ` +
        'Close it, open it again, and put the matrix there again.',
      data,
    );
  return new DeviceError(`The device cuda refused what it was handed: ${what} ends with ${text}.`, data);
}

/** Statuses of a library, that of memory which ran out, and what they begin with. */
interface LibraryStatuses {
  readonly prefix: string;
  readonly names: Readonly<Record<number, string>>;
  readonly outOfMemory: number;
}

/** Those of cuBLAS (cublas_api.h: cublasStatus_t) and of cuSOLVER (cusolver_common.h: cusolverStatus_t). */
const LIBRARIES: Readonly<Record<'cuBLAS' | 'cuSOLVER', LibraryStatuses>> = {
  cuBLAS: {
    prefix: 'CUBLAS_STATUS_',
    names: {
      1: 'NOT_INITIALIZED',
      3: 'ALLOC_FAILED',
      7: 'INVALID_VALUE',
      8: 'ARCH_MISMATCH',
      11: 'MAPPING_ERROR',
      13: 'EXECUTION_FAILED',
      14: 'INTERNAL_ERROR',
      15: 'NOT_SUPPORTED',
      16: 'LICENSE_ERROR',
    },
    outOfMemory: 3,
  },
  cuSOLVER: {
    prefix: 'CUSOLVER_STATUS_',
    names: {
      1: 'NOT_INITIALIZED',
      2: 'ALLOC_FAILED',
      3: 'INVALID_VALUE',
      4: 'ARCH_MISMATCH',
      5: 'MAPPING_ERROR',
      6: 'EXECUTION_FAILED',
      7: 'INTERNAL_ERROR',
      8: 'MATRIX_TYPE_NOT_SUPPORTED',
      9: 'NOT_SUPPORTED',
      10: 'ZERO_PIVOT',
      11: 'INVALID_LICENSE',
      31: 'INVALID_WORKSPACE',
    },
    outOfMemory: 2,
  },
};

/** The error of a status of a library. */
export function libraryFailure(library: keyof typeof LIBRARIES, call: string, status: number): HmatrixError {
  const { prefix, names, outOfMemory } = LIBRARIES[library];
  const name = (names as Readonly<Record<number, string | undefined>>)[status];
  const text = `${call} ends with ${name === undefined ? 'an unknown status' : prefix + name} (${status})`;
  const data = { device: 'cuda', call, status };
  const none = `HMATRIX_${library.toUpperCase()}=none`;
  if (status === outOfMemory)
    return new MemoryError(
      `${library} has no memory on the device cuda: ${text}. Release what lies there, or leave ${library} alone by ` +
        `${none}.`,
      data,
    );
  return new DeviceError(
    `${library} refused what it was handed: ${text}. Does it fit the driver and the card? ${none} leaves it alone.`,
    data,
  );
}
