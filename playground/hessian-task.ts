/**
 * A network is trained on generated digits, and its Gauss–Newton Hessian approximated by every method at two budgets of
 * memory: the table of `hmatrix table`.
 */
import { digitImages } from 'hmatrix/datasets';
import { halvedImages } from '#hmatrix/experiment/network-data.js';
import { DEFAULT_TABLE_METHODS } from '#hmatrix/experiment/table-plan.js';
import { runTable } from '#hmatrix/experiment/table-run.js';
import type { HessianTask } from './protocol.js';
import type { Run } from './run.js';

const SEED = 1;
/** Images that are shown: two rows of the canvas. */
const SHOWN = 48;

/** Answers with some of the images, then with the table. */
export async function hessianTask({ hidden, samples, epochs }: HessianTask, { control, answer }: Run): Promise<void> {
  const { images, labels } = digitImages(samples, SEED);
  const halved = halvedImages(images);
  const side = Math.sqrt(halved.dimension);
  const pixels = Uint8Array.from(halved.coordinates.subarray(0, SHOWN * halved.dimension), (grey) =>
    Math.round(255 * grey),
  );
  answer({ kind: 'digits', pixels, side, count: SHOWN });
  const record = await runTable(
    {
      widths: [halved.dimension, hidden, 10],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      data: { name: 'generated digits', images, labels },
      samples,
      epochs,
      batchSize: 50,
      learningRate: 0.01,
      low: 0.02,
      high: 0.1,
      methods: DEFAULT_TABLE_METHODS,
      seed: SEED,
    },
    control,
  );
  answer({ kind: 'table', record });
}
