/**
 * A communicator that counts what it communicates, by phases that the program names.
 */
import type { CommunicatedArray, Communicator, Counts, Reduction, Request } from './communicator.js';

/** The operations that are counted; one that is started counts as the one that waits. */
export type CountedOperation =
  'barrier' | 'broadcast' | 'allreduce' | 'allgather' | 'gather' | 'alltoall' | 'send' | 'receive';

/** What one rank has communicated by one operation in one phase. */
export interface Traffic {
  calls: number;
  /** Messages that this rank sends. */
  messages: number;
  /** Bytes that this rank sends, and gets. */
  sentBytes: number;
  receivedBytes: number;
}

/** What one rank has communicated: of each phase that communicated, of each operation that it called. */
export type TrafficByPhase = Readonly<Record<string, Readonly<Partial<Record<CountedOperation, Readonly<Traffic>>>>>>;

/** A communicator that counts. */
export interface RecordedCommunicator extends Communicator {
  /** What comes from here on counts for the phase of that name, which may come again. */
  phase(name: string): void;
  /** What has been communicated so far; numbers are those of this rank. */
  readonly traffic: TrafficByPhase;
}

/** The phase before the first one that is named. */
const FIRST_PHASE = 'start';

const sum = (counts: Counts): number => Array.from(counts).reduce((total, count) => total + count, 0);

/**
 * `communicator`, with its operations counted: messages and bytes as the least that an operation takes with the usual
 * algorithms (Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH, IJHPCA 2005),
 * for P ranks and n bytes. Messages to others and alltoall, which consists of them, are exact; a broadcast counts
 * ⌈log₂ P⌉ messages, and n bytes sent by the root and got by the others; allreduce 2⌈log₂ P⌉ messages and 2n(P−1)/P
 * bytes each way; allgather ⌈log₂ P⌉ messages, what this rank lacks got and as much sent. One rank alone communicates
 * nothing. Communicators that `split` makes count for the same phases.
 */
export const recorded = (communicator: Communicator): RecordedCommunicator =>
  new Recorder(communicator, { phase: FIRST_PHASE, traffic: {} });

/** What a communicator shares with those split from it. */
interface Records {
  phase: string;
  readonly traffic: Record<string, Partial<Record<CountedOperation, Traffic>>>;
}

class Recorder implements RecordedCommunicator {
  readonly rank: number;
  readonly size: number;
  readonly description: string;
  readonly #inner: Communicator;
  readonly #records: Records;
  /** ⌈log₂ P⌉ */
  readonly #rounds: number;

  constructor(inner: Communicator, records: Records) {
    this.#inner = inner;
    this.#records = records;
    this.rank = inner.rank;
    this.size = inner.size;
    this.description = inner.description;
    this.#rounds = Math.ceil(Math.log2(inner.size));
  }

  phase(name: string): void {
    this.#records.phase = name;
  }

  get traffic(): TrafficByPhase {
    return this.#records.traffic;
  }

  barrier(): void {
    this.#inner.barrier();
    this.#count('barrier', this.#rounds, 0, 0);
  }

  broadcast(data: CommunicatedArray, root: number): void {
    this.#inner.broadcast(data, root);
    const isRoot = this.rank === root;
    const bytes = this.size > 1 ? data.byteLength : 0;
    this.#count('broadcast', this.#rounds, isRoot ? bytes : 0, isRoot ? 0 : bytes);
  }

  allreduce(data: CommunicatedArray, operation: Reduction): void {
    this.#inner.allreduce(data, operation);
    this.#countAllreduce(data);
  }

  allgather(own: CommunicatedArray | undefined, all: CommunicatedArray, counts: Counts): void {
    this.#inner.allgather(own, all, counts);
    const lacking = all.byteLength - counts[this.rank] * all.BYTES_PER_ELEMENT;
    this.#count('allgather', this.#rounds, lacking, lacking);
  }

  gather(own: CommunicatedArray | undefined, all: CommunicatedArray | undefined, counts: Counts, root: number): void {
    this.#inner.gather(own, all, counts, root);
    if (this.rank === root) {
      const { byteLength, BYTES_PER_ELEMENT } = all!;
      this.#count('gather', 0, 0, byteLength - counts[root] * BYTES_PER_ELEMENT);
    } else this.#count('gather', 1, own!.byteLength, 0);
  }

  alltoall(send: CommunicatedArray, sendCounts: Counts, receive: CommunicatedArray, receiveCounts: Counts): void {
    this.#inner.alltoall(send, sendCounts, receive, receiveCounts);
    this.#countAlltoall(send, sendCounts, receiveCounts);
  }

  send(data: CommunicatedArray, to: number, tag: number): void {
    this.#inner.send(data, to, tag);
    this.#countMessage('send', data, to);
  }

  receive(data: CommunicatedArray, from: number, tag: number): void {
    this.#inner.receive(data, from, tag);
    this.#countMessage('receive', data, from);
  }

  startSend(data: CommunicatedArray, to: number, tag: number): Request {
    const request = this.#inner.startSend(data, to, tag);
    this.#countMessage('send', data, to);
    return request;
  }

  startReceive(data: CommunicatedArray, from: number, tag: number): Request {
    const request = this.#inner.startReceive(data, from, tag);
    this.#countMessage('receive', data, from);
    return request;
  }

  startAllreduce(data: CommunicatedArray, operation: Reduction): Request {
    const request = this.#inner.startAllreduce(data, operation);
    this.#countAllreduce(data);
    return request;
  }

  startAlltoall(
    send: CommunicatedArray,
    sendCounts: Counts,
    receive: CommunicatedArray,
    receiveCounts: Counts,
  ): Request {
    const request = this.#inner.startAlltoall(send, sendCounts, receive, receiveCounts);
    this.#countAlltoall(send, sendCounts, receiveCounts);
    return request;
  }

  split(color: number | undefined, key: number): RecordedCommunicator | undefined {
    const part = this.#inner.split(color, key);
    return part === undefined ? undefined : new Recorder(part, this.#records);
  }

  abort(status: number): never {
    return this.#inner.abort(status);
  }

  close(): void {
    this.#inner.close();
  }

  #count(operation: CountedOperation, messages: number, sentBytes: number, receivedBytes: number): void {
    const { phase, traffic } = this.#records;
    const operations = (traffic[phase] ??= {});
    const counted = (operations[operation] ??= { calls: 0, messages: 0, sentBytes: 0, receivedBytes: 0 });
    counted.calls++;
    counted.messages += messages;
    counted.sentBytes += sentBytes;
    counted.receivedBytes += receivedBytes;
  }

  #countMessage(operation: 'send' | 'receive', data: CommunicatedArray, other: number): void {
    const bytes = other === this.rank ? 0 : data.byteLength;
    const isSent = operation === 'send';
    this.#count(operation, isSent && other !== this.rank ? 1 : 0, isSent ? bytes : 0, isSent ? 0 : bytes);
  }

  #countAllreduce(data: CommunicatedArray): void {
    const bytes = (2 * data.byteLength * (this.size - 1)) / this.size;
    this.#count('allreduce', 2 * this.#rounds, bytes, bytes);
  }

  #countAlltoall({ BYTES_PER_ELEMENT: bytes }: CommunicatedArray, sendCounts: Counts, receiveCounts: Counts): void {
    const messages = Array.from(sendCounts).filter((count, r) => r !== this.rank && count > 0).length;
    const own = sendCounts[this.rank];
    this.#count('alltoall', messages, bytes * (sum(sendCounts) - own), bytes * (sum(receiveCounts) - own));
  }
}
