/**
 * The device `tfjs`: float32 on any backend of TensorFlow.js, by its own operations: for machines that have one, not
 * for speed. A launch is as many operations as its program (program.ts) tells.
 */
import { DeviceError, DeviceLostError, HmatrixError, LibraryError } from '../../core/errors.js';
import type { FloatArray, Precision } from '../../core/floats.js';
import { messageOf } from '../../native/koffi.js';
import { checkBlockRows, flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Device, DeviceBuffer, KernelDevice, LaunchOperands, PreparedRows, PreparedWork } from '../device.js';
import { LedgerDevice } from '../ledger-device.js';
import { Ledger } from '../ledger.js';
import { checkedWork, residentWork } from '../resident-work.js';
import { demandOfWork, type Work, type WorkKind, type WorkOperands } from '../work/work.js';
import type { Tf, TfTensor } from './api.js';
import { blockRowsProgram, blocksName, type BlockRowsProgram } from './block-rows.js';
import type { FoundTensorFlow } from './library.js';
import { TfNumbers } from './numbers.js';
import { behindZero, operationsOf, type TfProgram } from './program.js';
import { WORK_PROGRAMS } from './work.js';

/** What a device opened on TensorFlow.js may be given. */
export interface TfjsOptions {
  /** Most bytes on the device. */
  readonly memoryLimit: number;
}

/** A program whose lists lie on the device. */
interface Resident<P extends TfProgram = TfProgram> {
  readonly program: P;
  readonly lists: readonly TfTensor[];
  readonly operations: number;
}

/** Block rows on the device; their blocks are gathered when they are first multiplied, or the values are others. */
interface ResidentBlocks extends Resident<BlockRowsProgram> {
  blocks: { readonly values: TfTensor; readonly batches: readonly TfTensor[] } | undefined;
}

/** Bytes of a number, be it an index. */
const BYTES = 4;
/** Numbers that an index can tell apart: WebGL keeps indices in float32. */
const MOST_NUMBERS = { webgl: 2 ** 24, others: 2 ** 31 - 2 } as const;

const noKernels = (): DeviceError =>
  new DeviceError(
    "TensorFlow.js takes no kernels of ours, which models and training need: openDevice('webgpu') and 'cpu' do.",
    { device: 'tfjs' },
  );

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, one) => size * one, 1);

/** A device on TensorFlow.js. It frees what it made there; the backend stays as it is. */
export class TfjsDevice extends LedgerDevice<TfNumbers> implements Device {
  readonly name = 'tfjs';
  readonly description: string;
  readonly precisions: readonly Precision[] = ['f32'];
  readonly team = null;
  readonly kernels: KernelDevice = {
    prepare: () => Promise.reject(noKernels()),
    launch: () => {
      throw noKernels();
    },
  };
  readonly #tf: Tf;
  readonly #backend: string;
  protected readonly ledger: Ledger<TfNumbers>;
  /** What was written last, which ends when all is done. */
  #last: TfNumbers | undefined;
  #closed = false;
  #lost: DeviceLostError | undefined;
  /** Ends what waits for numbers when the device is lost, where the backend tells. */
  readonly #waiting = new Set<() => void>();

