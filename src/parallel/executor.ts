/**
 * One thread's side of a team: the states it holds, the tasks bound to them.
 */
import { OptionError, WorkerError } from '../core/errors.js';
import { BUNDLED, CODE_LOCATION } from '../core/location.js';
import type { Blas } from '../dense/blas.js';
import { BUILT_IN, builtInFunctions } from './built-in.js';
import type { TaskDefinition, TaskBody, WorkerContext } from './task.js';
import type { Thrown } from './messages.js';
import { runParts } from './parts.js';

interface Held {
  readonly state: unknown;
  readonly failure: Thrown | undefined;
  readonly bodies: Map<string, TaskBody<unknown>>;
}

/** Loads modules, holds states and binds tasks for one worker. */
export class Executor {
  readonly context: WorkerContext;
  readonly #modules = new Map<string, Record<string, unknown>>();
  readonly #held = new Map<number, Held>();

  /** `control` is the team's control block; `watch` is called while parts are waited for. */
  constructor(blas: Blas, worker: number, workers: number, control: Int32Array, watch: () => void = () => undefined) {
    const modules = (url: string): Readonly<Record<string, unknown>> => {
      if (url === BUILT_IN) return builtInFunctions();
      const loaded = this.#modules.get(url);
      if (loaded === undefined)
        throw new WorkerError(`The module ${url} was not named when the state that needs it was shared.`, { url });
      return loaded;
    };
    this.context = {
      blas,
      worker,
      workers,
      modules,
      runParts: (count, run) => {
        runParts(control, worker, count, run, watch);
      },
    };
  }

  /**
   * Imports the modules that are not here yet. Throws OptionError for a module in the library's own bundle, WorkerError
   * where an import fails.
   */
  async load(modules: readonly string[]): Promise<void> {
    for (const url of modules) {
      if (url === BUILT_IN || this.#modules.has(url)) continue;
      if (BUNDLED && url === CODE_LOCATION) {
        // Its import would run the whole program once more, in every worker, and wait for itself on the calling thread.
        throw new OptionError(
          `A source's descriptor names the bundle itself, ${url}, as its module: put the source's function ` +
            "into a file of its own, which is not bundled with the program, and give that file's URL.",
          { module: url },
        );
      }
      const exports = await import(url).catch((error: unknown) => {
        throw new WorkerError(
          `The module ${url} cannot be imported: ${error instanceof Error ? error.message : String(error)}.`,
          { url },
        );
      });
      this.#modules.set(url, exports as Record<string, unknown>);
    }
  }

  /** Takes a state; a failure to load what it needs is reported when a task first asks for it. */
  hold(id: number, state: unknown, failure?: Thrown): void {
    this.#held.set(id, { state, failure, bodies: new Map() });
  }

  /** Forgets a state, so that its memory can be freed. */
  release(id: number): void {
    this.#held.delete(id);
  }

  /** A definition's task function over a held state, bound on first use. */
  body(id: number, definition: TaskDefinition<never, never>): TaskBody<unknown> {
    const held = this.#held.get(id);
    if (held === undefined)
      throw new WorkerError(`State ${id} was released before a phase that needs it.`, { state: id });
    if (held.failure !== undefined) throw held.failure.value;
    const key = `${definition.module}#${definition.name}`;
    let body = held.bodies.get(key);
    if (body === undefined) {
      body = definition.bind(held.state as never, this.context) as TaskBody<unknown>;
      held.bodies.set(key, body);
    }
    return body;
  }
}
