/**
 * The models beside PyTorch's own, as pytorch/export.py kept them in pytorch/pytorch.json: the same names and shapes,
 * outputs, losses, gradients, Hessian products and running statistics, at parameters that a hash of names and places
 * gives to both.
 */
import { readFileSync } from 'node:fs';
import { setImmediate as breath } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { view, type Matrix } from '#hmatrix/dense/matrix.js';
import { graphNetwork, imageInput, tokenInput, type GraphNetwork } from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { fromStateDict, toStateDict } from '#hmatrix/layers/state-dict.js';
import { mobilenet } from '#hmatrix/models/mobilenet.js';
import { resnet18, resnet20, resnet50 } from '#hmatrix/models/resnet.js';
import { languageModel, transformer } from '#hmatrix/models/transformer.js';
import { GraphObjective } from '#hmatrix/training/graph/graph-objective.js';
import { relativeDifference } from '../layers/networks.js';

/** What PyTorch computed; of gradients and products the dot with a direction, tensor by tensor. */
interface Kept {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly evaluation: { readonly loss: number; readonly outputs: readonly number[] };
  readonly training: {
    readonly loss: number;
    readonly outputs: readonly number[];
    readonly gradient: Readonly<Record<string, number>>;
    readonly product: Readonly<Record<string, number>>;
    readonly norms: { readonly gradient: number; readonly product: number };
    readonly statistics: Readonly<Record<string, number>>;
  };
}

const { cases } = JSON.parse(readFileSync(new URL('pytorch/pytorch.json', import.meta.url), 'utf8')) as {
  readonly cases: Readonly<Record<string, Kept>>;
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Numbers in [−1, 1): a 32-bit mix of the name's FNV-1a hash and the place. As `uniform` of export.py. */
function uniform(name: string, count: number): Float64Array {
  let seed = 2166136261;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 16777619);
  const numbers = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    let x = (Math.imul(k, 0x9e3779b1) + seed) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    numbers[k] = (x >>> 0) / 2 ** 31 - 1;
  }
  return numbers;
}

/** A parameter's numbers. As `value` of export.py. */
function valueOf(name: string, shape: readonly number[]): Float64Array {
  const u = uniform(name, sizeOf(shape));
  if (name.endsWith('running_var')) return u.map((x) => 1 + 0.5 * x);
  if (shape.length > 1) return u.map((x) => x * Math.sqrt(6 / sizeOf(shape.slice(1))));
  return name.endsWith('weight') ? u.map((x) => 1 + 0.2 * x) : u.map((x) => 0.1 * x);
}

/** Words that are not padding, and in all samples but the first padding at the end. As `words` of export.py. */
function words(name: string, count: number, length: number, vocabulary: number): Float64Array {
  return uniform(name, count * length).map((u, k) => {
    const [sample, place] = [Math.floor(k / length), k % length];
    return place >= length - sample ? 0 : 1 + Math.floor(((u + 1) / 2) * (vocabulary - 1));
  });
}

/** Every sample's words one place later, the last one first. */
const rolled = (ids: Float64Array, length: number): Float64Array =>
  ids.map((_, k) => ids[k - (k % length) + (((k % length) + length - 1) % length)]);

/** Samples one after the other, a column each. */
const columns = (numbers: Float64Array, count: number): Matrix => view(numbers, 0, numbers.length / count, count);

interface Case {
  readonly network: GraphNetwork;
  readonly batch: { readonly inputs: Matrix; readonly targets: Matrix };
}

function ofImages(layers: Parameters<typeof graphNetwork>[0]['layers'], side: number, count: number): Case {
  const inputs = imageInput({ channels: 3, height: side, width: side });
  const network = graphNetwork({ inputs, layers, loss: 'cross-entropy' });
  const { outputs } = network;
  const targets = new Float64Array(outputs * count);
  for (let b = 0; b < count; b++) targets[b * outputs + (b % outputs)] = 1;
  return {
    network,
    batch: { inputs: columns(uniform('input', 3 * side ** 2 * count), count), targets: columns(targets, count) },
  };
}

function ofWords(activation: 'gelu' | 'relu', norm: 'pre' | 'post', smoothing: number): Case {
  const layers = languageModel({ words: 11, features: 8, heads: 2, layers: 2, padding: 0, activation, norm });
  const network = graphNetwork({ inputs: tokenInput(6, 11), layers, loss: tokenLoss({ padding: 0, smoothing }) });
  const ids = words('source', 3, 6, 11);
  return { network, batch: { inputs: columns(ids, 3), targets: columns(rolled(ids, 6), 3) } };
}

