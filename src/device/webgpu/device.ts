/**
 * The device `webgpu`: float32 on a graphics card, by kernels of our own. Launches are recorded, and handed over with
 * what reads or waits; the parameters of a launch are written again only where its width changes.
 */
import { DeviceError, DeviceLostError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import { checkBlockRows, flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Device, DeviceBuffer, LaunchOperands, PreparedRows, PreparedWork } from '../device.js';
import type { Work, WorkKind } from '../work/work.js';
import { LedgerDevice } from '../ledger-device.js';
import { Ledger } from '../ledger.js';
import {
  MAP_READ,
  USAGE,
  type GpuBuffer,
  type GpuDevice,
  type GpuEncoder,
  type GpuPass,
  type GpuPipeline,
} from './api.js';
import { kernelOf, PARAMETER_WORDS, tileWidthOf, type TileWidth } from './kernel.js';
import type { FoundAdapter } from './library.js';
import { kernelLists } from './lists.js';
import { cutIntoTiles, type TileGroup, type TileHeight } from './tiles.js';

/** Tiles of one height, with their lists and parameters. */
interface Group {
  readonly height: TileHeight;
  readonly count: number;
  readonly padded: number;
  readonly tiles: GpuBuffer;
  readonly parameters: GpuBuffer;
  /** The width that the parameters have now; 0: none yet. */
  width: number;
  /** What binds the lists and the last operands to a kernel. */
  bound?: {
    readonly width: TileWidth;
    readonly values: GpuBuffer;
    readonly vectors: GpuBuffer;
    readonly group: unknown;
  };
}

/** Block rows on the device. */
interface GpuRows {
  readonly keep: boolean;
  readonly alpha: number;
  readonly blocks: GpuBuffer;
  readonly terms: GpuBuffer;
  readonly starts: GpuBuffer;
  readonly groups: readonly Group[];
}

/** Bytes of a buffer at least: bindings may not be empty. */
const LEAST_BYTES = 32;
/** Bytes are counted in fours. */
const ALIGNED = 4;
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
  readonly #gpu: GpuDevice;
  protected readonly ledger: Ledger<GpuBuffer>;
  readonly #pipelines = new Map<string, GpuPipeline>();
  #encoder: GpuEncoder | undefined;
  #pass: GpuPass | undefined;
  #closed = false;
  #failure: DeviceError | undefined;

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
    gpu.addEventListener('uncapturederror', ({ error }) => {
      this.#failure ??= new DeviceError(`The device webgpu refused what it was handed: ${error.message}`, {
        device: 'webgpu',
      });
    });
    void gpu.lost.then(({ reason, message }) => {
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
      await Promise.race([this.#gpu.lost, this.#gpu.queue.onSubmittedWorkDone()]).catch(() => undefined);
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
    const vectorFlops = flopsOfVector(rows);
    const lists = kernelLists(rows);
    const cut = cutIntoTiles(rows);
    const parameterBytes = 4 * PARAMETER_WORDS;
    const bytes =
      [lists.blocks, lists.terms, lists.starts].reduce((sum, { byteLength }) => sum + roomFor(byteLength), 0) +
      cut.reduce((sum, { tiles }) => sum + roomFor(tiles.byteLength) + roomFor(parameterBytes), 0);
    this.ledger.requireBytes(bytes, 'The lists of block rows');
    const made: GpuBuffer[] = [];
    const put = async (list: Uint32Array | Int32Array): Promise<GpuBuffer> => {
      const buffer = await this.#make(list.byteLength, USAGE.storage);
      made.push(buffer);
      this.#send(buffer, list);
      return buffer;
    };
    const group = async ({ height, tiles, padded }: TileGroup): Promise<Group> => {
      const parameters = await this.#make(parameterBytes, USAGE.uniform);
      made.push(parameters);
      return { height, count: tiles.length / 2, padded, tiles: await put(tiles), parameters, width: 0 };
    };
    try {
      const parts: GpuRows = {
        keep: rows.keep,
        alpha: rows.alpha ?? 1,
        blocks: await put(lists.blocks),
        terms: await put(lists.terms),
        starts: await put(lists.starts),
        groups: await Promise.all(cut.map(group)),
      };
      return this.ledger.rows<GpuRows>({
        reach,
        bytes,
        parts,
        cost: (width) => {
          const tile = tileWidthOf(width);
          const columns = tile * Math.ceil(width / tile);
          return {
            launches: parts.groups.length,
            flops: vectorFlops * width,
            padded: 2 * columns * parts.groups.reduce((sum, { padded }) => sum + padded, 0),
          };
        },
        free: () => {
          for (const buffer of made) this.#free(buffer);
        },
      });
    } catch (error) {
      for (const buffer of made) buffer.destroy();
      throw error;
    }
  }

  multiply(prepared: PreparedRows, operands: LaunchOperands, width: number): void {
    this.#requireUsable();
    const { parts, values, vectors } = this.ledger.launch<GpuRows>(prepared, operands, width);
    const tile = tileWidthOf(width);
    const most = this.#gpu.limits.maxComputeWorkgroupsPerDimension;
    for (const group of parts.groups) {
      const across = Math.min(group.count, most);
      if (group.width !== width) {
        // Launches that were recorded before read the old ones.
        this.#submit();
        const parameters = new Uint32Array(PARAMETER_WORDS);
        parameters.set([width, parts.keep ? 1 : 0, group.count, across]);
        new Float32Array(parameters.buffer)[4] = parts.alpha;
        this.#send(group.parameters, parameters);
        group.width = width;
      }
      const pipeline = this.#pipeline(group.height, tile);
      const pass = (this.#pass ??= (this.#encoder ??= this.#gpu.createCommandEncoder()).beginComputePass());
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#bind(parts, group, { pipeline, tile, values, vectors }));
      pass.dispatchWorkgroups(across, Math.ceil(group.count / across), Math.ceil(width / tile));
    }
    this.ledger.launched(prepared.cost(width));
  }

  plan<W extends Work>({ kind }: W): Promise<PreparedWork<W['kind']>> {
    return Promise.reject(new DeviceError(`The device webgpu has no kernel of ${kind} yet.`, { device: 'webgpu' }));
  }

  launch<K extends WorkKind>({ kind }: PreparedWork<K>): void {
    throw new DeviceError(`The device webgpu has no kernel of ${kind} yet.`, { device: 'webgpu' });
  }

  async finish(): Promise<void> {
    this.#requireUsable();
    this.#submit();
    await Promise.race([this.#gpu.queue.onSubmittedWorkDone(), this.#gpu.lost]);
    this.#requireUsable();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#submit();
    this.#closed = true;
    this.ledger.close();
    this.#gpu.destroy();
  }

  /** What binds lists and operands to the kernel: the last one's, or a new one. */
  #bind(
    { blocks, terms, starts }: GpuRows,
    group: Group,
    to: {
      readonly pipeline: GpuPipeline;
      readonly tile: TileWidth;
      readonly values: GpuBuffer;
      readonly vectors: GpuBuffer;
    },
  ): unknown {
    const { pipeline, tile, values, vectors } = to;
    const known = group.bound;
    if (known?.width === tile && known.values === values && known.vectors === vectors) return known.group;
    const buffers = [group.parameters, group.tiles, blocks, terms, starts, values, vectors];
    const made = this.#gpu.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    group.bound = { width: tile, values, vectors, group: made };
    return made;
  }

  /** The kernel of a shape, compiled when it is first needed. */
  #pipeline(height: TileHeight, width: TileWidth): GpuPipeline {
    const key = `${height} × ${width}`;
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      const module = this.#gpu.createShaderModule({ code: kernelOf(height, width) });
      pipeline = this.#gpu.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
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
    if (list.length > 0) this.#gpu.queue.writeBuffer(to, ALIGNED * at, list);
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

/** Bytes of a buffer for so many. */
const roomFor = (bytes: number): number => Math.max(LEAST_BYTES, ALIGNED * Math.ceil(bytes / ALIGNED));

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
