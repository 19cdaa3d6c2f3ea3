/**
 * Turns of the event loop in long work on the calling thread, in which an abort can arrive.
 */
import { throwIfAborted, type AbortSignalLike } from '../core/context.js';
import { nextTurn } from '../core/event-loop.js';

/** Milliseconds between two turns. */
const BREATH = 25;

/** When the next turn is due. */
export class Breath {
  readonly #signal: AbortSignalLike | undefined;
  #taken = performance.now();

  constructor(signal: AbortSignalLike | undefined) {
    this.#signal = signal;
  }

  get due(): boolean {
    return performance.now() - this.#taken > BREATH;
  }

  /** Serves the event loop. Throws AbortedError. */
  async take(): Promise<void> {
    await nextTurn();
    throwIfAborted(this.#signal);
    this.#taken = performance.now();
  }

  /** Serves the event loop where a turn is due. Throws AbortedError. */
  async takeIfDue(): Promise<void> {
    if (this.due) await this.take();
  }
}
