/**
 * Which preconditioner to go on with, decided while the iteration runs: a race with a bound, not a bet.
 *
 * What making a preconditioner takes is known beforehand, how fast conjugate gradients converge with it is not. So the
 * iteration begins with what is cheap to make, its true rate is watched, and it moves on, keeping x, when what is left
 * by that rate costs more than what is next; at the latest when it has spent twice that. Costs are flops by the
 * candidates' own counts, not seconds: the same input makes the same choices under any load. Who moves on when as much
 * has been spent as the other way costs never pays more than twice the cheaper of the two (ski rental: A. Karlin et
 * al., Algorithmica 11, 1994).
 */

import { expectedOf, type Prediction, totalOf } from './preconditioners/kind.js';

/** What a candidate is expected to take. */
export interface Runner extends Pick<Prediction, 'setup' | 'step' | 'iterations' | 'atLeast'> {
  /** Of runners of one kind the dearer to make is the better one: who was left takes the cheaper ones along. */
  readonly kind: string;
}

/** Of unknown costs so much more than the least one is about as little. */
const CLOSE = 1.1;
/** It is left early only when what is left exceeds the next one's cost by this factor, */
const CLEARLY = 2;
/** when so much of that cost has been spent already; */
const EARLY = 1 / 4;
/** and after so many iterations, for the first ones tell little of a rate; */
const TELLING = 5;
/** from the whole cost on it goes on only where what is left is less than that cost; */
const NEARLY_DONE = 1;
/** and it is left when it has spent so many times that cost. */
const PATIENCE = 2;
/**
 * The race among runners to a relative residual. `current` runs; `watch` after each of its iterations tells whether to
 * move on, `moveOn` who is next.
 */
export class Race {
  readonly #runners: readonly Runner[];
  readonly #tolerance: number;
  readonly #watched: boolean;
  /** Runners that were left or could not be made, and those that they take along. */
  readonly #out = new Set<number>();
  #current: number;
  /** Least relative residuals of the current runner so far: the start's first. */
  #least: number[] = [];

  /** At least one runner. Where they are not watched, the one of least expected cost runs to its end. */
  constructor(runners: readonly Runner[], tolerance: number, watched = true) {
    this.#runners = runners;
    this.#tolerance = tolerance;
    this.#watched = watched;
    this.#current = this.#first();
  }

  /** Number of the runner that runs. */
  get current(): number {
    return this.#current;
  }

  /** The runner to go on with where the current one is left; undefined where there is none. */
  get next(): number | undefined {
    let best: number | undefined;
    this.#runners.forEach((runner, i) => {
      if (this.#isOut(i)) return;
      if (best === undefined || this.#before(runner, this.#runners[best])) best = i;
    });
    return best;
  }

  /** Whether the runner was left, or would be along with the current one. */
  #isOut(i: number): boolean {
    const { kind, setup } = this.#runners[this.#current];
    return this.#out.has(i) || (this.#runners[i].kind === kind && this.#runners[i].setup <= setup);
  }

  /** The cheapest to make of those that are expected to be about the cheapest. */
  #first(): number {
    const least = Math.min(...this.#runners.map(expectedOf));
    if (!this.#watched) return this.#runners.findIndex((runner) => expectedOf(runner) === least);
    let first = -1;
    this.#runners.forEach((runner, i) => {
      if (expectedOf(runner) > (runner.atLeast ? CLOSE : 1) * least) return;
      const other = this.#runners[first] as Runner | undefined;
      if (
        other === undefined ||
        runner.setup < other.setup ||
        (runner.setup === other.setup && totalOf(runner) < totalOf(other))
      )
        first = i;
    });
    return first;
  }

  /** The cheaper one; of unknown costs their bound is counted so many times. */
  #before(a: Runner, b: Runner): boolean {
    return expectedOf(a) < expectedOf(b);
  }

  /** The relative residual from which the current runner starts. */
  start(residual: number): void {
    this.#least = [residual];
  }

  /** Takes the relative residual after an iteration; returns whether to move on. */
  watch(residual: number): boolean {
    const { next } = this;
    this.#least.push(Math.min(residual, this.#least[this.#least.length - 1]));
    if (next === undefined || !this.#watched) return false;
    const { step, iterations, atLeast } = this.#runners[this.#current];
    const steps = this.#least.length - 1;
    const another = this.#runners[next];
    // Nobody leaves what goes as was known for what nobody knows.
    if (another.atLeast && !atLeast && steps < PATIENCE * iterations) return false;
    const spent = step * steps;
    const other = expectedOf(another);
    if (spent < EARLY * other || (steps < TELLING && spent < other)) return false;
    const left = step * this.iterationsLeft();
    if (spent >= PATIENCE * other) return left > 0;
    return left > (spent >= other ? NEARLY_DONE : CLEARLY) * other;
  }

  /** By the rate of the latter half of its iterations so far; Infinity where the residual does not fall. */
  iterationsLeft(): number {
    const steps = this.#least.length - 1;
    const now = this.#least[steps];
    if (now <= this.#tolerance) return 0;
    const half = steps >> 1;
    const rate = Math.log(this.#least[half] / now) / (steps - half);
    return rate > 0 ? Math.log(now / this.#tolerance) / rate : Infinity;
  }

  /** Leaves the current runner for the next; returns false, and stays, where there is none. */
  moveOn(): boolean {
    const { next } = this;
    if (next === undefined) return false;
    this.#runners.forEach((_, i) => {
      if (this.#isOut(i)) this.#out.add(i);
    });
    this.#current = next;
    return true;
  }
}
