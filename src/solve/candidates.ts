/**
 * Which preconditioner takes the fewest flops, as far as a few products tell.
 * Measured: the spectrum (spectrum.ts), ranks of a sampled block (preconditioners/predict-hierarchical.ts), and the
 * time of products whose flops nobody knows, counted at the rate of gemm. Assumed: the error of K-FAC, which only K-FAC
 * itself would tell.
 */
import type { Subject } from '../approximation/subject.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { measureSystem, type Asked, type Measured } from './measured.js';
import type { Prediction, PreconditionerOptions } from './preconditioners/kind.js';
import { preconditionerOf, requirePreconditioner } from './preconditioners/make.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import { PRECONDITIONER_TABLE, PRECONDITIONERS, type PreconditionerName } from './preconditioners/table.js';
import { countAbove } from './spectrum.js';

/** What a solve needs of its preconditioner. */
export type Used = Pick<Preconditioner, 'operator' | 'bytes' | 'details' | 'note' | 'seconds' | 'release'> & {
  readonly name: PreconditionerName | 'given';
};

/** A preconditioner that may be used. What predicting found goes into making it. */
export interface Candidate {
  readonly name: PreconditionerName | 'given';
  /** Whether it was made by somebody else, who releases it. */
  readonly given?: boolean | undefined;
  /** What it would take; undefined where it cannot be made, or nobody knows. */
  predict(measured: Measured): Promise<Prediction | undefined>;
  /** Throws what `preconditionerOf` throws. */
  make(): Promise<Used>;
}

/** The chosen preconditioner, and why. */
export interface Choice {
  /** One sentence: where they were predicted, with the numbers of every candidate. */
  readonly reason: string;
  /** The best first; the others where it cannot be made. */
  readonly candidates: readonly Candidate[];
}

/** A preconditioner by its name, for this subject and these options. */
function candidateOf(
  name: PreconditionerName,
  subject: Subject,
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Candidate {
  let found: Prediction | undefined;
  return {
    name,
    predict: async (measured) => {
      found = await PRECONDITIONER_TABLE[name].predict?.(subject, measured, options, control);
      return found;
    },
    make: () => preconditionerOf(subject, name, shift, { ...options, ...found?.making }, control),
  };
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
    predict: () => Promise.resolve(undefined),
    make: () => Promise.resolve(ready),
  };
}

/**
 * What to solve with: the preconditioner that was asked for; with 'auto' for a hierarchical matrix its own
 * factorization, else those of the table that can be predicted, the cheapest first. Costs 32 products, a tree and a
 * block of 256 × 256 entries where it is predicted. The same seed gives the same choice where the flops of products are
 * known; else it depends on times. Throws OptionError (no such name), NonFiniteError, AbortedError, and what the source
 * throws.
 */
export async function choosePreconditioner(
  asked: PreconditionerName | 'auto' | Preconditioner | LinearOperator,
  subject: Subject,
  system: Asked,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Choice> {
  const candidate = (name: PreconditionerName): Candidate => candidateOf(name, subject, system.shift, options, control);
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
  return cheapestFirst(PRECONDITIONERS.map(candidate), subject, system, options.seed ?? 0, control);
}

async function cheapestFirst(
  all: readonly Candidate[],
  subject: Subject,
  system: Asked,
  seed: number,
  control: TeamControl,
): Promise<Choice> {
  const measured = await measureSystem(subject, system, seed, control);
  const predicted: { candidate: Candidate; prediction: Prediction }[] = [];
  for (const candidate of all) {
    const prediction = await candidate.predict(measured);
    if (prediction !== undefined) predicted.push({ candidate, prediction });
  }
  predicted.sort((a, b) => a.prediction.flops - b.prediction.flops);
  const told = predicted.map(({ candidate: { name }, prediction }) => tell(name, prediction));
  return {
    candidates: predicted.map(({ candidate }) => candidate),
    reason:
      `Chosen ${predicted[0].candidate.name} by predicted cost: ${told.join(', ')}; ${tellSpectrum(measured)}` +
      `${measured.timed ? '; products were timed' : ''}.`,
  };
}

/** How large λ is beside A, with what A itself holds of an identity, and how many eigenvalues stand out. */
function tellSpectrum({ spectrum, shift, ridge }: Measured): string {
  const { largest, smallest } = spectrum;
  const toNorm = (value: number): string => (largest > 0 ? (value / largest).toExponential(1) : '∞');
  if (shift === 0 && ridge === 0) {
    const least = smallest > 0 ? `≲ ${toNorm(smallest)}` : 'below what so few products tell';
    return `λ = 0, λ_min/‖A‖ ${least}`;
  }
  const sum = shift + ridge;
  const above = Math.round(countAbove(spectrum, sum + ridge));
  return ridge === 0
    ? `λ/‖A‖ ≈ ${toNorm(shift)}, about ${above} eigenvalues above λ`
    : `A holds a ridge of ${Number(ridge.toPrecision(3))}: (λ + ridge)/‖A‖ ≈ ${toNorm(sum)}, about ${above} ` +
        'eigenvalues of A − ridge·I above λ + ridge';
}

function tell(name: string, { flops, iterations, details }: Prediction): string {
  const steps = `${iterations} iteration${iterations === 1 ? '' : 's'}`;
  return `${name} ${(flops / 1e9).toPrecision(3)} Gflop (${details === '' ? steps : `${details}, ${steps}`})`;
}
