/** hmatrix train --model: networks of layers from the command, what it writes of them, and what it refuses. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digitImages } from '#datasets/digits.js';
import { greySets } from '#hmatrix/experiment/image-sets.js';
import { MODEL_NAMES, type ModelName } from '#hmatrix/experiment/model-names.js';
import { MODELS } from '#hmatrix/experiment/models.js';
import { pairSets, sentenceSets } from '#hmatrix/experiment/sentence-sets.js';
import type { TrainingRecord } from '#hmatrix/experiment/training-run.js';
import { readTensors } from '#hmatrix/io/tensors.js';
import { meanLoss } from '#hmatrix/layers/gradient.js';
import { sequenceScorer } from '#hmatrix/layers/sequence-scorer.js';
import { fromStateDict } from '#hmatrix/layers/state-dict.js';
import { translationDataSet } from '#hmatrix/layers/translation-data.js';
import { bleu } from '#hmatrix/text/bleu.js';
import { beamSearch } from '#hmatrix/text/decoding/beam-search.js';
import { greedyDecode } from '#hmatrix/text/decoding/greedy.js';
import { readSentencePairs } from '#hmatrix/text/sentence-pairs.js';
import { loadTokenizer } from '#hmatrix/text/tokenizer-file.js';
import { splitNumbers } from '#hmatrix/training/data/split.js';
import { idxBytes } from '../io/idx-bytes.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix, type Outcome } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<Outcome> => hmatrix(['train', '--workers', '1', ...args], { cwd: folder });
/** The record of a run that did what was asked. */
async function recordOf(...args: string[]): Promise<TrainingRecord> {
  const { status, stdout, stderr } = await run(...args, '--json');
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return JSON.parse(stdout) as TrainingRecord;
}
const parametersOf = (name: string): Promise<Buffer> => readFile(at(name));

/** Records of CIFAR-10: a label, then 3 × 32 × 32 bytes. */
const cifar = (count: number, seed: number): Buffer =>
  Buffer.from(
    Uint8Array.from({ length: 3073 * count }, (_, k) =>
      k % 3073 === 0 ? (k / 3073 + seed) % 10 : (k * k + seed) % 256,
    ),
  );

