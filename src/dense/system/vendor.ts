/**
 * What differs from vendor to vendor: the name to show, and how to keep a library's own threads out of the way.
 * Parallelism belongs to the team of workers; a library that starts threads of its own under each worker would only
 * fight them.
 */
import { arrayAddress } from '../../native/koffi.js';
import type { BlasLibrary } from './library.js';

/** Intel oneMKL developer reference, "Support functions": layers must be set before the first call. */
const MKL_INTERFACE_LP64 = 0;
const MKL_THREADING_SEQUENTIAL = 1;
/** vecLib/thread_api.h. */
const BLAS_THREADING_SINGLE_THREADED = 1;

/**
 * One thread per call, from this JavaScript thread on: some libraries keep the setting per thread, so every worker sets
 * it.
 */
export function useOneThread(library: BlasLibrary): void {
  library.find('MKL_Set_Interface_Layer', 'int', ['int'])?.(MKL_INTERFACE_LP64);
  library.find('MKL_Set_Threading_Layer', 'int', ['int'])?.(MKL_THREADING_SEQUENTIAL);
  library.find('MKL_Set_Num_Threads', 'void', ['int'])?.(1);
  library.find('openblas_set_num_threads', 'void', ['int'])?.(1);
  library.find('bli_thread_set_num_threads', 'void', ['int64'])?.(1);
  library.find('BLASSetThreading', 'int', ['int'])?.(BLAS_THREADING_SINGLE_THREADED);
}

/** Runs `act` with a variable of the environment set, and puts back what it was. */
export function withEnvironment<T>(name: string, value: string, act: () => T): T {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return act();
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  }
}

/**
 * Runs `open` while the environment tells OpenBLAS not to start threads at load: on a large machine they cost memory
 * and time.
 */
export const withoutThreadsAtLoad = <T>(open: () => T): T => withEnvironment('OPENBLAS_NUM_THREADS', '1', open);

/**
 * Vendor, version and processor kernel where the library tells, then the files: "OpenBLAS 0.3.21 (Zen),
 * libopenblas.so.0".
 */
export function describeLibrary(library: BlasLibrary, core: string | undefined): string {
  return `${vendorOf(library, core)}, ${library.names.join(' + ')}`;
}

function vendorOf(library: BlasLibrary, core: string | undefined): string {
  const text = (symbol: string): string | undefined =>
    library.find(symbol, 'const char *', [])?.() as unknown as string | undefined;
  const config = text('openblas_get_config');
  if (config !== undefined) {
    const version = /OpenBLAS\s+\S+/.exec(config)?.[0] ?? 'OpenBLAS';
    return core === undefined ? version : `${version} (${core})`;
  }
  const mkl = library.find('MKL_Get_Version_String', 'void', ['int64', 'int']);
  if (mkl !== undefined) {
    const buffer = new Uint8Array(256);
    mkl(arrayAddress(buffer), buffer.length);
    const end = buffer.indexOf(0);
    const full = new TextDecoder().decode(buffer.subarray(0, end < 0 ? buffer.length : end)).trim();
    const version = /Version\s+([\d.]+)/.exec(full)?.[1];
    return version === undefined ? 'MKL' : `MKL ${version}`;
  }
  const lapack = lapackVersion(library);
  const blis = text('bli_info_get_version_str');
  if (blis !== undefined) return `BLIS ${blis} with ${lapack}`;
  if (library.names.some((name) => name.includes('Accelerate.framework'))) return 'Accelerate';
  return `BLAS with ${lapack}`;
}

function lapackVersion(library: BlasLibrary): string {
  const ilaver = library.findFortran('ilaver', ['int64', 'int64', 'int64']);
  if (ilaver === undefined) return 'LAPACK';
  // Slots of 64 bits: safe for any integer width.
  const version = new Int32Array(6);
  const address = arrayAddress(version);
  ilaver(address, address + 8, address + 16);
  return `LAPACK ${version[0]}.${version[2]}.${version[4]}`;
}
