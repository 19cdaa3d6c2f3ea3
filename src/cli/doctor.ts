/**
 * hmatrix doctor: what is found on this machine, and what is used of it.
 */
import { version } from '../core/version.js';
import { describeSearch } from '../dense/backend.js';
import { describeDevices } from '../device/open.js';
import { describeMpi } from '../distributed/describe-mpi.js';
import { measureDgemm } from '../experiment/dgemm-rate.js';
import { writeRecord } from '../experiment/record.js';
import { availableMemory, describeMachine, gpuDrivers } from '../io/machine.js';
import { inBytes } from '../core/number-text.js';
import { EXIT_STATUS } from './outcome.js';
import { calibrate } from '../solve/calibrate.js';
import { requireKind, requireWritable, withTeam } from './run.js';
import { table } from './tables.js';
import { COLUMNS, withinColumns } from './columns.js';
import { printJson, printReport } from './terminal.js';
import type { DoctorOptions } from './command-options.js';

/** A module whose one function returns i8x16.splat(0): valid only where 128-bit SIMD is. */
const simdModule = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  8,
  1,
  6,
  0,
  65,
  0,
  253,
  15,
  11,
);

/** Node has it; the types of the browser's library, which declare it, are not ours. */
const webAssembly = (globalThis as unknown as { readonly WebAssembly: { validate(bytes: Uint8Array): boolean } })
  .WebAssembly;

/** Prints what was found; resolves to the exit status. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const { calibrate: calibrating } = options;
  if (typeof calibrating === 'string') {
    requireKind('calibrate', calibrating, 'record');
    await requireWritable(calibrating);
  }
  const found = await withTeam({ ...options, quiet: true }, async (control) => {
    const { team } = control;
    return {
      hmatrix: version,
      node: process.versions.node,
      machine: describeMachine(),
      memory: { totalBytes: describeMachine().memoryBytes, availableBytes: availableMemory() },
      workers: team.workers,
      blas: {
        kind: team.blas.kind,
        description: team.blas.description,
        dgemmGflops: await measureDgemm(team, control),
        choice: options.blas ?? process.env['HMATRIX_BLAS'] ?? null,
      },
      search: describeSearch(),
      mpi: describeMpi(),
      wasm: { simd: webAssembly.validate(simdModule) },
      gpu: { drivers: gpuDrivers() },
      devices: await describeDevices(),
      calibration: calibrating === undefined ? undefined : await calibrate(control),
    };
  });
  if (typeof calibrating === 'string') await writeRecord(calibrating, found.calibration!.rates);
  if (options.json === true) {
    printJson(found);
    return EXIT_STATUS.done;
  }
  const { machine, memory, workers, blas, search, mpi, wasm, gpu, devices } = found;
  printReport(`hmatrix ${found.hmatrix}, Node ${found.node}, ${machine.platform} ${machine.architecture}`);
  printReport(
    `processor: ${machine.processor} (${machine.vectors}), ${machine.cores} ` +
      `core${machine.cores === 1 ? '' : 's'} to use, ${workers} worker${workers === 1 ? '' : 's'}`,
  );
  printReport(`memory: ${inBytes(memory.availableBytes)} available of ${inBytes(memory.totalBytes)}`);
  printReport(
    `BLAS: ${blas.description}, ${blas.dgemmGflops.toPrecision(3)} GFLOP/s with ${workers} ` +
      `worker${workers === 1 ? '' : 's'}${blas.choice === null ? '' : ` (chosen: ${blas.choice})`}`,
  );
  if (blas.kind === 'portable')
    printReport(
      '  the built-in backend is in use; a system BLAS is several times faster: apt-get install ' +
        'libopenblas0-pthread, dnf install openblas-threads, brew install openblas',
    );
  printReport('searched, in this order (HMATRIX_BLAS or --blas overrides it):');
  printReport(
    searched(
      ['family', 'libraries', 'outcome'],
      search.map(({ candidate, libraries, usable, description, reason }) => [
        candidate,
        libraries.join(' + '),
        usable ? briefly(description, libraries.join(' + ')) : brief(reason),
      ]),
    ),
  );
  const { launcher, library, choice } = mpi;
  const rank =
    launcher === null
      ? 'this process is alone'
      : `rank ${launcher.rank} of ${launcher.size ?? 'several'}, started by ${launcher.name}`;
  const chosen = choice === null ? '' : ` (chosen: ${choice})`;
  printReport(`MPI: ${rank}; openMpi takes ${library ?? 'no library that is here'}${chosen}`);
  printReport('libraries of MPI (HMATRIX_MPI or the launcher chooses):');
  printReport(
    searched(
      ['family', 'library', 'outcome'],
      mpi.search.map(({ family, library: name, usable, description, reason }) => [
        family ?? 'chosen',
        name,
        usable ? briefly(description, name) : brief(reason),
      ]),
    ),
  );
  printReport(
    `WebAssembly SIMD (for the portable backend): ${wasm.simd ? 'yes' : 'NO: the portable backend cannot run'}`,
  );
  printReport(
    `GPU: ${gpu.drivers.length === 0 ? 'no driver found' : `driver found (${gpu.drivers.join(', ')})`}; devices that ` +
      'a matrix can be put on (openDevice):',
  );
  for (const { device, usable, description, software, reason } of devices) {
    const slow = software === true ? ', which the processor computes: auto takes cpu instead' : '';
    printReport(`  ${device}: ${usable ? `usable, ${description!}${slow}` : `not usable. ${reason!}`}`);
  }
  printReport('  cpu: usable, the workers above');
  if (found.calibration !== undefined) {
    const { rates, measured } = found.calibration;
    printReport(
      `one worker: gemm ${inGiga(measured.gemm)} GFLOP/s, stored numbers ${inGiga(measured.stored)}, entries ` +
        `${inGiga(measured.entries)}, numbers of vectors ${inGiga(measured.vectors)} G/s`,
    );
    const { memory: waiting, entries, steps } = rates;
    printReport(`rates beside those that solve predicts with: memory ${waiting}, entries ${entries}, steps ${steps}`);
    if (typeof calibrating === 'string') printReport(`written to ${calibrating}: hmatrix solve --rates ${calibrating}`);
  }
  return EXIT_STATUS.done;
}

const inGiga = (perSecond: number): string => (perSecond / 1e9).toPrecision(3);

/** What frames and spaces take of the width of a table of three columns. */
const FRAMES = 10;
/** Columns that outcomes have at least, however long the paths of libraries are. */
const LEAST = 24;

/** A table whose last column is broken at spaces into what the others leave of a terminal's columns. */
function searched(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widthOf = (k: number): number => Math.max(...[head, ...rows].map((row) => [...row[k]].length));
  const room = Math.max(LEAST, COLUMNS - FRAMES - widthOf(0) - widthOf(1));
  return table(
    head,
    rows.map(([family, library, outcome]) => [family, library, withinColumns(outcome, room, '')]),
  );
}

/** What a library is, without its name, which stands beside it. */
const briefly = (description: string | undefined, name: string): string =>
  (description ?? 'usable').replace(`, ${name}`, '');

/** The loader's long messages, cut to what matters in a table. */
function brief(reason: string | undefined): string {
  const text = (reason ?? 'not usable').replace(/^(Cannot open the library )?"[^"]*":? /, '');
  if (/no such file|not found|cannot find/i.test(text)) return 'not there';
  return text.length > 70 ? `${text.slice(0, 69)}…` : text;
}
