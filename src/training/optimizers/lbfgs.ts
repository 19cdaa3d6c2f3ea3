/**
 * Limited-memory BFGS.
 */
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { LbfgsStepper, lbfgsNumbers } from '../newton/lbfgs-stepper.js';
import { here, there } from '../newton/method.js';
import { onHost } from '../newton/newton-objective.js';
import { requireCount, requireNumber } from '../newton/option-checks.js';
import type { Optimizer } from '../optimizer.js';

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** Pairs that are kept. Default 10. */
  readonly history?: number | undefined;
  /** c₂ of the strong Wolfe conditions, above 1e-4 and below 1. Default 0.9. */
  readonly curvature?: number | undefined;
}
/** The keys of {@link LbfgsOptions}. */
export const LBFGS_KEYS: KeysOf<LbfgsOptions> = { history: 'number', curvature: 'number' };

/**
 * L-BFGS with the strong Wolfe conditions, for the whole batch: a batch that changes from step to step makes its pairs
 * noise. About 1.1 gradients a step while the batch stays loaded. Throws OptionError.
 */
export function lbfgs(options: LbfgsOptions = {}): Optimizer {
  const { history = 10, curvature = 0.9 } = requireKnownOptions(options, LBFGS_KEYS, 'lbfgs');
  requireCount(history, 'history', 'lbfgs');
  requireNumber(curvature, 'curvature', 'lbfgs', { least: 1e-4, most: 1 });
  return {
    name: 'lbfgs',
    settings: { history, curvature },
    learningRate: null,
    curvature: 'none',
    batchSize: 'all',
    rotateInputs: () => false,
    spare: (network) => lbfgsNumbers(network, history),
    begin: (objective) => here(new LbfgsStepper(onHost(objective), { history, curvature })),
    onDevice: (objective) => {
      const own = objective.newton();
      return there(new LbfgsStepper(own, { history, curvature }), own);
    },
  };
}
