/**
 * A sum of Kronecker products as the principal part of a preconditioner: M ≈ (S + λI)⁻¹ with S ≈ G the sum, by
 * Chebyshev's iteration (krylov/chebyshev-inverse.ts) from F = (G̃ + λI)⁻¹, the factored hierarchical matrix of `hss`.
 *
 *   M = q(F(S + λI))·F
 *
 * S is far nearer to G than G̃ of the same memory and has no factorization; F has one. Iterations are fewer than with F
 * alone, each takes some products with S: worth it where those are cheaper than a product with G, of many samples.
 */
import { NonFiniteError, OptionError } from '../../core/errors.js';
import { suitsKroneckerSum } from '../../curvature/kronecker-sum/cost.js';
import { kroneckerSum as kroneckerSumOf } from '../../curvature/kronecker-sum/compress.js';
import type { KroneckerFactorization } from '../../curvature/eigenbasis/factorization.js';
import type { Blas } from '../../dense/blas.js';
import { availableMemory } from '../../io/machine.js';
import { chebyshevInverse, oddDegree, type ChebyshevInterval } from '../../krylov/chebyshev-inverse.js';
import { gaussQuadrature, lanczosMatrices } from '../../krylov/lanczos-quadrature.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { shifted } from '../../operator/shifted.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { modelOf, type PreconditionerKind } from './kind.js';
import { principalPart } from './principal-part.js';

/** Where modes cannot be found from all samples at once they are streamed, so many of every pair of layers. */
const STREAMED_MODES = 400;
/** Lanczos steps that find the interval of F(S + λI), which is made wider by so much at both ends. */
const STEPS = 15;
const WIDER = 1.1;
/** Its condition at most: what lies below is left to conjugate gradients. */
const MOST_CONDITION = 400;
/** Where S + λI has negative eigenvalues. */
const NOT_DEFINITE =
  'The Kronecker sum is not positive definite at this shift, so that only hss preconditions: take a larger share.';
/** What the iteration leaves of a residual: S differs from G, and less would be wasted. */
const RESIDUAL = 0.1;

/**
 * Ritz values of F(S + λI) at both ends; it is 1 where neither S nor G̃ keeps anything. Undefined where S + λI is not
 * positive definite: S is further from G than λ.
 */
async function intervalOf(
  operator: LinearOperator,
  factorization: KroneckerFactorization,
  { blas, seed }: { readonly blas: Blas; readonly seed: number },
  control: TeamControl,
): Promise<ChebyshevInterval | undefined> {
  const found = await lanczosMatrices(operator, { probes: 1, degree: STEPS, blas, seed, factorization }, control);
  if (found === undefined)
    throw new NonFiniteError('A product with the Kronecker sum overflows: scale the data or the parameters.');
  const { nodes } = gaussQuadrature(found[0], blas);
  if (nodes[0] <= 0) return undefined;
  const most = WIDER * Math.max(1, nodes[nodes.length - 1]);
  return { most, least: Math.max(most / MOST_CONDITION, Math.min(1, nodes[0]) / WIDER) };
}

/**
 * See above. `share` (default: that of `hss`) is what S may store of the dense matrix's memory, the factors behind F
 * take as much again (twice that by default). Of odd degree, so that M is positive definite whatever S is; the degree
 * is what leaves a tenth of a residual of S + λI. Where that is found indefinite, M = F, and `note` says so. Throws
 * OptionError without a network's Gauss–Newton operator and for λ = 0; what `kroneckerSum`, `kroneckerHierarchical` and
 * `factorKronecker` throw.
 */
export const kroneckerSum: PreconditionerKind = {
  ofNetworks: true,
  tableOptions: { share: 0.02 },
  make: async (subject, shift, options, control) => {
    const { share, seed = 0, memoryLimit } = options;
    const { team } = control;
    modelOf(subject, 'kronecker-sum');
    const model = subject.gaussNewton;
    if (model === undefined || shift === 0)
      throw new OptionError(
        "Preconditioner 'kronecker-sum' approximates the Gauss–Newton matrix of the network, with λ > 0: " +
          'pass `gaussNewton(model)` and a shift.',
        { option: 'preconditioner', name: 'kronecker-sum' },
      );
    const principal = await principalPart(
      model,
      { ...options, share: share === undefined ? undefined : share / 2 },
      control,
    );
    const streamed = !suitsKroneckerSum(model, memoryLimit ?? availableMemory(), team.workers);
    const sum = await kroneckerSumOf(
      model,
      { share: share ?? principal.share, memoryLimit, ...(streamed ? { modes: STREAMED_MODES, seed } : {}) },
      control,
    );
    let degree = 0;
    return {
      get details() {
        const { error } = sum;
        return {
          ...principal.details,
          sum: Number(sum.share.toPrecision(3)),
          error: Number(error.toPrecision(2)),
          degree,
        };
      },
      invert: async (λ) => {
        const factored = await principal.invert(λ);
        const { operator: inverse } = factored;
        const operator = shifted(sum, λ);
        const interval = await intervalOf(operator, inverse, { blas: team.blas, seed }, control);
        if (interval === undefined) {
          degree = 1;
          return { ...factored, note: NOT_DEFINITE };
        }
        degree = oddDegree(interval, RESIDUAL);
        return {
          ...factored,
          operator: chebyshevInverse(operator, inverse, interval, degree),
          bytes: factored.bytes + sum.bytes,
        };
      },
    };
  },
};
