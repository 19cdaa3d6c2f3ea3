/**
 * A card that is in use: its primary context, and one stream, in which all that it is handed runs in order.
 */
import { DeviceError, DeviceLostError } from '../../core/errors.js';
import { nextTurn } from '../../core/event-loop.js';
import { warn } from '../../core/warning.js';
import { arrayAddress, type NativeArray } from '../../native/koffi.js';
import type { CudaDriver, DriverFunction } from './driver.js';
import { failureOf, NOT_READY, OUT_OF_MEMORY } from './statuses.js';

/** CU_STREAM_NON_BLOCKING: the stream does not wait for the one that others of the process use. */
const NON_BLOCKING = 1;
/** CU_EVENT_DISABLE_TIMING. */
const WITHOUT_TIMING = 2;

/** Bytes of a slot that what is sent passes through, and how many there are: one is filled while others are read. */
const SENDING_BYTES = 2 ** 22;
const SENDING_SLOTS = 4;
/** Bytes that come back without anyone waiting; more are waited for at once. */
const FETCHING_BYTES = 2 ** 23;
const FETCHING_SLOTS = 2;

/** How long a wait only lets others run in between, in milliseconds, before it sleeps between looks. */
const EAGER = 2;

/** Memory of this machine that is pinned in whole pages. */
const PAGE = 4096;

/** Memory of this machine that copies pass through, and the event of its last one. */
interface Slot {
  readonly bytes: Uint8Array;
  readonly event: number;
  /** Whether a copy may be under way. */
  busy: boolean;
}

