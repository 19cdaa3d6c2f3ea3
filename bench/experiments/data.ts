/**
 * The data of experiments: MNIST and tables where a folder has them, else generated stand-ins. What was taken is said.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digitImages } from '../../datasets/digits.js';
import { RandomStream } from '../../src/core/random.js';
import { zeros, type Matrix } from '../../src/dense/matrix.js';
import { readLabels } from '../../src/io/labels.js';
import { readPoints } from '../../src/io/points.js';
import { labelTargets, memoryDataSet, type DataSet } from '../../src/network/data-set.js';
import type { Setup } from './experiment.js';

/** Images, a column each in float32, with their labels. */
export interface Images {
  readonly pixels: Matrix;
  readonly labels: readonly number[];
  readonly side: number;
}

/** Training and validation images, and what they are. */
export interface DigitData {
  readonly training: Images;
  readonly validation: Images;
  readonly name: string;
}

/** The numbers 0 … count − 1 in a seeded order. */
export function shuffled(count: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = new RandomStream(seed, 0x65787065);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const SIDE = 28;

function pick(coordinates: Float64Array, labels: ArrayLike<number>, which: Int32Array): Images {
  const pixels = zeros(SIDE * SIDE, which.length, 'f32');
  which.forEach((i, k) => {
    pixels.data.set(coordinates.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), k * SIDE * SIDE);
  });
  return { pixels, labels: Array.from(which, (i) => labels[i]), side: SIDE };
}

/** The first of these files that is there, packed or not. */
const found = (folder: string, name: string): string | undefined =>
  [`${name}.gz`, name].map((file) => join(folder, 'mnist', file)).find((path) => existsSync(path));

/**
 * `training` and `validation` digits: of MNIST's test set after one seeded shuffle, as every comparison here has them
 * (the training set alone is not needed then), or generated where the folder has none.
 */
export async function digitData(
  { data, seed }: Pick<Setup, 'data' | 'seed'>,
  training: number,
  validation: number,
): Promise<DigitData> {
  const images = found(data, 't10k-images-idx3-ubyte');
  const labels = found(data, 't10k-labels-idx1-ubyte');
  const count = training + validation;
  const real = images !== undefined && labels !== undefined;
  const points = real ? await readPoints(images) : digitImages(count, 1).images;
  const classes = real ? await readLabels(labels) : digitImages(count, 1).labels;
  const order = shuffled(points.count, seed);
  if (order.length < count) throw new RangeError(`${count} images are asked for, there are ${order.length}.`);
  const of = (which: Int32Array): Images => pick(points.coordinates, classes, which);
  return {
    training: of(order.subarray(0, training)),
    validation: of(order.subarray(training, count)),
    name:
      `${real ? 'MNIST test images' : 'generated digits (no MNIST in the folder)'}, ` +
      `${training} for training, ${validation} for validation`,
  };
}

/** Images as a data set of classes. */
export const classified = ({ pixels, labels }: Images, classes = 10): DataSet =>
  memoryDataSet(pixels, labelTargets(labels, classes, 'f32'), { samples: 'columns' });

/** Images that are their own targets. */
export const mirrored = ({ pixels }: Images): DataSet => memoryDataSet(pixels, pixels, { samples: 'columns' });

/** Means over squares of `factor` × `factor` pixels. */
export function pooled({ pixels, labels, side }: Images, factor: number): Images {
  const small = Math.floor(side / factor);
  const out = zeros(small * small, pixels.cols, 'f32');
  for (let k = 0; k < pixels.cols; k++)
    for (let i = 0; i < small * factor; i++)
      for (let j = 0; j < small * factor; j++)
        out.data[k * small * small + Math.floor(i / factor) * small + Math.floor(j / factor)] +=
          pixels.data[k * side * side + i * side + j] / factor ** 2;
  return { pixels: out, labels, side: small };
}

/** Those images whose label is one of `wanted`, relabelled from 0 on. */
export function withLabels({ pixels, labels, side }: Images, wanted: readonly number[], most = Infinity): Images {
  const which = labels.flatMap((label, k) => (wanted.includes(label) ? [k] : [])).slice(0, most);
  const out = zeros(pixels.rows, which.length, 'f32');
  which.forEach((from, to) => {
    out.data.set(pixels.data.subarray(from * pixels.rows, (from + 1) * pixels.rows), to * pixels.rows);
  });
  return { pixels: out, labels: which.map((k) => wanted.indexOf(labels[k])), side };
}