  constructor({ tf, backend, description }: FoundTensorFlow, { memoryLimit }: TfjsOptions) {
    super();
    this.#tf = tf;
    this.#backend = backend;
    this.description = `tfjs: ${description}`;
    this.ledger = new Ledger({
      name: 'tfjs',
      precisions: this.precisions,
      limit: memoryLimit,
      bufferLimit: BYTES * MOST_NUMBERS[backend === 'webgl' ? 'webgl' : 'others'],
      free: (numbers) => {
        if (this.#last === numbers) this.#last = undefined;
        numbers.dispose();
      },
    });
    void tf.backend().device?.lost.then(({ message }) => {
      this.#lose(message);
      for (const end of this.#waiting) end();
    });
  }

  async allocate(length: number, precision: Precision): Promise<DeviceBuffer> {
    this.#requireUsable();
    const bytes = this.ledger.requireRoom(length, precision);
    try {
      return this.ledger.buffer(new TfNumbers(length), length, precision);
    } catch (error) {
      if (error instanceof RangeError) throw this.ledger.outOfMemory(bytes);
      throw error;
    }
  }

  write(buffer: DeviceBuffer, values: FloatArray, at = 0): void {
    this.#requireUsable();
    const numbers = this.ledger.handleFor(buffer, values, at);
    this.#compute(() => {
      numbers.write(this.#tf, values as Float32Array, at);
    });
    this.ledger.sent(values.byteLength);
  }

  async read(buffer: DeviceBuffer, into: FloatArray, at = 0): Promise<void> {
    this.#requireUsable();
    const numbers = this.ledger.handleFor(buffer, into, at);
    await this.#fetch(numbers, at, into);
    this.ledger.fetched(into.byteLength);
  }

  async prepare(rows: BlockRows): Promise<PreparedRows> {
    this.#requireUsable();
    const reach = checkBlockRows(rows);
    const vectorFlops = flopsOfVector(rows);
    const program = blockRowsProgram(rows, reach.rows);
    // The blocks as they will be gathered, with their padding.
    const blocks = BYTES * program.batches.reduce((sum, { members, shape }) => sum + members.length * sizeOf(shape), 0);
    const { resident, bytes } = this.#put(program, blocks);
    return this.ledger.rows<ResidentBlocks>({
      reach,
      bytes,
      parts: { ...resident, blocks: undefined },
      cost: (width) => ({
        launches: resident.operations,
        flops: vectorFlops * width,
        padded: program.padded(width),
      }),
      free: (parts) => {
        for (const one of [...parts.lists, ...(parts.blocks?.batches ?? [])]) one.dispose();
      },
    });
  }

  multiply(prepared: PreparedRows, operands: LaunchOperands, width: number): void {
    this.#requireUsable();
    const { parts, values, vectors } = this.ledger.launch<ResidentBlocks>(prepared, operands, width);
    if (parts.operations === 0) return;
    const blocks = this.#gathered(parts, values);
    const named = Object.fromEntries(blocks.map((batch, b) => [blocksName(b), batch]));
    this.#run(parts, { vectors }, width, named);
    this.ledger.launched(prepared.cost(width));
  }

  async plan<W extends Work>(work: W): Promise<PreparedWork<W['kind']>> {
    this.#requireUsable();
    const kind: WorkKind = work.kind;
    const programOf = WORK_PROGRAMS[kind] as ((work: Work) => TfProgram) | undefined;
    if (programOf === undefined)
      throw new DeviceError(
        `TensorFlow.js has no operations for the launches ${String(kind)} of the device tfjs: openDevice('cpu') has.`,
        { device: 'tfjs', kind },
      );
    const demand = demandOfWork(work as never);
    const program = programOf(work);
    const { resident, bytes } = this.#put(program, 0);
    return residentWork<TfNumbers, W['kind'], Resident>(this.ledger, {
      kind,
      demand,
      bytes,
      parts: resident,
      cost: (width) => ({ launches: resident.operations, padded: program.padded(width) }),
      free: ({ lists }) => {
        for (const list of lists) list.dispose();
      },
    });
  }

  launch<K extends WorkKind>(work: PreparedWork<K>, operands: WorkOperands<DeviceBuffer>[K], width = 1): void {
    this.#requireUsable();
    const { parts, handles } = checkedWork<TfNumbers, Resident>(this.ledger, work, { ...operands }, width);
    if (parts.operations === 0) return;
    this.#run(parts, handles, width);
    this.ledger.launched(work.cost(width));
  }

  async finish(): Promise<void> {
    this.#requireUsable();
    // Backends end what they were handed in its order.
    if (this.#last !== undefined) await this.#fetch(this.#last, 0, new Float32Array(1));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.ledger.close();
  }

  /** Puts the lists of a program on the device, with room for `more` bytes. Throws MemoryError. */
  #put<P extends TfProgram>(program: P, more: number): { readonly resident: Resident<P>; readonly bytes: number } {
    const own = program.lists.reduce((sum, { values }) => sum + values.byteLength, 0);
    this.ledger.requireBytes(own + more, 'The lists of a launch');
    const tf = this.#tf;
    const lists = this.#kept(() =>
      program.lists.map(({ values, shape }) =>
        tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'),
      ),
    );
    this.ledger.sent(own);
    return { resident: { program, lists, operations: operationsOf(program) }, bytes: own + more };
  }

