/**
 * The functions of an MPI library, under the signatures of mpi.h: addresses are numbers, every return code is checked.
 */
import { LibraryError } from '../../core/errors.js';
import type { NativeFunction, NativeType } from '../../native/koffi.js';
import { REMEDY, type MpiLibrary } from './library.js';

/** Parameters by letter: i an integer, p an address, h a handle. */
const PARAMETERS = {
  MPI_Initialized: 'p',
  MPI_Init_thread: 'ppip',
  MPI_Finalize: '',
  MPI_Abort: 'hi',
  MPI_Comm_rank: 'hp',
  MPI_Comm_size: 'hp',
  MPI_Comm_dup: 'hp',
  MPI_Comm_split: 'hiip',
  MPI_Comm_free: 'p',
  MPI_Comm_set_errhandler: 'hh',
  MPI_Error_string: 'ipp',
  MPI_Barrier: 'h',
  MPI_Bcast: 'pihih',
  MPI_Allreduce: 'ppihhh',
  MPI_Allgatherv: 'pihppphh',
  MPI_Gatherv: 'pihppphih',
  MPI_Send: 'pihiih',
  MPI_Recv: 'pihiihp',
  MPI_Isend: 'pihiihp',
  MPI_Irecv: 'pihiihp',
  MPI_Iallreduce: 'ppihhhp',
  MPI_Testall: 'ippp',
  MPI_Waitall: 'ipp',
  MPI_Get_count: 'php',
} as const;

/** The functions that are used. */
export type MpiName = keyof typeof PARAMETERS;
/** Each as a function of numbers that returns MPI's code, 0 for success. */
export type MpiFunctions = Readonly<Record<MpiName, NativeFunction>>;

/** Binds all functions. Throws LibraryError naming the first that is missing. */
export function bindMpi({ native, interface: { handle } }: MpiLibrary): MpiFunctions {
  const bound: Partial<Record<MpiName, NativeFunction>> = {};
  for (const name of Object.keys(PARAMETERS) as MpiName[]) {
    const parameters = Array.from(PARAMETERS[name], (letter): NativeType =>
      letter === 'i' ? 'int' : letter === 'p' ? 'int64' : handle,
    );
    const found = native.find(name, 'int', parameters);
    if (found === undefined)
      throw new LibraryError(`${native.describeNames()} has no symbol "${name}". ${REMEDY}`, {
        library: native.names[0],
        symbol: name,
      });
    bound[name] = found;
  }
  return bound as MpiFunctions;
}
