/**
 * One process alone: a communicator of size 1 that needs no library. Collective operations copy at the most.
 */
import { CommunicationError } from '../core/errors.js';
import type { CommunicatedArray, Communicator, Request } from './communicator.js';
import { CheckedCommunicator } from './checked.js';
import { DONE, copy, type Parts, type Transport } from './transport.js';

/** A message of this rank to itself, or the array that waits for one. */
interface Message {
  readonly tag: number;
  readonly data: CommunicatedArray;
  done: boolean;
}

const takeByTag = (queue: Message[], tag: number): Message | undefined => {
  const at = queue.findIndex((one) => one.tag === tag);
  return at < 0 ? undefined : queue.splice(at, 1)[0];
};

class SelfTransport implements Transport {
  readonly rank = 0;
  readonly size = 1;
  readonly description = 'one process';
  /** Copies of messages that nobody has received, and arrays that no message has come for; never both of one tag. */
  readonly #sent: Message[] = [];
  readonly #waiting: Message[] = [];

  get pending(): number {
    return this.#waiting.length;
  }

  barrier(): void {}
  broadcast(): void {}
  allreduce(): void {}

  allgather(own: CommunicatedArray | undefined, { data }: Parts): void {
    if (own !== undefined) copy(data, own);
  }

  gather(own: CommunicatedArray | undefined, all: Parts): void {
    this.allgather(own, all);
  }

  send(data: CommunicatedArray, _to: number, tag: number): void {
    const receiver = takeByTag(this.#waiting, tag);
    if (receiver === undefined) this.#sent.push({ tag, data: data.slice(), done: true });
    else deliver(data, receiver);
  }

  receive(data: CommunicatedArray, from: number, tag: number): void {
    this.startReceive(data, from, tag).wait();
  }

  startSend(data: CommunicatedArray, to: number, tag: number): Request {
    this.send(data, to, tag);
    return DONE;
  }

  startReceive(data: CommunicatedArray, _from: number, tag: number): Request {
    const receiver: Message = { tag, data, done: false };
    const sent = takeByTag(this.#sent, tag);
    if (sent === undefined) this.#waiting.push(receiver);
    else deliver(sent.data, receiver);
    return {
      done: () => receiver.done,
      wait: () => {
        if (receiver.done) return;
        this.#waiting.splice(this.#waiting.indexOf(receiver), 1);
        throw new CommunicationError(
          `One process alone waits for a message of its own with tag ${tag} that it has not sent: send first.`,
          { rank: 0, size: 1, tag },
        );
      },
    };
  }

  startAllreduce(): Request {
    return DONE;
  }

  startAlltoall(send: Parts, receive: Parts): Request {
    copy(receive.data, send.data);
    return DONE;
  }

  split(color: number | undefined): Transport | undefined {
    return color === undefined ? undefined : new SelfTransport();
  }

  abort(status: number): never {
    return process.exit(status);
  }

  close(): void {}
}

function deliver(data: CommunicatedArray, receiver: Message): void {
  if (data.length !== receiver.data.length || data.constructor !== receiver.data.constructor)
    throw new CommunicationError(
      `The message from rank 0 with tag ${receiver.tag} is a ${data.constructor.name} of ${data.length} elements; a ` +
        `${receiver.data.constructor.name} of ${receiver.data.length} was to be received.`,
      { rank: 0, size: 1, tag: receiver.tag, sent: data.length, expected: receiver.data.length },
    );
  copy(receiver.data, data);
  receiver.done = true;
}

/** A communicator of this process alone: rank 0 of 1. Nothing is opened and nothing can fail; `close` costs nothing. */
export const selfCommunicator = (): Communicator => new CheckedCommunicator(new SelfTransport());
