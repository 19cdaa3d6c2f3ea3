/**
 * A worker: wait for messages, run its share of each phase, until told to stop.
 */
import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { openWorkerBlas } from '../dense/backend.js';
import { collectGarbage } from './collect.js';
import { EVENT, FAILED, FINISHED, GENERATION, signalEvent } from './control-block.js';
import { Executor } from './executor.js';
import type { TaskDefinition } from './task.js';
import { receive, sendFailure, type Message, type Thrown, type WorkerStart } from './messages.js';
import type { ThreadData } from './threads.js';
import { drain, TASK_DONE } from './schedule.js';
import type { TaskGraph } from './task-graph.js';

/** Polls of the generation word before sleeping: iterative solvers come back within tens of microseconds. */
const SPINS = 20_000;
/** Where the team has more workers than there are cores, whoever polls has the core of one that works. */
const SPINS_WITHOUT_CORE = 100;

function awaitGeneration(control: Int32Array, seen: number, spins: number): void {
  for (let spin = 0; spin < spins; spin++) if (Atomics.load(control, GENERATION) !== seen) return;
  while (Atomics.load(control, GENERATION) === seen) Atomics.wait(control, GENERATION, seen);
}

/**
 * Says that the worker is ready; the thread belongs to `serve` from then on. An error of the backend ends the thread
 * and is the thread's.
 */
function work(start: WorkerStart): void {
  const executor = new Executor(openWorkerBlas(start.blas), start.worker, start.workers, start.control);
  parentPort?.postMessage('ready');
  // After the message has left.
  setImmediate(() => {
    // Out of the promise, so that it ends the thread and is reported as the thread's error.
    serve(start, executor).catch((error: unknown) => {
      setImmediate(() => {
        throw error;
      });
    });
  });
}

async function serve({ control, port, worker, workers }: WorkerStart, executor: Executor): Promise<void> {
  const fail = (error: unknown): void => {
    sendFailure(port, error);
    Atomics.compareExchange(control, FAILED, 0, worker + 1);
  };
  // process.exit inside a task ends this thread alone: say so while there is still time.
  let running = false;
  process.once('exit', () => {
    if (!running) return;
    fail(new Error('the worker exited while it ran a task'));
    Atomics.add(control, FINISHED, 1);
    signalEvent(control);
  });
  const graphs = new Map<number, TaskGraph>();
  // Functions of their own: what this one's variables held last, the state of a phase among it, is never collected.
  const hold = async ({ id, state, modules }: Message & { readonly type: 'share' }): Promise<void> => {
    const loading = executor.load(modules);
    const failure = await loading.then(
      () => undefined,
      (value: unknown): Thrown => ({ value }),
    );
    executor.hold(id, state, failure);
  };
  const run = async (message: Message & { readonly type: 'run' }): Promise<void> => {
    if (message.graph !== null) graphs.set(message.graphId, message.graph);
    await executor.load([message.module]);
    const definition = executor.context.modules(message.module)[message.name] as TaskDefinition<never, never>;
    const body = executor.body(message.state, definition);
    const graph = graphs.get(message.graphId)!;
    for (const event of drain(control, graph, worker, (task) => body(task, message.args), body.part)) {
      if (event !== TASK_DONE) Atomics.wait(control, EVENT, event);
    }
  };
  const spins = workers > availableParallelism() ? SPINS_WITHOUT_CORE : SPINS;
  let seen = 0;
  for (;;) {
    awaitGeneration(control, seen, spins);
    seen = (seen + 1) | 0;
    const message = receive(port);
    if (message.type === 'stop') break;
    if (message.type === 'release') {
      executor.release(message.id);
    } else if (message.type === 'share') {
      await hold(message);
    } else if (message.type === 'forget') {
      graphs.delete(message.graphId);
    } else if (message.type === 'collect') {
      collectGarbage();
    } else {
      running = true;
      try {
        await run(message);
      } catch (error) {
        fail(error);
      }
      running = false;
      Atomics.add(control, FINISHED, 1);
      signalEvent(control);
    }
  }
  port.close();
}

work(workerData as ThreadData);
