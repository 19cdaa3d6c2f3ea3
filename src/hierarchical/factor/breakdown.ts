/**
 * What is said where a factorization breaks down: where, and the smallest shift that works.
 */
import type { HmatrixError } from '../../core/errors.js';
import { extremeEigenvalues } from '../../krylov/lanczos.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { tellBreakdown } from './breakdown-message.js';
import type { Breakdown, FactorEngine } from './engine.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';

/** Products with the matrix that look for its smallest eigenvalue. */
const PRODUCTS = 120;
/** Factorizations that look for the shift: at most so many upwards, then so many bisections. */
const RISES = 24;
const BISECTIONS = 5;
/** The shift that is suggested exceeds one that fails by at most this part of itself. */
const SHARPNESS = 0.05;

/**
 * The smallest λ ≥ 0 above `failed` at which K̃ + λI factors, to SHARPNESS or a few hundred units of rounding: from
 * −λ_min(K̃) by Lanczos, verified by factorizations and sharpened by bisection. At most 120 products and 29
 * factorizations, few in practice. Undefined where none was found.
 */
async function smallestWorkingShift(
  matrix: HierarchicalMatrix,
  engine: FactorEngine,
  failed: number,
  control: TeamControl,
): Promise<number | undefined> {
  const { smallest, largest } = await extremeEigenvalues(
    matrix,
    { blas: control.team.blas, tolerance: 1e-6, maxIterations: PRODUCTS },
    control,
  );
  if (!Number.isFinite(smallest.value)) return undefined;
  const norm = Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  // The zero matrix factors with any shift that is not lost in λ's own rounding.
  const unit = (engine.precision === 'f64' ? 2 ** -52 : 2 ** -23) * (norm > 0 ? norm : 1);
  let low = Math.max(0, failed);
  let step = 64 * unit;
  let high = Math.max(low, -smallest.value) + step;
  let rises = 0;
  while ((await engine.refactor(high, control)) !== undefined) {
    if (++rises > RISES) return undefined;
    low = high;
    step = Math.max(4 * step, rises === 1 ? smallest.bound / 4 : 0);
    high += step;
  }
  for (let k = 0; k < BISECTIONS && high - low > Math.max(SHARPNESS * high, 256 * unit); k++) {
    const middle = low > 0 && high > 4 * low ? Math.sqrt(low * high) : (low + high) / 2;
    if ((await engine.refactor(middle, control)) === undefined) high = middle;
    else low = middle;
  }
  return high;
}

/** The error to throw. With `suggest`, looks for the shift; the engine's factors are lost. */
export async function breakdownError(
  matrix: HierarchicalMatrix,
  engine: FactorEngine,
  breakdown: Breakdown,
  { shift, suggest }: { readonly shift: number; readonly suggest: boolean },
  control: TeamControl,
): Promise<HmatrixError> {
  const { indefinite } = engine;
  const search = suggest && !indefinite;
  const suggestedShift = search ? await smallestWorkingShift(matrix, engine, shift, control) : undefined;
  return tellBreakdown(breakdown, { isolated: matrix.data.tree.begin[0], shift, indefinite, suggestedShift });
}
