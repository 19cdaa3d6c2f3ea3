/**
 * What all commands that compute share: interruption, progress, a team, and their end.
 */
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RunControl } from '../core/context.js';
import { FileAccessError } from '../core/errors.js';
import { detectLauncher, ranksOfMachine } from '../distributed/mpi/launcher.js';
import { requireReplaceable } from '../io/array-file.js';
import { splitArrayPath } from '../io/array-path.js';
import { coresOfEach } from '../io/machine.js';
import type { Team, TeamOptions } from '../parallel/team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { openTeam } from '../parallel/default-team.js';
import { commandLine } from './command-line.js';
import { interruptSignal } from './outcome.js';
import { openProgress } from './progress.js';
import { print, printJson, printReport, writesResults } from './terminal.js';
import { UsageError } from './usage.js';
import type { CommonOptions } from './command-options.js';

/**
 * Runs `work` with a team, a progress bar where one is wanted, and a signal that Ctrl-C fires; cleans up whatever
 * happens. `load` begins to load the modules that the work is going to import, while the workers start.
 */
export async function withTeam<T>(
  options: CommonOptions,
  work: (control: TeamControl) => Promise<T>,
  load?: () => Promise<unknown>,
): Promise<T> {
  const { signal, dispose } = interruptSignal();
  const progress = await openProgress(options.json !== true && options.quiet !== true);
  let team: Team | undefined;
  try {
    const { workers, blas } = options;
    const opening = openTeam({ workers, blas, ...(await ofRanks(workers)) });
    // What cannot be loaded is an error of the work, which imports it.
    const loading = load?.().catch(() => undefined);
    team = await opening;
    await loading;
    return await work({ team, signal, onProgress: progress.onProgress });
  } finally {
    progress.stop();
    await team?.close();
    dispose();
  }
}

/** Of several ranks their communicator, and as many workers as a rank has cores where nobody says. */
async function ofRanks(workers: number | undefined): Promise<Pick<TeamOptions, 'communicator' | 'workers'>> {
  if (detectLauncher() === undefined) return {};
  const { ranks } = await import('./ranks.js');
  const communicator = ranks();
  const here = ranksOfMachine();
  if (communicator.size === 1 || workers !== undefined || here === undefined) return { communicator };
  return { communicator, workers: coresOfEach(here) };
}

/** How many ranks there are. */
async function rankCount(): Promise<number> {
  if (detectLauncher() === undefined) return 1;
  const { ranks } = await import('./ranks.js');
  return ranks().size;
}

/** Beneath a report, where several ranks worked: how many, and whose memory and rates it tells. */
export async function printRanks(workers: number): Promise<void> {
  const count = await rankCount();
  if (count > 1)
    print(`${count} ranks of ${workers} worker${workers === 1 ? '' : 's'} each; memory and rates are those of rank 0`);
}

/**
 * Writes the record of a run with the command that made it and the number of ranks, where that was asked for. Throws as
 * `writeRecord` does.
 */
export async function keepRecord(path: string | undefined, record: object, { signal }: RunControl): Promise<void> {
  if (path === undefined || !writesResults()) return;
  const { writeRecord } = await import('../experiment/record.js');
  const count = await rankCount();
  const told = { ...record, ...(count > 1 ? { ranks: count } : {}), command: commandLine() };
  await writeRecord(path, told, { signal });
}

/**
 * Runs `work` as `withTeam` does, keeps the record that it returns, and prints it: with --json what `printed` makes of
 * it, else the report, whose module is loaded then. Returns the record.
 */
export async function runRecorded<T extends object>(
  options: CommonOptions & { readonly record?: string | undefined },
  work: (control: TeamControl) => Promise<T>,
  report: () => Promise<(record: T, portable: boolean) => string>,
  printed: (record: T) => object = (record) => record,
): Promise<T> {
  const { record, portable, workers } = await withTeam(options, async (control) => {
    const done = await work(control);
    await keepRecord(options.record, done, control);
    const { blas, workers } = control.team;
    return { record: done, portable: blas.kind === 'portable', workers };
  });
  if (options.json === true) printJson(printed(record));
  else if (options.quiet !== true) {
    printReport((await report())(record, portable));
    await printRanks(workers);
  }
  return record;
}

/** What a file can hold, and what it may be called. */
const KINDS = {
  matrix: { what: 'a hierarchical matrix', names: ['.hm', '.npz'] },
  factors: { what: 'a factorization', names: ['.hm', '.npz'] },
  vectors: {
    what: 'a file of vectors',
    names: ['.npy', '.npz', '.safetensors', '.h5', '.hdf5', '.mtx', '.csv', '.tsv'],
  },
  weights: { what: 'a file of weights', names: ['.npz', '.safetensors', '.h5', '.hdf5'] },
  record: { what: 'the record of the run in JSON', names: ['.json'] },
  picture: { what: 'a picture', names: ['.svg', '.png', '.html'] },
  page: { what: 'a page', names: ['.html'] },
} as const;

/** Names that say what a file holds. */
const TELLING = /\.(hm|npy|npz|csv|tsv|mtx|json|safetensors|txt|gz|xlsx|mat|h5|hdf5|pt|svg|png|html?|pdf|jpe?g)$/i;

/** Throws UsageError where the name of --`flag`'s file says that it holds something else than what is written. */
export function requireKind(
  flag: 'out' | 'record' | 'calibrate' | 'report',
  path: string | undefined,
  kind: keyof typeof KINDS,
): void {
  const { file, name } = splitArrayPath(path ?? '');
  const [told] = TELLING.exec(file) ?? [];
  const { what, names } = KINDS[kind];
  if (path === '-')
    throw new UsageError(
      `--${flag} -: ${what} goes to a file: give its name${flag === 'record' ? '; --json prints it' : ''}.`,
    );
  if (told === undefined || (names as readonly string[]).includes(told.toLowerCase())) {
    if (name === undefined || kind === 'vectors') return;
    throw new UsageError(`--${flag} ${path}: ${what} takes a file of its own, not an array of one: give ${file}.`);
  }
  const all = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  throw new UsageError(`--${flag} ${path}: ${what} is written, not ${told}: call the file ${all}.`);
}

/**
 * Throws FileAccessError where `given` cannot become a file, OptionError where it names an array that cannot be, or
 * other arrays of its file would be lost: better known before a long run than after it.
 */
export async function requireWritable(given: string | undefined): Promise<void> {
  if (given === undefined) return;
  const { file: path } = splitArrayPath(given);
  await requireReplaceable(given);
  const refuse = (why: string): never => {
    throw new FileAccessError(`Cannot write ${path}: ${why}.`, { path });
  };
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile())
    refuse(`it is ${found.isDirectory() ? 'a folder' : 'not a regular file'}; give the name of a file`);
  await access(dirname(path), constants.W_OK).catch((error: NodeJS.ErrnoException) =>
    refuse(
      error.code === 'ENOENT'
        ? 'its folder does not exist'
        : `its folder cannot be written to (${error.code ?? error.message})`,
    ),
  );
}
