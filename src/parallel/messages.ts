/**
 * What the main thread sends its workers, and what comes back. Layer 1.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import * as errors from '../core/errors.js';
import { fromSent, requireCopies, toSend } from './array-place.js';
import type { TaskGraph } from './task-graph.js';

/** Starts a worker's long-running task; `blas` is the choice the team was opened with. */
export interface WorkerStart { readonly worker: number; readonly workers: number; readonly control: Int32Array; readonly port: MessagePort; readonly blas: string | undefined }

export type Message =
  | { readonly type: 'share'; readonly id: number; readonly state: unknown; readonly modules: readonly string[] }
  | { readonly type: 'release'; readonly id: number }
  | { readonly type: 'forget'; readonly graphId: number }
  | { readonly type: 'run'; readonly state: number; readonly module: string; readonly name: string; readonly graphId: number; readonly graph: TaskGraph | null; readonly args: unknown }
  | { readonly type: 'stop' };

/**
 * Sends a message to every port, or to none, wherever in shared memory its arrays lie (array-place.ts). Throws
 * OptionError where it holds what no thread can hand to another (a function), MemoryError where an array that must be
 * copied is too large.
 */
export function send(ports: readonly MessagePort[], message: Message): void {
  const sent = toSend(message);
  try {
    for (const port of ports) port.postMessage(sent);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'DataCloneError') throw error;
    requireCopies(message);
    const { message: why } = error;
    throw new errors.OptionError(
      `What a phase works on cannot be handed to the workers: ${why} Functions and objects of native code stay on their thread.`,
      { message: why },
    );
  }
}

/** The next message of a port, which must be there. */
export function receive(port: MessagePort): Message {
  return fromSent(receiveMessageOnPort(port)!.message as object) as Message;
}

/** Something that was thrown, which may be anything: `undefined` too. */
export interface Thrown { readonly value: unknown }

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

function reportOf(thrown: unknown): FailureReport {
  if (!(thrown instanceof Error)) return { kind: 'value', value: thrown };
  const { code, data } = thrown instanceof errors.HmatrixError ? thrown : { code: undefined, data: {} };
  return { kind: 'error', name: String(thrown.name), message: String(thrown.message), stack: thrown.stack, code, data };
}

/** Posts what a task threw; of what cannot be copied, a description. */
export function sendFailure(port: MessagePort, thrown: unknown): void {
  const report = reportOf(thrown);
  try {
    port.postMessage(report);
  } catch {
    const described = `what was thrown, of type ${typeof thrown}, cannot be copied to another thread`;
    port.postMessage(report.kind === 'error' ? { ...report, data: {} } : reportOf(new Error(described)));
  }
}

/**
 * What the caller is to see: an error of its own class where it is one of ours, else a WorkerError that quotes it;
 * anything else as it was thrown.
 */
export function revive(report: FailureReport, worker: number): Thrown {
  if (report.kind === 'value') return { value: report.value };
  const { name, message, stack, code, data } = report;
  const known = (errors as Record<string, unknown>)[name];
  if (code !== undefined && typeof known === 'function' && name !== 'HmatrixError') {
    const Known = known as new (message: string, data: object) => errors.HmatrixError;
    return { value: new Known(message, { ...data, worker }) };
  }
  return { value: new errors.WorkerError(`Worker ${worker} failed: ${name}: ${message}`, { worker, name, stack }) };
}
