/**
 * Which preconditioners may be solved with, and what each is expected to cost, as far as a few products tell.
 * Measured: the spectrum (spectrum.ts) and ranks of sampled blocks (preconditioners/sampled-ranks.ts). Costs are those
 * of cost-model.ts. Assumed: how far K-FAC's eigenvalues are from the matrix's, which only K-FAC itself would tell, and
 * what products take of which nobody knows more.
 */
import type { Subject } from '../approximation/subject.js';
import { RandomStream } from '../core/random.js';
import { zeros } from '../dense/matrix.js';
import { sampleWithoutReplacement } from '../hierarchical/measure/error-estimate.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { availableMemory } from '../io/machine.js';
import { BLOCK_SIZE } from '../krylov/block-conjugate-gradients.js';
import { costOfEntry, costOfProduct, costOfVectors, dearProducts } from './cost-model.js';
import { costOfCholesky } from './preconditioners/cholesky.js';
import type { MachineRates } from './machine-rates.js';
import { measureSystem, type Asked, type Measured } from './measured.js';
import { expectedOf, type Prediction, type PreconditionerOptions, totalOf } from './preconditioners/kind.js';
import { preconditionerOf, requirePreconditioner } from './preconditioners/make.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import { PRECONDITIONER_TABLE, PRECONDITIONERS, type PreconditionerName } from './preconditioners/table.js';
import { costOfSampling } from './sampled-spectrum.js';
import { countAbove, SPECTRUM_PRODUCTS } from './spectrum.js';

/** What a solve needs of its preconditioner. */
export type Used = Pick<Preconditioner, 'operator' | 'bytes' | 'details' | 'note' | 'seconds' | 'release'> & {
  readonly name: PreconditionerName | 'given';
};

/** Cost of a factorization beside which that of predictions counts. */
const NOT_WORTH_ASKING = 8e8;
/** Vectors of a small sketch. */
const SKETCH = 42;
const FEW = 10;
/** Measuring that takes no more than so many iterations comes first; of many right-hand sides, which need fewer. */
const QUICK = 3.5;
const QUICK_FOR_MANY = 2;
/** Entries of the diagonal, plus λ, that differ by so much are worth dividing by. */
const UNEVEN = 4;
const ROWS = 32;
const ROWS_STREAM = 0xd1a6;

/** Who takes more than so many times the least is not looked at closely. */
const BEYOND = 2;
/** Direct ones first: what they take is known at once, and bounds what is worth predicting of the others. */
const DIRECT: readonly PreconditionerName[] = ['cholesky', 'dual'];
const IN_ORDER = [...DIRECT, ...PRECONDITIONERS.filter((name) => !DIRECT.includes(name))];

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
  /** What follows where the only candidate is no more than tried. */
  readonly trial?: Trial | undefined;
}

/** A candidate that is tried before anything is measured: where it is as good as done meanwhile, nothing is. */
export interface Trial {
  /** Flops of an iteration, and of what follows at least. */
  readonly step: number;
  readonly other: number;
  /** The choice where it was left, `left` iterations from its end as it went. Throws as `choosePreconditioner`. */
  next(left: number): Promise<Choice>;
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
 * factorization, else a trial of what needs no setup, and where that is left all of the table that can be predicted,
 * the cheapest first. Predictions cost a submatrix's eigenvalues or 32 products, and where a hierarchical matrix may be
 * the cheapest a tree and a block of entries a level. The same seed gives the same choice. Throws OptionError (no such
 * name), NonFiniteError, AbortedError, and what the source throws.
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
  const first = withoutSetup(subject, system.shift, options.seed ?? 0);
  const { rows } = subject.operator;
  const { rates } = system;
  const product = costOfProduct(subject, rates);
  const step = product(system.vectors) + costOfVectors(rows, system.vectors, rates);
  const { entries, direct, measuring } = costsBeforehand(subject, rates, options.memoryLimit ?? availableMemory());
  // A small sketch and a few iterations: hardly anything that needs measuring takes less.
  const least = Math.min(direct, measuring + product(SKETCH) + 75 * rows * SKETCH ** 2 + FEW * step);
  const next = async (left: number): Promise<Choice> => {
    if (entries && direct <= NOT_WORTH_ASKING)
      return {
        reason: `Chosen cholesky: it takes ${inGflop(direct)}, and measuring for a better one would take as much.`,
        candidates: [candidate('cholesky'), candidate(first)],
      };
    return predicted(subject, await measureSystem(subject, system, options.seed ?? 0, control), options, control, {
      first,
      left,
      candidate,
    });
  };
  const quick = system.vectors === 1 ? QUICK : QUICK_FOR_MANY;
  // The spectrum is that of A: where dividing by the diagonal changes it, the iteration itself tells more.
  const measurable = entries && first === 'none';
  // Where products are dear, corrections by a tight hierarchical matrix are predicted beside the candidates.
  const dear = dearProducts(subject) !== undefined;
  if (dear || system.vectors > BLOCK_SIZE || 2 * step > least || (measurable && measuring <= quick * step))
    return next(0);
  return {
    reason: `Tried ${first} first: an iteration takes ${inGflop(step)}, what else there is ${inGflop(least)} or more.`,
    candidates: [candidate(first)],
    trial: { step, other: least, next },
  };
}

