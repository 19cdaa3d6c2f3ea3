/**
 * Conjugate gradients with one preconditioner after another, as the race among them says (race.ts): each goes on from
 * the x that the one before has left.
 */
import { FactorizationError, MemoryError, NotPositiveDefiniteError, OptionError } from '../core/errors.js';
import type { Matrix } from '../dense/matrix.js';
import { BLOCK_SIZE, blockConjugateGradientSolver } from '../krylov/block-conjugate-gradients.js';
import type { BlockSolution, BlockSolver } from '../krylov/block-solution.js';
import { conjugateGradientSolver } from '../krylov/conjugate-gradients.js';
import { flexibleConjugateGradientSolver } from '../krylov/flexible-conjugate-gradients.js';
import type { LinearSolver, Solution } from '../krylov/solution.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Candidate, Choice, Trial, Used } from './candidates.js';
import { asOne, solveColumns } from './columnwise.js';
import { Race } from './race.js';

/** What the iteration is asked for. */
export interface Asked {
  readonly b: Matrix;
  /** Where x goes; not b. */
  readonly out: Matrix;
  readonly tolerance: number;
  readonly roundoff: number;
  readonly maxIterations?: number | undefined;
  readonly guess?: Matrix | undefined;
}

/** What came of it: iterations, products and history are those of all legs, the rest is the last one's. */
export interface Finished {
  readonly solution: Solution | BlockSolution;
  readonly used: Used;
  /** choose: measuring after a trial. */
  readonly seconds: {
    readonly choose: number;
    readonly compress: number;
    readonly factor: number;
    readonly solve: number;
  };
  readonly workspaceBytes: number;
  /** A sentence for each preconditioner that was left, or could not be made. */
  readonly told: readonly string[];
  /** Releases the last preconditioner, where it was made here. */
  release(): void;
}

/** Errors that say of a preconditioner that this matrix, this λ or this memory does not let it be made. */
export const cannotBeMade = (error: unknown): error is Error =>
  error instanceof OptionError ||
  error instanceof NotPositiveDefiniteError ||
  error instanceof MemoryError ||
  error instanceof FactorizationError;

/** Who runs, and in which order the others follow: by predicted costs, or as they stand. */
interface Order {
  readonly current: number;
  start(residual: number): void;
  watch(residual: number): boolean;
  moveOn(): boolean;
}

/** One after the other, where one cannot be made. */
class InOrder implements Order {
  current = 0;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  start(): void {
    // Nobody watches.
  }

  watch(): boolean {
    return false;
  }

