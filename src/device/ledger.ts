/**
 * What every device keeps of its memory and of what it was handed, and the checks that all make alike.
 */
import { DeviceError, MemoryError, OptionError, ShapeError } from '../core/errors.js';
import { NUMBER_BYTES, precisionOf, type FloatArray, type Precision } from '../core/floats.js';
import { describe } from '../core/kind.js';
import { requireMemory } from '../core/memory.js';
import { requireArithmetic } from './arithmetic.js';
import type { BlockReach } from './block-rows.js';
import type {
  Arithmetic,
  DeviceBuffer,
  DeviceCounters,
  DeviceMemory,
  DeviceName,
  LaunchCost,
  LaunchOperands,
  PreparedRows,
} from './device.js';

/** Numbers on a device, of which H is what the device itself knows them by. */
export class ResidentBuffer<H> implements DeviceBuffer {
  readonly length: number;
  readonly precision: Precision;
  readonly owner: Ledger<H>;
  #handle: H | undefined;

  /** Of `Ledger.buffer`. */
  constructor(owner: Ledger<H>, handle: H, length: number, precision: Precision) {
    this.owner = owner;
    this.length = length;
    this.precision = precision;
    this.#handle = handle;
  }

  get bytes(): number {
    return this.length * NUMBER_BYTES[this.precision];
  }

  /** What the device knows it by; undefined once it was destroyed. */
  get handle(): H | undefined {
    return this.#handle;
  }

  destroy(): void {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    this.owner.destroyed(this, handle);
  }
}

/** What block rows need of a device, and what it makes of them. */
export interface ResidentRowsParts<P> {
  readonly reach: BlockReach;
  readonly bytes: number;
  readonly parts: P;
  readonly cost: (width: number) => LaunchCost;
  readonly free: (parts: P) => void;
}

/** Block rows on a device, of which P is what the device prepared. */
export class ResidentRows<P> implements PreparedRows {
  /** The ledger of its device. */
  readonly owner: object;
  readonly #made: ResidentRowsParts<P>;
  #live = true;

  /** Of `Ledger.rows`. */
  constructor(owner: object, made: ResidentRowsParts<P>) {
    this.owner = owner;
    this.#made = made;
  }

  get bytes(): number {
    return this.#made.bytes;
  }

  /** How far they reach. */
  get reach(): BlockReach {
    return this.#made.reach;
  }

  /** What was prepared; undefined once it was destroyed. */
  get parts(): P | undefined {
    return this.#live ? this.#made.parts : undefined;
  }

  cost(width: number): LaunchCost {
    return this.#made.cost(requireWidth(width));
  }

  destroy(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#made.free(this.#made.parts);
  }
}

/** Throws ShapeError unless they are a Float64Array or a Float32Array. */
export function requireFloats(values: FloatArray): void {
  if (!(values instanceof Float64Array || values instanceof Float32Array))
    throw new ShapeError(`A device takes a Float64Array or a Float32Array, not ${describe(values)}.`);
}

/** Throws ShapeError unless it is a number of vectors. */
export function requireWidth(width: number): number {
  if (!Number.isSafeInteger(width) || width < 1)
    throw new ShapeError(`A launch takes 1 vector or more, not ${String(width)}.`, { width });
  return width;
}

/** What a device may have, and how it frees a buffer. */
export interface LedgerOptions<H> {
  readonly name: DeviceName;
  readonly precisions: readonly Precision[];
  /** Default: none. */
  readonly arithmetics?: readonly Arithmetic[] | undefined;
  readonly limit: number;
  readonly bufferLimit: number;
  readonly free: (handle: H) => void;
}

/** Live buffers of a device, its counters, and the checks of its operands. */
export class Ledger<H> {
  readonly #options: LedgerOptions<H>;
  readonly #live = new Set<ResidentBuffer<H>>();
  /** What is prepared for launches, and its bytes. */
  readonly #prepared = new Map<{ destroy(): void }, number>();
  #bytes = 0;
  #launches = 0;
  #uploaded = 0;
  #downloaded = 0;
  #flops = 0;

  constructor(options: LedgerOptions<H>) {
    this.#options = options;
  }

  /** The device's name. */
  get name(): DeviceName {
    return this.#options.name;
  }

  get arithmetics(): readonly Arithmetic[] {
    return this.#options.arithmetics ?? [];
  }

  get counters(): DeviceCounters {
    return {
      launches: this.#launches,
      uploaded: this.#uploaded,
      downloaded: this.#downloaded,
      flops: this.#flops,
    };
  }

  get memory(): DeviceMemory {
    const { limit, bufferLimit } = this.#options;
    return { buffers: this.#live.size + this.#prepared.size, bytes: this.#bytes, limit, bufferLimit };
  }

  /** Counts a launch of so many parts. */
  launched({ launches, flops }: LaunchCost): void {
    this.#launches += launches;
    this.#flops += flops;
  }

  /** Counts bytes that were sent. */
  sent(bytes: number): void {
    this.#uploaded += bytes;
  }

  /** Counts bytes that came back. */
  fetched(bytes: number): void {
    this.#downloaded += bytes;
  }

  /** Bytes of a buffer that may be made. Throws OptionError, ShapeError, MemoryError. */
  requireRoom(length: number, precision: Precision): number {
    const { name, precisions, bufferLimit } = this.#options;
    if (!precisions.includes(precision))
      throw new OptionError(`The device ${name} computes in ${precisions.join(' and ')}, not in ${precision}.`, {
        device: name,
        precision,
      });
    if (!Number.isSafeInteger(length) || length < 0)
      throw new ShapeError(`A buffer has a whole number ≥ 0 of numbers, not ${String(length)}.`, { length });
    const bytes = length * NUMBER_BYTES[precision];
    requireMemory(bytes, bufferLimit, {
      what: `One buffer of the device ${name} would take`,
      advice: 'make the problem smaller, or take fewer vectors at a time.',
      data: { device: name },
    });
    this.requireBytes(bytes);
    return bytes;
  }

  /** Throws MemoryError unless so many more bytes may lie on the device. */
  requireBytes(bytes: number, what = 'A buffer'): void {
    const { name, limit } = this.#options;
    requireMemory(bytes, limit - this.#bytes, {
      what: `${what} takes, on the device ${name},`,
      advice: 'release what lies there, raise memoryLimit, or make the problem smaller.',
      data: { device: name },
    });
  }

