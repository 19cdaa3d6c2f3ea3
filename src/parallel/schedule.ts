/**
 * The walk of a task graph by one worker: claim, run, release successors.
 */
import type { TaskGraph } from './task-graph.js';

/** Word of a team's shared control block: runs so far; workers sleep on it between runs. */
export const GENERATION = 0;
/** Word of the control block: counts whatever somebody may sleep for (a ready task, the end of a run, a failure). */
export const EVENT = 1;
/** Word of the control block: slots of the queue claimed so far. */
export const HEAD = 2;
/** Word of the control block: slots of the queue filled so far. */
export const TAIL = 3;
/** Word of the control block: workers that have left the run. */
export const FINISHED = 4;
/** Word of the control block: not 0 once a task of the run has failed; the others then stop. */
export const FAILED = 5;
/** Word of the control block: tasks done so far, for progress. */
export const DONE = 6;
/** Length of the control block, in int32 words. */
export const CONTROL_WORDS = 16;

/** Polls before a worker goes to sleep: a few tens of microseconds, the time a fork–join takes when nobody sleeps. */
export const SPINS = 4000;

/** Yielded after each task. */
export const TASK_DONE = -0x80000000;

/** Wakes everybody who waits for a task, for the end of a run or for news of a failure. */
export function signalEvent(control: Int32Array): void {
  Atomics.add(control, EVENT, 1);
  Atomics.notify(control, EVENT);
}

/**
 * Runs tasks until none is left or the run has failed. Yields TASK_DONE after a task, and the value of control[EVENT]
 * to sleep on whenever nothing is ready; the driver decides how to sleep.
 */
export function* drain(control: Int32Array, graph: TaskGraph, body: (task: number) => void): Generator<number, void> {
  const { count, independent, queue, remaining, successorBegin, successors } = graph;
  for (;;) {
    const slot = Atomics.add(control, HEAD, 1);
    if (slot >= count) return;
    let task = slot;
    if (!independent) {
      let spins = 0;
      for (;;) {
        task = Atomics.load(queue, slot) - 1;
        if (task >= 0) break;
        if (Atomics.load(control, FAILED) !== 0) return;
        if (spins++ < SPINS) continue;
        const event = Atomics.load(control, EVENT);
        if (Atomics.load(queue, slot) === 0 && Atomics.load(control, FAILED) === 0) yield event;
      }
    }
    if (Atomics.load(control, FAILED) !== 0) return;
    body(task);
    if (!independent) {
      let released = false;
      for (let s = successorBegin[task]; s < successorBegin[task + 1]; s++) {
        const successor = successors[s];
        if (Atomics.sub(remaining, successor, 1) === 1) {
          Atomics.store(queue, Atomics.add(control, TAIL, 1), successor + 1);
          released = true;
        }
      }
      if (released) signalEvent(control);
    }
    Atomics.add(control, DONE, 1);
    yield TASK_DONE;
  }
}
