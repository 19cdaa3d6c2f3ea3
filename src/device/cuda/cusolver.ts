/**
 * cuSOLVER (libcusolver, cusolverDn.h), which factors large triangles: the library, before anything of it runs on a
 * card. Its functions of 64-bit sizes are those of CUDA 11.1 and later.
 */
import { arrayAddress, type NativeFunction } from '../../native/koffi.js';
import type { NativeLibrary } from '../../native/library.js';
import { bindAll } from './driver.js';
import { findLibrary, type LibrarySearch, type LibraryWanted } from './find-library.js';
import { libraryFailure } from './statuses.js';

/** Parameters by letter, as those of the driver (driver.ts). */
const FUNCTIONS = {
  cusolverGetProperty: 'ip',
  cusolverDnCreate: 'p',
  cusolverDnDestroy: 'p',
  cusolverDnSetStream: 'pp',
  cusolverDnCreateParams: 'p',
  cusolverDnDestroyParams: 'p',
  /** Handle, parameters, which triangle; n, type, A, ld, type of sums; bytes there and here. */
  cusolverDnXpotrf_bufferSize: 'ppipippipp',
  /** The same with the memory that these are of, and where the outcome goes. */
  cusolverDnXpotrf: 'ppipippippppp',
} as const;
/** What older libraries lack. */
const MODES = { cusolverDnSetDeterministicMode: 'pi' } as const;

type CusolverFunction = keyof typeof FUNCTIONS | keyof typeof MODES;

const REMEDY = 'Install cuSOLVER of CUDA 11.2 or later, or leave it alone by HMATRIX_CUSOLVER=none.';

/** MAJOR_VERSION, MINOR_VERSION and PATCH_LEVEL of libraryPropertyType. */
const PROPERTIES = [0, 1, 2];

/** cuSOLVER of a version. */
export class CusolverLibrary {
  /** "11.7.3", its own: that of CUDA 12.8. */
  readonly version: string;
  /** Whether it can be told to give the same bits each time. */
  readonly hasModes: boolean;
  readonly #functions: Readonly<Partial<Record<CusolverFunction, NativeFunction>>>;

  /** Finds its functions in an open file. Throws LibraryError, DeviceError. */
  constructor(library: NativeLibrary) {
    const every = bindAll(library, FUNCTIONS, REMEDY);
    this.hasModes = library.address('cusolverDnSetDeterministicMode') !== undefined;
    this.#functions = this.hasModes ? { ...every, ...bindAll(library, MODES, REMEDY) } : every;
    const to = new Int32Array(1);
    this.version = PROPERTIES.map((property) => {
      this.call('cusolverGetProperty', property, arrayAddress(to));
      return to[0];
    }).join('.');
  }

  /** Calls a function. Throws MemoryError, DeviceError for every status but success. */
  call(name: CusolverFunction, ...values: number[]): void {
    const status = this.status(name, ...values);
    if (status !== 0) throw libraryFailure('cuSOLVER', name, status);
  }

  /** Calls a function, and returns its status. */
  status(name: CusolverFunction, ...values: number[]): number {
    return this.#functions[name]!(...values);
  }
}

/** The library, or why there is none. */
export type CusolverSearch = LibrarySearch<CusolverLibrary>;

/**
 * The version of CUDA that cuSOLVER of a version is part of, or one that has code for the same cards: both 11 and 12
 * call it 11, up to 11.4.1 in CUDA 11.8, from 11.4.2 on in 12, from 11.7.2 on in 12.8.
 */
function cudaOf(version: string): readonly [major: number, minor: number] {
  const [major, minor, patch] = version.split('.').map(Number);
  const isFrom = (least: readonly [number, number]): boolean =>
    minor > least[0] || (minor === least[0] && patch >= least[1]);
  if (major !== 11) return [major + 1, 0];
  if (isFrom([4, 2])) return [12, isFrom([7, 2]) ? 8 : 0];
  return [11, isFrom([4, 1]) ? 11 : 0];
}

/** Looks for cuSOLVER, once for each folder that HMATRIX_CUSOLVER or HMATRIX_CUDA names. */
export const findCusolver = (wanted: LibraryWanted): CusolverSearch =>
  findLibrary(
    {
      library: 'cusolver',
      title: 'cuSOLVER',
      remedy: REMEDY,
      bind: (file) => new CusolverLibrary(file),
      versionOf: ({ version }) => version,
      cudaOf,
    },
    wanted,
  );
