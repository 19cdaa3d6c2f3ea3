/**
 * Running the steps of a solver to their end: at once, or in turns with the event loop.
 */
import { nextTurn } from '../core/event-loop.js';

/** Milliseconds after which a solve in turns lets others in. */
const TURN_MS = 50;

/** What `steps` returns, all steps taken one after the other. */
export function runAtOnce<S>(steps: Generator<unknown, S, void>): S {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The same steps and the same result; timers and signals get their turn in between. */
export async function runInTurns<S>(steps: Generator<unknown, S, void>): Promise<S> {
  let turn = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - turn > TURN_MS) {
      await nextTurn();
      turn = performance.now();
    }
  }
}
