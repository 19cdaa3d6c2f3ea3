/**
 * Standard input and output in the place of files: `-`.
 * What comes is kept in a temporary file, for it is read at positions; what goes out is written to one first, so that
 * nothing goes out of a run that fails.
 */
import { open, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../core/context.js';
import { HmatrixError } from '../core/errors.js';
import { accessError } from '../io/input-file.js';
import { withTemporaryFolder } from '../io/temporary-folder.js';
import { interruptSignal } from './outcome.js';
import { printFile, ranksAtWork } from './terminal.js';
import { asFlag, UsageError } from './usage.js';

/** What stands for standard input or output. */
export const PIPE = '-';

/** Options whose file may be standard input. */
const INPUTS = ['matrix', 'points', 'rhs', 'x'] as const;

/** The options of commands that read and write files. */
export type PipeOptions = {
  readonly [name in (typeof INPUTS)[number] | 'out' | 'record']?: string | undefined;
} & { readonly json?: boolean | undefined; readonly quiet?: boolean | undefined };

/** Whether one of the files is a pipe. */
export const hasPipes = (file: string | undefined, options: PipeOptions): boolean =>
  file === PIPE || options.out === PIPE || INPUTS.some((name) => options[name] === PIPE);

/** The first byte of a JSON object. */
const BRACE = 0x7b;

/** Whether a file begins as a JSON object does: the record of a run. */
async function isObject(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(1), 0, 1, 0);
    return bytesRead === 1 && buffer[0] === BRACE;
  } finally {
    await file.close();
  }
}

/**
 * Writes standard input to a file and tells its path, which says so where it is JSON. Throws AbortedError,
 * FileAccessError.
 */
async function keepInput(path: string): Promise<string> {
  const { signal, dispose } = interruptSignal();
  try {
    await writeFile(path, process.stdin, { signal });
    if (!(await isObject(path))) return path;
    await rename(path, `${path}.json`);
    return `${path}.json`;
  } catch (error) {
    throwIfAborted(signal);
    throw accessError(error, 'write', path);
  } finally {
    dispose();
  }
}

/**
 * Runs `run` with files in the place of pipes; resolves to its exit status. Throws UsageError where standard input is
 * wanted twice, by several ranks, or is a terminal, or standard output is taken.
 */
export async function withPipes<O extends PipeOptions, F extends string | undefined>(
  file: F,
  options: O,
  run: (file: F, options: O) => Promise<number>,
): Promise<number> {
  const inputs = INPUTS.filter((name) => options[name] === PIPE);
  const wanted = inputs.length + (file === PIPE ? 1 : 0);
  if (wanted > 1)
    throw new UsageError(
      `Standard input is one file: give another for ${inputs.map((name) => asFlag(name)).join(' or ')}.`,
    );
  if (wanted === 1 && ranksAtWork() > 1)
    throw new UsageError('Standard input reaches one rank alone: give a file that all of them can read.');
  if (wanted === 1 && process.stdin.isTTY)
    throw new UsageError('Standard input is a terminal: pipe a file into it, hmatrix … - < FILE.');
  const out = options.out === PIPE;
  if (out && options.json === true)
    throw new UsageError('--json and --out - both write to standard output: give --record FILE for the record.');
  return withTemporaryFolder(async (folder) => {
    const kept = join(folder, 'standard-input');
    const output = join(folder, 'standard-output');
    const input = wanted === 1 ? await keepInput(kept) : kept;
    const taken = {
      ...options,
      ...Object.fromEntries(inputs.map((name) => [name, input])),
      ...(out ? { out: output, quiet: true } : {}),
    };
    const status = await run(file === PIPE ? (input as F) : file, taken).catch((error: unknown) => {
      if (error instanceof HmatrixError)
        error.message = error.message.replaceAll(input, 'standard input').replaceAll(output, 'standard output');
      throw error;
    });
    if (out && (await stat(output).catch(() => undefined)) !== undefined) await printFile(output);
    return status;
  });
}
