/**
 * The walk of a task graph by one worker: claim, run, release successors.
 * Ready tasks stand in lanes, one a worker. A task's lane follows from its place in the graph alone, so that a graph
 * that runs again finds its tasks' data in the cache of the same core: cores of one processor may have no cache in
 * common. Who has no task in his lane takes one of another's, and who finds none at all a part of one that is running
 * (parts.ts); who runs a task never matters to its result.
 */
import {
  BEGIN,
  DONE,
  EVENT,
  FAILED,
  FINISHED,
  laneAt,
  LANE_WORDS,
  LANES,
  lanesOf,
  NEXT,
  OFFERS,
  PARTS_DONE,
  PARTS_LEFT,
  READY,
  SLEEPERS,
  TAKEN,
  wakeSleepers,
} from './control-block.js';
import { BusyTimes, sharedClock } from './busy-times.js';
import { helpWithPart, STOPPED } from './parts.js';
import type { TaskBody } from './task.js';
import type { TaskGraph } from './task-graph.js';

/** Polls before a worker goes to sleep: a few tens of microseconds, the time a fork–join takes when nobody sleeps. */
export const SPINS = 4000;

/** Yielded after each task. */
export const TASK_DONE = -0x80000000;

/** Tasks of the run that are done so far. */
export function doneTasks(control: Int32Array): number {
  let done = 0;
  for (let at = LANES; at < control.length; at += LANE_WORDS) done += Atomics.load(control, at + DONE);
  return done;
}

/** Readies the graph and the control block for a run. */
export function resetRun(control: Int32Array, graph: TaskGraph): void {
  for (const word of [NEXT, FINISHED, FAILED, SLEEPERS, OFFERS]) Atomics.store(control, word, 0);
  const lanes = lanesOf(control);
  for (let at = LANES; at < control.length; at += LANE_WORDS)
    for (const word of [TAKEN, READY, BEGIN, DONE, PARTS_LEFT, PARTS_DONE]) control[at + word] = 0;
  if (graph.independent) return;
  const { count, place, predecessors, queue, remaining } = graph;
  remaining.set(predecessors);
  queue.fill(0);
  for (let task = 0; task < count; task++) control[laneOf(place[task], lanes) + BEGIN]++;
  for (let lane = 0, begin = 0; lane < lanes; lane++) {
    const at = LANES + LANE_WORDS * lane + BEGIN;
    const tasks = control[at];
    control[at] = begin;
    begin += tasks;
  }
  for (let task = 0; task < count; task++) {
    if (predecessors[task] > 0) continue;
    const lane = laneOf(place[task], lanes);
    queue[control[lane + BEGIN] + control[lane + READY]++] = task + 1;
  }
}

/** The lane of a task, as a word of the control block. */
const laneOf = (place: number, lanes: number): number => laneAt((place * lanes) >>> 16);

/** A ready task: of the worker's own lane, else of the next one that has any; −1 where there is none. */
function claim(control: Int32Array, queue: Int32Array, worker: number, lanes: number): number {
  for (let l = 0; l < lanes; l++) {
    const lane = laneAt((worker + l) % lanes);
    for (let taken = Atomics.load(control, lane + TAKEN); taken < Atomics.load(control, lane + READY);) {
      // Empty where the one who puts a task there is about to.
      const task = Atomics.load(queue, control[lane + BEGIN] + taken) - 1;
      if (task < 0) break;
      const seen = Atomics.compareExchange(control, lane + TAKEN, taken, taken + 1);
      if (seen === taken) return task;
      taken = seen;
    }
  }
  return -1;
}

/** Whether every task was taken. */
function allTaken(control: Int32Array, count: number): boolean {
  let taken = 0;
  for (let at = LANES; at < control.length; at += LANE_WORDS) taken += Atomics.load(control, at + TAKEN);
  return taken === count;
}

/** Puts the successors that wait for nobody else into their lanes. */
function release(control: Int32Array, graph: TaskGraph, task: number, lanes: number): void {
  const { place, queue, remaining, successorBegin, successors } = graph;
  let released = false;
  for (let s = successorBegin[task]; s < successorBegin[task + 1]; s++) {
    const successor = successors[s];
    if (Atomics.sub(remaining, successor, 1) !== 1) continue;
    const lane = laneOf(place[successor], lanes);
    Atomics.store(queue, control[lane + BEGIN] + Atomics.add(control, lane + READY, 1), successor + 1);
    released = true;
  }
  if (released) wakeSleepers(control);
}

/**
 * Runs tasks as the worker of that number until none is left or the run has failed. Yields TASK_DONE after a task, and
 * the value of control[EVENT] to sleep on whenever nothing is ready; the driver decides how to sleep.
 */
export function* drain(
  control: Int32Array,
  graph: TaskGraph,
  worker: number,
  body: (task: number) => void,
  part?: TaskBody<never>['part'],
): Generator<number, void> {
  const { count, independent, queue } = graph;
  const lanes = lanesOf(control);
  const own = laneAt(worker);
  const times = BusyTimes.of(control, worker);
  // Who may still help with parts stays until the last task is done.
  const isOver = (): boolean => (part === undefined ? allTaken(control, count) : doneTasks(control) === count);
  for (let spins = 0; ;) {
    if (Atomics.load(control, FAILED) !== 0) return;
    let task: number;
    if (independent) {
      task = Atomics.add(control, NEXT, 1);
      if (task >= count) {
        times?.rest();
        return;
      }
    } else {
      task = claim(control, queue, worker, lanes);
      if (task < 0) {
        times?.rest();
        const since = times === undefined || Atomics.load(control, OFFERS) === 0 ? undefined : sharedClock();
        if (helpWithPart(control, worker, part)) {
          times?.work(since);
          spins = 0;
          continue;
        }
        if (isOver()) {
          // Nobody else will wake those who sleep.
          wakeSleepers(control);
          return;
        }
        if (spins++ < SPINS) continue;
        Atomics.add(control, SLEEPERS, 1);
        const event = Atomics.load(control, EVENT);
        // From here on whoever puts a task into a lane, offers parts, ends the run or fails signals: look once more.
        task = claim(control, queue, worker, lanes);
        const idle = task < 0 && Atomics.load(control, OFFERS) === 0 && !isOver();
        if (idle && Atomics.load(control, FAILED) === 0) yield event;
        Atomics.sub(control, SLEEPERS, 1);
        if (task < 0) continue;
      }
    }
    spins = 0;
    times?.work();
    try {
      body(task);
    } catch (error) {
      // Another worker's failure, which it reports.
      if (error === STOPPED) return;
      throw error;
    }
    if (!independent) release(control, graph, task, lanes);
    Atomics.add(control, own + DONE, 1);
    yield TASK_DONE;
  }
}
