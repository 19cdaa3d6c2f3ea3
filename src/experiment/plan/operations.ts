/**
 * Messages and bytes of operations among the ranks of a plan, counted as a communicator that counts does
 * (distributed/recorded.ts).
 */

/** What one rank communicates. */
export interface PlannedTraffic {
  /** Messages that it sends. */
  readonly messages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Nothing. */
export const NO_TRAFFIC: PlannedTraffic = { messages: 0, sentBytes: 0, receivedBytes: 0 };

/** All of these, one after the other. */
export const totalTraffic = (parts: readonly PlannedTraffic[]): PlannedTraffic =>
  parts.reduce(
    (sum, { messages, sentBytes, receivedBytes }) => ({
      messages: sum.messages + messages,
      sentBytes: sum.sentBytes + sentBytes,
      receivedBytes: sum.receivedBytes + receivedBytes,
    }),
    NO_TRAFFIC,
  );

/** So many times the same. */
export const times = (count: number, { messages, sentBytes, receivedBytes }: PlannedTraffic): PlannedTraffic => ({
  messages: count * messages,
  sentBytes: count * sentBytes,
  receivedBytes: count * receivedBytes,
});

/** Operations of P ranks. */
export class PlannedOperations {
  readonly #ranks: number;
  /** ⌈log₂P⌉ */
  readonly #rounds: number;

  constructor(ranks: number) {
    this.#ranks = ranks;
    this.#rounds = Math.ceil(Math.log2(ranks));
  }

  /** 2⌈log₂P⌉ messages, 2n(P − 1)/P bytes each way. */
  allreduce(bytes: number): PlannedTraffic {
    const each = (2 * bytes * (this.#ranks - 1)) / this.#ranks;
    return { messages: 2 * this.#rounds, sentBytes: each, receivedBytes: each };
  }

  /** ⌈log₂P⌉ messages, what a rank lacks of n bytes each way: (P − 1)/P of them where all have as many. */
  allgather(bytes: number, lacking = (bytes * (this.#ranks - 1)) / this.#ranks): PlannedTraffic {
    return { messages: this.#rounds, sentBytes: lacking, receivedBytes: lacking };
  }

  /**
   * ⌈log₂P⌉ messages, what a rank lacks of what is found by all, n bytes: the one with fewest of so many equal tasks,
   * but for those without any, who have nothing else to send.
   */
  portions(bytes: number, tasks: number): PlannedTraffic {
    const most = Math.max(1, Math.floor(tasks / this.#ranks));
    return this.allgather(bytes, this.#ranks === 1 ? 0 : bytes * (1 - most / tasks));
  }

  /** What one rank sends to so many others, n bytes in all, and gets as many. */
  alltoall(peers: number, bytes: number): PlannedTraffic {
    return { messages: peers, sentBytes: bytes, receivedBytes: bytes };
  }

  /** Whether something failed anywhere. */
  agreed(): PlannedTraffic {
    return this.allreduce(4);
  }

  /** Numbers for others, and how many each gets (distributed/exchange-parts.ts), but for whether there is room. */
  parts({ sent, received }: { readonly sent: number; readonly received: number }): PlannedTraffic[] {
    const peers = this.#ranks - 1;
    return [this.alltoall(peers, 4 * peers), { messages: peers, sentBytes: sent, receivedBytes: received }];
  }
}
