/**
 * Columns that conjugate gradients on a device step side by side: when each has converged, and when all must end.
 */
import type { AbortSignalLike } from '../core/context.js';
import type { FloatArray } from '../core/floats.js';
import type { DeviceIterates, StepScalars } from './device-system.js';
import { curvatureRounding, type ResolvedTolerances } from './solver-checks.js';
import { Stagnation, WORTH_KEEPING } from './stagnation.js';

/** What a group is solved to. */
export interface GroupGoal {
  readonly size: number;
  /** ‖b‖ of each column as it lies on the device, and its relative residual to reach. */
  readonly lengths: Float64Array;
  readonly targets: Float64Array;
  readonly tolerances: ResolvedTolerances;
  /** Whether there is a preconditioner. */
  readonly preconditioned: boolean;
  /** Whether the x of least residual is kept, and handed back where none converged. */
  readonly keepsBest: boolean;
  readonly signal: AbortSignalLike | undefined;
  /** After each step: the largest estimated relative residual. */
  readonly onStep: (residual: number) => void;
}

/** How a group ended. */
export type GroupOutcome =
  | { readonly outcome: 'converged' | 'maxIterations' | 'stagnated' | 'nonFinite' | 'aborted' }
  | {
      readonly outcome: 'indefinite' | 'singular';
      readonly curvature: number;
      readonly curvatureBound: number;
      /** Whose direction it is. */
      readonly column: number;
    }
  | { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number };

/** Curvatures below this share of the largest, in units of rounding, are rounding (curvature-watch.ts). */
const LEAST_CURVATURE = 32;

/** One group. */
export class DeviceGroup {
  readonly #iterates: DeviceIterates;
  readonly #goal: GroupGoal;
  /** Largest pᵀAp/pᵀp: ‖A‖ from below. */
  #norm = 0;
  /** Of each column: rᵀz of the step before, pᵀM⁻¹p, and the largest pᵀAp/pᵀM⁻¹p. */
  readonly #before: Float64Array;
  readonly #squared: Float64Array;
  readonly #largest: Float64Array;
  /** The relative residual of the x that is kept, as it was estimated. */
  readonly #least: Float64Array;
  /** Relative residuals: of the recurrence, and at last true ones. */
  residuals: Float64Array;
  readonly columnIterations: Int32Array;
  readonly history: number[] = [];
  iterations = 0;
  products = 0;
  restarts = 0;

