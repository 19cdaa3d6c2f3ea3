/**
 * Laplace's approximation: posteriors N(θ̂, (G + λI)⁻¹/n) by the dual form (exact G), by hierarchical matrices, K-FAC,
 * EKFAC, and of the last layer alone. Their evidence chooses λ (for the table: λ and the noise), their predictive
 * variances temper predictions, their draws spread as the variances say. θ̂ minimises loss + (λ/2)‖W‖² for each λ; the
 * prior of the evidence is on biases, too. For linear models all of it is compared with closed forms in
 * test/curvature/marginal-likelihood.test.ts.
 */
import { dualForm } from '../../src/curvature/entries/dual-form.js';
import { kroneckerHierarchical } from '../../src/curvature/eigenbasis/compress.js';
import { factorKronecker } from '../../src/curvature/eigenbasis/factorization.js';
import { ekfac } from '../../src/curvature/kronecker/ekfac.js';
import { kfac } from '../../src/curvature/kronecker/kfac.js';
import { logMarginalLikelihood, type KnownDeterminant } from '../../src/curvature/products/marginal-likelihood.js';
import { predictiveVariance } from '../../src/curvature/products/predictive-variance.js';
import { block, type Matrix } from '../../src/dense/matrix.js';
import { batchOf, memoryDataSet, type DataSet } from '../../src/network/data-set.js';
import { jacobian } from '../../src/network/jacobian.js';
import type { Model } from '../../src/network/model.js';
import type { Network } from '../../src/network/network.js';
import { predict } from '../../src/network/predict.js';
import { apply } from '../../src/operator/apply.js';
import { denseOperator } from '../../src/operator/dense-operator.js';
import type { LinearOperator } from '../../src/operator/linear-operator.js';
import { scaled } from '../../src/operator/scaled.js';
import { lbfgs } from '../../src/training/optimizers/lbfgs.js';
import { levenbergMarquardt } from '../../src/training/optimizers/levenberg-marquardt.js';
import { train } from '../../src/training/train.js';
import { classified, digitData, housing, pooled } from './data.js';
import {
  digits,
  percent,
  startOf,
  type Check,
  type Experiment,
  type Outcome,
  type Setup,
  type Table,
} from './experiment.js';

type Posterior = LinearOperator & KnownDeterminant;
type Draws = (count: number) => Matrix;
interface Factor {
  readonly posterior: Posterior;
  readonly draws: Draws | null;
}

/** Σ = posterior/n of every factor, by name. */
async function factorsOf(model: Model, λ: number): Promise<Record<string, Factor>> {
  const dual = dualForm(model);
  const matrix = await kroneckerHierarchical(model, { preserve: 'positive-definite', share: 0.3 });
  const hierarchical = await factorKronecker(matrix, { shift: λ });
  const kronecker = kfac(model).solver({ damping: λ });
  const corrected = ekfac(model).solver({ damping: λ });
  const seed = 1;
  return {
    'dual (exact G)': {
      posterior: dual.inverse(λ),
      draws: (count) => dual.sample(λ, { count, of: 'inverse', seed }),
    },
    'hierarchical, 30 %': {
      posterior: hierarchical,
      draws: (count) => hierarchical.sample({ count, of: 'inverse', seed }),
    },
    'K-FAC': { posterior: kronecker, draws: (count) => kronecker.sample({ count, of: 'inverse', seed }) },
    EKFAC: { posterior: corrected, draws: (count) => corrected.sample({ count, of: 'inverse', seed }) },
  };
}

/** What the layers before the last one make of inputs. */
function featuresOf({ network, parameters }: Model, inputs: Matrix): Matrix {
  const last = network.layers[network.layers.length - 1];
  const hidden: Network = {
    layers: network.layers.slice(0, -1),
    inputs: network.inputs,
    outputs: last.inputs,
    parameters: last.offset,
  };
  return predict({ network: hidden, parameters: parameters.slice(0, last.offset) }, inputs);
}

