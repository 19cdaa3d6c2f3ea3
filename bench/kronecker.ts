/**
 * One network in a process of its own: `node dist/bench/kronecker.js NAME EPOCHS [IMAGES LABELS]` prints one JSON line:
 * its Kronecker sums, with products of one and of 64 vectors, beside the error of the eigenbasis at the same memory.
 */
import { digitImages } from '../datasets/digits.js';
import { kroneckerHierarchical } from '../src/curvature/eigenbasis/compress.js';
import { kroneckerSum } from '../src/curvature/kronecker-sum/compress.js';
import { gaussNewton } from '../src/curvature/products/gauss-newton.js';
import { median } from '../src/core/median.js';
import { measureDgemm } from '../src/experiment/dgemm-rate.js';
import { readLabeledImages } from '../src/experiment/network-data.js';
import { trainedModel } from '../src/experiment/table-run.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { view } from '../src/dense/matrix.js';
import { peakMemory } from '../src/io/machine.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import { Team } from '../src/parallel/team.js';
import { KRONECKER_CASES } from './kronecker-cases.js';
import { rounded } from './record.js';

export interface KroneckerRow {
  readonly asked: number;
  readonly share: number;
  readonly error: number;
  readonly rounding: number;
  /** Modes kept, and of how many. */
  readonly modes: number;
  readonly of: number;
  /** ε_F of the hierarchical matrix in the Kronecker eigenbasis at the same share; null where it takes too long. */
  readonly eigenbasis: number | null;
  readonly build: number;
  readonly one: number;
  /** Of one vector, in units of the eigenbasis's seconds, both timed by turns; null without it. */
  readonly beside?: number | null | undefined;
  readonly many: { readonly seconds: number; readonly gflops: number };
}

export interface KroneckerResult {
  readonly name: string;
  readonly size: number;
  readonly data: string;
  readonly workers: number;
  readonly blas: string;
  readonly dgemm: number;
  /** Seconds of the exact product with one vector. */
  readonly exact: number;
  readonly peakBytes: number;
  readonly rows: readonly KroneckerRow[];
}

const VECTORS = 64;
const REPEATS = 7;
/** Weights and samples above which the eigenbasis is left out. */
const EIGENBASIS_WORK = 2e12;

/** How long products of one vector by the first take in units of the second's, by turns: the median of pairs. */
const ratio = (first: LinearOperator, second: LinearOperator): number =>
  median(Array.from({ length: REPEATS }, () => seconds(first, 1, 1) / seconds(second, 1, 1)));

function seconds(operator: LinearOperator, vectors: number, repeats: number): number {
  const n = operator.rows;
  const x = view(sharedFloat64(n * vectors), 0, n, vectors);
  new RandomStream(1).fillNormal(x.data);
  const out = view(sharedFloat64(n * vectors), 0, n, vectors);
  operator.applyUnchecked(out, x, 1, 0);
  const times = Array.from({ length: repeats }, () => {
    const begin = performance.now();
    operator.applyUnchecked(out, x, 1, 0);
    return (performance.now() - begin) / 1000;
  });
  return median(times);
}

const [name, epochs, images, labels] = process.argv.slice(2);
const chosen = KRONECKER_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(`No network is called ${name}; there are ${KRONECKER_CASES.map((one) => one.name).join(', ')}.`);
const generated = images === undefined ? digitImages(chosen.samples, 0) : undefined;
const data =
  generated === undefined
    ? { ...(await readLabeledImages(images, labels, chosen.samples)), name: 'MNIST test images' }
    : { ...generated, name: 'generated digits' };
const team = await Team.open({});
const { model } = await trainedModel(
  { ...chosen, data, epochs: Number(epochs), batchSize: 50, learningRate: 1e-3, seed: 0 },
  { team },
);
const size = model.network.parameters;
const rows: KroneckerRow[] = [];
for (const share of chosen.shares) {
  const begin = performance.now();
  const sum = await kroneckerSum(model, { share }, { team });
  const build = (performance.now() - begin) / 1000;
  const one = seconds(sum, 1, REPEATS);
  const many = seconds(sum, VECTORS, 1);
  const dear = chosen.samples * size ** 2 > EIGENBASIS_WORK;
  const basis = dear ? null : await kroneckerHierarchical(model, { share }, { team });
  rows.push({
    asked: share,
    share: sum.share,
    error: rounded(sum.error),
    rounding: rounded(sum.report.rounding),
    modes: sum.report.modes.reduce((total, { kept }) => total + kept, 0),
    of: sum.report.modes.reduce((total, { of }) => total + of, 0),
    eigenbasis: basis === null ? null : rounded(basis.error),
    build: rounded(build),
    one: rounded(one),
    beside: basis === null ? null : rounded(ratio(sum, basis)),
    many: { seconds: rounded(many), gflops: rounded(sum.flops(VECTORS) / many / 1e9) },
  });
  sum.release();
  basis?.release();
}
const result: KroneckerResult = {
  name: chosen.name,
  size,
  data: data.name,
  workers: team.workers,
  blas: team.blas.description,
  dgemm: rounded(await measureDgemm(team)),
  exact: rounded(seconds(gaussNewton(model, { blas: team.blas, team }), 1, REPEATS)),
  peakBytes: peakMemory(),
  rows,
};
console.log(JSON.stringify(result));
await team.close();
