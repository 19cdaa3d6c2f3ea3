/**
 * CUDA's driver (libcuda, cuda.h) by koffi: addresses and handles are numbers, every status is checked.
 */
import { LibraryError } from '../../core/errors.js';
import { arrayAddress, textAt, type NativeFunction, type NativeType } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import { chosenFolder, driverCandidates } from './candidates.js';
import { failureOf } from './statuses.js';

/** Parameters by letter: i an int or an unsigned one, p an address, a handle or a size. */
const PARAMETERS = {
  cuInit: 'i',
  cuDriverGetVersion: 'p',
  cuGetErrorName: 'ip',
  cuGetErrorString: 'ip',
  cuDeviceGetCount: 'p',
  cuDeviceGet: 'pi',
  cuDeviceGetName: 'pii',
  cuDeviceTotalMem_v2: 'pi',
  cuDeviceGetAttribute: 'pii',
  cuDevicePrimaryCtxRetain: 'pi',
  cuDevicePrimaryCtxRelease_v2: 'i',
  cuDevicePrimaryCtxReset_v2: 'i',
  cuCtxSetCurrent: 'p',
  cuMemGetInfo_v2: 'pp',
  cuMemAlloc_v2: 'pp',
  cuMemFree_v2: 'p',
  cuMemHostRegister_v2: 'ppi',
  cuMemHostUnregister: 'p',
  cuMemcpyHtoDAsync_v2: 'pppp',
  cuMemcpyDtoHAsync_v2: 'pppp',
  cuMemsetD8Async: 'pipp',
  cuStreamCreate: 'pi',
  cuStreamDestroy_v2: 'p',
  cuStreamSynchronize: 'p',
  cuStreamBeginCapture_v2: 'pi',
  cuStreamEndCapture: 'pp',
  cuEventCreate: 'pi',
  cuEventDestroy_v2: 'p',
  cuEventRecord: 'pp',
  cuEventQuery: 'p',
  cuEventSynchronize: 'p',
  cuModuleLoadData: 'pp',
  cuModuleUnload: 'p',
  cuModuleGetFunction: 'ppp',
  cuLaunchKernel: 'piiiiiiippp',
  cuGraphInstantiateWithFlags: 'ppp',
  cuGraphLaunch: 'pp',
  cuGraphExecDestroy: 'p',
  cuGraphDestroy: 'p',
} as const;

/** The functions that are used. */
export type DriverFunction = keyof typeof PARAMETERS;

/** CU_DEVICE_ATTRIBUTE_…: what a card is asked. */
export const ATTRIBUTE = { multiprocessors: 16, major: 75, minor: 76 } as const;

/** What to do where there is no driver. */
const REMEDY =
  "Install the card's driver (Debian and Ubuntu: apt-get install nvidia-driver; 470 or later), or name the folder of " +
  'its library by HMATRIX_CUDA.';

/** Binds functions of a library by letters. Throws LibraryError naming the first that is missing. */
export function bindAll<N extends string>(
  library: NativeLibrary,
  parameters: Readonly<Record<N, string>>,
  remedy: string,
): Readonly<Record<N, NativeFunction>> {
  const bound: Partial<Record<N, NativeFunction>> = {};
  for (const name of Object.keys(parameters) as N[]) {
    const types = Array.from(parameters[name], (letter): NativeType => (letter === 'i' ? 'int' : 'int64'));
    const found = library.find(name, 'int', types);
    if (found === undefined)
      throw new LibraryError(`${library.describeNames()} has no symbol "${name}": it is too old. ${remedy}`, {
        library: library.names[0],
        symbol: name,
      });
    bound[name] = found;
  }
  return bound as Readonly<Record<N, NativeFunction>>;
}

/** What is said where koffi is missing: the words after "Set". */
export const WITHOUT = "openDevice('cpu') or 'webgpu'; CUDA needs it";

/** The driver of this machine; nothing of it has been initialized. */
export class CudaDriver {
  readonly library: NativeLibrary;
  readonly #functions: Readonly<Record<DriverFunction, NativeFunction>>;

  /** Opens the library of that name or path. Throws LibraryError. */
  constructor(name: string) {
    this.library = new NativeLibrary([name], { remedy: REMEDY, without: WITHOUT });
    this.#functions = bindAll(this.library, PARAMETERS, REMEDY);
  }

  /** Calls a function. Throws for every status but success: MemoryError, DeviceLostError, DeviceError. */
  call(name: DriverFunction, ...values: number[]): void {
    const status = this.status(name, ...values);
    if (status !== 0) throw failureOf(name, status, this.textOf(status));
  }

  /** Calls a function, and returns its status. */
  status(name: DriverFunction, ...values: number[]): number {
    return this.#functions[name](...values);
  }

  /** The handle, address or size that a function writes to where its first argument points. */
  made(name: DriverFunction, ...values: number[]): number {
    const to = new BigInt64Array(1);
    this.call(name, arrayAddress(to), ...values);
    return Number(to[0]);
  }

  /** The int that a function writes to where its first argument points. */
  integer(name: DriverFunction, ...values: number[]): number {
    const to = new Int32Array(1);
    this.call(name, arrayAddress(to), ...values);
    return to[0];
  }

  /** "CUDA_ERROR_NO_DEVICE (100: no CUDA-capable device is detected)". */
  textOf(status: number): string {
    const text = (name: 'cuGetErrorName' | 'cuGetErrorString'): string | undefined => {
      const to = new BigInt64Array(1);
      return this.status(name, status, arrayAddress(to)) === 0 ? textAt(Number(to[0])) : undefined;
    };
    return `${text('cuGetErrorName') ?? 'an unknown status'} (${status}: ${text('cuGetErrorString') ?? 'no text'})`;
  }
}

let opened: { readonly folder: string | undefined; readonly driver: CudaDriver } | undefined;

/** The driver, kept once it was found. Throws LibraryError where there is none, with what was tried. */
export function openDriver(): CudaDriver {
  const folder = chosenFolder();
  if (opened !== undefined && opened.folder === folder) return opened.driver;
  let reason: LibraryError | undefined;
  for (const name of driverCandidates()) {
    try {
      const driver = new CudaDriver(name);
      opened = { folder, driver };
      return driver;
    } catch (error) {
      if (!(error instanceof LibraryError)) throw error;
      // What is there, and cannot be used, says more than what is not there.
      reason ??= error;
    }
  }
  throw reason!;
}
