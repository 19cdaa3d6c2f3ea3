/**
 * What is measured of a system before a preconditioner is chosen: all predictions stand on it.
 */
import { RandomStream } from '../core/random.js';
import type { Subject } from '../approximation/subject.js';
import type { Blas } from '../dense/blas.js';
import { zeros } from '../dense/matrix.js';
import type { TeamControl } from '../parallel/team-control.js';
import { costOfProduct } from './cost-model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { measureSpectrum, predictedSteps, sampleSpectrum, SPECTRUM_PRODUCTS, type Spectrum } from './spectrum.js';

/** Order of the gemm that turns seconds into flops. */
const ORDER = 256;

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
  /** Cost of a product with so many vectors: by cost-model.ts, or by the time of one at the rate of gemm. */
  readonly product: (vectors: number) => number;
  /** Whether products were timed. */
  readonly timed: boolean;
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
  const { blas, workers } = control.team;
  const size = operator.rows;
  const tolerance = Math.max(wanted, Number.EPSILON);
  const known = costOfProduct(subject);
  const began = performance.now();
  // Entries tell more of the spectrum than so few products do, and take less, unless each is a sum over samples.
  const { source } = subject;
  const byEntries = source !== undefined && subject.curvature === undefined;
  const found = byEntries
    ? sampleSpectrum(source, lowerBound, seed, blas)
    : await measureSpectrum(operator, seed, blas, control);
  const products = byEntries ? 0 : Math.min(SPECTRUM_PRODUCTS, 2 * size);
  const timed =
    known === undefined
      ? secondsOfProduct(operator, products, (performance.now() - began) / 1000) * workers * gemmRate(blas)
      : 0;
  const ridge = Math.min(lowerBound, found.largest);
  const spectrum = { ...found, smallest: Math.max(found.smallest, ridge) };
  return {
    size,
    shift,
    vectors,
    tolerance,
    product: known ?? ((count) => count * timed),
    timed: known === undefined,
    spectrum,
    ridge,
    resolved: shift + ridge >= spectrum.seen,
    steps: (removed = 0) => predictedSteps(spectrum, shift, tolerance, size, removed),
  };
}

/** The mean of so many that took `seconds`, or the time of one. */
function secondsOfProduct(operator: LinearOperator, products: number, seconds: number): number {
  if (products > 0) return seconds / products;
  const x = zeros(operator.cols, 1);
  new RandomStream(0).fillNormal(x.data);
  const began = performance.now();
  operator.applyUnchecked(zeros(operator.rows, 1), x, 1, 0);
  return (performance.now() - began) / 1000;
}

/** Flops a second of gemm on the calling thread. */
function gemmRate(blas: Blas): number {
  const a = zeros(ORDER, ORDER);
  new RandomStream(0).fillNormal(a.data);
  const c = zeros(ORDER, ORDER);
  blas.gemm('N', 'N', 1, a, a, 0, c);
  const began = performance.now();
  blas.gemm('N', 'N', 1, a, a, 0, c);
  return (2 * ORDER ** 3) / ((performance.now() - began) / 1000);
}
