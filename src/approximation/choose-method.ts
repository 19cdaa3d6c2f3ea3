/**
 * Which method approximates a matrix best: those that may win are made, their errors measured on the same columns, and
 * the best one is kept.
 *
 * Within a share the one of the smallest error, to a tolerance the one of the fewest bytes. Low rank is not made where
 * sixteen products and a small sketch predict that it loses by far (methods/low-rank-to-tolerance.ts).
 */
import { throwIfAborted } from '../core/context.js';
import { MemoryError, NotPositiveDefiniteError, OptionError } from '../core/errors.js';
import { shareHolding } from '../core/memory.js';
import { sketchedSvd } from '../lowrank/randomized-svd.js';
import type { TeamControl } from '../parallel/team-control.js';
import { bytesOfBudget, denseBytes, isAccuracy, percent, rankWithin } from './budget.js';
import { lowRankTo, rsvd } from './methods/low-rank.js';
import { LowRankTest, type Sketched } from './methods/low-rank-to-tolerance.js';
import type { Accuracy, ApproximationOptions, Approximated, Budget, Goal } from './methods/method.js';
import { METHOD_TABLE, type ApproximationMethod } from './methods/table.js';
import { CANCELLED, operatorErrors } from './operator-error.js';
import type { Subject } from './subject.js';

/** What came of one method. */
export interface TriedMethod {
  readonly method: ApproximationMethod;
  /** bytes/(8N²); undefined where it was not made. */
  readonly share?: number | undefined;
  /** ‖A − Ã‖_F/‖A‖_F, known or of a sample of columns. */
  readonly error?: number | undefined;
  /** Why it was not made, or not taken. */
  readonly note?: string | undefined;
}

/** The choice, with the approximation that was made of it. */
export interface ChosenMethod {
  readonly method: ApproximationMethod;
  readonly made: Approximated;
  readonly tried: readonly TriedMethod[];
  /** All of it in a sentence. */
  readonly reason: string;
}

/** One that was made. */
interface Made {
  readonly method: ApproximationMethod;
  readonly made: Approximated;
  readonly error: number;
}

/** Columns that errors are compared on. */
const COLUMNS = 256;
/** Rank of the sketch that predicts what low rank can do. */
const SKETCH = 32;

/** Methods beside the hierarchical one and low rank: cheap to make. */
const cheapOnes = ({ gaussNewton, graph, source }: Subject): readonly ApproximationMethod[] =>
  gaussNewton !== undefined || graph !== undefined ? ['ekfac', 'kfac'] : source !== undefined ? ['diagonal'] : [];

/**
 * The best approximation of all methods. Cost: those of the methods that are made, and 256 exact columns. Throws
 * OptionError where none fits, naming the least share that would do, MemoryError where one might with more memory, and
 * what the methods throw beside that.
 */
