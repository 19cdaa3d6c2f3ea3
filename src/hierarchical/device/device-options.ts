/**
 * How something is put on a device.
 */
import { requirePrecision } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { Precision } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Arithmetic, Device } from '../../device/device.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { HierarchicalData } from '../matrix/data.js';

/** How a factorization is put on a device. */
export interface DevicePrecisionOptions {
  /** What it is computed in there. Default: its own where the device has it, else f32. */
  readonly precision?: Precision | undefined;
}
/** The keys of {@link DevicePrecisionOptions}. */
export const DEVICE_PRECISION_KEYS: KeysOf<DevicePrecisionOptions> = { precision: true };

/** How a matrix is put on a device. */
export interface DeviceMatrixOptions extends DevicePrecisionOptions {
  /**
   * Of a matrix in f32: how products with more than 16 vectors are formed, of `device.arithmetics`; factors rounded to
   * 'tf32' (11 bits) or 'bf16' (8 bits), sums in float32. `DeviceMatrix.arithmeticError` tells what that costs.
   * Default: in float32.
   */
  readonly arithmetic?: Arithmetic | undefined;
  /**
   * The kernel source that the matrix was compressed from: a card then evaluates near blocks and couplings from its
   * points, which are sent instead of them. `DeviceMatrix.evaluationError` tells what that and the precision cost.
   * Devices that evaluate none (cpu, tfjs) are sent the blocks. Default: blocks are sent.
   */
  readonly source?: EntrySource | undefined;
}
/** The keys of {@link DeviceMatrixOptions}. */
export const DEVICE_MATRIX_KEYS: KeysOf<DeviceMatrixOptions> = {
  precision: true,
  arithmetic: true,
  source: true,
};

/**
 * The precision in which a matrix is put on a device by the function named `of`; `own` is what it has here. Throws
 * OptionError where the device has no such precision, or several ranks have the matrix, or for unknown options.
 */
export function requireWholeOn<O extends DevicePrecisionOptions>(
  device: Device,
  { share }: Pick<HierarchicalData, 'share'>,
  { own, options, keys }: { readonly own: Precision; readonly options: O; readonly keys: KeysOf<O> },
  of: string,
): Precision {
  requireRole(device, 'device', of);
  requireKnownOptions(options, keys, of);
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
