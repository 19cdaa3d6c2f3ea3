/**
 * What is measured of a system before a preconditioner is chosen: all predictions stand on it.
 */
import type { Subject } from '../approximation/subject.js';
import { BLOCK_SIZE } from '../krylov/block-conjugate-gradients.js';
import type { TeamControl } from '../parallel/team-control.js';
import { costOfProduct, isAssumed } from './cost-model.js';
import type { MachineRates } from './machine-rates.js';
import { sampleSpectrum } from './sampled-spectrum.js';
import { measureSpectrum, type Spectrum } from './spectrum.js';
import { levelsFor, simulatedSteps } from './steps.js';

/** Steps that are simulated at most: what takes more is rarely the best, and costs milliseconds to find out. */
export const MOST_STEPS = 1000;

/** The system that is to be solved. */
export interface Asked {
  /** λ. */
  readonly shift: number;
  /** Right-hand sides. */
  readonly vectors: number;
  /** Relative residual. */
  readonly tolerance: number;
  /** How fast the machine is. */
  readonly rates: MachineRates;
}

/** What is known of a system after a few products. */
export interface Measured extends Asked {
  /** N. */
  readonly size: number;
  /** Cost of a product with so many vectors (cost-model.ts). */
  readonly product: (vectors: number) => number;
  /** Whether products are counted as those of a dense matrix, because the operator does not tell its flops. */
  readonly assumed: boolean;
  readonly spectrum: Spectrum;
  /** What A holds of an identity, such as a ridge: no eigenvalue of A lies below it. 0 where nobody knows. */
  readonly ridge: number;
  /** λ + λ_min, as far as it is known: above 0 unless A is zero. */
  readonly least: number;
  /** ‖A‖_F. */
  readonly norm: number;
  /** Whether the spectrum was seen down to λ (or to its end): else `steps` stands on how it goes on. */
  readonly resolved: boolean;
  /**
   * Iterations of conjugate gradients (steps.ts) with a preconditioner that takes an eigenvalue of A + λI, the one that
   * `place` lie above, about, to m times it. One more than `most` (MOST_STEPS at most) where there are more.
   */
  readonly steps: (inverse: Spectral, most: number) => number;
}

/** m(value): what a preconditioner does to the eigenvalue at a place. Levels are numbered from the largest on. */
export type Spectral = (value: number, place: number, level: number) => number;

/** The identity. */
export const UNCHANGED: Spectral = () => 1;

/**
 * Costs 32 products, or a submatrix of 512 × 512 entries where there are entries. Throws NonFiniteError,
 * AbortedError.
 */
export async function measureSystem(
  subject: Subject,
  { shift, vectors, tolerance: wanted, rates }: Asked,
  seed: number,
  control: TeamControl,
): Promise<Measured> {
  const { operator, lowerBound } = subject;
  const { blas } = control.team;
  const size = operator.rows;
  const tolerance = Math.max(wanted, Number.EPSILON);
  // Entries tell more of the spectrum than so few products do, and take less, unless each is a sum over samples.
  const { source } = subject;
  const byEntries = source !== undefined && subject.curvature === undefined;
  const found = byEntries
    ? sampleSpectrum(source, lowerBound, seed, blas)
    : await measureSpectrum(operator, seed, blas, control);
  const ridge = Math.min(lowerBound, found.largest);
  const spectrum = { ...found, smallest: Math.max(found.smallest, ridge) };
  const { values, counts, largest, smallest, seen } = spectrum;
  const least = Math.max(shift + smallest, Number.EPSILON * largest);
  const levels = levelsFor(
    { values: values.map((value) => Math.max(value + shift, least)), counts },
    Math.min(vectors, BLOCK_SIZE),
  );
  const places = placesOf(levels.counts);
  return {
    size,
    shift,
    vectors,
    tolerance,
    rates,
    product: costOfProduct(subject, rates),
    assumed: isAssumed(subject),
    spectrum,
    ridge,
    least,
    norm: Math.sqrt(values.reduce((sum, value, k) => sum + counts[k] * value * value, 0)),
    resolved: shift + ridge >= seen,
    steps: (inverse, most) => {
      const limit = Math.max(1, Math.min(MOST_STEPS, Math.ceil(most)));
      if (!(least > 0)) return limit + 1;
      const of = levels.values.map((value, k) => inverse(value, places[k], k));
      return simulatedSteps(levels, tolerance, limit, of);
    },
  };
}

/** How many eigenvalues lie above each level, with half of its own. */
function placesOf(counts: Float64Array): Float64Array {
  let above = 0;
  return counts.map((count) => {
    above += count;
    return above - count / 2;
  });
}
