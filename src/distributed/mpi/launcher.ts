/**
 * What the environment says of the program that started this process: whether it is one of several ranks, and which
 * family of MPI libraries understands the launcher.
 */
import { environmentVariable } from '../../core/environment.js';

/** The families of libraries whose handles are known. */
export type MpiFamily = 'openmpi' | 'mpich' | 'abi';

/** A launcher of ranks, as its ranks see it. */
export interface Launcher {
  /** For messages: "Open MPI's mpirun". */
  readonly name: string;
  /** What may fit it, the likeliest first. */
  readonly families: readonly MpiFamily[];
  readonly rank: number;
  /** Ranks that it started, where it says so. */
  readonly size: number | undefined;
}

type Environment = (name: string) => string | undefined;

/** A whole number ≥ 0 of the environment, if it is one. */
function numberOf(environment: Environment, name: string): number | undefined {
  const text = environment(name);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * The launcher that started this process, or undefined where none did. Open MPI's mpirun sets OMPI_COMM_WORLD_SIZE;
 * Hydra (MPICH, Intel MPI, MVAPICH) and `srun --mpi=pmi2` set PMI_RANK and PMI_SIZE; `srun --mpi=pmix` and PRRTE's prun
 * set PMIX_RANK, which libraries of both families understand, and the number of ranks is then Slurm's. A library of the
 * standard ABI may be of any of them.
 */
export function detectLauncher(environment: Environment = environmentVariable): Launcher | undefined {
  const openMpiSize = numberOf(environment, 'OMPI_COMM_WORLD_SIZE');
  if (openMpiSize !== undefined)
    return {
      name: "Open MPI's mpirun",
      families: ['openmpi', 'abi'],
      rank: numberOf(environment, 'OMPI_COMM_WORLD_RANK') ?? 0,
      size: openMpiSize,
    };
  const stepSize = numberOf(environment, 'SLURM_STEP_NUM_TASKS');
  const pmiRank = numberOf(environment, 'PMI_RANK');
  if (pmiRank !== undefined)
    return {
      name: stepSize === undefined ? 'a launcher by PMI (mpirun of MPICH or Intel MPI)' : 'srun by PMI',
      families: ['mpich', 'openmpi', 'abi'],
      rank: pmiRank,
      size: numberOf(environment, 'PMI_SIZE') ?? stepSize,
    };
  const pmixRank = numberOf(environment, 'PMIX_RANK');
  if (pmixRank !== undefined)
    return {
      name: stepSize === undefined ? 'a launcher by PMIx' : 'srun by PMIx',
      families: ['openmpi', 'mpich', 'abi'],
      rank: pmixRank,
      size: stepSize,
    };
  return undefined;
}

/** How many ranks the launcher started on this machine, where it says so. */
export const ranksOfMachine = (environment: Environment = environmentVariable): number | undefined =>
  numberOf(environment, 'OMPI_COMM_WORLD_LOCAL_SIZE') ?? numberOf(environment, 'MPI_LOCALNRANKS');
