/**
 * The device `webgpu`: float32 on a graphics card, by kernels of our own. Launches are recorded, and handed over with
 * what reads or waits; the parameters of a launch are written again only where its width changes.
 */
import { DeviceError, DeviceLostError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import { checkBlockRows, type BlockRows } from '../block-rows.js';
import type { Device, DeviceBuffer, KernelDevice, LaunchOperands, PreparedRows, PreparedWork } from '../device.js';
import { LedgerDevice } from '../ledger-device.js';
import { Ledger } from '../ledger.js';
import { checkedWork, residentWork } from '../resident-work.js';
import { demandOfWork, type Work, type WorkKind, type WorkOperands } from '../work/work.js';
import {
  MAP_READ,
  USAGE,
  type GpuBuffer,
  type GpuDevice,
  type GpuEncoder,
  type GpuPass,
  type GpuPipeline,
} from './api.js';
import { ALIGNED, roomFor, type GpuHost, type Groups } from './host.js';
import { stepsOf } from './kernels/steps.js';
import { WebgpuKernels } from './portable-kernels.js';
import type { FoundAdapter } from './library.js';
import { cutRows, GpuRows } from './rows.js';
import { cutWork, GpuWork } from './work.js';

/** Bytes that come back at a time: what they pass through need not hold all. */
const READ_BYTES = 2 ** 26;

/** What a device opened on WebGPU may be given. */
export interface WebgpuOptions {
  /** Most bytes on the device. */
  readonly memoryLimit: number;
}

/** A device on WebGPU. `openWebgpu` opens one. */
export class WebgpuDevice extends LedgerDevice<GpuBuffer> implements Device {
  readonly name = 'webgpu';
  readonly description: string;
  readonly precisions: readonly Precision[] = ['f32'];
  readonly team = null;
  readonly kernels: KernelDevice;
  readonly #gpu: GpuDevice;
  protected readonly ledger: Ledger<GpuBuffer>;
  readonly #pipelines = new Map<string, GpuPipeline>();
  readonly #host: GpuHost;
  #encoder: GpuEncoder | undefined;
  #pass: GpuPass | undefined;
  #closed = false;
  #failure: DeviceError | undefined;
  /** Those who wait for the end of what was handed over: the loss of the device ends it too. */
  readonly #waiting = new Set<() => void>();

  /** Over a device of WebGPU, which it destroys where it is closed. */
  constructor(gpu: GpuDevice, description: string, { memoryLimit }: WebgpuOptions) {
    super();
    this.#gpu = gpu;
    this.description = `webgpu: ${description}`;
    this.ledger = new Ledger({
      name: 'webgpu',
      precisions: this.precisions,
      limit: memoryLimit,
      bufferLimit: Math.min(gpu.limits.maxBufferSize, gpu.limits.maxStorageBufferBindingSize),
      free: (buffer) => {
        this.#free(buffer);
      },
    });
    this.#host = {
      gpu,
      make: (bytes, usage) => this.#make(bytes, usage),
      free: (buffer) => {
        this.#free(buffer);
      },
      send: (to, list, at) => {
        this.#send(to, list, at);
      },
      submit: () => {
        this.#submit();
      },
      pipeline: (key, code) => this.#pipeline(key, code),
      bind: (pipeline, buffers) =>
        gpu.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
        }),
      dispatch: (pipeline, bound, groups) => {
        this.#dispatch(pipeline, bound, groups);
      },
    };
    this.kernels = new WebgpuKernels(this.#host, this.ledger, () => {
      this.#requireUsable();
    });
    gpu.addEventListener('uncapturederror', ({ error }) => {
      this.#failure ??= new DeviceError(`The device webgpu refused what it was handed: ${error.message}`, {
        device: 'webgpu',
      });
    });
    void gpu.lost.then(({ reason, message }) => {
      for (const done of this.#waiting) done();
      if (this.#closed) return;
      this.#failure = new DeviceLostError(
        `The device webgpu was lost (${reason}${message === '' ? '' : `: ${message}`}): what lay on it is gone. Open ` +
          'it again, and put the matrix there again.',
        { device: 'webgpu', reason },
      );
    });
  }

  async allocate(length: number, precision: Precision): Promise<DeviceBuffer> {
    this.#requireUsable();
    const bytes = this.ledger.requireRoom(length, precision);
    return this.ledger.buffer(await this.#make(bytes, USAGE.storage), length, precision);
  }

  write(buffer: DeviceBuffer, values: FloatArray, at = 0): void {
    this.#requireUsable();
    const to = this.ledger.handleFor(buffer, values, at);
    this.#submit();
    this.#send(to, values, at);
  }

  async read(buffer: DeviceBuffer, into: FloatArray, at = 0): Promise<void> {
    this.#requireUsable();
    const from = this.ledger.handleFor(buffer, into, at);
    // What is handed over later must not be seen: the copies are recorded now.
    const parts: { readonly first: number; readonly count: number; readonly staging: GpuBuffer }[] = [];
    this.#endPass();
    const encoder = (this.#encoder ??= this.#gpu.createCommandEncoder());
    const most = READ_BYTES / ALIGNED;
    for (let first = 0; first < into.length; first += most) {
      const count = Math.min(most, into.length - first);
      const size = ALIGNED * count;
      const staging = this.#gpu.createBuffer({ size, usage: USAGE.mapRead + USAGE.copyTarget });
      encoder.copyBufferToBuffer(from, ALIGNED * (at + first), staging, 0, size);
      parts.push({ first, count, staging });
    }
    this.#submit();
    try {
      for (const { first, count, staging } of parts) {
        await staging.mapAsync(MAP_READ, 0, ALIGNED * count);
        into.set(new Float32Array(staging.getMappedRange(0, ALIGNED * count)), first);
        staging.unmap();
      }
    } catch (error) {
      // The promise of the loss may come after that of what it ended.
      await this.#endOfQueue();
      this.#requireUsable();
      throw new DeviceError(`The device webgpu cannot give its numbers back: ${(error as Error).message}`, {
        device: 'webgpu',
      });
    } finally {
      for (const { staging } of parts) staging.destroy();
    }
    this.#requireUsable();
    this.ledger.fetched(into.byteLength);
  }

  async prepare(rows: BlockRows): Promise<PreparedRows> {
    this.#requireUsable();
    const reach = checkBlockRows(rows);
    const cut = cutRows(rows);
    this.ledger.requireBytes(cut.bytes, 'The lists of block rows');
    const parts = await GpuRows.prepare(cut, this.#host);
    return this.ledger.rows<GpuRows>({
      reach,
      bytes: cut.bytes,
      parts,
      cost: (width) => parts.cost(width),
      free: () => {
        parts.free();
      },
    });
  }

  multiply(prepared: PreparedRows, operands: LaunchOperands, width: number): void {
    this.#requireUsable();
    const { parts, values, vectors } = this.ledger.launch<GpuRows>(prepared, operands, width);
    parts.resize(width);
    parts.launch(values, vectors);
    this.ledger.launched(prepared.cost(width));
  }

  async plan<W extends Work>(work: W): Promise<PreparedWork<W['kind']>> {
    this.#requireUsable();
    const demand = demandOfWork(work as never);
    const cut = cutWork(stepsOf(work));
    this.ledger.requireBytes(cut.bytes, 'The lists of a launch');
    const parts = await GpuWork.prepare(cut, this.#host);
    return residentWork<GpuBuffer, W['kind'], GpuWork>(this.ledger, {
      kind: work.kind,
      demand,
      bytes: cut.bytes,
      parts,
      cost: (width) => parts.cost(width, demand.flops(width)),
      free: () => {
        parts.free();
      },
    });
  }

  launch<K extends WorkKind>(work: PreparedWork<K>, operands: WorkOperands<DeviceBuffer>[K], width = 1): void {
    this.#requireUsable();
    const { parts, handles } = checkedWork<GpuBuffer, GpuWork>(this.ledger, work, { ...operands }, width);
    parts.launch(handles, width);
    this.ledger.launched(work.cost(width));
  }

  async finish(): Promise<void> {
    this.#requireUsable();
    this.#submit();
    await this.#endOfQueue();
    this.#requireUsable();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#submit();
    this.#closed = true;
    this.ledger.close();
    this.#gpu.destroy();
  }

  /** Resolves when all that was handed over is done, or the device is lost, of which a queue may not tell. */
  async #endOfQueue(): Promise<void> {
    if (this.#failure instanceof DeviceLostError) return;
    let done!: () => void;
    // Not by a race with the promise of the loss: that would keep every call as long as the device is open.
    const ended = new Promise<void>((resolve) => (done = resolve));
    this.#waiting.add(done);
    this.#gpu.queue.onSubmittedWorkDone().then(done, done);
    await ended;
    this.#waiting.delete(done);
  }

  /** The kernel of that key, compiled when it is first needed. */
  #pipeline(key: string, code: () => string): GpuPipeline {
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      const module = this.#gpu.createShaderModule({ code: code() });
      pipeline = this.#gpu.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** Records workgroups of a kernel. */
  #dispatch(pipeline: GpuPipeline, bound: unknown, [x, y, z]: Groups): void {
    const pass = (this.#pass ??= (this.#encoder ??= this.#gpu.createCommandEncoder()).beginComputePass());
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bound);
    pass.dispatchWorkgroups(x, y, z);
  }

  /** A buffer of zeros. Throws MemoryError where the device has no memory left. */
  async #make(bytes: number, usage: number): Promise<GpuBuffer> {
    const size = roomFor(bytes);
    this.#gpu.pushErrorScope('out-of-memory');
    const buffer = this.#gpu.createBuffer({ size, usage: usage + USAGE.copySource + USAGE.copyTarget });
    const refusal = await this.#gpu.popErrorScope().catch(() => null);
    this.#requireUsable();
    if (refusal === null) return buffer;
    buffer.destroy();
    throw this.ledger.outOfMemory(size);
  }

  #send(to: GpuBuffer, list: Uint32Array | Int32Array | FloatArray, at = 0): void {
    // The package `webgpu` ends the process where memory is shared.
    const own = list.buffer instanceof SharedArrayBuffer ? list.slice() : list;
    if (list.length > 0) this.#gpu.queue.writeBuffer(to, ALIGNED * at, own);
    this.ledger.sent(list.byteLength);
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** Hands over what was recorded. */
  #submit(): void {
    this.#endPass();
    if (this.#encoder === undefined) return;
    const commands = this.#encoder.finish();
    this.#encoder = undefined;
    this.#gpu.queue.submit([commands]);
  }

  /** Frees a buffer, after handing over what was recorded and reads it. */
  #free(buffer: GpuBuffer): void {
    const alive = !this.#closed && !(this.#failure instanceof DeviceLostError);
    if (alive) this.#submit();
    buffer.destroy();
    // Dawn gives memory back when it is next handed something, be it nothing.
    if (alive) this.#gpu.queue.submit([]);
  }

  #requireUsable(): void {
    if (this.#closed) throw new DeviceError('The device webgpu is closed: open it again.', { device: 'webgpu' });
    if (this.#failure === undefined) return;
    const failure = this.#failure;
    // A lost device stays lost; what was refused is told once.
    if (!(failure instanceof DeviceLostError)) this.#failure = undefined;
    throw failure;
  }
}

/** Opens the adapter with all the memory for a buffer that it gives. Throws DeviceError. */
export async function openWebgpu(found: FoundAdapter, options: WebgpuOptions): Promise<WebgpuDevice> {
  const { adapter, description, software } = found;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  try {
    const gpu = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    return new WebgpuDevice(gpu, software ? `${description} (software: the processor computes)` : description, options);
  } catch (error) {
    throw new DeviceError(`The device webgpu (${description}) cannot be opened: ${(error as Error).message}`, {
      device: 'webgpu',
    });
  }
}