export async function chooseMethod(
  subject: Subject,
  goal: Goal,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<ChosenMethod> {
  const chooser = new MethodChooser(subject, options, control);
  try {
    return await (isAccuracy(goal) ? chooser.toTolerance(goal) : chooser.within(goal));
  } catch (error) {
    chooser.release();
    throw error;
  }
}

/** What tells that a method cannot be made of this matrix; all else ends the choice. */
const isRefusal = (error: unknown): error is OptionError | NotPositiveDefiniteError | MemoryError =>
  error instanceof OptionError || error instanceof NotPositiveDefiniteError || error instanceof MemoryError;

class MethodChooser {
  readonly #subject: Subject;
  readonly #options: ApproximationOptions;
  readonly #control: TeamControl;
  readonly #tried: TriedMethod[] = [];
  #best: Made | undefined;
  /** The least share that somebody would have needed. */
  #least = Infinity;
  /** Why the first method without memory was not made. */
  #short: MemoryError | undefined;

  constructor(subject: Subject, options: ApproximationOptions, control: TeamControl) {
    this.#subject = subject;
    this.#options = options;
    this.#control = control;
  }

  /** Frees what was made so far. */
  release(): void {
    this.#best?.made.release?.();
  }

  async within(budget: Budget): Promise<ChosenMethod> {
    const most = bytesOfBudget(budget, this.#subject.operator.rows);
    const closer = ({ error }: Made): boolean => this.#best === undefined || error < this.#best.error;
    for (const method of ['hm', ...cheapOnes(this.#subject)] as const)
      await this.#compare(
        method,
        () => METHOD_TABLE[method].make(this.#subject, budget, this.#options, this.#control),
        {
          most,
          better: closer,
        },
      );
    const hopeless = await this.#withoutLowRank(budget);
    if (hopeless !== undefined) this.#tried.push({ method: 'rsvd', note: hopeless });
    else
      await this.#compare('rsvd', () => rsvd.make(this.#subject, budget, this.#options, this.#control), {
        most,
        better: closer,
      });
    if (this.#best === undefined)
      throw (
        this.#short ??
        new OptionError(
          `No method fits a share of ${percent(budget.share)}: the least takes ${percent(this.#least)}. ` +
            (this.#least <= 1 ? 'Raise the share.' : 'Keep the dense matrix, which is smaller.'),
          { option: 'share', share: budget.share, least: this.#least },
        )
      );
    return this.#chosen(this.#best);
  }

  async toTolerance(accuracy: Accuracy): Promise<ChosenMethod> {
    const { tolerance } = accuracy;
    const { rows: size } = this.#subject.operator;
    const dense = denseBytes(size);
    // One that misses is taken where there is no other.
    const smaller = ({ made, error }: Made): boolean =>
      this.#best === undefined
        ? error <= tolerance
        : error <= tolerance && (made.bytes < this.#best.made.bytes || this.#best.error > tolerance);
    for (const method of cheapOnes(this.#subject))
      await this.#compare(
        method,
        () => METHOD_TABLE[method].make(this.#subject, { share: 1 }, this.#options, this.#control),
        { most: dense, better: smaller },
      );
    // Nothing is smaller than a diagonal.
    if (this.#best?.method === 'diagonal') return this.#chosen(this.#best);
    await this.#compare('hm', () => METHOD_TABLE.hm.reach!(this.#subject, accuracy, this.#options, this.#control), {
      most: Infinity,
      better: (one) => this.#best === undefined || smaller(one),
    });
    const bytes = this.#best?.made.bytes ?? dense;
    const most = Math.min(size, Math.floor(bytes / (8 * (size + 1))));
    const lowRank = async (): Promise<Approximated> => {
      const found = await lowRankTo(this.#subject, accuracy, most, this.#options, this.#control);
      if (found !== undefined) return ofSketch(found);
      throw new OptionError(`no rank up to ${most}, which would take as much, keeps the tolerance`, { tolerance });
    };
    await this.#compare('rsvd', lowRank, {
      most: Infinity,
      better: (one) => this.#best === undefined || smaller(one),
    });
    if (this.#best === undefined)
      throw (
        this.#short ??
        new OptionError(`No method keeps a tolerance of ${tolerance}: ${this.#tried.map(tell).join('; ')}.`, {
          option: 'tolerance',
          tolerance,
        })
      );
    const { method, made, error } = this.#best;
    const missed = error > tolerance && made.note === undefined;
    const note = missed ? `The tolerance was missed: the relative error is about ${inDigits(error)}.` : made.note;
    return this.#chosen({ method, made: { ...made, note }, error });
  }

  /** Makes it and keeps it where it fits and is better; else lets it go. What cannot be made is noted. */
  async #compare(
    method: ApproximationMethod,
    make: () => Approximated | Promise<Approximated>,
    { most, better }: { readonly most: number; readonly better: (one: Made) => boolean },
  ): Promise<void> {
    throwIfAborted(this.#control.signal);
    let made: Approximated;
    try {
      made = await make();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error instanceof MemoryError) this.#short ??= error;
      const { least } = error.data;
      if (typeof least === 'number') this.#least = Math.min(this.#least, least);
      this.#tried.push({ method, note: error.message });
      return;
    }
    const share = made.bytes / denseBytes(this.#subject.operator.rows);
    if (made.bytes > most) {
      this.#least = Math.min(this.#least, shareHolding(made.bytes, this.#subject.operator.rows));
      this.#tried.push({ method, share, note: 'takes more than the budget' });
      made.release?.();
      return;
    }
    let error: number;
    try {
      error = await this.#errorOf(made);
    } catch (failure) {
      made.release?.();
      throw failure;
    }
    const one: Made = { method, made, error };
    this.#tried.push({ method, share, error: one.error });
    if (better(one)) {
      this.#best?.made.release?.();
      this.#best = one;
    } else made.release?.();
  }

  async #errorOf({ operator, knownError, squaredError, exactNorm }: Approximated): Promise<number> {
    if (knownError !== undefined) return knownError;
    if (squaredError !== undefined && exactNorm !== undefined) {
      const square = await squaredError(exactNorm);
      if (square > CANCELLED) return Math.sqrt(square);
    }
    const { operator: exact, source } = this.#subject;
    const { seed = 0 } = this.#options;
    const columns = Math.min(exact.rows, COLUMNS);
    const [estimate] = await operatorErrors(source ?? exact, [operator], { columns, seed }, this.#control);
    return estimate.relative;
  }

  /** Why low rank is not tried within the budget; undefined where it may be better. */
  async #withoutLowRank(budget: Budget): Promise<string | undefined> {
    if (this.#best === undefined) return undefined;
    const { operator } = this.#subject;
    try {
      const most = rankWithin(budget, operator.rows);
      if (most <= 2 * SKETCH) return undefined;
      const { seed = 0, memoryLimit } = this.#options;
      const { blas } = this.#control.team;
      const test = new LowRankTest(operator, seed);
      const sketch = await sketchedSvd(operator, { blas, rank: SKETCH, seed, memoryLimit }, this.#control);
      return test.isHopeless(sketch.operator, most, this.#best.error)
        ? `its error at rank ${most} is predicted to be ${inDigits(test.predict(sketch.operator, most))}`
        : undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return error.message;
    }
  }

  #chosen({ method, made, error }: Made): ChosenMethod {
    const others = this.#tried.filter((one) => one.method !== method).map(tell);
    const size = denseBytes(this.#subject.operator.rows);
    const reason =
      `Chosen ${method}: error ${inDigits(error)} at ${percent(made.bytes / size)} of the dense matrix` +
      `${others.length === 0 ? '' : `; ${others.join('; ')}`}.`;
    const short = this.#short === undefined ? [] : ['For lack of memory not all methods were compared.'];
    const notes = [...(made.note === undefined ? [] : [made.note]), ...short].join(' ');
    return { method, made: { ...made, note: notes === '' ? undefined : notes }, tried: this.#tried, reason };
  }
}

const ofSketch = ({ operator, products }: Sketched): Approximated => ({
  operator,
  bytes: operator.bytes,
  details: { rank: operator.rank, products },
});

const inDigits = (value: number): string => value.toExponential(1);

function tell({ method, share, error, note }: TriedMethod): string {
  const numbers = [
    ...(error === undefined ? [] : [`error ${inDigits(error)}`]),
    ...(share === undefined ? [] : [`at ${percent(share)}`]),
  ].join(' ');
  return `${method}: ${[numbers, ...(note === undefined ? [] : [note.replace(/\.$/, '')])].filter(Boolean).join(', ')}`;
}
