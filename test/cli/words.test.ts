/** What the library says of its options is said in the command's flags; what the command assumed is said. */
import { join } from 'node:path';
import { Option } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { inDigits, roundedUp } from '#hmatrix/core/number-text.js';
import { inCommandWords } from '#hmatrix/cli/outcome.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { writeWeights } from '#hmatrix/network/weights-file.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();

beforeAll(async () => {
  for (const [name, bias] of [
    ['biased.npz', true],
    ['plain.npz', false],
    ['mixed.npz', [true, false]],
  ] as const) {
    const network = defineNetwork({ widths: [784, 3, 784], bias });
    await writeWeights(join(folder, name), network, initialParameters(network, 1));
  }
});

const flags = [
  new Option('--memory-limit <bytes>'),
  new Option('--bias'),
  new Option('--no-plain'),
  new Option('--last-layer'),
  new Option('--format <name>').choices(['hss', 'fmm']),
  new Option('--dtype <name>').choices(['f32', 'f64']),
  new Option('--shift <x>'),
];

describe('the words of the command', () => {
  it.each([
    ['raise memoryLimit.', 'raise --memory-limit.'],
    ['memoryLimit: 1e9 is enough', '--memory-limit 1e9 is enough'],
    ['with its biases, bias: true.', 'with its biases, --bias.'],
    ['say bias: false', 'say no --bias'],
    ['or lastLayer: true, plain: false', 'or --last-layer, --no-plain'],
    ['plain: true', 'no --no-plain'],
    ["use dtype 'f32', or dtype: 'f64'", 'use --dtype f32, or --dtype f64'],
    ["A budget needs format 'fmm'", 'A budget needs --format fmm'],
    ["a format 'of its own' and a bias", "a format 'of its own' and a bias"],
    ['a shift of 2, maxRank 3', 'a shift of 2, maxRank 3'],
    ['memoryLimit.npy, data/memoryLimit, "memoryLimit", mymemoryLimit', undefined],
  ])('%s', (text, expected) => {
    expect(inCommandWords(text, flags)).toBe(expected ?? text);
  });

  const network = ['--network', '784-3-784', '--samples', '20', '--activation', 'relu'];
  it.each([
    [['--weights', 'biased.npz'], /comes with a bias, .* with the biases of the file, --bias\.\n$/],
    [['--weights', 'plain.npz', '--bias'], /comes without a bias, .* with the biases of the file, no --bias\.\n$/],
    [['--weights', 'mixed.npz', '--bias'], /which the command cannot: --bias gives all layers one or none\.\n$/],
  ])('biases_of_weights: %j', async (args, message) => {
    for (const command of [['table'], ['compress'], ['solve', '--shift', '1'], ['logdet', '--shift', '1']]) {
      const { status, stdout, stderr } = await hmatrix([...command, ...network, ...args], { cwd: folder });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(message);
    }
  });

  it('the_options_of_a_compression', async () => {
    const input = ['compress', '--named', 'K02', '--size', '64'];
    expect((await hmatrix([...input, '--format', 'hss', '--budget', '0.1'])).stderr).toMatch(
      /^hmatrix: --budget: A budget \(0\.1\) needs --format fmm: /,
    );
    expect((await hmatrix([...input, '--format', 'fmm', '--preserve', 'positive-definite'])).stderr).toMatch(
      /^hmatrix: --preserve: preserve needs --format hss/,
    );
  });
});

describe('weights without an activation', () => {
  it('say_which_one_is_assumed', async () => {
    const args = ['--network', '784-3-784', '--samples', '20', '--weights', join(folder, 'plain.npz')];
    const assumed =
      /^hmatrix: the file of --weights does not say .*: tanh is assumed\. Name another by --activation\.\n$/;
    const solve = ['solve', ...args, '--shift-relative', '0.1', '--tolerance', '1e-2', '--preconditioner', 'none'];
    const table = ['table', ...args, '--methods', 'diagonal'];
    for (const command of [solve, table]) {
      expect((await hmatrix([...command, '--json'])).stderr).toMatch(assumed);
      expect((await hmatrix([...command, '--activation', 'tanh'])).stderr).toBe('');
      expect((await hmatrix([...command, '--quiet'])).stderr).toBe('');
    }
    expect((await hmatrix(solve)).stdout).toMatch(/\(tanh, mse\), n = 20 of .*, weights of plain\.npz, N = 4,704/);
  });
});

describe('kernels that are joined by name', () => {
  it.each(['matern52+gaussian', 'gaussian * periodic', '2*laplace'])('are_made_in_the_library: %s', async (kernel) => {
    const { status, stdout, stderr } = await hmatrix(['compress', '--points', 'normal:50,2', '--kernel', kernel]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/made in the library \(sumKernels, productKernels/);
  });

  it('as_expressions_are_taken', async () => {
    const args = ['compress', '--points', 'normal:50,2', '--kernel', 'exp(-r^2/2) + exp(-r)', '--quiet'];
    expect((await hmatrix(args)).status).toBe(0);
  });
});

describe('numbers for people', () => {
  it('have_six_digits_and_advice_is_rounded_up', () => {
    expect([0.1, 1e-5, 1234567.8, 2 / 3, 0].map((value) => inDigits(value))).toEqual([
      '0.1',
      '0.00001',
      '1234570',
      '0.666667',
      '0',
    ]);
    for (const value of [0.012420542444608693, 9.9999999, 3e-300, 1, 123456.7]) {
      const up = Number(roundedUp(value));
      expect(up).toBeGreaterThanOrEqual(value);
      expect(up).toBeLessThan(value * 1.0021);
    }
  });
});
