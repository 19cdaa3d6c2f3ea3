/**
 * What is measured of a system before a preconditioner is chosen: all predictions stand on it.
 */
import { RandomStream } from '../core/random.js';
import type { Subject } from '../approximation/subject.js';
import type { Blas } from '../dense/blas.js';
import { zeros } from '../dense/matrix.js';
import type { TeamControl } from '../parallel/team-control.js';
import { measureSpectrum, predictedSteps, SPECTRUM_PRODUCTS, type Spectrum } from './spectrum.js';

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
  /** Flops of a product with one vector: known, or the time of one at the rate of gemm. */
  readonly product: number;
  /** Whether products were timed. */
  readonly timed: boolean;
  /** Flops a second of gemm on the calling thread. */
  readonly rate: number;
  readonly spectrum: Spectrum;
  /** What A holds of an identity, such as a ridge: no eigenvalue of A lies below it. 0 where nobody knows. */
  readonly ridge: number;
  /** Iterations of conjugate gradients without so many of the largest eigenvalues; default without none. */
  readonly steps: (removed?: number) => number;
}

/** Costs 32 products. Throws NonFiniteError, AbortedError. */
export async function measureSystem(
  { operator, lowerBound }: Subject,
  { shift, vectors, tolerance: wanted }: Asked,
  seed: number,
  control: TeamControl,
): Promise<Measured> {
  const { blas, workers } = control.team;
  const size = operator.rows;
  const tolerance = Math.max(wanted, Number.EPSILON);
  const rate = gemmRate(blas);
  const began = performance.now();
  const found = await measureSpectrum(operator, seed, blas, control);
  const timed = (((performance.now() - began) / 1000) * rate * workers) / Math.min(SPECTRUM_PRODUCTS, 2 * size);
  const ridge = Math.min(lowerBound, found.largest);
  const spectrum = { ...found, smallest: Math.max(found.smallest, ridge) };
  const known = operator.flops?.(1);
  return {
    size,
    shift,
    vectors,
    tolerance,
    product: known ?? timed,
    timed: known === undefined,
    rate,
    spectrum,
    ridge,
    steps: (removed = 0) => predictedSteps(spectrum, shift, tolerance, size, removed),
  };
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
