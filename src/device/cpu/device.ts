/**
 * The device `cpu`: the team of this machine. Its memory is shared arrays, a launch a phase of the team.
 */
import { DeviceError } from '../../core/errors.js';
import { PRECISIONS, sharedFloats, type FloatArray, type Precision } from '../../core/floats.js';
import { toShared } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { checkBlockRows, flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Device, DeviceBuffer, LaunchOperands, PreparedRows, PreparedWork } from '../device.js';
import { LedgerDevice } from '../ledger-device.js';
import { Ledger } from '../ledger.js';
import { checkedWork, residentWork } from '../resident-work.js';
import { demandOfWork, type Work, type WorkKind, type WorkOperands } from '../work/work.js';
import type { KernelState } from './kernel-state.js';
import { teamKernel, type TeamKernel } from './kernels.js';
import { multiplyBlockRows } from './multiply.js';

/** Block rows over shared memory, and what the team holds of them. */
interface TeamRows {
  readonly rows: BlockRows;
  readonly graph: TaskGraph;
}

/** Work over shared memory, and its tasks. */
interface TeamWork {
  readonly kernel: TeamKernel;
  readonly graph: TaskGraph;
}

/** What the workers hold of one launch. */
interface Binding {
  readonly arrays: readonly FloatArray[];
  readonly shared: Shared<unknown>;
}

const listsOf = ({ keep: _, alpha: __, ...lists }: BlockRows): ArrayBufferView[] => Object.values(lists);
const bytesOfLists = (rows: BlockRows): number => listsOf(rows).reduce((sum, { byteLength }) => sum + byteLength, 0);

function inSharedMemory(rows: BlockRows): BlockRows {
  const transposed = new Uint8Array(new SharedArrayBuffer(rows.transposed.length));
  transposed.set(rows.transposed);
  return {
    keep: rows.keep,
    alpha: rows.alpha,
    first: toShared(rows.first),
    count: toShared(rows.count),
    startBegin: toShared(rows.startBegin),
    starts: toShared(rows.starts),
    termBegin: toShared(rows.termBegin),
    offset: toShared(rows.offset),
    ld: toShared(rows.ld),
    transposed,
    source: toShared(rows.source),
    terms: toShared(rows.terms),
  };
}

/** The team as a device; what lies there may take `limit` bytes. */
export class CpuDevice extends LedgerDevice<FloatArray> implements Device {
  readonly name = 'cpu';
  readonly description: string;
  readonly precisions = PRECISIONS;
  readonly team: Team;
  readonly kernels = null;
  protected readonly ledger: Ledger<FloatArray>;
  /** By what was prepared. */
  readonly #bindings = new Map<object, Binding>();
  #closed = false;

  /** `because`: why it stands for another device, which the description then says. */
  constructor(team: Team, limit: number, because?: string) {
    super();
    const { workers, blas } = team;
    this.team = team;
    this.description =
      `cpu: ${workers} worker${workers === 1 ? '' : 's'}, ${blas.description}` +
      (because === undefined ? '' : `; taken because ${because}`);
    this.ledger = new Ledger({
      name: 'cpu',
      precisions: PRECISIONS,
      limit,
      bufferLimit: limit,
      free: (array) => {
        for (const [parts, { arrays }] of this.#bindings) if (arrays.includes(array)) this.#letGo(parts);
      },
    });
  }

  async allocate(length: number, precision: Precision): Promise<DeviceBuffer> {
    this.#requireOpen();
    this.ledger.requireRoom(length, precision);
    return this.ledger.buffer(inLargePages(sharedFloats(length, precision)), length, precision);
  }

  write(buffer: DeviceBuffer, values: FloatArray, at = 0): void {
    this.#requireOpen();
    this.ledger.handleFor(buffer, values, at).set(values, at);
    this.ledger.sent(values.byteLength);
  }

  async read(buffer: DeviceBuffer, into: FloatArray, at = 0): Promise<void> {
    this.#requireOpen();
    into.set(this.ledger.handleFor(buffer, into, at).subarray(at, at + into.length));
    this.ledger.fetched(into.byteLength);
  }

  async prepare(rows: BlockRows): Promise<PreparedRows> {
    this.#requireOpen();
    const reach = checkBlockRows(rows);
    const vectorFlops = flopsOfVector(rows);
    const bytes = bytesOfLists(rows);
    this.ledger.requireBytes(bytes, 'The lists of block rows');
    this.ledger.sent(bytes);
    const count = rows.first.length;
    return this.ledger.rows<TeamRows>({
      reach,
      bytes,
      parts: { rows: inSharedMemory(rows), graph: independentTasks(count) },
      cost: (width) => {
        const flops = vectorFlops * width;
        return { launches: Math.min(1, count), flops, padded: flops };
      },
      free: (parts) => {
        this.#letGo(parts);
      },
    });
  }

  multiply(prepared: PreparedRows, operands: LaunchOperands, width: number): void {
    this.#requireOpen();
    const { parts, values, vectors } = this.ledger.launch<TeamRows>(prepared, operands, width);
    if (parts.graph.count === 0) return;
    const shared = this.#bind(parts, [values, vectors], { rows: parts.rows, values, vectors });
    this.team.runSync(multiplyBlockRows, shared, parts.graph, { width });
    this.ledger.launched(prepared.cost(width));
  }

  async plan<W extends Work>(work: W): Promise<PreparedWork<W['kind']>> {
    this.#requireOpen();
    const demand = demandOfWork(work as never);
    const kernel = teamKernel(work);
    const bytes = [kernel.tasks, ...Object.values(kernel.lists)].reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.ledger.requireBytes(bytes, 'The lists of a launch');
    this.ledger.sent(bytes);
    return residentWork<FloatArray, W['kind'], TeamWork>(this.ledger, {
      kind: work.kind,
      demand,
      bytes,
      parts: { kernel, graph: independentTasks(kernel.count) },
      free: (parts) => {
        this.#letGo(parts);
      },
    });
  }

  launch<K extends WorkKind>(work: PreparedWork<K>, operands: WorkOperands<DeviceBuffer>[K], width = 1): void {
    this.#requireOpen();
    const { parts, handles } = checkedWork<FloatArray, TeamWork>(this.ledger, work, { ...operands }, width);
    const { kernel, graph } = parts;
    if (graph.count === 0) return;
    const { lists, tasks, settings } = kernel;
    const shared = this.#bind<KernelState<unknown>>(parts, Object.values(handles), {
      lists,
      tasks,
      operands: handles,
      settings,
    });
    this.team.runSync(kernel.task, shared, graph, { width });
    this.ledger.launched(work.cost(width));
  }

  async finish(): Promise<void> {
    this.#requireOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.ledger.close();
    for (const parts of this.#bindings.keys()) this.#letGo(parts);
  }

  /** What the workers hold of a launch: the last one's of what was prepared, or a new one. */
  #bind<S>(parts: object, arrays: readonly FloatArray[], state: S): Shared<S> {
    const known = this.#bindings.get(parts);
    if (known?.arrays.every((array, i) => array === arrays[i]) === true) return known.shared as Shared<S>;
    this.#letGo(parts);
    const shared = this.team.shareNow(state);
    this.#bindings.set(parts, { arrays, shared });
    return shared;
  }

  #letGo(parts: object): void {
    const known = this.#bindings.get(parts);
    if (known === undefined) return;
    this.#bindings.delete(parts);
    this.team.release(known.shared);
  }

  #requireOpen(): void {
    if (this.#closed) throw new DeviceError('The device cpu is closed: open it again.', { device: 'cpu' });
  }
}