/**
 * What needs no setup: the diagonal where it is known and uneven, and D^(−½)·A·D^(−½) with D = diag A + λI is about I,
 * by ‖·‖_F of what it has beside its diagonal, from a random submatrix; else nothing.
 */
function withoutSetup({ source, curvature, operator }: Subject, shift: number, seed: number): 'none' | 'jacobi' {
  const { rows } = operator;
  if (source === undefined || curvature !== undefined || rows < 2) return 'none';
  const diagonal = new Float64Array(rows);
  source.diagonal(diagonal);
  let [least, most] = [Infinity, 0];
  for (const value of diagonal) {
    least = Math.min(least, value + shift);
    most = Math.max(most, value + shift);
  }
  if (!(least > 0 && most > UNEVEN * least && Number.isFinite(1 / least))) return 'none';
  const m = Math.min(rows, ROWS);
  const at = sampleWithoutReplacement(rows, m, new RandomStream(seed, ROWS_STREAM));
  const part = zeros(m, m);
  source.entries(at, at, part);
  let sum = 0;
  for (let j = 0; j < m; j++)
    for (let i = 0; i < m; i++)
      if (i !== j) sum += part.data[i + j * m] ** 2 / ((diagonal[at[i]] + shift) * (diagonal[at[j]] + shift));
  return (rows * sum) / (m * (m - 1)) <= 1 ? 'jacobi' : 'none';
}

/** What is known before anything is measured: the cost of Cholesky where it can be made, and of measuring. */
function costsBeforehand(
  subject: Subject,
  rates: MachineRates,
  memoryLimit: number,
): { readonly entries: boolean; readonly direct: number; readonly measuring: number } {
  const { source, curvature, operator } = subject;
  const { rows } = operator;
  // The products of a network tell more for less.
  const entries = source !== undefined && curvature === undefined;
  const direct = entries && 16 * rows ** 2 <= memoryLimit ? costOfCholesky(subject, rates) : Infinity;
  const spectrum = entries
    ? costOfSampling(rows, costOfEntry(subject, source, rates))
    : SPECTRUM_PRODUCTS * costOfProduct(subject, rates)(1);
  return { entries, direct, measuring: spectrum };
}

/** The table's predictions, the cheapest first; what was tried takes no more than it had left as it went. */
async function predicted(
  subject: Subject,
  measured: Measured,
  options: PreconditionerOptions,
  control: TeamControl,
  tried: {
    readonly first: 'none' | 'jacobi';
    readonly left: number;
    readonly candidate: (name: PreconditionerName, prediction: Prediction) => Candidate;
  },
): Promise<Choice> {
  const candidates: (Candidate & { readonly prediction: Prediction })[] = [];
  const skipped: string[] = [];
  const last = measured.product(measured.vectors);
  for (const kind of IN_ORDER) {
    const { predict, floor } = PRECONDITIONER_TABLE[kind];
    const least = Math.min(...candidates.map(({ prediction }) => expectedOf(prediction)));
    const bound = floor?.(subject, measured) ?? 0;
    if (bound > least) {
      skipped.push(`${kind} ≥ ${inGflop(bound)}`);
      continue;
    }
    const found = (await predict?.(subject, measured, { ...options, most: BEYOND * least }, control)) ?? [];
    for (const one of found) {
      const name = kind === 'none' ? tried.first : kind;
      // What was tried goes faster and faster; what the spectrum tells is not about a matrix divided by its diagonal.
      const went = kind === 'none' && tried.left > 0 && Number.isFinite(tried.left);
      const prediction = {
        ...one,
        // The residual at the end is computed from x.
        setup: one.setup + last,
        step: one.step + costOfVectors(measured.size, measured.vectors, measured.rates),
        iterations: went
          ? Math.ceil(name === 'jacobi' ? tried.left / 2 : Math.min(tried.left, one.iterations))
          : one.iterations,
        atLeast: one.atLeast || name === 'jacobi',
      };
      candidates.push({ ...tried.candidate(name, prediction), prediction });
    }
  }
  candidates.sort((a, b) => totalOf(a.prediction) - totalOf(b.prediction));
  const told = [...candidates.map(({ name, prediction }) => tell(name, prediction)), ...skipped];
  const assumed = measured.assumed ? '; products were counted as those of a dense matrix' : '';
  return { candidates, measured, reason: `Predicted: ${told.join(', ')}; ${tellSpectrum(measured)}${assumed}.` };
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
