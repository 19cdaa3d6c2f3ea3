/**
 * Solving (A + λI) X = B by corrections with a tight hierarchical matrix K̃ of the same entries, where products with A
 * are dear (refinement-plan.ts):
 *
 *   X ← X + (K̃ + λI)⁻¹ R,   R = B − (A + λI) X   by all entries,
 *
 * with past corrections used again (corrections.ts). Every residual is a true one; products give the event loop its
 * turns, report progress and honour the signal. A K̃ that corrects too little is made anew to a tighter tolerance, and
 * where none is left the candidates race on from X. Decisions stand on flops and residuals: any team makes the same.
 */
import { throwIfAborted } from '../core/context.js';
import { AbortedError, MemoryError, NonFiniteError } from '../core/errors.js';
import type { Subject } from '../approximation/subject.js';
import { copyInto, type Matrix } from '../dense/matrix.js';
import type { BlockNumbers, BlockSolution } from '../krylov/block-solution.js';
import { ROUNDING_LEVELS } from '../krylov/stagnation.js';
import { shifted } from '../operator/shifted.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Choice, Used } from './candidates.js';
import { Corrections } from './corrections.js';
import { costOfEntry } from './cost-model.js';
import { cannotBeMade, runLegs, type Asked, type Finished } from './legs.js';
import { type PreconditionerOptions } from './preconditioners/kind.js';
import { preconditionerOf } from './preconditioners/make.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import { correctionsTo, type RefinementPlan } from './refinement-plan.js';

/** Residuals that a correction multiplies by more than this are as good as standing. */
const SLOW = 0.9;
/** It is given up for a tighter one, or for the race, when what is left costs so many times what that would. */
const CLEARLY = 2;
/** The factorization at a shift so many times λ is no inverse to correct with. */
const MUCH = 2;
/** Corrections at most, where nobody says. */
const MOST = 200;
const PHASE = 'exact product';

/** What is solved besides the plan. */
export interface RefinedSystem extends Asked {
  readonly subject: Subject;
  /** λ. */
  readonly shift: number;
  /** ‖A + λI‖₂, about. */
  readonly norm: number;
  readonly making: PreconditionerOptions;
}

/** Where nothing had to be made. */
const NOTHING: Used = {
  name: 'none',
  bytes: 0,
  details: {},
  seconds: { compress: 0, factor: 0 },
  release: () => undefined,
};

const tellDetails = ({ rank, tolerance }: Used['details']): string =>
  `rank ${rank} at ${Number(tolerance).toExponential(0)}`;

type Outcome = 'converged' | 'stagnated' | 'maxIterations' | 'aborted' | 'nonFinite';

/** One refinement: what it has spent and told so far. */
class Refinement {
  readonly #plan: RefinementPlan;
  readonly #system: RefinedSystem;
  readonly #control: TeamControl;
  readonly #corrections: Corrections;
  readonly told: string[] = [];
  readonly seconds = { choose: 0, compress: 0, factor: 0, solve: 0 };
  readonly history: number[];
  products = 0;
  iterations = 0;
  #current: number;

