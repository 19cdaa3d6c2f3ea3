/**
 * The device `cpu`: the team of this machine. Its memory is shared arrays, a launch a phase of the team.
 */
import { DeviceError } from '../../core/errors.js';
import { precisionOf, PRECISIONS, sharedFloats, type FloatArray, type Precision } from '../../core/floats.js';
import { toShared } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { checkBlockRows, flopsOfVector, type BlockRows } from '../block-rows.js';
import type { Device, DeviceBuffer, DeviceCounters, DeviceMemory, LaunchOperands, PreparedRows } from '../device.js';
import { Ledger, requireFloats } from '../ledger.js';
import { multiplyBlockRows, type LaunchState } from './multiply.js';

/** Block rows over shared memory, and what the team holds of them. */
interface TeamRows {
  readonly rows: BlockRows;
  readonly graph: TaskGraph;
}

/** What the workers hold of one launch. */
interface Binding {
  readonly parts: TeamRows;
  readonly shared: Shared<LaunchState>;
}

const listsOf = ({ keep: _, ...lists }: BlockRows): ArrayBufferView[] => Object.values(lists);
const bytesOfLists = (rows: BlockRows): number => listsOf(rows).reduce((sum, { byteLength }) => sum + byteLength, 0);

function inSharedMemory(rows: BlockRows): BlockRows {
  const transposed = new Uint8Array(new SharedArrayBuffer(rows.transposed.length));
  transposed.set(rows.transposed);
  return {
    keep: rows.keep,
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
export class CpuDevice implements Device {
  readonly name = 'cpu';
  readonly description: string;
  readonly precisions = PRECISIONS;
  readonly #team: Team;
  readonly #ledger: Ledger<FloatArray>;
  readonly #bindings = new Set<Binding>();
  #closed = false;

  /** `because`: why it stands for another device, which the description then says. */
  constructor(team: Team, limit: number, because?: string) {
    const { workers, blas } = team;
    this.#team = team;
    this.description =
      `cpu: ${workers} worker${workers === 1 ? '' : 's'}, ${blas.description}` +
      (because === undefined ? '' : `; taken because ${because}`);
    this.#ledger = new Ledger({
      name: 'cpu',
      precisions: PRECISIONS,
      limit,
      bufferLimit: limit,
      free: (array) => {
        this.#letGo(({ shared: { state } }) => state.values === array || state.vectors === array);
      },
    });
  }

  get counters(): DeviceCounters {
    return this.#ledger.counters;
  }

  get memory(): DeviceMemory {
    return this.#ledger.memory;
  }

  async allocate(length: number, precision: Precision): Promise<DeviceBuffer> {
    this.#requireOpen();
    this.#ledger.requireRoom(length, precision);
    return this.#ledger.buffer(inLargePages(sharedFloats(length, precision)), length, precision);
  }

  async upload(values: FloatArray): Promise<DeviceBuffer> {
    requireFloats(values);
    const buffer = await this.allocate(values.length, precisionOf(values));
    this.write(buffer, values);
    return buffer;
  }

  write(buffer: DeviceBuffer, values: FloatArray, at = 0): void {
    this.#requireOpen();
    this.#ledger.handleFor(buffer, values, at).set(values, at);
    this.#ledger.sent(values.byteLength);
  }

  async read(buffer: DeviceBuffer, into: FloatArray, at = 0): Promise<void> {
    this.#requireOpen();
    into.set(this.#ledger.handleFor(buffer, into, at).subarray(at, at + into.length));
    this.#ledger.fetched(into.byteLength);
  }

  async prepare(rows: BlockRows): Promise<PreparedRows> {
    this.#requireOpen();
    const reach = checkBlockRows(rows);
    const vectorFlops = flopsOfVector(rows);
    const bytes = bytesOfLists(rows);
    this.#ledger.requireBytes(bytes, 'The lists of block rows');
    this.#ledger.sent(bytes);
    const count = rows.first.length;
    return this.#ledger.rows<TeamRows>({
      reach,
      bytes,
      parts: { rows: inSharedMemory(rows), graph: independentTasks(count) },
      cost: (width) => {
        const flops = vectorFlops * width;
        return { launches: Math.min(1, count), flops, padded: flops };
      },
      free: (parts) => {
        this.#letGo((binding) => binding.parts === parts);
      },
    });
  }

  multiply(prepared: PreparedRows, operands: LaunchOperands, width: number): void {
    this.#requireOpen();
    const { parts, values, vectors } = this.#ledger.launch<TeamRows>(prepared, operands, width);
    if (parts.graph.count === 0) return;
    this.#team.runSync(multiplyBlockRows, this.#bind(parts, values, vectors), parts.graph, { width });
    this.#ledger.launched(prepared.cost(width));
  }

  async finish(): Promise<void> {
    this.#requireOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ledger.close();
    this.#letGo(() => true);
  }

  /** What the workers hold of a launch: the last one's of its block rows, or a new one. */
  #bind(parts: TeamRows, values: FloatArray, vectors: FloatArray): Shared<LaunchState> {
    const known = [...this.#bindings].find((binding) => binding.parts === parts);
    if (known !== undefined) {
      const { state } = known.shared;
      if (state.values === values && state.vectors === vectors) return known.shared;
      this.#letGo((binding) => binding === known);
    }
    const shared = this.#team.shareNow({ rows: parts.rows, values, vectors });
    this.#bindings.add({ parts, shared });
    return shared;
  }

  #letGo(which: (binding: Binding) => boolean): void {
    for (const binding of this.#bindings) {
      if (!which(binding)) continue;
      this.#bindings.delete(binding);
      this.#team.release(binding.shared);
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw new DeviceError('The device cpu is closed: open it again.', { device: 'cpu' });
  }
}
