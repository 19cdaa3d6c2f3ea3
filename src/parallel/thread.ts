/**
 * A worker's thread, as its team sees it: one contract for Node's threads (threads.ts) and a browser's
 * (threads-browser.ts).
 */

/** What a worker is told when it starts; `blas` is the choice the team was opened with. */
export interface WorkerStart {
  readonly worker: number;
  readonly workers: number;
  readonly control: Int32Array;
  readonly blas: string | undefined;
}

/**
 * What was thrown, as data. Typed errors of this library survive the trip with their class, and what is no error as it
 * is, where it can be copied.
 */
export type FailureReport =
  | {
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly code: string | undefined;
      readonly data: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'value'; readonly value: unknown };

/** A thread that runs a worker, which is ready. */
export interface Thread {
  /** Sends a message, by structured clone: the worker gets them in the order in which they are sent. */
  post(message: object): void;
  /** The first failure reported by the worker that was not asked for yet, known at once. */
  report(): FailureReport | undefined;
  /** Whether the thread has ended, known at once where the platform tells. */
  hasEnded(): boolean;
  /** Has the listener called where the thread ends by itself, with why it did. */
  onEnd(listener: (error: unknown) => void): void;
  /** Ends the thread, whatever it does. */
  end(): Promise<void>;
}
