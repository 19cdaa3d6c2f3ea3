/**
 * The page's side of its worker: asks it one thing at a time, and hears the answers.
 */
import type { Answer, Reply, Task } from './protocol.js';

/** Takes the answers to one task. */
export type Listener = (answer: Answer) => void;

/** The worker that hosts the library. */
export class HostClient {
  readonly #worker = new Worker(new URL('./host.ts', import.meta.url), { type: 'module' });
  #id = 0;
  #listener: Listener | undefined;

  constructor() {
    this.#worker.addEventListener('message', ({ data: { id, answer } }: MessageEvent<Reply>) => {
      if (id === this.#id) this.#listener?.(answer);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      this.#listener?.({ kind: 'failed', message: message || 'the library could not be loaded' });
    });
  }

  /** Asks for a task. The one before ends, and its listener hears that it was stopped. */
  ask(task: Task, listener: Listener): void {
    this.#listener?.({ kind: 'failed', message: 'stopped' });
    const id = ++this.#id;
    this.#listener = (answer) => {
      if (answer.kind === 'done' || answer.kind === 'failed') this.#listener = undefined;
      listener(answer);
    };
    this.#worker.postMessage({ id, task });
  }
}
