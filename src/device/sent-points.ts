/**
 * Points that kernels read on a card: of distances less their mean, subtracted in float64, so that float32 loses as
 * little as may be.
 */
import { NonFiniteError } from '../core/errors.js';
import { firstNonFinite, floats } from '../core/floats.js';
import type { Device, DeviceBuffer } from './device.js';

/** Numbers that are sent at a time. */
const CHUNK = 2 ** 20;

/** Where points are sent, and in which order; default: their own. */
export interface PointPlaces {
  readonly buffer: DeviceBuffer;
  readonly at: number;
  readonly order?: Int32Array | undefined;
}

/** Numbers of points, d each, less those of the origin: default none. */
export interface PointNumbers {
  readonly numbers: Float64Array;
  readonly dimension: number;
  readonly origin?: Float64Array | undefined;
}

/** d numbers of each point in that order, a chunk at a time, from place `at` on. Throws NonFiniteError. */
export async function sendPoints(
  device: Device,
  { buffer, at, order }: PointPlaces,
  { numbers, dimension: d, origin = new Float64Array(d) }: PointNumbers,
): Promise<void> {
  const { precision } = buffer;
  const most = Math.max(1, Math.floor(CHUNK / d));
  const all = order?.length ?? numbers.length / d;
  for (let first = 0; first < all; first += most) {
    const count = Math.min(most, all - first);
    const chunk = floats(count * d, precision);
    for (let i = 0; i < count; i++) {
      const from = d * (order === undefined ? first + i : order[first + i]);
      for (let k = 0; k < d; k++) chunk[i * d + k] = numbers[from + k] - origin[k];
    }
    if (firstNonFinite(chunk) >= 0)
      throw new NonFiniteError(`The points have coordinates that ${precision} cannot hold: scale them.`, {
        precision,
      });
    device.write(buffer, chunk, at + first * d);
    await device.finish();
  }
}

/** The mean of points of d numbers. */
export function meanOf(numbers: Float64Array, d: number): Float64Array {
  const count = numbers.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < numbers.length; i += d) for (let k = 0; k < d; k++) mean[k] += numbers[i + k] / count;
  return mean;
}