/** The last layer as a model of its own: what the others make of the inputs is its data. */
function lastLayer(model: Model): Model {
  const { network, parameters, loss, data } = model;
  const last = network.layers[network.layers.length - 1];
  const { inputs, targets } = batchOf(data, 0, data.samples);
  return {
    network: {
      layers: [{ ...last, offset: 0 }],
      inputs: last.inputs,
      outputs: last.outputs,
      parameters: last.width * last.outputs,
    },
    parameters: parameters.slice(last.offset),
    loss,
    data: memoryDataSet(featuresOf(model, inputs), targets, { samples: 'columns' }),
  };
}

const fitted = async (start: Model, λ: number, steps: number, optimizer = lbfgs()): Promise<Model> => {
  const run = await train(start, { optimizer, batchSize: 'all', epochs: steps, regularization: λ });
  return { ...start, parameters: run.parameters };
};

/** Mean negative log-likelihood and accuracy of softmax(f/√(1 + πv/8)), v = 0 for the network alone (MacKay 1992). */
function classScore(f: Matrix, variance: Matrix | null, targets: Matrix): { loss: number; accuracy: number } {
  const { rows: r, cols: n } = f;
  let loss = 0;
  let right = 0;
  for (let i = 0; i < n; i++) {
    const logits = Array.from({ length: r }, (_, k) => {
      const v = variance === null ? 0 : variance.data[i * r + k];
      return f.data[f.offset + i * f.ld + k] / Math.sqrt(1 + (Math.PI * v) / 8);
    });
    const most = Math.max(...logits);
    const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0);
    const label = Array.from({ length: r }, (_, k) => k).find(
      (k) => targets.data[targets.offset + i * targets.ld + k] === 1,
    )!;
    loss += most + Math.log(sum) - logits[label];
    if (logits.indexOf(most) === label) right++;
  }
  return { loss: loss / n, accuracy: right / n };
}

/** The largest relative difference of the draws' spread of J(θ − θ̂) from the variances. */
function spreadError(model: Model, draws: Matrix, variance: Matrix, places: Matrix): number {
  const outputs = apply(denseOperator(jacobian(model, places), false), draws);
  let worst = 0;
  for (let row = 0; row < outputs.rows; row++) {
    let sum = 0;
    for (let c = 0; c < draws.cols; c++) sum += outputs.data[row + c * outputs.ld] ** 2;
    worst = Math.max(worst, Math.abs(sum / draws.cols / model.data.samples / variance.data[row] - 1));
  }
  return worst;
}

const indexOfLargest = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** A network that was fitted with one λ. */
interface Fit {
  readonly λ: number;
  readonly model: Model;
  readonly factors: Readonly<Record<string, Factor>>;
  readonly evidence: Readonly<Record<string, number>>;
  readonly plain: { readonly loss: number; readonly accuracy: number };
}

