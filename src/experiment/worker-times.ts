/**
 * When each worker was busy in the phases of a run: for the record, and the timeline that is drawn of it.
 */
import { sharedClock } from '../parallel/busy-times.js';
import type { PhaseTimes, Team } from '../parallel/team.js';

/** From, to and busy seconds of a worker: the first two since the run began, the third of the time between them. */
export type WorkerSpan = readonly [from: number, to: number, busy: number];

/** A phase, or several of the same name one after the other. */
export interface PhaseSpans {
  readonly phase: string;
  /** By worker, the calling thread's first; null where it had no task. */
  readonly workers: readonly (WorkerSpan | null)[];
}

/** Microseconds: clocks tell no less, and records stay short. */
const inMicroseconds = (seconds: number): number => Math.round(1e6 * seconds) / 1e6;

type Spans = PhaseSpans['workers'];

/** A worker's first time and its second one together. */
function joined(a: WorkerSpan | null, b: WorkerSpan | null): WorkerSpan | null {
  if (a === null || b === null) return a ?? b;
  return [a[0], b[1], inMicroseconds(a[2] + b[2])];
}

/** Collects what a team tells of its phases, from now until `end`; phases of the same name in a row become one. */
export function observeWorkers(team: Team): { readonly end: () => PhaseSpans[] } {
  const began = sharedClock();
  const found: PhaseSpans[] = [];
  const since = (milliseconds: number): number => inMicroseconds(milliseconds / 1000);
  const stop = team.observe(({ phase, workers: told }: PhaseTimes) => {
    const workers: Spans = told.map((times) =>
      times === null ? null : [since(times[0] - began), since(times[1] - began), since(times[2])],
    );
    const last = found.at(-1);
    if (last?.phase === phase)
      found[found.length - 1] = { phase, workers: workers.map((span, w) => joined(last.workers[w], span)) };
    else found.push({ phase, workers });
  });
  return {
    end: () => {
      stop();
      return found;
    },
  };
}
