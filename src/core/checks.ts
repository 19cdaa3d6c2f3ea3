/**
 * Small checks of options: each throws OptionError that says what was asked for and what was given, with the facts in
 * its data.
 */
import { OptionError } from './errors.js';
import { PRECISIONS, type Precision } from './floats.js';
import { describe, quoted } from './kind.js';

const refuse = (name: string, value: unknown, asked: string): never => {
  throw new OptionError(`${name} must ${asked}, not ${describe(value)}.`, { option: name, value, [name]: value });
};

/** Whether `value` is a number, and `range` of it: text, arrays and null are none, though comparisons take them. */
const isNumber = (value: unknown, range: (value: number) => boolean): boolean =>
  typeof value === 'number' && range(value);

/** `value`, where it is a whole number from `least` to `most`. */
export function requireWhole(value: number, name: string, least: number, most = Number.POSITIVE_INFINITY): number {
  if (!Number.isInteger(value) || value < least || value > most)
    refuse(name, value, `be a whole number ${most === Infinity ? `≥ ${least}` : `from ${least} to ${most}`}`);
  return value;
}

/** `seed`, where a random stream can be made of it: a whole number from 0 to 2⁵³ − 1. */
export function requireSeed(seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0) refuse('seed', seed, 'be a whole number from 0 to 2⁵³ − 1');
  return seed;
}

/** `value`, where it can be a relative error: 0 ≤ value < 1. */
export function requireTolerance(value: number, name = 'tolerance'): number {
  if (!isNumber(value, (v) => v >= 0 && v < 1)) refuse(name, value, 'lie in [0, 1)');
  return value;
}

/** `value`, where it can be a share: 0 ≤ value ≤ 1. */
export function requireShare(value: number, name: string): number {
  if (!isNumber(value, (v) => v >= 0 && v <= 1)) refuse(name, value, 'lie in [0, 1]');
  return value;
}

/** `value`, where it is finite and above 0. */
export function requirePositive(value: number, name: string): number {
  if (!isNumber(value, (v) => v > 0 && v < Infinity)) refuse(name, value, 'be a positive number');
  return value;
}

/** `value`, where 0 ≤ value < below. */
export function requireNonNegative(value: number, name: string, below = Number.POSITIVE_INFINITY): number {
  if (!isNumber(value, (v) => v >= 0 && v < below))
    refuse(name, value, `be a number ≥ 0${below < Infinity ? ` and < ${below}` : ''}`);
  return value;
}

/** `bytes`, where it can limit memory: a number above 0, which may be infinite. */
export function requireMemoryLimit(bytes: number, name = 'memoryLimit'): number {
  if (!isNumber(bytes, (v) => v > 0)) refuse(name, bytes, 'be a positive number of bytes');
  return bytes;
}

const OTHER_PRECISIONS: Readonly<Record<string, Precision>> = {
  float64: 'f64',
  double: 'f64',
  float32: 'f32',
  single: 'f32',
  float: 'f32',
};

/** `value`, where it names a precision: 'f64' or 'f32'. */
export function requirePrecision(value: Precision, name = 'precision'): Precision {
  if (typeof value !== 'string' || !PRECISIONS.includes(value)) {
    const other = OTHER_PRECISIONS[String(value).toLowerCase()] as Precision | undefined;
    const advice = other === undefined ? '' : `: write '${other}'`;
    throw new OptionError(`${name} must be f64 or f32, not ${describe(value)}${advice}.`, { option: name, value });
  }
  return value;
}

/** Throws OptionError unless `value` is one of the names. */
export function requireName<T extends string>(value: T, name: string, of: string, names: readonly T[]): T {
  if (!names.includes(value))
    throw new OptionError(`${name} of ${of} is ${quoted(value)}: choose ${names.join(', ')}.`, {
      [name]: value,
    });
  return value;
}
