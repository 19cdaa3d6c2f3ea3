/** The communicator over MPI: every operation on one to four ranks of each library that is here, and every bad end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hmatrixProcess } from '../cli/command.js';
import { LAUNCHERS, runAlone, runRanks, type Launcher } from './launchers.js';
import { FOLDER, STANDARD_ABI } from './standard-abi/standard-abi.js';

/** Ranks of a program that ends badly are gone by then, in seconds; it takes about one. */
const GONE = 20;

interface Checked {
  readonly size: number;
  readonly description: string;
  readonly failures: readonly string[];
  /** An ordered sum. */
  readonly sum: readonly number[];
}

/** The ordered sum of one process alone: that of all others, whatever their ranks and library. */
const SUM = (async () => {
  const { stdout } = await runAlone(['mpi-checks.mjs', '5']);
  return (JSON.parse(stdout) as Checked).sum;
})();

const describeLauncher = (name: string, of: (launcher: Launcher) => void): void => {
  for (const launcher of LAUNCHERS)
    if (launcher.missing === undefined) describe(`${name} (${launcher.family})`, () => of(launcher));
    else it.skip(`${name} (${launcher.family}): ${launcher.missing}`, () => undefined);
};

/** Every operation on so many ranks, whole or in pieces. */
async function checkOperations(launcher: Launcher, ranks: number, pieces: number): Promise<void> {
  const { status, stdout, stderr } = await runRanks(launcher, ranks, ['mpi-checks.mjs', String(pieces)]);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const { size, description, failures, sum } = JSON.parse(stdout) as Checked;
  expect(failures).toEqual([]);
  expect(sum).toEqual(await SUM);
  expect(size).toBe(ranks);
  expect(description).toMatch(launcher.library);
  expect(description).toMatch(ranks === 1 ? / 1 rank$/ : new RegExp(` ${ranks} ranks$`));
}

describeLauncher('all operations of MPI', (launcher) => {
  // Whole, and in pieces of five elements: more than 2³¹ − 1 go the same way.
  const runs = [
    [1, 5],
    [2, 2 ** 31 - 1],
    [2, 5],
    [3, 5],
    [4, 2 ** 31 - 1],
  ];
  it.each(runs)('on_%i_ranks_in_pieces_of_%i_do_what_their_equations_say', (ranks, pieces) =>
    checkOperations(launcher, ranks, pieces),
  );
});

/** Whether a process of that number runs: one that has ended may stay listed until its parent asks for its status. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Which of them still run when they should long be gone. */
async function leftOf(pids: readonly number[]): Promise<number[]> {
  const deadline = performance.now() + 1000 * GONE;
  while (pids.some(runs) && performance.now() < deadline) await new Promise((done) => setTimeout(done, 50));
  return pids.filter(runs);
}

/** How three ranks end of which one ends so while the others wait. */
async function endOf(launcher: Launcher, how: string, waiting: string) {
  const ended = await runRanks(launcher, 3, ['mpi-ending.mjs', how, waiting], { limit: 2 * GONE });
  const pids = [...ended.stdout.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid));
  return { ...ended, left: await leftOf(pids), pids: pids.length };
}

/** A rank that throws ends all, which is said. */
async function checkThrown(launcher: Launcher, waiting: string): Promise<void> {
  const { status, stderr, seconds, left } = await endOf(launcher, 'throw', waiting);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^rank 1 of 3: RangeError: what went wrong\n\s+at /m);
  expect(left).toEqual([]);
  expect(seconds).toBeLessThan(GONE);
}

describeLauncher('the end of a rank', (launcher) => {
  const end = (how: string, waiting: string) => endOf(launcher, how, waiting);

  it.each(['receive', 'send', 'startAllreduce', 'alltoall'])(
    'by_an_error_ends_all_that_wait_in_%s_and_says_why',
    (waiting) => checkThrown(launcher, waiting),
  );

  it.each(['receive', 'allreduce', 'alltoall'])('by_SIGKILL_ends_all_that_wait_in_%s', async (waiting) => {
    const { status, seconds, left } = await end('kill', waiting);
    expect(status).not.toBe(0);
    expect(status).not.toBeNull();
    expect(left).toEqual([]);
    expect(seconds).toBeLessThan(GONE);
  });

  it.each([
    ['status', 5],
    ['abort', 7],
  ])('by_%s_ends_all_with_status_%i', async (how, wanted) => {
    const { status, left } = await end(how, 'receive');
    expect(status).toBe(wanted);
    expect(left).toEqual([]);
  });

  it('without_close_is_a_good_one', async () => {
    const { status, pids } = await end('end', 'nothing');
    expect([status, pids]).toEqual([0, 3]);
  });
});

/** Two ranks that misuse their communicator get errors that say so; the message too long is received, or waited for. */
async function checkMisuse(launcher: Launcher, waits: boolean): Promise<void> {
  const { status, stdout, stderr } = await runRanks(launcher, 2, ['mpi-misuse.mjs', ...(waits ? ['waits'] : [])]);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const { short, long, pending, second, closed } = JSON.parse(stdout) as Record<string, string>;
  expect(short).toMatch(
    /^CommunicationError: The message from rank 0 to rank 1 with tag 1 holds 2 elements; 5 elements/,
  );
  const failed = waits ? 'Waitall' : 'Recv';
  expect(long).toMatch(new RegExp(`^CommunicationError: MPI_${failed} failed on rank 1 of 2 \\(.*\\): .*truncat`, 'i'));
  expect(pending).toMatch(/^CommunicationError: Rank 1 of 2 closes .* while 1 of the operations/);
  expect(second).toMatch(/^CommunicationError: .* has been initialized in this process already/);
  expect(closed).toMatch(/^CommunicationError: The communicator is closed/);
}

