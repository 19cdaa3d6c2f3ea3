/**
 * Vectors of launches on a device: rows in the order of the tree, which come from columns in the caller's order and go
 * back there, as many at a time as there is room for.
 */
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../../core/floats.js';
import { refuseMemory } from '../../core/memory.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { Device, DeviceBuffer } from '../../device/device.js';
import type { ResidentOperator, VectorLayout } from '../../device/resident-operator.js';
import { PANEL, transposeIn, transposeOut } from '../matrix/transposed-vectors.js';

/** Vectors at a time at most: beyond them nothing gets faster. */
const MOST_VECTORS = 512;

/** The vectors of one operator. */
export class DeviceVectors {
  readonly layout: VectorLayout;
  readonly #device: Device;
  readonly #precision: Precision;
  readonly #requireUsable: () => void;
  #buffer: DeviceBuffer | undefined;
  #host: FloatArray;
  /** Resolves when the run before is done: all use the same memory. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `requireUsable` throws where the operator was released. */
  constructor(device: Device, precision: Precision, layout: VectorLayout, requireUsable: () => void) {
    this.layout = layout;
    this.#device = device;
    this.#precision = precision;
    this.#requireUsable = requireUsable;
    this.#host = floats(0, precision);
  }

  /** Bytes on the device. */
  get bytes(): number {
    return this.#buffer?.bytes ?? 0;
  }

  /** y ← what `operator` makes of x, both N × p, in chunks of columns, after the runs before. */
  async run(operator: ResidentOperator, x: Matrix, y: Matrix): Promise<void> {
    await this.inTurn(async () => {
      const width = this.#width(x.cols);
      for (let first = 0; first < x.cols; first += width) {
        const p = Math.min(width, x.cols - first);
        const columns = (m: Matrix): Matrix => view(m.data, m.offset + first * m.ld, m.rows, p, m.ld);
        await this.#runChunk(operator, columns(x), columns(y), await this.reserve(width));
      }
    });
  }

  /** Does `what` once all that was begun before is done. */
  async inTurn<T>(what: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const done = before.then(what);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Memory for `width` vectors on the device; what lay there is lost where it was too small. Throws MemoryError. */
  async reserve(width: number): Promise<DeviceBuffer> {
    this.#requireUsable();
    const length = this.layout.rows * width;
    if (this.#buffer !== undefined && this.#buffer.length >= length) return this.#buffer;
    this.#buffer?.destroy();
    this.#buffer = undefined;
    const made = await this.#device.allocate(length, this.#precision);
    try {
      // It may have been released meanwhile.
      this.#requireUsable();
    } catch (error) {
      made.destroy();
      throw error;
    }
    return (this.#buffer = made);
  }

  /** Frees them. */
  release(): void {
    this.#buffer?.destroy();
    this.#buffer = undefined;
    this.#host = floats(0, this.#precision);
  }

  async #runChunk(operator: ResidentOperator, x: Matrix, y: Matrix, vectors: DeviceBuffer): Promise<void> {
    this.#requireUsable();
    const { place, result } = this.layout;
    const [p, size] = [x.cols, place.length];
    if (this.#host.length < size * p) this.#host = floats(size * p, this.#precision);
    const numbers = this.#host.subarray(0, size * p);
    for (let row = 0; row < size; row += PANEL) transposeIn(row, x, numbers, place);
    this.#device.write(vectors, numbers);
    operator.launch(vectors, p);
    await this.#device.read(vectors, numbers, result * p);
    for (let row = 0; row < size; row += PANEL) transposeOut(row, y, 1, 0, { values: numbers, place });
  }

  /** Vectors at a time, of `wanted`: as many as the device has room for. Throws MemoryError where that is none. */
  #width(wanted: number): number {
    this.#requireUsable();
    const each = this.layout.rows * NUMBER_BYTES[this.#precision];
    const { limit, bytes, bufferLimit } = this.#device.memory;
    const room = Math.min(bufferLimit, limit - bytes + this.bytes);
    if (room < each && wanted > 0)
      refuseMemory(each, Math.max(0, room), {
        what: `A product on the device ${this.#device.name} takes, for one vector,`,
        advice: 'release what lies there, or raise memoryLimit.',
      });
    return Math.max(1, Math.min(wanted, MOST_VECTORS, Math.floor(room / each)));
  }
}