  moveOn(): boolean {
    if (this.current + 1 >= this.#count) return false;
    this.current++;
    return true;
  }
}

/** The race of one that is tried against all others, of which no more is known than what they cost at least. */
const trialOf = ({ step, other }: Trial, tolerance: number): Race =>
  new Race(
    [
      { kind: 'trial', setup: 0, step, iterations: 1, atLeast: true },
      { kind: 'others', setup: other, step: 0, iterations: 1, atLeast: false },
    ],
    tolerance,
  );

function orderOf(candidates: readonly Candidate[], tolerance: number, columns: number): Order {
  const predicted = candidates.flatMap(({ name, prediction }) =>
    prediction === undefined ? [] : [{ ...prediction, kind: name }],
  );
  // Columns beyond a block are solved after it: their rate is not that of one iteration.
  const watched = columns <= BLOCK_SIZE;
  return predicted.length === candidates.length
    ? new Race(predicted, tolerance, watched)
    : new InOrder(candidates.length);
}

/** A residual that stagnates above it is not at the level of rounding. */
const LEAST_STAGNATION = 1e-7;

/** Whether another preconditioner may do better: not where x was good before it was rounded to float32. */
const isMendable = ({ outcome, unrounded }: Solution | BlockSolution): boolean =>
  outcome === 'indefinitePreconditioner' ||
  outcome === 'asymmetricPreconditioner' ||
  (outcome === 'stagnated' && unrounded > LEAST_STAGNATION);

/**
 * Whether M is by its own account not the same symmetric map to working precision at each product: then conjugate
 * gradients have to be flexible ones. Many columns share their directions as long as that goes well.
 */
const isInexact = (preconditioner: LinearOperator | undefined, columns: number): boolean =>
  preconditioner !== undefined && ((preconditioner.precision === 'f32' && columns === 1) || !preconditioner.symmetric);

/** Whether flexible conjugate gradients may do better with the same M. */
const turnsOutInexact = ({ outcome, unrounded }: Solution | BlockSolution, { name, operator }: Used): boolean =>
  outcome === 'asymmetricPreconditioner' ||
  ((name === 'given' || operator?.precision === 'f32') && outcome === 'stagnated' && unrounded > LEAST_STAGNATION);

/** One after the other: iterations, products and history of both, the rest is the latter's. */
const joined = <S extends Solution | BlockSolution>(
  earlier: Pick<Solution, 'iterations' | 'products' | 'history'>,
  solution: S,
): S => ({
  ...solution,
  iterations: earlier.iterations + solution.iterations,
  products: earlier.products + solution.products,
  history: Float64Array.from([...earlier.history, ...solution.history.subarray(earlier.history.length > 0 ? 1 : 0)]),
});

/** What came of one preconditioner. */
interface Leg {
  readonly solution: Solution | BlockSolution;
  /** Whether it ended because `leave` said so. */
  readonly left: boolean;
  readonly seconds: number;
  readonly workspaceBytes: number;
}

/** Iterates with one preconditioner to the end, or until `leave` says so of a residual. Throws what solvers throw. */
async function runLeg(
  preconditioner: LinearOperator | undefined,
  system: LinearOperator,
  { b, out, tolerance, roundoff, maxIterations, guess }: Asked,
  leave: (residual: number) => boolean,
  { flexible, ...control }: TeamControl & { readonly flexible: boolean },
): Promise<Leg> {
  const { blas } = control.team;
  let leaving = false;
  const signal = {
    get aborted(): boolean {
      return leaving || control.signal?.aborted === true;
    },
  };
  const began = performance.now();
  const asked = {
    relativeTolerance: tolerance,
    roundoff,
    keep: 'best',
    maxIterations,
    signal,
    onProgress: control.onProgress,
    onIteration: (_: number, residual: number) => {
      leaving ||= leave(residual);
    },
    guess,
  } as const;
  let solver: LinearSolver | BlockSolver;
  let solution: Solution | BlockSolution;
  if (flexible) {
    const single = flexibleConjugateGradientSolver(system, { preconditioner, blas });
    solver = single;
    solution = asOne(await solveColumns(single, b, out, asked));
  } else {
    solver =
      b.cols === 1
        ? conjugateGradientSolver(system, { preconditioner })
        : blockConjugateGradientSolver(system, { preconditioner, blas });
    solution = await solver.solveAsync(b, out, asked);
  }
  return {
    solution,
    left: solution.outcome === 'aborted' && leaving && control.signal?.aborted !== true,
    seconds: (performance.now() - began) / 1000,
    workspaceBytes: solver.workspaceBytes,
  };
}

/**
 * Solves the system with the candidates. Where only one is left it runs to its end. A preconditioner that cannot be
 * made, or turns out not to be positive definite, is passed over while there are others. Throws what making the last
 * one throws, and what the solvers throw.
 */
export async function runLegs(
  choice: Choice,
  system: LinearOperator,
  asked: Asked,
  control: TeamControl,
): Promise<Finished> {
  const { b, out, tolerance, maxIterations } = asked;
  let { candidates, trial } = choice;
  const trying = trial === undefined ? undefined : trialOf(trial, tolerance);
  let order: Order = trying ?? orderOf(candidates, tolerance, b.cols);
  const told: string[] = [];
  const seconds = { choose: 0, compress: 0, factor: 0, solve: 0 };
  /** Goes on to what follows the trial. */
  const measure = async ({ next }: Trial): Promise<void> => {
    const began = performance.now();
    const choice = await next(trying!.iterationsLeft());
    told.push(choice.reason);
    ({ candidates } = choice);
    trial = undefined;
    order = orderOf(candidates, tolerance, b.cols);
    seconds.choose += (performance.now() - began) / 1000;
  };
  const earlier = { iterations: 0, products: 0, history: new Float64Array(0) };
  let from = asked.guess;
  /** Who was left last, and goes on to its end where nobody behind it can be made. */
  let before: Candidate | undefined;
  let resumed: Candidate | undefined;
  for (;;) {
    const candidate = resumed ?? candidates[order.current];
    const { name } = candidate;
    let used: Used;
    try {
      used = await candidate.make();
    } catch (error) {
      if (name === 'none' || candidate === resumed || !cannotBeMade(error)) throw error;
      told.push(`Not ${name}, which cannot be made here: ${error.message}`);
      if (trial !== undefined) await measure(trial);
      else if (!order.moveOn()) {
        if (before === undefined) throw error;
        resumed = before;
      }
      continue;
    }
    const release = (): void => {
      if (candidate.given !== true) used.release();
    };
    try {
      seconds.compress += used.seconds.compress;
      seconds.factor += used.seconds.factor;
      order.start(earlier.history.at(-1) ?? 1);
      const left = (spent: number): number | undefined =>
        maxIterations === undefined ? undefined : Math.max(0, maxIterations - spent);
      const leave = (residual: number): boolean => resumed === undefined && order.watch(residual);
      const run = (flexible: boolean, spent: number, guess: Matrix | undefined): Promise<Leg> =>
        runLeg(used.operator, system, { ...asked, maxIterations: left(spent), guess }, leave, { ...control, flexible });
      const flexible = isInexact(used.operator, b.cols);
      let leg = await run(flexible, earlier.iterations, from);
      if (!flexible && turnsOutInexact(leg.solution, used)) {
        const first = leg;
        told.push(`The preconditioner is not symmetric to working precision: flexible conjugate gradients go on.`);
        leg = await run(true, earlier.iterations + first.solution.iterations, out);
        leg = { ...leg, solution: joined(first.solution, leg.solution), seconds: first.seconds + leg.seconds };
      }
      const { solution, workspaceBytes } = leg;
      seconds.solve += leg.seconds;
      const together = joined(earlier, solution);
      const steps = `${solution.iterations} iteration${solution.iterations === 1 ? '' : 's'}`;
      if (resumed === undefined && (leg.left || isMendable(solution)) && order.moveOn()) {
        told.push(`Left ${name} after ${steps} at residual ${solution.residual.toExponential(1)}.`);
        const { iterations, products, history } = together;
        Object.assign(earlier, { iterations, products, history });
        from = out;
        before = candidate;
        release();
        if (trial !== undefined) await measure(trial);
        continue;
      }
      if (order instanceof Race) told.push(`Solved with ${name}${told.length === 0 ? '' : `, ${steps}`}.`);
      return { solution: together, used, seconds, workspaceBytes, told, release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