/** The bytes of an array. */
const bytesOf = (data: NativeArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Those that are open: the memory that their cards reach by themselves must not be collected. */
const open = new Set<CudaContext>();

/** A context of a card, with a stream. */
export class CudaContext {
  readonly driver: CudaDriver;
  readonly #device: number;
  readonly #context: number;
  readonly stream: number;
  #sending: Slot[] | undefined;
  #fetching: Slot[] | undefined;
  readonly #pinned: Uint8Array[] = [];
  #next = 0;
  #lost: DeviceLostError | undefined;
  #closed = false;

  /** Opens a card, a CUdevice. Throws DeviceError, MemoryError. */
  constructor(driver: CudaDriver, device: number) {
    this.driver = driver;
    this.#device = device;
    this.#context = driver.made('cuDevicePrimaryCtxRetain', device);
    try {
      driver.call('cuCtxSetCurrent', this.#context);
      this.stream = driver.made('cuStreamCreate', NON_BLOCKING);
    } catch (error) {
      driver.status('cuDevicePrimaryCtxRelease_v2', device);
      throw error;
    }
    open.add(this);
  }

  /** Makes the context this thread's. Throws DeviceError where it was closed, DeviceLostError where it was lost. */
  enter(): void {
    if (this.#closed) throw new DeviceError('The device cuda is closed: open it again.', { device: 'cuda' });
    if (this.#lost !== undefined) throw this.#lost;
    this.call('cuCtxSetCurrent', this.#context);
  }

  /** Whether it was lost. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** As `CudaDriver.call`; a loss is remembered. */
  call(name: DriverFunction, ...values: number[]): void {
    this.#noting(() => {
      this.driver.call(name, ...values);
    });
  }

  /** As `CudaDriver.made`; a loss is remembered. */
  made(name: DriverFunction, ...values: number[]): number {
    return this.#noting(() => this.driver.made(name, ...values));
  }

  /** Memory of the card, or undefined where it has none left. */
  allocate(bytes: number): number | undefined {
    const to = new BigInt64Array(1);
    const status = this.driver.status('cuMemAlloc_v2', arrayAddress(to), bytes);
    if (status === OUT_OF_MEMORY) return undefined;
    this.#check('cuMemAlloc_v2', status);
    return Number(to[0]);
  }

  /** Frees memory, when what was handed over before is done. A loss is told by what is asked for next. */
  free(address: number): void {
    const status =
      this.driver.status('cuCtxSetCurrent', this.#context) ||
      this.driver.status('cuStreamSynchronize', this.stream) ||
      this.driver.status('cuMemFree_v2', address);
    const failure = status === 0 ? undefined : failureOf('cuMemFree_v2', status, this.driver.textOf(status));
    if (failure instanceof DeviceLostError) this.#lost ??= failure;
  }

  /** Makes the context this thread's, and waits for what was handed over before. A loss is told by what comes next. */
  wait(): void {
    if (this.driver.status('cuCtxSetCurrent', this.#context) === 0)
      this.driver.status('cuStreamSynchronize', this.stream);
  }

  /** The card's memory at `to` ← the array, which may change at once. */
  send(to: number, data: NativeArray): void {
    const bytes = bytesOf(data);
    const slots = (this.#sending ??= this.#slots(SENDING_SLOTS, SENDING_BYTES));
    for (let at = 0; at < bytes.length; at += SENDING_BYTES) {
      const slot = slots[this.#next];
      this.#next = (this.#next + 1) % slots.length;
      if (slot.busy) this.call('cuEventSynchronize', slot.event);
      const part = bytes.subarray(at, at + SENDING_BYTES);
      slot.bytes.set(part);
      this.call('cuMemcpyHtoDAsync_v2', to + at, arrayAddress(slot.bytes), part.length, this.stream);
      this.call('cuEventRecord', slot.event, this.stream);
      slot.busy = true;
    }
  }

  /** The array ← the card's memory at `from`, as it is after what was handed over before. */
  async fetch(from: number, into: NativeArray): Promise<void> {
    const slots = (this.#fetching ??= this.#slots(FETCHING_SLOTS, FETCHING_BYTES));
    const slot = slots.find(({ busy }) => !busy);
    if (into.byteLength > FETCHING_BYTES || slot === undefined) {
      this.call('cuMemcpyDtoHAsync_v2', arrayAddress(into), from, into.byteLength, this.stream);
      this.call('cuStreamSynchronize', this.stream);
      return;
    }
    slot.busy = true;
    try {
      this.call('cuMemcpyDtoHAsync_v2', arrayAddress(slot.bytes), from, into.byteLength, this.stream);
      this.call('cuEventRecord', slot.event, this.stream);
      await this.#passed(slot.event);
      bytesOf(into).set(slot.bytes.subarray(0, into.byteLength));
    } finally {
      slot.busy = false;
    }
  }

  /** Resolves when all that was handed over before is done. */
  async finish(): Promise<void> {
    const event = this.made('cuEventCreate', WITHOUT_TIMING);
    try {
      this.call('cuEventRecord', event, this.stream);
      await this.#passed(event);
    } finally {
      if (!this.#closed) this.driver.status('cuEventDestroy_v2', event);
    }
  }

  /** Gives the card back; where it was lost, its context is made anew for those who open it next. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { driver } = this;
    if (this.#lost !== undefined) driver.status('cuDevicePrimaryCtxReset_v2', this.#device);
    else {
      driver.status('cuStreamSynchronize', this.stream);
      for (const { event } of [...(this.#sending ?? []), ...(this.#fetching ?? [])])
        driver.status('cuEventDestroy_v2', event);
      for (const memory of this.#pinned) driver.status('cuMemHostUnregister', arrayAddress(memory));
      driver.status('cuStreamDestroy_v2', this.stream);
    }
    driver.status('cuDevicePrimaryCtxRelease_v2', this.#device);
    open.delete(this);
  }

  /** Slots, pinned where the system lets it: the card then reads and writes them by itself. */
  #slots(count: number, bytes: number): Slot[] {
    const whole = new Uint8Array(count * bytes + PAGE);
    const first = PAGE - (arrayAddress(whole) % PAGE);
    const memory = whole.subarray(first, first + count * bytes);
    const status = this.driver.status('cuMemHostRegister_v2', arrayAddress(memory), memory.length, 0);
    if (status === 0) this.#pinned.push(memory);
    else
      warn(
        'cuda-not-pinned',
        `Memory cannot be pinned here (${this.driver.textOf(status)}): copies to and from the card are slower.`,
      );
    return Array.from({ length: count }, (_, i) => {
      const event = this.made('cuEventCreate', WITHOUT_TIMING);
      return { bytes: memory.subarray(i * bytes, (i + 1) * bytes), event, busy: false };
    });
  }

  /** Resolves when the event has passed; others run meanwhile. */
  async #passed(event: number): Promise<void> {
    const begin = performance.now();
    for (;;) {
      this.enter();
      const status = this.driver.status('cuEventQuery', event);
      if (status !== NOT_READY) {
        this.#check('cuEventQuery', status);
        return;
      }
      if (performance.now() - begin < EAGER) await nextTurn();
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #check(name: DriverFunction, status: number): void {
    if (status === 0) return;
    this.#noting(() => {
      throw failureOf(name, status, this.driver.textOf(status));
    });
  }

  #noting<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof DeviceLostError) this.#lost ??= error;
      throw error;
    }
  }
}
