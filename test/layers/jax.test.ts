/** Layers and small networks against jax-js: outputs, losses, gradients, products with the Hessian. */
import { nn, numpy as np } from '@jax-js/jax';
import { beforeAll, describe, it } from 'vitest';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { multiHeadAttention } from '#hmatrix/layers/attention.js';
import { activation, flatten, relu, residual, stack } from '#hmatrix/layers/compose.js';
import { graphNetwork, imageInput, tokenInput, vectorInput } from '#hmatrix/layers/graph-network.js';
import { batchNorm, groupNorm, layerNorm, rmsNorm } from '#hmatrix/layers/normalization.js';
import { averagePool, globalAveragePool, maxPool } from '#hmatrix/layers/pooling.js';
import { embedding, learnedPositions } from '#hmatrix/layers/tokens.js';
import { transformerEncoderLayer } from '#hmatrix/layers/transformer-layers.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { transformer } from '#hmatrix/models/transformer.js';
import { COUNT, expectLikeJax, type JaxCase } from './against-jax.js';
import * as jax from './jax.js';

beforeAll(jax.openJax);

/** jax-js computes in single precision: sums of some hundred terms, their relative errors added. */
const TOLERANCE = 2000 * 2 ** -24;

const images = imageInput({ channels: 3, height: 4, width: 6 });
const sequences = tokenInput(5, 7);

const image = (
  layers: Parameters<typeof graphNetwork>[0]['layers'],
  forward: jax.Forward,
  mode?: JaxCase['mode'],
): JaxCase => ({
  network: graphNetwork({ inputs: images, layers, loss: 'cross-entropy' }),
  mode: mode ?? 'evaluation',
  forward,
});

const tanhConv = { conv: conv2d(4, 3, { padding: 1 }), tanh: activation('tanh') };
const jaxTanhConv = (t: jax.Tensors, x: np.Array): np.Array =>
  np.tanh(jax.conv(t, 'conv', x, { padding: 1, bias: true }));
const flat = (x: np.Array): np.Array => x.reshape([COUNT, -1]);
const fc = dense(3);
const embedded = (t: jax.Tensors, name: string, ids: np.Array): np.Array => {
  const table = t(name);
  return np.matmul(nn.oneHot(ids.astype(np.int32), table.shape[0]), table);
};
/** 1 where a key comes behind its query, or is padding, [samples, queries, keys]. */
const behind = (queries: number, keys: number): np.Array =>
  jax.jaxArray(
    Array.from({ length: queries * keys }, (_, k) => Number(k % keys > Math.floor(k / keys))),
    [1, queries, keys],
  );
const padding = (ids: np.Array, queries: number): np.Array =>
  np.tile(np.equal(ids, 0).astype(np.float32).reshape([COUNT, 1, -1]), [1, queries, 1]);
const feedForward = (t: jax.Tensors, prefix: string, x: np.Array): np.Array =>
  jax.linear(t, `${prefix}linear2`, nn.relu(jax.linear(t, `${prefix}linear1`, x)));