async function classification(setup: Setup) {
  const { quick, seed } = setup;
  const [n, apart, hidden, draws] = quick ? [80, 60, 6, 200] : [250, 200, 12, 400];
  const data = await digitData(setup, n, apart);
  const factor = quick ? 4 : 2;
  const side = 28 / factor;
  const training = classified(pooled(data.training, factor));
  const { inputs, targets } = batchOf(classified(pooled(data.validation, factor)), 0, apart);
  const shape = { widths: [side * side, hidden, 10], activation: 'tanh' as const };
  const start = startOf(shape, { loss: 'cross-entropy', data: training }, seed, 'f64');
  const grid = (quick ? [1e-3, 1e-2, 1e-1] : [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]).map((λ) => ({ λ }));
  const fits: Fit[] = [];
  for (const { λ } of grid) {
    const model = await fitted(start, λ, quick ? 30 : 150);
    const factors = await factorsOf(model, λ);
    const alone = lastLayer(model);
    const evidence: Record<string, number> = {
      ...Object.fromEntries(
        Object.entries(factors).map(([name, { posterior }]) => [name, logMarginalLikelihood(model, posterior).value]),
      ),
      'last layer': logMarginalLikelihood(alone, dualForm(alone).inverse(λ)).value,
    };
    setup.say(`λ = ${λ}: evidence ${digits(evidence['dual (exact G)'])}`);
    fits.push({ λ, model, factors, evidence, plain: classScore(predict(model, inputs), null, targets) });
  }
  const names = Object.keys(fits[0].evidence);
  const rows = names.map((name) => {
    const chosen = fits[indexOfLargest(fits.map(({ evidence }) => evidence[name]))];
    const { model, λ } = chosen;
    const alone = name === 'last layer' ? lastLayer(model) : null;
    const posterior = alone === null ? chosen.factors[name].posterior : dualForm(alone).inverse(λ);
    const places = alone === null ? inputs : featuresOf(model, inputs);
    const variance = predictiveVariance(alone ?? model, scaled(posterior, 1 / n), places);
    const few = block(inputs, 0, 0, inputs.rows, 4);
    const spread = alone === null ? spreadError(model, chosen.factors[name].draws!(draws), variance, few) : null;
    return {
      name,
      λ,
      evidence: chosen.evidence[name],
      plain: chosen.plain,
      tempered: classScore(predict(model, inputs), variance, targets),
      spread,
    };
  });
  const least = Math.min(...fits.map(({ plain }) => plain.loss));
  const table: Table = {
    title: `${shape.widths.join('-')} tanh on ${n} images: λ of the largest evidence, and its predictions`,
    columns: ['posterior', 'λ', 'log evidence', 'loss at θ̂', 'loss, tempered', 'accuracy', 'spread of draws off by'],
    rows: rows.map(({ name, λ, evidence, plain, tempered, spread }) => [
      name,
      λ,
      digits(evidence),
      digits(plain.loss),
      digits(tempered.loss),
      percent(plain.accuracy),
      spread === null ? '–' : percent(spread),
    ]),
  };
  const [dual, hierarchical] = rows;
  const checks: Check[] = [
    {
      expected: 'the evidence of the exact posterior chooses a λ whose validation loss is near the least of the grid',
      met: dual.plain.loss < 1.1 * least,
      seen: `${digits(dual.plain.loss)} at λ = ${dual.λ}, least ${digits(least)}`,
    },
    {
      expected: 'the hierarchical posterior chooses the same λ as the exact one',
      met: hierarchical.λ === dual.λ,
      seen: `${hierarchical.λ} and ${dual.λ}`,
    },
    {
      expected: `${draws} draws spread as the predictive variances say, up to four deviations of such an estimate`,
      met: rows.every(({ spread }) => spread === null || spread < 4 * Math.sqrt(2 / draws)),
      seen: rows.flatMap(({ name, spread }) => (spread === null ? [] : [`${name} ${percent(spread)}`])).join(', '),
    },
  ];
  return { name: data.name, table, checks, rows, grid: fits.map(({ λ, evidence, plain }) => ({ λ, evidence, plain })) };
}

/** One noise and λ of the table. */
interface HousesRow {
  readonly noise: number;
  readonly λ: number;
  /** Of the exact G, and of K-FAC. */
  readonly evidence: number;
  readonly kfac: number;
  /** Mean log p of validation targets, with predictive variances and without. */
  readonly likelihood: number;
  readonly plain: number;
  readonly coverage: number;
}

