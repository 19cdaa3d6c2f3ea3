/**
 * Points that kernels read on a card: of distances those that are centred in float64 first, so that float32 loses as
 * little as may be.
 */
import { NonFiniteError } from '../core/errors.js';
import { firstNonFinite, floats } from '../core/floats.js';
import type { Device, DeviceBuffer } from './device.js';

/** Numbers that are sent at a time. */
const CHUNK = 2 ** 20;

/** d numbers of each point in that order, a chunk at a time, from place `at` on. Throws NonFiniteError. */
export async function sendPoints(
  device: Device,
  { buffer, at, order }: { readonly buffer: DeviceBuffer; readonly at: number; readonly order: Int32Array },
  numbers: Float64Array,
  d: number,
): Promise<void> {
  const { precision } = buffer;
  const most = Math.max(1, Math.floor(CHUNK / d));
  for (let first = 0; first < order.length; first += most) {
    const count = Math.min(most, order.length - first);
    const chunk = floats(count * d, precision);
    for (let i = 0; i < count; i++) for (let k = 0; k < d; k++) chunk[i * d + k] = numbers[order[first + i] * d + k];
    if (firstNonFinite(chunk) >= 0)
      throw new NonFiniteError(`The points have coordinates that ${precision} cannot hold: scale them.`, {
        precision,
      });
    device.write(buffer, chunk, at + first * d);
    await device.finish();
  }
}

/** Coordinates less their mean. */
export function centred(coordinates: Float64Array, d: number): Float64Array {
  const count = coordinates.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < coordinates.length; i++) mean[i % d] += coordinates[i] / count;
  return coordinates.map((value, i) => value - mean[i % d]);
}
