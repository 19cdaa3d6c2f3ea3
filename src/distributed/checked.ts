/**
 * The communicator over any transport: arguments are checked here, once for all of them.
 */
import { CommunicationError, OptionError, ShapeError } from '../core/errors.js';
import { requireName, requireWhole } from '../core/checks.js';
import { describe } from '../core/kind.js';
import type { CommunicatedArray, Communicator, Counts, Reduction, Request } from './communicator.js';
import type { Parts, Transport } from './transport.js';

const REDUCTIONS: readonly Reduction[] = ['sum', 'max', 'min'];
/** MPI promises tags up to here on every system. */
const LARGEST_TAG = 32767;
const LARGEST_INT = 2 ** 31 - 1;

const TYPES = [Float64Array, Float32Array, Int32Array, Uint32Array, Uint8Array, BigInt64Array];

/** Throws ShapeError unless `data` is an array that can be communicated. */
function requireArray(data: CommunicatedArray, name: string): void {
  if (TYPES.some((type) => data instanceof type)) return;
  throw new ShapeError(
    `${name} must be a Float64Array, Float32Array, Int32Array, Uint32Array, Uint8Array or BigInt64Array, not ` +
      `${describe(data)}.`,
    { array: name },
  );
}

function requireSameType(data: CommunicatedArray, other: CommunicatedArray, names: string): void {
  if (data.constructor === other.constructor) return;
  throw new ShapeError(`${names} must have the same type, not ${data.constructor.name} and ${other.constructor.name}.`);
}

function requireApart(data: CommunicatedArray, other: CommunicatedArray, names: string): void {
  const from = Math.max(data.byteOffset, other.byteOffset);
  const end = Math.min(data.byteOffset + data.byteLength, other.byteOffset + other.byteLength);
  if (data.buffer === other.buffer && from < end)
    throw new ShapeError(`${names} overlap: what is read and what is written must lie apart.`);
}

