/** Checkpoints: a run that goes on has the bits of one that was never interrupted. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { writeContainer } from '#hmatrix/io/container.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { dense } from '#hmatrix/layers/affine.js';
import { multiHeadAttention } from '#hmatrix/layers/attention.js';
import { dropout, flatten, stack, unflatten } from '#hmatrix/layers/compose.js';
import { graphNetwork, initialParameters, vectorInput } from '#hmatrix/layers/graph-network.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { trainedPart } from '#hmatrix/layers/trained-part.js';
import { labelTargets, memoryDataSet } from '#hmatrix/network/data-set.js';
import { readWeights } from '#hmatrix/network/weights-file.js';
import { readCheckpoint } from '#hmatrix/training/checkpoint.js';
import { adagrad, adam, adamw, momentum, nesterov, rmsprop, sgd } from '#hmatrix/training/optimizers/first-order.js';
import { cosineSchedule, stepSchedule } from '#hmatrix/training/schedules.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainingRun, TrainOptions } from '#hmatrix/training/train-options.js';
import { smallModel } from '../network/models.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';

const blas = openBlas();
const control = { blas };
const folder = temporaryFolder();
let folders = 0;
const fresh = (): string => join(folder, `run-${folders++}`, 'inner');

const model = smallModel({ samples: 50, widths: [4, 6, 3] });
const base: TrainOptions = { optimizer: adam(), batchSize: 8, seed: 2, validation: 0.2, average: 0.9 };

/** What must not depend on interruptions: all but times. */
const bits = ({ parameters, averaged, best, evaluations, steps, samples }: TrainingRun): unknown => ({
  parameters,
  averaged,
  best: best.parameters,
  evaluations: evaluations.map((at) => ({ ...at, seconds: 0 })),
  steps,
  samples,
});

/** Trains until a number of steps was begun, then aborts. */
async function aborted(options: TrainOptions, after: number): Promise<void> {
  const controller = new AbortController();
  const { schedule } = options;
  const stopping = {
    name: schedule?.name ?? 'constant',
    settings: schedule?.settings ?? {},
    factor: (at: { step: number; epoch: number; progress: number }) => {
      if (at.step === after) controller.abort();
      // Turns of the event loop come by the clock.
      if (at.step >= after) for (const begin = performance.now(); performance.now() - begin < 30;);
      return schedule?.factor(at) ?? 1;
    },
  };
  await expect(train(model, { ...options, schedule: stopping }, { blas, signal: controller.signal })).rejects.toThrow(
    AbortedError,
  );
}