async function regression(setup: Setup) {
  const { quick, seed } = setup;
  const data = await housing(setup);
  const n = data.training.samples;
  const noises = quick ? [0.3, 0.5] : [0.15, 0.25, 0.35, 0.5];
  const lambdas = quick ? [1e-3, 1e-1] : [1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
  const rows: HousesRow[] = [];
  for (const noise of noises) {
    const inUnits = (set: DataSet): DataSet => {
      const { inputs, targets } = batchOf(set, 0, set.samples);
      return memoryDataSet(inputs, { ...targets, data: targets.data.map((y) => y / noise) }, { samples: 'columns' });
    };
    const shape = { widths: [data.training.inputs, 12, 1], activation: 'tanh' as const };
    const start = startOf(shape, { loss: 'mse', data: inUnits(data.training) }, seed, 'f64');
    const { inputs, targets } = batchOf(inUnits(data.validation), 0, data.validation.samples);
    for (const λ of lambdas) {
      const model = await fitted(start, λ, quick ? 30 : 150, levenbergMarquardt());
      const inverse = dualForm(model).inverse(λ);
      const evidence = (of: KnownDeterminant): number => logMarginalLikelihood(model, of).value - n * Math.log(noise);
      const variance = predictiveVariance(model, scaled(inverse, 1 / n), inputs);
      const f = predict(model, inputs);
      let likelihood = 0;
      let plain = 0;
      let inside = 0;
      for (let i = 0; i < f.cols; i++) {
        const rest = (targets.data[targets.offset + i * targets.ld] - f.data[f.offset + i * f.ld]) ** 2;
        const total = 1 + variance.data[i];
        likelihood -= Math.log(noise) + (Math.log(2 * Math.PI * total) + rest / total) / 2;
        plain -= Math.log(noise) + (Math.log(2 * Math.PI) + rest) / 2;
        if (rest < 1.96 ** 2 * total) inside++;
      }
      rows.push({
        noise,
        λ,
        evidence: evidence(inverse),
        kfac: evidence(kfac(model).solver({ damping: λ })),
        likelihood: likelihood / f.cols,
        plain: plain / f.cols,
        coverage: inside / f.cols,
      });
    }
  }
  const chosen = rows[indexOfLargest(rows.map(({ evidence }) => evidence))];
  const byKfac = rows[indexOfLargest(rows.map((row) => row.kfac))];
  const best = rows[indexOfLargest(rows.map(({ likelihood }) => likelihood))];
  const better = rows.filter(({ likelihood }) => likelihood > chosen.likelihood).length;
  const line = (name: string, row: HousesRow): (string | number)[] => [
    name,
    row.noise,
    row.λ,
    digits(row.evidence),
    digits(row.likelihood),
    digits(row.plain),
    percent(row.coverage),
  ];
  const table: Table = {
    title: `houses, ${data.training.inputs}-12-1 tanh: noise (in deviations of the target) and λ that were chosen`,
    columns: ['chosen by', 'noise', 'λ', 'log evidence', 'validation log p', 'without variance', 'within ±1.96σ'],
    rows: [
      line('evidence, exact G', chosen),
      line('evidence, K-FAC', byKfac),
      line('validation (for comparison)', best),
    ],
  };
  const checks: Check[] = [
    {
      expected: 'the evidence chooses noise and λ whose validation likelihood is in the best quarter of the grid',
      met: better < rows.length / 4,
      seen:
        `${digits(chosen.likelihood)} nats a sample, the best has ${digits(best.likelihood)}; ${better} of ` +
        `${rows.length} have more`,
    },
    {
      expected: 'about 95 % of the validation targets lie within 1.96 deviations (90 to 99 %)',
      met: chosen.coverage > 0.9 && chosen.coverage <= 0.99,
      seen: percent(chosen.coverage),
    },
  ];
  return { name: data.name, table, checks, rows };
}

async function run(setup: Setup): Promise<Outcome> {
  const images = await classification(setup);
  const houses = await regression(setup);
  return {
    data: `${images.name}; ${houses.name}`,
    tables: [images.table, houses.table],
    checks: [...images.checks, ...houses.checks],
    details: { classification: { chosen: images.rows, grid: images.grid }, regression: houses.rows },
  };
}

/** Laplace posteriors and their evidence. */
export const bayesian: Experiment = { what: "Laplace's approximation: evidence, error bars, draws", run };
