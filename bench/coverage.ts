/**
 * One case of bench/coverage-cases.ts in a process of its own: `node dist/bench/coverage.js NAME` prints one JSON
 * line.
 */
import { operatorError } from '../src/approximation/operator-error.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { view, type Matrix } from '../src/dense/matrix.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { estimateError } from '../src/hierarchical/measure/error-estimate.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import { spectralDensity } from '../src/krylov/spectral-density.js';
import { estimatedLogDeterminant } from '../src/krylov/log-determinant.js';
import { stochasticLanczosQuadrature } from '../src/krylov/stochastic-lanczos-quadrature.js';
import { denseOperator } from '../src/operator/dense-operator.js';
import { Team } from '../src/parallel/team.js';
import { denseSource } from '../src/source/dense-source.js';
import type { EntrySource, Points } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian, laplace, matern32 } from '../src/source/kernels/named.js';
import { COVERAGE_CASES, SEEDS, type Cloud, type CoverageCase } from './coverage-cases.js';
import { rounded } from './record.js';

export interface CoverageResult {
  readonly name: string;
  readonly truth: number;
  readonly seeds: number;
  /** Share of the intervals that hold the truth; of a density, of all its points. */
  readonly coverage: number;
  /** Intervals that lie below the truth, and above. */
  readonly below: number;
  readonly above: number;
  /** Half the interval relative to the truth, the median over the seeds. */
  readonly halfWidth: number;
}

const chosen = COVERAGE_CASES.find(({ name }) => name === process.argv[2]);
if (chosen === undefined)
  throw new Error(
    `No case of coverage is called ${process.argv[2]}; there are ${COVERAGE_CASES.map(({ name }) => name).join(', ')}.`,
  );

const CLUSTERS = 20;
const KERNELS = { gaussian, laplace, matern32 } as const;

function points(count: number, dimension: number, cloud: Cloud): Points {
  const coordinates = sharedFloat64(count * dimension);
  const random = new RandomStream(8);
  new RandomStream(7).fillNormal(coordinates);
  const centers = new Float64Array(CLUSTERS * dimension);
  random.fillNormal(centers);
  for (let i = 0; i < count; i++) {
    const q = Math.min(CLUSTERS - 1, Math.floor(-3 * Math.log(random.uniform())));
    const length = 1 / (-2 * Math.log(random.uniform()) + 1e-3);
    for (let k = i * dimension; k < (i + 1) * dimension; k++) {
      if (cloud === 'clusters')
        coordinates[k] = 0.02 * (q + 1) * coordinates[k] + 3 * centers[q * dimension + (k % dimension)];
      if (cloud === 'tails') coordinates[k] *= length;
    }
  }
  return { dimension, count, coordinates };
}

const all = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

function denseOf(source: EntrySource): Matrix {
  const dense = view(sharedFloat64(source.size ** 2), 0, source.size, source.size);
  source.entries(all(source.size), all(source.size), dense);
  return dense;
}

interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** Counted over the seeds; of curves point by point. */
function counted(
  name: string,
  truth: number,
  intervals: readonly (Interval & { readonly truth?: number | undefined })[],
): CoverageResult {
  const below = intervals.filter(({ upper, truth: here = truth }) => upper < here).length;
  const above = intervals.filter(({ lower, truth: here = truth }) => lower > here).length;
  const widths = intervals.map(({ lower, upper }) => (upper - lower) / 2 / Math.abs(truth)).sort((a, b) => a - b);
  return {
    name,
    truth: rounded(truth),
    seeds: SEEDS,
    coverage: rounded(1 - (below + above) / intervals.length),
    below,
    above,
    halfWidth: rounded(widths[widths.length >> 1]),
  };
}