/** A communicator over a transport, which it closes. */
export class CheckedCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly description: string;
  readonly #transport: Transport;
  #closed = false;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.rank = transport.rank;
    this.size = transport.size;
    this.description = transport.description;
  }

  barrier(): void {
    this.#open().barrier();
  }

  broadcast(data: CommunicatedArray, root: number): void {
    requireArray(data, 'data');
    this.#requireRank(root, 'root');
    this.#open().broadcast(data, root);
  }

  allreduce(data: CommunicatedArray, operation: Reduction): void {
    requireArray(data, 'data');
    requireName(operation, 'operation', 'allreduce', REDUCTIONS);
    this.#open().allreduce(data, operation);
  }

  allgather(own: CommunicatedArray | undefined, all: CommunicatedArray, counts: Counts): void {
    const parts = this.#parts(all, counts, 'all');
    if (own !== undefined) this.#checkOwn(own, parts);
    this.#open().allgather(own, parts);
  }

  gather(own: CommunicatedArray | undefined, all: CommunicatedArray | undefined, counts: Counts, root: number): void {
    this.#requireRank(root, 'root');
    const isRoot = this.rank === root;
    if (isRoot && all === undefined) throw new ShapeError('gather needs all on the root: an array for all parts.');
    if (!isRoot && own === undefined) throw new ShapeError('gather needs own on every rank but the root.');
    const parts = isRoot ? this.#parts(all!, counts, 'all') : this.#offsets(own!, counts);
    if (own !== undefined) this.#checkOwn(own, parts, isRoot);
    this.#open().gather(own, parts, root);
  }

  alltoall(send: CommunicatedArray, sendCounts: Counts, receive: CommunicatedArray, receiveCounts: Counts): void {
    this.startAlltoall(send, sendCounts, receive, receiveCounts).wait();
  }

  send(data: CommunicatedArray, to: number, tag: number): void {
    this.#checkMessage(data, to, 'to', tag).send(data, to, tag);
  }

  receive(data: CommunicatedArray, from: number, tag: number): void {
    this.#checkMessage(data, from, 'from', tag).receive(data, from, tag);
  }

  startSend(data: CommunicatedArray, to: number, tag: number): Request {
    return this.#checkMessage(data, to, 'to', tag).startSend(data, to, tag);
  }

  startReceive(data: CommunicatedArray, from: number, tag: number): Request {
    return this.#checkMessage(data, from, 'from', tag).startReceive(data, from, tag);
  }

  startAllreduce(data: CommunicatedArray, operation: Reduction): Request {
    requireArray(data, 'data');
    requireName(operation, 'operation', 'startAllreduce', REDUCTIONS);
    return this.#open().startAllreduce(data, operation);
  }

  startAlltoall(
    send: CommunicatedArray,
    sendCounts: Counts,
    receive: CommunicatedArray,
    receiveCounts: Counts,
  ): Request {
    const sent = this.#parts(send, sendCounts, 'send');
    const received = this.#parts(receive, receiveCounts, 'receive');
    requireSameType(send, receive, 'send and receive');
    requireApart(send, receive, 'send and receive');
    const [mine, back] = [sendCounts[this.rank], receiveCounts[this.rank]];
    if (mine !== back)
      throw new ShapeError(
        `Rank ${this.rank} sends ${mine} elements to itself and receives ${back}: sendCounts and receiveCounts must ` +
          'agree there.',
        { rank: this.rank, sent: mine, received: back },
      );
    return this.#open().startAlltoall(sent, received);
  }

  split(color: number | undefined, key: number): Communicator | undefined {
    if (color !== undefined) requireWhole(color, 'color', 0, LARGEST_INT);
    requireWhole(key, 'key', -LARGEST_INT, LARGEST_INT);
    const transport = this.#open().split(color, key);
    return transport === undefined ? undefined : new CheckedCommunicator(transport);
  }

  abort(status: number): never {
    return this.#transport.abort(requireWhole(status, 'status', 1, 255));
  }

  close(): void {
    if (this.#closed) return;
    const { pending } = this.#transport;
    if (pending > 0)
      throw new CommunicationError(
        `Rank ${this.rank} of ${this.size} closes its communicator while ${pending} of the operations that it ` +
          'started are not done: wait for them first.',
        { rank: this.rank, size: this.size, pending },
      );
    this.#closed = true;
    this.#transport.close();
  }

  #open(): Transport {
    if (!this.#closed) return this.#transport;
    throw new CommunicationError('The communicator is closed: communicate before close.', {
      rank: this.rank,
      size: this.size,
    });
  }

  #requireRank(rank: number, name: string): void {
    requireWhole(rank, name, 0, this.size - 1);
  }

  #checkMessage(data: CommunicatedArray, other: number, name: string, tag: number): Transport {
    requireArray(data, 'data');
    this.#requireRank(other, name);
    requireWhole(tag, 'tag', 0, LARGEST_TAG);
    return this.#open();
  }

  #checkOwn(own: CommunicatedArray, { data, counts }: Parts, apart = true): void {
    requireArray(own, 'own');
    requireSameType(own, data, 'own and all');
    if (own.length !== counts[this.rank])
      throw new ShapeError(
        `own has ${own.length} elements, and counts has ${counts[this.rank]} for rank ${this.rank}.`,
        { rank: this.rank, length: own.length, count: counts[this.rank] },
      );
    if (apart) requireApart(own, data, 'own and all');
  }

  #offsets(data: CommunicatedArray, counts: Counts): Parts {
    if (counts.length !== this.size)
      throw new ShapeError(`There are ${counts.length} counts for ${this.size} ranks: give one for each rank.`, {
        counts: counts.length,
        size: this.size,
      });
    const offsets = new Float64Array(this.size + 1);
    for (let r = 0; r < this.size; r++) {
      const count = counts[r];
      if (!Number.isSafeInteger(count) || count < 0)
        throw new OptionError(`The count of rank ${r} must be a whole number ≥ 0, not ${describe(count)}.`, {
          rank: r,
          count,
        });
      offsets[r + 1] = offsets[r] + count;
    }
    return { data, counts, offsets };
  }

  /** The parts of an array that holds all of them. */
  #parts(data: CommunicatedArray, counts: Counts, name: string): Parts {
    requireArray(data, name);
    const parts = this.#offsets(data, counts);
    const total = parts.offsets[this.size];
    if (data.length !== total)
      throw new ShapeError(`${name} has ${data.length} elements, and its counts have ${total} together.`, {
        length: data.length,
        total,
      });
    return parts;
  }
}
