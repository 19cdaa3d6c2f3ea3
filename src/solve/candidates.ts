/**
 * Which preconditioners may be solved with, and what each is expected to cost, as far as a few products tell.
 * Measured: the spectrum (spectrum.ts) and ranks of sampled blocks (preconditioners/sampled-ranks.ts). Costs are those
 * of cost-model.ts, and the time of products of which nobody knows more. Assumed: the error of K-FAC, which only K-FAC
 * itself would tell.
 */
import type { Subject } from '../approximation/subject.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { availableMemory } from '../io/machine.js';
import { costOfCholesky } from './preconditioners/cholesky.js';
import { measureSystem, type Asked, type Measured } from './measured.js';
import { type Prediction, type PreconditionerOptions, totalOf } from './preconditioners/kind.js';
import { preconditionerOf, requirePreconditioner } from './preconditioners/make.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import { PRECONDITIONER_TABLE, PRECONDITIONERS, type PreconditionerName } from './preconditioners/table.js';
import { countAbove } from './spectrum.js';

/** What a solve needs of its preconditioner. */
export type Used = Pick<Preconditioner, 'operator' | 'bytes' | 'details' | 'note' | 'seconds' | 'release'> & {
  readonly name: PreconditionerName | 'given';
};

/** Cost of a factorization beside which that of predictions counts. */
const NOT_WORTH_ASKING = 5e9;

/** A preconditioner that may be used. */
export interface Candidate {
  readonly name: PreconditionerName | 'given';
  /** Whether it was made by somebody else, who releases it. */
  readonly given?: boolean | undefined;
  /** What it is expected to take, where that was predicted. */
  readonly prediction?: Prediction | undefined;
  /** Throws what `preconditionerOf` throws. */
  make(): Promise<Used>;
}

/** What may be solved with, and why. */
export interface Choice {
  /** One sentence: where they were predicted, with the numbers of every candidate. */
  readonly reason: string;
  /** At least one. Where they were predicted they race (race.ts); else the others are for where one cannot be made. */
  readonly candidates: readonly Candidate[];
  /** What was measured, where they were predicted. */
  readonly measured?: Measured | undefined;
}

/** One that is ready: M itself, or what `preconditionerOf` returned. */
function readyCandidate(given: Preconditioner | LinearOperator): Candidate {
  const nothing = { compress: 0, factor: 0 };
  const ready: Used =
    'reshift' in given
      ? { ...given, seconds: nothing }
      : { name: 'given', operator: given, bytes: 0, details: {}, seconds: nothing, release: () => undefined };
  return {
    name: ready.name,
    given: true,
    make: () => Promise.resolve(ready),
  };
}

/**
 * What to solve with: the preconditioner that was asked for; with 'auto' for a hierarchical matrix its own
 * factorization, else all of the table that can be predicted, the cheapest first. Costs 32 products, a tree and a block
 * of 256 × 256 entries a level where it is predicted. The same seed gives the same choice where the flops of products
 * are known; else it depends on times. Throws OptionError (no such name), NonFiniteError, AbortedError, and what the
 * source throws.
 */
export async function choosePreconditioner(
  asked: PreconditionerName | 'auto' | Preconditioner | LinearOperator,
  subject: Subject,
  system: Asked,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Choice> {
  const candidate = (name: PreconditionerName, prediction?: Prediction): Candidate => ({
    name,
    prediction,
    make: () => preconditionerOf(subject, name, system.shift, { ...options, ...prediction?.making }, control),
  });
  if (typeof asked !== 'string') {
    const ready = readyCandidate(asked);
    return { reason: `Preconditioner ${ready.name}, as asked.`, candidates: [ready] };
  }
  if (asked !== 'auto') {
    requirePreconditioner(asked, ['auto']);
    return { reason: `Preconditioner ${asked}, as asked.`, candidates: [candidate(asked)] };
  }
  if (subject.compressed !== undefined) {
    const { format } = subject.compressed.data;
    const reason =
      format === 'fmm'
        ? 'The matrix has near blocks, which no factorization here knows: it is solved iteratively with the HSS of ' +
          'the same entries.'
        : `The matrix is of format ${format}: it is factored itself.`;
    return { reason, candidates: [candidate(format === 'fmm' ? 'hss' : format), candidate('none')] };
  }
  // The products of a network tell more for less.
  const direct = subject.curvature === undefined ? costOfCholesky(subject) : Infinity;
  if (direct <= NOT_WORTH_ASKING && 16 * subject.operator.rows ** 2 <= (options.memoryLimit ?? availableMemory()))
    return {
      reason: `Chosen cholesky: it takes ${inGflop(direct)}, and measuring for a better one would take as much.`,
      candidates: [candidate('cholesky'), candidate('none')],
    };
  const measured = await measureSystem(subject, system, options.seed ?? 0, control);
  const candidates: (Candidate & { readonly prediction: Prediction })[] = [];
  for (const name of PRECONDITIONERS) {
    const predicted = (await PRECONDITIONER_TABLE[name].predict?.(subject, measured, options, control)) ?? [];
    for (const prediction of predicted) candidates.push({ ...candidate(name, prediction), prediction });
  }
  candidates.sort((a, b) => totalOf(a.prediction) - totalOf(b.prediction));
  const told = candidates.map(({ name, prediction }) => tell(name, prediction));
  return {
    candidates,
    measured,
    reason: `Predicted: ${told.join(', ')}; ${tellSpectrum(measured)}${measured.timed ? '; products were timed' : ''}.`,
  };
}

/** How large λ is beside A, with what A itself holds of an identity, and how many eigenvalues stand out. */
function tellSpectrum({ spectrum, shift, ridge, resolved }: Measured): string {
  const { largest, smallest, seen } = spectrum;
  const toNorm = (value: number): string => (largest > 0 ? (value / largest).toExponential(1) : '∞');
  if (shift === 0 && ridge === 0) {
    const least = smallest > 0 ? `≲ ${toNorm(smallest)}` : 'below what so few products tell';
    return `λ = 0, λ_min/‖A‖ ${least}`;
  }
  const sum = shift + ridge;
  const above = resolved
    ? `about ${Math.round(countAbove(spectrum, sum + ridge))} eigenvalues`
    : `at least ${Math.round(countAbove(spectrum, Math.max(seen, sum + ridge)))} eigenvalues`;
  return ridge === 0
    ? `λ/‖A‖ ≈ ${toNorm(shift)}, ${above} above λ`
    : `A holds a ridge of ${Number(ridge.toPrecision(3))}: (λ + ridge)/‖A‖ ≈ ${toNorm(sum)}, ${above} of A − ridge·I ` +
        'above λ + ridge';
}

const inGflop = (flops: number): string => `${(flops / 1e9).toPrecision(3)} Gflop`;

function tell(name: string, prediction: Prediction): string {
  const { iterations, details, atLeast } = prediction;
  const bound = atLeast ? '≥ ' : '';
  const steps = `${bound}${iterations} iteration${iterations === 1 ? '' : 's'}`;
  const cost = `${bound}${inGflop(totalOf(prediction))}`;
  return `${name} ${cost} (${details === '' ? steps : `${details}, ${steps}`})`;
}
