/**
 * The threads of a team in a browser: Web Workers, started together, each ready before the team is. They run the source
 * that the library brings along for them, so that no bundler needs to know of it.
 */
import { WorkerError } from '../core/errors.js';
import { reportMemory, takeReport } from './shared-report.js';
import type { FailureReport, Thread, WorkerStart } from './thread.js';
import type { Arrival, WebScope, WebStart, WebWorker } from './web-worker.js';

const scope = globalThis as unknown as WebScope;

/** A Web Worker that is ready. Where one ends by itself it says so by an error, when this thread serves its events. */
class WebThread implements Thread {
  readonly #worker: WebWorker;
  readonly #reports: SharedArrayBuffer;
  readonly #listeners: ((error: unknown) => void)[] = [];
  #ended = false;

  constructor(worker: WebWorker, reports: SharedArrayBuffer) {
    this.#worker = worker;
    this.#reports = reports;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#ended = true;
      for (const listener of this.#listeners) listener(new Error(event.message));
    };
  }

  post(message: object): void {
    this.#worker.postMessage(message);
  }

  report(): FailureReport | undefined {
    return takeReport(this.#reports);
  }

  hasEnded(): boolean {
    return this.#ended;
  }

  onEnd(listener: (error: unknown) => void): void {
    this.#listeners.push(listener);
  }

  end(): Promise<void> {
    this.#worker.terminate();
    this.#ended = true;
    return Promise.resolve();
  }
}

/** Throws WorkerError where this thread cannot have workers, with what to do. */
function requireThreads(): void {
  if (scope.document !== undefined)
    throw new WorkerError(
      "A page's own thread must not wait for workers: run the library in a Web Worker, or take a team of one.",
    );
  if (scope.crossOriginIsolated !== true)
    throw new WorkerError(
      'Workers need shared memory, which a browser gives to isolated pages alone: serve the page with the headers ' +
        '"Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp", or take a team ' +
        'of one.',
    );
}

/** One thread for each start. Rejects with the first error of a thread, after ending the others. */
export async function startThreads(starts: readonly WorkerStart[]): Promise<Thread[]> {
  if (starts.length === 0) return [];
  requireThreads();
  const { workerSource } = await import('./worker-source-browser.js');
  const url = scope.URL.createObjectURL(new scope.Blob([workerSource], { type: 'text/javascript' }));
  const started = starts.map((start) => ({ worker: new scope.Worker!(url), reports: reportMemory(), start }));
  try {
    await Promise.all(started.map(({ worker, reports, start }) => ready(worker, { ...start, reports })));
  } catch (error) {
    for (const { worker } of started) worker.terminate();
    throw error;
  } finally {
    scope.URL.revokeObjectURL(url);
  }
  return started.map(({ worker, reports }) => new WebThread(worker, reports));
}

/** Starts the worker; resolves with its first message, which says that it is ready or why it is not. */
function ready(worker: WebWorker, start: WebStart): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: Arrival) => {
      worker.onmessage = null;
      if (data === 'ready') resolve();
      else reject(new WorkerError(`Worker ${start.worker} cannot start: ${String(data)}.`, { worker: start.worker }));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const why = event.message ?? 'its script was not loaded';
      reject(new WorkerError(`Worker ${start.worker} ended before the team was open: ${why}.`));
    };
    worker.postMessage(start);
  });
}