const CASES: Readonly<Record<string, () => JaxCase>> = {
  'dense layers behind each other': () => ({
    network: graphNetwork({
      inputs: vectorInput(5),
      layers: stack({ a: dense(6), gelu: activation('gelu'), b: dense(4), silu: activation('silu'), c: dense(3) }),
      loss: 'cross-entropy',
    }),
    forward: (t, x) =>
      jax.linear(
        t,
        'c',
        nn.silu(jax.linear(t, 'b', nn.gelu(jax.linear(t, 'a', x.reshape([COUNT, 5])), { approximate: false }))),
      ),
  }),
  'convolution, maxima, flatten': () =>
    image(stack({ ...tanhConv, pool: maxPool(2), flatten, fc }), (t, x) =>
      jax.linear(t, 'fc', flat(jax.maxPool2(jaxTanhConv(t, x)))),
    ),
  'strides and groups': () =>
    image(
      stack({
        ...tanhConv,
        grouped: conv2d(6, 3, { padding: 1, stride: 2, groups: 2 }),
        silu: activation('silu'),
        each: conv2d(6, 2, { groups: 6, padding: 1, bias: false }),
        pool: globalAveragePool,
        fc,
      }),
      (t, x) => {
        const y = nn.silu(jax.conv(t, 'grouped', jaxTanhConv(t, x), { stride: 2, padding: 1, groups: 2, bias: true }));
        return jax.linear(t, 'fc', np.mean(jax.conv(t, 'each', y, { padding: 1, groups: 6 }), [2, 3]));
      },
    ),
  'means of windows': () =>
    image(stack({ ...tanhConv, pool: averagePool(2), flatten, fc }), (t, x) =>
      jax.linear(t, 'fc', flat(np.mean(jaxTanhConv(t, x).reshape([COUNT, 4, 2, 2, 3, 2]), [3, 5]))),
    ),
  'batch norm in training': () =>
    image(
      stack({ ...tanhConv, bn: batchNorm(), relu, flatten, fc }),
      (t, x) => jax.linear(t, 'fc', flat(nn.relu(jax.batchNorm(t, 'bn', jaxTanhConv(t, x))))),
      'training',
    ),
  'batch norm in evaluation': () =>
    image(stack({ ...tanhConv, bn: batchNorm({ epsilon: 1e-3 }), flatten, fc }), (t, x) => {
      return jax.linear(t, 'fc', flat(jax.frozenBatchNorm(t, 'bn', jaxTanhConv(t, x), 1e-3)));
    }),
  'group norm': () =>
    image(stack({ ...tanhConv, gn: groupNorm(2), flatten, fc }), (t, x) => {
      const y = jaxTanhConv(t, x).reshape([COUNT, 2, 2, 4, 6]);
      const centered = y.ref.sub(np.mean(y, [2, 3, 4], { keepdims: true }));
      const variance = np.mean(np.square(centered.ref), [2, 3, 4], { keepdims: true });
      const normed = centered.mul(np.reciprocal(np.sqrt(variance.add(1e-5)))).reshape([COUNT, 4, 4, 6]);
      const channels = (name: string): np.Array => t(`gn.${name}`).reshape([1, -1, 1, 1]);
      return jax.linear(t, 'fc', flat(normed.mul(channels('weight')).add(channels('bias'))));
    }),
  'layer norm and RMS norm': () => ({
    network: graphNetwork({
      inputs: vectorInput(5),
      layers: stack({ a: dense(6), ln: layerNorm(), tanh: activation('tanh'), b: dense(4), rms: rmsNorm(), fc }),
      loss: 'cross-entropy',
    }),
    forward: (t, x) => {
      const y = jax.linear(t, 'b', np.tanh(jax.layerNorm(t, 'ln', jax.linear(t, 'a', x.reshape([COUNT, 5])))));
      const size = np.sqrt(np.mean(np.square(y.ref), [-1], { keepdims: true }).add(1e-5));
      return jax.linear(t, 'fc', y.mul(np.reciprocal(size)).mul(t('rms.weight')));
    },
  }),
  'a residual block with a projection': () =>
    image(
      stack({
        block: residual(
          stack({ conv1: conv2d(4, 3, { padding: 1, stride: 2, bias: false }), tanh: activation('tanh') }),
          stack({ conv: conv2d(4, 1, { stride: 2, bias: false }) }),
          'downsample',
        ),
        flatten,
        fc,
      }),
      (t, x) => {
        const main = np.tanh(jax.conv(t, 'block.conv1', x.ref, { stride: 2, padding: 1 }));
        return jax.linear(t, 'fc', flat(main.add(jax.conv(t, 'block.downsample.conv', x, { stride: 2 }))));
      },
    ),
  'causal attention to words': () => ({
    network: graphNetwork({
      inputs: sequences,
      layers: stack({
        words: embedding(7, 6, { scale: 2 }),
        positions: learnedPositions(),
        attention: multiHeadAttention({ heads: 3, causal: true }),
        fc,
      }),
      loss: tokenLoss(),
    }),
    forward: (t, ids) => {
      const x = embedded(t, 'words.weight', ids).mul(2).add(t('positions.weight'));
      const hidden = np.tile(behind(5, 5), [COUNT, 1, 1]);
      return jax.linear(t, 'fc', jax.attention(t, 'attention', [x.ref, x], { heads: 3, hidden }));
    },
  }),
  'an encoder’s layer, norms before': () => ({
    network: graphNetwork({
      inputs: sequences,
      layers: stack({
        words: embedding(7, 6),
        layer: transformerEncoderLayer({ heads: 2, feedForward: 8 }),
        fc,
      }),
      loss: tokenLoss(),
    }),
    forward: (t, ids) => {
      const x = embedded(t, 'words.weight', ids);
      const normed = jax.layerNorm(t, 'layer.norm1', x.ref);
      const y = x.add(jax.attention(t, 'layer.self_attn', [normed.ref, normed], { heads: 2 }));
      return jax.linear(t, 'fc', y.ref.add(feedForward(t, 'layer.', jax.layerNorm(t, 'layer.norm2', y))));
    },
  }),
  'a transformer with padding, norms behind': () => ({
    network: graphNetwork({
      inputs: [tokenInput(4, 6), tokenInput(5, 7)],
      layers: transformer({
        sourceWords: 6,
        targetWords: 7,
        features: 4,
        heads: 2,
        layers: 1,
        feedForward: 5,
        padding: 0,
        norm: 'post',
        positions: 'learned',
      }),
      loss: tokenLoss(),
    }),
    forward: (t, source, target) => {
      const look = (name: string, ids: np.Array): np.Array =>
        embedded(t, `${name}_embedding.weight`, ids)
          .mul(2)
          .add(t(`${name}_embedding.positions.weight`));
      const encoder = (name: string): string => `encoder.layers.0.${name}`;
      const decoder = (name: string): string => `decoder.layers.0.${name}`;
      const hiddenSource = padding(source.ref, 4);
      const x = look('source', source.ref);
      const xa = jax.attention(t, encoder('self_attn'), [x.ref, x.ref], { heads: 2, hidden: hiddenSource });
      const x1 = jax.layerNorm(t, encoder('norm1'), x.add(xa));
      const memory = jax.layerNorm(t, encoder('norm2'), x1.ref.add(feedForward(t, encoder(''), x1)));
      const hidden = np.maximum(padding(target.ref, 5), np.tile(behind(5, 5), [COUNT, 1, 1]));
      const y = look('target', target);
      const ya = jax.attention(t, decoder('self_attn'), [y.ref, y.ref], { heads: 2, hidden });
      const y1 = jax.layerNorm(t, decoder('norm1'), y.add(ya));
      const other = { heads: 2, hidden: padding(source, 5) };
      const yb = jax.attention(t, decoder('multihead_attn'), [y1.ref, memory], other);
      const y2 = jax.layerNorm(t, decoder('norm2'), y1.add(yb));
      const y3 = jax.layerNorm(t, decoder('norm3'), y2.ref.add(feedForward(t, decoder(''), y2)));
      return jax.linear(t, 'generator', y3);
    },
  }),
};

describe.each(Object.keys(CASES))('%s', (name) => {
  it('are_what_jax_makes_of_them', () => {
    expectLikeJax(CASES[name](), { tolerance: TOLERANCE });
  });
});
