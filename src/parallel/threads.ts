/**
 * The threads of a team in Node: started together, each ready before the team is.
 * They run worker.js, or in a bundle, which has no such file, the source that the library brings along for it.
 */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { WorkerError } from '../core/errors.js';
import { BUNDLED, CODE_LOCATION } from '../core/location.js';
import type { FailureReport, Thread, WorkerStart } from './thread.js';

/** What a thread is told when it starts; `code` is where the library lies (core/location.ts). */
export interface ThreadData extends WorkerStart {
  readonly port: MessagePort;
  readonly code: string;
}

/** A thread that is ready, and the port on which it takes messages and reports failures; neither keeps the process. */
class NodeThread implements Thread {
  readonly #worker: Worker;
  readonly #port: MessagePort;

  constructor(worker: Worker, port: MessagePort) {
    this.#worker = worker;
    this.#port = port;
    // From here on messages are read synchronously.
    port.unref();
    worker.unref();
  }

  post(message: object): void {
    this.#port.postMessage(message);
  }

  report(): FailureReport | undefined {
    return receiveMessageOnPort(this.#port)?.message as FailureReport | undefined;
  }

  /**
   * The thread's 'exit' event comes only when the calling thread serves its event loop. Node gives −1 ms of idle time
   * for a thread that has ended, if it was asked once before, while the thread's own event loop ran: the team does.
   */
  hasEnded(): boolean {
    return this.#worker.performance.eventLoopUtilization().idle < 0;
  }

  onEnd(listener: (error: unknown) => void): void {
    this.#worker.once('error', listener);
    this.#worker.once('exit', (code) => {
      listener(new Error(`it exited with code ${code}`));
    });
  }

  async end(): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }
}

/** One thread for each start. Rejects with the first error of a thread, after ending the others. */
export async function startThreads(starts: readonly WorkerStart[]): Promise<Thread[]> {
  const code = BUNDLED
    ? (await import('./worker-source.js')).workerSource
    : new URL('../parallel/worker.js', CODE_LOCATION);
  const started = starts.map((start) => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(code, {
      eval: BUNDLED,
      workerData: { ...start, port: port2, code: CODE_LOCATION } satisfies ThreadData,
      transferList: [port2],
      // Kernels allocate views and nothing else: a small nursery keeps what each worker holds small.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      // The node options of the host (a test runner's loaders, say) are not for our workers.
      execArgv: [],
    });
    return { worker, port: port1 };
  });
  const starting = started.map(({ worker }, index) => ready(worker, index));
  try {
    await Promise.all(starting);
    // One that was ready and ended while the others started.
    const lost = started.findIndex(({ worker }) => worker.threadId < 0);
    if (lost >= 0) throw endedEarly(lost);
  } catch (error) {
    // A thread that is ended while it loads a native library may take the process with it.
    await Promise.allSettled(starting);
    await Promise.all(started.map(({ worker }) => worker.terminate()));
    throw error;
  }
  return started.map(({ worker, port }) => new NodeThread(worker, port));
}

/** Resolves with the thread's first message, which says that it is ready. */
function ready(worker: Worker, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => {
      resolve();
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(endedEarly(index));
    });
  });
}

const endedEarly = (index: number): WorkerError =>
  new WorkerError(`Worker ${index + 1} ended before the team was open.`, { worker: index + 1 });
