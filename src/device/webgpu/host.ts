/**
 * What launches on WebGPU need of their device: memory, commands, compiled kernels.
 */
import type { FloatArray } from '../../core/floats.js';
import type { GpuBuffer, GpuDevice, GpuPipeline } from './api.js';

/** Bytes of a buffer at least: bindings may not be empty. */
const LEAST_BYTES = 32;
/** Bytes are counted in fours. */
export const ALIGNED = 4;

/** Bytes of a buffer for so many. */
export const roomFor = (bytes: number): number => Math.max(LEAST_BYTES, ALIGNED * Math.ceil(bytes / ALIGNED));

/** Workgroups in each of three directions. */
export type Groups = readonly [x: number, y: number, z: number];

/** A device, as launches see it. */
export interface GpuHost {
  readonly gpu: GpuDevice;
  /** A buffer of zeros. Throws MemoryError where the device has no memory left. */
  make(bytes: number, usage: number): Promise<GpuBuffer>;
  /** Frees a buffer, after handing over what was recorded and reads it. */
  free(buffer: GpuBuffer): void;
  /** to[at …] ← list, which is counted; what was recorded before must have been handed over. */
  send(to: GpuBuffer, list: Uint32Array | Int32Array | FloatArray, at?: number): void;
  /** Hands over what was recorded. */
  submit(): void;
  /** The kernel of that key, compiled when it is first needed. */
  pipeline(key: string, code: () => string): GpuPipeline;
  /** What binds buffers to a kernel, in order. */
  bind(pipeline: GpuPipeline, buffers: readonly GpuBuffer[]): unknown;
  /** Records workgroups of a kernel. */
  dispatch(pipeline: GpuPipeline, bound: unknown, groups: Groups): void;
}

/** Buffers that are made one after the other: all of them, or none. */
export class GpuBuffers {
  readonly #host: GpuHost;
  readonly #made: GpuBuffer[] = [];

  constructor(host: GpuHost) {
    this.#host = host;
  }

  /** A buffer with a list in it, or of so many bytes. */
  async put(content: Uint32Array | Int32Array | number, usage: number): Promise<GpuBuffer> {
    const buffer = await this.#host.make(typeof content === 'number' ? content : content.byteLength, usage);
    this.#made.push(buffer);
    if (typeof content !== 'number') this.#host.send(buffer, content);
    return buffer;
  }

  /** Frees all. */
  free(): void {
    for (const buffer of this.#made) this.#host.free(buffer);
    this.#made.length = 0;
  }
}

/** `count` workgroups in rows of at most what a direction takes, and how many stand in a row. */
export function inRows(count: number, { gpu }: GpuHost): readonly [across: number, rows: number] {
  const across = Math.min(count, gpu.limits.maxComputeWorkgroupsPerDimension);
  return [across, Math.ceil(count / Math.max(1, across))];
}