function ofPairs(): Case {
  const shape = { features: 8, heads: 2, layers: 2, sourceWords: 9, targetWords: 11, padding: 0 };
  const network = graphNetwork({
    inputs: [tokenInput(7, 9), tokenInput(5, 11)],
    layers: transformer(shape),
    loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
  });
  const [source, target] = [words('source', 3, 7, 9), words('target', 3, 5, 11)];
  const both = new Float64Array(12 * 3);
  for (let b = 0; b < 3; b++)
    both.set([...source.subarray(7 * b, 7 * b + 7), ...target.subarray(5 * b, 5 * b + 5)], 12 * b);
  return { network, batch: { inputs: columns(both, 3), targets: columns(rolled(target, 5), 3) } };
}

const MODELS: Readonly<Record<string, () => Case>> = {
  resnet18: () => ofImages(resnet18({ classes: 5 }), 40, 3),
  resnet50: () => ofImages(resnet50({ classes: 3 }), 36, 2),
  'resnet20 with shortcuts A': () => ofImages(resnet20(), 16, 3),
  'resnet20 with shortcuts B': () => ofImages(resnet20({ shortcut: 'B' }), 16, 3),
  mobilenet: () => ofImages(mobilenet(0.5), 32, 3),
  'languageModel, norms before': () => ofWords('gelu', 'pre', 0.1),
  'languageModel, norms behind': () => ofWords('relu', 'post', 0),
  transformer: ofPairs,
};

/** θ of tensors by name. */
const parametersOf = (network: GraphNetwork, of: (name: string, shape: readonly number[]) => Float64Array) =>
  Float64Array.from(
    fromStateDict(
      network,
      Object.fromEntries(
        Object.entries(toStateDict(network, new Float64Array(network.parameters))).map(([name, { shape }]) => [
          name,
          { shape, data: of(name, shape) },
        ]),
      ),
    ),
  );

/** Expects dots of a vector laid out like θ with the probes to be PyTorch's, to a share of both norms. */
function expectDots(
  network: GraphNetwork,
  vector: FloatArray,
  {
    dots,
    norm,
    tolerance,
  }: { readonly dots: Kept['training']['gradient']; readonly norm: number; readonly tolerance: number },
): void {
  const tensors = toStateDict(network, vector);
  for (const [name, expected] of Object.entries(dots)) {
    const { data } = tensors[name];
    const probe = uniform(`probe/${name}`, data.length);
    let dot = 0;
    for (let k = 0; k < data.length; k++) dot += data[k] * probe[k];
    expect(Math.abs(dot - expected), name).toBeLessThanOrEqual(tolerance * norm * Math.sqrt(data.length));
  }
}

describe('models_beside_PyTorch', () => {
  it('are_all_of_those_kept', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(MODELS).sort());
  });

  it.each(Object.keys(MODELS))('%s', async (name) => {
    const kept = cases[name];
    const { network, batch } = MODELS[name]();
    const state = toStateDict(network, new Float64Array(network.parameters));
    expect(Object.fromEntries(Object.entries(state).map(([key, { shape }]) => [key, shape]))).toEqual(kept.shapes);
    const θ = parametersOf(network, valueOf);
    // Rounding, by how much fifty layers of few samples magnify it.
    const tolerance = 1e-9;

    const objective = await GraphObjective.open({
      network,
      precision: 'f64',
      batchSize: batch.inputs.cols,
      curvature: 'hessian',
      spare: 16 * (network.parameters + 8),
      blas: openBlas(),
    });
    objective.parameters.set(θ);
    objective.load(batch);
    const expectLoss = (loss: number, outputs: FloatArray, expected: Kept['evaluation']): void => {
      expect(Math.abs(loss - expected.loss)).toBeLessThanOrEqual(tolerance * expected.loss);
      expect(relativeDifference(outputs, expected.outputs)).toBeLessThanOrEqual(tolerance);
    };
    await breath();
    expectLoss(objective.measure().loss, objective.outputs(), kept.evaluation);
    expectLoss(objective.measure(objective.parameters, 0).loss, objective.outputs(), kept.training);

    const [v, product] = [objective.vector(), objective.vector()];
    v.set(parametersOf(network, (key, shape) => uniform(`direction/${key}`, sizeOf(shape))).fill(0, network.trained));
    await breath();
    objective.evaluate();
    objective.product('hessian', v, product);
    const { gradient, product: ofProduct, norms, statistics } = kept.training;
    await breath();
    expectDots(network, objective.gradient, { dots: gradient, norm: norms.gradient, tolerance });
    expectDots(network, product, { dots: ofProduct, norm: norms.product, tolerance });
    await breath();
    expectDots(network, objective.parameters, { dots: statistics, norm: 1, tolerance });
    objective.close();
  });
});
