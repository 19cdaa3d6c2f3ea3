/**
 * K-FAC for mini-batches (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671; step rules as in kfac-jax). With moving
 * averages of A = E āāᵀ and Γ = E δδᵀ of each layer, the step is δ = αd + μp, p the step before and
 *
 *   exact     d = −(A ⊗ Γ + λI)⁻¹g = −U_A[(U_AᵀGU_Γ) ⊘ (s_A s_Γᵀ + λ)]U_Γᵀ
 *   factored  d = −(A + π√λ I)⁻¹ G (Γ + √λ/π I)⁻¹,  π² = (tr A/width)/(tr Γ/outputs)
 *
 * α and μ minimise f + gᵀδ + ½δᵀ(G_N + λI)δ with the Gauss–Newton matrix G_N of a few samples of the batch. The damping
 * follows the ratio ρ of the reduction of f on the batch over that of the model. A step by which f rises
 * by more than a tenth is not taken.
 *
 * A step: the gradient (6nN flops), 4(width + outputs) flops a parameter, J·v of two vectors on the few samples (8nN);
 * every few steps the statistics, f at the new point, and rarely the bases (9·size³ flops a side).
 */
import { requireKnownOptions } from '../../core/known-options.js';
import { here, there } from '../newton/method.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { Optimizer } from '../optimizer.js';
import { kfacOnDevice } from './kfac-on-device.js';
import { kfacOnHost } from './kfac-on-host.js';
import { KFAC_OPTIMIZER_KEYS, kfacSettings, type KfacOptimizerOptions, type KfacSettings } from './kfac-options.js';
import { KfacStepper } from './kfac-stepper.js';
import { momentsOf, sideShapes, sidesSpare } from './kronecker-sides.js';

/**
 * K-FAC with lengths, momentum and damping by the quadratic model. Memory: four vectors of the size of θ, and 2·size²
 * for each side. Throws OptionError.
 */
export function kfacOptimizer(options: KfacOptimizerOptions = {}): Optimizer {
  const settings = kfacSettings(requireKnownOptions(options, KFAC_OPTIMIZER_KEYS, 'kfacOptimizer'));
  return {
    name: 'kfac',
    settings,
    learningRate: settings.learningRate,
    curvature: 'gauss-newton',
    batchSize: 500,
    rotateInputs: () => true,
    spare: (network) => 4 * vectorNumbers(network.parameters) + sidesSpare(network, sidesOptions(settings)),
    begin: (objective) => here(new KfacStepper(kfacOnHost(objective, sidesOptions(settings)), settings)),
    passes: () => ['tangent', 'draw'],
    parts: 2,
    moments: (subject) => {
      const sides = sidesOptions(settings);
      return momentsOf(sideShapes(subject, sides), sides);
    },
    onDevice: (objective) => {
      const own = kfacOnDevice(objective, sidesOptions(settings));
      return there(new KfacStepper(own, settings), own);
    },
  };
}

const sidesOptions = ({ largestSide }: KfacSettings) => ({ statistics: 'factors', largestSide, values: true }) as const;
