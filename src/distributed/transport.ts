/**
 * What carries the arrays of a communicator: its operations without checks, which `CheckedCommunicator` makes.
 */
import type { CommunicatedArray, Counts, Reduction, Request } from './communicator.js';

/** Parts of an array one after another, one for each rank. */
export interface Parts {
  readonly data: CommunicatedArray;
  readonly counts: Counts;
  /** Where each rank's part begins; one more than there are ranks, the last is the end. */
  readonly offsets: Float64Array;
}

/** The operations of Communicator, whose arguments are checked. */
export interface Transport {
  readonly rank: number;
  readonly size: number;
  readonly description: string;
  /** Operations that were started and are not done. */
  readonly pending: number;
  barrier(): void;
  broadcast(data: CommunicatedArray, root: number): void;
  allreduce(data: CommunicatedArray, operation: Reduction): void;
  /** `own` undefined: in its place already. */
  allgather(own: CommunicatedArray | undefined, all: Parts): void;
  /** `all` has data at the root alone: elsewhere the data are `own`. */
  gather(own: CommunicatedArray | undefined, all: Parts, root: number): void;
  send(data: CommunicatedArray, to: number, tag: number): void;
  receive(data: CommunicatedArray, from: number, tag: number): void;
  startSend(data: CommunicatedArray, to: number, tag: number): Request;
  startReceive(data: CommunicatedArray, from: number, tag: number): Request;
  startAllreduce(data: CommunicatedArray, operation: Reduction): Request;
  startAlltoall(send: Parts, receive: Parts): Request;
  split(color: number | undefined, key: number): Transport | undefined;
  abort(status: number): never;
  close(): void;
}

/** A request of an operation that was done when it began. */
export const DONE: Request = { done: () => true, wait: () => undefined };

/** `target` ← `source`, arrays of one type and length. */
export const copy = (target: CommunicatedArray, source: CommunicatedArray): void => {
  (target as Float64Array).set(source as Float64Array);
};

/** Rank r's part, over the same memory. */
export const partOf = ({ data, offsets }: Parts, r: number): CommunicatedArray =>
  data.subarray(offsets[r], offsets[r + 1]);
