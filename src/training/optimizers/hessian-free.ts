/**
 * Hessian-free optimization, with preconditioners.
 */
import { requireName } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import { requireSeed } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { HessianFreeStepper, hessianFreeNumbers, type HessianFreeSettings } from '../newton/hessian-free-stepper.js';
import { here, there } from '../newton/method.js';
import { onHost } from '../newton/newton-objective.js';
import { requireCount, requireFlag, requireNumber } from '../newton/option-checks.js';
import { diagonalPreconditioner } from '../newton/preconditioners/diagonal.js';
import { hierarchicalPreconditioner } from '../newton/preconditioners/hierarchical.js';
import { kfacPreconditioner } from '../newton/preconditioners/kfac.js';
import { nystromPreconditioner } from '../newton/preconditioners/nystrom.js';
import { noPreconditioner, type PreconditionerPlan } from '../newton/preconditioners/preconditioner.js';
import type { Optimizer } from '../optimizer.js';
import { preconditionersThere } from './preconditioners-on-device.js';

/** Preconditioners of {@link hessianFree}. */
export const HF_PRECONDITIONERS = ['none', 'diagonal', 'kfac', 'nystrom', 'hierarchical'] as const;

/** Options of {@link hessianFree}. */
export interface HessianFreeOptions {
  /** The first λ. Default 1. */
  readonly damping?: number | undefined;
  /** Whether λ follows the ratio of f's reduction over the model's. Default true. */
  readonly adapt?: boolean | undefined;
  /** Least λ. Default 1e-4. */
  readonly leastDamping?: number | undefined;
  /** Largest λ. Default 1e6. */
  readonly mostDamping?: number | undefined;
  /** What λ is multiplied by where the ratio is below ¼. Default 3/2. */
  readonly increase?: number | undefined;
  /** What λ is multiplied by where the ratio is above ¾. Default 2/3. */
  readonly decrease?: number | undefined;
  /** Most iterations of conjugate gradients. Default 250. */
  readonly iterations?: number | undefined;
  /** ε: they stop where k of them lower the model by less than a share kε. Default 5e-4. */
  readonly progress?: number | undefined;
  /** What of the last solution the next one begins with. Default 0.95. */
  readonly warmStart?: number | undefined;
  /** Share of the batch, its first samples, that curvature is taken on. Default 0.25. */
  readonly curvatureShare?: number | undefined;
  /**
   * 'none'; 'diagonal' (squares of the samples' gradients); 'kfac'; 'nystrom' (`rank` products every `refresh` steps);
   * 'hierarchical' (G as a factored hierarchical matrix, kept until conjugate gradients slow down). Default 'kfac'.
   */
  readonly preconditioner?: (typeof HF_PRECONDITIONERS)[number] | undefined;
  /** Of 'nystrom'. Default 20. */
  readonly rank?: number | undefined;
  /** Of 'nystrom': steps after which it is made anew. Default 10. */
  readonly refresh?: number | undefined;
  /** Of 'nystrom'. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Of 'hierarchical': bytes of the matrix over the 8N² of the dense one. Default: what holds the directions that are
   * factored at the cost of some products with G, at most 8,192 of them.
   */
  readonly share?: number | undefined;
}
/** The keys of {@link HessianFreeOptions}. */
export const HESSIAN_FREE_KEYS: KeysOf<HessianFreeOptions> = {
  damping: 'number',
  adapt: 'boolean',
  leastDamping: 'number',
  mostDamping: 'number',
  increase: 'number',
  decrease: 'number',
  iterations: 'number',
  progress: 'number',
  warmStart: 'number',
  curvatureShare: 'number',
  preconditioner: true,
  rank: 'number',
  refresh: 'number',
  seed: 'number',
  share: 'number',
};

