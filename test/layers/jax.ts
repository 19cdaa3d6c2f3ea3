/**
 * The tests' second opinion: networks written once more in jax-js, in single precision, with PyTorch's layouts, on the
 * tensors that `toStateDict` gives them.
 */
import { grad, init, jvp, lax, nn, numpy as np } from '@jax-js/jax';
import type { StateTensor } from '#hmatrix/layers/state-dict.js';

/** Starts jax-js on the processor. */
export async function openJax(): Promise<void> {
  await init('wasm');
}

/** Tensors by name; every use takes a reference. */
export type Tensors = (name: string) => np.Array;

/** Outputs of samples: [samples, features], or [samples, positions, features]. */
export type Forward = (tensors: Tensors, ...inputs: np.Array[]) => np.Array;

/** An array of jax-js. */
export const jaxArray = (numbers: ArrayLike<number>, shape: readonly number[]): np.Array =>
  np.array(Float32Array.from(numbers)).reshape([...shape]);

/** What jax-js computes. */
export interface JaxResult {
  readonly loss: number;
  readonly output: Float32Array;
  readonly gradient: Readonly<Record<string, Float32Array>>;
  readonly product: Readonly<Record<string, Float32Array>>;
}

/** Loss, output, gradient and, along a direction, the Hessian product; `lossOf` gives the loss of outputs. */
export function computeByJax(
  { forward, lossOf }: { readonly forward: Forward; readonly lossOf: (outputs: np.Array) => np.Array },
  inputs: readonly np.Array[],
  state: Readonly<Record<string, StateTensor>>,
  direction: Readonly<Record<string, StateTensor>> | null,
): JaxResult {
  const names = Object.keys(state);
  const arrays = (of: Readonly<Record<string, StateTensor>>): np.Array[] =>
    names.map((name) => jaxArray(of[name].data, of[name].shape));
  const outputs = (own: readonly np.Array[]): np.Array =>
    forward((name) => own[names.indexOf(name)].ref, ...inputs.map((input) => input.ref));
  const loss = (...own: np.Array[]): np.Array => lossOf(outputs(own));
  const places = names.map((_, k) => k);
  const gradient = (...own: np.Array[]): np.Array[] => grad(loss, { argnums: places })(...own) as np.Array[];
  const read = (of: readonly np.Array[]): Record<string, Float32Array> =>
    Object.fromEntries(names.map((name, k) => [name, of[k].dataSync() as Float32Array]));
  const [gradients, products] =
    direction === null
      ? [gradient(...arrays(state)), []]
      : (jvp(gradient, arrays(state), arrays(direction)) as [np.Array[], np.Array[]]);
  return {
    loss: loss(...arrays(state)).item() as number,
    output: outputs(arrays(state)).dataSync() as Float32Array,
    gradient: read(gradients),
    product: direction === null ? {} : read(products),
  };
}

/** The mean cross-entropy of outputs [samples, …, classes] with shares of classes as targets. */
export const crossEntropy =
  (targets: np.Array, count: number) =>
  (outputs: np.Array): np.Array =>
    np.sum(nn.logSoftmax(outputs).mul(targets.ref)).mul(-1 / count);

/** A convolution of [samples, channels, height, width]. */
export function conv(
  tensors: Tensors,
  name: string,
  x: np.Array,
  {
    stride = 1,
    padding = 0,
    groups = 1,
    bias = false,
  }: { readonly stride?: number; readonly padding?: number; readonly groups?: number; readonly bias?: boolean } = {},
): np.Array {
  const pad: [number, number] = [padding, padding];
  const y = lax.convGeneralDilated(x, tensors(`${name}.weight`), [stride, stride], [pad, pad], {
    featureGroupCount: groups,
  });
  return bias ? y.add(tensors(`${name}.bias`).reshape([1, -1, 1, 1])) : y;
}

/** xWᵀ + b on the last axis. */
export const linear = (tensors: Tensors, name: string, x: np.Array): np.Array =>
  np.matmul(x, tensors(`${name}.weight`).transpose()).add(tensors(`${name}.bias`));

/** (x − mean)/√(variance + ε) over axes, then by weight and bias of the feature axis. */
export function norm(
  tensors: Tensors,
  name: string,
  x: np.Array,
  { axes, feature, epsilon = 1e-5 }: { readonly axes: number[]; readonly feature: number[]; readonly epsilon?: number },
): np.Array {
  const centered = x.ref.sub(np.mean(x, axes, { keepdims: true }));
  const variance = np.mean(np.square(centered.ref), axes, { keepdims: true });
  const y = centered.mul(np.reciprocal(np.sqrt(variance.add(epsilon))));
  return y.mul(tensors(`${name}.weight`).reshape(feature)).add(tensors(`${name}.bias`).reshape(feature));
}

/** Batch norm of images by the statistics of the batch. */
export const batchNorm = (tensors: Tensors, name: string, x: np.Array): np.Array =>
  norm(tensors, name, x, { axes: [0, 2, 3], feature: [1, -1, 1, 1] });

/** Batch norm of images by the running statistics. */
export function frozenBatchNorm(tensors: Tensors, name: string, x: np.Array, epsilon = 1e-5): np.Array {
  const channels = (leaf: string): np.Array => tensors(`${name}.${leaf}`).reshape([1, -1, 1, 1]);
  const y = x.sub(channels('running_mean')).mul(np.reciprocal(np.sqrt(channels('running_var').add(epsilon))));
  return y.mul(channels('weight')).add(channels('bias'));
}

/** Layer norm of the last axis. */
export const layerNorm = (tensors: Tensors, name: string, x: np.Array): np.Array =>
  norm(tensors, name, x, { axes: [-1], feature: [-1] });

/** Maxima of 2 × 2 pixels. */
export function maxPool2(x: np.Array): np.Array {
  const [n, c, h, w] = x.shape;
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
}

/**
 * nn.MultiheadAttention of [samples, positions, features]; `hidden` [samples, queries, keys] is 1 where a key is not to
 * be seen.
 */
export function attention(
  tensors: Tensors,
  name: string,
  [query, memory]: readonly [np.Array, np.Array],
  { heads, hidden }: { readonly heads: number; readonly hidden?: np.Array },
): np.Array {
  const [n, queries, d] = query.shape;
  const keys = memory.shape[1];
  const own = d / heads;
  const [wq, wk, wv] = np.split(tensors(`${name}.in_proj_weight`), 3);
  const [bq, bk, bv] = np.split(tensors(`${name}.in_proj_bias`), 3);
  const split = (x: np.Array, [w, b]: readonly [np.Array, np.Array], length: number): np.Array =>
    np.matmul(x, w.transpose()).add(b).reshape([n, length, heads, own]).transpose([0, 2, 1, 3]);
  const q = split(query, [wq, bq], queries);
  const k = split(memory.ref, [wk, bk], keys);
  const v = split(memory, [wv, bv], keys);
  let scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(1 / Math.sqrt(own));
  if (hidden !== undefined) scores = scores.add(hidden.reshape([n, 1, queries, keys]).mul(-1e9));
  const seen = np.matmul(nn.softmax(scores), v).transpose([0, 2, 1, 3]).reshape([n, queries, d]);
  return linear(tensors, `${name}.out_proj`, seen);
}
