/**
 * Ranks that are threads of one process: the operations as messages, directly from each rank to each that needs them.
 * For tests without MPI and for counting what a program communicates: few ranks, one memory. Reductions are made in the
 * order of ranks.
 */
import type { CommunicatedArray, Communicator, Reduction, Request } from '../communicator.js';
import { CheckedCommunicator } from '../checked.js';
import { copy, partOf, type Parts, type Transport } from '../transport.js';
import { Messages } from './messages.js';
import { SharedWorld, type ThreadWorld } from './world.js';

/** The tag of messages that collective operations consist of. */
const INNER_TAG = 0;

/** What a rank has in common with its communicators. */
interface Membership {
  readonly messages: Messages;
  /** Ranks of the world, in the order of the communicator's. */
  readonly members: readonly number[];
  readonly context: number;
}

class ThreadTransport implements Transport {
  readonly rank: number;
  readonly size: number;
  readonly description: string;
  readonly #messages: Messages;
  readonly #members: readonly number[];
  readonly #context: number;
  readonly #pending = new Set<Request>();

  constructor({ messages, members, context }: Membership) {
    this.#messages = messages;
    this.#members = members;
    this.#context = context;
    this.rank = members.indexOf(messages.world.rank);
    this.size = members.length;
    this.description = `${this.size} rank${this.size === 1 ? '' : 's'} that are threads of one process`;
  }

  get pending(): number {
    return this.#pending.size;
  }

  barrier(): void {
    this.allreduce(new Uint8Array(0), 'max');
  }

  broadcast(data: CommunicatedArray, root: number): void {
    if (this.rank === root) this.#all(this.#others().map((r) => this.#innerSend(data, r))).wait();
    else this.#innerReceive(data, root).wait();
  }

  allreduce(data: CommunicatedArray, operation: Reduction): void {
    this.startAllreduce(data, operation).wait();
  }

  allgather(own: CommunicatedArray | undefined, all: Parts): void {
    if (own !== undefined) copy(partOf(all, this.rank), own);
    const mine = partOf(all, this.rank);
    const others = this.#others();
    const receives = others.map((r) => this.#innerReceive(partOf(all, r), r));
    this.#all([...receives, ...others.map((r) => this.#innerSend(mine, r))]).wait();
  }

  gather(own: CommunicatedArray | undefined, all: Parts, root: number): void {
    if (this.rank !== root) {
      this.#innerSend(own!, root).wait();
      return;
    }
    if (own !== undefined) copy(partOf(all, root), own);
    this.#all(this.#others().map((r) => this.#innerReceive(partOf(all, r), r))).wait();
  }

  send(data: CommunicatedArray, to: number, tag: number): void {
    this.startSend(data, to, tag).wait();
  }

  receive(data: CommunicatedArray, from: number, tag: number): void {
    this.startReceive(data, from, tag).wait();
  }

  startSend(data: CommunicatedArray, to: number, tag: number): Request {
    return this.#all([this.#messages.send(data, this.#members[to], { context: 2 * this.#context, tag })]);
  }

  startReceive(data: CommunicatedArray, from: number, tag: number): Request {
    return this.#all([this.#messages.receive(data, this.#members[from], { context: 2 * this.#context, tag })]);
  }

  startAllreduce(data: CommunicatedArray, operation: Reduction): Request {
    const others = this.#others();
    const own = data.slice();
    const parts = this.#members.map((_, r) => (r === this.rank ? own : data.slice()));
    const receives = others.map((r) => this.#innerReceive(parts[r], r));
    return this.#all([...receives, ...others.map((r) => this.#innerSend(own, r))], () => {
      copy(data, parts[0]);
      for (const part of parts.slice(1)) reduce(data, part, operation);
    });
  }

  startAlltoall(send: Parts, receive: Parts): Request {
    const others = this.#others();
    copy(partOf(receive, this.rank), partOf(send, this.rank));
    const receives = others.filter((r) => receive.counts[r] > 0).map((r) => this.#innerReceive(partOf(receive, r), r));
    const sends = others.filter((r) => send.counts[r] > 0).map((r) => this.#innerSend(partOf(send, r), r));
    return this.#all([...receives, ...sends]);
  }

  split(color: number | undefined, key: number): Transport | undefined {
    // No color is −1: colors are whole numbers ≥ 0.
    const pairs = new Int32Array(2 * this.size);
    pairs.set([color ?? -1, key], 2 * this.rank);
    this.allgather(undefined, {
      data: pairs,
      counts: this.#members.map(() => 2),
      offsets: Float64Array.from({ length: this.size + 1 }, (_, r) => 2 * r),
    });
    const context = Int32Array.of(this.rank === 0 ? this.#messages.world.nextContext() : 0);
    this.broadcast(context, 0);
    if (color === undefined) return undefined;
    const members = this.#members
      .map((member, r) => ({ member, r, color: pairs[2 * r], key: pairs[2 * r + 1] }))
      .filter((one) => one.color === color)
      .sort((a, b) => a.key - b.key || a.r - b.r)
      .map(({ member }) => member);
    // Communicators of other colors have the same number, and no member in common.
    return new ThreadTransport({ messages: this.#messages, members, context: context[0] });
  }

  abort(status: number): never {
    this.#messages.world.fail(this.#messages.world.rank);
    return process.exit(status);
  }

  close(): void {
    if (this.#context > 0) return;
    this.#messages.flush();
    this.#messages.world.end();
  }

  /** All ranks but this one, the next one first. */
  #others(): number[] {
    return Array.from({ length: this.size - 1 }, (_, k) => (this.rank + 1 + k) % this.size);
  }

  #innerSend(data: CommunicatedArray, to: number): Request {
    return this.#messages.send(data, this.#members[to], { context: 2 * this.#context + 1, tag: INNER_TAG });
  }

  #innerReceive(data: CommunicatedArray, from: number): Request {
    return this.#messages.receive(data, this.#members[from], { context: 2 * this.#context + 1, tag: INNER_TAG });
  }

  /** One request for several, with what is to be done once they are. */
  #all(requests: readonly Request[], finish: () => void = () => undefined): Request {
    let done = false;
    const end = (): void => {
      if (done) return;
      done = true;
      this.#pending.delete(request);
      finish();
    };
    const request: Request = {
      done: () => {
        if (!done && requests.map((one) => one.done()).every(Boolean)) end();
        return done;
      },
      wait: () => {
        for (const one of requests) one.wait();
        end();
      },
    };
    this.#pending.add(request);
    return request;
  }
}

/** data ← data (operation) part, element by element. */
function reduce(data: CommunicatedArray, part: CommunicatedArray, operation: Reduction): void {
  // Arrays of BigInt go the same way: what differs is the type of the elements.
  const [a, b] = [data as Float64Array, part as Float64Array];
  for (let k = 0; k < a.length; k++) {
    if (operation === 'sum') a[k] += b[k];
    else if (operation === 'max' ? b[k] > a[k] : b[k] < a[k]) a[k] = b[k];
  }
}

/**
 * The communicator of rank `rank` of a world: to be made once by each thread that is a rank. A thread that ends without
 * `close`, or fails, is noticed by the others, which get a CommunicationError as soon as they would wait for it.
 */
export function threadCommunicator(memory: ThreadWorld, rank: number): Communicator {
  const world = new SharedWorld(memory, rank);
  process.on('exit', (code) => {
    if (code === 0) world.end();
    else world.fail(rank);
  });
  const members = Array.from({ length: memory.size }, (_, r) => r);
  return new CheckedCommunicator(new ThreadTransport({ messages: new Messages(world), members, context: 0 }));
}
