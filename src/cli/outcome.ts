/**
 * How the command ends: exit statuses, what errors mean, signals. Layer 8.
 */
import { CommanderError } from 'commander';
import { AbortedError, HmatrixError, OptionError } from '../core/errors.js';
import { UsageError } from './usage.js';

/**
 * toleranceMissed: what was asked was missed, or a sample leaves it undecided; all is done and written all the same.
 */
export const exitStatus = { done: 0, failed: 1, usage: 2, toleranceMissed: 3 } as const;

/** The library's name of an option as the command writes it: leafSize → --leaf-size. */
const asFlag = (option: string): string => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Says on standard error what went wrong; returns the exit status. */
export function reportFailure(error: unknown): number {
  // commander has written its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  const say = (text: string): void => { process.stderr.write(`hmatrix: ${text}\n`); };
  if (error instanceof AbortedError) {
    say('interrupted; nothing was written.');
    return exitStatus.failed;
  }
  const message = error instanceof Error ? error.message : String(error);
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
