/**
 * Parts of one running task: its worker offers them, whoever has no task of his own takes some.
 * Near the root of a tree there are fewer tasks than workers; the dense work of a task is then done by several. Which
 * parts there are is the task's to say and must not depend on the team; who does a part never matters to its result.
 */
import { FAILED, laneAt, lanesOf, OFFERS, PARTS_DONE, PARTS_LEFT, wakeSleepers } from './control-block.js';

/** Thrown by a task whose parts will never be done, because the run has failed elsewhere. */
export const STOPPED = Symbol('stopped');

/** Polls before the worker whose parts others still do goes to sleep. */
const SPINS = 4000;
/** It then looks this often whether the run has failed. */
const LOOK_MILLISECONDS = 20;

/** A part of the task of this lane that nobody has taken, or −1. */
function takePart(control: Int32Array, lane: number): number {
  for (let left = Atomics.load(control, lane + PARTS_LEFT); left > 0;) {
    // What is taken is a part of the task that runs now, whichever was looked at: it cannot end before that is done.
    const seen = Atomics.compareExchange(control, lane + PARTS_LEFT, left, left - 1);
    if (seen === left) return left - 1;
    left = seen;
  }
  return -1;
}

/**
 * Does parts 0 … count − 1 of the task that this worker runs, with the help of idle ones, and returns when all are
 * done. `watch` is called while it waits for others. Throws STOPPED where the run has failed.
 */
export function runParts(
  control: Int32Array,
  worker: number,
  count: number,
  run: (part: number) => void,
  watch: () => void,
): void {
  const lane = laneAt(worker);
  Atomics.store(control, lane + PARTS_DONE, 0);
  Atomics.store(control, lane + PARTS_LEFT, count);
  Atomics.add(control, OFFERS, 1);
  wakeSleepers(control);
  try {
    for (let part = takePart(control, lane); part >= 0; part = takePart(control, lane)) {
      run(part);
      Atomics.add(control, lane + PARTS_DONE, 1);
      if (Atomics.load(control, FAILED) !== 0) throw STOPPED;
    }
  } finally {
    Atomics.store(control, lane + PARTS_LEFT, 0);
    Atomics.sub(control, OFFERS, 1);
  }
  for (let spins = 0; ; spins++) {
    const done = Atomics.load(control, lane + PARTS_DONE);
    if (done === count) return;
    if (Atomics.load(control, FAILED) !== 0) throw STOPPED;
    if (spins < SPINS) continue;
    if (Atomics.wait(control, lane + PARTS_DONE, done, LOOK_MILLISECONDS) === 'timed-out') watch();
  }
}

/** As `runParts`, of a thread that has no team. */
export function runAlone(count: number, run: (part: number) => void): void {
  for (let part = 0; part < count; part++) run(part);
}

/**
 * Does one part of another worker's task, `part(owner, number)`, where one is offered; says whether it did. What the
 * part throws is thrown.
 */
export function helpWithPart(
  control: Int32Array,
  worker: number,
  part: ((owner: number, part: number) => void) | undefined,
): boolean {
  if (part === undefined || Atomics.load(control, OFFERS) === 0) return false;
  const lanes = lanesOf(control);
  for (let l = 1; l < lanes; l++) {
    const owner = (worker + l) % lanes;
    const lane = laneAt(owner);
    const taken = takePart(control, lane);
    if (taken < 0) continue;
    part(owner, taken);
    Atomics.add(control, lane + PARTS_DONE, 1);
    Atomics.notify(control, lane + PARTS_DONE);
    return true;
  }
  return false;
}