describe('hmatrix train --model', () => {
  const SIZES: Readonly<Record<ModelName, readonly [number, ...string[]]>> = {
    'simple-cnn': [20_490],
    resnet8: [5214],
    resnet20: [269_722],
    resnet32: [464_154],
    resnet18: [11_173_962],
    resnet50: [23_520_842],
    mobilenet: [215_642, '--width', '0.25'],
    vae: [410_404, '--code', '10'],
    transformer: [0, '--features', '8', '--heads', '2', '--layers', '1'],
    'language-model': [0, '--features', '8', '--heads', '2', '--layers', '1'],
  };

  it.each(MODEL_NAMES)('trains %s with defaults of its own', async (model) => {
    const [size, ...settings] = SIZES[model];
    const few = ['--samples', '8', '--validation', '0.25', '--steps', '1', '--batch-size', '3'];
    const { task, optimizer, evaluations, kept, steps } = await recordOf('--model', model, ...few, ...settings);
    const { title, training, takes } = MODELS[model];
    expect(task).toMatchObject({ network: title, activation: null, training: 6, validation: 2, precision: 'f32' });
    expect(task.model!.name).toBe(model);
    if (size > 0) expect(task.size).toBe(size);
    const { batchSize: _, ...tuned } = training.settings[training.optimizer] ?? { batchSize: 0 };
    expect([optimizer.name, steps]).toEqual([training.optimizer, 1]);
    expect(optimizer.settings).toMatchObject(tuned);
    expect(evaluations).toHaveLength(1);
    // Words and classes are told apart; those of an autoencoder are none.
    expect(kept.accuracy === null).toBe(model === 'vae');
    expect(task.loss).toBe(model === 'vae' ? 'bce' : takes === 'images' ? 'cross-entropy' : 'cross-entropy of words');
  });

  it('learns, says so in words, and writes weights by PyTorch’s names', async () => {
    const args = ['--model', 'simple-cnn', '--samples', '400', '--epochs', '6', '--batch-size', '40'];
    const { status, stdout, stderr } = await run(...args, '--out', 'cnn.safetensors', '--record', 'cnn.json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^simple CNN of 16 and 32 channels \(cross-entropy\), N = 20,490 parameters, n = 320 of generated digits, 80 /,
    );
    const { kept, seconds, task } = JSON.parse(await readFile(at('cnn.json'), 'utf8')) as TrainingRecord;
    // Ten classes: guessing is right once in ten.
    expect(kept.accuracy).toBeGreaterThan(0.5);
    expect(seconds.total).toBeGreaterThanOrEqual(seconds.steps);
    const { tensors } = await readTensors(at('cnn.safetensors'));
    expect([...tensors].map(([name, { shape }]) => `${name} ${shape.join(' × ')}`)).toEqual([
      'conv1.weight 16 × 1 × 3 × 3',
      'conv1.bias 16',
      'conv2.weight 32 × 16 × 3 × 3',
      'conv2.bias 32',
      'fc.weight 10 × 1568',
      'fc.bias 10',
    ]);
    const digits = digitImages(400, 0);
    const how = { validation: 0.2, seed: 0, precision: 'f32', reconstructs: false } as const;
    const { sizes, validation } = greySets({ ...digits, classes: 10 }, how);
    const model = MODELS['simple-cnn'];
    if (model.takes !== 'images') throw new Error('images');
    const network = model.network(sizes, task.model!.settings as never);
    const parameters = fromStateDict(network, tensors);
    expect(meanLoss({ network, parameters, data: validation! })).toBeCloseTo(kept.loss, 6);
    // A run begins with such a file.
    const again = await recordOf(...args, '--steps', '0', '--weights', 'cnn.safetensors');
    expect([again.task.weights, again.kept.loss]).toEqual(['cnn.safetensors', kept.loss]);
    expect((await run(...args, '--weights', 'cnn.json')).stderr).toMatch(/cnn\.json/);
    expect((await run('--model', 'vae', '--samples', '4', '--weights', 'cnn.safetensors')).stderr).toMatch(
      /"encoder\.fc\.weight" is missing/,
    );
  });

  it('has the same bits for any team, and where it is resumed', async () => {
    const args = ['--model', 'resnet8', '--samples', '60', '--batch-size', '40'];
    const out = (name: string): string[] => ['--keep', 'last', '--out', `${name}.safetensors`];
    await recordOf(...args, '--epochs', '3', '--checkpoint', 'whole', ...out('whole'));
    await recordOf(...args, '--epochs', '3', '--workers', '2', ...out('team'));
    await recordOf(...args, '--epochs', '1', '--checkpoint', 'parts');
    const resumed = [...args, '--epochs', '3', '--checkpoint', 'parts', '--resume'];
    const { evaluations, task } = await recordOf(...resumed, ...out('parts'));
    expect(evaluations.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(task.model!.settings).toEqual({ augment: true });
    const whole = await parametersOf('whole.safetensors');
    expect((await parametersOf('team.safetensors')).equals(whole)).toBe(true);
    expect((await parametersOf('parts.safetensors')).equals(whole)).toBe(true);
    // Images that stay where they are make another run.
    const { status, stderr } = await run(...resumed, '--no-augment');
    expect(status).toBe(2);
    expect(stderr).toMatch(/is of another run, with augment/);
  });

  it.each([
    'sgd',
    'momentum',
    'nesterov',
    'adagrad',
    'rmsprop',
    'adam',
    'adamw',
    'lbfgs',
    'newton-cg',
    'gauss-newton-cg',
    'hessian-free',
    'levenberg-marquardt',
    'newton-lanczos',
    'kfac',
    'ekfac-adam',
  ])('takes the optimizer %s', async (optimizer) => {
    const few = ['--samples', '40', '--steps', '3', '--evaluate-every', '1'];
    const record = await recordOf('--model', 'resnet8', '--optimizer', optimizer, ...few);
    expect([record.optimizer.name, record.steps]).toEqual([optimizer, 3]);
    expect(record.evaluations.every(({ validationLoss }) => Number.isFinite(validationLoss))).toBe(true);
  });
});

describe('images of files', () => {
  it('come in folders of MNIST and CIFAR-10, and as single files', async () => {
    await mkdir(at('mnist'));
    const pixels = Uint8Array.from({ length: 12 * 784 }, (_, k) => (k * k) % 251);
    const labels = Uint8Array.from({ length: 12 }, (_, k) => k % 3);
    await writeFile(at('mnist/train-images-idx3-ubyte.gz'), gzipSync(idxBytes(8, [12, 28, 28], pixels)));
    await writeFile(at('mnist/train-labels-idx1-ubyte'), idxBytes(8, [12], labels));
    await mkdir(at('cifar'));
    await writeFile(at('cifar/data_batch_1.bin'), cifar(6, 0));
    await writeFile(at('cifar/data_batch_2.bin'), cifar(6, 1));
    await writeFile(at('cifar/test_batch.bin'), cifar(3, 2));
    const taken = async (...args: string[]): Promise<[string, number, number]> => {
      const { task } = await recordOf(...args, '--steps', '1', '--validation', '0.25');
      return [task.data, task.training + task.validation, task.size];
    };
    const pixelsOf = (size: number): number => (size - 2 * 256 - 257 * 32 - 16 * 256) / (2 * 256 + 1);
    // Three classes: seven rows fewer of the last layer.
    const [cnn, three] = [['--model', 'simple-cnn', '--images'], 20_490 - 7 * 1569];
    expect(await taken(...cnn, 'mnist')).toEqual(['mnist', 12, three]);
    const file = ['mnist/train-images-idx3-ubyte.gz', '--labels', 'mnist/train-labels-idx1-ubyte'];
    expect(await taken(...cnn, ...file, '--samples', '8')).toEqual(['train-images-idx3-ubyte.gz', 8, three]);
    expect(await taken('--model', 'resnet8', '--images', 'cifar')).toEqual(['cifar', 12, 5214]);
    // Of a VAE's parameters pixels have a weight and a bias at the outputs, and a weight at the inputs.
    const [colour, ofColour, inColour] = await taken('--model', 'vae', '--images', 'cifar/test_batch.bin');
    expect([colour, ofColour, pixelsOf(inColour)]).toEqual(['test_batch.bin', 3, 3072]);
    const [grey, ofGrey, inGrey] = await taken('--model', 'vae', '--images', file[0]);
    expect([grey, ofGrey, pixelsOf(inGrey)]).toEqual(['train-images-idx3-ubyte.gz', 12, 784]);
    const { stderr } = await run(...cnn, 'mnist/train-images-idx3-ubyte.gz');
    expect(stderr).toMatch(/--model with --images needs their --labels/);
    await mkdir(at('empty'));
    expect((await run(...cnn, 'empty')).stderr).toMatch(/neither data_batch_1\.bin .* nor train-images-idx3-ubyte/);
    expect((await run(...cnn, 'none.idx', '--labels', 'none.idx')).stderr).toMatch(/none\.idx/);
    await writeFile(at('wide.idx'), idxBytes(8, [12, 4, 5], pixels.subarray(0, 240)));
    const wide = await run(...cnn, 'wide.idx', '--labels', 'mnist/train-labels-idx1-ubyte');
    expect(wide.stderr).toMatch(/Images of 20 numbers are not square/);
  });

  it('that are their own targets are not changed', async () => {
    // A digit has many black pixels: of a constant guess of ½ each the loss is log 2.
    const { kept } = await recordOf('--model', 'vae', '--samples', '200', '--epochs', '8', '--batch-size', '40');
    expect(kept.loss).toBeLessThan(784 * Math.log(2));
    expect(kept.loss).toBeGreaterThan(0);
  });
});

describe('words', () => {
  const WORDS = ['one', 'two', 'three', 'four', 'five'];
  /** Numbers in words, the other way round in the other language. */
  const pairs = Array.from({ length: 150 }, (_, k) => {
    const digits = Array.from({ length: 2 + (k % 2) }, (_unused, j) => Math.floor(k / 5 ** j) % 5);
    const source = digits.map((digit) => WORDS[digit]).join(' ');
    const target = digits.map((digit) => WORDS[digit].toUpperCase()).reverse();
    return `${source}\t${target.join(' ')}`;
  });
  const small = ['--features', '16', '--heads', '2', '--layers', '1', '--batch-size', '30'];

  it('are translated: BLEU of pairs that were kept apart is that of the weights and tokenizers written', async () => {
    await writeFile(at('numbers.tsv'), `${pairs.join('\n')}\n`);
    const args = ['--model', 'transformer', '--text', 'numbers.tsv', ...small, '--validation', '0.2'];
    const { translation, kept, task } = await recordOf(...args, '--epochs', '30', '--out', 'numbers.safetensors');
    expect([task.data, task.training, task.validation, translation!.pairs]).toEqual(['numbers.tsv', 120, 30, 30]);
    const all = await readSentencePairs(at('numbers.tsv'));
    const { training, validation } = splitNumbers(150, 0.2, 0);
    const [source, target] = await Promise.all(
      ['source', 'target'].map((name) => loadTokenizer(at(`numbers.${name}.json`))),
    );
    const encoded = translationDataSet(
      Array.from(training, (k) => all[k]),
      { source, target },
    );
    const { sourceLength, targetLength } = encoded;
    const held = translationDataSet(
      Array.from(validation, (k) => all[k]),
      { source, target, sourceLength, targetLength },
    );
    const model = MODELS.transformer;
    if (model.takes !== 'pairs') throw new Error('pairs');
    const sizes = (length: number, words: number) => ({ length, words, padding: 0 });
    const network = model.network(
      { source: sizes(sourceLength, source.size), target: sizes(targetLength, target.size) },
      task.model!.settings as never,
    );
    const parameters = fromStateDict(network, (await readTensors(at('numbers.safetensors'))).tensors);
    expect(meanLoss({ network, parameters, data: held })).toBeCloseTo(kept.loss, 5);
    const scorer = sequenceScorer({ network, parameters, sources: held.sources });
    const length = { bos: target.bos, eos: target.eos, maxLength: targetLength };
    const wanted = held.pairs.map((pair) => pair.target);
    const greedy = (await greedyDecode(scorer, 30, length)).map(({ tokens }) => target.decode(tokens));
    expect(bleu(greedy, wanted).score).toBe(translation!.bleu);
    expect(translation!.beams).toBe(1);
    expect(translation!.examples.map((one) => one.translation)).toEqual(greedy.slice(0, 3));
    // Its weights again, by beam search.
    const again = await recordOf(...args, '--steps', '0', '--weights', 'numbers.safetensors', '--beams', '3');
    const found = (await beamSearch(scorer, 30, { ...length, beams: 3 })).map(([best]) => target.decode(best.tokens));
    expect(again.translation).toMatchObject({ beams: 3, bleu: bleu(found, wanted).score });
    expect(again.kept.loss).toBeCloseTo(kept.loss, 5);
  });

  it('are reported, pairs that are too long left out', async () => {
    const long = `${WORDS.join(' ')} ${WORDS.join(' ')}\tWORT`;
    await writeFile(at('long.tsv'), `${[...pairs.slice(0, 20), long].join('\n')}\n`);
    const args = ['--model', 'transformer', '--text', 'long.tsv', ...small, '--steps', '2', '--length', '8'];
    const { status, stdout, stderr } = await run(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/of long\.tsv \(1 pairs of more than 8 tokens left out\)/);
    expect(stdout).toMatch(/\nblocks of parameters: \d+ adam; \d+ ekfac-adam/);
    expect(stdout).toMatch(/\nBLEU \d\.\d{3} of \d sentences that were kept apart, by the likeliest next word\n {2}\S/);
    const none = await run(...args.with(-1, '2'));
    expect([none.status, none.stderr]).toEqual([1, expect.stringMatching(/no pair of at most 2 tokens.*--length/)]);
    const alone = await recordOf(...args, '--validation', '0');
    expect(alone.translation).toBeUndefined();
    await writeFile(at('untabbed.tsv'), 'one two\n');
    expect((await run(...args.with(3, 'untabbed.tsv'))).stderr).toMatch(/line 1.*there is no tab/);
  });

  it('that are kept apart have as many tokens as --length lets them have, though none that is trained on has', () => {
    const sentence = (count: number): string => Array.from({ length: count }, (_, k) => WORDS[k % 5]).join(' ');
    const options = { words: 100, length: 8, precision: 'f32' } as const;
    const [short, long] = [sentence(2), sentence(6)];
    const sets = sentenceSets({ training: [short], validation: [long] }, options);
    expect([sets.sizes.length, sets.validation!.inputs]).toEqual([7, 7]);
    const pair = (source: string, target: string) => ({ source, target });
    const kept = { training: [pair(short, short)], validation: [pair(long, short), pair(short, long)] };
    const { skipped, validation, sizes } = pairSets(kept, options);
    expect([skipped, validation!.samples, sizes.source.length, sizes.target.length]).toEqual([0, 2, 7, 7]);
    // What is too long by --length is left out, and makes nothing longer.
    const cut = pairSets({ ...kept, training: [...kept.training, pair(sentence(40), short)] }, options);
    expect([cut.skipped, cut.sizes.source.length]).toEqual([1, 7]);
    // Where none of those that are kept apart is short enough, none is.
    const apart = pairSets({ training: kept.training, validation: [pair(sentence(40), short)] }, options);
    expect([apart.skipped, apart.validation]).toEqual([1, null]);
  });

  it('follow each other: a language model of the sentences of a file', async () => {
    await writeFile(at('lines.txt'), `${pairs.map((pair) => pair.split('\t')[0]).join('\n')}\n\n`);
    const args = ['--model', 'language-model', '--text', 'lines.txt', ...small];
    const { task, kept } = await recordOf(...args, '--epochs', '10', '--out', 'lines.safetensors');
    expect([task.data, task.training, task.validation]).toEqual(['lines.txt', 120, 30]);
    // Nine words, each as likely as another: a model that has learnt nothing is at log 9.
    expect(kept.loss).toBeLessThan(Math.log(9));
    expect((await loadTokenizer(at('lines.words.json'))).size).toBe(9);
  });
});

describe('what does not go together', () => {
  it.each([
    [['--model', 'resnet21'], /--model.*resnet20/],
    [['--model', 'resnet20', '--hidden', '3'], /--hidden is of perceptrons: a --model has its own layers\. Leave it/],
    [['--model', 'resnet20', '--network', '784-10'], /--network is of perceptrons/],
    [['--model', 'resnet20', '--loss', 'mse'], /--loss is of perceptrons: a --model has its own loss/],
    [['--model', 'resnet20', '--activation', 'relu'], /--activation and --no-bias are of perceptrons/],
    [['--model', 'resnet20', '--no-bias'], /--activation and --no-bias are of perceptrons/],
    [['--model', 'resnet20', '--data', 'x.csv'], /--data is of perceptrons: a --model takes --images, or --text/],
    [['--model', 'resnet20', '--delimiter', ';'], /--delimiter is of perceptrons/],
    [['--model', 'resnet20', '--standardize'], /--standardize is of perceptrons: channels .* anyway/],
    [['--model', 'resnet20', '--rotate-inputs'], /--rotate-inputs is of perceptrons/],
    [['--model', 'resnet20', '--width', '2'], /--width does not go with --model resnet20: it is of mobilenet/],
    [['--model', 'resnet20', '--dropout', '0.1'], /--dropout does not go with --model resnet20: .* transformer, /],
    [['--model', 'vae', '--augment'], /--augment does not go with --model vae/],
    [['--model', 'vae', '--images', 'x', '--labels', 'y'], /--labels does not go with --model vae/],
    [['--model', 'transformer', '--images', 'x'], /--images does not go with --model transformer/],
    [['--model', 'language-model', '--beams', '3'], /--beams does not go with --model language-model/],
    [
      ['--model', 'transformer', '--features', '10', '--heads', '3', '--samples', '9'],
      /--features 10 is no multiple of --heads 3/,
    ],
    [['--model', 'resnet20', '--out', 'x.npz'], /have up to four axes, which \.safetensors files hold/],
    [['--model', 'resnet8', '--optimizer', 'kfac', '--learning-rat', '1'], /--learning-rate/],
    [['--model', 'resnet8', '--last-layer', '--optimizer', 'kfac', '--samples', '9'], /takes no frozen layers/],
    [['--width', '0.5'], /--width goes with --model mobilenet\./],
    [['--text', 'x.tsv'], /--text goes with --model transformer, language-model\./],
    [['--no-augment'], /--augment goes with --model simple-cnn, /],
    [['--beams', '0', '--model', 'transformer'], /It must be a whole number from 1/],
  ] as [string[], RegExp][])('is refused: %j', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
