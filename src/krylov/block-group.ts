/**
 * One group of right-hand sides of block conjugate gradients: cycles of steps, the tolerance and the best iterate of
 * each column, restarts from true residuals (stagnation.ts).
 */
import { block, copyInto, type Matrix } from '../dense/matrix.js';
import type { BlockIterates } from './block-iterates.js';
import { normFromBelow, NORM_PRODUCTS } from './operator-norm.js';
import type { RangedSystem } from './ranged-system.js';
import type { CheckedControl } from './solution.js';
import {
  curvatureRounding,
  largestEntriesOver,
  LEAST_RELATIVE_TARGET,
  safeScale,
  type ResolvedTolerances,
} from './solver-checks.js';
import { ROUNDING_LEVELS, Stagnation, WORTH_KEEPING } from './stagnation.js';
import { scaleBy } from './vector.js';

/** What ends a whole solve. */
export type Halt =
  | { readonly outcome: 'nonFinite' | 'aborted' }
  | {
      readonly outcome: 'indefinite' | 'singular';
      readonly curvature: number;
      readonly curvatureBound: number;
      readonly direction: Matrix;
    }
  | { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number };

const ABORTED: Halt = { outcome: 'aborted' };

/** One solve: what it was asked, and what has come of it so far. */
export interface Run {
  readonly b: Matrix;
  readonly out: Matrix;
  readonly control: CheckedControl;
  readonly tolerances: ResolvedTolerances;
  readonly residuals: Float64Array;
  readonly columnIterations: Int32Array;
  readonly history: number[];
  iterations: number;
  products: number;
  restarts: number;
  /** What ends the whole solve. */
  halt: Halt | undefined;
  /** What some column fell short by. */
  short: 'maxIterations' | 'stagnated' | undefined;
  /** Columns that miss their tolerance in the end. */
  unmet: number;
  unrounded: number;
}

/** Solves group after group with one system. */
export class BlockGroup {
  /** Rows that vectors have here. */
  readonly size: number;
  readonly #system: RangedSystem;
  /** ‖A‖ of the ranged system, once it was asked for. */
  #norm: number | undefined;

  constructor(system: RangedSystem) {
    this.size = system.operator.rows;
    this.#system = system;
  }

  /**
   * Loads columns first … first + count − 1 with their scales, starts and targets; returns whether any start is not
   * zero.
   */
  #load({ b, control, tolerances }: Run, work: BlockIterates, first: number, count: number): boolean {
    const { size } = this;
    const { r } = work;
    let started = false;
    const largest = largestEntriesOver(this.#system.rows, b, { first, count }, 'b');
    for (let j = 0; j < count; j++) {
      const scale = safeScale(largest[j]);
      const from = b.offset + (first + j) * b.ld;
      for (let i = 0; i < size; i++) r.data[i + j * size] = scale * b.data[from + i];
      work.order[j] = first + j;
      work.scales[j] = scale;
    }
    work.tall.norms(r, count, work.lengths);
    for (let j = 0; j < count; j++) {
      const length = work.lengths[j];
      if (this.#guess(control.guess, work, j)) started = true;
      work.targets[j] = Math.max(tolerances.relativeTolerance * length, tolerances.absoluteTolerance * work.scales[j]);
      work.norms[j] = work.before[j] = length;
    }
    return started;
  }

  /** x_j ← its guess, scaled; whether there is one. Of a zero right-hand side the solution is known. */
  #guess(guess: Matrix | undefined, { x, order, scales, lengths }: BlockIterates, j: number): boolean {
    const { size } = this;
    const zero = lengths[j] === 0 || guess === undefined;
    const scale = scales[j] / this.#system.factor;
    for (let i = 0; i < size; i++)
      x.data[i + j * size] = zero ? 0 : scale * guess.data[guess.offset + i + order[j] * guess.ld];
    return !zero;
  }

