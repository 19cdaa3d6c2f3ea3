/**
 * Which layers a run trains, and each one's rate and decay.
 */
import { requireNonNegative } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { LayerPlan } from './optimizer.js';
import type { TrainSettings } from './check-options.js';
import type { LayerGroup } from './train-options.js';

const GROUP_KEYS: KeysOf<LayerGroup> = {
  layers: true,
  rate: 'number',
  decay: 'number',
  decayBias: 'boolean',
  frozen: 'boolean',
};

/** Each layer's plan, null where it is frozen, and how many layers at the beginning are. */
export interface LayerPlans {
  readonly plans: readonly (LayerPlan | null)[];
  readonly prefix: number;
}

/**
 * The plans of `count` layers. Throws OptionError for a layer that there is not or in two groups, for a network all of
 * which is frozen, and for frozen layers behind trained ones where the optimizer uses curvature.
 */
export function layerPlans(
  count: number,
  { groups, lastLayer, decay, optimizer }: Pick<TrainSettings, 'groups' | 'lastLayer' | 'decay' | 'optimizer'>,
): LayerPlans {
  const group = new Int32Array(count).fill(-1);
  const plans = Array.from({ length: count }, (): LayerPlan | null => ({ factor: 1, decay, decayBias: false }));
  groups.forEach((given, k) => {
    const of = `group ${k} of train`;
    const {
      layers,
      rate = 1,
      decay: own = decay,
      decayBias = false,
      frozen = false,
    } = requireKnownOptions(given, GROUP_KEYS, of);
    if (!Array.isArray(layers))
      throw new OptionError(`layers of ${of} is an array of numbers of layers, not ${describe(layers)}.`, { group: k });
    for (const [value, name] of [
      [decayBias, 'decayBias'],
      [frozen, 'frozen'],
    ] as const) {
      if (typeof value !== 'boolean')
        throw new OptionError(`${name} of ${of} is true or false, not ${describe(value)}.`, { group: k });
    }
    requireNonNegative(rate, `rate of ${of}`);
    requireNonNegative(own, `decay of ${of}`);
    for (const layer of layers) {
      if (!Number.isInteger(layer) || layer < 0 || layer >= count)
        throw new OptionError(`${of} names layer ${String(layer)}: the network's layers are 0 to ${count - 1}.`, {
          group: k,
          layer,
          layers: count,
        });
      if (group[layer] >= 0)
        throw new OptionError(`Layer ${layer} is in groups ${group[layer]} and ${k} of train: it is in one at most.`, {
          layer,
          groups: [group[layer], k],
        });
      group[layer] = k;
      plans[layer] = frozen ? null : { factor: rate, decay: own, decayBias };
    }
  });
  if (lastLayer) plans.fill(null, 0, count - 1);
  const prefix = plans.findIndex((plan) => plan !== null);
  if (prefix < 0) throw new OptionError('All layers are frozen: there is nothing to train.', { layers: count });
  const behind = plans.findIndex((plan, ℓ) => plan === null && ℓ > prefix);
  if (behind >= 0 && optimizer.curvature !== 'none')
    throw new OptionError(
      `Layer ${behind} is frozen behind layer ${prefix}, which is not: ${optimizer.name} uses curvature, and takes ` +
        'frozen layers at the beginning of the network only. Take an optimizer of the first order (adam).',
      { layer: behind, optimizer: optimizer.name },
    );
  return { plans, prefix };
}
