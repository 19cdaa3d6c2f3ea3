/**
 * A worker in Node: wait for messages, run its share of each phase, until told to stop.
 */
import { availableParallelism } from 'node:os';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { fromSent } from './array-place.js';
import { GENERATION } from './control-block.js';
import { MessageServer } from './message-server.js';
import type { Message } from './messages.js';
import type { ThreadData } from './threads.js';

/** Polls of the generation word before sleeping: iterative solvers come back within tens of microseconds. */
const SPINS = 20_000;
/** Where the team has more workers than there are cores, whoever polls has the core of one that works. */
const SPINS_WITHOUT_CORE = 100;

function awaitGeneration(control: Int32Array, seen: number, spins: number): void {
  for (let spin = 0; spin < spins; spin++) if (Atomics.load(control, GENERATION) !== seen) return;
  while (Atomics.load(control, GENERATION) === seen) Atomics.wait(control, GENERATION, seen);
}

/** The next message of a port, which must be there. */
const receive = (port: MessagePort): Message => fromSent(receiveMessageOnPort(port)!.message as object) as Message;

/**
 * Says that the worker is ready; the thread belongs to `serve` from then on. An error of the backend ends the thread
 * and is the thread's.
 */
function work(start: ThreadData): void {
  const server = new MessageServer(start, (report) => {
    start.port.postMessage(report);
  });
  parentPort?.postMessage('ready');
  // After the message has left.
  setImmediate(() => {
    // Out of the promise, so that it ends the thread and is reported as the thread's error.
    serve(start, server).catch((error: unknown) => {
      setImmediate(() => {
        throw error;
      });
    });
  });
}

async function serve({ control, port, workers }: ThreadData, server: MessageServer): Promise<void> {
  // process.exit inside a task ends this thread alone: say so while there is still time.
  process.once('exit', () => {
    server.abandon();
  });
  const spins = workers > availableParallelism() ? SPINS_WITHOUT_CORE : SPINS;
  for (let seen = 0, more = true; more;) {
    awaitGeneration(control, seen, spins);
    seen = (seen + 1) | 0;
    more = await server.handle(receive(port));
  }
  port.close();
}

work(workerData as ThreadData);
