/**
 * Runs the command: within this process, or as a user would, in one of its own. What is printed, the exit status and
 * the files are the same (status.test.ts); a process of its own takes half a second more.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { invoke, sayWarning } from '#hmatrix/cli/invoke.js';
import { Team, type TeamOptions } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';

const main = resolve(import.meta.dirname, '../../dist/command/hmatrix.js');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Lines of reports as they are printed; default: whole. */
  readonly broken?: boolean;
  /** Sees all of standard output and standard error whenever either grows. */
  readonly watch?: (child: ChildProcess, stdout: string, stderr: string) => void;
}

/** Columns that the widest line of a table in a report takes. */
export const widestTable = (report: string): number =>
  Math.max(
    ...report
      .split('\n')
      .filter((line) => /^[┌│├└]/.test(line))
      .map((line) => [...line].length),
  );

/** `hmatrix ...args` in a process of its own; resolves when that has ended and its output is complete. */
export function hmatrixProcess(args: readonly string[], options: ProcessOptions = {}): Promise<Outcome> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.watch?.(child, stdout, stderr);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      options.watch?.(child, stdout, stderr);
    });
    child.on('error', fail);
    child.on('close', (status) => {
      done({ status, stdout: options.broken === true ? stdout : unbroken(stdout), stderr });
    });
  });
}

/** Collects what is written to a stream; `end` gives the stream back. */
function collect(stream: NodeJS.WriteStream): { readonly text: () => string; readonly end: () => void } {
  const write = stream.write;
  let text = '';
  stream.write = (chunk: string | Uint8Array): boolean => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    return true;
  };
  return {
    text: () => text,
    end: () => {
      stream.write = write;
    },
  };
}

/**
 * Until `end`, whoever opens a team of at most four workers gets the one that the tests share. Closing it only counts:
 * `end` throws where a team was left open.
 */
function lendTeams(): { readonly end: () => void } {
  const open = Team.open;
  const lent: Team[] = [];
  let closed = 0;
  Team.open = async (options: TeamOptions = {}): Promise<Team> => {
    const { workers = availableParallelism(), ...others } = options;
    const plain = Object.values(others).every((value) => value === undefined);
    if (!plain || !Number.isInteger(workers) || workers < 1 || workers > 4) return open.call(Team, options);
    const team = await sharedTeam(workers);
    lent.push(team);
    team.close = (): Promise<void> => {
      closed++;
      return Promise.resolve();
    };
    return team;
  };
  return {
    end: () => {
      Team.open = open;
      for (const team of lent) delete (team as Partial<Team>).close;
      if (closed !== lent.length) throw new Error('The command left its team open.');
    },
  };
}

/** What a machine that is slow writes while it works, every ten seconds: progress.test.ts is about it. */
const PROGRESS = /^hmatrix: [a-zA-Z ]+: \d+ of \d+.*\n/gm;

/** Lines of a report that were broken, whole again: they go on with four spaces more (src/cli/columns.ts). */
const unbroken = (text: string): string => (text.startsWith('{') ? text : text.replace(/\n {4}(?: {2})?(?=\S)/g, ' '));

/**
 * `hmatrix ...args` in this process, one at a time. Reports have their lines whole, unless they are wanted `broken`.
 * Standard output is no terminal; lines of progress are left out, for whether there are any is the machine's to say.
 */
export async function hmatrix(
  args: readonly string[],
  { cwd, broken = false }: { readonly cwd?: string; readonly broken?: boolean } = {},
): Promise<Outcome> {
  const from = process.cwd();
  const warned = process.listeners('warning');
  const [stdout, stderr] = [collect(process.stdout), collect(process.stderr)];
  process.removeAllListeners('warning');
  process.on('warning', sayWarning);
  const teams = lendTeams();
  let status: number;
  try {
    if (cwd !== undefined) process.chdir(cwd);
    status = await invoke(args);
    // Warnings come in a turn of their own.
    await new Promise(setImmediate);
  } finally {
    process.chdir(from);
    process.removeAllListeners('warning');
    for (const listener of warned) process.on('warning', listener);
    stderr.end();
    stdout.end();
    teams.end();
  }
  const printed = stdout.text();
  return { status, stdout: broken ? printed : unbroken(printed), stderr: stderr.text().replace(PROGRESS, '') };
}
