/**
 * Transfer: 784-64-32-5 is trained on the digits 0 to 4; a new last layer learns 5 to 9 from few images on the features
 * of the first, and is compared with the same layer on features that were never trained, and with the whole network
 * from its beginning.
 */
import type { FloatArray } from '../../src/core/floats.js';
import { train } from '../../src/training/train.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { levenbergMarquardt } from '../../src/training/optimizers/levenberg-marquardt.js';
import { classified, digitData, withLabels } from './data.js';
import { digits, lastOf, percent, rowOf, startOf, type Experiment, type Outcome, type Setup } from './experiment.js';

const FIRST = [0, 1, 2, 3, 4];
const SECOND = [5, 6, 7, 8, 9];

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const data = await digitData(setup, quick ? 600 : 6000, quick ? 300 : 2000);
  const few = quick ? 60 : 100;
  const set = (digitsWanted: readonly number[], most = Infinity) =>
    classified(withLabels(data.training, digitsWanted, most), 5);
  const apart = (digitsWanted: readonly number[]) => classified(withLabels(data.validation, digitsWanted), 5);
  const start = startOf(
    { widths: [784, 64, 32, 5], activation: 'relu' },
    { loss: 'cross-entropy', data: set(FIRST) },
    seed,
  );
  const optimizer = ekfacAdam({ learningRate: 2e-3 });
  const epochs = quick ? 4 : 8;
  const first = await train(start, { optimizer, batchSize: 64, epochs, seed, validation: apart(FIRST) });

  const { offset } = start.network.layers[2];
  /** The first layers of one vector, the last of the beginning. */
  const renewed = (of: FloatArray): FloatArray => {
    const θ = start.parameters.slice();
    θ.set(of.subarray(0, offset));
    return θ;
  };
  const next = { ...start, data: set(SECOND, few) };
  const common = { seed, validation: apart(SECOND), batchSize: 'all', epochs: quick ? 20 : 60 } as const;
  const last = { optimizer: levenbergMarquardt({ solver: 'cg', leastDamping: 1e-2 }), lastLayer: true };
  const whole = { optimizer, batchSize: 20, epochs: quick ? 20 : 60 };
  const moved = await train({ ...next, parameters: renewed(first.best.parameters) }, { ...common, ...last });
  const random = await train({ ...next, parameters: start.parameters }, { ...common, ...last });
  const scratch = await train({ ...next, parameters: start.parameters }, { ...common, ...whole });
  const tuned = await train({ ...next, parameters: renewed(first.best.parameters) }, { ...common, ...whole });
  const rows = [
    rowOf('digits 0–4, whole network', first, { batchSize: 64 }),
    rowOf('5–9: last layer on trained features', moved, common),
    rowOf('5–9: last layer on features at their beginning', random, common),
    rowOf('5–9: whole network from its beginning', scratch, whole),
    rowOf('5–9: whole network from the trained features', tuned, whole),
  ];
  const kept = moved.parameters.subarray(0, offset).every((value, k) => value === first.best.parameters[k]);
  const [onTrained, onRandom] = [rows[1], rows[2]].map((row) => lastOf(row)?.accuracy ?? 0);
  return {
    data: `${data.name}; ${few} images of 5 to 9 for transfer`,
    tables: [
      {
        title: '784-64-32-5 relu: accuracy on validation images of the digits that were learnt',
        columns: ['', 'accuracy', 'loss', 'seconds', 'rules'],
        rows: rows.map((row, k) => [
          row.label,
          percent(lastOf(row)?.accuracy),
          digits(lastOf(row)?.validationLoss),
          digits(row.seconds),
          [first, moved, random, scratch, tuned][k].optimizer.rules.filter((rule) => rule === 'frozen').length === 2
            ? 'last layer'
            : 'all layers',
        ]),
      },
    ],
    checks: [
      {
        expected: 'trained features are better for the new digits than those at the beginning',
        met: onTrained > onRandom,
        seen: `${percent(onTrained)} against ${percent(onRandom)}`,
      },
      { expected: 'the frozen layers stay to the bit', met: kept, seen: kept ? 'they did' : 'they changed' },
    ],
    details: { network: '784-64-32-5 relu, cross-entropy', few, runs: rows },
  };
}

/** From digits 0–4 to 5–9 by the last layer. */
export const transfer: Experiment = { what: 'from the digits 0–4 to 5–9 by the last layer', run };