describeLauncher('misuse', (launcher) => {
  it('is_refused_by_typed_errors_before_and_after_communication', () => checkMisuse(launcher, false));

  it('of_a_library_that_does_not_fit_the_launcher_names_both', async () => {
    const other = LAUNCHERS.find(({ family }) => family !== launcher.family)!;
    if (other.missing !== undefined) return;
    const { status, stderr } = await runRanks(launcher, 2, ['mpi-checks.mjs', '3'], {
      env: { HMATRIX_MPI: other.family },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/LibraryError: (Open MPI|MPICH) .* sees 1 rank where .*mpirun.* has started 2/);
    expect(stderr).toMatch(new RegExp(other.library.source.slice(1)));
  });

  it('HMATRIX_MPI_self_leaves_ranks_alone', async () => {
    const { status, stdout } = await runRanks(launcher, 2, ['mpi-checks.mjs', '3'], { env: { HMATRIX_MPI: 'self' } });
    expect(status).toBe(0);
    const [first, second] = stdout.trim().split('\n');
    expect(second).toBe(first);
    expect(JSON.parse(first)).toMatchObject({ size: 1, description: 'one process', failures: [] });
  });

  it('a_family_that_is_named_is_used_without_a_launcher', async () => {
    const { stdout } = await runAlone(['mpi-checks.mjs', '3'], { env: { HMATRIX_MPI: launcher.family } });
    const { size, description, failures } = JSON.parse(stdout) as Checked;
    expect({ size, failures }).toEqual({ size: 1, failures: [] });
    expect(description).toMatch(launcher.library);
  });
});

/** What becomes of a process that opens the library, or all: UCX would patch the C library and catch signals. */
async function openingOf(where: 'main' | 'worker', library: string, env = {}) {
  const { status, stdout, stderr } = await runAlone(['mpi-opening.mjs', where, library], { env });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { ucx, ...left } = JSON.parse(stdout) as { ucx: boolean; patched: string[]; beyond: string; hangup: boolean };
  return { ucx, left };
}

// What is asked of the process is in /proc.
describe.skipIf(process.platform !== 'linux')('opening', () => {
  const alone = { patched: [], beyond: 'RuntimeError', hangup: false };
  const families = LAUNCHERS.filter(({ missing }) => missing === undefined).map(({ family }) => family);

  it.each(['all', ...families])('leaves_memory_and_signals_of_the_process_alone: %s', async (library) => {
    expect((await openingOf('main', library)).left).toEqual(alone);
    expect((await openingOf('worker', library)).left).toEqual(alone);
  });

  it('leaves_variables_of_UCX_that_are_set', async () => {
    const { ucx, left } = await openingOf('main', 'all', { UCX_DEBUG_SIGNO: 'SIGHUP' });
    expect(left).toEqual({ ...alone, hangup: ucx });
  });
});

const { missing } = STANDARD_ABI;
if (missing !== undefined) it.skip(`a library of the standard ABI: ${missing}`, () => undefined);
else
  describe('a library of the standard ABI', () => {
    it.each([
      [1, 2 ** 31 - 1],
      [2, 5],
      [3, 2 ** 31 - 1],
    ])('has_all_operations_on_%i_ranks_in_pieces_of_%i', (ranks, pieces) =>
      checkOperations(STANDARD_ABI, ranks, pieces),
    );

    it('ends_all_ranks_where_one_fails', () => checkThrown(STANDARD_ABI, 'startAllreduce'));

    it('returns_its_errors', () => checkMisuse(STANDARD_ABI, true));

    it('is_found_by_its_name_and_listed', async () => {
      const env = { HMATRIX_MPI: 'abi', LD_LIBRARY_PATH: FOLDER! };
      const { stdout } = await hmatrixProcess(['doctor', '--json', '--workers', '1'], { env });
      const { mpi } = JSON.parse(stdout) as { mpi: { library: string; search: unknown[] } };
      expect(mpi.library).toMatch(STANDARD_ABI.library);
      const library = 'libmpi_abi.so.1';
      expect(mpi.search).toContainEqual({ family: 'abi', library, usable: true, description: mpi.library });
    });

    it('of_a_draft_is_refused', async () => {
      const env = { HMATRIX_MPI: join(FOLDER!, 'draft/libmpi_abi.so') };
      const { status, stderr } = await runAlone(['mpi-checks.mjs', '3'], { env });
      expect(status).toBe(1);
      expect(stderr).toMatch(/LibraryError: ".*" is "MPICH Version.*", whose handles are not known: .*standard ABI 1/);
    });
  });

describe('without a launcher', () => {
  it('a_process_is_alone_and_opens_no_library', async () => {
    const { status, stdout } = await runAlone(['mpi-checks.mjs', '3']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ size: 1, description: 'one process', failures: [] });
  });

  it.each([
    ['/nowhere/libmpi.so', /LibraryError: Cannot open the library "\/nowhere\/libmpi.so": .* HMATRIX_MPI=self/],
    ['libm.so.6', /LibraryError: "libm.so.6" is no MPI library.* HMATRIX_MPI=self/],
  ])('the_library_%s_is_refused', async (library, wanted) => {
    const { status, stderr } = await runAlone(['mpi-checks.mjs', '3'], { env: { HMATRIX_MPI: library } });
    expect(status).toBe(1);
    expect(stderr).toMatch(wanted);
  });
});
