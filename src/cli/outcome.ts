/**
 * How the command ends: exit statuses, what errors mean, signals.
 */
import { CommanderError, type Option } from 'commander';
import { inCode, type OptionAdvice } from '../core/advice.js';
import { AbortedError, HmatrixError, OptionError } from '../core/errors.js';
import { asMemoryError } from '../core/shared-array.js';
import { isFirstRank } from './launched.js';
import { letFirstSpeak, printError, say, writesResults } from './terminal.js';
import { asFlag, UsageError } from './usage.js';

/**
 * toleranceMissed: what was asked was missed, or a sample leaves it undecided; all is done and written all the same.
 */
export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, toleranceMissed: 3 } as const;

/** What the command takes for an option's value. */
function flagValue(value: NonNullable<OptionAdvice['value']>): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return value.join(',');
  return value === '\t' ? 'tab' : /^[\w.,]+$/.test(value) ? value : `'${value}'`;
}

/** Whether a flag is a switch: --bias, --no-bias. */
const isSwitch = (flag: Option): boolean => flag.isBoolean() || flag.negate;

/** A switch, on or off: --bias takes no value. */
function flipped(option: string, value: NonNullable<OptionAdvice['value']>, flags: readonly Option[]): string {
  const switches = flags.filter((flag) => flag.attributeName() === option);
  const [on, off] = [switches.find(({ negate }) => !negate), switches.find(({ negate }) => negate)];
  if (typeof value === 'object')
    return `which the command cannot: ${(on ?? off)?.long ?? asFlag(option)} gives all layers one or none`;
  if (value === true || value === 'true') return on?.long ?? `no ${off?.long ?? asFlag(option)}`;
  return off?.long ?? `no ${on?.long ?? asFlag(option)}`;
}

/** The message of the library with the command's flags in place of the options that its `advice` lists. */
function inFlags(message: string, advice: readonly OptionAdvice[], flags: readonly Option[]): string {
  const switches = new Set(flags.filter(isSwitch).map((one) => one.attributeName()));
  const flag = ({ option, value }: OptionAdvice): string =>
    value === undefined
      ? asFlag(option)
      : switches.has(option)
        ? flipped(option, value, flags)
        : `${asFlag(option)} ${flagValue(value)}`;
  return advice.reduce((text, one) => text.replaceAll(inCode(one), () => flag(one)), message);
}

/** What is said for people of a library's text: no file's own words, which stand in double quotes or are paths. */
const OUTSIDE = '(?<![\\w"/.\\\\-])';

/**
 * `text` with the flags of a command in place of the library's options that it has: maxRank → --max-rank,
 * "dtype: 'f32'" → "--dtype f32", "bias: true" → "--bias". A word that is also plain English is taken for an option
 * only where a value follows it.
 */
export function inCommandWords(text: string, flags: readonly Option[]): string {
  return flags.reduce((said, flag) => {
    const name = flag.attributeName();
    if (isSwitch(flag))
      return said.replace(new RegExp(`${OUTSIDE}${name}: (true|false)\\b`, 'g'), (_all, value: string) =>
        flipped(name, value, flags),
      );
    const quoted = said.replace(
      new RegExp(`${OUTSIDE}${name}(:)? '([^']*)'`, 'g'),
      (all, colon: string | undefined, value: string) =>
        colon !== undefined || flag.argChoices?.includes(value) === true ? asFlag(name, value) : all,
    );
    // Only a word with a capital within is never plain English.
    if (!/[a-z][A-Z]/.test(name)) return quoted;
    return quoted.replace(
      new RegExp(`${OUTSIDE}${name}(?:: (\\d[\\d.e+-]*))?(?![\\w"]|\\.\\w)`, 'g'),
      (_all, value?: string) => asFlag(name, value),
    );
  }, text);
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
 * An error's message in the command's words: the library's options it names (`data.options`, `data.advice`, and what
 * the command has flags for) as flags, and without what only a program can do (`data.libraryOnly`, a part of the
 * message).
 */
function messageWithFlags({ message, data }: HmatrixError, flags: readonly Option[]): string {
  const {
    options = [],
    advice = [],
    libraryOnly = '',
  } = data as {
    options?: readonly string[] | undefined;
    advice?: readonly OptionAdvice[] | undefined;
    libraryOnly?: string | undefined;
  };
  return inCommandWords(inFlags(withFlags(message.replace(libraryOnly, ''), options), advice, flags), flags);
}

/** Says on standard error what went wrong, in the words of a command with these flags; returns the exit status. */
export function reportFailure(thrown: unknown, flags: readonly Option[] = []): number {
  const error = asMemoryError(thrown);
  // commander has written its own message already, on the first rank.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT_STATUS.done;
  if (!isFirstRank()) letFirstSpeak();
  if (error instanceof CommanderError) return EXIT_STATUS.usage;
  if (error instanceof AbortedError) {
    say('interrupted; nothing was written.');
    return EXIT_STATUS.failed;
  }
  const message =
    error instanceof HmatrixError
      ? messageWithFlags(error, flags)
      : error instanceof Error
        ? error.message
        : String(error);
  if (error instanceof UsageError) {
    say(`${message} (see hmatrix help)`);
    return EXIT_STATUS.usage;
  }
  if (error instanceof OptionError) {
    const { option } = error.data;
    const named =
      typeof option === 'string' && (flags.length === 0 || flags.some((one) => one.attributeName() === option));
    say(`${named ? `${asFlag(option)}: ` : ''}${message}`);
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
    // The launcher passes the signal on to all ranks.
    if (writesResults()) printError('\nhmatrix: stopping … (once more to end at once)');
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
