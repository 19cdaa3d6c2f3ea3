/**
 * Whether a device multiplies in a way that it is asked to.
 */
import { requireName } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import type { Precision } from '../core/floats.js';
import { ARITHMETICS, type Arithmetic, type Device } from './device.js';

/** Throws OptionError unless the device forms products of that precision so; none asked for is always right. */
export function requireArithmetic(
  { name, arithmetics }: Pick<Device, 'name' | 'arithmetics'>,
  arithmetic: Arithmetic | undefined,
  precision: Precision,
): void {
  if (arithmetic === undefined) return;
  requireName(arithmetic, 'arithmetic', 'matrix.to', ARITHMETICS);
  if (precision === 'f32' && arithmetics.includes(arithmetic)) return;
  const all = arithmetics.length === 0 ? 'none besides its precisions' : `${arithmetics.join(' and ')}, for f32`;
  throw new OptionError(
    `The device ${name} has no arithmetic ${arithmetic} for products in ${precision}: it has ${all}.`,
    { device: name, arithmetic, precision },
  );
}