async function errors(one: Extract<CoverageCase, { readonly cloud: Cloud }>, team: Team): Promise<CoverageResult> {
  const {
    name,
    size,
    kernel: { family, bandwidth },
    cloud,
    format,
    uneven,
    kind,
  } = one;
  const kernel = kernelSource(points(size, 2, cloud), KERNELS[family](bandwidth), { blas: team.blas });
  let source: EntrySource = kernel;
  if (uneven === true || kind === 'error from products') {
    const dense = denseOf(kernel);
    const random = new RandomStream(9);
    const d = Float64Array.from({ length: size }, () => (uneven === true ? Math.exp(1.2 * random.normal()) : 1));
    for (let j = 0; j < size; j++) for (let i = 0; i < size; i++) dense.data[i + j * size] *= d[i] * d[j];
    source = denseSource(dense, { blas: team.blas });
  }
  const matrix = await compress(
    source,
    {
      format,
      budget: format === 'fmm' ? 0.05 : 0,
      leafSize: 32,
      maxRank: 32,
      tolerance: 1e-3,
      neighbors: 16,
      distance: uneven === true ? 'angle' : 'gram',
    },
    { team },
  );
  const truth = (await matrix.estimateError(source, { columns: size })).relative;
  const intervals: Interval[] = [];
  for (let seed = 0; seed < SEEDS; seed++) {
    const { low, high } =
      kind === 'error from entries'
        ? await estimateError(source, matrix, { columns: 1024, seed }, { team })
        : await operatorError(source.operator!, matrix, { columns: 24, seed }, { team });
    intervals.push({ lower: low, upper: high });
  }
  return counted(name, truth, intervals);
}

async function spectra(one: Extract<CoverageCase, { readonly shift: number }>, team: Team): Promise<CoverageResult> {
  const { name, size, kind, shift } = one;
  const { blas } = team;
  const source = kernelSource(points(size, 2, 'normal'), gaussian(1), { blas });
  const a = denseOf(source);
  for (let i = 0; i < size; i++) a.data[i * (size + 1)] += shift;
  const operator = denseOperator(a, true, { blas });
  const copy = view(a.data.slice(), 0, size, size);
  const values = new Float64Array(size);
  if (blas.syevd(true, 'L', copy, values) !== 0) throw new Error('syevd did not converge.');
  const matrix = await compress(
    source,
    { format: 'hss', leafSize: 64, maxRank: 64, tolerance: 1e-3 * shift, distance: 'gram' },
    { team },
  );
  const factorization =
    kind === 'log det with a factorization' ? await factor(matrix, { shift: 2 * shift }, { team }) : undefined;
  const intervals: (Interval & { truth?: number | undefined })[] = [];
  const sum = (f: (x: number) => number): number => values.reduce((total, value) => total + f(value), 0);
  const width = 1;
  for (let seed = 0; seed < SEEDS; seed++) {
    const options = { blas, seed, probes: 12 };
    if (kind === 'trace of the inverse')
      intervals.push(await stochasticLanczosQuadrature(operator, (x) => 1 / x, options));
    else if (kind === 'density' || kind === 'cumulative density') {
      const { grid, density, cumulative } = await spectralDensity(operator, {
        ...options,
        width,
        degree: 60,
        grid: { from: -2, to: 12, count: 25 },
      });
      grid.forEach((t, i) => {
        if (kind === 'density') {
          intervals.push({
            lower: density.lower[i],
            upper: density.upper[i],
            truth: sum((x) => Math.exp(-0.5 * ((t - x) / width) ** 2)) / (size * width * Math.sqrt(2 * Math.PI)),
          });
        } else
          intervals.push({
            lower: cumulative.lower[i],
            upper: cumulative.upper[i],
            truth: sum((x) => (x <= t ? 1 : 0)) / size,
          });
      });
    } else {
      intervals.push(
        await estimatedLogDeterminant(operator, {
          ...options,
          ...(kind === 'log det with a lower bound' ? { lowerBound: shift } : {}),
          factorization,
        }),
      );
    }
  }
  const truth =
    kind === 'trace of the inverse'
      ? sum((x) => 1 / x)
      : kind === 'density' || kind === 'cumulative density'
        ? 1
        : sum(Math.log);
  return counted(name, truth, intervals);
}

const team = await Team.open({ workers: 1 });
console.log(JSON.stringify('cloud' in chosen ? await errors(chosen, team) : await spectra(chosen, team)));
await team.close();
