/** What the environment of a process says of who started it. */
import { describe, expect, it } from 'vitest';
import { detectLauncher } from '#hmatrix/distributed/mpi/launcher.js';

const detect = (environment: Readonly<Record<string, string>>) => detectLauncher((name) => environment[name]);

describe('the launcher', () => {
  it.each([
    ['nothing', {}, undefined],
    // sbatch's own step and job arrays are no ranks.
    ['Slurm alone', { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_STEP_NUM_TASKS: '4' }, undefined],
    [
      "Open MPI's mpirun, which sets PMIx's variables too",
      { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3', PMIX_RANK: '3' },
      { families: ['openmpi', 'abi'], rank: 3, size: 4 },
    ],
    ['Hydra', { PMI_RANK: '1', PMI_SIZE: '2' }, { families: ['mpich', 'openmpi', 'abi'], rank: 1, size: 2 }],
    [
      'srun --mpi=pmi2',
      { PMI_RANK: '5', SLURM_STEP_NUM_TASKS: '8' },
      { families: ['mpich', 'openmpi', 'abi'], rank: 5, size: 8, name: 'srun by PMI' },
    ],
    [
      'srun --mpi=pmix',
      { PMIX_RANK: '5', SLURM_STEP_NUM_TASKS: '8' },
      { families: ['openmpi', 'mpich', 'abi'], rank: 5, size: 8, name: 'srun by PMIx' },
    ],
    ['prun', { PMIX_RANK: '0' }, { families: ['openmpi', 'mpich', 'abi'], rank: 0, size: undefined }],
    ['what is no number', { OMPI_COMM_WORLD_SIZE: 'four', PMI_RANK: '-1' }, undefined],
  ])('is_known_by_what_it_sets: %s', (_, environment, wanted) => {
    const found = detect(environment as Readonly<Record<string, string>>);
    if (wanted === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(wanted);
  });
});
