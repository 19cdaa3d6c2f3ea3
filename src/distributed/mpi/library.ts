/**
 * An MPI library that has been opened, and not initialized: what it is, and the values of its handles.
 *
 * In Open MPI handles are the addresses of objects that the library exports, in MPICH and those that share its binary
 * interface (Intel MPI, MVAPICH, Cray MPICH) integers of mpi.h, which that interface fixes. In the standard's own
 * binary interface, the ABI of MPI 5.0 (chapter 20), they are as large as addresses, and predefined ones small integers
 * that the standard fixes. The three also differ in what "in place" is, in the size of a status and in thread levels.
 */
import { LibraryError } from '../../core/errors.js';
import { arrayAddress, loadKoffi, type NativeType } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import type { CommunicatedArray, Reduction } from '../communicator.js';
import { FAMILY_NAMES } from './candidates.js';
import type { MpiFamily } from './launcher.js';
import { restrainUcx } from './ucx.js';

/** Said after every failure of opening. */
export const REMEDY =
  'Install an MPI library and start the ranks with its own mpirun (Debian and Ubuntu: apt-get install openmpi-bin, ' +
  'or mpich), name one by HMATRIX_MPI=openmpi, mpich, abi or /path/to/library, or set HMATRIX_MPI=self for ranks ' +
  'that know nothing of each other.';

/** What is said where koffi is missing: the words after "Set". */
const WITHOUT = 'HMATRIX_MPI=self for ranks that know nothing of each other';

type TypeName = 'float64' | 'float32' | 'int32' | 'uint32' | 'uint8' | 'int64';

/** The name of an array's type. */
export function typeOf(data: CommunicatedArray): TypeName {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint32Array) return 'uint32';
  return data instanceof Uint8Array ? 'uint8' : 'int64';
}

/** What mpi.h of a family fixes. */
interface Interface {
  /** The C type of handles. */
  readonly handle: NativeType;
  readonly handleBytes: number;
  /** MPI_IN_PLACE. */
  readonly inPlace: number;
  /** MPI_THREAD_FUNNELED: the process may have threads, of which only the one that initializes MPI calls it. */
  readonly funneled: number;
  /** sizeof(MPI_Status), and the index of its member MPI_ERROR among 32-bit integers. */
  readonly statusBytes: number;
  readonly statusError: number;
  /** Names or values of predefined handles. */
  readonly world: string | number;
  readonly errorsReturn: string | number;
  readonly types: Readonly<Record<TypeName, string | number>>;
  readonly reductions: Readonly<Record<Reduction, string | number>>;
}

const INTERFACES: Readonly<Record<MpiFamily, Interface>> = {
  // mpi.h of Open MPI 4.1.
  openmpi: {
    handle: 'int64',
    handleBytes: 8,
    inPlace: 1,
    funneled: 1,
    statusBytes: 24,
    statusError: 2,
    world: 'ompi_mpi_comm_world',
    errorsReturn: 'ompi_mpi_errors_return',
    types: {
      float64: 'ompi_mpi_double',
      float32: 'ompi_mpi_float',
      int32: 'ompi_mpi_int32_t',
      uint32: 'ompi_mpi_uint32_t',
      uint8: 'ompi_mpi_uint8_t',
      int64: 'ompi_mpi_int64_t',
    },
    reductions: { sum: 'ompi_mpi_op_sum', max: 'ompi_mpi_op_max', min: 'ompi_mpi_op_min' },
  },
  // mpi.h of MPICH 4.0.
  mpich: {
    handle: 'int',
    handleBytes: 4,
    inPlace: -1,
    funneled: 1,
    statusBytes: 20,
    statusError: 4,
    world: 0x44000000,
    errorsReturn: 0x54000001,
    types: {
      float64: 0x4c00080b,
      float32: 0x4c00040a,
      int32: 0x4c000439,
      uint32: 0x4c00043d,
      uint8: 0x4c00013b,
      int64: 0x4c00083a,
    },
    reductions: { sum: 0x58000003, max: 0x58000001, min: 0x58000002 },
  },
  // MPI 5.0, §20.3.1 and the ABI values of annex A.1, as in Open MPI's docs/mpi-standard-5.0-abi.json and mpi4py's
  // mpiabi.h. Headers of mpi-abi-stubs and of MPICH before October 2025 have another MPI_ERRORS_RETURN.
  abi: {
    handle: 'int64',
    handleBytes: 8,
    inPlace: 1,
    funneled: 1024,
    statusBytes: 32,
    statusError: 2,
    world: 0x101,
    errorsReturn: 0x143,
    types: { float64: 0x214, float32: 0x210, int32: 0x250, uint32: 0x251, uint8: 0x241, int64: 0x258 },
    reductions: { sum: 0x21, max: 0x23, min: 0x22 },
  },
};

