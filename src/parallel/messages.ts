/**
 * What the main thread sends its workers, and what comes back. Layer 1.
 */
import type { MessagePort } from 'node:worker_threads';
import * as errors from '../core/errors.js';
import { asMemoryError } from '../core/shared-array.js';
import type { TaskGraph } from './task-graph.js';

/** Starts a worker's long-running task; `blas` is the choice the team was opened with. */
export interface WorkerStart { readonly worker: number; readonly workers: number; readonly control: Int32Array; readonly port: MessagePort; readonly blas: string | undefined }

export type Message =
  | { readonly type: 'share'; readonly id: number; readonly state: unknown; readonly modules: readonly string[] }
  | { readonly type: 'release'; readonly id: number }
  | { readonly type: 'forget'; readonly graphId: number }
  | { readonly type: 'run'; readonly state: number; readonly module: string; readonly name: string; readonly graphId: number; readonly graph: TaskGraph | null; readonly args: unknown }
  | { readonly type: 'stop' };

/** An error as data; typed errors of this library survive the trip with their class. */
export interface ErrorReport { readonly name: string; readonly message: string; readonly stack: string | undefined; readonly code: string | undefined; readonly data: Readonly<Record<string, unknown>> }

export function reportError(thrown: unknown): ErrorReport {
  const error = asMemoryError(thrown);
  if (isTyped(error)) {
    const { name, message, stack, code, data } = error;
    return { name, message, stack, code, data };
  }
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack, code: undefined, data: {} };
  return { name: 'Error', message: String(error), stack: undefined, code: undefined, data: {} };
}

/**
 * By name, not by class: a source's module may have the library's errors from another copy of it, as beside a bundle.
 */
const isTyped = (error: unknown): error is errors.HmatrixError =>
  error instanceof errors.HmatrixError
  || (error instanceof Error && error.name in errors && 'code' in error && 'data' in error);

/** The reported error, of its own class where it is one of ours, else a WorkerError that quotes it. */
export function reviveError(report: ErrorReport, worker: number): errors.HmatrixError {
  const constructor = (errors as Record<string, unknown>)[report.name];
  if (report.code !== undefined && typeof constructor === 'function' && report.name !== 'HmatrixError') {
    return new (constructor as new (message: string, data: object) => errors.HmatrixError)(report.message, { ...report.data, worker });
  }
  return new errors.WorkerError(`Worker ${worker} failed: ${report.name}: ${report.message}`, { worker, name: report.name, stack: report.stack });
}
