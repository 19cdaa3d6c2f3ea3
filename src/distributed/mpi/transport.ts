/**
 * The operations over MPI: arrays are handed to it by their addresses, shared memory included, and nothing is copied.
 *
 * Counts of MPI's functions are 32-bit integers: longer arrays go in pieces. alltoall is made of messages between the
 * pairs of ranks that have something for each other, on a communicator of its own, so that no message of the caller's
 * is mistaken for one: displacements have no limit then, ranks without elements cost nothing, and every count is
 * checked. (MPI_Alltoallv does the same within libraries, with messages to all.)
 */
import { arrayAddress } from '../../native/koffi.js';
import type { CommunicatedArray, Reduction, Request } from '../communicator.js';
import { copy, partOf, type Parts, type Transport } from '../transport.js';
import { abortAll } from './ending.js';
import { MpiRequest } from './request.js';
import { UNDEFINED } from './library.js';
import { inPieces, type MpiSession } from './session.js';

/** The tag of messages that operations send on the inner communicator. */
const INNER_TAG = 0;

/** A communicator of MPI. */
export class MpiTransport implements Transport {
  readonly rank: number;
  readonly size: number;
  readonly description: string;
  readonly #session: MpiSession;
  readonly #handle: number;
  /** The same ranks, for the messages that collective operations consist of. */
  readonly #inner: number;
  /** Counts and displacements, as 32-bit integers. */
  readonly #counts: Int32Array;
  readonly #countsAt: number;
  readonly #status: Int32Array;
  readonly #statusAt: number;
  readonly #end: () => void;

  /** Collective over the ranks of `handle`. `end` is called by `close`, after what is this transport's own is freed. */
  constructor(session: MpiSession, handle: number, end: () => void) {
    this.#session = session;
    this.#handle = handle;
    this.#inner = session.handle('MPI_Comm_dup', handle);
    this.#end = end;
    this.rank = session.integer('MPI_Comm_rank', handle);
    this.size = session.integer('MPI_Comm_size', handle);
    this.description = `${session.library.description}, ${this.size} rank${this.size === 1 ? '' : 's'}`;
    this.#counts = new Int32Array(2 * this.size);
    this.#countsAt = arrayAddress(this.#counts);
    this.#status = new Int32Array(session.library.interface.statusBytes / 4);
    this.#statusAt = arrayAddress(this.#status);
  }

