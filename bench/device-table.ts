/**
 * Approximations of the Gauss–Newton Hessian of 784-50-784 (N = 78,400, 1,000 images made here): what the team makes of
 * it is held against products with the Hessian itself on a card, and hierarchical ones are multiplied with there.
 */
import { digitImages } from '../datasets/digits.js';
import { approximate } from '../src/approximation/approximate.js';
import type { ApproximationMethod } from '../src/approximation/methods/table.js';
import { KroneckerHierarchicalMatrix } from '../src/curvature/eigenbasis/matrix.js';
import { putModel } from '../src/curvature/device/model.js';
import { gaussNewton } from '../src/curvature/products/gauss-newton.js';
import { view } from '../src/dense/matrix.js';
import type { Device } from '../src/device/device.js';
import { openDevice } from '../src/device/open.js';
import { tableBudgets } from '../src/experiment/table-plan.js';
import { trainedModel } from '../src/experiment/table-run.js';
import type { HierarchicalMatrix } from '../src/hierarchical/matrix/hierarchical-matrix.js';
import { apply } from '../src/operator/apply.js';
import { Team } from '../src/parallel/team.js';
import { randomNumbers } from './device-checks.js';
import type { NetworkStep } from './device-networks.js';
import { difference, judge, tell, waited } from './device-results.js';

const METHODS: readonly ApproximationMethod[] = ['kfac', 'eigenbasis', 'kronecker-sum'];
/** Vectors that errors are measured with: ‖(G − G̃)Ω‖_F/‖GΩ‖_F. */
const VECTORS = 8;

const norm = (numbers: Float64Array): number => Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));

/** Products with a hierarchical matrix there and by the team. */
async function products(
  matrix: HierarchicalMatrix,
  card: Device,
  { common, times }: { readonly common: object; readonly times: number },
): Promise<void> {
  const x = view(randomNumbers(matrix.size * VECTORS, 'f64', 3) as Float64Array, 0, matrix.size, VECTORS);
  const onDevice = await matrix.to(card, { precision: 'f64' });
  const error = difference((await onDevice.apply(x)).data, matrix.apply(x).data);
  judge({ ...common, precision: 'f64', check: 'product of its hierarchical part', vectors: VECTORS, error });
  const ms = await waited(() => onDevice.apply(x), times);
  const teamMs = await waited(async () => matrix.apply(x), times);
  tell({ ...common, what: 'product of its hierarchical part', n: matrix.size, vectors: VECTORS, ms, teamMs });
  onDevice.release();
}

/** The rows, smallest shares first. */
export async function table({ step, smoke, times }: NetworkStep): Promise<void> {
  const widths = smoke ? [784, 2, 784] : [784, 50, 784];
  const samples = smoke ? 30 : 1000;
  const card = await openDevice('cuda');
  const team = await Team.open(smoke ? { workers: 2 } : {});
  const setup = { widths, activation: 'sigmoid', loss: 'mse', bias: false, samples, batchSize: 50 } as const;
  const training = { learningRate: 1e-3, seed: 0, epochs: smoke ? 1 : 5 };
  const data = { ...digitImages(samples, 0), name: 'generated digits' };
  const { model } = await trainedModel({ ...setup, ...training, data }, { team });
  const operator = gaussNewton(model, { blas: team.blas, team });
  const size = operator.rows;
  const omega = view(randomNumbers(size * VECTORS, 'f64', 2) as Float64Array, 0, size, VECTORS);
  const onDevice = await putModel(model, card, { precision: 'f64' });
  const exact = await onDevice.apply(omega);
  const common = { step, network: widths.join('-'), size, samples };
  const error = difference(exact.data, apply(operator, omega).data);
  judge({ ...common, precision: 'f64', check: 'Gauss–Newton products', vectors: VECTORS, error });
  const ms = await waited(() => onDevice.apply(omega), times);
  const teamMs = await waited(async () => apply(operator, omega), times);
  tell({ ...common, what: 'Gauss–Newton products', vectors: VECTORS, ms, teamMs });
  onDevice.release();
  const budgets = tableBudgets(size);
  for (const asked of [budgets.low, budgets.high])
    for (const method of METHODS) {
      const made = await approximate(operator, method, { share: asked }, { model }, { team });
      const y = apply(made.operator, omega);
      const away = Float64Array.from(y.data, (value, k) => value - exact.data[k]);
      const { share, seconds } = made;
      const productMs = await waited(async () => apply(made.operator, omega), times);
      const row = { ...common, method, asked, share };
      tell({ ...row, error: norm(away) / norm(exact.data), seconds, teamMs: productMs, vectors: VECTORS });
      if (made.operator instanceof KroneckerHierarchicalMatrix && made.operator.core !== null)
        await products(made.operator.core, card, { common: row, times });
      made.release();
    }
  operator.release();
  await card.close();
  await team.close();
}
