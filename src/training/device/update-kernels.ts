/**
 * Updates by first-order rules as kernels over one buffer (formulas: ../optimizers/first-order.ts). What changes from
 * step to step stands in the buffer, four numbers a layer: the rate, Adam's ε, and the decays of weights and biases.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import { writing } from '../../tape/device/maps.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import type { LayerUpdate, Rule } from '../objective/update.js';

/** Numbers of a layer's settings. */
export const SETTING_NUMBERS = 4;

/** From the gradient g, moments at m and v, and t, θ after its decay, to t after the step. */
const TEXTS: Readonly<Record<string, string>> = {
  sgd: 't = t - h[s] * g;',
  momentum: `real own = beta * h[m + i] + g;
h[m + i] = own;
t = t - h[s] * own;`,
  nesterov: `real own = beta * h[m + i] + g;
h[m + i] = own;
t = t - h[s] * (g + beta * own);`,
  adagrad: `real own = h[m + i] + g * g;
h[m + i] = own;
t = t - h[s] * g / (sqrt(own) + epsilon);`,
  rmsprop: `real own = rho * h[m + i] + (1.0 - rho) * g * g;
h[m + i] = own;
t = t - h[s] * g / (sqrt(own) + epsilon);`,
  adam: `real first = beta1 * h[m + i] + (1.0 - beta1) * g;
real second = beta2 * h[v + i] + (1.0 - beta2) * g * g;
h[m + i] = first;
h[v + i] = second;
t = t - h[s] * first / (sqrt(second) + h[s + 1]);`,
};

const REALS = ['beta', 'beta1', 'beta2', 'rho', 'epsilon'];
const kernels = new Map<string, PortableKernel>();

/** A layer's update as a launch: the kernel, and the rule's numbers that stay. */
export function updateKernel(rule: Rule): { readonly kernel: PortableKernel; readonly reals: readonly number[] } {
  const name = rule.kind === 'momentum' && rule.nesterov ? 'nesterov' : rule.kind;
  let kernel = kernels.get(name);
  if (kernel === undefined) {
    const integers = ['x', 'd', 'm', 'v', 's', 'width', 'inputs'];
    const body = `real g = h[d + i];
real t = h[x + i];
if (i % width < inputs) { t = t - h[s + 2] * t; } else { t = t - h[s + 3] * t; }
${TEXTS[name]}
h[x + i] = t;`;
    kernels.set(name, (kernel = { ...writing(`update by ${name}`, integers, body), reals: REALS }));
  }
  const known = rule as unknown as Readonly<Record<string, number | undefined>>;
  return { kernel, reals: REALS.map((real) => known[real] ?? 0) };
}

/** The numbers of a layer's step. */
export function settingsOf(
  rule: Rule,
  { rate, decay, decayBias }: LayerUpdate,
  { width, inputs }: LayerBlock,
): number[] {
  const ofBias = decayBias || width === inputs ? decay : 0;
  if (rule.kind !== 'adam') return [rate, 0, decay, ofBias];
  // The corrections of both moments, folded into step and epsilon.
  const root = Math.sqrt(rule.correction2);
  return [(rate * root) / rule.correction1, rule.epsilon * root, decay, ofBias];
}

/** g ← h[s]·g + λ·θ on weights. */
export const FINISH_GRADIENT: PortableKernel = {
  ...writing(
    'finish gradient',
    ['d', 'x', 's', 'width', 'inputs'],
    `real own = h[s] * h[d + i];
if (i % width < inputs) { own = own + lambda * h[x + i]; }
h[d + i] = own;`,
  ),
  reals: ['lambda'],
};

/** averaged ← keep·averaged + (1 − keep)·θ, keep at s. */
export const FOLLOW = writing('follow', ['y', 'x', 's'], 'h[y + i] = h[s] * h[y + i] + (1.0 - h[s]) * h[x + i];');

/** Parts of a layer's sum of squares, which are made at once. */
export const SQUARE_PARTS = 64;

/** h[y + part] ← Σ of products of two vectors' weights in a layer, of `chunk` of its numbers. */
export const WEIGHT_DOTS: PortableKernel = {
  name: 'weight dots',
  buffers: ['h'],
  integers: ['y', 'chunk', 'x', 'z', 'n', 'width', 'inputs'],
  sum: {
    terms: 'chunk',
    text: `int at = i * chunk + k;
if (at < n && at % width < inputs) { value = h[x + at] * h[z + at]; }`,
    join: 'sum',
  },
  body: 'h[y + i] = total;',
};
