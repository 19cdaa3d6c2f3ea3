/**
 * Is a compressed matrix positive definite, and if not, which shift makes it so?
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import { requireRole } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { extremeEigenvalues, type RitzValue } from '../../krylov/lanczos.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { factor, isFactorable } from './factor.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import { FORMAT_TABLE } from '../matrix/format.js';

/** Units of rounding of ‖K̃‖ below which an eigenvalue counts as zero: the search for a shift begins at 64. */
const ROUNDING = 1024;

/** Options of {@link certifyDefiniteness}. */
export interface DefinitenessOptions {
  /** Relative tolerance of λ_min by Lanczos. Default 1e-4. */
  readonly tolerance?: number | undefined;
  /** Most products with the matrix. Default 200. */
  readonly maxIterations?: number | undefined;
  /** Default 0. Seeds Lanczos' starting vector. */
  readonly seed?: number | undefined;
}
/** The keys of {@link DefinitenessOptions}. */
const DEFINITENESS_KEYS: KeysOf<DefinitenessOptions> = { tolerance: 'number', maxIterations: 'number', seed: 'number' };

/** What is known of λ_min, and a shift that makes the matrix positive definite. */
export interface DefinitenessCertificate {
  /**
   * λ_min(K̃) by Lanczos: a Rayleigh quotient, so λ_min ≤ value for certain, and some eigenvalue lies within the bound
   * of it; that it is the smallest is likely (the start is random), not certain.
   */
  readonly smallest: RitzValue;
  /**
   * positive: K̃ less a shift of the size of rounding (1024·eps·‖K̃‖) has a Cholesky factorization, which proves λ_min
   * > 0. indefinite: a Rayleigh quotient is negative beyond rounding, or factorizations break down up to a shift beyond
   * it. semidefinite: Cholesky works at 0 or at a shift of the size of rounding, and λ_min is zero as far as can be
   * told: at 0 rounding alone decides whether it breaks down. undecided: the format has no direct factorization
   * ('fmm'), and no negative Rayleigh quotient was found.
   */
  readonly definite: 'positive' | 'semidefinite' | 'indefinite' | 'undecided';
  /**
   * λ ≥ 0 that makes K̃ + λI positive definite: 0 where it is already; proved by a factorization where `proved`, else
   * −(value − bound). Undefined where none was found.
   */
  readonly suggestedShift: number | undefined;
  readonly proved: boolean;
}

/**
 * Looks for λ_min(K̃) and for the smallest shift. Cost: `maxIterations` products, and for 'hss' and 'hodlr' a
 * factorization, some thirty where K̃ is indefinite. Throws OptionError, MemoryError, AbortedError.
 */
export async function certifyDefiniteness(
  matrix: HierarchicalMatrix,
  options: DefinitenessOptions = {},
  given: Control = {},
): Promise<DefinitenessCertificate> {
  requireRole(matrix, 'hierarchical matrix', 'certifyDefiniteness');
  const {
    tolerance = 1e-4,
    maxIterations = 200,
    seed = 0,
  } = requireKnownOptions(options, DEFINITENESS_KEYS, 'certifyDefiniteness');
  const control = await onTeam(given, 'certifyDefiniteness');
  const { smallest, largest } = await extremeEigenvalues(
    matrix,
    { blas: control.team.blas, tolerance, maxIterations, seed },
    control,
  );
  const rounding =
    ROUNDING *
    (matrix.data.dtype === 'f64' ? 2 ** -52 : 2 ** -23) *
    Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  if (FORMAT_TABLE[matrix.data.format].nearBlocks) {
    return {
      smallest,
      definite: smallest.value < -rounding ? 'indefinite' : 'undecided',
      suggestedShift: Math.max(0, smallest.bound - smallest.value),
      proved: false,
    };
  }
  try {
    (await factor(matrix, { shift: 0 }, control)).release();
    const positive = smallest.value > rounding && (await isFactorable(matrix, -rounding, control));
    return { smallest, definite: positive ? 'positive' : 'semidefinite', suggestedShift: 0, proved: true };
  } catch (error) {
    if (!(error instanceof NotPositiveDefiniteError)) throw error;
    const shift = error.data['suggestedShift'];
    const suggestedShift = typeof shift === 'number' ? shift : undefined;
    const indefinite = smallest.value < -rounding || suggestedShift === undefined || suggestedShift > rounding;
    return {
      smallest,
      definite: indefinite ? 'indefinite' : 'semidefinite',
      suggestedShift,
      proved: suggestedShift !== undefined,
    };
  }
}
