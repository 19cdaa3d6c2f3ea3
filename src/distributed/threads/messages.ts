/**
 * Messages between ranks that are threads: each is a header and its bytes on the channel from its sender to its
 * receiver. Whoever waits moves what can be moved: its own messages into channels, and what has come out of them, into
 * the array that waits for it or, if none does yet, into memory of its own.
 */
import { CommunicationError } from '../../core/errors.js';
import type { CommunicatedArray, Request } from '../communicator.js';
import type { SharedWorld } from './world.js';

/** What tells messages from one rank apart. */
export interface Envelope {
  /** Which communicator's they are, and whether the caller's or those of collective operations. */
  readonly context: number;
  readonly tag: number;
}

/** context, tag, type, unused; length in bytes. */
const HEADER_BYTES = 24;

const TYPES = ['Float64Array', 'Float32Array', 'Int32Array', 'Uint32Array', 'Uint8Array', 'BigInt64Array'];

const bytesOf = ({ buffer, byteOffset, byteLength }: CommunicatedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Bytes on their way into a channel. */
interface Outgoing {
  readonly bytes: Uint8Array;
  moved: number;
  readonly sent: Operation | undefined;
}

/** A message that has come, or comes; `receiver` where an array waits for it. */
interface Incoming extends Envelope {
  readonly type: number;
  readonly bytes: Uint8Array;
  moved: number;
  receiver: Receive | undefined;
}

/** An operation with rank `peer` that is under way. */
interface Operation {
  readonly peer: number;
  done: boolean;
  error?: CommunicationError;
}

interface Receive extends Operation, Envelope {
  readonly data: CommunicatedArray;
}

const matches = (a: Envelope, b: Envelope): boolean => a.context === b.context && a.tag === b.tag;

/** The messages of one rank. */
export class Messages {
  readonly world: SharedWorld;
  readonly #outgoing: Outgoing[][];
  readonly #header: { readonly bytes: Uint8Array; moved: number }[];
  /** Whose bytes come next on a channel, while they do. */
  readonly #coming: (Incoming | undefined)[];
  /** Messages from each rank that no array has waited for yet, in the order in which they came. */
  readonly #unclaimed: Incoming[][];
  /** Arrays that wait for a message from each rank, in the order in which they began to. */
  readonly #waiting: Receive[][];

  constructor(world: SharedWorld) {
    const perRank = <T>(make: () => T): T[] => Array.from({ length: world.size }, make);
    this.world = world;
    this.#outgoing = perRank(() => []);
    this.#header = perRank(() => ({ bytes: new Uint8Array(HEADER_BYTES), moved: 0 }));
    this.#coming = perRank(() => undefined);
    this.#unclaimed = perRank(() => []);
    this.#waiting = perRank(() => []);
  }

  /** Sends `data`, which must not change before the request is done, to rank `to` of the world. */
  send(data: CommunicatedArray, to: number, { context, tag }: Envelope): Request {
    const sent: Operation = { peer: to, done: false };
    const header = new Uint8Array(HEADER_BYTES);
    new Int32Array(header.buffer, 0, 3).set([context, tag, TYPES.indexOf(data.constructor.name)]);
    new Float64Array(header.buffer, 16, 1)[0] = data.byteLength;
    this.#outgoing[to].push({ bytes: header, moved: 0, sent: undefined }, { bytes: bytesOf(data), moved: 0, sent });
    this.#move();
    return this.#request(sent);
  }

  /** Receives a message from rank `from` of the world into `data`. */
  receive(data: CommunicatedArray, from: number, { context, tag }: Envelope): Request {
    const receive: Receive = { peer: from, done: false, data, context, tag };
    const unclaimed = this.#unclaimed[from];
    const at = unclaimed.findIndex((message) => matches(message, receive));
    if (at < 0) this.#waiting[from].push(receive);
    else {
      const [message] = unclaimed.splice(at, 1);
      message.receiver = receive;
      if (message.moved === message.bytes.length) deliver(message, receive);
    }
    this.#move();
    return this.#request(receive);
  }

  /** Returns when all that was sent is on its way. */
  flush(): void {
    this.#outgoing.forEach((queue, peer) => {
      this.#wait(peer, () => queue.length === 0);
    });
  }

  #request(operation: Operation): Request {
    const finished = (): boolean => {
      if (operation.error !== undefined) throw operation.error;
      return operation.done;
    };
    return {
      done: () => {
        if (finished()) return true;
        this.#move();
        if (finished()) return true;
        this.world.requireNoFailure();
        return false;
      },
      wait: () => {
        this.#wait(operation.peer, finished);
      },
    };
  }

  /** Moves bytes until `finished`. Throws CommunicationError where a rank fails, or the one waited for has ended. */
  #wait(peer: number, finished: () => boolean): void {
    while (!finished()) {
      const { bell } = this.world;
      const ended = this.world.hasEnded(peer);
      const moved = this.#move();
      if (finished()) return;
      this.world.requireNoFailure();
      if (moved) continue;
      if (ended)
        throw new CommunicationError(
          `Rank ${this.world.rank} of ${this.world.size} waits for rank ${peer}, which has ended: all ranks must ` +
            'call the same operations before they close.',
          { rank: this.world.rank, size: this.world.size, other: peer },
        );
      this.world.sleep(bell);
    }
  }

  /** Moves what can be moved without waiting; whether anything was. */
  #move(): boolean {
    let moved = false;
    for (let r = 0; r < this.world.size; r++) {
      if (this.#moveOut(r)) moved = true;
      if (this.#moveIn(r)) moved = true;
    }
    return moved;
  }

  #moveOut(to: number): boolean {
    const queue = this.#outgoing[to];
    let moved = false;
    while (queue.length > 0) {
      const [first] = queue;
      const count = this.world.put(to, first.bytes.subarray(first.moved));
      first.moved += count;
      if (count > 0) moved = true;
      if (first.moved < first.bytes.length) break;
      if (first.sent !== undefined) first.sent.done = true;
      queue.shift();
      moved = true;
    }
    return moved;
  }

  #moveIn(from: number): boolean {
    let moved = false;
    for (;;) {
      const message = this.#coming[from];
      const part = message ?? this.#header[from];
      const count = this.world.take(from, part.bytes.subarray(part.moved));
      part.moved += count;
      if (count > 0) moved = true;
      if (part.moved < part.bytes.length) return moved;
      if (message === undefined) this.#begin(from);
      else {
        this.#coming[from] = undefined;
        if (message.receiver !== undefined) deliver(message, message.receiver);
      }
    }
  }

  /** A header has come: finds the array that its message is for. */
  #begin(from: number): void {
    const header = this.#header[from];
    header.moved = 0;
    const [context, tag, type] = new Int32Array(header.bytes.buffer, 0, 3);
    const bytes = new Uint8Array(new Float64Array(header.bytes.buffer, 16, 1)[0]);
    const message: Incoming = { context, tag, type, bytes, moved: 0, receiver: undefined };
    const waiting = this.#waiting[from];
    const at = waiting.findIndex((receive) => matches(receive, message));
    if (at < 0) this.#unclaimed[from].push(message);
    else [message.receiver] = waiting.splice(at, 1);
    this.#coming[from] = message;
  }
}

/** A whole message to the array that waits for it, if it fits. */
function deliver(message: Incoming, receive: Receive): void {
  const { data, peer, tag } = receive;
  const type = TYPES.indexOf(data.constructor.name);
  if (type === message.type && data.byteLength === message.bytes.length) {
    bytesOf(data).set(message.bytes);
    receive.done = true;
    return;
  }
  receive.error = new CommunicationError(
    `The message from rank ${peer} with tag ${tag} is a ${TYPES[message.type]} of ${message.bytes.length} bytes; a ` +
      `${TYPES[type]} of ${data.byteLength} was to be received.`,
    { from: peer, tag, bytes: message.bytes.length, expected: data.byteLength },
  );
}
