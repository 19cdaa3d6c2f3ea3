/**
 * How something is put on a device.
 */
import { requirePrecision } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { Precision } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Device } from '../../device/device.js';
import type { HierarchicalData } from '../matrix/data.js';

/** How a matrix or a factorization is put on a device. */
export interface DeviceMatrixOptions {
  /** What it is computed in there. Default: its own where the device has it, else f32. */
  readonly precision?: Precision | undefined;
}
/** The keys of {@link DeviceMatrixOptions}. */
const DEVICE_MATRIX_KEYS: KeysOf<DeviceMatrixOptions> = { precision: true };

/**
 * The precision in which a matrix is put on a device by the function named `of`; `own` is what it has here. Throws
 * OptionError where the device has no such precision, or several ranks have the matrix.
 */
export function requireWholeOn(
  device: Device,
  { share }: Pick<HierarchicalData, 'share'>,
  { own, options }: { readonly own: Precision; readonly options: DeviceMatrixOptions },
  of: string,
): Precision {
  requireRole(device, 'device', of);
  requireKnownOptions(options, DEVICE_MATRIX_KEYS, of);
  if (share !== undefined)
    throw new OptionError(
      'This matrix is shared out over several ranks, and a device takes a whole one: make it on one rank.',
    );
  const precision = requirePrecision(options.precision ?? (device.precisions.includes(own) ? own : 'f32'));
  if (!device.precisions.includes(precision))
    throw new OptionError(
      `The device ${device.name} computes in ${device.precisions.join(' and ')}, not in ${precision}.`,
      { device: device.name, precision },
    );
  return precision;
}
