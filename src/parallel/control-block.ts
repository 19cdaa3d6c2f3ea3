/**
 * The control block of a team: the words that its workers schedule by (schedule.ts, parts.ts), over shared memory.
 * Words that are written by different workers, or at different times, stand on cache lines of their own.
 */

/** Word of a team's shared control block: runs so far; workers sleep on it between runs. */
export const GENERATION = 0;
/** Word of the control block: counts whatever somebody may sleep for (a ready task, the end of a run, a failure). */
export const EVENT = 1;
/** Word of the control block: workers that have left the run. */
export const FINISHED = 2;
/** Word of the control block: not 0 once a task of the run has failed; the others then stop. */
export const FAILED = 3;
/** Word of the control block: workers that sleep until a task is ready. */
export const SLEEPERS = 4;
/** Word of the control block: whether the run's workers note when they are busy (busy-times.ts). */
export const TIMED = 6;
/** Word of the control block: independent tasks handed out so far. By itself: 32 words are two cache lines. */
export const NEXT = 32;

/** Word of the control block: tasks whose parts are offered to others (parts.ts). */
export const OFFERS = 5;

/** The lanes begin at this word of the control block. */
export const LANES = 64;
/** Words of a lane: its counters stand on cache lines of their own, by who writes them. */
export const LANE_WORDS = 128;
/** Word of a lane: tasks that were taken from it. */
export const TAKEN = 0;
/** Word of a lane: tasks that were put into it. */
export const READY = 32;
/** Word of a lane: where it begins in the graph's queue. */
export const BEGIN = 33;
/** Word of a lane: tasks that its worker has done, of any lane. */
export const DONE = 48;
/** Word of a lane: parts of its worker's task that nobody has taken. */
export const PARTS_LEFT = 64;
/** Word of a lane: parts of that task that are done. */
export const PARTS_DONE = 96;

/** Words of a lane: when its worker was busy, six words for three doubles. By themselves on a cache line. */
export const TIMES = 112;

/** Length of the control block of a team, in int32 words. */
export const controlWords = (workers: number): number => LANES + LANE_WORDS * workers;

/** Lanes of a control block: its team's workers. */
export const lanesOf = (control: Int32Array): number => (control.length - LANES) / LANE_WORDS;

/** The lane of a worker, as a word of the control block. */
export const laneAt = (worker: number): number => LANES + LANE_WORDS * worker;

/** Wakes everybody who waits for a task, for the end of a run or for news of a failure. */
export function signalEvent(control: Int32Array): void {
  Atomics.add(control, EVENT, 1);
  Atomics.notify(control, EVENT);
}

/** As `signalEvent`, where somebody waits for a task. */
export function wakeSleepers(control: Int32Array): void {
  if (Atomics.load(control, SLEEPERS) > 0) signalEvent(control);
}