/** Hessian-free optimization (J. Martens, ICML 2010). Throws OptionError. */
export function hessianFree(options: HessianFreeOptions = {}): Optimizer {
  const name = 'hessian-free';
  const {
    damping = 1,
    adapt = true,
    leastDamping = Math.min(1e-4, damping > 0 ? damping : 1e-4),
    mostDamping = Math.max(1e6, damping),
    increase = 3 / 2,
    decrease = 2 / 3,
    iterations = 250,
    progress = 5e-4,
    warmStart = 0.95,
    curvatureShare = 0.25,
    preconditioner = 'kfac',
    rank = 20,
    refresh = 10,
    seed = 0,
    share,
  } = requireKnownOptions(options, HESSIAN_FREE_KEYS, name);
  requireNumber(damping, 'damping', name, { closed: !adapt });
  requireFlag(adapt, 'adapt', name);
  requireNumber(leastDamping, 'leastDamping', name);
  requireNumber(mostDamping, 'mostDamping', name, { least: leastDamping, closed: true });
  requireNumber(increase, 'increase', name, { least: 1 });
  requireNumber(decrease, 'decrease', name, { most: 1 });
  requireCount(iterations, 'iterations', name);
  requireNumber(progress, 'progress', name, { closed: true, most: 1 });
  requireNumber(warmStart, 'warmStart', name, { closed: true, most: 1 });
  if (!(curvatureShare > 0 && curvatureShare <= 1)) {
    throw new OptionError(`curvatureShare of ${name} is ${curvatureShare}: it is a share above 0 and up to 1.`, {
      curvatureShare,
    });
  }
  requireName(preconditioner, 'preconditioner', name, HF_PRECONDITIONERS);
  requireCount(rank, 'rank', name);
  requireCount(refresh, 'refresh', name);
  requireSeed(seed);
  if (share !== undefined) requireNumber(share, 'share', name);
  if (preconditioner === 'hierarchical' && damping === 0)
    throw new OptionError(
      `damping of ${name} is 0: the preconditioner 'hierarchical' factors G + λI and needs λ above 0.`,
      { damping },
    );
  if (adapt && !(damping >= leastDamping && damping <= mostDamping))
    throw new OptionError(`damping of ${name} is ${damping}: it lies from leastDamping to mostDamping.`, { damping });
  const plans: Record<(typeof HF_PRECONDITIONERS)[number], PreconditionerPlan> = {
    none: noPreconditioner,
    diagonal: diagonalPreconditioner,
    kfac: kfacPreconditioner,
    nystrom: nystromPreconditioner({ rank, refresh, seed }),
    hierarchical: hierarchicalPreconditioner({ share, curvatureShare }),
  };
  const plan = plans[preconditioner];
  const { begin: beginThere, ...asked } = preconditionersThere({ rank, refresh, seed, share, curvatureShare })[
    preconditioner
  ];
  const stepping: HessianFreeSettings = {
    damping,
    rule: adapt ? { increase, decrease, least: leastDamping, most: mostDamping } : null,
    iterations,
    progress,
    warmStart,
    curvatureShare,
  };
  return {
    name,
    settings: {
      damping,
      adapt,
      ...(adapt ? { leastDamping, mostDamping, increase, decrease } : {}),
      iterations,
      progress,
      warmStart,
      curvatureShare,
      preconditioner,
      ...(preconditioner === 'nystrom' ? { rank, refresh, seed } : {}),
      ...(preconditioner === 'hierarchical' ? { share: share ?? null } : {}),
    },
    learningRate: null,
    curvature: 'gauss-newton',
    batchSize: 'all',
    rotateInputs: () => false,
    spare: (network, batchSize) => hessianFreeNumbers(network) + plan.spare(network, batchSize),
    begin: (objective) =>
      here(new HessianFreeStepper(onHost(objective), stepping, (numbers) => plan.begin(objective, numbers))),
    ...asked,
    parts: curvatureShare < 1 ? 1 : 0,
    onDevice: (objective) => {
      const own = objective.newton();
      const begin = (numbers: Record<string, number>) => beginThere(objective, own.space, numbers);
      return there(new HessianFreeStepper(own, stepping, begin), own);
    },
  };
}
