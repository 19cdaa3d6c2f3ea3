/**
 * cuBLAS (libcublas, cublas_v2.h), which multiplies large matrices: the library, before anything of it runs on a card.
 */
import type { Precision } from '../../core/floats.js';
import type { Arithmetic } from '../device.js';
import { arrayAddress, type NativeFunction } from '../../native/koffi.js';
import type { NativeLibrary } from '../../native/library.js';
import { bindAll } from './driver.js';
import { findLibrary, type LibrarySearch, type LibraryWanted } from './find-library.js';
import { libraryFailure } from './statuses.js';

/** Parameters by letter, as those of the driver (driver.ts). */
const SETUP = {
  cublasGetProperty: 'ip',
  cublasCreate_v2: 'p',
  cublasDestroy_v2: 'p',
  cublasSetStream_v2: 'pp',
  cublasSetWorkspace_v2: 'ppp',
  cublasSetMathMode: 'pi',
} as const;

/** Handle, transposed or not of both factors, m, n, k; α; A, B, β and C, each with what says where the next one is. */
const GEMM = 'piiiiippipippi';
const STRIDED = 'piiiiippippipppipi';
const BATCHED = `${GEMM}i`;
const GROUPED = 'ppppppppppppppip';
/** Those that round: each of A, B and C with its type, and at the end how to compute. */
const GEMM_EX = 'piiiiippiipiippiiii';
const STRIDED_EX = 'piiiiippiippiipppiipiii';
const BATCHED_EX = `${GEMM_EX}i`;

/** How many products a call makes: one; of one shape, equally far apart or at listed addresses; of several shapes. */
export type GemmForm = 'one' | 'strided' | 'batched' | 'grouped';

const MULTIPLICATIONS = {
  cublasDgemm_v2: GEMM,
  cublasSgemm_v2: GEMM,
  cublasDgemmStridedBatched: STRIDED,
  cublasSgemmStridedBatched: STRIDED,
  cublasDgemmBatched: BATCHED,
  cublasSgemmBatched: BATCHED,
  cublasGemmEx: GEMM_EX,
  cublasGemmStridedBatchedEx: STRIDED_EX,
  cublasGemmBatchedEx: BATCHED_EX,
} as const;
/** What libraries before CUDA 12.5 lack. */
const GROUPS = { cublasDgemmGroupedBatched: GROUPED, cublasSgemmGroupedBatched: GROUPED } as const;

/** Functions by how they multiply; "rounded" is what both arithmetics take. */
const NAMES = {
  one: { f64: 'cublasDgemm_v2', f32: 'cublasSgemm_v2', rounded: 'cublasGemmEx' },
  strided: {
    f64: 'cublasDgemmStridedBatched',
    f32: 'cublasSgemmStridedBatched',
    rounded: 'cublasGemmStridedBatchedEx',
  },
  batched: { f64: 'cublasDgemmBatched', f32: 'cublasSgemmBatched', rounded: 'cublasGemmBatchedEx' },
  grouped: { f64: 'cublasDgemmGroupedBatched', f32: 'cublasSgemmGroupedBatched', rounded: undefined },
} as const satisfies Readonly<Record<GemmForm, Readonly<Record<Precision | 'rounded', string | undefined>>>>;

type CublasFunction = keyof typeof SETUP | keyof typeof MULTIPLICATIONS | keyof typeof GROUPS;

const REMEDY = 'Install cuBLAS of CUDA 11.2 or later, or leave it alone by HMATRIX_CUBLAS=none.';

/** MAJOR_VERSION and MINOR_VERSION of libraryPropertyType. */
const PROPERTIES = [0, 1];

/** cuBLAS of a version. */
export class CublasLibrary {
  /** "12.8". */
  readonly version: string;
  /** Whether it multiplies matrices of several shapes in one call. */
  readonly hasGroups: boolean;
  readonly #functions: Readonly<Partial<Record<CublasFunction, NativeFunction>>>;

  /** Finds its functions in an open file. Throws LibraryError, DeviceError. */
  constructor(library: NativeLibrary) {
    const every = bindAll(library, { ...SETUP, ...MULTIPLICATIONS }, REMEDY);
    this.hasGroups = library.address('cublasDgemmGroupedBatched') !== undefined;
    this.#functions = this.hasGroups ? { ...every, ...bindAll(library, GROUPS, REMEDY) } : every;
    const to = new Int32Array(1);
    this.version = PROPERTIES.map((property) => {
      this.call('cublasGetProperty', property, arrayAddress(to));
      return to[0];
    }).join('.');
  }

  /** Calls a function. Throws MemoryError, DeviceError for every status but success. */
  call(name: CublasFunction, ...values: number[]): void {
    const status = this.status(name, ...values);
    if (status !== 0) throw libraryFailure('cuBLAS', name, status);
  }

  /** Calls a function, and returns its status. */
  status(name: CublasFunction, ...values: number[]): number {
    return this.#functions[name]!(...values);
  }

  /** Calls the function that multiplies so; groups are never rounded. Throws MemoryError, DeviceError. */
  multiply(form: GemmForm, by: Precision | Arithmetic, ...values: number[]): void {
    this.call(NAMES[form][by === 'f64' || by === 'f32' ? by : 'rounded']!, ...values);
  }
}

/** The library, or why there is none. */
export type CublasSearch = LibrarySearch<CublasLibrary>;

/** Looks for cuBLAS, once for each folder that HMATRIX_CUBLAS or HMATRIX_CUDA names. */
export const findCublas = (wanted: LibraryWanted): CublasSearch =>
  findLibrary(
    {
      library: 'cublas',
      title: 'cuBLAS',
      remedy: REMEDY,
      bind: (file) => new CublasLibrary(file),
      versionOf: ({ version }) => version,
      cudaOf: (version) => version.split('.').map(Number) as unknown as readonly [number, number],
    },
    wanted,
  );
