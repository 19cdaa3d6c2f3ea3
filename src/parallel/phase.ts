/**
 * One run of a task graph, advanced step by step by whoever needs it finished.
 * The function that started it may be waiting for its turn of the event loop while another one, synchronous, needs the
 * team: that one takes the remaining steps, and the first finds its phase ended.
 */
import { WorkerError } from '../core/errors.js';
import type { Thrown } from './messages.js';

/** The remaining steps of one fork–join, and how it ended. */
export class Phase {
  readonly #steps: Generator<number, void>;
  #stepping = false;
  #ended = false;
  #interrupted = false;
  #thrown: Thrown | undefined;

  constructor(steps: Generator<number, void>) {
    this.#steps = steps;
  }

  /** Whether its last step has been taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next value of the steps; 0 once it has ended. What they throw ends the phase and is kept for `conclude`. */
  advance(): number {
    if (this.#ended) return 0;
    this.#stepping = true;
    try {
      const { done, value } = this.#steps.next();
      if (done !== true) return value;
    } catch (value) {
      this.#thrown = { value };
    } finally {
      this.#stepping = false;
    }
    this.#ended = true;
    return 0;
  }

  /**
   * Throws WorkerError inside one of the phase's own tasks, which can't wait for the end of the phase that waits for
   * it.
   */
  requireBetweenTasks(): void {
    if (!this.#stepping) return;
    this.#interrupted = true;
    const what =
      'A task of a running phase (the entries of a source on the calling thread, say) started a product or ' +
      'another phase';
    const remedy = 'Give the source what it multiplies with on a team of its own: openTeam({ workers: 1 }).';
    throw new WorkerError(`${what} on the team that runs it. ${remedy}`);
  }

  /** Whether one of its tasks tried to start another phase. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Throws what the phase failed with, for the one who started it. */
  conclude(): void {
    if (this.#thrown !== undefined) throw this.#thrown.value;
  }
}
