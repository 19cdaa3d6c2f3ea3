/**
 * An MPI library that has been opened, and not initialized: what it is, and the values of its handles.
 *
 * In Open MPI handles are the addresses of objects that the library exports, in MPICH and those that share its binary
 * interface (Intel MPI, MVAPICH, Cray MPICH) integers of mpi.h, which that interface fixes. The two also differ in what
 * "in place" is, and in the size of a status. MPI 5's own binary interface (libmpi_abi) is refused: no library of it
 * could be tried.
 */
import { LibraryError } from '../../core/errors.js';
import { arrayAddress, type NativeType } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import type { CommunicatedArray, Reduction } from '../communicator.js';
import { FAMILY_NAMES } from './candidates.js';
import type { MpiFamily } from './launcher.js';

/** Said after every failure of opening. */
export const REMEDY =
  'Install an MPI library and start the ranks with its own mpirun (Debian and Ubuntu: apt-get install openmpi-bin, ' +
  'or mpich), name one by HMATRIX_MPI=openmpi, mpich or /path/to/library, or set HMATRIX_MPI=self for ranks that ' +
  'know nothing of each other.';

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
};

/** MPI_UNDEFINED of both families. */
export const UNDEFINED = -32766;

/** An MPI library: which one it is, and its handles. Nothing of it has been initialized. */
export class MpiLibrary {
  readonly native: NativeLibrary;
  readonly family: MpiFamily;
  /** "Open MPI 4.1.4", "MPICH 4.0.2". */
  readonly version: string;
  readonly interface: Interface;

  /**
   * Opens the library of that name or path; `global` (needed for what is initialized) lets modules that it loads later
   * see its symbols. Throws LibraryError: it cannot be opened, or is of no known family.
   */
  constructor(name: string, global: boolean) {
    this.native = new NativeLibrary([name], {
      remedy: REMEDY,
      without: 'HMATRIX_MPI=self for ranks that know nothing of each other',
      global,
    });
    const text = libraryVersion(this.native);
    const family = familyOf(this.native, text);
    if (typeof family === 'string' && family in INTERFACES) this.family = family as MpiFamily;
    else
      throw new LibraryError(
        `${this.native.describeNames()} is ${text === undefined ? 'no MPI library' : `"${firstLine(text)}"`}, whose ` +
          `handles are not known: Open MPI's and those of MPICH's binary interface are. ${REMEDY}`,
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
  if (library.address('ompi_mpi_comm_world') !== undefined) return 'openmpi';
  const [major, minor] = [new Int32Array(1), new Int32Array(1)];
  library.find('MPI_Abi_get_version', 'int', ['int64', 'int64'])?.(arrayAddress(major), arrayAddress(minor));
  if (major[0] > 0) return undefined;
  return /MPICH|Intel\(R\) MPI|MVAPICH/i.test(version) ? 'mpich' : undefined;
}

function briefVersion(text: string, family: MpiFamily): string {
  const number = /(?:Open MPI v|MPICH Version:\s*|Intel\(R\) MPI Library |MVAPICH\S* Version:\s*)([\w.]+)/.exec(text);
  const name = /Intel\(R\) MPI/.test(text) ? 'Intel MPI' : /^MVAPICH/.test(text) ? 'MVAPICH' : FAMILY_NAMES[family];
  return number === null ? name : `${name} ${number[1]}`;
}
