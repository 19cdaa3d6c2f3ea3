/**
 * The optimizers by name, with the keys of their options and the settings that comparisons try. Types, choices, help
 * and error texts follow from this table: a new optimizer is one file and its entry here.
 */
import { OptionError } from '../../core/errors.js';
import { nearestName, requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { Optimizer, Setting } from '../optimizer.js';
import { DAMPED_NEWTON_KEYS, dampedNewton, newton, NEWTON_KEYS } from './dense-newton.js';
import { EKFAC_ADAM_KEYS, ekfacAdam } from './ekfac-adam.js';
import {
  adagrad,
  ADAGRAD_KEYS,
  adam,
  ADAM_KEYS,
  adamw,
  ADAMW_KEYS,
  momentum,
  MOMENTUM_KEYS,
  nesterov,
  rmsprop,
  RMSPROP_KEYS,
  sgd,
  SGD_KEYS,
} from './first-order.js';
import { HESSIAN_FREE_KEYS, hessianFree } from './hessian-free.js';
import { kfacOptimizer } from './kfac.js';
import { KFAC_OPTIMIZER_KEYS } from './kfac-options.js';
import { lbfgs, LBFGS_KEYS } from './lbfgs.js';
import { LEVENBERG_MARQUARDT_KEYS, levenbergMarquardt } from './levenberg-marquardt.js';
import { gaussNewtonCg, NEWTON_CG_KEYS, NEWTON_LANCZOS_KEYS, newtonCg, newtonLanczos } from './newton-cg.js';

/** Settings of an optimizer that a comparison tries; `batchSize` and `rotateInputs` are those of the run. */
export type GridPoint<T> = T & {
  readonly batchSize?: number | 'all' | undefined;
  readonly rotateInputs?: boolean | undefined;
};

/** What is tried where little time is, and where there is more. */
interface Grids<T> {
  readonly small: readonly GridPoint<T>[];
  readonly default: readonly GridPoint<T>[];
}

/** An optimizer's function, the keys of its options, and its grids. */
interface Entry<T> {
  readonly make: (options?: T) => Optimizer;
  readonly keys: KeysOf<T>;
  readonly grids: Grids<T>;
}
const entry = <T>(make: (options?: T) => Optimizer, keys: KeysOf<T>, grids: Grids<NoInfer<T>>): Entry<T> => ({
  make,
  keys,
  grids,
});

const BATCH_SIZES = [50, 200];

/** Rates with the optimizer's own batch size, and with others. */
const rates = (learningRates: readonly number[]): Grids<{ readonly learningRate?: number | undefined }> => ({
  small: learningRates.map((learningRate) => ({ learningRate })),
  default: BATCH_SIZES.flatMap((batchSize) => learningRates.map((learningRate) => ({ learningRate, batchSize }))),
});

/** Dampings with the optimizer's own batch size, and with others. */
const dampings = (
  values: readonly number[],
  batchSizes: readonly (number | 'all')[],
): Grids<{ readonly damping?: number | undefined }> => ({
  small: values.map((damping) => ({ damping })),
  default: batchSizes.flatMap((batchSize) => values.map((damping) => ({ damping, batchSize }))),
});

const TABLE = {
  sgd: entry(sgd, SGD_KEYS, rates([0.03, 0.1, 0.3])),
  momentum: entry(momentum, MOMENTUM_KEYS, rates([0.003, 0.01, 0.03])),
  nesterov: entry(nesterov, MOMENTUM_KEYS, rates([0.003, 0.01, 0.03])),
  adagrad: entry(adagrad, ADAGRAD_KEYS, rates([0.003, 0.01, 0.03])),
  rmsprop: entry(rmsprop, RMSPROP_KEYS, rates([3e-4, 1e-3, 3e-3])),
  adam: entry(adam, ADAM_KEYS, rates([1e-3, 3e-3, 6e-3])),
  adamw: entry(adamw, ADAMW_KEYS, rates([1e-3, 3e-3, 6e-3])),
  lbfgs: entry(lbfgs, LBFGS_KEYS, {
    small: [{ history: 10 }, { history: 30 }],
    default: [0.9, 0.5].flatMap((curvature) => [5, 10, 30].map((history) => ({ history, curvature }))),
  }),
  newton: entry(newton, NEWTON_KEYS, {
    small: [{ learningRate: 1 }, { learningRate: 0.3 }],
    default: [1, 0.5, 0.3, 0.1].map((learningRate) => ({ learningRate })),
  }),
  'damped-newton': entry(dampedNewton, DAMPED_NEWTON_KEYS, {
    small: [{ damping: 1 }, { damping: 0.1 }],
    default: (['hessian', 'gauss-newton'] as const).flatMap((curvature) =>
      [1, 0.1, 0.01].map((damping) => ({ curvature, damping })),
    ),
  }),
  'newton-cg': entry(newtonCg, NEWTON_CG_KEYS, dampings([0.3, 1, 3], [256, 1024])),
  'gauss-newton-cg': entry(gaussNewtonCg, NEWTON_CG_KEYS, dampings([0.3, 1, 4], [256, 1024])),
  'hessian-free': entry(hessianFree, HESSIAN_FREE_KEYS, {
    small: [{ damping: 1 }, { damping: 0.1 }],
    default: (['kfac', 'none'] as const).flatMap((preconditioner) =>
      [1, 0.1, 0.01].map((damping) => ({ preconditioner, damping })),
    ),
  }),
  'levenberg-marquardt': entry(levenbergMarquardt, LEVENBERG_MARQUARDT_KEYS, dampings([0.1, 1], ['all', 500, 100])),
  'newton-lanczos': entry(newtonLanczos, NEWTON_LANCZOS_KEYS, {
    small: [{ iterations: 30 }, { iterations: 60 }],
    default: (['hessian', 'gauss-newton'] as const).flatMap((curvature) =>
      [15, 30, 60].map((iterations) => ({ curvature, iterations })),
    ),
  }),
  kfac: entry(kfacOptimizer, KFAC_OPTIMIZER_KEYS, {
    small: [{}, { dampingFloor: 0.1 }],
    default: [200, 500].flatMap((batchSize) => [0.003, 0.01, 0.1].map((dampingFloor) => ({ dampingFloor, batchSize }))),
  }),
  'ekfac-adam': entry(ekfacAdam, EKFAC_ADAM_KEYS, {
    small: [{ learningRate: 3e-3 }, { learningRate: 6e-3 }, { learningRate: 1e-2 }],
    default: [100, 200].flatMap((batchSize) => [3e-3, 6e-3, 1e-2].map((learningRate) => ({ learningRate, batchSize }))),
  }),
};

/** The name of an optimizer. */
export type OptimizerName = keyof typeof TABLE;
/** All values of {@link OptimizerName}. */
export const OPTIMIZERS = Object.keys(TABLE) as readonly OptimizerName[];
/** The options of the optimizer of that name. */
export type OptimizerSettings<N extends OptimizerName> = NonNullable<Parameters<(typeof TABLE)[N]['make']>[0]>;
/** An optimizer's name with its options, as files have it. */
export type OptimizerChoice = {
  readonly [N in OptimizerName]: { readonly name: N } & OptimizerSettings<N>;
}[OptimizerName];

/** What is known of an optimizer whose name is only known when the program runs. */
type AnyEntry = Entry<Readonly<Record<string, unknown>>>;

function entryOf(name: string): AnyEntry {
  if (typeof name === 'string' && Object.hasOwn(TABLE, name))
    return TABLE[name as OptimizerName] as unknown as AnyEntry;
  const near = typeof name === 'string' ? nearestName(name, OPTIMIZERS) : undefined;
  const hint = near === undefined ? `choose ${OPTIMIZERS.join(', ')}.` : `did you mean "${near}"?`;
  throw new OptionError(`Unknown optimizer "${String(name)}": ${hint}`, { optimizer: name });
}

/**
 * The optimizer of that name: `optimizerOf('adam', { learningRate: 1e-3 })` is `adam({ learningRate: 1e-3 })`. Throws
 * OptionError for an unknown name or setting, and what the optimizer's function throws.
 */
export function optimizerOf<N extends OptimizerName>(name: N, settings?: OptimizerSettings<N>): Optimizer {
  const { make, keys } = entryOf(name);
  return make(
    requireKnownOptions((settings === undefined ? {} : settings) as Readonly<Record<string, unknown>>, keys, name),
  );
}

/** The names of the settings of an optimizer. Throws OptionError for an unknown name. */
export const settingsOf = (name: string): readonly string[] => Object.keys(entryOf(name).keys);

/** The settings of that name's grid that comparisons try. */
export const gridOf = (
  name: OptimizerName,
  size: keyof Grids<unknown>,
): readonly GridPoint<Readonly<Record<string, Setting>>>[] =>
  TABLE[name].grids[size] as readonly GridPoint<Readonly<Record<string, Setting>>>[];
