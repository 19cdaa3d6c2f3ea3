/**
 * Cells of tables: what is a number, what is missing, and what other notations of numbers there are.
 * A number is written as programs write it: sign, digits, a point (or the comma that `decimal` says), an exponent after
 * e, E, or Fortran's d, D. Anything else that begins like a number is refused with the name of its notation, never
 * taken for text.
 */
import type { OptionAdvice } from '../core/advice.js';

/** What separates a number's whole part from its fraction. */
export type DecimalMark = '.' | ',';

/**
 * Cells that hold no value, in any case of letters: nothing at all, NA, N/A, #N/A, <NA>, NaN (with or without a sign),
 * null, None.
 */
const MISSING = /^(?:|#?n\/?a|<na>|[+-]?nan|null|none)$/i;
/** Whether a cell holds no value. */
export const isMissing = (cell: string): boolean => MISSING.test(cell);

// Each run of digits belongs to one place of the pattern: linear in the cell's length, however long.
const NUMBERS: Readonly<Record<DecimalMark, RegExp>> = {
  '.': /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?$/,
  ',': /^[+-]?(?:\d+(?:,\d*)?|,\d+)(?:[eEdD][+-]?\d+)?$/,
};
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/**
 * The number that a cell holds (±Infinity where it says so, or is beyond the range of float64), or undefined where it
 * holds none.
 */
export function numberOf(cell: string, decimal: DecimalMark): number | undefined {
  if (!NUMBERS[decimal].test(cell))
    return INFINITE.test(cell) ? (cell.startsWith('-') ? -Infinity : Infinity) : undefined;
  const plain = decimal === ',' ? cell.replace(',', '.') : cell;
  const value = Number(plain);
  // Not NaN but for Fortran's exponent.
  return Number.isNaN(value) ? Number(plain.replace(/d/i, 'e')) : value;
}

/**
 * Whether a cell is meant as a number, in whatever notation: it begins with a sign, a point or a comma, or the first of
 * its letters and digits is a digit ("$1", "(2)", "<5"); or it is NaN or infinite. Names of columns do not.
 */
export const beginsLikeNumber = (cell: string): boolean =>
  /^(?:[+\-−.,]|[^\p{L}\p{N}_]*\p{N})/u.test(cell) || INFINITE.test(cell) || /^nan$/i.test(cell);

/** Most characters of a cell that a message shows. */
const SHOWN = 40;

/** The cell as far as a message shows it. */
export const shortened = (cell: string): string => (cell.length > SHOWN ? `${cell.slice(0, SHOWN)}…` : cell);
/** The cell in quotes, cut, control characters escaped. */
export const quoted = (cell: string): string =>
  JSON.stringify(shortened(cell)).replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);

/** Longer cells are no numbers in any notation that people use. */
const MOST = 1000;

/** What a cell's notation is called, and what to do about it. */
export interface Notation {
  readonly what: string;
  readonly advice?: OptionAdvice | undefined;
}

const DIGIT_GROUPS = /^[+-]?\d{1,3}(?:([,.' \u00a0\u202f\u2009’])\d{3})(?:\1\d{3})*(?:[.,]\d*)?$/;
const write = (text: string): string => `${text}: write plain numbers, such as 1234.5`;

/** Notations of no option of ours, the surest first. */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/^[+-]?\d+(?:_\d+)+(?:\.\d*)?$/, write("a number with '_' between its digits")],
  [/^[^\p{L}]*\p{Sc}|\p{Sc}\s*$/u, write('an amount with a currency sign')],
  [/\d\s*%$/, 'a percentage: write the share itself, 0.05 for 5 %'],
  [/^\(\s*[\d.,]+\s*\)$/, 'a number in parentheses, as accounts write negative ones: write a minus sign'],
  [/^[−–]\s*[\d.,]/, 'a number whose minus sign is not the character "-"'],
  [/^[+-]?0x[\da-f]+$/i, write('a hexadecimal number')],
  [/^[+-]?(?:\d+\.\d*|\.\d+)[+-]\d+$/, 'a number whose exponent lacks its letter: write 1.5E+100 for 1.5+100'],
  [/^[^\p{L}\d]*[^\P{N}\d]/u, write('a number in other digits than 0 to 9')],
];

/** The character that separates the numbers of a cell, if it is made of several. */
function delimiterWithin(cell: string): string | undefined {
  const isNumber = (part: string): boolean =>
    numberOf(part.trim(), '.') !== undefined || numberOf(part.trim(), ',') !== undefined;
  return [';', '\t', '|', ' '].find((mark) => {
    const parts = cell.split(mark === ' ' ? / +/ : mark);
    return parts.length > 1 && parts.every(isNumber);
  });
}

/** The notation of a cell that `numberOf` does not read, where it begins like a number and its notation is known. */
export function notationOf(cell: string, decimal: DecimalMark): Notation | undefined {
  if (cell.length > MOST) return undefined;
  const grouped = DIGIT_GROUPS.test(cell);
  if (decimal === '.' && numberOf(cell, ',') !== undefined) {
    const advice = { option: 'decimal', value: ',' };
    return {
      what: grouped
        ? 'a number with a decimal comma, or one with commas between groups of digits (write those without them)'
        : 'a number with a decimal comma',
      advice,
    };
  }
  if (decimal === ',' && numberOf(cell, '.') !== undefined) {
    return {
      what: 'a number with a decimal point, or one with points between groups of digits, where commas are announced',
      advice: { option: 'decimal', value: '.' },
    };
  }
  if (grouped && !cell.includes(' ')) return { what: write('a number with separators between groups of digits') };
  const delimiter = delimiterWithin(cell);
  if (delimiter !== undefined) {
    const groups = grouped ? 'a number with spaces between groups of digits, or ' : '';
    const what = `${groups}several numbers with ${delimiter === '\t' ? 'tabs' : `'${delimiter}'`} between them`;
    return { what, advice: { option: 'delimiter', value: delimiter } };
  }
  const known = FOREIGN.find(([pattern]) => pattern.test(cell));
  return known === undefined ? undefined : { what: known[1] };
}
