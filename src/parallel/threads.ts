/**
 * The threads of a team: started together, each ready before the team is.
 * They run worker.js, or in a bundle, which has no such file, the source that the library brings along for it.
 */
import { Worker } from 'node:worker_threads';
import { WorkerError } from '../core/errors.js';
import { BUNDLED, CODE_LOCATION } from '../core/location.js';
import type { WorkerStart } from './messages.js';

/** What a thread is told when it starts; `code` is where the library lies (core/location.ts). */
export interface ThreadData extends WorkerStart {
  readonly code: string;
}

/** One thread for each start. Rejects with the first error of a thread, after ending the others. */
export async function startThreads(starts: readonly WorkerStart[]): Promise<Worker[]> {
  const code = BUNDLED
    ? (await import('./worker-source.js')).workerSource
    : new URL('../parallel/worker.js', CODE_LOCATION);
  const threads = starts.map(
    (start) =>
      new Worker(code, {
        eval: BUNDLED,
        workerData: { ...start, code: CODE_LOCATION } satisfies ThreadData,
        transferList: [start.port],
        // Kernels allocate views and nothing else: a small nursery keeps what each worker holds small.
        resourceLimits: { maxYoungGenerationSizeMb: 4 },
        // The node options of the host (a test runner's loaders, say) are not for our workers.
        execArgv: [],
      }),
  );
  const starting = threads.map(ready);
  try {
    await Promise.all(starting);
    // One that was ready and ended while the others started.
    const lost = threads.findIndex(({ threadId }) => threadId < 0);
    if (lost >= 0) throw endedEarly(lost);
  } catch (error) {
    // A thread that is ended while it loads a native library may take the process with it.
    await Promise.allSettled(starting);
    await Promise.all(threads.map((thread) => thread.terminate()));
    throw error;
  }
  return threads;
}

/** Resolves with the thread's first message, which says that it is ready. */
function ready(thread: Worker, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.once('message', () => {
      resolve();
    });
    thread.once('error', reject);
    thread.once('exit', () => {
      reject(endedEarly(index));
    });
  });
}

const endedEarly = (index: number): WorkerError =>
  new WorkerError(`Worker ${index + 1} ended before the team was open.`, { worker: index + 1 });
