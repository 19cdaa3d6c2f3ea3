/**
 * What K-FAC is told, and its settings with all defaults.
 */
import { requireNonNegative, requirePositive, requireWhole } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { quoted } from '../../core/kind.js';
import type { KeysOf, Resolved } from '../../core/known-options.js';
import type { DampingKind } from './kfac-objective.js';

/** Settings of `kfacOptimizer`. */
export interface KfacOptimizerOptions {
  /** α of every step, with `fixedMomentum` as μ. Default null: both by the quadratic model. */
  readonly learningRate?: number | null | undefined;
  /** μ where the rate is fixed. Default 0.9. */
  readonly fixedMomentum?: number | undefined;
  /** c of α²·|dᵀg| ≤ c where the rate is fixed: a longer d is scaled down. Default 0.01; null: no bound. */
  readonly normConstraint?: number | null | undefined;
  /** Samples of the quadratic model. Default 64. */
  readonly modelSamples?: number | undefined;
  /** Whether the model takes the step before along. Default true. */
  readonly momentum?: boolean | undefined;
  /** λ at first. Default 0.1. */
  readonly damping?: number | undefined;
  /** Whether λ follows the ratio of reductions. Default true. */
  readonly adaptDamping?: boolean | undefined;
  /** Steps between ratios, and between tests of whether f has risen. Default 5. */
  readonly ratioEvery?: number | undefined;
  /** λ becomes λ·factor where the model is right, λ/factor where it is wrong. Default 0.95^ratioEvery. */
  readonly dampingFactor?: number | undefined;
  /** Least λ. Default 0.01. */
  readonly dampingFloor?: number | undefined;
  /** Largest λ. Default 10. */
  readonly dampingCeiling?: number | undefined;
  /** Share of f on the batch by which a step may raise it and is taken all the same. Default 0.1. */
  readonly largestRise?: number | undefined;
  /** How λ enters. Default 'exact'. */
  readonly dampingKind?: DampingKind | undefined;
  /** Steps between statistics. Default 5. */
  readonly statisticsEvery?: number | undefined;
  /** Most samples of a batch that statistics are made of. Default 200. */
  readonly statisticsSamples?: number | undefined;
  /** What of the old statistics stays, at least 0 and below 1. Default 0.95. */
  readonly average?: number | undefined;
  /** Steps between inverses; in the first of these steps, each time that statistics are made. Default 20. */
  readonly inversesEvery?: number | undefined;
  /** Steps at first that make statistics alone. Default 0. */
  readonly burnIn?: number | undefined;
  /** Of a side with more units only the diagonal is kept. Default 1024. */
  readonly largestSide?: number | undefined;
}
/** The keys of {@link KfacOptimizerOptions}. */
export const KFAC_OPTIMIZER_KEYS: KeysOf<KfacOptimizerOptions> = {
  learningRate: 'number or null',
  fixedMomentum: 'number',
  normConstraint: 'number or null',
  modelSamples: 'number',
  momentum: 'boolean',
  damping: 'number',
  adaptDamping: 'boolean',
  ratioEvery: 'number',
  dampingFactor: 'number',
  dampingFloor: 'number',
  dampingCeiling: 'number',
  largestRise: 'number',
  dampingKind: true,
  statisticsEvery: 'number',
  statisticsSamples: 'number',
  average: 'number',
  inversesEvery: 'number',
  burnIn: 'number',
  largestSide: 'number',
};

/** The settings. */
export type KfacSettings = Resolved<Omit<KfacOptimizerOptions, 'learningRate' | 'normConstraint'>> & {
  readonly learningRate: number | null;
  readonly normConstraint: number | null;
};

/** The settings, checked. Throws OptionError. */
export function kfacSettings(options: KfacOptimizerOptions): KfacSettings {
  const { learningRate = null, normConstraint = 0.01, dampingKind = 'exact' } = options;
  const ratioEvery = requireWhole(options.ratioEvery ?? 5, 'ratioEvery', 1);
  if (dampingKind !== 'exact' && dampingKind !== 'factored')
    throw new OptionError(`dampingKind of kfacOptimizer is ${quoted(dampingKind)}: it is 'exact' or 'factored'.`, {
      dampingKind,
    });
  const dampingFactor = requirePositive(options.dampingFactor ?? 0.95 ** ratioEvery, 'dampingFactor');
  if (dampingFactor > 1)
    throw new OptionError(`dampingFactor of kfacOptimizer is ${dampingFactor}: it is a number above 0, at most 1.`, {
      dampingFactor,
    });
  const dampingFloor = requireNonNegative(options.dampingFloor ?? 0.01, 'dampingFloor');
  const dampingCeiling = requirePositive(options.dampingCeiling ?? 10, 'dampingCeiling');
  const damping = requirePositive(options.damping ?? Math.min(dampingCeiling, Math.max(dampingFloor, 0.1)), 'damping');
  if (!(dampingFloor <= damping && damping <= dampingCeiling))
    throw new OptionError(
      `damping of kfacOptimizer is ${damping}: it lies from dampingFloor, ${dampingFloor}, to dampingCeiling, ` +
        `${dampingCeiling}.`,
      { damping, dampingFloor, dampingCeiling },
    );
  return {
    learningRate: learningRate === null ? null : requirePositive(learningRate, 'learningRate'),
    fixedMomentum: requireNonNegative(options.fixedMomentum ?? 0.9, 'fixedMomentum', 1),
    normConstraint: normConstraint === null ? null : requirePositive(normConstraint, 'normConstraint'),
    modelSamples: requireWhole(options.modelSamples ?? 64, 'modelSamples', 1),
    momentum: options.momentum ?? true,
    damping,
    adaptDamping: options.adaptDamping ?? true,
    ratioEvery,
    dampingFactor,
    dampingFloor,
    dampingCeiling,
    largestRise: requireNonNegative(options.largestRise ?? 0.1, 'largestRise'),
    dampingKind,
    statisticsEvery: requireWhole(options.statisticsEvery ?? 5, 'statisticsEvery', 1),
    statisticsSamples: requireWhole(options.statisticsSamples ?? 200, 'statisticsSamples', 1),
    average: requireNonNegative(options.average ?? 0.95, 'average', 1),
    inversesEvery: requireWhole(options.inversesEvery ?? 20, 'inversesEvery', 1),
    burnIn: requireWhole(options.burnIn ?? 0, 'burnIn', 0),
    largestSide: requireWhole(options.largestSide ?? 1024, 'largestSide', 0),
  };
}