  constructor(iterates: DeviceIterates, goal: GroupGoal) {
    const columns = goal.lengths.length;
    this.#iterates = iterates;
    this.#goal = goal;
    [this.#before, this.#squared, this.#largest, this.#least] = [0, 1, 2, 3].map(() => new Float64Array(columns));
    this.residuals = new Float64Array(columns);
    this.columnIterations = new Int32Array(columns).fill(-1);
  }

  /** Steps to the end. */
  async run(): Promise<GroupOutcome> {
    const { size, tolerances, keepsBest } = this.#goal;
    const stagnation = new Stagnation(size, tolerances.maxRestarts);
    await this.measure();
    this.#mark();
    this.history.push(this.#worst());
    let end: GroupOutcome | undefined = Number.isFinite(this.#worst()) ? undefined : { outcome: 'nonFinite' };
    while (end === undefined && !this.#converged()) {
      const before = this.#worst();
      stagnation.begin(before);
      const start = keepsBest ? { x: await this.#iterates.fetch('x'), residuals: this.residuals } : undefined;
      if (keepsBest) this.#keep(() => true);
      end = await this.#cycle(stagnation);
      const estimates = this.residuals;
      await this.measure();
      if (end === undefined && !Number.isFinite(this.#worst())) end = { outcome: 'nonFinite' };
      if (start !== undefined && !this.#converged()) await this.#putBack(start, estimates);
      if (end !== undefined) break;
      if (this.#converged()) break;
      else if (stagnation.goesOn(this.#worst(), before)) stagnation.restart();
      else end = { outcome: 'stagnated' };
    }
    this.restarts = stagnation.restarts;
    for (let q = 0; q < this.columnIterations.length; q++)
      if (this.columnIterations[q] < 0) this.columnIterations[q] = this.iterations;
    return end === undefined || this.#converged() ? { outcome: 'converged' } : end;
  }

  /** True residuals, by a product on the device. */
  async measure(): Promise<void> {
    const { rr } = await this.#iterates.residual();
    this.products += rr.length;
    this.#take(rr);
  }

  /** Steps until the recurrence has converged, hovers (undefined), or must end. */
  async #cycle(stagnation: Stagnation): Promise<GroupOutcome | undefined> {
    const { tolerances, signal, onStep, lengths, keepsBest } = this.#goal;
    for (let first = true; ; first = false) {
      if (signal?.aborted === true) return { outcome: 'aborted' };
      if (this.iterations === tolerances.maxIterations) return { outcome: 'maxIterations' };
      const scalars = await this.#iterates.step(first);
      this.products += lengths.length;
      const stop = this.#judge(scalars, first);
      if (stop !== undefined) return stop;
      this.iterations++;
      this.#take(scalars.rr);
      this.#mark();
      if (keepsBest) this.#keep((q) => this.residuals[q] <= WORTH_KEEPING * this.#least[q]);
      this.history.push(this.#worst());
      onStep(this.#worst());
      if (this.#converged() || stagnation.hovers(this.#worst(), () => this.#level(scalars))) return undefined;
    }
  }

  /** Keeps x in those columns. */
  #keep(isKept: (q: number) => boolean): void {
    const kept = Array.from(this.residuals, (_, q) => isKept(q));
    if (!kept.includes(true)) return;
    this.#iterates.keep(kept);
    kept.forEach((own, q) => {
      if (own) this.#least[q] = this.residuals[q];
    });
  }

  /**
   * Columns that missed their target go back to the best x there was, and are never worse than as the cycle began.
   */
  async #putBack(
    start: { readonly x: FloatArray; readonly residuals: Float64Array },
    estimates: Float64Array,
  ): Promise<void> {
    const { targets } = this.#goal;
    const iterates = this.#iterates;
    const last = this.residuals;
    const tried = Array.from(last.keys()).filter((q) => {
      const near = Math.min(estimates[q], last[q]) <= this.#least[q] / WORTH_KEEPING;
      return this.#active(q) && this.#least[q] < start.residuals[q] && !near;
    });
    const reached = last.slice();
    let worse: number[] = [];
    if (tried.length > 0) {
      const ended = await iterates.fetch('x');
      await iterates.putBack(tried, await iterates.fetch('best'));
      await this.measure();
      worse = tried.filter((q) => last[q] < this.residuals[q]);
      reached.set(this.residuals);
      for (const q of worse) reached[q] = last[q];
      await iterates.putBack(worse, ended);
    }
    const lost = Array.from(reached.keys()).filter((q) => !(reached[q] <= Math.max(targets[q], start.residuals[q])));
    await iterates.putBack(lost, start.x);
    if (worse.length + lost.length > 0) await this.measure();
  }

  /** Why a step was none, if so; the device takes none along a direction whose scalars are not positive. */
  #judge({ rz, pq, pp, rr }: StepScalars, first: boolean): GroupOutcome | undefined {
    const { size, tolerances, preconditioned, lengths } = this.#goal;
    for (let q = 0; q < lengths.length; q++) {
      if (!this.#active(q)) continue;
      if (![rz[q], pq[q], pp[q], rr[q]].every(Number.isFinite)) return { outcome: 'nonFinite' };
      if (rz[q] <= 0 && preconditioned)
        return {
          outcome: 'indefinitePreconditioner',
          preconditionerCurvature: rz[q] / (this.residuals[q] * lengths[q]) ** 2,
        };
      const beta = first ? 0 : rz[q] / this.#before[q];
      this.#before[q] = rz[q];
      this.#squared[q] = rz[q] + beta * beta * this.#squared[q];
      const curvature = pq[q] / this.#squared[q];
      this.#largest[q] = Math.max(this.#largest[q], curvature);
      this.#norm = Math.max(this.#norm, Math.abs(pq[q]) / pp[q]);
      if (curvature > LEAST_CURVATURE * tolerances.roundoff * this.#largest[q]) continue;
      if (pq[q] > 0) this.#iterates.undo();
      const curvatureBound = curvatureRounding(size, tolerances.roundoff) * this.#norm;
      const own = pq[q] / pp[q];
      return { outcome: own < -curvatureBound ? 'indefinite' : 'singular', curvature: own, curvatureBound, column: q };
    }
    return undefined;
  }

  /** The level of rounding, ε·‖A‖‖x‖/‖b‖, of the column where it is highest. */
  #level({ xx }: StepScalars): number {
    const { lengths, tolerances } = this.#goal;
    let level = 0;
    for (let q = 0; q < lengths.length; q++)
      if (this.#active(q)) level = Math.max(level, (tolerances.roundoff * this.#norm * Math.sqrt(xx[q])) / lengths[q]);
    return level;
  }

  #take(rr: ArrayLike<number>): void {
    const { lengths } = this.#goal;
    this.residuals = Float64Array.from(lengths, (length, q) => (length > 0 ? Math.sqrt(rr[q]) / length : 0));
  }

  /** Columns that have converged at this step. */
  #mark(): void {
    for (let q = 0; q < this.columnIterations.length; q++)
      if (this.columnIterations[q] < 0 && !this.#active(q)) this.columnIterations[q] = this.iterations;
  }

  #active(q: number): boolean {
    return !(this.residuals[q] <= this.#goal.targets[q]);
  }

  #converged(): boolean {
    return this.residuals.every((_, q) => !this.#active(q));
  }

  /** NaN where one is. */
  #worst(): number {
    return Math.max(0, ...this.residuals);
  }
}
