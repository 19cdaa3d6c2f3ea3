/**
 * What stands for a library of MPI's standard ABI in tests: one with its names and constants over Debian's MPICH, made
 * by g++ when it is first needed. No package of Debian 12 has a real one.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileOnce } from '../../compile-once.js';
import { LAUNCHERS, type Launcher } from '../launchers.js';

const mpich = LAUNCHERS.find(({ family }) => family === 'mpich')!;
const SOURCE = join(import.meta.dirname, 'abi.cpp');
const MPICH = '-l:libmpich.so.12';

/** The folder of libmpi_abi.so.1, and of draft/libmpi_abi.so, which has the name alone; undefined: there is none. */
export const FOLDER =
  mpich.missing === undefined
    ? compileOnce('hmatrix-standard-abi', [SOURCE], (compile, folder) => {
        compile('libmpi_abi.so.1', SOURCE, MPICH);
        mkdirSync(join(folder, 'draft'));
        compile('draft/libmpi_abi.so', '-Wl,--no-as-needed', MPICH);
      })
    : undefined;

/** MPICH's mpirun, whose ranks open it. */
export const STANDARD_ABI: Launcher = {
  ...mpich,
  library: /^MPICH \d\S* \(the standard ABI\), /,
  missing: mpich.missing ?? (FOLDER === undefined ? 'there is no g++ here (Debian: apt-get install g++)' : undefined),
  env: { HMATRIX_MPI: join(FOLDER ?? '', 'libmpi_abi.so.1') },
};
