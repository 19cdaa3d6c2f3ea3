/**
 * Kernels of single numbers on WebGPU: compiled when they are first needed, the parameters of a launch written once.
 */
import { DeviceError } from '../../core/errors.js';
import type { DeviceBuffer, KernelDevice } from '../device.js';
import {
  checkKernelArguments,
  GROUP_THREADS,
  isByThread,
  type PortableKernel,
  type KernelArguments,
  type PreparedKernel,
} from '../portable-kernel.js';
import type { Ledger, ResidentBuffer } from '../ledger.js';
import { USAGE, type GpuBuffer, type GpuPipeline } from './api.js';
import { inRows, type GpuHost } from './host.js';
import { parameterWords, wgslOf } from './portable-text.js';

/** A launch on the device. */
class Launch implements PreparedKernel {
  readonly owner: WebgpuKernels;
  readonly parameters: ResidentBuffer<GpuBuffer>;
  readonly args: KernelArguments<DeviceBuffer>;
  readonly pipeline: GpuPipeline;
  /** Groups of threads: so many in each of so many rows. */
  readonly across: number;
  readonly rows: number;
  /** What binds its buffers to the kernel. */
  bound: unknown;

  constructor(owner: WebgpuKernels, made: Pick<Launch, 'parameters' | 'args' | 'pipeline' | 'across' | 'rows'>) {
    this.owner = owner;
    this.parameters = made.parameters;
    this.args = made.args;
    this.pipeline = made.pipeline;
    this.across = made.across;
    this.rows = made.rows;
  }

  get bytes(): number {
    return this.parameters.bytes;
  }

  destroy(): void {
    this.parameters.destroy();
    this.bound = undefined;
  }
}

/** What a WebGPU device does with kernels. */
export class WebgpuKernels implements KernelDevice {
  readonly #host: GpuHost;
  readonly #ledger: Ledger<GpuBuffer>;
  readonly #requireUsable: () => void;

  constructor(host: GpuHost, ledger: Ledger<GpuBuffer>, requireUsable: () => void) {
    this.#host = host;
    this.#ledger = ledger;
    this.#requireUsable = requireUsable;
  }

  async prepare(kernel: PortableKernel, args: KernelArguments<DeviceBuffer>): Promise<PreparedKernel> {
    const host = this.#host;
    this.#requireUsable();
    checkKernelArguments(kernel, args);
    for (const buffer of args.buffers) this.#ledger.handleOf(buffer);
    const byThread = isByThread(kernel, args);
    const [across, rows] = inRows(byThread ? Math.ceil(args.count / GROUP_THREADS) : args.count, host);
    const words = new Uint32Array(parameterWords(kernel));
    new Int32Array(words.buffer).set([args.count, across, ...args.integers]);
    new Float32Array(words.buffer).set(args.reals ?? [], words.length - (args.reals?.length ?? 0));
    const handle = await host.make(words.byteLength, USAGE.uniform);
    host.send(handle, words);
    const parameters = this.#ledger.buffer(handle, words.length, 'f32');
    const key = `${kernel.name}, ${byThread ? 'by thread' : 'by group'}`;
    const pipeline = host.pipeline(key, () => wgslOf(kernel, byThread));
    return new Launch(this, { parameters, args, pipeline, across, rows });
  }

  launch(prepared: PreparedKernel): void {
    this.#requireUsable();
    if (!(prepared instanceof Launch) || prepared.owner !== this)
      throw new DeviceError('This launch of a kernel was prepared on another device: prepare it here.', {
        device: 'webgpu',
      });
    const { pipeline, across, rows, args, parameters } = prepared;
    const buffers = [parameters, ...args.buffers].map((buffer) => this.#ledger.handleOf(buffer));
    if (across === 0) return;
    prepared.bound ??= this.#host.bind(pipeline, buffers);
    this.#host.dispatch(pipeline, prepared.bound, [across, rows, 1]);
    this.#ledger.launched({ launches: 1, flops: 0, padded: 0 });
  }
}