  /** r ← scaled b − A x for the first `count` places, and their norms. */
  #trueResiduals(run: Run, work: BlockIterates, count: number): void {
    const { size } = this;
    const { b } = run;
    const r = block(work.r, 0, 0, size, count);
    for (let j = 0; j < count; j++) {
      const from = b.offset + work.order[j] * b.ld;
      for (let i = 0; i < size; i++) r.data[i + j * size] = work.scales[j] * b.data[from + i];
    }
    this.#system.operator.applyUnchecked(r, block(work.x, 0, 0, size, count), -1, 1);
    run.products += count;
    work.tall.norms(r, count, work.norms);
  }

  /** Solves for columns first … first + count − 1 of the run; yields after every step. */
  *solve(run: Run, work: BlockIterates, first: number, count: number): Generator<undefined, void, undefined> {
    const { tolerances, control } = run;
    const stagnation = new Stagnation(this.#system.rows.size, tolerances.maxRestarts);
    work.directions.clear(true);
    if (this.#load(run, work, first, count)) this.#trueResiduals(run, work, count);
    for (let j = 0; j < count; j++) {
      work.before[j] = work.norms[j];
      if (!Number.isFinite(work.norms[j])) run.halt ??= { outcome: 'nonFinite' };
    }
    run.history.push(work.worst(count));
    let active = work.park(count, 0);
    let steps = 0;
    while (active > 0 && run.halt === undefined) {
      // A cycle, from true residuals to estimated ones; its columns are the first `cycle` places.
      const cycle = active;
      const stepsBefore = steps;
      work.directions.clear();
      if (stagnation.restarts > 0) work.keepStart(cycle);
      for (let j = 0; j < cycle; j++) work.keep(j);
      stagnation.begin(work.worst(cycle));
      let limited = false;
      while (active > 0) {
        this.#system.rows.raise(control.signal?.aborted === true);
        if (this.#system.rows.raised) run.halt = ABORTED;
        else if (steps === tolerances.maxIterations) limited = true;
        if (limited || run.halt !== undefined) break;
        const halt = this.#step(run, work, active);
        if (halt === 'exhausted') break;
        if (halt === 'rescaled') {
          scaleBy(work.x.data.subarray(0, this.size * count) as Float64Array, 1 / this.#system.factor);
          work.directions.clear(true);
          continue;
        }
        if (halt !== undefined) {
          run.halt = halt;
          break;
        }
        steps++;
        run.iterations++;
        for (let j = 0; j < active; j++) {
          run.columnIterations[work.order[j]] = steps;
          if (work.norms[j] <= WORTH_KEEPING * work.least[j]) work.keep(j);
        }
        const worst = work.worst(count);
        run.history.push(worst);
        control.onIteration?.(run.iterations, worst);
        control.onProgress?.({ phase: 'blockConjugateGradients', done: steps, total: tolerances.maxIterations });
        active = work.park(active, LEAST_RELATIVE_TARGET);
        const hovering = active;
        if (active > 0 && stagnation.hovers(work.worst(active), () => this.#level(run, work, hovering))) {
          // The rounding of b − Ax alone is as long as b: x has left along null vectors.
          if (ROUNDING_LEVELS * this.#level(run, work, active) >= 1) run.halt = this.#alongNullSpace(run, work, active);
          break;
        }
        yield undefined;
      }
      if (steps > stepsBefore) {
        work.estimates.set(work.norms);
        this.#trueResiduals(run, work, cycle);
        if (control.keep === 'best' || run.halt?.outcome === 'singular' || (run.halt === undefined && !limited))
          this.#putBack(run, work, cycle, stagnation);
      }
      if (run.halt?.outcome === 'singular' && work.worst(cycle) <= ROUNDING_LEVELS * this.#level(run, work, cycle)) {
        // What is left at the level of rounding lies along null vectors of any A.
        run.halt = undefined;
        run.short = 'stagnated';
        break;
      }
      active = this.#missing(run, work, cycle, limited, stagnation);
      if (limited && active > 0) {
        run.short = 'maxIterations';
        break;
      }
      if (active > 0 && run.halt === undefined) {
        stagnation.restart();
        run.restarts++;
      }
    }
    this.#store(run, work, count);
  }

  /** u·‖A‖‖x‖ over ‖b‖, the largest of the first columns. */
  #level(run: Run, work: BlockIterates, count: number): number {
    const norms = this.#relativeNorms(work, count);
    return run.tolerances.roundoff * this.#normOf(run) * Math.max(0, ...norms);
  }

  /** ‖x_j‖ over ‖b_j‖ of the first columns; 0 where b_j is. */
  #relativeNorms({ tall, x, lengths }: BlockIterates, count: number): Float64Array {
    const norms = new Float64Array(count);
    tall.norms(x, count, norms);
    return norms.map((norm, j) => (lengths[j] > 0 ? norm / lengths[j] : 0));
  }

  /** The longest of the first columns of x as a direction without curvature, if it is one. */
  #alongNullSpace(run: Run, work: BlockIterates, count: number): Halt | undefined {
    const norms = this.#relativeNorms(work, count);
    const longest = norms.indexOf(Math.max(...norms));
    const [direction, product] = work.directions.spare();
    copyInto(direction, block(work.x, 0, longest, this.size, 1));
    this.#system.operator.applyUnchecked(product, direction, 1, 0);
    run.products++;
    const [inner, squared] = [new Float64Array(1), new Float64Array(1)];
    work.tall.sums(
      { kind: 'columns', a: direction, b: product, count: 1, out: inner },
      { kind: 'columns', a: direction, b: direction, count: 1, out: squared },
    );
    const curvature = inner[0] / squared[0];
    return Math.abs(curvature) <= curvatureRounding(this.#system.rows.size, run.tolerances.roundoff) * this.#normOf(run)
      ? this.#told(run, curvature, direction)
      : undefined;
  }

  /** What a direction without curvature says of A itself. */
  #told(run: Run, curvature: number, direction: Matrix): Halt {
    const { factor } = this.#system;
    const bound = curvatureRounding(this.#system.rows.size, run.tolerances.roundoff) * this.#normOf(run);
    return {
      outcome: curvature < -bound ? 'indefinite' : 'singular',
      curvature: curvature / factor,
      curvatureBound: bound / factor,
      direction,
    };
  }

  #normOf(run: Run): number {
    if (this.#norm === undefined) {
      this.#norm = normFromBelow(this.#system.operator, this.#system.rows);
      run.products += NORM_PRODUCTS;
    }
    return this.#norm;
  }

  /**
   * Columns of the cycle that missed their target go back to the best x there was, and are never worse than as the
   * cycle began.
   */
  #putBack(run: Run, work: BlockIterates, cycle: number, stagnation: Stagnation): void {
    const last = work.norms.slice(0, cycle);
    const tried: number[] = [];
    for (let j = 0; j < cycle; j++) {
      const near = Math.min(work.estimates[j], last[j]) <= work.least[j] / WORTH_KEEPING;
      if (!(last[j] <= work.targets[j]) && work.least[j] < work.before[j] && !near) tried.push(j);
    }
    for (const j of tried) work.exchange(j);
    if (tried.length > 0) this.#trueResiduals(run, work, cycle);
    const worse = tried.filter((j) => last[j] < work.norms[j]);
    for (const j of worse) work.exchange(j);
    let changed = worse.length > 0;
    for (let j = 0; j < cycle; j++) {
      const reached = worse.includes(j) ? last[j] : work.norms[j];
      if (reached <= Math.max(work.targets[j], work.before[j])) continue;
      if (stagnation.restarts > 0 && work.start !== undefined)
        copyInto(block(work.x, 0, j, this.size, 1), block(work.start, 0, j, this.size, 1));
      else this.#guess(run.control.guess, work, j);
      changed = true;
    }
    if (changed) this.#trueResiduals(run, work, cycle);
  }

  /**
   * Moves those of the first `cycle` places, which have true residuals, to the front that have not met the tolerance
   * and can go on; returns their number.
   */
  #missing(run: Run, work: BlockIterates, cycle: number, limited: boolean, stagnation: Stagnation): number {
    let left = work.park(cycle, 0);
    if (run.halt !== undefined || limited) return left;
    for (let j = left - 1; j >= 0; j--) {
      if (!Number.isFinite(work.norms[j])) run.halt = { outcome: 'nonFinite' };
      else if (!stagnation.goesOn(work.norms[j], work.before[j])) {
        run.short ??= 'stagnated';
        work.swap(j, --left);
      }
    }
    for (let j = 0; j < left; j++) work.before[j] = work.norms[j];
    return left;
  }

  #step(run: Run, work: BlockIterates, active: number): Halt | 'exhausted' | 'rescaled' | undefined {
    const { size } = this;
    const { directions } = work;
    const r = block(work.r, 0, 0, size, active);
    const z = block(directions.z, 0, 0, size, active);
    const { preconditioner, rows } = this.#system;
    if (preconditioner === undefined) copyInto(z, r);
    else {
      preconditioner.applyUnchecked(z, r, 1, 0);
      this.#system.settlePreconditioner(
        r.data.subarray(0, size * active) as Float64Array,
        z.data.subarray(0, size * active) as Float64Array,
      );
    }
    directions.meet(r, active, work.energies);
    if (rows.raised) return ABORTED;
    for (let j = 0; j < active; j++) {
      const rz = work.energies[j];
      if (!Number.isFinite(rz)) return { outcome: 'nonFinite' };
      if (rz <= 0)
        return {
          outcome: 'indefinitePreconditioner',
          preconditionerCurvature: this.#system.curvatureOf(rz / work.norms[j] ** 2),
        };
    }
    let result = directions.extend(this.#system, r, active);
    if (result.kind === 'exhausted') return 'exhausted';
    run.products += directions.rank;
    if (result.kind === 'rescaled') return 'rescaled';
    if (result.kind === 'positive') result = directions.advance(block(work.x, 0, 0, size, active), r, work.energies);
    if (result.kind === 'nonFinite') return { outcome: 'nonFinite' };
    if (result.kind === 'flat') return this.#told(run, result.curvature, result.direction);
    work.tall.norms(r, active, work.norms);
    for (let j = 0; j < active; j++) if (!Number.isFinite(work.norms[j])) return { outcome: 'nonFinite' };
    return undefined;
  }

  #store(run: Run, work: BlockIterates, count: number): void {
    const { size } = this;
    const { out, residuals } = run;
    const rounds = out.data instanceof Float32Array;
    run.unrounded = Math.max(run.unrounded, work.worst(count));
    for (let j = 0; j < count; j++) {
      const to = out.offset + work.order[j] * out.ld;
      const unscale = this.#system.factor / work.scales[j];
      for (let i = 0; i < size; i++) out.data[to + i] = work.x.data[i + j * size] * unscale;
      if (rounds) for (let i = 0; i < size; i++) work.x.data[i + j * size] = out.data[to + i] / unscale;
    }
    // Residuals are those of the x that is handed back.
    if (rounds) this.#trueResiduals(run, work, count);
    for (let j = 0; j < count; j++) {
      const column = work.order[j];
      residuals[column] = work.lengths[j] > 0 ? work.norms[j] / work.lengths[j] : 0;
      if (!(work.norms[j] <= work.targets[j])) run.unmet++;
    }
  }
}
