/**
 * What the main thread sends its workers, and what comes back.
 */
import { OptionError, WorkerError } from '../core/errors.js';
import { asMemoryError } from '../core/shared-array.js';
import { isTyped, typedError } from '../core/typed-error.js';
import { requireCopies, toSend } from './array-place.js';
import type { TaskGraph } from './task-graph.js';
import type { FailureReport, Thread } from './thread.js';

/**
 * What the main thread sends to a worker: a state to hold, a state or a graph to forget, garbage to collect, a phase to
 * run, the end.
 */
export type Message =
  | { readonly type: 'share'; readonly id: number; readonly state: unknown; readonly modules: readonly string[] }
  | { readonly type: 'release'; readonly id: number }
  | { readonly type: 'forget'; readonly graphId: number }
  | { readonly type: 'collect' }
  | {
      readonly type: 'run';
      readonly state: number;
      readonly module: string;
      readonly name: string;
      readonly graphId: number;
      readonly graph: TaskGraph | null;
      readonly args: unknown;
    }
  | { readonly type: 'stop' };

/**
 * Sends a message to every thread, or to none, wherever in shared memory its arrays lie (array-place.ts). Throws
 * OptionError where it holds what no thread can hand to another (a function), MemoryError where an array that must be
 * copied is too large.
 */
export function send(threads: readonly Thread[], message: Message): void {
  const sent = toSend(message);
  try {
    for (const thread of threads) thread.post(sent);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'DataCloneError') throw error;
    requireCopies(message);
    throw new OptionError(
      `What a phase works on cannot be handed to the workers: ${error.message} Functions and objects of native ` +
        'code stay on their thread.',
      { message: error.message },
    );
  }
}

/** Something that was thrown, which may be anything: `undefined` too. */
export interface Thrown {
  readonly value: unknown;
}

function reportOf(value: unknown): FailureReport {
  const thrown = asMemoryError(value);
  // A source's module may have the library's errors from another copy of it, as beside a bundle.
  if (isTyped(thrown))
    return {
      kind: 'error',
      name: thrown.name,
      message: thrown.message,
      stack: thrown.stack,
      code: thrown.code,
      data: thrown.data,
    };
  if (thrown instanceof Error)
    return {
      kind: 'error',
      name: String(thrown.name),
      message: String(thrown.message),
      stack: thrown.stack,
      code: undefined,
      data: {},
    };
  return { kind: 'value', value: thrown };
}

/** Reports what a task threw by `post`, which throws for what it cannot copy: of that, a description. */
export function sendFailure(post: (report: FailureReport) => void, thrown: unknown): void {
  const report = reportOf(thrown);
  try {
    post(report);
  } catch {
    post(
      report.kind === 'error'
        ? { ...report, data: {} }
        : reportOf(new Error(`what was thrown, of type ${typeof thrown}, cannot be copied to another thread`)),
    );
  }
}

/**
 * What the caller is to see: an error of its own class where it is one of ours, else a WorkerError that quotes it;
 * anything else as it was thrown.
 */
export function revive(report: FailureReport, worker: number): Thrown {
  if (report.kind === 'value') return { value: report.value };
  const typed =
    report.code === undefined ? undefined : typedError(report.name, report.message, { ...report.data, worker });
  if (typed !== undefined) return { value: typed };
  return {
    value: new WorkerError(`Worker ${worker} failed: ${report.name}: ${report.message}`, {
      worker,
      name: report.name,
      stack: report.stack,
    }),
  };
}
