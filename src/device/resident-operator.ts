/**
 * Operators whose vectors stay on a device.
 */
import type { Precision } from '../core/floats.js';
import type { Device, DeviceBuffer } from './device.js';

/** How the vectors of an operator of order N stand on a device, as rows. */
export interface VectorLayout {
  /** The row of each index: vectors go to rows 0 … N − 1, in this order. */
  readonly place: Int32Array;
  /** The row that results begin at, in the same order. */
  readonly result: number;
  /** Rows of all. */
  readonly rows: number;
}

/** Something on a device that maps vectors to vectors of the same length, without their leaving it. */
export interface ResidentOperator {
  readonly device: Device;
  readonly precision: Precision;
  readonly layout: VectorLayout;
  /** Memory for `width` vectors: the buffer whose rows launches read and write. Throws MemoryError. */
  reserve(width: number): Promise<DeviceBuffer>;
  /** Launches over the first `width` numbers of each row, from rows 0 … of the buffer to rows `layout.result` … */
  launch(vectors: DeviceBuffer, width: number): void;
  /** Does `what` once all that was begun before is done: what uses the vectors uses the same memory. */
  inTurn<T>(what: () => Promise<T>): Promise<T>;
}
