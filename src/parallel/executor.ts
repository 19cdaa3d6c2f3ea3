/**
 * One thread's side of a team: the states it holds, the kernels bound to them. Layer 1.
 */
import { WorkerError } from '../core/errors.js';
import type { Blas } from '../dense/blas.js';
import type { PhaseKernel, TaskBody, WorkerContext } from './kernel.js';
import type { Thrown } from './messages.js';

interface Held {
  readonly state: unknown;
  readonly failure: Thrown | undefined;
  readonly bodies: Map<string, TaskBody<unknown>>;
}

export class Executor {
  readonly context: WorkerContext;
  readonly #modules = new Map<string, Record<string, unknown>>();
  readonly #held = new Map<number, Held>();

  constructor(blas: Blas, worker: number, workers: number) {
    const modules = (url: string): Record<string, unknown> => {
      const loaded = this.#modules.get(url);
      if (loaded === undefined) throw new WorkerError(`The module ${url} was not named when the state that needs it was shared.`, { url });
      return loaded;
    };
    this.context = { blas, worker, workers, modules };
  }

  async load(modules: readonly string[]): Promise<void> {
    for (const url of modules) if (!this.#modules.has(url)) this.#modules.set(url, (await import(url)) as Record<string, unknown>);
  }

  /** Takes a state; a failure to load what it needs is reported when a kernel first asks for it. */
  hold(id: number, state: unknown, failure?: Thrown): void {
    this.#held.set(id, { state, failure, bodies: new Map() });
  }

  release(id: number): void {
    this.#held.delete(id);
  }

  /** The kernel's task function over a held state, bound on first use. */
  body(id: number, kernel: PhaseKernel<never, never>): TaskBody<unknown> {
    const held = this.#held.get(id);
    if (held === undefined) throw new WorkerError(`State ${id} was released before a phase that needs it.`, { state: id });
    if (held.failure !== undefined) throw held.failure.value;
    const key = `${kernel.module}#${kernel.name}`;
    let body = held.bodies.get(key);
    if (body === undefined) {
      body = kernel.bind(held.state as never, this.context) as TaskBody<unknown>;
      held.bodies.set(key, body);
    }
    return body;
  }
}
