/**
 * The device `cuda`: a card of NVIDIA's in float64 and float32, by kernels of our own (kernels/) that are compiled for
 * it when they are first needed, and where there are cuBLAS and cuSOLVER by their products of large matrices (gemms.ts)
 * and factorizations of large triangles (factors.ts).
 */
import { PRECISIONS, type FloatArray, type Precision } from '../../core/floats.js';
import { arrayAddress } from '../../native/koffi.js';
import { checkBlockRows, type BlockRows } from '../block-rows.js';
import {
  ARITHMETICS,
  type Arithmetic,
  type Device,
  type DeviceBuffer,
  type KernelDevice,
  type LaunchOperands,
  type PreparedRows,
  type PreparedWork,
} from '../device.js';
import { LedgerDevice } from '../ledger-device.js';
import { Ledger } from '../ledger.js';
import { checkedWork, residentWork } from '../resident-work.js';
import { demandOfWork, type Work, type WorkKind, type WorkOperands } from '../work/work.js';
import type { Compiler } from './compiler.js';
import { CudaContext } from './context.js';
import { chosenFolderOf, NONE, OPTIONAL, type OptionalLibrary } from './candidates.js';
import type { CublasLibrary, CublasSearch } from './cublas.js';
import { cublasBytes, CublasHandle } from './cublas-handle.js';
import type { CusolverLibrary, CusolverSearch } from './cusolver.js';
import { cusolverBytes, CusolverHandle } from './cusolver-handle.js';
import type { CudaDriver } from './driver.js';
import { chooseFactors, FACTOR_LEAST } from './factors.js';
import { chooseAllGemms, chooseGemms, GEMM_LEAST, type GemmLeast } from './gemms.js';
import type { CudaHost, HeldMemory, Kernel } from './host.js';
import type { KernelSource } from './kernels/source.js';
import { stepsOf } from './kernels/steps.js';
import { LaunchQueue } from './launches.js';
import { CudaKernels } from './portable-kernels.js';
import { CudaRows, cutRows } from './rows.js';
import { CudaWork, cutWork, workspaceOf } from './work.js';

/** A card that can be used, and what it is used by. */
export interface FoundCard {
  readonly driver: CudaDriver;
  readonly compiler: Compiler;
  /** A CUdevice. */
  readonly device: number;
  /** 90 for compute capability 9.0. */
  readonly architecture: number;
  /** Its name, memory and versions, for people; libraries are looked for when it is read. */
  readonly description: string;
  /** Looks for cuBLAS. */
  readonly findCublas: () => CublasSearch;
  /** Looks for cuSOLVER. */
  readonly findCusolver: () => CusolverSearch;
}

/** What a device opened on CUDA may be given. */
export interface CudaOptions {
  /** Most bytes on the device; undefined: what is free there when it is opened. */
  readonly memoryLimit: number | undefined;
  /** What cuBLAS multiplies; default: GEMM_LEAST and what is larger. */
  readonly gemms?: GemmLeast | undefined;
  /** Launches that a factorization of cuSOLVER's saves at least; default: FACTOR_LEAST. */
  readonly factors?: number | undefined;
}

/** A library is used where the limit is so many times what it and those before it take for themselves. */
const WORTH = 4;
const TITLES: Readonly<Record<OptionalLibrary, string>> = { cublas: 'cuBLAS', cusolver: 'cuSOLVER' };

/** The architecture from which on cards multiply small matrices of rounded numbers at once. */
const TENSORS = 80;

/** A device on CUDA. `openCuda` opens one. */
export class CudaDevice extends LedgerDevice<number> implements Device {
  readonly name = 'cuda';
  readonly precisions = PRECISIONS;
  readonly team = null;
  readonly kernels: KernelDevice;
  readonly #card: FoundCard;
  readonly #context: CudaContext;
  readonly #launches: LaunchQueue;
  readonly #host: CudaHost;
  protected readonly ledger: Ledger<number>;
  readonly #kernels = new Map<string, Kernel>();
  readonly #modules: number[] = [];
  readonly #least: GemmLeast;
  readonly #leastFactor: number;
  /** Libraries that the limit leaves room for. */
  readonly #roomFor = new Set<OptionalLibrary>();
  #cublas: CublasHandle | undefined;
  #cusolver: CusolverHandle | undefined;
  #closed = false;

