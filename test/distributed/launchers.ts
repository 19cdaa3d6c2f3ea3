/**
 * The launchers of MPI on this machine, and programs of several ranks under them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Launcher {
  readonly family: 'openmpi' | 'mpich';
  readonly command: readonly string[];
  /** What openMpi's description begins with. */
  readonly library: RegExp;
  /** Why it cannot be used here, if so. */
  readonly missing: string | undefined;
  /** What its ranks have in their environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Why the command cannot be run, if so. */
function missingCommand(command: readonly string[]): string | undefined {
  try {
    execFileSync(command[0], [...command.slice(1), '-n', '1', 'true'], { stdio: 'ignore', timeout: 60_000 });
    return undefined;
  } catch (error) {
    return `${command[0]}: ${(error as NodeJS.ErrnoException).code ?? 'does not start a program'}`;
  }
}

const launcher = (family: Launcher['family'], library: RegExp, ...command: string[]): Launcher => ({
  family,
  command,
  library,
  missing: missingCommand(command),
});

/** Both families; Debian calls their commands by these names. */
export const LAUNCHERS: readonly Launcher[] = [
  launcher('openmpi', /^Open MPI \d/, 'mpirun.openmpi', '--allow-run-as-root', '--oversubscribe'),
  launcher('mpich', /^MPICH \d/, 'mpirun.mpich'),
];

export interface Ended {
  /** The launcher's exit status; null where it was killed for taking too long. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface RanksOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The launcher is killed after so many seconds. */
  readonly limit?: number;
}

/** The environment of this process without what launchers and users say of MPI. */
const plainEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OMPI_|PMI|PMIX_|HMATRIX_MPI)/.test(name)));

/** Runs `command` to its end. */
export function run(command: readonly string[], { env = {}, limit = 60 }: RanksOptions = {}): Promise<Ended> {
  return new Promise((done, fail) => {
    const begin = performance.now();
    const child = spawn(command[0], command.slice(1), {
      env: { ...plainEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 1000 * limit,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', fail);
    child.on('close', (status) => {
      done({ status, stdout, stderr, seconds: (performance.now() - begin) / 1000 });
    });
  });
}

/** Runs a program of this folder on so many ranks. */
export const runRanks = (
  { command, env }: Launcher,
  ranks: number,
  program: readonly string[],
  options: RanksOptions = {},
): Promise<Ended> =>
  run([...command, '-n', String(ranks), process.execPath, ...inThisFolder(program)], {
    ...options,
    env: { ...env, ...options.env },
  });

/** Runs a program of this folder without a launcher. */
export const runAlone = (program: readonly string[], options: RanksOptions = {}): Promise<Ended> =>
  run([process.execPath, ...inThisFolder(program)], options);

const inThisFolder = ([file, ...args]: readonly string[]): string[] => [resolve(import.meta.dirname, file), ...args];
