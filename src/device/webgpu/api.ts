/**
 * What is used of WebGPU (w3.org/TR/webgpu): declared here so that the package's types need no others.
 */

/** A device's memory. */
export interface GpuBuffer {
  readonly size: number;
  destroy(): void;
  mapAsync(mode: number, offset: number, size: number): Promise<unknown>;
  getMappedRange(offset: number, size: number): ArrayBuffer;
  unmap(): void;
}

/** A compiled kernel. */
export interface GpuPipeline {
  getBindGroupLayout(index: number): unknown;
}

/** Launches that are being recorded. */
export interface GpuPass {
  setPipeline(pipeline: GpuPipeline): void;
  setBindGroup(index: number, group: unknown): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
  end(): void;
}

/** Commands that are being recorded. */
export interface GpuEncoder {
  beginComputePass(): GpuPass;

  copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): void;
  finish(): unknown;
}

/** What the device says is wrong. */
export interface GpuError {
  readonly message: string;
}

/** A device as WebGPU has it. */
export interface GpuDevice {
  readonly limits: GpuLimits;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: {
    submit(commands: readonly unknown[]): void;

    writeBuffer(to: GpuBuffer, offset: number, data: ArrayBufferView, first?: number, count?: number): void;
    onSubmittedWorkDone(): Promise<unknown>;
  };
  createBuffer(options: { readonly size: number; readonly usage: number }): GpuBuffer;
  createShaderModule(options: { readonly code: string }): unknown;
  createComputePipeline(options: {
    readonly layout: 'auto';
    readonly compute: { readonly module: unknown; readonly entryPoint: string };
  }): GpuPipeline;
  createBindGroup(options: {
    readonly layout: unknown;
    readonly entries: readonly { readonly binding: number; readonly resource: { readonly buffer: GpuBuffer } }[];
  }): unknown;
  createCommandEncoder(): GpuEncoder;
  pushErrorScope(filter: 'out-of-memory' | 'validation' | 'internal'): void;
  popErrorScope(): Promise<GpuError | null>;
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: GpuError }) => void): void;
  destroy(): void;
}

/** Limits that are asked for: how much memory a buffer, and what a kernel reads of it, may have. */
export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

/** A device that could be opened. */
export interface GpuAdapter {
  readonly limits: GpuLimits;
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean | undefined;
  };
  requestDevice(options: { readonly requiredLimits: Readonly<Record<string, number>> }): Promise<GpuDevice>;
}

/** Where adapters are asked for. */
export interface Gpu {
  requestAdapter(options?: { readonly powerPreference?: 'high-performance' | 'low-power' }): Promise<GpuAdapter | null>;
}

/** GPUBufferUsage. */
export const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const;
/** GPUMapMode.READ. */
export const MAP_READ = 1;
