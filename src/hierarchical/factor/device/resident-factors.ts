/**
 * What factorizations of every format have on a device: buffers, launches over vectors, and how the team's get there.
 */
import { OptionError } from '../../../core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../../../core/floats.js';
import { requireMemory } from '../../../core/memory.js';
import type { Device, DeviceBuffer } from '../../../device/device.js';
import { VectorLaunches, type VectorStep } from '../../device/launches.js';
import { sendBlocks, type BlockPacking } from '../../device/packing.js';

/** What of a format's factorization lies on a device. */
export interface ResidentFactors {
  readonly precision: Precision;
  /** λ, and log |det(K̃ + λI)|. */
  readonly shift: number;
  readonly logdet: number;
  readonly launches: VectorLaunches<string>;
  /** The buffers that launches read, by name. */
  readonly values: Readonly<Record<string, DeviceBuffer>>;
  /** Bytes of those of them that are the factorization's own. */
  readonly bytes: number;
  /** Bytes of lists besides those of `launches`. */
  readonly lists: number;
  /** Rows of vectors; B stands in the first N of them, and X then does. */
  readonly rows: number;
  /** Factors again for another λ. */
  refactor(shift: number): Promise<void>;
  /** Frees all. */
  release(): void;
}

/** Throws MemoryError where the device has no room for so many numbers of factors, before any is sent or computed. */
export function requireFactors(device: Device, precision: Precision, largest: number, numbers: number): void {
  const { limit, bytes, bufferLimit } = device.memory;
  const width = NUMBER_BYTES[precision];
  requireMemory(width * numbers, limit - bytes, {
    what: `The factorization takes, on the device ${device.name},`,
    advice: 'release what lies there, raise memoryLimit, or compress with lower ranks.',
    data: { device: device.name },
  });
  requireMemory(width * largest, bufferLimit, {
    what: `The factors take one buffer of the device ${device.name} of`,
    advice: 'compress with lower ranks or smaller leaves.',
    data: { device: device.name },
  });
}

/** Numbers of a buffer, read back. */
export async function fetched(device: Device, buffer: DeviceBuffer): Promise<FloatArray> {
  const numbers = floats(buffer.length, buffer.precision);
  await device.read(buffer, numbers);
  return numbers;
}

/** A buffer of each name with its blocks, all or none. Throws as `Device.allocate`, NonFiniteError. */
export async function sendPackings<B extends string>(
  packings: Readonly<Record<B, BlockPacking>>,
  values: Readonly<Record<B, FloatArray>>,
  device: Device,
  precision: Precision,
): Promise<Record<B, DeviceBuffer>> {
  const buffers: Partial<Record<B, DeviceBuffer>> = {};
  try {
    for (const name of Object.keys(packings) as B[]) {
      const buffer = await device.allocate(packings[name].elements, precision);
      buffers[name] = buffer;
      await sendBlocks(packings[name].blocks, values[name], precision, async (numbers, at) => {
        device.write(buffer, numbers, at);
        // Devices keep copies of their own of what they are sent.
        await device.finish();
      });
    }
    return buffers as Record<B, DeviceBuffer>;
  } catch (error) {
    for (const buffer of Object.values<DeviceBuffer | undefined>(buffers)) buffer?.destroy();
    throw error;
  }
}

/** The team's factors, whose buffers lie on the device: freed where their launches cannot be prepared. */
export async function sentFactors<B extends string>(
  steps: readonly VectorStep<B>[],
  made: Pick<ResidentFactors, 'precision' | 'shift' | 'logdet' | 'bytes' | 'rows'> & {
    readonly values: Readonly<Record<B, DeviceBuffer>>;
  },
  device: Device,
): Promise<ResidentFactors> {
  const free = (): void => {
    for (const buffer of Object.values<DeviceBuffer>(made.values)) buffer.destroy();
  };
  try {
    const launches = await VectorLaunches.prepare(steps, device);
    return {
      ...made,
      launches,
      lists: 0,
      refactor: () =>
        Promise.reject(
          new OptionError('The team factored this: refactor its factorization there, and put that on the device.'),
        ),
      release: () => {
        launches.release();
        free();
      },
    };
  } catch (error) {
    free();
    throw error;
  }
}
