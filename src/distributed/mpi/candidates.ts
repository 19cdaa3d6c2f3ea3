/**
 * Which files MPI libraries go by. Names without a path are left to the system's own search, which
 * `module load openmpi` and the like extend (LD_LIBRARY_PATH).
 */
import type { MpiFamily } from './launcher.js';

/** What each family is called. */
export const FAMILY_NAMES: Readonly<Record<MpiFamily, string>> = {
  openmpi: 'Open MPI',
  mpich: 'MPICH',
  abi: 'the standard ABI',
};

/** All families, in the order in which they are listed. */
export const FAMILIES = Object.keys(FAMILY_NAMES) as MpiFamily[];

// libmpi.so.40: Open MPI 3 to 5. libmpi.so.12: the common binary interface of MPICH 3.2 and later, Intel MPI, MVAPICH2
// and Cray MPICH; Debian calls MPICH's libmpich.so.12. libmpi.so is either, and is looked into. libmpi_abi: the
// standard ABI (MPI 5.0, §20.2.1), with its version; 0 in MPICH 5.0.0 and 5.0.1 (github.com/pmodels/mpich/issues/7928).
const LINUX: Readonly<Record<MpiFamily, readonly string[]>> = {
  openmpi: ['libmpi.so.40', 'libmpi.so', '/usr/lib64/openmpi/lib/libmpi.so.40'],
  mpich: ['libmpich.so.12', 'libmpi.so.12', 'libmpi.so', '/usr/lib64/mpich/lib/libmpi.so.12'],
  abi: ['libmpi_abi.so.1', 'libmpi_abi.so.0', 'libmpi_abi.so'],
};

const MACOS: Readonly<Record<MpiFamily, readonly string[]>> = {
  openmpi: [
    'libmpi.40.dylib',
    '/opt/homebrew/opt/open-mpi/lib/libmpi.40.dylib',
    '/usr/local/opt/open-mpi/lib/libmpi.40.dylib',
  ],
  mpich: ['libmpi.12.dylib', '/opt/homebrew/opt/mpich/lib/libmpi.12.dylib', '/usr/local/opt/mpich/lib/libmpi.12.dylib'],
  abi: ['libmpi_abi.1.dylib', 'libmpi_abi.0.dylib', 'libmpi_abi.dylib'],
};

/** The search order of a family on a platform (Node's names of platforms); none on Windows. */
export const candidatesOf = (family: MpiFamily, platform: string): readonly string[] =>
  platform === 'win32' ? [] : (platform === 'darwin' ? MACOS : LINUX)[family];
