/**
 * Task definitions: the functions a team runs, written once and synchronously.
 * A definition is found by name in the module that defines it, so the main thread and every worker run the same code;
 * what it works on is a structured-cloneable state whose large arrays lie over SharedArrayBuffer.
 */
import type { Blas } from '../dense/blas.js';
import { builtIn } from './built-in.js';

/** What a worker lends the tasks that run on it. */
export interface WorkerContext {
  readonly blas: Blas;
  /** 0 is the main thread. Results must not depend on it. */
  readonly worker: number;
  readonly workers: number;
  /** A module's exports, loaded before the state that names it was shared. */
  readonly modules: (url: string) => Readonly<Record<string, unknown>>;
  /**
   * Within a task: does its parts 0 … count − 1, `run` those that this worker takes, the body's `part` those that idle
   * ones take. Returns when all are done. What parts read and write must lie in shared memory.
   */
  readonly runParts: (count: number, run: (part: number) => void) => void;
}

/** Runs one task of a phase. */
export interface TaskBody<A> {
  (task: number, args: A): void;
  /** Runs a part of the task that the worker `owner` runs just now (`WorkerContext.runParts`). */
  part?: ((owner: number, part: number) => void) | undefined;
}

/** What a team runs: tasks over a state S, with arguments A that each run brings anew. */
export interface TaskDefinition<S, A = undefined> {
  /** URL of the module that defines it. */
  readonly module: string;
  /** The name that the module exports it under. */
  readonly name: string;
  /** Called once per worker and state: opens views, allocates scratch, returns the function that runs tasks. */
  readonly bind: (state: S, context: WorkerContext) => TaskBody<A>;
}

/**
 * Defines the tasks of a phase; `name` must be the name it is exported under, unique in the library, `module` the
 * defining module's import.meta.url.
 */
export function defineTask<S, A = undefined>(
  module: string,
  name: string,
  bind: TaskDefinition<S, A>['bind'],
): TaskDefinition<S, A> {
  return { ...builtIn(module, name, { module, name, bind }), bind };
}
