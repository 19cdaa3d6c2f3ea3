/**
 * Portable kernels on CUDA: those that were prepared are compiled together when one of them is first launched. A launch
 * is prepared once, so that launches that come again are one graph.
 */
import { DeviceError } from '../../core/errors.js';
import { PRECISIONS, type Precision } from '../../core/floats.js';
import type { DeviceBuffer, KernelDevice } from '../device.js';
import type { Ledger } from '../ledger.js';
import {
  checkKernelArguments,
  GROUP_THREADS,
  isByThread,
  type KernelArguments,
  type PortableKernel,
  type PreparedKernel,
} from '../portable-kernel.js';
import type { CudaHost } from './host.js';
import type { KernelLaunch } from './launches.js';
import { portableHead, portableName, portableText } from './portable-text.js';

/** A launch whose parameters are ready, but for its kernel until that is compiled. */
class PreparedLaunch implements PreparedKernel {
  readonly owner: CudaKernels;
  readonly buffers: readonly DeviceBuffer[];
  readonly name: string;
  /** Nothing lies on the device: parameters go there with each launch. */
  readonly bytes = 0;
  /** Undefined where there is nothing to do, and once it was destroyed. */
  rest: Omit<KernelLaunch, 'kernel'> | undefined;
  launch: KernelLaunch | undefined;

  constructor(owner: CudaKernels, buffers: readonly DeviceBuffer[], name: string, rest: PreparedLaunch['rest']) {
    this.owner = owner;
    this.buffers = buffers;
    this.name = name;
    this.rest = rest;
  }

  destroy(): void {
    this.rest = undefined;
    this.launch = undefined;
  }
}

/** What a device on CUDA does with kernels. */
export class CudaKernels implements KernelDevice {
  readonly #host: CudaHost;
  readonly #ledger: Ledger<number>;
  readonly #enter: () => void;
  /** By name: those that are compiled, and the texts of those that are not. */
  readonly #functions = new Map<string, number>();
  readonly #pending: Readonly<Record<Precision, Map<string, () => string>>> = { f64: new Map(), f32: new Map() };

  /** `enter` is called before the card is asked for anything. */
  constructor(host: CudaHost, ledger: Ledger<number>, enter: () => void) {
    this.#host = host;
    this.#ledger = ledger;
    this.#enter = enter;
  }

  async prepare(kernel: PortableKernel, args: KernelArguments<DeviceBuffer>): Promise<PreparedKernel> {
    this.#enter();
    checkKernelArguments(kernel, args);
    const { count, buffers, integers, reals = [] } = args;
    const addresses = buffers.map((buffer) => this.#ledger.handleOf(buffer));
    const byThread = isByThread(kernel, args);
    const { precision } = buffers[0];
    const name = portableName(kernel, byThread, precision);
    if (count === 0) return new PreparedLaunch(this, buffers, name, undefined);
    if (!this.#functions.has(name)) this.#pending[precision].set(name, () => portableText(kernel, byThread, precision));
    const wide = addresses.length + reals.length;
    const parameters = new BigInt64Array(wide + Math.ceil((1 + integers.length) / 2));
    parameters.set(addresses.map(BigInt));
    new Float64Array(parameters.buffer).set(reals, addresses.length);
    new Int32Array(parameters.buffer).set([count, ...integers], 2 * wide);
    const blocks = byThread ? Math.ceil(count / GROUP_THREADS) : count;
    return new PreparedLaunch(this, buffers, name, { blocks, threads: GROUP_THREADS, parameters, memory: addresses });
  }

  launch(prepared: PreparedKernel): void {
    this.#enter();
    if (!(prepared instanceof PreparedLaunch) || prepared.owner !== this)
      throw new DeviceError('This launch of a kernel was prepared on another device: prepare it here.', {
        device: 'cuda',
      });
    for (const buffer of prepared.buffers) this.#ledger.handleOf(buffer);
    const { rest, name } = prepared;
    if (rest === undefined) return;
    prepared.launch ??= { ...rest, kernel: this.#functionOf(name) };
    this.#host.add(prepared.launch);
    this.#ledger.launched({ launches: 1, flops: 0, padded: 0 });
  }

  /** The kernel; all that wait are compiled as one program, which takes little longer than one of them does. */
  #functionOf(name: string): number {
    for (const precision of PRECISIONS) {
      const pending = this.#pending[precision];
      if (!pending.has(name)) continue;
      const names = [...pending.keys()];
      const texts = [...pending.values()];
      const found = this.#host.kernels(names, `portable: ${names.join(', ')}`, () =>
        [portableHead(precision), ...texts.map((text) => text())].join('\n'),
      );
      names.forEach((one, k) => this.#functions.set(one, found[k]));
      pending.clear();
    }
    return this.#functions.get(name)!;
  }
}
