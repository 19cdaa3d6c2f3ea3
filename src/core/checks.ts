/**
 * Small checks of options: each throws OptionError that says what was asked for and what was given, with the facts in
 * its data.
 */
import { OptionError } from './errors.js';

const refuse = (name: string, value: number, asked: string): never => {
  throw new OptionError(`${name} must be ${asked}, not ${value}.`, { option: name, value, [name]: value });
};

/** `value`, where it is a whole number from `least` to `most`. */
export function requireWhole(value: number, name: string, least: number, most = Number.POSITIVE_INFINITY): number {
  if (!Number.isInteger(value) || value < least || value > most)
    refuse(name, value, `a whole number ${most === Infinity ? `≥ ${least}` : `from ${least} to ${most}`}`);
  return value;
}

/** `seed`, where a random stream can be made of it: a whole number from 0 to 2⁵³ − 1. */
export function requireSeed(seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0) refuse('seed', seed, 'a whole number from 0 to 2⁵³ − 1');
  return seed;
}

/** `value`, where it can be a relative error: 0 ≤ value < 1. */
export function requireTolerance(value: number, name = 'tolerance'): number {
  if (!(value >= 0 && value < 1))
    throw new OptionError(`${name} must lie in [0, 1), not ${value}.`, { option: name, value, [name]: value });
  return value;
}

/** `value`, where it can be a share: 0 ≤ value ≤ 1. */
export function requireShare(value: number, name: string): number {
  if (!(value >= 0 && value <= 1))
    throw new OptionError(`${name} must lie in [0, 1], not ${value}.`, { option: name, value, [name]: value });
  return value;
}

/** `value`, where it is finite and above 0. */
export function requirePositive(value: number, name: string): number {
  if (!(value > 0 && value < Infinity)) refuse(name, value, 'a positive number');
  return value;
}

/** `value`, where 0 ≤ value < below. */
export function requireNonNegative(value: number, name: string, below = Number.POSITIVE_INFINITY): number {
  if (!(value >= 0 && value < below)) refuse(name, value, `a number ≥ 0${below < Infinity ? ` and < ${below}` : ''}`);
  return value;
}

/** `bytes`, where it can limit memory: a number above 0, which may be infinite. */
export function requireMemoryLimit(bytes: number, name = 'memoryLimit'): number {
  if (!(bytes > 0)) refuse(name, bytes, 'a positive number of bytes');
  return bytes;
}
