/**
 * An optimizer of a solver and a search, with the options that all of them share checked.
 */
import { requireName } from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { KeysOf } from '../../core/known-options.js';
import type { ObjectiveThere, Optimizer, Setting } from '../optimizer.js';
import { here, there } from './method.js';
import { onHost, type NewtonCurvature } from './newton-objective.js';
import { newtonNumbers, NewtonStepper, SEARCHES, type NewtonSettings, type SearchName } from './newton-stepper.js';
import { requireCount, requireNumber } from './option-checks.js';
import type { Solver, SolverPlan } from './solver.js';

/** Options of the searches. */
export interface SearchOptions {
  /**
   * How far a step goes: 'fixed' (learningRate), 'armijo', 'wolfe' (along the direction, on the same batch), 'ratio' (λ
   * follows f's reduction over the model's), 'radius' (a trust radius follows it).
   */
  readonly search?: SearchName | undefined;
  /** λ of C + λI; the first one with 'ratio'. */
  readonly damping?: number | undefined;
  /** Least λ of 'ratio'. Default 1e-6, of methods for small batches 0.3; the first λ where that is less. */
  readonly leastDamping?: number | undefined;
  /** Largest λ of 'ratio'. Default 1e6. */
  readonly mostDamping?: number | undefined;
  /** What λ is multiplied by where the ratio is below ¼. Default 3/2. */
  readonly increase?: number | undefined;
  /** What λ is multiplied by where the ratio is above ¾. Default 2/3. */
  readonly decrease?: number | undefined;
  /** α of 'fixed'. Default 1. */
  readonly learningRate?: number | undefined;
  /** First Δ of 'radius'. Default 1. */
  readonly radius?: number | undefined;
  /** Largest Δ. Default 1e3. */
  readonly mostRadius?: number | undefined;
  /** Directions that 'ratio' and 'radius' try in one step before θ stays as it was. Default 5. */
  readonly tries?: number | undefined;
}

/** The keys of {@link SearchOptions}. */
export const SEARCH_KEYS: KeysOf<SearchOptions> = {
  search: true,
  damping: 'number',
  leastDamping: 'number',
  mostDamping: 'number',
  increase: 'number',
  decrease: 'number',
  learningRate: 'number',
  radius: 'number',
  mostRadius: 'number',
  tries: 'number',
};

/** What an optimizer adds to the searches. */
export interface Composition {
  readonly name: string;
  readonly curvature: NewtonCurvature;
  readonly batchSize: number | 'all';
  readonly defaults: {
    readonly search: SearchName;
    readonly damping: number;
    /** Default 1e-6. */
    readonly leastDamping?: number;
  };
  readonly searches?: readonly SearchName[] | undefined;
  /** Whether λ must be above zero. */
  readonly positive?: boolean | undefined;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly solver: (search: SearchName) => SolverPlan;
  /** Its solver on a device, where that is another one, and numbers that it has there alone. */
  readonly there?: SolverThere | undefined;
}

/** An objective on a device as a Newton method takes it. */
type OwnThere = ReturnType<ObjectiveThere['newton']>;

/** A solver of a device's own. */
export interface SolverThere extends Pick<Optimizer, 'passes' | 'apart' | 'beside'> {
  readonly begin: (objective: ObjectiveThere, own: OwnThere) => Solver<OwnThere['space']>;
}

const LEAST_DAMPING = 1e-6;

/** The optimizer. Throws OptionError. */
export function composeNewton(options: SearchOptions, composition: Composition): Optimizer {
  const { name, curvature, batchSize, defaults, searches = SEARCHES, positive = false, settings } = composition;
  const {
    search = defaults.search,
    damping = defaults.damping,
    leastDamping = Math.min(defaults.leastDamping ?? LEAST_DAMPING, damping > 0 ? damping : Infinity),
    mostDamping = Math.max(1e6, damping),
    increase = 3 / 2,
    decrease = 2 / 3,
    learningRate = 1,
    radius = 1,
    mostRadius = Math.max(1e3, radius),
    tries = 5,
  } = options;
  requireName(search, 'search', name, searches);
  requireNumber(damping, 'damping', name, { closed: !positive });
  requireNumber(leastDamping, 'leastDamping', name);
  requireNumber(mostDamping, 'mostDamping', name, { least: leastDamping, closed: true });
  requireNumber(increase, 'increase', name, { least: 1 });
  requireNumber(decrease, 'decrease', name, { most: 1 });
  requireNumber(learningRate, 'learningRate', name);
  requireNumber(radius, 'radius', name);
  requireNumber(mostRadius, 'mostRadius', name, { least: radius, closed: true });
  requireCount(tries, 'tries', name);
  if (search === 'ratio' && !(damping >= leastDamping && damping <= mostDamping))
    throw new OptionError(`damping of ${name} is ${damping}: it lies from leastDamping to mostDamping.`, { damping });
  const plan = composition.solver(search);
  const used = {
    search,
    ...(search === 'radius' ? { radius, mostRadius } : { damping }),
    ...(search === 'ratio' ? { leastDamping, mostDamping, increase, decrease } : {}),
    ...(search === 'ratio' || search === 'radius' ? { tries } : {}),
    ...(search === 'fixed' ? { learningRate } : {}),
  };
  const { anywhere } = plan;
  const { there: own } = composition;
  const elsewhere: SolverThere | undefined = own ?? (anywhere && { begin: (_, objective) => anywhere(objective) });
  const stepping: NewtonSettings = {
    curvature,
    search,
    damping,
    rule: { increase, decrease, least: leastDamping, most: mostDamping },
    learningRate,
    radius,
    mostRadius,
    tries,
  };
  return {
    name,
    settings: { ...used, ...settings },
    learningRate: search === 'fixed' ? learningRate : null,
    curvature,
    batchSize,
    rotateInputs: () => false,
    spare: (network, size) => newtonNumbers(network) + plan.spare(network, size),
    begin: (objective) => here(new NewtonStepper(onHost(objective), plan.begin(objective), stepping)),
    ...(elsewhere === undefined
      ? {}
      : {
          passes: elsewhere.passes,
          apart: elsewhere.apart,
          beside: elsewhere.beside,
          onDevice: (objective) => {
            const own = objective.newton();
            return there(new NewtonStepper(own, elsewhere.begin(objective, own), stepping), own);
          },
        }),
  };
}