/** A regression, inputs and target standardised by the training samples. */
export interface TableData {
  readonly training: DataSet;
  readonly validation: DataSet;
  readonly name: string;
  /** What one unit of the target is in the table's own. */
  readonly unit: number;
}

interface Rows {
  /** Inputs, then the target. */
  readonly rows: readonly (readonly number[])[];
  readonly name: string;
}

/** A quarter of the rows apart, all standardised. */
function splitTable({ rows, name }: Rows, seed: number): TableData {
  const order = shuffled(rows.length, seed);
  const kept = Math.round(0.75 * rows.length);
  const width = rows[0].length;
  const train = Array.from(order.subarray(0, kept), (i) => rows[i]);
  const mean = Array.from({ length: width }, (_, k) => train.reduce((sum, row) => sum + row[k], 0) / kept);
  const deviation = mean.map((m, k) => Math.sqrt(train.reduce((sum, row) => sum + (row[k] - m) ** 2, 0) / kept) || 1);
  const set = (those: readonly (readonly number[])[]): DataSet => {
    const [x, y] = [zeros(width - 1, those.length), zeros(1, those.length)];
    those.forEach((row, i) => {
      row.forEach((value, k) => {
        const standard = (value - mean[k]) / deviation[k];
        if (k < width - 1) x.data[i * (width - 1) + k] = standard;
        else y.data[i] = standard;
      });
    });
    return memoryDataSet(x, y, { samples: 'columns' });
  };
  const rest = Array.from(order.subarray(kept), (i) => rows[i]);
  return {
    training: set(train),
    validation: set(rest),
    name: `${name}, ${kept} rows for training, ${rest.length} for validation`,
    unit: deviation[width - 1],
  };
}

async function tableRows(path: string, columns: readonly string[]): Promise<number[][]> {
  const { count, dimension, coordinates } = await readPoints(path, { columns: [...columns], incompleteRows: 'skip' });
  return Array.from({ length: count }, (_, i) => Array.from(coordinates.subarray(i * dimension, (i + 1) * dimension)));
}

/** Life expectancy from birth rate by country, or a falling line with noise. */
export async function lifeExpectancy({ data, seed }: Setup): Promise<TableData> {
  const path = join(data, 'tabular', 'birth_rate.csv');
  if (existsSync(path))
    return splitTable(
      { rows: await tableRows(path, ['Birth rate', 'Life expectancy']), name: 'birth rates by country' },
      seed,
    );
  const random = new RandomStream(seed, 0x6c696665);
  const rows = Array.from({ length: 190 }, () => {
    const births = 1.2 + 6 * random.uniform() ** 2;
    return [births, 84 - 5.5 * (births - 1.2) + 3 * random.normal()];
  });
  return splitTable({ rows, name: 'generated birth rates (no table in the folder)' }, seed);
}

/** Of the table's 13 inputs all but B, which is built on race. */
const HOUSING = ['CRIM', 'ZN', 'INDUS', 'CHAS', 'NOX', 'RM', 'AGE', 'DIS', 'RAD', 'TAX', 'PTRATIO', 'LSTAT', 'MEDV'];

/** Median values of houses in Boston's districts, or a function of twelve numbers with noise. */
export async function housing({ data, seed }: Setup): Promise<TableData> {
  const path = join(data, 'tabular', 'boston_housing.csv');
  if (existsSync(path))
    return splitTable({ rows: await tableRows(path, HOUSING), name: 'Boston housing (without column B)' }, seed);
  const random = new RandomStream(seed, 0x686f7573);
  const rows = Array.from({ length: 400 }, () => {
    const x = Array.from({ length: 12 }, () => random.uniform());
    const y = 10 * Math.sin(Math.PI * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4] + random.normal();
    return [...x, y];
  });
  return splitTable({ rows, name: "generated rows of Friedman's function (no table in the folder)" }, seed);
}
