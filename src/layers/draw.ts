/**
 * Errors at the outputs that are drawn: Q^{1/2}ξ of signs ξ, whose second moment is Q, the Hessian of a sample's loss
 * in its outputs (training/objective/r-pass.ts has the formulas), or gradients at labels drawn from the model itself.
 * Of terms of the loss beside the network's own (`LossTerm`) signs are drawn, which their roots multiply.
 */
import type { FloatArray } from '../core/floats.js';
import { RandomStream } from '../core/random.js';
import { view, type Matrix } from '../dense/matrix.js';
import { labelStream } from '../network/losses/sampled-errors.js';
import { lossOf, squaredScale } from '../network/losses/table.js';
import { columnsOf, numbersEach, positionsOf, rowsOf, type Shape } from '../tape/shape.js';
import type { GraphLoss } from './losses.js';
import type { NetworkPlan } from './network-plan.js';
import type { NetworkTape } from './network-tape.js';

/** Keeps the signs' streams apart from others of the same seed. */
const SIGNS = 0x7369676e;

/** Outputs of a slice, laid out as tapes have them, and where the errors go. */
export interface RootRequest {
  readonly shape: Shape;
  readonly count: number;
  readonly outputs: FloatArray;
  readonly targets: Matrix;
  readonly out: FloatArray;
}

/** A request for errors that are drawn. */
export interface DrawRequest extends RootRequest {
  /** The signs depend on seed, step and sample alone; `first` is the slice's first sample. */
  readonly random: {
    readonly seed: number;
    readonly step: number;
    readonly first: number;
    /** Default: a random number each. */
    readonly signs?: SampleSigns | undefined;
  };
}

/** Signs of a sample, one after the other. */
export type SampleSigns = (seed: number, step: number, sample: number) => () => number;

/** A slice that was passed forward, and what its random numbers depend on; `first` is its first sample. */
export interface DrawnSlice {
  readonly loss: GraphLoss;
  readonly plan: NetworkPlan;
  readonly tape: Pick<NetworkTape, 'count' | 'numbers'>;
  readonly seed: number;
  readonly first: number;
  /** Of the network's own loss, as in a `DrawRequest`. */
  readonly signs?: SampleSigns | undefined;
}

/** Seeds of the passes 'draw' and 'pullback' ← errors by signs, those of draw number `step`. */
export function drawSeeds({ loss, plan, tape, ...random }: DrawnSlice, targets: Matrix, step: number): void {
  const [own, ...others] = plan.draw!.seeds;
  const { output } = plan;
  if (own !== null)
    drawAtOutputs(loss, {
      shape: output.shape,
      count: tape.count,
      outputs: tape.numbers(output),
      targets,
      out: tape.numbers(own),
      random: { ...random, step },
    });
  others.forEach((leaf, k) => {
    if (leaf !== null) fillSigns(leaf.shape, { ...random, step, term: k + 1 }, tape.numbers(leaf));
  });
}

/** Errors of the pass 'monte-carlo-fisher' ← gradients at labels drawn from the model, all draws of every sample. */
export function drawLabels({ loss, plan, tape, seed, first }: DrawnSlice): void {
  const { output, targets, errors } = plan;
  const { count } = tape;
  const rows = rowsOf(output.shape);
  const outputs = view(tape.numbers(output), 0, rows, columnsOf(output.shape, count));
  const draw = lossOf(typeof loss === 'string' ? loss : 'cross-entropy').sampler(outputs);
  const padding = typeof loss === 'string' ? null : loss.padding;
  const tokens = padding === null ? null : tape.numbers(targets);
  const arrays = errors.map(([leaf]) => leaf && tape.numbers(leaf));
  for (let b = 0; b < count; b++) {
    const random = labelStream(seed, first + b);
    for (const out of arrays)
      for (let p = 0; out !== null && p < positionsOf(output.shape); p++) {
        const column = b + count * p;
        if (tokens?.[column] === padding && tokens !== null) out.fill(0, rows * column, rows * (column + 1));
        else draw(column, random, out, rows * column);
      }
  }
  errors.forEach(([, ...others], step) => {
    others.forEach((leaf, k) => {
      if (leaf !== null) fillSigns(leaf.shape, { seed, first, step, term: k + 1 }, tape.numbers(leaf));
    });
  });
}

/** out ← signs for every number of the samples `first`, …, those of a term of the loss. */
function fillSigns(
  shape: Shape,
  {
    seed,
    step,
    first,
    term,
  }: { readonly seed: number; readonly step: number; readonly first: number; readonly term: number },
  out: FloatArray,
): void {
  const rows = rowsOf(shape);
  const count = out.length / numbersEach(shape);
  for (let b = 0; b < count; b++) {
    const signs = new RandomStream(seed, SIGNS, step, first + b, term);
    for (let p = 0; p < positionsOf(shape); p++)
      for (let k = 0, at = rows * (b + count * p); k < rows; k++) out[at + k] = signs.uniform() < 0.5 ? -1 : 1;
  }
}

const uniformSigns: SampleSigns = (seed, step, sample) => {
  const random = new RandomStream(seed, SIGNS, step, sample);
  return () => (random.uniform() < 0.5 ? -1 : 1);
};

/** out ← Q^{1/2}ξ at every sample and position, ξ of signs. */
export function drawAtOutputs(loss: GraphLoss, { random, ...request }: DrawRequest): void {
  const { signs = uniformSigns, seed, step, first } = random;
  rootAtOutputs(loss, request, (b) => signs(seed, step, first + b));
}

/** ξ of a sample: number k of position p, asked for in their order. */
export type SampleVector = (k: number, p: number) => number;

/** out ← Q^{1/2}ξ at every sample and position; Q^{1/2} is one root of Q, not the symmetric one. */
export function rootAtOutputs(
  loss: GraphLoss,
  { shape, count, outputs, targets, out }: RootRequest,
  vectorOf: (sample: number) => SampleVector,
): void {
  const rows = rowsOf(shape);
  const scale = typeof loss === 'string' ? squaredScale(loss, numbersEach(shape)) : null;
  for (let b = 0; b < count; b++) {
    const ξ = vectorOf(b);
    for (let p = 0; p < positionsOf(shape); p++) {
      const at = rows * (b + count * p);
      if (scale !== null) for (let k = 0; k < rows; k++) out[at + k] = Math.sqrt(scale) * ξ(k, p);
      else if (loss === 'bce')
        for (let k = 0; k < rows; k++) {
          const q = 1 / (1 + Math.exp(-outputs[at + k]));
          out[at + k] = Math.sqrt(q * (1 - q)) * ξ(k, p);
        }
      else if (typeof loss !== 'string' && targets.data[targets.offset + b * targets.ld + p] === loss.padding)
        out.fill(0, at, at + rows);
      else softmaxErrors(rows, outputs.subarray(at, at + rows), out.subarray(at, at + rows), (k) => ξ(k, p));
    }
  }
}

/** (diag √p − p√pᵀ)ξ of one column. */
function softmaxErrors(rows: number, f: FloatArray, out: FloatArray, ξ: (k: number) => number): void {
  let most = -Infinity;
  for (let k = 0; k < rows; k++) most = Math.max(most, f[k]);
  let total = 0;
  for (let k = 0; k < rows; k++) total += Math.exp(f[k] - most);
  let along = 0;
  for (let k = 0; k < rows; k++) {
    out[k] = Math.sqrt(Math.exp(f[k] - most) / total) * ξ(k);
    along += out[k];
  }
  for (let k = 0; k < rows; k++) out[k] -= (Math.exp(f[k] - most) / total) * along;
}