/** MPI_UNDEFINED of all families. */
export const UNDEFINED = -32766;

/** An MPI library: which one it is, and its handles. Nothing of it has been initialized. */
export class MpiLibrary {
  readonly native: NativeLibrary;
  readonly family: MpiFamily;
  /** "Open MPI 4.1.4", "MPICH 4.0.2", "MPICH 5.0.1 (the standard ABI)". */
  readonly version: string;
  readonly interface: Interface;

  /**
   * Opens the library of that name or path; `global` (needed for what is initialized) lets modules that it loads later
   * see its symbols. Throws LibraryError: it cannot be opened, or is of no known family.
   */
  constructor(name: string, global: boolean) {
    loadKoffi(WITHOUT);
    restrainUcx();
    this.native = new NativeLibrary([name], { remedy: REMEDY, without: WITHOUT, global });
    const text = libraryVersion(this.native);
    const family = familyOf(this.native, text);
    if (typeof family === 'string' && family in INTERFACES) this.family = family as MpiFamily;
    else
      throw new LibraryError(
        `${this.native.describeNames()} is ${text === undefined ? 'no MPI library' : `"${firstLine(text)}"`}, whose ` +
          `handles are not known: those of Open MPI, MPICH's binary interface and the standard ABI 1 are. ${REMEDY}`,
        { library: name },
      );
    this.version = briefVersion(text ?? '', this.family);
    this.interface = INTERFACES[this.family];
  }

  /** For people: "Open MPI 4.1.4, libmpi.so.40". */
  get description(): string {
    return `${this.version}, ${this.native.names.join(' + ')}`;
  }

  /** The value of a predefined handle. Throws LibraryError where the library does not export it. */
  handle(value: string | number): number {
    if (typeof value === 'number') return value;
    const address = this.native.address(value);
    if (address !== undefined) return address;
    throw new LibraryError(`${this.native.describeNames()} does not export "${value}". ${REMEDY}`, {
      library: this.native.names[0],
      symbol: value,
    });
  }
}

const firstLine = (text: string): string => text.split('\n', 1)[0].trim();

/** What MPI_Get_library_version says, which may be called before MPI_Init (MPI 4.0, §11.4.1). */
function libraryVersion(library: NativeLibrary): string | undefined {
  const ask = library.find('MPI_Get_library_version', 'int', ['int64', 'int64']);
  if (ask === undefined) return undefined;
  // MPI_MAX_LIBRARY_VERSION_STRING: 256 in Open MPI, 8192 in MPICH.
  const text = new Uint8Array(8192);
  const length = new Int32Array(1);
  ask(arrayAddress(text), arrayAddress(length));
  return new TextDecoder().decode(text.subarray(0, length[0])).replace(/\0[\s\S]*$/, '');
}

function familyOf(library: NativeLibrary, version: string | undefined): MpiFamily | undefined {
  if (version === undefined) return undefined;
  // First, for Open MPI's library of the ABI stands on the one that exports its objects. Libraries of other interfaces
  // say -1 (MPI 5.0, §20.2).
  const [major, minor] = [new Int32Array(1), new Int32Array(1)];
  library.find('MPI_Abi_get_version', 'int', ['int64', 'int64'])?.(arrayAddress(major), arrayAddress(minor));
  if (major[0] > 0) return major[0] === 1 ? 'abi' : undefined;
  // Those of MPICH 4.3 follow a draft, whose constants are others, and have no version of it.
  if (/mpi_abi[^/]*$/.test(library.names[0])) return undefined;
  if (library.address('ompi_mpi_comm_world') !== undefined) return 'openmpi';
  return /MPICH|Intel\(R\) MPI|MVAPICH/i.test(version) ? 'mpich' : undefined;
}

/** Whose library it is, by what it says of itself. */
const MAKERS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Intel MPI', /Intel\(R\) MPI/],
  ['MVAPICH', /^MVAPICH/],
  ['Open MPI', /^Open MPI/],
  ['MPICH', /^MPICH/],
];

function briefVersion(text: string, family: MpiFamily): string {
  const number = /(?:Open MPI v|MPICH Version:\s*|Intel\(R\) MPI Library |MVAPICH\S* Version:\s*)([\w.]+)/.exec(text);
  const maker = MAKERS.find(([, pattern]) => pattern.test(text))?.[0];
  const name = maker ?? FAMILY_NAMES[family];
  const brief = number === null ? name : `${name} ${number[1]}`;
  return family === 'abi' && maker !== undefined ? `${brief} (${FAMILY_NAMES.abi})` : brief;
}
