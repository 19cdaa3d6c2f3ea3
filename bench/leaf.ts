/**
 * One case of bench/leaf-cases.ts in a process of its own: `node dist/bench/leaf.js NAME [IMAGES]` compresses it at
 * three tolerances, with leaf size and ranks chosen and at all of the grid, and prints one JSON line.
 */
import { digitImages } from '../datasets/digits.js';
import { named } from '../datasets/named.js';
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { gaussNewtonSource } from '../src/curvature/entries/gauss-newton-source.js';
import { view } from '../src/dense/matrix.js';
import { median } from '../src/core/median.js';
import { randomVectors } from '../src/experiment/compression-run.js';
import { trainedModel } from '../src/experiment/table-run.js';
import { compressEntries } from '../src/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '../src/hierarchical/from-entries/options.js';
import { readPoints } from '../src/io/points.js';
import { Team } from '../src/parallel/team.js';
import type { EntrySource } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian } from '../src/source/kernels/named.js';
import { kernelOfFamily } from '../src/source/kernels/table.js';
import { medianBandwidth } from '../src/source/points.js';
import { GRID, LEAF_CASES, LEAF_TOLERANCES, type GridPoint, type LeafCase } from './leaf-cases.js';
import { rounded } from './record.js';

/** One compression: its bytes, the median time of a product with a vector, and whether it met the tolerance. */
interface Measured {
  readonly leafSize: number;
  readonly bytes: number;
  readonly product: number;
  readonly met: boolean;
}

/** Where leaf size and ranks were chosen. */
export interface Chosen extends Measured {
  readonly maxRank: number;
  /** Error over tolerance, all columns compared; seconds of the compression, and of the choice. */
  readonly error: number;
  readonly seconds: number;
  readonly choosing: number;
  readonly incompressible: boolean;
}

/** Of one tolerance: chosen for memory and for products, and the grid. */
export interface LeafRow {
  readonly tolerance: number;
  readonly memory: Chosen;
  readonly product: Chosen;
  readonly grid: readonly (GridPoint & Measured)[];
}

export interface LeafResult {
  readonly name: string;
  readonly size: number;
  readonly blas: string;
  readonly workers: number;
  readonly rows: readonly LeafRow[];
}

const PRODUCTS = 15;
/** Above every rank. */
const FREE = 16_384;
const SAMPLES = 200;

async function sourceOf({ input, size }: LeafCase, images: string | undefined, team: Team): Promise<EntrySource> {
  const { blas } = team;
  if (input.kind === 'named') return named(input.matrix, size, { blas });
  if (input.kind === 'points') {
    const make = input.cloud === 'normal' ? normalPoints : uniformPoints;
    return kernelSource(make(size, input.dimension, 1), kernelOfFamily(input.family, input.h), { blas });
  }
  if (input.kind === 'images') {
    const points = images === undefined ? digitImages(size, 0).images : await readPoints(images, { limit: size });
    return kernelSource(points, gaussian(medianBandwidth(points, 0)), { blas });
  }
  const { widths, loss } = input;
  const data = { ...digitImages(SAMPLES, 0), name: 'generated digits' };
  const training = { samples: SAMPLES, epochs: 5, batchSize: 50, learningRate: 1e-3, seed: 0 };
  const setup = { widths, activation: 'sigmoid', bias: false, loss, data, ...training } as const;
  const { model } = await trainedModel(setup, { team });
  return gaussNewtonSource(model, { blas });
}

async function measure(source: EntrySource, options: CompressOptions, team: Team): Promise<Chosen> {
  const matrix = await compressEntries(source, options, { team });
  const { report } = matrix;
  const x = randomVectors(matrix.size, 1, 0);
  const y = view(new Float64Array(matrix.size), 0, matrix.size, 1);
  const times: number[] = [];
  for (let k = 0; k <= PRODUCTS; k++) {
    const began = performance.now();
    matrix.apply(x, y);
    if (k > 0) times.push((performance.now() - began) / 1000);
  }
  const { relative } = options.leafSize === undefined ? await matrix.estimateError(source) : { relative: Number.NaN };
  const { bytes } = matrix.memory();
  matrix.release();
  return {
    leafSize: report.leafSize,
    maxRank: report.maxRank,
    bytes,
    product: rounded(median(times)),
    met: report.met === true,
    error: rounded(relative / report.tolerance),
    seconds: rounded(report.seconds.compress),
    choosing: rounded(report.seconds.choose ?? 0),
    incompressible: report.chosen?.incompressible ?? false,
  };
}

const [name, images] = process.argv.slice(2);
const chosen = LEAF_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(
    `No case of leaf sizes is called ${name}; there are ${LEAF_CASES.map((one) => one.name).join('; ')}.`,
  );
const team = await Team.open({});
const source = await sourceOf(chosen, images, team);
const rows: LeafRow[] = [];
for (const tolerance of LEAF_TOLERANCES) {
  // What comes first is cold.
  if (rows.length === 0) await measure(source, { tolerance }, team);
  const memory = await measure(source, { tolerance }, team);
  const product = await measure(source, { tolerance, objective: 'product' }, team);
  const grid: LeafRow['grid'][number][] = [];
  for (const point of GRID) {
    const {
      leafSize,
      bytes,
      product: seconds,
      met,
    } = await measure(source, { ...point, tolerance, maxRank: FREE }, team);
    grid.push({ ...point, leafSize, bytes, product: seconds, met });
  }
  rows.push({ tolerance, memory, product, grid });
}
const result: LeafResult = { name, size: source.size, blas: team.blas.description, workers: team.workers, rows };
console.log(JSON.stringify(result));
await team.close();
