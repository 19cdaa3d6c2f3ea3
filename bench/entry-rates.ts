/**
 * What entries of a Gauss–Newton Hessian cost and how good sampled ones are: GFLOP/s of blocks against the thread's own
 * dgemm, errors of estimates against their bound.
 */
import { RandomStream } from '../src/core/random.js';
import { gaussNewtonSource } from '../src/curvature/entries/gauss-newton-source.js';
import { sampledGaussNewtonSource } from '../src/curvature/entries/sampled-source.js';
import type { Blas } from '../src/dense/blas.js';
import { zeros } from '../src/dense/matrix.js';
import { median } from '../src/core/median.js';
import type { Model } from '../src/network/model.js';
import type { EntrySource } from '../src/source/entry-source.js';
import { rounded } from './record.js';

/** Of one thread; flops are those of the plain form, 2n for each entry. */
export interface EntryRates {
  readonly dgemm: number;
  /** 300 × 64 entries anywhere. */
  readonly arbitrary: number;
  /** All weights of one unit against all of another, by pair of layers: '1,2'. */
  readonly tiles: Readonly<Record<string, number>>;
}

export interface SampledErrors {
  /** ε: the bound on the root mean square error, relative to √(G_aa G_bb). */
  readonly bound: number;
  readonly draws: number;
  readonly entries: number;
  readonly rootMeanSquare: number;
  readonly largest: number;
  /** |Ĝ_ab − G_ab|/√(G_aa G_bb), ascending: the plot's data. */
  readonly errors: readonly number[];
}

const SECONDS = 0.3;
const SAMPLED = 1000;
const EPSILON = 0.05;

/** Calls a second, the median of batches within the time. */
function rate(work: () => void): number {
  work();
  const rates: number[] = [];
  const end = performance.now() + 1000 * SECONDS;
  do {
    const start = performance.now();
    work();
    rates.push(1000 / (performance.now() - start));
  } while (performance.now() < end);
  return median(rates);
}

const range = (begin: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, k) => begin + k);

export function entryRates(model: Model, blas: Blas): EntryRates {
  const source = gaussNewtonSource(model, { blas });
  const n = model.data.samples;
  const random = new RandomStream(1);
  const anywhere = (count: number): Int32Array => Int32Array.from({ length: count }, () => random.integer(source.size));
  const [a, b, c] = [zeros(512, 512), zeros(512, 512), zeros(512, 512)];
  random.fillNormal(a.data);
  random.fillNormal(b.data);
  const gflops = (rows: Int32Array, cols: Int32Array): number => {
    const out = zeros(rows.length, cols.length);
    return (
      (rate(() => {
        source.entries(rows, cols, out);
      }) *
        2 *
        n *
        rows.length *
        cols.length) /
      1e9
    );
  };
  const { layers } = model.network;
  const unit = (ℓ: number, p: number): Int32Array =>
    range(layers[ℓ].offset + Math.min(p, layers[ℓ].outputs - 1) * layers[ℓ].width, layers[ℓ].width);
  const tiles: Record<string, number> = {};
  layers.forEach((_, ℓ) => {
    for (let k = ℓ; k < layers.length; k++) tiles[`${ℓ + 1},${k + 1}`] = rounded(gflops(unit(ℓ, 0), unit(k, 1)));
  });
  return {
    dgemm: rounded(
      (rate(() => {
        blas.gemm('N', 'N', 1, a, b, 0, c);
      }) *
        2 *
        512 ** 3) /
        1e9,
    ),
    arbitrary: rounded(gflops(anywhere(300), anywhere(64))),
    tiles,
  };
}

/** Estimates of entries of pairs of weights that are not zero, against the exact ones. */
export function sampledErrors(model: Model, blas: Blas): SampledErrors {
  const exact: EntrySource = gaussNewtonSource(model, { blas });
  const estimated = sampledGaussNewtonSource(model, { blas, error: EPSILON, seed: 1 });
  const diagonal = new Float64Array(exact.size);
  exact.diagonal(diagonal);
  const live = range(0, exact.size).filter((i) => diagonal[i] > 0);
  const random = new RandomStream(2);
  const [one, other] = [zeros(1, 1), zeros(1, 1)];
  const errors: number[] = [];
  while (errors.length < SAMPLED) {
    const [i, j] = [live[random.integer(live.length)], live[random.integer(live.length)]];
    if (i === j) continue;
    exact.entries(Int32Array.of(i), Int32Array.of(j), one);
    estimated.entries(Int32Array.of(i), Int32Array.of(j), other);
    errors.push(Math.abs(other.data[0] - one.data[0]) / Math.sqrt(diagonal[i] * diagonal[j]));
  }
  errors.sort((x, y) => x - y);
  return {
    bound: EPSILON,
    draws: Math.ceil(1 / EPSILON ** 2),
    entries: SAMPLED,
    rootMeanSquare: rounded(Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / SAMPLED)),
    largest: rounded(errors[SAMPLED - 1]),
    errors: errors.map(rounded),
  };
}
