/**
 * Starting ranks that are threads of this process.
 */
import { Worker } from 'node:worker_threads';
import { requireWhole } from '../../core/checks.js';
import { CommunicationError } from '../../core/errors.js';
import { createThreadWorld, SharedWorld, type ThreadWorld } from './world.js';

/** What the module of a rank is called with: `threadCommunicator(world, rank)` is its communicator. */
export interface RankStart<D> {
  readonly world: ThreadWorld;
  readonly rank: number;
  readonly data: D;
}

// The module brings the library along, wherever it lies; nothing of a bundle has to be found.
const CODE = `
const { workerData: { module, name, start }, parentPort } = require('node:worker_threads');
import(module).then(async (exports) => {
  parentPort.postMessage(await exports[name](start));
});
`;

/** Which function the ranks run: exported by the module of that URL under that name. */
export interface RankProgram<D> {
  readonly module: string | URL;
  readonly name: string;
  /** Structured-cloneable; the same for all ranks. */
  readonly data: D;
}

/**
 * Runs a function on `size` ranks, each a thread; resolves to what each has returned (structured-cloneable), in the
 * order of ranks. Where a rank throws or ends early the others get a CommunicationError when they wait for it, and the
 * promise is rejected with the first rank's own error once all have ended.
 */
export async function runOnThreads<D, R>(size: number, { module, name, data }: RankProgram<D>): Promise<R[]> {
  requireWhole(size, 'size', 1, 1024);
  const world = createThreadWorld(size);
  const failures: unknown[] = [];
  const run = (rank: number): Promise<R | undefined> =>
    new Promise((resolve) => {
      let result: { readonly value: R } | undefined;
      const start: RankStart<D> = { world, rank, data };
      const worker = new Worker(CODE, {
        eval: true,
        workerData: { module: String(module), name, start },
        execArgv: [],
      });
      const fail = (error: unknown): void => {
        failures.push(error);
        new SharedWorld(world, rank).fail(rank);
      };
      worker.on('message', (value: R) => {
        result = { value };
      });
      worker.on('error', fail);
      worker.on('exit', (code) => {
        if (result === undefined && failures.length === 0)
          fail(new CommunicationError(`Rank ${rank} of ${size} ended with status ${code}.`, { rank, size, code }));
        resolve(result?.value);
      });
    });
  const results = await Promise.all(Array.from({ length: size }, (_, rank) => run(rank)));
  // What the others say, that a rank has failed, may come before what that rank says.
  if (failures.length > 0) throw failures.find((error) => !isConsequence(error)) ?? failures[0];
  return results as R[];
}

const isConsequence = (error: unknown): boolean => (error as { readonly code?: unknown }).code === 'communication';