describe('a run that is gone on with', () => {
  const optimizers = [sgd(), momentum(), nesterov(), adagrad(), rmsprop(), adam(), adamw()];

  it.each(optimizers)('has the bits of one that was not interrupted: $name', async (optimizer) => {
    const options = { ...base, optimizer };
    const whole = await train(model, { ...options, epochs: 6 }, control);
    const checkpoint = fresh();
    await train(model, { ...options, epochs: 3, checkpoint }, control);
    const resumed = await train(model, { ...options, epochs: 6, checkpoint, resume: true }, control);
    expect(bits(resumed)).toEqual(bits(whole));
    expect(resumed.seconds).toBeGreaterThan(0);
  });

  it.each<[string, TrainOptions, number]>([
    ['in mid-epoch', { epochs: 6 }, 13],
    ['where an epoch ends', { epochs: 6 }, 14],
    ['between evaluations', { epochs: 6, evaluateEvery: 4 }, 9],
    ['with evaluations across epochs', { epochs: 6, evaluateEvery: 7 }, 20],
    ['with dropout, clipping and a schedule', { epochs: 6, dropout: 0.3, clip: 0.5, schedule: cosineSchedule() }, 8],
    ['in chunks', { epochs: 6, shuffleBytes: 8 * 7 * 17 }, 10],
    ['rotated', { epochs: 6, rotateInputs: true, schedule: stepSchedule({ every: 2 }) }, 10],
    ['with frozen layers', { epochs: 6, lastLayer: true }, 10],
    ['with a batch in parts', { epochs: 6, accumulate: 3, dropout: 0.1 }, 10],
    ['on training data', { epochs: 6, validation: 0, targetLoss: 0 }, 10],
  ])('after an abort %s', async (_name, given, after) => {
    const options = { ...base, ...given };
    const whole = await train(model, options, control);
    const checkpoint = fresh();
    await aborted({ ...options, checkpoint }, after);
    const kept = await readCheckpoint(checkpoint, control);
    expect(kept.steps).toBeGreaterThan(after);
    expect(kept.steps).toBeLessThan(whole.steps);
    await aborted({ ...options, checkpoint, resume: true }, kept.steps + 2);
    expect(bits(await train(model, { ...options, checkpoint, resume: true }, control))).toEqual(bits(whole));
    // There is nothing left to do.
    expect(bits(await train(model, { ...options, checkpoint, resume: true }, control))).toEqual(bits(whole));
  });

  it('in single precision, and from no checkpoint at all', async () => {
    const single = smallModel({ samples: 50, widths: [4, 6, 3], precision: 'f32' });
    const whole = await train(single, { ...base, epochs: 4 }, control);
    const checkpoint = fresh();
    await train(single, { ...base, epochs: 2, checkpoint, resume: true }, control);
    const resumed = await train(single, { ...base, epochs: 4, checkpoint, resume: true }, control);
    expect(bits(resumed)).toEqual(bits(whole));
  });

  it('is refused for another one, with the difference', async () => {
    const checkpoint = fresh();
    const options = { ...base, epochs: 1, checkpoint };
    await train(model, options, control);
    const cases: readonly [typeof model, TrainOptions, RegExp][] = [
      [smallModel({ samples: 50, widths: [4, 7, 3] }), {}, /network 4-6-3 tanh linear, not network 4-7-3 tanh linear/],
      [smallModel({ samples: 50, widths: [4, 6, 3], activation: 'relu' }), {}, /network 4-6-3 tanh/],
      [smallModel({ samples: 40, widths: [4, 6, 3] }), {}, /samples 40, not samples 32/],
      [smallModel({ samples: 50, widths: [4, 6, 3], precision: 'f32' }), {}, /precision f64, not precision f32/],
      [model, { optimizer: sgd() }, /optimizer adam, not optimizer sgd/],
      [
        model,
        { optimizer: adam({ learningRate: 0.5 }) },
        /optimizer\.learningRate 0\.001, not optimizer\.learningRate 0\.5/,
      ],
      [model, { seed: 3 }, /seed 2, not seed 3/],
      [model, { batchSize: 9 }, /batchSize 8, not batchSize 9/],
      [model, { groups: [{ layers: [0], rate: 0.5 }] }, /layers 1 0, 1 0, not layers 0\.5 0, 1 0/],
    ];
    for (const [other, more, message] of cases) {
      const failure: unknown = await train(other, { ...options, ...more, resume: true }, control).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(OptionError);
      expect((failure as Error).message).toMatch(message);
    }
    const frozen = { ...base, epochs: 1, checkpoint: fresh(), lastLayer: true };
    await train(model, frozen, control);
    const parameters = model.parameters.slice();
    parameters[0] += 1;
    await expect(train({ ...model, parameters }, { ...frozen, resume: true }, control)).rejects.toThrow(
      /other parameters in its frozen first layers/,
    );
  });
});

