/** Every first-order update against plain loops over its formula, on whole batches. */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { lossAndGradient } from '#hmatrix/network/gradient.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Optimizer } from '#hmatrix/training/optimizer.js';
import { adagrad, adam, adamw, momentum, nesterov, rmsprop, sgd } from '#hmatrix/training/optimizers/first-order.js';
import { exponentialSchedule } from '#hmatrix/training/schedules.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { norm, smallModel } from '../network/models.js';

const blas = openBlas();

/** θ ← θ + d(θ, g, t) at step t, by number; the rule keeps what it needs. */
type Rule = (θ: number, g: number, t: number, state: Record<'a' | 'b', number>, rate: number) => number;

const α = 0.02;
const rules: readonly (readonly [Optimizer, Rule])[] = [
  [sgd({ learningRate: α }), (θ, g, _t, _s, rate) => θ - rate * g],
  [
    momentum({ learningRate: α, beta: 0.8 }),
    (θ, g, _t, s, rate) => {
      s.a = 0.8 * s.a + g;
      return θ - rate * s.a;
    },
  ],
  [
    nesterov({ learningRate: α, beta: 0.8 }),
    (θ, g, _t, s, rate) => {
      s.a = 0.8 * s.a + g;
      return θ - rate * (g + 0.8 * s.a);
    },
  ],
  [
    adagrad({ learningRate: α, epsilon: 1e-3 }),
    (θ, g, _t, s, rate) => {
      s.a += g * g;
      return θ - (rate * g) / (Math.sqrt(s.a) + 1e-3);
    },
  ],
  [
    rmsprop({ learningRate: α, rho: 0.9, epsilon: 1e-3 }),
    (θ, g, _t, s, rate) => {
      s.a = 0.9 * s.a + 0.1 * g * g;
      return θ - (rate * g) / (Math.sqrt(s.a) + 1e-3);
    },
  ],
  [
    adam({ learningRate: α, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 }),
    (θ, g, t, s, rate) => {
      s.a = 0.8 * s.a + 0.2 * g;
      s.b = 0.95 * s.b + 0.05 * g * g;
      return θ - (rate * s.a) / (1 - 0.8 ** t) / (Math.sqrt(s.b / (1 - 0.95 ** t)) + 1e-3);
    },
  ],
];

/** Whether number k of θ is a bias, and its layer. */
function placeOf({ network }: Model, k: number): { bias: boolean; layer: number } {
  const layer = network.layers.findLastIndex(({ offset }) => offset <= k);
  const { width, inputs, offset, bias } = network.layers[layer];
  return { layer, bias: bias && (k - offset) % width === inputs };
}

interface Wished {
  readonly decay?: number;
  readonly clip?: number;
  readonly regularization?: number;
  readonly rates?: readonly number[];
  readonly schedule?: (t: number) => number;
  readonly decays?: readonly number[];
}

/** θ after `steps` steps by loops, and the losses. */
function reference(
  model: Model,
  rule: Rule,
  steps: number,
  wished: Wished = {},
): { θ: Float64Array; losses: number[] } {
  const { decay = 0, clip = Infinity, regularization = 0, rates, decays, schedule = () => 1 } = wished;
  const θ = Float64Array.from(model.parameters);
  const states = Array.from(θ, () => ({ a: 0, b: 0 }));
  const losses: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const { gradient: g, loss } = lossAndGradient({ ...model, parameters: θ }, { blas });
    let penalty = 0;
    for (let k = 0; k < θ.length; k++) {
      if (placeOf(model, k).bias) continue;
      penalty += 0.5 * regularization * θ[k] ** 2;
      g[k] += regularization * θ[k];
    }
    losses.push(loss + penalty);
    for (let k = 0; k < θ.length; k++) if (rates?.[placeOf(model, k).layer] === 0) g[k] = 0;
    const scale = Math.min(1, clip / norm(g));
    for (let k = 0; k < θ.length; k++) {
      const { layer, bias } = placeOf(model, k);
      const rate = α * schedule(t) * (rates?.[layer] ?? 1);
      if (rate === 0) continue;
      if (!bias) θ[k] -= rate * (decays?.[layer] ?? decay) * θ[k];
      θ[k] = rule(θ[k], scale * g[k], t, states[k], rate);
    }
  }
  return { θ, losses };
}

async function check(model: Model, options: TrainOptions, expected: ReturnType<typeof reference>): Promise<void> {
  const { parameters, evaluations } = await train(model, { batchSize: 'all', ...options }, { blas });
  // Another order of the samples in each sum, over a few steps; g/(|g| + ε) amplifies it by at most |g|/ε.
  for (let k = 0; k < parameters.length; k++) expect(Math.abs(parameters[k] - expected.θ[k])).toBeLessThan(1e-11);
  evaluations.forEach(({ loss }, t) => {
    expect(Math.abs(loss! - expected.losses[t])).toBeLessThan(1e-11 * expected.losses[t]);
  });
}

describe('first-order optimizers', () => {
  const model = smallModel({ samples: 9 });

  it.each(rules)('take the steps of their formulas: $name', async (optimizer, rule) => {
    await check(model, { optimizer, epochs: 6 }, reference(model, rule, 6));
  });

  it('decay weights apart from the gradient', async () => {
    const [[plain, rule], [, adamRule]] = [rules[0], rules[5]];
    await check(model, { optimizer: plain, epochs: 4, decay: 0.3 }, reference(model, rule, 4, { decay: 0.3 }));
    const optimizer = adamw({ learningRate: α, beta1: 0.8, beta2: 0.95, epsilon: 1e-3, decay: 0.2 });
    await check(model, { optimizer, epochs: 4 }, reference(model, adamRule, 4, { decay: 0.2 }));
  });

  it('take the weights into the loss by regularization, and clip what is long', async () => {
    const [optimizer, rule] = rules[1];
    const wished = { regularization: 0.1, clip: 0.2 };
    await check(model, { optimizer, epochs: 5, ...wished }, reference(model, rule, 5, wished));
  });

  it('go by the rates and decays of groups, and leave frozen layers as they are', async () => {
    const deep = smallModel({ samples: 9, widths: [4, 5, 3, 3] });
    const [optimizer, rule] = rules[5];
    await check(
      deep,
      {
        optimizer,
        epochs: 4,
        decay: 0.1,
        clip: 0.3,
        groups: [
          { layers: [0], rate: 0.5, decay: 0.4 },
          { layers: [1], frozen: true },
        ],
      },
      reference(deep, rule, 4, { rates: [0.5, 0, 1], decays: [0.4, 0, 0.1], clip: 0.3 }),
    );
  });

  it('follow a schedule, and take a batch in parts', async () => {
    const [optimizer, rule] = rules[5];
    const expected = reference(model, rule, 5, { schedule: (t) => 0.5 ** (t - 1), regularization: 0.05 });
    const schedule = exponentialSchedule({ factor: 0.5 });
    for (const accumulate of [1, 2, 4, 9, 20])
      await check(model, { optimizer, epochs: 5, schedule, accumulate, regularization: 0.05 }, expected);
  });

  it.each(['cross-entropy', 'bce', 'squared-error', 'mean-squared'] as const)('minimise %s', async (loss) => {
    const other = smallModel({ samples: 9, loss });
    await check(other, { optimizer: rules[0][0], epochs: 4 }, reference(other, rules[0][1], 4));
  });
});
