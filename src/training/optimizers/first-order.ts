/**
 * First-order optimizers: g = ∇f of the batch, α the rate of the step, elementwise.
 *
 *   sgd       θ ← θ − αg
 *   momentum  v ← βv + g, θ ← θ − αv              (B. Polyak, 1964, as PyTorch writes it)
 *   nesterov  v ← βv + g, θ ← θ − α(g + βv)       (Y. Nesterov, 1983; I. Sutskever et al., ICML 2013)
 *   adagrad   s ← s + g², θ ← θ − αg/(√s + ε)     (J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011)
 *   rmsprop   s ← ρs + (1 − ρ)g², θ ← θ − αg/(√s + ε)   (T. Tieleman, G. Hinton, 2012)
 *   adam      m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − αm̂/(√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)
 *             (D. Kingma, J. Ba, ICLR 2015)
 *   adamw     the same after θ ← (1 − αλ)θ        (I. Loshchilov, F. Hutter, ICLR 2019)
 *
 * Each is one pass over θ, made with the gradient's own blocks (objective/update.ts): 8N to 28N bytes in float32.
 */
import { describe } from '../../core/kind.js';
import { OptionError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import type { DeviceObjective } from '../device/device-objective.js';
import {
  layerUpdates,
  type DeviceStepper,
  type Optimizer,
  type Setting,
  type StepPlan,
  type StepReport,
  type Stepper,
} from '../optimizer.js';
import type { Objective } from '../objective/objective.js';
import type { Rule, Update } from '../objective/update.js';
import { spanOf, vectorNumbers, type Span } from '../objective/workspace.js';

/** Throws OptionError unless `value` is a finite number above `least` (or at it, with `closed`) and below `most`. */
function requireBetween(value: number, name: string, of: string, least: number, most: number): void {
  const inside = least === 0 && name !== 'learningRate' ? value >= 0 : value > least;
  if (typeof value !== 'number' || !inside || !(value < most)) {
    const range = most === Infinity ? `above ${least}` : `from ${least} to below ${most}`;
    throw new OptionError(`${name} of ${of} is ${describe(value)}: it is a number ${range}.`, { [name]: value });
  }
}

interface Definition {
  readonly name: string;
  readonly learningRate: number;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly moments: number;
  readonly rule: (moments: readonly Span[], t: number) => Rule;
  readonly decay?: number;
}

/** The optimizer of a rule. */
function firstOrder({ name, learningRate, settings, moments, rule, decay = 0 }: Definition): Optimizer {
  return {
    name,
    settings,
    learningRate,
    curvature: 'none',
    batchSize: 100,
    rotateInputs: () => false,
    spare: (network) => moments * vectorNumbers(network.parameters),
    begin: (objective) => new FirstOrderStepper(objective, { learningRate, moments, rule, decay }),
    onDevice: (objective) => new FirstOrderOnDevice(objective, { learningRate, moments, rule, decay }),
  };
}

const MOMENTS = ['first', 'second'];

/** What steps are made with. */
type Rates = Pick<Definition, 'learningRate' | 'moments' | 'rule'> & { readonly decay: number };

/** The state of a first-order optimizer, wherever its vectors lie. */
class FirstOrderState<O extends Pick<Objective, 'vector' | 'network'>> {
  readonly arrays: Record<string, FloatArray>;
  readonly numbers: Record<string, number> = { t: 0 };
  readonly rules: readonly string[];
  protected readonly objective: O;
  readonly #rates: Rates;
  readonly #spans: readonly Span[];

  constructor(objective: O, rates: Rates, spanIn: (vector: FloatArray) => Span) {
    const { moments, rule } = rates;
    this.objective = objective;
    this.#rates = rates;
    const arrays = Array.from({ length: moments }, () => objective.vector());
    this.arrays = Object.fromEntries(arrays.map((array, k) => [MOMENTS[moments === 1 ? 0 : k], array]));
    this.#spans = arrays.map(spanIn);
    this.rules = objective.network.layers.map(() => rule(this.#spans, 1).kind);
  }

  /** The update of the step that is to be made. */
  protected next(plan: StepPlan): Update {
    const { learningRate, rule, decay } = this.#rates;
    const layers = layerUpdates(learningRate, plan).map((layer) =>
      layer === null ? null : { ...layer, decay: layer.decay + layer.rate * decay },
    );
    return { rule: rule(this.#spans, this.numbers['t'] + 1), layers };
  }
}

class FirstOrderStepper extends FirstOrderState<Objective> implements Stepper {
  constructor(objective: Objective, rates: Rates) {
    super(objective, rates, spanOf);
  }

  step(plan: StepPlan): StepReport {
    const { objective } = this;
    const update = this.next(plan);
    if (plan.clip === null) {
      const loss = objective.evaluate({ update, step: plan.step });
      this.numbers['t']++;
      return { loss };
    }
    const loss = objective.evaluate({ step: plan.step });
    const gradientNorm = clipGradient(objective, plan.clip, plan.layers);
    objective.update(update);
    this.numbers['t']++;
    return { loss, gradientNorm };
  }
}

class FirstOrderOnDevice extends FirstOrderState<DeviceObjective> implements DeviceStepper {
  constructor(objective: DeviceObjective, rates: Rates) {
    super(objective, rates, (vector) => objective.span(vector));
  }

  async step(plan: StepPlan): Promise<StepReport> {
    const { objective } = this;
    const { step, clip, layers } = plan;
    const loss = await objective.evaluate(step);
    const frozen = layers.map((layer) => layer === null);
    const gradientNorm = clip === null ? undefined : await objective.clip(clip, frozen);
    await objective.update(this.next(plan));
    this.numbers['t']++;
    return gradientNorm === undefined ? { loss } : { loss, gradientNorm };
  }
}

/**
 * Scales the objective's gradient to at most `clip`; returns its norm before. Frozen layers have no part in it:
 * theirs is set to zero.
 */
export function clipGradient(
  { gradient, kernels, network }: Objective,
  clip: number,
  layers: StepPlan['layers'] = [],
): number {
  network.layers.forEach(({ offset, width, outputs }, ℓ) => {
    if (layers[ℓ] === null) gradient.fill(0, offset, offset + width * outputs);
  });
  const norm = Math.sqrt(kernels.dot(gradient.length, gradient, gradient));
  if (norm > clip) kernels.combine(gradient.length, clip / norm, gradient, 0, gradient);
  return norm;
}

/** The learning rate of {@link sgd}. */
export interface SgdOptions {
  /** α. Default 0.1. */
  readonly learningRate?: number | undefined;
}
/** The keys of {@link SgdOptions}. */
export const SGD_KEYS: KeysOf<SgdOptions> = { learningRate: 'number' };

/** Gradient descent: θ ← θ − αg. Throws OptionError. */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { learningRate = 0.1 } = requireKnownOptions(options, SGD_KEYS, 'sgd');
  requireBetween(learningRate, 'learningRate', 'sgd', 0, Infinity);
  return firstOrder({
    name: 'sgd',
    learningRate,
    settings: { learningRate },
    moments: 0,
    rule: () => ({ kind: 'sgd' }),
  });
}

/** Rate and momentum of {@link momentum} and {@link nesterov}. */
export interface MomentumOptions {
  /** α. Default 0.01. */
  readonly learningRate?: number | undefined;
  /** β. Default 0.9. */
  readonly beta?: number | undefined;
}
/** The keys of {@link MomentumOptions}. */
export const MOMENTUM_KEYS: KeysOf<MomentumOptions> = { learningRate: 'number', beta: 'number' };

function heavyBall(options: MomentumOptions, nesterov: boolean): Optimizer {
  const name = nesterov ? 'nesterov' : 'momentum';
  const { learningRate = 0.01, beta = 0.9 } = requireKnownOptions(options, MOMENTUM_KEYS, name);
  requireBetween(learningRate, 'learningRate', name, 0, Infinity);
  requireBetween(beta, 'beta', name, 0, 1);
  return firstOrder({
    name,
    learningRate,
    settings: { learningRate, beta },
    moments: 1,
    rule: ([v]) => ({ kind: 'momentum', beta, nesterov, moments: [v] }),
  });
}

/** Gradient descent with momentum: v ← βv + g, θ ← θ − αv. Throws OptionError. */
export const momentum = (options: MomentumOptions = {}): Optimizer => heavyBall(options, false);

/** Nesterov's momentum: v ← βv + g, θ ← θ − α(g + βv). Throws OptionError. */
export const nesterov = (options: MomentumOptions = {}): Optimizer => heavyBall(options, true);

/** Rate and ε of {@link adagrad}. */
export interface AdagradOptions {
  /** α. Default 0.01. */
  readonly learningRate?: number | undefined;
  /** ε. Default 1e-10. */
  readonly epsilon?: number | undefined;
}
/** The keys of {@link AdagradOptions}. */
export const ADAGRAD_KEYS: KeysOf<AdagradOptions> = { learningRate: 'number', epsilon: 'number' };

/** AdaGrad: s ← s + g², θ ← θ − αg/(√s + ε). Throws OptionError. */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  const { learningRate = 0.01, epsilon = 1e-10 } = requireKnownOptions(options, ADAGRAD_KEYS, 'adagrad');
  requireBetween(learningRate, 'learningRate', 'adagrad', 0, Infinity);
  requireBetween(epsilon, 'epsilon', 'adagrad', 0, Infinity);
  return firstOrder({
    name: 'adagrad',
    learningRate,
    settings: { learningRate, epsilon },
    moments: 1,
    rule: ([s]) => ({ kind: 'adagrad', epsilon, moments: [s] }),
  });
}

/** Rate, average and ε of {@link rmsprop}. */
export interface RmspropOptions {
  /** α. Default 1e-3. */
  readonly learningRate?: number | undefined;
  /** ρ. Default 0.99. */
  readonly rho?: number | undefined;
  /** ε. Default 1e-8. */
  readonly epsilon?: number | undefined;
}
/** The keys of {@link RmspropOptions}. */
export const RMSPROP_KEYS: KeysOf<RmspropOptions> = { learningRate: 'number', rho: 'number', epsilon: 'number' };

/** RMSprop: s ← ρs + (1 − ρ)g², θ ← θ − αg/(√s + ε). Throws OptionError. */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const { learningRate = 1e-3, rho = 0.99, epsilon = 1e-8 } = requireKnownOptions(options, RMSPROP_KEYS, 'rmsprop');
  requireBetween(learningRate, 'learningRate', 'rmsprop', 0, Infinity);
  requireBetween(rho, 'rho', 'rmsprop', 0, 1);
  requireBetween(epsilon, 'epsilon', 'rmsprop', 0, Infinity);
  return firstOrder({
    name: 'rmsprop',
    learningRate,
    settings: { learningRate, rho, epsilon },
    moments: 1,
    rule: ([s]) => ({ kind: 'rmsprop', rho, epsilon, moments: [s] }),
  });
}

/** Rate, averages and ε of {@link adam}. */
export interface AdamOptions {
  /** α. Default 1e-3. */
  readonly learningRate?: number | undefined;
  /** Default 0.9. */
  readonly beta1?: number | undefined;
  /** Default 0.999. */
  readonly beta2?: number | undefined;
  /** ε. Default 1e-8. */
  readonly epsilon?: number | undefined;
}
/** The keys of {@link AdamOptions}. */
export const ADAM_KEYS: KeysOf<AdamOptions> = {
  learningRate: 'number',
  beta1: 'number',
  beta2: 'number',
  epsilon: 'number',
};

function adamRule(name: string, options: AdamOptions, decay: number | null): Optimizer {
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  requireBetween(learningRate, 'learningRate', name, 0, Infinity);
  requireBetween(beta1, 'beta1', name, 0, 1);
  requireBetween(beta2, 'beta2', name, 0, 1);
  requireBetween(epsilon, 'epsilon', name, 0, Infinity);
  const settings = { learningRate, beta1, beta2, epsilon };
  return firstOrder({
    name,
    learningRate,
    settings: decay === null ? settings : { ...settings, decay },
    moments: 2,
    decay: decay ?? 0,
    rule: ([m, v], t) => ({
      kind: 'adam',
      beta1,
      beta2,
      epsilon,
      correction1: 1 - beta1 ** t,
      correction2: 1 - beta2 ** t,
      moments: [m, v],
    }),
  });
}

/** Adam: steps by the first moment over the root of the second. Throws OptionError. */
export const adam = (options: AdamOptions = {}): Optimizer =>
  adamRule('adam', requireKnownOptions(options, ADAM_KEYS, 'adam'), null);

/** Settings of {@link adamw}. */
export interface AdamwOptions extends AdamOptions {
  /** λ: weights shrink by αλ a step, biases do not. Default 0.01. */
  readonly decay?: number | undefined;
}
/** The keys of {@link AdamwOptions}. */
export const ADAMW_KEYS: KeysOf<AdamwOptions> = { ...ADAM_KEYS, decay: 'number' };

/** Adam with decoupled weight decay. Throws OptionError. */
export function adamw(options: AdamwOptions = {}): Optimizer {
  const { decay = 0.01, ...rest } = requireKnownOptions(options, ADAMW_KEYS, 'adamw');
  requireBetween(decay, 'decay', 'adamw', 0, Infinity);
  return adamRule('adamw', rest, decay);
}
