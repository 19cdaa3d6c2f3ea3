/**
 * How the command ends: exit statuses, what errors mean, signals.
 */
import { CommanderError } from 'commander';
import { inCode, type OptionAdvice } from '../core/advice.js';
import { AbortedError, HmatrixError, OptionError } from '../core/errors.js';
import { asMemoryError } from '../core/shared-array.js';
import { printError, say } from './terminal.js';
import { asFlag, UsageError } from './usage.js';

/**
 * toleranceMissed: what was asked was missed, or a sample leaves it undecided; all is done and written all the same.
 */
export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, toleranceMissed: 3 } as const;

/** What the command takes for an option's value. */
function flagValue(value: string | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value === '\t' ? 'tab' : /^[\w.,]+$/.test(value) ? value : `'${value}'`;
}

/** The message of the library with the command's flags in place of the options that its `advice` lists. */
function inFlags(message: string, advice: readonly OptionAdvice[]): string {
  const flag = ({ option, value }: OptionAdvice): string =>
    value === undefined ? asFlag(option) : `${asFlag(option)} ${flagValue(value)}`;
  return advice.reduce((text, one) => text.replaceAll(inCode(one), () => flag(one)), message);
}

/** `text` with flags in place of the library's options `names`: maxRank → --max-rank, "dtype 'f32'" → "--dtype f32". */
export function withFlags(text: string, names: readonly string[]): string {
  return names.reduce(
    (said, name) =>
      said.replace(new RegExp(`\\b${name}(?:(?:: | )'([^']*)')?(?!\\w)`, 'g'), (_all, value?: string) =>
        asFlag(name, value),
      ),
    text,
  );
}

/**
 * An error's message in the command's words: the library's options it names (`data.options`, `data.advice`) as flags,
 * and without what only a program can do (`data.libraryOnly`, a part of the message).
 */
function messageWithFlags({ message, data }: HmatrixError): string {
  const {
    options = [],
    advice = [],
    libraryOnly = '',
  } = data as {
    options?: readonly string[] | undefined;
    advice?: readonly OptionAdvice[] | undefined;
    libraryOnly?: string | undefined;
  };
  return inFlags(withFlags(message.replace(libraryOnly, ''), options), advice);
}

/** Says on standard error what went wrong; returns the exit status. */
export function reportFailure(thrown: unknown): number {
  const error = asMemoryError(thrown);
  // commander has written its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.usage;
  if (error instanceof AbortedError) {
    say('interrupted; nothing was written.');
    return EXIT_STATUS.failed;
  }
  const message =
    error instanceof HmatrixError ? messageWithFlags(error) : error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    say(`${message} (see hmatrix help)`);
    return EXIT_STATUS.usage;
  }
  if (error instanceof OptionError) {
    const { option } = error.data;
    say(`${typeof option === 'string' ? `${asFlag(option)}: ` : ''}${message}`);
    return EXIT_STATUS.usage;
  }
  say(message);
  // An error without a class of ours is a defect: its stack helps to report it.
  if (!(error instanceof HmatrixError) && error instanceof Error && error.stack !== undefined) printError(error.stack);
  return EXIT_STATUS.failed;
}

/**
 * A signal that fires on the first Ctrl-C (or SIGTERM): the run then stops at its next step and leaves nothing
 * half-written. The second one ends the process at once. `dispose` takes the handlers away.
 */
export function interruptSignal(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_STATUS.failed);
    printError('\nhmatrix: stopping … (once more to end at once)');
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    dispose: () => {
      // A second Ctrl-C that comes while the process is on its way out ends it with the same status.
      if (controller.signal.aborted) return;
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}
