/**
 * How the command ends: exit statuses, what errors mean, signals. Layer 8.
 */
import { CommanderError } from 'commander';
import { AbortedError, HmatrixError, OptionError } from '../core/errors.js';
import { UsageError } from './usage.js';

export const exitStatus = { done: 0, failed: 1, usage: 2, toleranceMissed: 3 } as const;

/** The library's name of an option as the command writes it: leafSize → --leaf-size, with a value --leaf-size 64. */
export const asFlag = (option: string, value?: string | number): string => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${value === undefined ? '' : ` ${value}`}`;

/**
 * An error's message in the command's words: the library's options it names (`data.options`) as flags, "dtype 'f32'" as "--dtype f32", and without what only a program can do
 * (`data.libraryOnly`, a part of the message).
 */
export function messageWithFlags({ message, data: { options, libraryOnly } }: HmatrixError): string {
  let text = typeof libraryOnly === 'string' ? message.replace(libraryOnly, '') : message;
  if (!Array.isArray(options)) return text;
  for (const option of options as string[]) {
    text = text.replace(new RegExp(`\\b${option}(?:(?:: | )'([^']*)')?(?!\\w)`, 'g'), (_all, value?: string) => asFlag(option, value));
  }
  return text;
}

/** Says on standard error what went wrong; returns the exit status. */
export function reportFailure(error: unknown): number {
  // commander has written its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  const say = (text: string): void => { process.stderr.write(`hmatrix: ${text}\n`); };
  if (error instanceof AbortedError) {
    say('interrupted; nothing was written.');
    return exitStatus.failed;
  }
  const message = error instanceof HmatrixError ? messageWithFlags(error) : error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    say(`${message} (see hmatrix help)`);
    return exitStatus.usage;
  }
  if (error instanceof OptionError) {
    const { option } = error.data;
    say(`${typeof option === 'string' ? `${asFlag(option)}: ` : ''}${message}`);
    return exitStatus.usage;
  }
  say(message);
  // An error without a class of ours is a defect: its stack helps to report it.
  if (!(error instanceof HmatrixError) && error instanceof Error && error.stack !== undefined) process.stderr.write(`${error.stack}\n`);
  return exitStatus.failed;
}

/**
 * A signal that fires on the first Ctrl-C (or SIGTERM): the run then stops at its next step and leaves nothing half-written. The second one
 * ends the process at once. `dispose` takes the handlers away.
 */
export function interruptSignal(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitStatus.failed);
    process.stderr.write('\nhmatrix: stopping … (once more to end at once)\n');
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}