  /** Opens the card. Throws DeviceError, MemoryError. */
  constructor(card: FoundCard, { memoryLimit, gemms = GEMM_LEAST, factors = FACTOR_LEAST }: CudaOptions) {
    super();
    this.#card = card;
    this.#least = gemms;
    this.#leastFactor = factors;
    this.#context = new CudaContext(card.driver, card.device);
    this.#launches = new LaunchQueue(this.#context);
    this.#host = {
      make: (bytes) => this.#make(bytes),
      free: (address) => {
        this.#release(address);
      },
      send: (to, list) => {
        this.#context.send(to, list);
        this.ledger.sent(list.byteLength);
      },
      kernel: (source) => this.#kernel(source),
      kernels: (names, title, source) => this.#load(title, source, names),
      chooseAll: (products, arithmetic) => chooseAllGemms(products, this.#least, () => this.#findCublas(arithmetic)),
      gemm: (call, operands) => this.#openCublas().prepare(call, operands),
      factorBytes: (triangle) => this.#openCusolver().bytes(triangle),
      factor: (triangle, operands) => this.#openCusolver().prepare(triangle, operands),
      held: (bytes, what) => this.#hold(bytes, what),
      add: (launch) => {
        this.#launches.add(launch);
      },
    };
    const given = memoryLimit ?? this.#free();
    const bytesOf = { cublas: cublasBytes(card.architecture), cusolver: cusolverBytes(card.architecture) };
    // What they take is set apart, whether it is needed or not: each is opened by the first that needs it.
    let apart = 0;
    for (const one of OPTIONAL) {
      if (chosenFolderOf(one) === NONE) continue;
      if (given < WORTH * (apart + bytesOf[one])) break;
      apart += bytesOf[one];
      this.#roomFor.add(one);
    }
    const limit = given - apart;
    this.ledger = new Ledger({
      name: 'cuda',
      precisions: PRECISIONS,
      arithmetics: card.architecture >= TENSORS ? ARITHMETICS : [],
      limit,
      bufferLimit: limit,
      free: (address) => {
        this.#release(address);
      },
    });
    this.kernels = new CudaKernels(this.#host, this.ledger, () => {
      this.#context.enter();
    });
  }

  get description(): string {
    const searches = { cublas: this.#card.findCublas(), cusolver: this.#card.findCusolver() };
    const left = OPTIONAL.filter((one) => 'library' in searches[one] && !this.#roomFor.has(one));
    const names = left.map((one) => TITLES[one]).join(' and ');
    const without = `; the memory limit leaves no room for ${names}: our own kernels have its work`;
    return `cuda: ${this.#card.description}${left.length > 0 ? without : ''}`;
  }

  async allocate(length: number, precision: Precision): Promise<DeviceBuffer> {
    this.#context.enter();
    const bytes = this.ledger.requireRoom(length, precision);
    const address = this.#make(bytes);
    this.#context.call('cuMemsetD8Async', address, 0, Math.max(1, bytes), this.#context.stream);
    return this.ledger.buffer(address, length, precision);
  }

  write(buffer: DeviceBuffer, values: FloatArray, at = 0): void {
    this.#context.enter();
    const address = this.ledger.handleFor(buffer, values, at);
    this.#launches.submit();
    this.#context.send(address + at * values.BYTES_PER_ELEMENT, values);
    this.ledger.sent(values.byteLength);
  }

  async read(buffer: DeviceBuffer, into: FloatArray, at = 0): Promise<void> {
    this.#context.enter();
    const address = this.ledger.handleFor(buffer, into, at);
    this.#launches.submit();
    if (into.length > 0) await this.#context.fetch(address + at * into.BYTES_PER_ELEMENT, into);
    this.ledger.fetched(into.byteLength);
  }

  async prepare(rows: BlockRows): Promise<PreparedRows> {
    this.#context.enter();
    const reach = checkBlockRows(rows);
    const cut = cutRows(rows, this.#least);
    this.ledger.requireBytes(cut.bytes, 'The lists of block rows');
    const parts = new CudaRows(cut, this.#host);
    return this.ledger.rows<CudaRows>({
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
    this.#context.enter();
    const { parts, values, vectors } = this.ledger.launch<CudaRows>(prepared, operands, width);
    const { arithmetic } = operands;
    parts.launch({ precision: operands.values.precision, arithmetic, values, vectors, width });
    this.ledger.launched(parts.cost(width, arithmetic));
  }

  async plan<W extends Work>(work: W): Promise<PreparedWork<W['kind']>> {
    this.#context.enter();
    const demand = demandOfWork(work as never);
    const cut = cutWork(
      stepsOf(
        work,
        (products) => chooseGemms(products, this.#least, () => this.#openWhereFound()),
        (triangles, own) =>
          chooseFactors(triangles, own, { least: this.#leastFactor, open: () => this.#opensCusolver() }),
      ),
      this.#least,
    );
    const workspace = workspaceOf(cut, this.#host);
    const bytes = workspace + cut.bytes;
    this.ledger.requireBytes(bytes, workspace > 0 ? 'What a factorization works in' : 'The lists of a launch');
    const parts = new CudaWork(cut, this.#host, workspace);
    return residentWork<number, W['kind'], CudaWork>(this.ledger, {
      kind: work.kind,
      demand,
      bytes,
      parts,
      cost: (width) => parts.cost(width, demand.flops(width)),
      free: () => {
        parts.free();
      },
    });
  }

  launch<K extends WorkKind>(work: PreparedWork<K>, operands: WorkOperands<DeviceBuffer>[K], width = 1): void {
    this.#context.enter();
    const { parts, handles } = checkedWork<number, CudaWork>(this.ledger, work, { ...operands }, width);
    const [{ precision }] = Object.values(operands) as DeviceBuffer[];
    parts.launch({ precision, addresses: handles, width });
    this.ledger.launched(work.cost(width));
  }

  async finish(): Promise<void> {
    this.#context.enter();
    this.#launches.submit();
    await this.#context.finish();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#launches.clear();
    this.ledger.close();
    this.#cublas?.close();
    this.#cusolver?.close();
    if (!this.#context.lost) for (const module of this.#modules) this.#card.driver.status('cuModuleUnload', module);
    this.#context.close();
  }

  #library(): CublasLibrary | undefined {
    const found = this.#roomFor.has('cublas') ? this.#card.findCublas() : undefined;
    return found !== undefined && 'library' in found ? found.library : undefined;
  }

  /** Whether there is cuBLAS; of rounded products it has no groups of several shapes. */
  #findCublas(arithmetic?: Arithmetic): { readonly hasGroups: boolean } | undefined {
    const library = this.#library();
    return library && { hasGroups: library.hasGroups && arithmetic === undefined };
  }

  /** cuBLAS, which there is. Throws MemoryError, DeviceError. */
  #openCublas(): CublasHandle {
    return (this.#cublas ??= new CublasHandle(this.#library()!, this.#context, this.#card.architecture));
  }

  /** cuSOLVER, which there is. Throws MemoryError, DeviceError. */
  #openCusolver(): CusolverHandle {
    const { library } = this.#card.findCusolver() as { readonly library: CusolverLibrary };
    return (this.#cusolver ??= new CusolverHandle(library, this.#context));
  }

  /** Opens cuSOLVER where there is one, and room for it; whether that is so. Throws MemoryError, DeviceError. */
  #opensCusolver(): boolean {
    if (!this.#roomFor.has('cusolver') || !('library' in this.#card.findCusolver())) return false;
    this.#openCusolver();
    return true;
  }

  #openWhereFound(): { readonly hasGroups: boolean } | undefined {
    const found = this.#findCublas();
    if (found !== undefined) this.#openCublas();
    return found;
  }

  /** Memory that counts until it is freed. */
  #hold(bytes: number, what: string): HeldMemory {
    this.ledger.requireBytes(bytes, what);
    const address = this.#make(bytes);
    let isHeld = true;
    const free = (): void => {
      if (!isHeld) return;
      isHeld = false;
      this.ledger.letGo(held);
      this.#release(address);
    };
    const held = { destroy: free };
    this.ledger.hold(held, bytes);
    return { address, bytes, free };
  }

  /** The kernel, compiled when it is first needed. */
  #kernel({ name, source, threads }: KernelSource): Kernel {
    let kernel = this.#kernels.get(name);
    if (kernel === undefined) {
      const [handle] = this.#load(name, source, [name]);
      kernel = { handle, threads };
      this.#kernels.set(name, kernel);
    }
    return kernel;
  }

  /** The kernels of a program. */
  #load(title: string, source: () => string, names: readonly string[]): number[] {
    const image = this.#card.compiler.compile(source, title, this.#card.architecture);
    const module = this.#context.made('cuModuleLoadData', arrayAddress(image));
    this.#modules.push(module);
    return names.map((name) => {
      const text = new TextEncoder().encode(`${name}\0`);
      return this.#context.made('cuModuleGetFunction', module, arrayAddress(text));
    });
  }

  /** Memory of the card, of one byte at least. Throws MemoryError. */
  #make(bytes: number): number {
    const address = this.#context.allocate(Math.max(1, bytes));
    if (address === undefined) throw this.ledger.outOfMemory(bytes);
    return address;
  }

  /** Frees memory, after handing over what reads it; the driver waits until that is done. */
  #release(address: number): void {
    if (this.#context.lost) return;
    if (!this.#closed) this.#launches.submit();
    this.#launches.forget(address);
    this.#context.free(address);
  }

  /** Bytes of the card that are free. */
  #free(): number {
    const [free, total] = [new BigInt64Array(1), new BigInt64Array(1)];
    this.#context.call('cuMemGetInfo_v2', arrayAddress(free), arrayAddress(total));
    return Number(free[0]);
  }
}
