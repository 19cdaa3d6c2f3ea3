/**
 * Ranks that run the same program and exchange arrays: the contract of every implementation.
 *
 * All operations are synchronous, for products within Krylov solvers are: an operation returns when the caller may use
 * its arrays again. Arrays are typed arrays, over shared memory too, and are read and written in place. Operations
 * named "collective" are called by all ranks of the communicator, in the same order and with sizes that agree; what
 * the arguments of the ranks must agree in is said with each. Costs are those of a rank that communicates with P − 1
 * others: messages that it sends, and bytes for n elements of b bytes.
 *
 * The operations and their meaning are those of MPI (MPI: A Message-Passing Interface Standard, version 4.0, chapters
 * 3, 5 and 6), with names in full.
 */

/** What is communicated: one type in all arrays of an operation, on all its ranks. */
export type CommunicatedArray = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array | BigInt64Array;

/** How `allreduce` combines elements; sums of integers are taken modulo their range. */
export type Reduction = 'sum' | 'max' | 'min';

/** Elements of each rank, in the order of ranks. */
export type Counts = ArrayLike<number>;

/** An operation that has been started. Until it is done its arrays belong to it: neither read nor write them. */
export interface Request {
  /**
   * Whether it is done; makes progress where the implementation makes none by itself. Throws CommunicationError where
   * the operation failed.
   */
  done(): boolean;
  /** Returns when it is done; at once where that was so already. Throws as `done` does. */
  wait(): void;
}

/**
 * Ranks that run the same program, each with its own memory and its own team.
 *
 * Every method throws OptionError or ShapeError for arguments that do not fit (ranks, tags, counts, types of arrays)
 * before anything is sent, and CommunicationError where communicating fails: the library's failures, a rank that has
 * ended, a message of another length than its receiver expects, a communicator that is closed.
 */
export interface Communicator {
  /** 0 ≤ rank < size. */
  readonly rank: number;
  readonly size: number;
  /** For people: "one process", "Open MPI 4.1.4, libmpi.so.40, 4 ranks". */
  readonly description: string;

  /** Collective: returns when all ranks have called it. ⌈log₂ P⌉ messages without content. */
  barrier(): void;

  /**
   * Collective: `data` of rank `root` goes to all others' `data`, of the same length. Changes `data` but at the root.
   * At most ⌈log₂ P⌉ messages; about n·b bytes received, and up to 2n·b sent.
   */
  broadcast(data: CommunicatedArray, root: number): void;

  /**
   * Collective: every `data`, of the same length on all ranks, becomes the elementwise reduction over all ranks, in
   * place. Sums have the order that the implementation chooses, which depends on P: the last bits differ from one
   * number of ranks to another (those of `NodeSums` do not), but are the same on all ranks. A NaN may
   * be lost by 'max' and 'min'. About 2⌈log₂ P⌉ messages and 2n(P−1)/P·b bytes.
   */
  allreduce(data: CommunicatedArray, operation: Reduction): void;

  /**
   * Collective: `all` becomes the parts of all ranks one after another in their order, part r of counts[r] elements.
   * `own` is this rank's part, of counts[rank] elements, and does not overlap `all`; undefined where it stands in its
   * place of `all` already. All ranks have the same `counts`. At most P − 1 messages, Σ counts − counts[rank] elements
   * received.
   */
  allgather(own: CommunicatedArray | undefined, all: CommunicatedArray, counts: Counts): void;

  /**
   * Collective: as `allgather`, for rank `root` alone; the others give `all` as undefined, and always have an `own`.
   * One message to the root at the most.
   */
  gather(own: CommunicatedArray | undefined, all: CommunicatedArray | undefined, counts: Counts, root: number): void;

  /**
   * Collective: rank q receives sendCounts[q] elements of this rank's `send`, whose parts lie one after another in the
   * order of ranks, and places what comes from rank r as part r of `receive`: receiveCounts[r] elements, which is
   * sendCounts[rank] on rank r. The arrays do not overlap. One message to each other rank that has elements to get,
   * none to those without; this rank's own part is copied.
   */
  alltoall(send: CommunicatedArray, sendCounts: Counts, receive: CommunicatedArray, receiveCounts: Counts): void;

  /**
   * Sends `data` to rank `to`, which calls `receive` with the same tag (0 … 32767) and length; may wait until it does.
   * Two messages to one rank with one tag arrive in the order in which they were sent. One message of n·b bytes.
   */
  send(data: CommunicatedArray, to: number, tag: number): void;

  /** Waits for the message that rank `from` sends with that tag, of exactly this length; changes `data`. */
  receive(data: CommunicatedArray, from: number, tag: number): void;

  /** As `send`, without waiting. */
  startSend(data: CommunicatedArray, to: number, tag: number): Request;

  /** As `receive`, without waiting. */
  startReceive(data: CommunicatedArray, from: number, tag: number): Request;

  /** Collective: as `allreduce`, without waiting. */
  startAllreduce(data: CommunicatedArray, operation: Reduction): Request;

  /** Collective: as `alltoall`, without waiting. The counts may change as soon as it returns. */
  startAlltoall(
    send: CommunicatedArray,
    sendCounts: Counts,
    receive: CommunicatedArray,
    receiveCounts: Counts,
  ): Request;

  /**
   * Collective: the ranks with the same `color` (a whole number ≥ 0) become a communicator of their own, ordered by
   * `key` (a whole number) and then by their rank here; undefined for ranks without a color. Its `close` is collective
   * over its ranks.
   */
  split(color: number | undefined, key: number): Communicator | undefined;

  /**
   * Ends the program on all ranks of the whole run at once, with that exit status (1 … 255): for a rank that cannot go
   * on, so that no other one waits for it. Never returns.
   */
  abort(status: number): never;

  /**
   * Collective: ends communication, which cannot be taken up again; a second call does nothing. Throws
   * CommunicationError while an operation that was started is not done.
   */
  close(): void;
}
