/**
 * Reading the command's arguments: numbers and names, with messages that say what is allowed.
 */
import { InvalidArgumentError } from 'commander';
import { nearestName } from '../core/known-options.js';

/** Wrong usage found after parsing: exit status 2. */
export class UsageError extends Error {}

/** Whether an option's value was refused: by its code, as the command's bundle may hold commander's classes twice. */
export const isInvalidArgument = (error: unknown): error is Error =>
  error instanceof Error && (error as { readonly code?: unknown }).code === 'commander.invalidArgument';

/** The library's name of an option as the command writes it: leafSize → --leaf-size, with a value --leaf-size 64. */
export const asFlag = (option: string, value?: string | number): string =>
  `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${value === undefined ? '' : ` ${value}`}`;

const numeric = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A parser of whole numbers from `least` to `most`. */
export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return (text) => {
    const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    return value;
  };
}

/** A parser of finite numbers that satisfy `allowed`, which `wording` says in words. */
export function finiteNumber(wording: string, allowed: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = numeric.test(text.trim()) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value) || !allowed(value)) throw new InvalidArgumentError(`It must be ${wording}.`);
    return value;
  };
}

const suffixes: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** A number of bytes: 500000000, 500M, 1.5G. */
export function byteCount(text: string): number {
  const [, digits, suffix] = /^(\d+\.?\d*|\.\d+)([kmgt]?)b?$/i.exec(text.trim()) ?? [];
  const value = digits === undefined ? Number.NaN : Math.round(Number(digits) * suffixes[suffix.toLowerCase()]);
  if (!(value >= 1 && Number.isSafeInteger(value)))
    throw new InvalidArgumentError('It must be a positive number of bytes, such as 500000000, 500M or 1.5G.');
  return value;
}

/** 'median', or a bandwidth as a number. */
export function bandwidth(text: string): number | 'median' {
  return text === 'median'
    ? text
    : finiteNumber("a positive number or 'median' (the median distance of the points)", (h) => h > 0)(text);
}

/** Units per layer: 784-10-784. */
export function widths(text: string): number[] {
  const parts = text
    .trim()
    .split('-')
    .map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length < 2 || parts.some((width) => !(width >= 1)))
    throw new InvalidArgumentError(
      'It must be the units of each layer, at least 1 each and at least two layers, such as 784-10-784.',
    );
  return parts;
}

/** --delimiter: one character, or a word for one that shells make hard to write. */
export function delimiter(text: string): string {
  const named: Readonly<Record<string, string>> = { tab: '\t', '\\t': '\t', space: ' ', comma: ',' };
  const mark = named[text.toLowerCase()] ?? text;
  if ([...mark].length !== 1) throw new InvalidArgumentError('It must be one character, or tab, space, comma.');
  return mark;
}

/** --columns: names and numbers from 0, comma between; a name in double quotes may hold commas, or be of digits. */
export function columnList(text: string): (string | number)[] {
  const columns: (string | number)[] = [];
  const part = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y;
  for (let more = true; more;) {
    const [, inQuotes, plain, end] = part.exec(text) ?? [];
    const name = inQuotes?.replaceAll('""', '"') ?? plain?.trim();
    if (name === undefined || name === '') {
      const text = 'It must be names or numbers (from 0) with commas between, such as x1,x2 or 0,1;';
      throw new InvalidArgumentError(`${text} a name that holds a comma stands in double quotes.`);
    }
    columns.push(inQuotes === undefined && /^\d{1,9}$/.test(name) ? Number(name) : name);
    more = end === ',';
  }
  return columns;
}

/** --header: undefined for auto. */
export function header(text: string): boolean | undefined {
  const meaning: Readonly<Record<string, boolean | undefined>> = { yes: true, no: false, auto: undefined };
  if (!(text in meaning)) throw new InvalidArgumentError('It must be yes, no or auto.');
  return meaning[text];
}

/** A setting's value: a number, true, false, null, or a word. */
function settingValue(text: string): number | boolean | string | null {
  if (numeric.test(text)) return Number(text);
  const words: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
  return Object.hasOwn(words, text) ? words[text] : text;
}

/** name=value, several with commas between. */
export function settings(text: string): Record<string, number | boolean | string | null> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [, name, value] = /^\s*([A-Za-z]\w*)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
      if (name === undefined)
        throw new InvalidArgumentError('It must be name=value, such as damping=0.1, several with commas between.');
      return [name, settingValue(value)];
    }),
  );
}

function noSuch(noun: string, given: string, choices: readonly string[]): string {
  const near = nearestName(given, choices);
  const meant = near === undefined ? '' : ` Did you mean ${near}?`;
  return `There is no ${noun} ${JSON.stringify(given)}; there are ${choices.join(', ')}.${meant}`;
}

/** A parser of names with commas between, each one of `choices`. */
export function oneOfEach<T extends string>(noun: string, choices: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((part) => {
      const choice = choices.find((name) => name === part.trim().toLowerCase());
      if (choice === undefined) throw new InvalidArgumentError(noSuch(noun, part.trim(), choices));
      return choice;
    });
}
