/** Networks for images against jax-js. */
import { nn, numpy as np } from '@jax-js/jax';
import { beforeAll, describe, it } from 'vitest';
import { graphNetwork, imageInput } from '#hmatrix/layers/graph-network.js';
import { mobilenet } from '#hmatrix/models/mobilenet.js';
import { resnet20 } from '#hmatrix/models/resnet.js';
import { simpleCnn } from '#hmatrix/models/simple-cnn.js';
import { COUNT, expectLikeJax, type JaxCase } from '../layers/against-jax.js';
import * as jax from '../layers/jax.js';

beforeAll(jax.openJax);

/** jax-js computes in single precision: some thousand roundings along each path, added. */
const TOLERANCE = 5000 * 2 ** -24;

const inputs = imageInput({ channels: 3, height: 8, width: 8 });
const convNorm = (
  t: jax.Tensors,
  [conv, bn]: readonly [string, string],
  x: np.Array,
  options: Parameters<typeof jax.conv>[3],
): np.Array => jax.frozenBatchNorm(t, bn, jax.conv(t, conv, x, options));

/** Every second pixel, and zeros for as many channels before and behind. */
const subsampled = (x: np.Array): np.Array => {
  const [n, c, h, w] = x.shape;
  const fewer = x.reshape([n, c, h / 2, 2, w / 2, 2]).slice([], [], [], 0, [], 0);
  return np.pad(fewer, [
    [0, 0],
    [c / 2, c / 2],
    [0, 0],
    [0, 0],
  ]);
};

const resnetForward =
  (shortcut: 'A' | 'B'): jax.Forward =>
  (t, input) => {
    let x = nn.relu(convNorm(t, ['conv1', 'bn1'], input, { padding: 1 }));
    for (const stage of [1, 2, 3])
      for (const k of [0, 1, 2]) {
        const [name, stride] = [`layer${stage}.${k}.`, stage > 1 && k === 0 ? 2 : 1];
        const inner = nn.relu(convNorm(t, [`${name}conv1`, `${name}bn1`], x.ref, { padding: 1, stride }));
        const main = convNorm(t, [`${name}conv2`, `${name}bn2`], inner, { padding: 1 });
        const other = [`${name}shortcut.0`, `${name}shortcut.1`] as const;
        const straight = stride === 1 ? x : shortcut === 'A' ? subsampled(x) : convNorm(t, other, x, { stride });
        x = nn.relu(main.add(straight));
      }
    return jax.linear(t, 'linear', np.mean(x, [2, 3]));
  };

const STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1];

const mobilenetForward: jax.Forward = (t, input) => {
  let x = nn.relu(convNorm(t, ['conv1', 'bn1'], input, { padding: 1 }));
  STRIDES.forEach((stride, k) => {
    const groups = x.shape[1];
    const name = `layers.${k}.`;
    const own = nn.relu(convNorm(t, [`${name}conv1`, `${name}bn1`], x, { padding: 1, stride, groups }));
    x = nn.relu(convNorm(t, [`${name}conv2`, `${name}bn2`], own, {}));
  });
  return jax.linear(t, 'linear', np.mean(x, [2, 3]));
};

const CASES: Readonly<Record<string, () => JaxCase>> = {
  simpleCnn: () => ({
    network: graphNetwork({ inputs, layers: simpleCnn({ classes: 4, channels: [3, 5] }), loss: 'cross-entropy' }),
    forward: (t, x) => {
      const y = jax.maxPool2(nn.relu(jax.conv(t, 'conv1', x, { padding: 1, bias: true })));
      const z = jax.maxPool2(nn.relu(jax.conv(t, 'conv2', y, { padding: 1, bias: true })));
      return jax.linear(t, 'fc', z.reshape([COUNT, -1]));
    },
  }),
  'resnet20 with shortcuts A': () => ({
    network: graphNetwork({ inputs, layers: resnet20(), loss: 'cross-entropy' }),
    forward: resnetForward('A'),
  }),
  'resnet20 with shortcuts B': () => ({
    network: graphNetwork({ inputs, layers: resnet20({ shortcut: 'B' }), loss: 'cross-entropy' }),
    forward: resnetForward('B'),
  }),
  'mobilenet(0.25)': () => ({
    network: graphNetwork({
      inputs: imageInput({ channels: 3, height: 16, width: 16 }),
      layers: mobilenet(0.25),
      loss: 'cross-entropy',
    }),
    forward: mobilenetForward,
  }),
};

describe.each(Object.keys(CASES))('%s', (name) => {
  it('is_what_jax_makes_of_it', () => {
    expectLikeJax(CASES[name](), { tolerance: TOLERANCE, product: false });
  }, 60_000);
});
