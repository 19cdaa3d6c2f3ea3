/**
 * What devices that keep a ledger have alike.
 */
import { precisionOf, type FloatArray, type Precision } from '../core/floats.js';
import type { Arithmetic, DeviceBuffer, DeviceCounters, DeviceMemory } from './device.js';
import { requireFloats, type Ledger } from './ledger.js';

/** A device with a ledger, of which H is what it knows its buffers by. */
export abstract class LedgerDevice<H> {
  protected abstract readonly ledger: Ledger<H>;

  get arithmetics(): readonly Arithmetic[] {
    return this.ledger.arithmetics;
  }

  get counters(): DeviceCounters {
    return this.ledger.counters;
  }

  get memory(): DeviceMemory {
    return this.ledger.memory;
  }

  /** As Device.allocate. */
  abstract allocate(length: number, precision: Precision): Promise<DeviceBuffer>;

  /** As Device.write. */
  abstract write(buffer: DeviceBuffer, values: FloatArray, at?: number): void;

  /** As Device.upload. */
  async upload(values: FloatArray): Promise<DeviceBuffer> {
    requireFloats(values);
    const buffer = await this.allocate(values.length, precisionOf(values));
    this.write(buffer, values);
    return buffer;
  }
}
