/**
 * What is measured of a system before a preconditioner is chosen: all predictions stand on it.
 */
import type { Subject } from '../approximation/subject.js';
import type { TeamControl } from '../parallel/team-control.js';
import { costOfProduct, isAssumed } from './cost-model.js';
import { measureSpectrum, predictedSteps, sampleSpectrum, type Spectrum } from './spectrum.js';

/** The system that is to be solved. */
export interface Asked {
  /** λ. */
  readonly shift: number;
  /** Right-hand sides. */
  readonly vectors: number;
  /** Relative residual. */
  readonly tolerance: number;
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
  /** Whether the spectrum was seen down to λ (or to its end): else `steps` is no more than a lower bound. */
  readonly resolved: boolean;
  /** Iterations of conjugate gradients without so many of the largest eigenvalues; default without none. */
  readonly steps: (removed?: number) => number;
}

/**
 * Costs 32 products, or a submatrix of 512 × 512 entries where there are entries. Throws NonFiniteError,
 * AbortedError.
 */
export async function measureSystem(
  subject: Subject,
  { shift, vectors, tolerance: wanted }: Asked,
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
  return {
    size,
    shift,
    vectors,
    tolerance,
    product: costOfProduct(subject),
    assumed: isAssumed(subject),
    spectrum,
    ridge,
    resolved: shift + ridge >= spectrum.seen,
    steps: (removed = 0) => predictedSteps(spectrum, shift, tolerance, size, removed),
  };
}
