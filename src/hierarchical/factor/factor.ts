/**
 * Factoring a hierarchical matrix.
 */
import { requirePrecision } from '../../core/checks.js';
import { throwIfAborted } from '../../core/context.js';
import { OptionError } from '../../core/errors.js';
import { requireRole } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import type { Precision } from '../../core/floats.js';
import { requireMemory } from '../../core/memory.js';
import { availableMemory } from '../../io/machine.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { breakdownError } from './breakdown.js';
import { checkShift } from './breakdown-message.js';
import { Factorization } from './factorization.js';
import { hodlrFactorBytes } from './hodlr/engine.js';
import { isFactoredAsHodlr, makeEngine } from './make-engine.js';
import type { HierarchicalMatrix } from '../matrix/hierarchical-matrix.js';
import { ulvFactorBytes } from './ulv/engine.js';

/** Options of {@link factor}. */
export interface FactorOptions {
  /** λ ≥ 0 of K̃ + λI; any sign with `indefinite`. Default 0. */
  readonly shift?: number | undefined;
  /**
   * L·J·Lᵀ with signs J instead of Cholesky, for format 'hss': two to three times the cost, nothing is pivoted between
   * nodes. Default false.
   */
  readonly indefinite?: boolean | undefined;
  /**
   * Precision of the factors and of solves. Default 'f64', whatever the matrix's is: a factorization amplifies rounding
   * by the condition number, and 'f32' warns where that costs three digits or more.
   */
  readonly precision?: Precision | undefined;
  /**
   * Where K̃ + λI is not positive definite: look for the smallest shift that works, at the cost of some factorizations.
   * Default true.
   */
  readonly suggestShift?: boolean | undefined;
  /**
   * Bytes the factorization may use; default: what the system says is free. More is refused before anything is
   * allocated.
   */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link FactorOptions}. */
const FACTOR_KEYS: KeysOf<FactorOptions> = {
  shift: 'number',
  indefinite: 'boolean',
  precision: true,
  suggestShift: 'boolean',
  memoryLimit: 'number',
};

/**
 * Factors K̃ + λI = F·Fᵀ for solves, determinants and samples (factorization.ts).
 *
 * Format 'hss' (and 'fmm' without near blocks): symmetric ULV, O(r²·N) flops and O(r·N) memory
 * (hierarchical/factor/ulv/eliminate.ts); 'hodlr': recursive symmetric factorization, O(r²·N·log² N) and O(r·N·log N)
 * (hierarchical/factor/hodlr/factor.ts). Nothing is compressed again, whatever λ is. The same bits on a team of any
 * size. Throws OptionError (a shift out of its domain; near blocks off the diagonal: factor the HSS of the same source
 * and use it as a preconditioner); NotPositiveDefiniteError with node, level, pivot, index and suggestedShift;
 * FactorizationError where an indefinite one is singular; MemoryError; AbortedError; WorkerError.
 */
export async function factor(
  matrix: HierarchicalMatrix,
  options: FactorOptions = {},
  given: Control = {},
): Promise<Factorization> {
  requireRole(matrix, 'hierarchical matrix', 'factor');
  const {
    shift = 0,
    indefinite = false,
    precision = 'f64',
    suggestShift = true,
    memoryLimit,
  } = requireKnownOptions(options, FACTOR_KEYS, 'factor');
  const control = await onTeam(given, 'factor');
  checkShift(shift, indefinite);
  requirePrecision(precision);
  throwIfAborted(control.signal);
  const { data } = matrix;
  const hodlr = isFactoredAsHodlr(data);
  if (hodlr && indefinite)
    throw new OptionError("An indefinite factorization needs format 'hss': HODLR's is by Cholesky.", {
      format: data.format,
    });
  const bytes = hodlr ? hodlrFactorBytes(data, precision) : ulvFactorBytes(data, precision);
  const limit = memoryLimit ?? availableMemory();
  requireMemory(bytes, limit, {
    what: 'The factorization needs',
    advice: 'lower the ranks (maxRank), or raise memoryLimit. ' + "As { precision: 'f32' } it takes half as much.",
    data: {
      options: ['maxRank', 'memoryLimit'],
      libraryOnly: " As { precision: 'f32' } it takes half as much.",
    },
  });
  const engine = makeEngine(data, precision, indefinite);
  const breakdown = await engine.refactor(shift, control);
  if (breakdown !== undefined)
    throw await breakdownError(matrix, engine, breakdown, { shift, suggest: suggestShift }, control);
  const factorization = new Factorization(matrix, engine, shift, control.team);
  factorization.warnOfDigits(control);
  return factorization;
}

/**
 * Whether K̃ + shift·I has a Cholesky factorization, for a shift of either sign: its smallest eigenvalue is then above
 * −shift, but for rounding. Of formats that `factor` takes. Throws AbortedError, WorkerError.
 */
export async function isFactorable(matrix: HierarchicalMatrix, shift: number, control: TeamControl): Promise<boolean> {
  const engine = makeEngine(matrix.data, 'f64', false);
  return (await engine.refactor(shift, control)) === undefined;
}
