/**
 * The systems of bench/choose-cases.ts, made.
 */
import { covertypePoints } from '../datasets/covertype.js';
import { digitImages } from '../datasets/digits.js';
import { named } from '../datasets/named.js';
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { gaussNewton } from '../src/curvature/products/gauss-newton.js';
import type { Blas } from '../src/dense/blas.js';
import { view, zeros, type Matrix } from '../src/dense/matrix.js';
import { randomVectors } from '../src/experiment/compression-run.js';
import { trainedModel } from '../src/experiment/table-run.js';
import type { LinearOperator } from '../src/operator/linear-operator.js';
import type { TeamControl } from '../src/parallel/team-control.js';
import { shiftOf } from '../src/solve/system.js';
import { denseSource } from '../src/source/dense-source.js';
import { entryOperator } from '../src/source/entry-operator.js';
import type { EntrySource, Points } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { kernelOfFamily } from '../src/source/kernels/table.js';
import { gatherInClusters, stretchTails } from './clouds.js';
import type { ChooseCase, ChooseMatrix, Cloud, StoredKind } from './choose-cases.js';

/** A system as `solveSystem` takes it. */
export interface ChooseSystem {
  readonly operator: LinearOperator;
  readonly source?: EntrySource | undefined;
  readonly b: Matrix;
  readonly shift: number;
  /** Whether it is a network's. */
  readonly network: boolean;
}

const STREAM = 0xc1005e;
const DEGREE = 3;

function pointsOf(cloud: Cloud, count: number, dimension: number): Points {
  if (cloud === 'uniform') return uniformPoints(count, dimension, 1);
  if (cloud === 'covertype') return covertypePoints(count, 1);
  const points = normalPoints(count, dimension, 1);
  const { coordinates } = points;
  if (cloud === 'tails') stretchTails(points);
  if (cloud === 'duplicates') coordinates.copyWithin(coordinates.length / 2, 0, coordinates.length / 2);
  if (cloud === 'clusters') gatherInClusters(points, new RandomStream(1, STREAM));
  return points;
}

/** X·diag(d)·Xᵀ/N with normal X of size N × N. */
function inRandomBasis(size: number, of: (k: number) => number, blas: Blas): Matrix {
  const [x, a] = [zeros(size, size), zeros(size, size)];
  new RandomStream(1, STREAM).fillNormal(x.data);
  for (let k = 0; k < size; k++) {
    const factor = Math.sqrt(of(k) / size);
    for (let i = k * size; i < (k + 1) * size; i++) x.data[i] *= factor;
  }
  blas.gemm('N', 'T', 1, x, x, 0, a);
  return a;
}

/** Entry (i, j) for i ≥ j, and the other triangle alike. */
function filled(size: number, entry: (i: number, j: number) => number): Matrix {
  const a = zeros(size, size);
  for (let j = 0; j < size; j++)
    for (let i = j; i < size; i++) a.data[i + j * size] = a.data[j + i * size] = entry(i, j);
  return a;
}

function storedMatrix(kind: StoredKind, size: number, blas: Blas): Matrix {
  const random = new RandomStream(1, STREAM);
  switch (kind) {
    case 'decay':
      return inRandomBasis(size, (k) => (k + 1) ** -2, blas);
    case 'flat':
      return inRandomBasis(size, () => 1, blas);
    case 'laplacian': {
      // A ring, and as many chords.
      const a = zeros(size, size);
      for (let edge = 0; edge < 2 * size; edge++) {
        const i = edge % size;
        const j = edge < size ? (i + 1) % size : random.integer(size);
        if (i === j) continue;
        for (const [r, c, value] of [
          [i, i, 1],
          [j, j, 1],
          [i, j, -1],
          [j, i, -1],
        ])
          a.data[r + c * size] += value;
      }
      return a;
    }
    case 'blocks':
      return filled(size, (i, j) => (i === j ? 1 : i % 10 === j % 10 ? 0.9 : 0.3));
    case 'diagonal':
      return filled(size, (i, j) => (i === j ? 10 ** ((-6 * i) / size) : 0) + 1e-7);
    case 'shuffled': {
      const place = Float64Array.from({ length: size }, () => random.uniform());
      return filled(size, (i, j) => {
        const r = (Math.sqrt(3) * Math.abs(place[i] - place[j])) / 0.2;
        return (1 + r) * Math.exp(-r);
      });
    }
  }
}

async function sourceOf(matrix: Exclude<ChooseMatrix, { readonly kind: 'network' }>, blas: Blas): Promise<EntrySource> {
  switch (matrix.kind) {
    case 'kernel':
      return kernelSource(
        pointsOf(matrix.cloud, matrix.size, matrix.dimension),
        kernelOfFamily(matrix.family, matrix.h, DEGREE),
        { blas },
      );
    case 'named':
      return named(matrix.named, matrix.size, { blas });
    case 'stored':
      return denseSource(storedMatrix(matrix.stored, matrix.size, blas));
  }
}

/** Makes the system of a case: products are ready, and λ is known. */
export async function openSystem(
  { matrix, relativeShift, vectors }: Pick<ChooseCase, 'matrix' | 'relativeShift' | 'vectors'>,
  control: TeamControl,
): Promise<ChooseSystem> {
  const { team } = control;
  const { blas } = team;
  const make = async (): Promise<Pick<ChooseSystem, 'operator' | 'source'>> => {
    if (matrix.kind === 'network') {
      const data = { ...digitImages(matrix.samples, 1), name: 'generated digits' };
      const training = { epochs: 5, batchSize: 50, learningRate: 1e-3, seed: 0 };
      const { model } = await trainedModel({ ...matrix, bias: matrix.bias ?? false, data, ...training }, control);
      return { operator: gaussNewton(model, { blas, team }) };
    }
    const source = await sourceOf(matrix, blas);
    return { source, operator: source.operator ?? (await entryOperator(source, {}, control)) };
  };
  const { operator, source } = await make();
  const { shift } = await shiftOf(operator, { shiftRelative: relativeShift }, control);
  const given = randomVectors(operator.rows, vectors, 1);
  const b = view(sharedFloat64(given.data.length), 0, given.rows, given.cols);
  b.data.set(given.data);
  return { operator, source, b, shift, network: matrix.kind === 'network' };
}
