/**
 * Gauss–Newton Hessians as sums of Kronecker products.
 *
 *   G ≈ Q·(Σ over pairs of layers Σ_j S_j ⊗ M_j)·Qᵀ + complement,   Q = blockdiag_ℓ(U_Γℓ ⊗ U_Aℓ)
 *
 * Every block of G is a sum over samples of Kronecker products, Σ_i ā_iā′_iᵀ ⊗ m_i (C. Chen et al., SIAM J. Matrix
 * Anal. Appl. 42(1), 2021, arXiv 1910.12184). Its best sum of k products is a truncated singular value decomposition
 * (modes.ts), of which K-FAC's A ⊗ Γ (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671) is a guess at the first term.
 * In the eigenbasis of the activations an S_j is concentrated in its leading rows and columns: blocks of it are kept by
 * their energy for a byte, over all pairs of layers and modes at once (choice.ts). M_j are orthonormal and blocks
 * disjoint, so all of it is orthogonal projection, and the error is what was left out, exactly but for rounding.
 */
import { requireMemoryLimit, requirePrecision, requireSeed, requireWhole } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { Precision } from '../../core/floats.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { availableMemory } from '../../io/machine.js';
import { asModel, checkModel, type GivenModel } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { resolveGoal, type GoalOptions } from '../eigenbasis/goal.js';
import type { KroneckerSumMatrix } from './matrix.js';
import { planKroneckerSum, streamedKroneckerSum } from './plan.js';

/** Options of {@link kroneckerSum}. */
export interface KroneckerSumOptions extends GoalOptions {
  /**
   * At most so many modes of every pair of layers, by a randomized range finder in two passes over the data: memory
   * does not grow with the samples (stream.ts), and the error is an estimate with an interval. Default: all modes, from
   * Gram matrices of the samples, the error known.
   */
  readonly modes?: number | undefined;
  /** With `modes`: samples in memory at a time. Default 512. */
  readonly batchSize?: number | undefined;
  /**
   * Without negative eigenvalues, but for rounding: what is negative of G̃ is lifted within the stored numbers, and the
   * rest shifted by λ_min, which is computed for small sums and measured by a Krylov space for others
   * (semidefinite.ts). The error stays known; it grows, mostly to less than three times what it was. Default false.
   */
  readonly semidefinite?: boolean | undefined;
  /** With `modes` or `semidefinite`: seeds the test vectors, and the first vector of the Krylov space. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Precision of the stored S_j and M_j, and of products. Default 'f64'; 'f32' keeps twice as many numbers in the same
   * memory, each rounded to 6e-8 of itself (the basis stays in float64).
   */
  readonly dtype?: Precision | undefined;
  /** Bytes that the compression may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link KroneckerSumOptions}. */
const KRONECKER_SUM_KEYS: KeysOf<KroneckerSumOptions> = {
  share: 'number',
  tolerance: 'number',
  modes: 'number',
  batchSize: 'number',
  semidefinite: 'boolean',
  seed: 'number',
  dtype: true,
  memoryLimit: 'number',
};

/** Test vectors that the error of streamed modes is estimated with. */
const PROBES = 32;

/**
 * G of the model, N × N, as a sum of Kronecker products at a given share of the dense matrix's memory or to a given
 * error, which is known. For n samples: at most min(n, d_ℓ·d_ℓ′) modes a pair of layers, 2n flops for each number of
 * those S_j that are looked at and about 2n²(width + width′ + modes) a pair; in memory rotatedModelBytes and, for a
 * pair with more than n numbers d_ℓ·d_ℓ′ in an m_i, n times as many for each worker. With `modes`: stream.ts. In
 * float64; deterministic, the same bits for any team. No eigenvalue of G̃ lies below its `lowerBound`. Throws
 * OptionError (also for a share that not even the last layer's block fits in, with the least that would do),
 * ShapeError, NonFiniteError, MemoryError, AbortedError, WorkerError.
 *
 * ```js
 * const hessian = await kroneckerSum(model, { share: 0.01 });
 * console.log(hessian.error, hessian.bytes);
 * ```
 */
export async function kroneckerSum(
  given: GivenModel,
  options: KroneckerSumOptions,
  givenControl: Control = {},
): Promise<KroneckerSumMatrix> {
  const model = asModel(given, 'kroneckerSum');
  const known = requireKnownOptions(
    options,
    KRONECKER_SUM_KEYS,
    'kroneckerSum',
    'kroneckerSum(model, { share: 0.01 })',
  );
  const goal = resolveGoal(known);
  const memoryLimit = requireMemoryLimit(known.memoryLimit ?? availableMemory());
  const control = await onTeam(givenControl, 'kroneckerSum');
  checkModel(model);
  const { modes, batchSize = 512, semidefinite = false, seed = 0, dtype = 'f64' } = known;
  requirePrecision(dtype, 'dtype');
  requireWhole(batchSize, 'batchSize', 1);
  requireSeed(seed);
  const request = { goal, dtype, semidefinite: semidefinite ? { seed } : undefined, memoryLimit, control };
  if (modes === undefined) {
    if (known.batchSize !== undefined || (known.seed !== undefined && !semidefinite))
      throw new OptionError(
        'batchSize goes with modes, the most modes of a pair of layers to be streamed; seed with that or semidefinite.',
        { batchSize: known.batchSize, seed: known.seed },
      );
    return (await planKroneckerSum(model, request)).make();
  }
  requireWhole(modes, 'modes', 1, 65_536);
  return streamedKroneckerSum(model, { modes, probes: PROBES, batchSize, seed }, request);
}