describe('a run of layers that is gone on with', () => {
  const samples = memoryDataSet(
    randomMatrix(12, 30, 1),
    labelTargets(
      Int32Array.from({ length: 30 }, (_, k) => k % 3),
      3,
    ),
  );
  /** Networks whose θ has the same blocks. */
  const network = ({ share = 0.3, heads = 2, momentum = 0.1, frozen = false } = {}) =>
    graphNetwork({
      inputs: vectorInput(12),
      layers: stack({
        words: unflatten(4, 3),
        attention: multiHeadAttention({ heads }),
        drop: dropout(share),
        flatten,
        norm: batchNorm({ momentum, frozen }),
        out: dense(3),
      }),
      loss: 'cross-entropy',
    });
  const start = (own = network()) => ({ network: own, parameters: initialParameters(own), data: samples });

  it('is the same network, with all that it computes, and has the bits of a whole one', async () => {
    const options: TrainOptions = { optimizer: adam(), batchSize: 10, epochs: 2, checkpoint: fresh(), seed: 3 };
    await train(start(), { ...options, epochs: 1 }, control);
    const others = [{ share: 0.2 }, { heads: 1 }, { momentum: 0.2 }, { frozen: true }].map((own) => network(own));
    const part = trainedPart(start(), (name) => !name.startsWith('out.'));
    for (const other of [...others.map((own) => start(own)), { ...part, data: samples }])
      await expect(train(other, { ...options, resume: true }, control)).rejects.toThrow(
        /is of another run, with network attention\.\S+ … \S+ of \d+ parameters \(checksum .*, not network attention/,
      );
    // Curvature of the network leaves what it computes as it is.
    const own = start();
    gaussNewton(own);
    const resumed = await train(own, { ...options, resume: true }, control);
    expect(bits(resumed)).toEqual(bits(await train(start(), { ...options, checkpoint: undefined }, control)));
  });
});

describe('the files', () => {
  it('hold the best parameters for others, and everything for readCheckpoint', async () => {
    for (const more of [{}, { rotateInputs: true }, { lastLayer: true, rotateInputs: true }]) {
      const checkpoint = fresh();
      const run = await train(model, { ...base, ...more, epochs: 5, checkpoint }, control);
      expect(readdirSync(checkpoint).sort()).toEqual(['best.safetensors', 'last.hmt']);
      const { parameters } = await readWeights(join(checkpoint, 'best.safetensors'), model.network);
      expect(Array.from(parameters)).toEqual(Array.from(run.best.parameters));
      const kept = await readCheckpoint(checkpoint, control);
      expect(kept).toMatchObject({ steps: run.steps, epochs: 5, samples: 200, network: model.network });
      expect(kept.parameters).toEqual(run.parameters);
      expect(kept.averaged).toEqual(run.averaged);
      expect(kept.best).toEqual(run.best);
      expect(kept.evaluations).toEqual(run.evaluations);
      expect(kept.settings).toMatchObject({ optimizer: 'adam', seed: 2 });
    }
  });

  it('that are truncated, foreign or missing are refused by type', async () => {
    const good = fresh();
    await train(model, { ...base, epochs: 1, checkpoint: good }, control);
    const { size } = { size: readFileSync(join(good, 'last.hmt')).length };
    const resume = (checkpoint: string): Promise<unknown> =>
      train(model, { ...base, checkpoint, resume: true }, control);
    for (const length of [0, 10, 64, 300, size >> 1, size - 1]) {
      const bad = fresh();
      mkdirSync(bad, { recursive: true });
      copyFileSync(join(good, 'last.hmt'), join(bad, 'last.hmt'));
      truncateSync(join(bad, 'last.hmt'), length);
      await expect(resume(bad)).rejects.toThrow(FileFormatError);
      await expect(readCheckpoint(bad)).rejects.toThrow(FileFormatError);
    }
    const foreign = fresh();
    mkdirSync(foreign, { recursive: true });
    const path = join(foreign, 'last.hmt');
    writeFileSync(path, 'not a checkpoint, though as long as a preamble has to be, which are 64 bytes');
    await expect(resume(foreign)).rejects.toThrow(FileFormatError);
    await writeContainer(path, { kind: 'hierarchical matrix' }, {});
    await expect(resume(foreign)).rejects.toThrow(/no checkpoint of a training run/);
    await writeContainer(path, { kind: 'training checkpoint', version: 7 }, {});
    await expect(resume(foreign)).rejects.toThrow(/version 7/);
    await expect(readCheckpoint(join(folder, 'nowhere'))).rejects.toThrow(/holds no checkpoint/);
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(train(model, { ...base, checkpoint: join(file, 'x') }, control)).rejects.toThrow(FileAccessError);
    await expect(train(model, { ...base, metrics: join(folder, 'no', 'such', 'file') }, control)).rejects.toThrow(
      FileAccessError,
    );
  });

  it('of a run that diverges keep the last good state', async () => {
    const checkpoint = fresh();
    const schedule = {
      name: 'sudden',
      settings: {},
      factor: ({ epoch }: { epoch: number }) => (epoch < 2 ? 1 : 1e200),
    };
    const run = await train(model, { ...base, optimizer: sgd(), epochs: 9, schedule, checkpoint }, control);
    expect(run.outcome).toBe('diverged');
    const kept = await readCheckpoint(checkpoint, control);
    expect(kept.epochs).toBe(2);
    expect(kept.parameters).toEqual(run.parameters);
  });
});

describe('metrics', () => {
  interface Line {
    readonly kind: string;
    readonly step: number;
    readonly loss: number | null;
    readonly rate: number;
  }
  const lines = (path: string): Line[] =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);

  it('have a line a step and evaluation, also across an interruption', async () => {
    const options = { ...base, epochs: 4, schedule: cosineSchedule(), clip: 1 };
    const metrics = join(folder, 'whole.jsonl');
    writeFileSync(metrics, 'of another run\n');
    const run = await train(model, { ...options, metrics }, control);
    const whole = lines(metrics);
    expect(whole[0]).toMatchObject({ kind: 'run', settings: { optimizer: 'adam', batchSize: 8 } });
    const steps = whole.filter(({ kind }) => kind === 'step');
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, k) => k + 1));
    expect(steps[10]).toMatchObject({ epoch: 2, samples: 88, rate: 5e-4 });
    expect(steps[10]).toHaveProperty('gradientNorm');
    const evaluations = whole.filter(({ kind }) => kind === 'evaluation');
    expect(evaluations).toEqual(run.evaluations.map((at) => ({ kind: 'evaluation', ...at })));
    expect(whole.at(-1)).toEqual({ kind: 'end', outcome: 'finished', failure: null });

    const again = join(folder, 'again.jsonl');
    const checkpoint = fresh();
    await aborted({ ...options, metrics: again, checkpoint }, 7);
    const cut = lines(again).length;
    // Lines behind the checkpoint, as a crash leaves them, go.
    writeFileSync(again, `${readFileSync(again, 'utf8')}{"kind":"step","step":99}\n{"kind"`);
    await train(model, { ...options, metrics: again, checkpoint, resume: true }, control);
    const timeless = (all: Line[]): unknown => all.map((line) => ({ ...line, seconds: 0 }));
    expect(cut).toBeLessThan(whole.length);
    expect(timeless(lines(again))).toEqual(timeless(whole));
    expect(existsSync(join(checkpoint, 'last.hmt'))).toBe(true);
  });
});