  get pending(): number {
    let count = 0;
    for (const { owner } of this.#session.pending) if (owner === this) count++;
    return count;
  }

  barrier(): void {
    this.#session.call('MPI_Barrier', this.#handle);
  }

  broadcast(data: CommunicatedArray, root: number): void {
    this.#pieces(data, (at, elements, type) => {
      this.#session.call('MPI_Bcast', at, elements, type, root, this.#handle);
    });
  }

  allreduce(data: CommunicatedArray, operation: Reduction): void {
    const session = this.#session;
    const { inPlace } = session.library.interface;
    const reduction = session.handles.reductions[operation];
    this.#pieces(data, (at, elements, type) => {
      session.call('MPI_Allreduce', inPlace, at, elements, type, reduction, this.#handle);
    });
  }

  allgather(own: CommunicatedArray | undefined, all: Parts): void {
    const session = this.#session;
    if (all.data.length > session.largestCount) {
      // Displacements end where counts do: each rank's part is broadcast, twice the bytes in the libraries' algorithms.
      if (own !== undefined) copy(partOf(all, this.rank), own);
      for (let r = 0; r < this.size; r++) if (all.counts[r] > 0) this.broadcast(partOf(all, r), r);
      return;
    }
    const type = session.typeHandle(all.data);
    const [from, elements] =
      own === undefined ? [session.library.interface.inPlace, 0] : [arrayAddress(own), own.length];
    const countsAt = this.#writeCounts(all);
    const displacementsAt = countsAt + 4 * this.size;
    const to = arrayAddress(all.data);
    session.call('MPI_Allgatherv', from, elements, type, to, countsAt, displacementsAt, type, this.#handle);
  }

  gather(own: CommunicatedArray | undefined, all: Parts, root: number): void {
    const session = this.#session;
    const isRoot = this.rank === root;
    if (all.offsets[this.size] > session.largestCount) {
      if (!isRoot) this.#startSend(own!, root, INNER_TAG, this.#inner).wait();
      else {
        if (own !== undefined) copy(partOf(all, root), own);
        for (let r = 0; r < this.size; r++)
          if (r !== root) this.#startReceive(partOf(all, r), r, INNER_TAG, this.#inner).wait();
      }
      return;
    }
    const type = session.typeHandle(all.data);
    const [from, elements] =
      own === undefined ? [session.library.interface.inPlace, 0] : [arrayAddress(own), own.length];
    const countsAt = this.#writeCounts(all);
    const to = isRoot ? arrayAddress(all.data) : 0;
    const receiving = [to, countsAt, countsAt + 4 * this.size, type];
    session.call('MPI_Gatherv', from, elements, type, ...receiving, root, this.#handle);
  }

  send(data: CommunicatedArray, to: number, tag: number): void {
    this.#pieces(data, (at, elements, type) => {
      this.#session.call('MPI_Send', at, elements, type, to, tag, this.#handle);
    });
  }

  receive(data: CommunicatedArray, from: number, tag: number): void {
    this.#pieces(data, (at, elements, type) => {
      this.#session.call('MPI_Recv', at, elements, type, from, tag, this.#handle, this.#statusAt);
      this.#session.requireCount(this.#statusAt, data, elements, from, tag);
    });
  }

  startSend(data: CommunicatedArray, to: number, tag: number): Request {
    return this.#startSend(data, to, tag, this.#handle);
  }

  startReceive(data: CommunicatedArray, from: number, tag: number): Request {
    return this.#startReceive(data, from, tag, this.#handle);
  }

  startAllreduce(data: CommunicatedArray, operation: Reduction): Request {
    const session = this.#session;
    const { inPlace } = session.library.interface;
    const reduction = session.handles.reductions[operation];
    const request = this.#request(this.#piecesOf(data.length), [data]);
    this.#pieces(data, (at, elements, type) => {
      session.call('MPI_Iallreduce', inPlace, at, elements, type, reduction, this.#handle, request.next());
    });
    return request;
  }

  startAlltoall(send: Parts, receive: Parts): Request {
    let pieces = 0;
    for (let r = 0; r < this.size; r++)
      if (r !== this.rank) pieces += this.#piecesOf(send.counts[r]) + this.#piecesOf(receive.counts[r]);
    const request = this.#request(pieces, [send.data, receive.data]);
    // Each rank begins with the one after it: not all at once with rank 0. What is received is waited for first.
    for (let k = 1; k < this.size; k++) {
      const from = (this.rank + this.size - k) % this.size;
      if (receive.counts[from] > 0) this.#addReceive(request, partOf(receive, from), from, INNER_TAG, this.#inner);
    }
    for (let k = 1; k < this.size; k++) {
      const to = (this.rank + k) % this.size;
      if (send.counts[to] > 0) this.#addSend(request, partOf(send, to), to, INNER_TAG, this.#inner);
    }
    copy(partOf(receive, this.rank), partOf(send, this.rank));
    return request;
  }

  split(color: number | undefined, key: number): Transport | undefined {
    const handle = this.#session.handle('MPI_Comm_split', this.#handle, color ?? UNDEFINED, key);
    if (color === undefined) return undefined;
    return new MpiTransport(this.#session, handle, () => {
      this.#session.release('MPI_Comm_free', handle);
    });
  }

  abort(status: number): never {
    abortAll(this.#session, status);
    return process.exit(status);
  }

  close(): void {
    this.#session.release('MPI_Comm_free', this.#inner);
    this.#end();
  }

  #startSend(data: CommunicatedArray, to: number, tag: number, handle: number): Request {
    const request = this.#request(this.#piecesOf(data.length), [data]);
    this.#addSend(request, data, to, tag, handle);
    return request;
  }

  #startReceive(data: CommunicatedArray, from: number, tag: number, handle: number): Request {
    const request = this.#request(this.#piecesOf(data.length), [data]);
    this.#addReceive(request, data, from, tag, handle);
    return request;
  }

  #addSend(request: MpiRequest, data: CommunicatedArray, to: number, tag: number, handle: number): void {
    this.#pieces(data, (at, elements, type) => {
      this.#session.call('MPI_Isend', at, elements, type, to, tag, handle, request.next());
    });
  }

  #addReceive(request: MpiRequest, data: CommunicatedArray, from: number, tag: number, handle: number): void {
    this.#pieces(data, (at, elements, type) => {
      const place = request.nextReceive(data, elements, from, tag);
      this.#session.call('MPI_Irecv', at, elements, type, from, tag, handle, place);
    });
  }

  #request(pieces: number, arrays: readonly CommunicatedArray[]): MpiRequest {
    return new MpiRequest(this.#session, this, pieces, arrays);
  }

  #piecesOf(count: number): number {
    return Math.max(1, Math.ceil(count / this.#session.largestCount));
  }

  /** Calls `act` for each piece: its address, its elements and their type. */
  #pieces(data: CommunicatedArray, act: (at: number, elements: number, type: number) => void): void {
    const at = arrayAddress(data);
    const type = this.#session.typeHandle(data);
    inPieces(data.length, this.#session.largestCount, (first, elements) => {
      act(at + first * data.BYTES_PER_ELEMENT, elements, type);
    });
  }

  /** The address of counts, after which the displacements follow. */
  #writeCounts({ counts, offsets }: Parts): number {
    for (let r = 0; r < this.size; r++) {
      this.#counts[r] = counts[r];
      this.#counts[this.size + r] = offsets[r];
    }
    return this.#countsAt;
  }
}
