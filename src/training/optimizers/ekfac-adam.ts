/**
 * Adam in the Kronecker eigenbasis of each layer (N. Vyas et al., SOAP, arXiv 2409.11321; T. George et al., EKFAC,
 * NeurIPS 2018). With the layer's gradient G (width × outputs) and the eigenvectors U_A, U_Γ of its factors:
 *
 *   G̃ = U_AᵀGU_Γ,  m ← β₁m + (1 − β₁)G̃,  v ← β₂v + (1 − β₂)G̃²,  W ← W − α·U_A(m̂/(√v̂ + ε))U_Γᵀ
 *
 * The factors are A = E āāᵀ and Γ = E δδᵀ of drawn signs, or GGᵀ and GᵀG as in SOAP. At a change of bases m is turned
 * along, v stays. A side above `largestSide`, or one whose factor is diagonal by construction, is left alone; a layer
 * without a turned side goes by Adam itself.
 *
 * A step: the gradient (6nN flops), 4 flops a parameter for each unit of a turned side, every few steps the
 * statistics on ≤ 200 samples, rarely the bases (9·size³ flops a side). Where a layer has more outputs (inputs) than
 * the batch has n samples, G̃ is formed from turned samples: 2n·size² flops instead of half of those of its input
 * (output) side.
 */
import { quoted } from '../../core/kind.js';
import { OptionError } from '../../core/errors.js';
import { requireNonNegative, requirePositive, requireWhole } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf, type Resolved } from '../../core/known-options.js';
import { lossOf } from '../../network/losses/table.js';
import { here, there } from '../newton/method.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { Optimizer } from '../optimizer.js';
import { EkfacOnDevice } from './ekfac-on-device.js';
import { EkfacOnHost } from './ekfac-on-host.js';
import { EkfacStepper } from './ekfac-stepper.js';
import { momentsOf, sideShapes, sidesSpare, type SidesOptions, type Statistics } from './kronecker-sides.js';

/** Settings of {@link ekfacAdam}. */
export interface EkfacAdamOptions {
  /** α. Default 6e-3. */
  readonly learningRate?: number | undefined;
  /** β₁. Default 0.9. */
  readonly beta1?: number | undefined;
  /** β₂. Default 0.99. */
  readonly beta2?: number | undefined;
  /** ε. Default 1e-8. */
  readonly epsilon?: number | undefined;
  /** What the bases are of: A and Γ, or moments of the gradients as in SOAP. Default 'factors'. */
  readonly statistics?: Statistics | undefined;
  /** Steps between statistics. Default 5. */
  readonly statisticsEvery?: number | undefined;
  /** Most samples of a batch that statistics are made of. Default 200. */
  readonly statisticsSamples?: number | undefined;
  /** What of the old statistics stays, at least 0 and below 1. Default 0.95. */
  readonly average?: number | undefined;
  /** Steps between changes of the bases; the first ones come at steps 0, 10 and 30. Default 100. */
  readonly basesEvery?: number | undefined;
  /** A side with more units is not turned. Default 256. */
  readonly largestSide?: number | undefined;
  /** Steps over which the rate rises from zero. Default 20. */
  readonly warmUp?: number | undefined;
}
/** The keys of {@link EkfacAdamOptions}. */
export const EKFAC_ADAM_KEYS: KeysOf<EkfacAdamOptions> = {
  learningRate: 'number',
  beta1: 'number',
  beta2: 'number',
  epsilon: 'number',
  statistics: true,
  statisticsEvery: 'number',
  statisticsSamples: 'number',
  average: 'number',
  basesEvery: 'number',
  largestSide: 'number',
  warmUp: 'number',
};

type Settings = Resolved<EkfacAdamOptions>;

/**
 * Adam in Kronecker's eigenbases, with rates and moments as Adam has them: what `train` takes by default. Memory: five
 * vectors of the size of θ, and 2·size² for each turned side. Throws OptionError.
 */
export function ekfacAdam(options: EkfacAdamOptions = {}): Optimizer {
  requireKnownOptions(options, EKFAC_ADAM_KEYS, 'ekfacAdam');
  const { statistics = 'factors' } = options;
  if (statistics !== 'factors' && statistics !== 'gradients')
    throw new OptionError(
      `statistics of ekfacAdam are ${quoted(statistics)}: they are of 'factors' or of 'gradients'.`,
      { statistics },
    );
  const settings: Settings = {
    learningRate: requirePositive(options.learningRate ?? 6e-3, 'learningRate'),
    beta1: requireNonNegative(options.beta1 ?? 0.9, 'beta1', 1),
    beta2: requireNonNegative(options.beta2 ?? 0.99, 'beta2', 1),
    epsilon: requireNonNegative(options.epsilon ?? 1e-8, 'epsilon'),
    statistics,
    statisticsEvery: requireWhole(options.statisticsEvery ?? 5, 'statisticsEvery', 1),
    statisticsSamples: requireWhole(options.statisticsSamples ?? 200, 'statisticsSamples', 1),
    average: requireNonNegative(options.average ?? 0.95, 'average', 1),
    basesEvery: requireWhole(options.basesEvery ?? 100, 'basesEvery', 1),
    largestSide: requireWhole(options.largestSide ?? 256, 'largestSide', 0),
    warmUp: requireWhole(options.warmUp ?? 20, 'warmUp', 0),
  };
  return {
    name: 'ekfac-adam',
    settings,
    learningRate: settings.learningRate,
    curvature: statistics === 'factors' ? 'gauss-newton' : 'none',
    batchSize: 200,
    // Turned inputs let small classifiers overfit; autoencoders of bce took half the time.
    rotateInputs: (loss) => !lossOf(loss).classes,
    spare: (network) => 5 * vectorNumbers(network.parameters) + sidesSpare(network, sidesOptions(settings)),
    begin: (objective) => here(new EkfacStepper(new EkfacOnHost(objective, sidesOptions(settings)), settings)),
    passes: () => (statistics === 'factors' ? ['draw'] : []),
    parts: statistics === 'factors' ? 1 : 0,
    moments: (subject) => {
      const sides = sidesOptions(settings);
      return momentsOf(sideShapes(subject, sides), sides);
    },
    onDevice: (objective) => {
      const own = new EkfacOnDevice(objective, sidesOptions(settings));
      return there(new EkfacStepper(own, settings), own);
    },
  };
}

const sidesOptions = ({ statistics, largestSide }: Settings): SidesOptions => ({
  statistics,
  largestSide,
  values: false,
});