  /** What `make` returns, kept; the rest of what it makes is freed, all of it where it fails. */
  #kept(make: () => TfTensor[]): TfTensor[] {
    return this.#compute(() => this.#tf.tidy(make).map((tensor) => this.#tf.keep(tensor)));
  }

  /** The blocks of block rows, batch by batch. */
  #gathered(parts: ResidentBlocks, numbers: TfNumbers): readonly TfTensor[] {
    const tf = this.#tf;
    const values = this.#compute(() => numbers.tensor(tf));
    // Tensors do not change: where it is the same, its numbers are.
    if (parts.blocks?.values === values) return parts.blocks.batches;
    for (const batch of parts.blocks?.batches ?? []) batch.dispose();
    parts.blocks = undefined;
    const { program } = parts;
    const batches = this.#kept(() => {
      const table = behindZero(tf, values);
      return program.batches.map((batch) => {
        const places = program.places(batch);
        this.ledger.sent(places.byteLength);
        return tf.gather(table, tf.tensor(places, [batch.members.length, ...batch.shape], 'int32'));
      });
    });
    this.ledger.launched({ launches: 1 + batches.length, flops: 0, padded: 0 });
    parts.blocks = { values, batches };
    return batches;
  }

  /** Runs a program; what it writes replaces what those operands were. */
  #run(
    { program, lists }: Resident,
    handles: Readonly<Record<string, TfNumbers>>,
    width: number,
    more: Readonly<Record<string, TfTensor>> = {},
  ): void {
    const tf = this.#tf;
    this.#compute(() => {
      const operands = Object.fromEntries(Object.entries(handles).map(([name, one]) => [name, one.tensor(tf)]));
      const results = tf.tidy(() => program.run(tf, lists, { ...operands, ...more }, width));
      for (const [name, tensor] of Object.entries(results)) {
        this.#last = handles[name];
        this.#last.replace(tf, tensor);
      }
    });
  }

  /** into ← numbers[at …], as they are now. */
  async #fetch(numbers: TfNumbers, at: number, into: FloatArray): Promise<void> {
    const part = this.#compute(() => numbers.part(this.#tf, at, into.length));
    try {
      const data = await this.#orLoss(part.data());
      this.#requireUsable();
      into.set(data);
    } catch (error) {
      throw this.#failureOf(error);
    } finally {
      part.dispose();
    }
  }

  /** What comes, unless the device is lost before. */
  #orLoss<T>(coming: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        reject(this.#lost ?? new DeviceError('The device tfjs was closed: open it again.', { device: 'tfjs' }));
      };
      this.#waiting.add(end);
      const ended = (): void => {
        this.#waiting.delete(end);
      };
      coming.then(resolve, reject).then(ended, ended);
    });
  }

  /** Runs operations. Throws DeviceError for what TensorFlow.js refuses, DeviceLostError. */
  #compute<T>(operations: () => T): T {
    try {
      return operations();
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  #failureOf(error: unknown): HmatrixError {
    if (error instanceof HmatrixError) return error;
    this.#noticeLoss();
    return (
      this.#lost ??
      new DeviceError(`The device tfjs refused what it was handed: ${messageOf(error)}.`, { device: 'tfjs' })
    );
  }

  #lose(reason: string): void {
    if (this.#closed) return;
    this.#lost ??= new DeviceLostError(
      `The device tfjs was lost (${reason}): what lay on it is gone. Load TensorFlow.js again, open the device ` +
        'again, and put the matrix there again.',
      { device: 'tfjs', backend: this.#backend },
    );
  }

  #noticeLoss(): void {
    if (this.#tf.getBackend() === this.#backend && this.#tf.backend().gpgpu?.gl.isContextLost() === true)
      this.#lose('the context of WebGL');
  }

  #requireUsable(): void {
    if (this.#closed) throw new DeviceError('The device tfjs is closed: open it again.', { device: 'tfjs' });
    this.#noticeLoss();
    if (this.#lost !== undefined) throw this.#lost;
    const backend = this.#tf.getBackend();
    if (backend !== this.#backend)
      throw new DeviceError(
        `The backend of TensorFlow.js is ${String(backend)} now, and was ${this.#backend} when the device was opened` +
          ': set it back (tf.setBackend), or open the device again.',
        { device: 'tfjs', backend },
      );
  }
}

/** Numbers of a trial: more than what backends leave to the processor. */
const TRIAL = 2 ** 12;

/**
 * Opens what was found. Throws LibraryError where its backend computes in float16, which is tried: backends on phones
 * do, and what they tell of it is wrong (that of WebGL tells 16 where its textures have 32 bits, in version 4.22.0).
 */
export async function openTfjs(found: FoundTensorFlow, options: TfjsOptions): Promise<TfjsDevice> {
  const { tf, backend } = found;
  const square = tf.tidy(() => {
    const x = tf.tensor(new Float32Array(TRIAL).fill(1 + 2 ** -12), [TRIAL], 'float32');
    return tf.keep(tf.mul(x, x));
  });
  const [value] = Array.from(await square.data());
  square.dispose();
  if (Math.abs(value - (1 + 2 ** -11)) > 2 ** -22)
    throw new LibraryError(
      `The backend ${backend} of TensorFlow.js computes in float16 on this machine: take another (tf.setBackend).`,
      { backend },
    );
  return new TfjsDevice(found, options);
}
