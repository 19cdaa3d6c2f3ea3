/**
 * One run: compress, multiply, measure the error, and record it. The command and the benchmarks both run this.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix, type Precision } from '../dense/matrix.js';
import { agreedAny } from '../distributed/agreed.js';
import { decide } from '../hierarchical/measure/error-interval.js';
import { blockErrors } from '../hierarchical/matrix/block-errors.js';
import { blockStructure, type BlockStructure } from '../hierarchical/matrix/block-structure.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import { peakMemory } from '../io/machine.js';
import type { Device } from '../device/device.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { compressInput } from './compress-input.js';
import { median } from '../core/median.js';
import { measureDgemm } from './dgemm-rate.js';
import { circumstances, type CompressionRecord, type InputDescription } from './record.js';
import { observeWorkers } from './worker-times.js';

/** What one run compresses and measures. */
export interface CompressionSetup {
  readonly source: EntrySource;
  /** The network whose Gauss–Newton matrix `source` is: the tree is then chosen among those for networks. */
  readonly model?: Model | undefined;
  /** Where skeletons are found; default: the team. */
  readonly device?: Device | undefined;
  readonly input: InputDescription;
  readonly options: CompressOptions;
  /** Vectors multiplied at once; default 64. */
  readonly vectors?: number | undefined;
  /** Products that are timed at most; default 7. No more are begun after two seconds. */
  readonly products?: number | undefined;
  /** Columns the error is measured on; default: as `estimateError` takes them to tell whether the tolerance is met. */
  readonly errorColumns?: number | undefined;
  /** Whether the record keeps the blocks, and their errors, which takes a column of each leaf. */
  readonly blocks?: boolean | undefined;
}

/** The compressed matrix, and the record of the run. */
export interface CompressionRun {
  readonly matrix: HierarchicalMatrix;
  readonly record: CompressionRecord;
}

const VECTOR_STREAM = 0x76656373;
const TIME_LIMIT_SECONDS = 2;

/**
 * An N × p block of standard normal numbers, over shared memory; column j depends on seed and j alone, so fewer are the
 * first of more.
 */
export function randomVectors(size: number, vectors: number, seed: number, precision: Precision = 'f64'): Matrix {
  const data = precision === 'f64' ? sharedFloat64(size * vectors) : sharedFloat32(size * vectors);
  for (let j = 0; j < vectors; j++)
    new RandomStream(seed, VECTOR_STREAM, j).fillNormal(data.subarray(j * size, (j + 1) * size));
  return view(data, 0, size, vectors);
}

/** The median time of a product with `vectors` seeded vectors, after one that is not counted. */
async function timeProducts(
  matrix: HierarchicalMatrix,
  vectors: number,
  limit: number,
  control: TeamControl,
): Promise<{ seconds: number; products: number }> {
  const { dtype, seed } = matrix.report;
  const x = randomVectors(matrix.size, vectors, seed, dtype as Precision);
  const length = matrix.size * vectors;
  const y = view(dtype === 'f64' ? sharedFloat64(length) : sharedFloat32(length), 0, matrix.size, vectors);
  const times: number[] = [];
  const began = performance.now();
  for (let k = 0; k <= limit; k++) {
    // Products are synchronous: let signals in between them.
    await nextTurn();
    throwIfAborted(control.signal);
    const start = performance.now();
    matrix.apply(x, y);
    const end = performance.now();
    if (k > 0) times.push((end - start) / 1000);
    control.onProgress?.({ phase: 'apply', done: k, total: limit });
    const isOver = times.length > 0 && end - began > 1000 * TIME_LIMIT_SECONDS;
    if (agreedAny(control.team.communicator, isOver)) break;
  }
  return { seconds: median(times), products: times.length };
}

/** The blocks with their errors: two digits, for they come from a column of each leaf. */
async function measuredBlocks(
  matrix: HierarchicalMatrix,
  source: EntrySource,
  { signal, onProgress }: TeamControl,
): Promise<BlockStructure> {
  const errors = await blockErrors(matrix, source, { columns: 1, seed: matrix.report.seed }, { signal, onProgress });
  return {
    ...blockStructure(matrix),
    errors: errors.map((error) => (error === null ? null : Number(error.toPrecision(2)))),
  };
}

/**
 * Compresses, multiplies with seeded normal vectors, measures the error and the machine's dgemm rate. The matrix is the
 * caller's to release. Throws what `compress` throws.
 */
export async function runCompression(setup: CompressionSetup, control: TeamControl): Promise<CompressionRun> {
  const { input, options, source } = setup;
  const { vectors = 64, products: limit = 7 } = setup;
  for (const [name, value] of [
    ['vectors', vectors],
    ['products', limit],
  ] as const) {
    if (!Number.isInteger(value) || value < 1)
      throw new OptionError(`${name} must be a whole number of at least 1, not ${value}.`, { option: name, value });
  }
  const observed = observeWorkers(control.team);
  const { matrix, distance, choosing } = await compressInput(setup, options, control).finally(observed.end);
  try {
    const { seconds: apply, products } = await timeProducts(matrix, vectors, limit, control);
    const peakBytes = peakMemory();
    const { report } = matrix;
    // A small matrix is not worth a third of a second.
    const round = Math.min(0.12, Math.max(0.02, report.seconds.compress / 40));
    const dgemm = await measureDgemm(control.team, control, round);
    const began = performance.now();
    const how = { seed: report.seed, tolerance: report.tolerance, columns: setup.errorColumns };
    const estimate = await matrix.estimateError(source, how, control);
    const error = (performance.now() - began) / 1000;
    const decision = decide(estimate, report.tolerance);
    const blocks = setup.blocks === true ? await measuredBlocks(matrix, source, control) : undefined;
    const { bytes, share, ...parts } = matrix.memory();
    const { format, leafSize, maxRank, tolerance, neighbors, budget, dtype, preserve } = report;
    const record: CompressionRecord = {
      record: 'compression',
      input,
      options: {
        format,
        leafSize,
        maxRank,
        tolerance,
        neighbors,
        budget,
        distance,
        dtype,
        preserve,
      },
      chosen: report.chosen,
      seed: report.seed,
      workers: report.workers,
      vectors,
      seconds: {
        ...report.seconds,
        tree: report.seconds.tree + choosing,
        compress: report.seconds.compress + choosing,
        apply,
        error,
      },
      products,
      gflops: { apply: matrix.flops(vectors) / apply / 1e9, dgemm },
      error: { ...estimate, tolerance, met: decision === 'met', decision },
      memory: { bytes, share, peakBytes, wholePeakBytes: peakMemory(), parts },
      timeline: observed.end(),
      ranks: matrix.ranks(),
      blocks,
      neighborRecall: report.recall,
      budgetUsed: report.budgetUsed,
      nodes: { resampled: report.resampled, missed: report.missed },
      limits: report.limits,
      device: setup.device?.description,
      neighborsOn: report.neighborsOn,
      blas: report.blas,
      ...circumstances(),
    };
    return { matrix, record };
  } catch (error) {
    matrix.release();
    throw error;
  }
}
