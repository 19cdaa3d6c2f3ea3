/**
 * When each worker of a team was busy in a run: from its first task on, to its last one's end, and how long of that.
 * The clock is read where a worker's waiting begins or ends, not at each task, and of runs that somebody observes
 * alone. The numbers stand in the worker's own lane of the control block, on a cache line that nobody else writes.
 */
import { laneAt, lanesOf, TIMED, TIMES } from './control-block.js';

/** A worker's numbers: milliseconds of the clock at the beginning and at the end, and milliseconds of work between. */
const [FROM, TO, BUSY, NUMBERS] = [0, 1, 2, 3];

/** Milliseconds on a clock that all threads of a process share, to a fraction of a microsecond. */
export const sharedClock = (): number => performance.timeOrigin + performance.now();

const timesAt = (control: Int32Array, worker: number): Float64Array =>
  new Float64Array(control.buffer, control.byteOffset + 4 * (laneAt(worker) + TIMES), NUMBERS);

/** Says whether the coming run is timed. Before it begins. */
export function setTimed(control: Int32Array, timed: boolean): void {
  Atomics.store(control, TIMED, timed ? 1 : 0);
  if (timed) for (let worker = 0; worker < lanesOf(control); worker++) timesAt(control, worker).fill(0);
}

/** Notes when its worker works in the run under way. */
export class BusyTimes {
  readonly #times: Float64Array;
  /** Since when it works; 0 while it waits. */
  #since = 0;

  private constructor(times: Float64Array) {
    this.#times = times;
  }

  /** That of a worker in the run under way; undefined where that is not timed. */
  static of(control: Int32Array, worker: number): BusyTimes | undefined {
    return Atomics.load(control, TIMED) === 0 ? undefined : new BusyTimes(timesAt(control, worker));
  }

  /** A task begins, or began at the moment `from`. */
  work(from?: number): void {
    if (this.#since !== 0) return;
    this.#since = from ?? sharedClock();
    if (this.#times[FROM] === 0) this.#times[FROM] = this.#since;
  }

  /** There is nothing to do. */
  rest(): void {
    if (this.#since === 0) return;
    const now = sharedClock();
    this.#times[TO] = now;
    this.#times[BUSY] += now - this.#since;
    this.#since = 0;
  }
}

/** When a worker was busy: from, to, and how long of that; milliseconds of the shared clock. */
export type Busy = readonly [from: number, to: number, busy: number];

/** Of each worker of a timed run that is over when it was busy; null where it had no task. */
export const busyOf = (control: Int32Array): (Busy | null)[] =>
  Array.from({ length: lanesOf(control) }, (_, worker) => {
    const times = timesAt(control, worker);
    return times[FROM] === 0 ? null : [times[FROM], times[TO], times[BUSY]];
  });
