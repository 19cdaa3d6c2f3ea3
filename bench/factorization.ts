/**
 * One factorization in a process of its own: `node dist/bench/factorization.js NAME REPEATS` prints one JSON line.
 * Times are medians of REPEATS runs after one that warms up; `first` is that one, with code not yet compiled. The dgemm
 * rate is that of the same process, the mean of before and after.
 */
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { copyInto, view, zeros, type Matrix } from '../src/dense/matrix.js';
import { median } from '../src/core/median.js';
import { measureDgemm } from '../src/experiment/dgemm-rate.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import type { HierarchicalMatrix } from '../src/hierarchical/matrix/hierarchical-matrix.js';
import { planUlv } from '../src/hierarchical/factor/ulv/plan.js';
import { peakMemory } from '../src/io/machine.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian } from '../src/source/kernels/named.js';
import type { Points } from '../src/source/entry-source.js';
import { FACTORIZATION_CASES, type FactorizationCase } from './factorization-cases.js';
import { rounded } from './record.js';

export interface FactorizationResult extends Omit<FactorizationCase, 'dense'> {
  readonly workers: number;
  readonly blas: string;
  readonly repeats: number;
  readonly ranks: { readonly max: number; readonly mean: number };
  /** Anew, again for another shift, and solves with `vectors` right-hand sides and with one. */
  readonly seconds: {
    readonly compress: number;
    readonly factor: number;
    readonly first: number;
    readonly refactor: number;
    readonly solve: number;
    readonly solveOne: number;
  };
  /** Of one factorization, where it is counted (HSS), and the rates. */
  readonly gflop: number | null;
  readonly gflops: { readonly factor: number | null; readonly dgemm: number };
  readonly memory: { readonly matrixBytes: number; readonly factorBytes: number; readonly peakBytes: number };
  /** ‖(K̃ + λI)x − b‖/‖b‖ after one solve, and the condition number of K̃ + λI (estimated). */
  readonly residual: number;
  readonly condition: number;
  /**
   * log det(K̃ + λI); relative difference from LAPACK's Cholesky factorization of the dense K̃ + λI, where that was
   * made.
   */
  readonly logdet: number;
  readonly logdetError: number | null;
}

/** In [−1, 1) on a line. */
function pointsOf({ size, dimension }: FactorizationCase): Points {
  if (dimension > 1) return normalPoints(size, dimension, 1);
  const points = uniformPoints(size, 1, 1);
  for (let i = 0; i < size; i++) points.coordinates[i] = 2 * points.coordinates[i] - 1;
  return points;
}

function residual(matrix: HierarchicalMatrix, shift: number, x: Matrix, b: Matrix): number {
  const product = matrix.apply(x);
  let [error, norm] = [0, 0];
  for (let i = 0; i < b.rows * b.cols; i++) {
    error += (product.data[product.offset + i] + shift * x.data[x.offset + i] - b.data[i]) ** 2;
    norm += b.data[i] ** 2;
  }
  return Math.sqrt(error / norm);
}

function denseLogdet(matrix: HierarchicalMatrix, shift: number, team: Team): number {
  const a = zeros(matrix.size, matrix.size);
  copyInto(a, matrix.toDense());
  for (let i = 0; i < a.rows; i++) a.data[i * (a.rows + 1)] += shift;
  if (team.blas.potrf('L', a) !== 0) throw new Error('The dense matrix is not positive definite.');
  let log = 0;
  for (let i = 0; i < a.rows; i++) log += 2 * Math.log(a.data[i * (a.rows + 1)]);
  return log;
}

async function timed(count: number, act: () => unknown): Promise<{ first: number; median: number }> {
  const times: number[] = [];
  for (let k = 0; k <= count; k++) {
    const start = performance.now();
    await act();
    times.push((performance.now() - start) / 1000);
  }
  return { first: times[0], median: median(times.slice(1)) };
}

const [name, repeatsGiven] = process.argv.slice(2);
const chosen = FACTORIZATION_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(
    `No factorization is called ${name}; there are ${FACTORIZATION_CASES.map((one) => one.name).join(', ')}.`,
  );
const repeats = Number(repeatsGiven);
const { dense = false, ...described } = chosen;
const { size, shift, vectors, options } = chosen;
const team = await Team.open({});
const control = { team };
let matrix!: HierarchicalMatrix;
const compression = await timed(0, async () => {
  matrix = await compress(
    kernelSource(pointsOf(chosen), gaussian(chosen.bandwidth), { blas: team.blas }),
    { ...options, seed: 0 },
    control,
  );
});
const before = await measureDgemm(team);
let factorization = await factor(matrix, { shift }, control);
const anew = await timed(repeats, async () => {
  factorization.release();
  factorization = await factor(matrix, { shift }, control);
});
const again = await timed(repeats, () => factorization.refactor(shift));
const b = view(sharedFloat64(size * vectors), 0, size, vectors);
new RandomStream(2).fillNormal(b.data as Float64Array);
const x = view(sharedFloat64(size * vectors), 0, size, vectors);
const [one, oneX] = [view(b.data, 0, size, 1), view(sharedFloat64(size), 0, size, 1)];
const solve = await timed(2 * repeats, () => factorization.solve(b, x));
const solveOne = await timed(2 * repeats, () => factorization.solve(one, oneX));
const after = await measureDgemm(team);
const { condition } = await factorization.conditionEstimate();
const { logdet } = factorization;
const expected = dense ? denseLogdet(matrix, shift, team) : undefined;
const gflop = options.format === 'hss' ? planUlv(matrix.data, 'f64').flops / 1e9 : undefined;
const levels = matrix.ranks().filter(({ max }) => max > 0);
const result: FactorizationResult = {
  ...described,
  workers: team.workers,
  blas: team.blas.description,
  repeats,
  ranks: {
    max: Math.max(0, ...levels.map(({ max }) => max)),
    mean: rounded(levels.reduce((sum, { mean }) => sum + mean, 0) / Math.max(1, levels.length)),
  },
  seconds: {
    compress: rounded(compression.first),
    factor: rounded(anew.median),
    first: rounded(anew.first),
    refactor: rounded(again.median),
    solve: rounded(solve.median),
    solveOne: rounded(solveOne.median),
  },
  gflop: gflop === undefined ? null : rounded(gflop),
  gflops: { factor: gflop === undefined ? null : rounded(gflop / anew.median), dgemm: rounded((before + after) / 2) },
  memory: { matrixBytes: matrix.memory().bytes, factorBytes: factorization.bytes, peakBytes: peakMemory() },
  residual: rounded(residual(matrix, shift, x, b)),
  condition: rounded(condition),
  logdet,
  logdetError: expected === undefined ? null : rounded(Math.abs(logdet / expected - 1)),
};
console.log(JSON.stringify(result));
await team.close();