  constructor(plan: RefinementPlan, system: RefinedSystem, control: TeamControl) {
    this.#plan = plan;
    this.#system = system;
    this.#control = control;
    this.#current = plan.first;
    this.#corrections = new Corrections(system.b);
    this.history = [this.#corrections.residual];
  }

  get bytes(): number {
    return this.#corrections.bytes;
  }

  get residuals(): Float64Array {
    return this.#corrections.residuals;
  }

  /** Runs to its end; undefined where it does not get there. Releases all that it made but the last. */
  async run(): Promise<{ readonly outcome: Outcome; readonly used: Used } | undefined> {
    const { guess, tolerance } = this.#system;
    const { refiners } = this.#plan;
    this.#tell();
    if (guess !== undefined) {
      this.#corrections.loadGuess(guess);
      if (Number.isNaN(await this.#step()))
        throw new NonFiniteError('A product with the guess is NaN or infinite: nothing can be solved from it.', {});
      this.history.shift();
    }
    if (this.#corrections.residual <= tolerance) return { outcome: 'converged', used: NOTHING };
    for (; this.#current < refiners.length; this.#current++) {
      const used = await this.#make();
      if (used === undefined) continue;
      let outcome: Outcome | undefined;
      try {
        outcome = await this.#correct(used);
      } catch (error) {
        used.release();
        throw error;
      }
      if (outcome !== undefined) return { outcome, used };
      used.release();
    }
    return undefined;
  }

  /** Says beforehand what is expected, at the rate at which entries are evaluated now. */
  #tell(): void {
    const { refiners, source } = this.#plan;
    const { subject } = this.#system;
    const { onProgress, team } = this.#control;
    if (onProgress === undefined) return;
    const count = Math.min(source.size, 256);
    const rows = Int32Array.from({ length: count }, (_, i) => i);
    const block = { data: new Float64Array(count * count), offset: 0, rows: count, cols: count, ld: count };
    source.entries(rows, rows, block);
    const began = performance.now();
    source.entries(rows, rows, block);
    const rate =
      (count * count * costOfEntry(subject, source, this.#plan.rates)) / ((performance.now() - began) / 1000);
    const { corrections, total } = refiners[this.#current];
    const predictedSeconds = Math.ceil(total / (rate * team.workers));
    onProgress({ phase: 'refinement', done: 0, total: corrections, values: { predictedSeconds } });
  }

  /** K̃, factored; undefined where it cannot be made, or is no use and a tighter one is left. */
  async #make(): Promise<Preconditioner | undefined> {
    const { refiners } = this.#plan;
    const { subject, shift, making } = this.#system;
    const { details, making: found } = refiners[this.#current].prediction;
    let used: Preconditioner;
    try {
      used = await preconditionerOf(subject, 'hss', shift, { ...making, ...found }, this.#control);
    } catch (error) {
      if (!cannotBeMade(error)) throw error;
      this.told.push(`No hss (${details}), which cannot be made here: ${error.message}`);
      // A tighter one takes more.
      if (error instanceof MemoryError) this.#current = refiners.length;
      return undefined;
    }
    this.seconds.compress += used.seconds.compress;
    this.seconds.factor += used.seconds.factor;
    const { factorization } = used;
    if (factorization !== undefined && factorization.shift > MUCH * shift && this.#current + 1 < refiners.length) {
      this.told.push(
        `The hss of ${details} is positive definite from a shift of ${factorization.shift.toPrecision(2)} on: a ` +
          'tighter one is made.',
      );
      used.release();
      return undefined;
    }
    return used;
  }

  /** An exact product: the largest true residual of x. Throws AbortedError. */
  async #step(): Promise<number> {
    const corrections = this.#corrections;
    const out = corrections.advance();
    await this.#multiply(out, corrections.x);
    const residual = corrections.judge();
    this.history.push(corrections.residual);
    return residual;
  }

  /** out ← (A + λI) x. */
  async #multiply(out: Matrix, x: Matrix): Promise<void> {
    const { operator } = this.#plan;
    copyInto(out, x);
    await operator.applyInTurns({ out, x, alpha: 1, beta: this.#system.shift }, PHASE, this.#control);
    this.products += x.cols;
  }

  /** Corrections until they end, or no longer pay: undefined. */
  async #correct({ operator }: Preconditioner): Promise<Outcome | undefined> {
    const { tolerance, maxIterations = MOST, roundoff, norm } = this.#system;
    const { onProgress, signal } = this.#control;
    const corrections = this.#corrections;
    const total = this.#plan.refiners[this.#current].corrections;
    const began = performance.now();
    let before = Math.max(...corrections.estimated);
    let diverges = false;
    let done = 0;
    try {
      for (;;) {
        if (corrections.residual <= tolerance) return 'converged';
        if (this.iterations >= maxIterations) return 'maxIterations';
        throwIfAborted(signal);
        // An accelerated iterate that is there already is but verified, where corrections alone would lead astray.
        if (diverges && before <= tolerance) corrections.d.data.fill(0);
        else operator!.applyUnchecked(corrections.d, corrections.r, 1, 0);
        const residual = await this.#step();
        this.iterations++;
        done++;
        onProgress?.({
          phase: 'refinement',
          done,
          total: Math.max(done, total),
          values: { residual: corrections.residual },
        });
        if (Number.isNaN(residual)) return 'nonFinite';
        if (corrections.residual <= tolerance) continue;
        const after = Math.max(...corrections.estimated);
        const rate = after / before;
        diverges = residual >= before;
        before = after;
        if (rate > SLOW && corrections.residual <= ROUNDING_LEVELS * roundoff * norm * corrections.condition)
          return 'stagnated';
        if (!this.#pays(after, rate)) return undefined;
      }
    } catch (error) {
      if (error instanceof AbortedError) return 'aborted';
      throw error;
    } finally {
      this.seconds.solve += (performance.now() - began) / 1000;
    }
  }

  /** Whether to go on from this residual at this rate: else says why not. */
  #pays(residual: number, rate: number): boolean {
    const { refiners, otherwise } = this.#plan;
    const { tolerance } = this.#system;
    const { prediction } = refiners[this.#current];
    const left = rate > SLOW ? Infinity : prediction.step * correctionsTo(tolerance, residual, rate);
    const tighter = refiners
      .slice(this.#current + 1)
      .map(({ prediction: { setup, step }, rate: next }) => setup + step * correctionsTo(tolerance, residual, next));
    if (left <= CLEARLY * Math.min(otherwise, ...tighter)) return true;
    this.told.push(
      `With hss (${prediction.details}) a correction leaves ${rate.toPrecision(2)} of the residual, now at ` +
        `${residual.toExponential(1)}: ${tighter.length > 0 ? 'a tighter one is made' : 'given up'}.`,
    );
    return false;
  }

  /** X goes to `out`. */
  write(out: Matrix): void {
    this.#corrections.write(out);
  }

  /** As `write`; `residuals` become those of X as it was rounded there. Returns the largest before. */
  async finish(out: Matrix): Promise<number> {
    const unrounded = this.#corrections.residual;
    this.write(out);
    if (out.data instanceof Float32Array) {
      const product = this.#corrections.reload(out);
      await this.#multiply(product, this.#corrections.x);
      this.#corrections.judgeReloaded();
    }
    return unrounded;
  }
}

/**
 * See above. What `runLegs` gives back: `iterations` are corrections, and where the race goes on those of both. Throws
 * what making a preconditioner and solvers throw.
 */
export async function runRefined(
  plan: RefinementPlan,
  choice: Choice,
  system: RefinedSystem,
  control: TeamControl,
): Promise<Finished> {
  const { b, out, tolerance, shift } = system;
  const refinement = new Refinement(plan, system, control);
  const ended = await refinement.run();
  const { told, seconds, bytes } = refinement;
  const steps = (count: number): string => `${count} correction${count === 1 ? '' : 's'}`;
  if (ended === undefined) {
    refinement.write(out);
    const { iterations, products } = refinement;
    const { maxIterations } = system;
    const rest = maxIterations === undefined ? undefined : Math.max(0, maxIterations - iterations);
    const raced = await runLegs(
      choice,
      shifted(plan.operator, shift),
      { ...system, maxIterations: rest, guess: out },
      control,
    );
    const { solution } = raced;
    return {
      ...raced,
      solution: {
        ...solution,
        iterations: iterations + solution.iterations,
        products: products + solution.products,
        history: Float64Array.from([...refinement.history, ...solution.history.subarray(1)]),
      },
      seconds: {
        choose: raced.seconds.choose,
        compress: seconds.compress + raced.seconds.compress,
        factor: seconds.factor + raced.seconds.factor,
        solve: seconds.solve + raced.seconds.solve,
      },
      told: [...told, `After ${steps(iterations)} others go on.`, ...raced.told],
    };
  }
  const { used } = ended;
  try {
    const unrounded = await refinement.finish(out);
    const residual = Math.max(0, ...refinement.residuals);
    const numbers: BlockNumbers = {
      x: out,
      iterations: refinement.iterations,
      products: refinement.products,
      restarts: 0,
      residual,
      residuals: refinement.residuals,
      unrounded,
      columnIterations: new Int32Array(b.cols).fill(refinement.iterations),
      history: Float64Array.from(refinement.history),
    };
    const outcome = ended.outcome === 'converged' && !(residual <= tolerance) ? 'stagnated' : ended.outcome;
    const solution: BlockSolution = { ...numbers, outcome };
    const at = `at residual ${residual.toExponential(1)}`;
    if (used.name !== 'none')
      told.push(`Refined with hss (${tellDetails(used.details)}), ${steps(refinement.iterations)}, ${at}.`);
    return {
      solution,
      used,
      seconds,
      workspaceBytes: bytes,
      told,
      release: () => {
        used.release();
      },
    };
  } catch (error) {
    used.release();
    throw error;
  }
}
