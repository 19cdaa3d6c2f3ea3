/**
 * Measures what choices of `solve` count (cost-model.ts) on this machine, beside its gemm.
 */
import { throwIfAborted } from '../core/context.js';
import { nextTurn } from '../core/event-loop.js';
import { median } from '../core/median.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { view, zeros } from '../dense/matrix.js';
import { advance, dot, multiplyAdd } from '../krylov/vector.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { kernelSource } from '../source/kernel-source.js';
import { matern32 } from '../source/kernels/named.js';
import { costOfEntries, costOfPass, VECTOR } from './cost-model.js';
import type { MachineRates } from './machine-rates.js';

/** What was measured of one worker, a second. */
export interface MeasuredSpeed {
  /** Flops of gemm. */
  readonly gemm: number;
  /** Numbers of a stored matrix that are read and multiplied with one vector. */
  readonly stored: number;
  /** Entries of a kernel in three dimensions. */
  readonly entries: number;
  /** Numbers of the vectors of an iteration. */
  readonly vectors: number;
}

/** The rates of a machine, and what they stand on. */
export interface Calibration {
  readonly rates: MachineRates;
  readonly measured: MeasuredSpeed;
}

/** Rounds, of which the median counts; and what one takes at least. */
const ROUNDS = 5;
const SECONDS = 0.03;
const GEMM_ORDER = 384;
/** Beyond the caches: 64 MB. */
const STORED_ORDER = 2896;
const ENTRIES = 256;
const DIMENSION = 3;
const VECTOR_LENGTH = 200_000;
/** Digits of a rate: more are noise. */
const DIGITS = 2;
const LEAST = 0.01;
const SEED = 0;

/**
 * The rates of this machine for `solve(A, b, { rates })`, by gemm, products with a stored matrix beyond the caches,
 * blocks of a kernel's entries and a step's vector operations, each on the calling thread alone. Takes about a second,
 * and 70 MB. Another call gives other numbers: keep one, so that the same input makes the same choices. Throws
 * AbortedError.
 */
export async function calibrate(control: Control = {}): Promise<Calibration> {
  const { team, signal } = await onTeam(control, 'calibrate');
  const { blas } = team;
  const works: Readonly<Record<keyof MeasuredSpeed, Work>> = {
    gemm: gemmWork(blas),
    stored: storedWork(blas),
    entries: entriesWork(blas),
    vectors: vectorWork(),
  };
  const measured = { gemm: 0, stored: 0, entries: 0, vectors: 0 };
  for (const name of Object.keys(works) as (keyof MeasuredSpeed)[]) {
    const { work, run } = works[name];
    run();
    const seen: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await nextTurn();
      throwIfAborted(signal);
      seen.push(work * ratePerSecond(run));
    }
    measured[name] = median(seen);
  }
  const { gemm, stored, entries, vectors } = measured;
  // A stored number takes 2 flops and what it waits for memory.
  const waits = (gemm / stored - 2) / (costOfPass(1, 1) - 2);
  const rates = {
    memory: inDigits(waits),
    entries: inDigits(gemm / entries / costOfEntries(DIMENSION)),
    steps: inDigits(gemm / vectors / VECTOR),
  };
  return { rates, measured };
}

const inDigits = (rate: number): number => Number(Math.max(LEAST, rate).toPrecision(DIGITS));

interface Work {
  /** What a call of `run` does, in what is counted. */
  readonly work: number;
  run(): void;
}

function ratePerSecond(run: () => void): number {
  const began = performance.now();
  let count = 0;
  let seconds = 0;
  do {
    run();
    count++;
    seconds = (performance.now() - began) / 1000;
  } while (seconds < SECONDS);
  return count / seconds;
}

function gemmWork(blas: Blas): Work {
  const [a, b, c] = [1, 2, 3].map((seed) => {
    const matrix = zeros(GEMM_ORDER, GEMM_ORDER);
    new RandomStream(seed).fillNormal(matrix.data);
    return matrix;
  });
  return {
    work: 2 * GEMM_ORDER ** 3,
    run: () => {
      blas.gemm('N', 'N', 1, a, b, 0, c);
    },
  };
}

function storedWork(blas: Blas): Work {
  const a = view(sharedFloat64(STORED_ORDER ** 2).fill(1 / 3), 0, STORED_ORDER, STORED_ORDER);
  const [x, y] = [zeros(STORED_ORDER, 1), zeros(STORED_ORDER, 1)];
  x.data.fill(1);
  return {
    work: STORED_ORDER ** 2,
    run: () => {
      blas.gemv('N', 1, a, x, 0, y);
    },
  };
}

function entriesWork(blas: Blas): Work {
  const points = { dimension: DIMENSION, count: 2 * ENTRIES, coordinates: new Float64Array(2 * DIMENSION * ENTRIES) };
  new RandomStream(SEED).fillNormal(points.coordinates);
  const source = kernelSource(points, matern32(1), { blas });
  const out = zeros(ENTRIES, ENTRIES);
  const [rows, cols] = [0, ENTRIES].map((first) => Int32Array.from({ length: ENTRIES }, (_, i) => first + i));
  return {
    work: ENTRIES ** 2,
    run: () => {
      source.entries(rows, cols, out);
    },
  };
}

/** A step of conjugate gradients beside its product. */
function vectorWork(): Work {
  const [x, r, p, q] = [1, 2, 3, 4].map((seed) => {
    const vector = new Float64Array(VECTOR_LENGTH);
    new RandomStream(seed).fillNormal(vector);
    return vector;
  });
  return {
    work: VECTOR_LENGTH,
    run: () => {
      const curvature = dot(p, q);
      const square = advance(x, r, 1e-9 / (1 + Math.abs(curvature)), p, q);
      multiplyAdd(p, square / (square + 1), r);
    },
  };
}
