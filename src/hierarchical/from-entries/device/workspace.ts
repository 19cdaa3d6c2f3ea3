/**
 * Memory on a device that launches take again and again: buffers by name that grow as more is asked for, and what is
 * prepared for some launches and let go of behind them.
 */
import { NUMBER_BYTES, type FloatArray, type Precision } from '../../../core/floats.js';
import type { Device, DeviceBuffer } from '../../../device/device.js';

/** A buffer that is too short is replaced by one of so many times what is asked for. */
const GROWTH = 1.25;

/** Of one device and precision. */
export class Workspace {
  readonly device: Device;
  readonly precision: Precision;
  readonly #buffers = new Map<string, DeviceBuffer>();
  readonly #held: { destroy(): void }[] = [];

  constructor(device: Device, precision: Precision) {
    this.device = device;
    this.precision = precision;
  }

  /** The buffer of that name, of at least so many numbers; what stood there may be lost. Throws MemoryError. */
  async room(name: string, length: number): Promise<DeviceBuffer> {
    const buffer = this.#buffers.get(name);
    if (buffer !== undefined && buffer.length >= length) return buffer;
    buffer?.destroy();
    this.#buffers.delete(name);
    const { memory } = this.device;
    const free = Math.min(memory.bufferLimit, memory.limit - memory.bytes);
    const most = Math.floor(free / NUMBER_BYTES[this.precision]);
    const larger = await this.device.allocate(
      Math.max(1, length, Math.min(most, Math.ceil(GROWTH * length))),
      this.precision,
    );
    this.#buffers.set(name, larger);
    return larger;
  }

  /** The buffer of that name, with those numbers in it from its beginning. */
  async sent(name: string, numbers: FloatArray): Promise<DeviceBuffer> {
    const buffer = await this.room(name, numbers.length);
    this.device.write(buffer, numbers);
    return buffer;
  }

  /** Keeps what was prepared until `letGo`. */
  holds<T extends { destroy(): void }>(prepared: T): T {
    this.#held.push(prepared);
    return prepared;
  }

  /** Frees what was prepared, once the launches of it are done. */
  letGo(): void {
    for (const one of this.#held.splice(0)) one.destroy();
  }

  /** Frees everything. */
  release(): void {
    this.letGo();
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}