  /** The device's refusal of memory. */
  outOfMemory(bytes: number): MemoryError {
    const { name } = this.#options;
    return new MemoryError(
      `The device ${name} is out of memory: it would not give ${bytes} bytes beside the ${this.#bytes} in use. ` +
        'Release what lies there, or make the problem smaller.',
      { device: name, bytes, used: this.#bytes },
    );
  }

  /** A buffer that the device made. */
  buffer(handle: H, length: number, precision: Precision): ResidentBuffer<H> {
    const buffer = new ResidentBuffer(this, handle, length, precision);
    this.#live.add(buffer);
    this.#bytes += buffer.bytes;
    return buffer;
  }

  /** Block rows that the device prepared; their lists count as memory until they are destroyed. */
  rows<P>(made: ResidentRowsParts<P>): ResidentRows<P> {
    const rows = new ResidentRows<P>(this, {
      ...made,
      free: (parts) => {
        this.letGo(rows);
        made.free(parts);
      },
    });
    this.hold(rows, made.bytes);
    return rows;
  }

  /** Counts what is prepared for launches as memory, until it is let go of. */
  hold(prepared: { destroy(): void }, bytes: number): void {
    this.#prepared.set(prepared, bytes);
    this.#bytes += bytes;
  }

  /** Ends what `hold` began. */
  letGo(prepared: { destroy(): void }): void {
    this.#bytes -= this.#prepared.get(prepared) ?? 0;
    this.#prepared.delete(prepared);
  }

  /** Of `ResidentBuffer.destroy`. */
  destroyed(buffer: ResidentBuffer<H>, handle: H): void {
    this.#live.delete(buffer);
    this.#bytes -= buffer.bytes;
    this.#options.free(handle);
  }

  /** Frees all. */
  close(): void {
    for (const buffer of this.#live) buffer.destroy();
    for (const prepared of this.#prepared.keys()) prepared.destroy();
  }

  /** What the device knows a buffer by. Throws DeviceError where it is another device's, or was destroyed. */
  handleOf(buffer: DeviceBuffer): H {
    const { name } = this.#options;
    if (!(buffer instanceof ResidentBuffer) || buffer.owner !== this)
      throw new DeviceError(`This is no buffer of this device (${name}): upload the numbers to it.`, { device: name });
    const { handle } = buffer as ResidentBuffer<H>;
    if (handle === undefined)
      throw new DeviceError('The buffer was destroyed: what needs it is to be done before.', { device: name });
    return handle;
  }

  /** The handle of a buffer that numbers go to or come from, at `at`. Throws ShapeError, DeviceError. */
  handleFor(buffer: DeviceBuffer, values: FloatArray, at: number): H {
    const handle = this.handleOf(buffer);
    requireFloats(values);
    if (precisionOf(values) !== buffer.precision)
      throw new ShapeError(`The numbers are ${precisionOf(values)}, the buffer's are ${buffer.precision}.`, {
        given: precisionOf(values),
        precision: buffer.precision,
      });
    if (!Number.isSafeInteger(at) || at < 0 || at + values.length > buffer.length)
      throw new ShapeError(
        `${values.length} numbers from place ${String(at)} on reach past the ${buffer.length} of the buffer.`,
        { length: buffer.length, at, count: values.length },
      );
    return handle;
  }

  /** What a launch needs, from its checked operands. Throws ShapeError, DeviceError. */
  launch<P>(prepared: PreparedRows, operands: LaunchOperands, width: number): CheckedLaunch<H, P> {
    const { name } = this.#options;
    if (!(prepared instanceof ResidentRows) || prepared.owner !== this)
      throw new DeviceError(`These block rows were not prepared on this device (${name}): prepare them there.`, {
        device: name,
      });
    const { parts, reach } = prepared as ResidentRows<P>;
    if (parts === undefined)
      throw new DeviceError('The prepared block rows were destroyed: prepare them again before a product.', {
        device: name,
      });
    requireWidth(width);
    const { values, vectors } = operands;
    const handles = { values: this.handleOf(values), vectors: this.handleOf(vectors) };
    if (values === vectors) throw new ShapeError('The blocks and the vectors of a launch are buffers of their own.');
    if (values.precision !== vectors.precision)
      throw new ShapeError(`The blocks are ${values.precision}, the vectors ${vectors.precision}: both must be one.`);
    requireArithmetic(this, operands.arithmetic, values.precision);
    if (reach.values > values.length || reach.rows * width > vectors.length)
      throw new ShapeError(
        `The block rows reach ${reach.values} numbers of blocks and ${reach.rows} rows of ${width}: the buffers hold ` +
          `${values.length} and ${vectors.length} numbers.`,
        { ...reach, width, blocks: values.length, vectors: vectors.length },
      );
    return { ...handles, parts };
  }
}

/** A launch whose operands fit. */
export interface CheckedLaunch<H, P> {
  readonly parts: P;
  readonly values: H;
  readonly vectors: H;
}
