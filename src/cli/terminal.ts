/**
 * The one way from the command to standard output and standard error.
 * File names, names within files and cells reach messages as they are, and a terminal obeys control characters: they
 * are shown instead.
 */
import { createReadStream } from 'node:fs';
import { accessError } from '../io/input-file.js';
import { withinColumns } from './columns.js';

/**
 * What a terminal would obey and not show: control characters but for tab and line feed (C0, DEL, C1), and the marks
 * that reorder text (Unicode Technical Report 36, §3.6).
 */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Who writes: one process alone, or one of several ranks, of which the first alone writes results. */
let speaker = { rank: 0, size: 1 };

/**
 * From here on this process is rank `rank` of `size`: others than the first write nothing to standard output, and what
 * they say on standard error begins with their rank.
 */
export function speakForRank(rank: number, size: number): void {
  speaker = { rank, size };
}

/** Whether this process writes results and progress: the only one, or rank 0. */
export const writesResults = (): boolean => speaker.rank === 0;

/** How many ranks the command runs on; one where the first rank does all of it. */
export const ranksAtWork = (): number => speaker.size;

const escaped = (mark: string): string => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * `text` with every character that a terminal would obey written as \u001b; in JSON, where such characters stand in
 * strings only, the same text.
 */
export const visible = (text: string): string => text.replace(OBEYED, escaped);

/** ENOSPC and the like as a FileAccessError. */
const cannotWrite = (error: unknown): unknown => accessError(error, 'write', 'standard output');

/** Lines on standard output, on the first rank alone. Throws FileAccessError where that fails at once (full device). */
export function print(text: string): void {
  if (!writesResults()) return;
  try {
    process.stdout.write(`${visible(text)}\n`);
  } catch (error) {
    throw cannotWrite(error);
  }
}

/** A report for people on standard output, within 80 columns. Throws as print does. */
export function printReport(text: string): void {
  print(withinColumns(text));
}

/** The bytes of a file on standard output, as they are: for whatever reads them. */
export async function printFile(path: string): Promise<void> {
  if (!writesResults()) return;
  for await (const chunk of createReadStream(path))
    if (!process.stdout.write(chunk as Uint8Array)) await new Promise((done) => process.stdout.once('drain', done));
}

/** One JSON object on standard output. Throws as print does. */
export function printJson(value: object): void {
  print(JSON.stringify(value, null, 2));
}

/** Lines on standard error; where that cannot be written to there is nobody to tell. */
export function printError(text: string): void {
  try {
    process.stderr.write(`${visible(text)}\n`);
  } catch {
    // Nothing is left to say it with.
  }
}

/** A message on standard error, under the command's name. */
export const say = (message: string): void => {
  const { rank, size } = speaker;
  printError(`hmatrix${size > 1 ? ` (rank ${rank} of ${size})` : ''}: ${message}`);
};

/** How long other ranks give the first one to say of a failure what they would say, and to end all of them. */
const FIRST_SPEAKS = 1000;

/**
 * To be called on other ranks than the first before they tell of a failure, or end with it: where all fail alike, as by
 * a file that is not there, the first one says why.
 */
export function letFirstSpeak(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FIRST_SPEAKS);
}

/** A message that all ranks would say: the first one does. */
export const sayOnce = (message: string): void => {
  if (writesResults()) printError(`hmatrix: ${message}`);
};

/**
 * To be called once, before anything is written. Whoever reads our output may stop reading (head, less): that is no
 * failure. Any other failure of standard output is said, and ends the process with `failed`; failures of standard error
 * are let be.
 */
export function watchOutput(failed: number): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    say((cannotWrite(error) as Error).message);
    process.exit(failed);
  });
  process.stderr.on('error', () => undefined);
}
