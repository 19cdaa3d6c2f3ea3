/**
 * Checks of the Newton optimizers' options: OptionError that names option, value and range.
 */
import { describe } from '../../core/kind.js';
import { OptionError } from '../../core/errors.js';

/** Throws OptionError unless `value` is a finite number above (with `closed` at or above) `least`, and below `most`. */
export function requireNumber(
  value: number,
  name: string,
  of: string,
  { least = 0, closed = false, most = Infinity }: { least?: number; closed?: boolean; most?: number } = {},
): number {
  const inside = typeof value === 'number' && (closed ? value >= least : value > least) && value < most;
  if (!inside) {
    const from = closed ? `from ${least}` : `above ${least}`;
    const range = most === Infinity ? `${from} on` : `${from} to below ${most}`;
    throw new OptionError(`${name} of ${of} is ${describe(value)}: it is a number ${range}.`, { [name]: value });
  }
  return value;
}

/** Throws OptionError unless `value` is a whole number of at least `least`. */
export function requireCount(value: number, name: string, of: string, least = 1): number {
  if (!Number.isInteger(value) || value < least)
    throw new OptionError(`${name} of ${of} is ${describe(value)}: it is a whole number of at least ${least}.`, {
      [name]: value,
    });
  return value;
}

/** Throws OptionError unless `value` is true or false. */
export function requireFlag(value: boolean, name: string, of: string): boolean {
  if (typeof value !== 'boolean')
    throw new OptionError(`${name} of ${of} is ${describe(value)}: it is true or false.`, { [name]: value });
  return value;
}
