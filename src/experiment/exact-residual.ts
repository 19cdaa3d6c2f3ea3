/**
 * ‖b − (K + λI)x‖/‖b‖ for an x that was found with something else than K itself, by K's own products or entries.
 * From products: exact. From entries: all rows up to N = 20,000, N² entries; beyond, a seeded sample of rows without
 * replacement, with a 95 % interval of the mean of their squares.
 */
import { RandomStream } from '../core/random.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { block, copyInto, view, type Matrix } from '../dense/matrix.js';
import { sampleWithoutReplacement } from '../hierarchical/measure/error-estimate.js';
import { meanInterval } from '../krylov/mean-interval.js';
import { defineTask } from '../parallel/task.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { columnLength } from '../solve/precision.js';
import { openHandle, sourceState, type SourceHandle } from '../source/share-source.js';

/** Relative residuals, exact or estimated. */
export interface ExactResidual {
  /** The residual of each right-hand side; estimates where not all rows were looked at. */
  readonly residuals: Float64Array;
  /**
   * The 95 % interval of each; where all rows were looked at, the residual itself. `high` is infinite where a sample
   * saw no residual at all.
   */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Rows looked at, of N. */
  readonly rows: number;
}

/** How many rows are looked at. */
export interface ResidualOptions {
  /** Default 0. Seeds the sample of rows. */
  readonly seed?: number | undefined;
  /** Up to this N all rows are looked at; default 20,000. */
  readonly exactSize?: number | undefined;
  /** Rows of a sample; default: as many as 400 million entries are, at least 256. */
  readonly sampleRows?: number | undefined;
}

const EXACT_SIZE = 20_000;
const SAMPLE_ENTRIES = 4e8;
const LEAST_ROWS = 256;
const STREAM = 0x72657369;
/** Rows of a task, and columns evaluated at a time. */
const PANEL = 64;
const COLUMNS = 1024;

interface RowState {
  readonly source: SourceHandle;
  readonly size: number;
  readonly rows: Int32Array;
  readonly x: Float64Array;
  readonly products: Float64Array;
  readonly vectors: number;
}

/** K(rows, :)·x for a panel of rows. */
export const residualRows = defineTask<RowState>(import.meta.url, 'residualRows', (state, context) => {
  const { blas } = context;
  const { size, rows, x, products, vectors } = state;
  const source = openHandle(state.source, context);
  const scratch = new Float64Array(PANEL * COLUMNS);
  const right = view(x, 0, size, vectors);
  const out = view(products, 0, rows.length, vectors);
  return (task) => {
    const first = task * PANEL;
    const count = Math.min(PANEL, rows.length - first);
    for (let from = 0; from < size; from += COLUMNS) {
      const width = Math.min(COLUMNS, size - from);
      const entries = view(scratch, 0, count, width);
      source.entries(
        rows.subarray(first, first + count),
        Int32Array.from({ length: width }, (_, j) => from + j),
        entries,
      );
      blas.gemm(
        'N',
        'N',
        1,
        entries,
        block(right, from, 0, width, vectors),
        from === 0 ? 0 : 1,
        block(out, first, 0, count, vectors),
      );
    }
  };
});

/**
 * See above; b and x are N × p, of either precision. The same seed gives the same rows, and any team the same bits.
 * Throws AbortedError, and what the source throws.
 */
export async function exactResidual(
  source: EntrySource,
  shift: number,
  { b, x }: { readonly b: Matrix; readonly x: Matrix },
  { seed = 0, exactSize = EXACT_SIZE, sampleRows }: ResidualOptions,
  control: TeamControl,
): Promise<ExactResidual> {
  const { size } = source;
  const vectors = b.cols;
  const wide = view(sharedFloat64(size * vectors), 0, size, vectors);
  copyInto(wide, x);
  const wanted =
    source.operator !== undefined || size <= exactSize
      ? size
      : (sampleRows ?? Math.max(LEAST_ROWS, Math.floor(SAMPLE_ENTRIES / size)));
  const chosen = sampleWithoutReplacement(size, wanted, new RandomStream(seed, STREAM));
  const rows = sharedInt32(chosen.length);
  rows.set(chosen);
  const products = sharedFloat64(rows.length * vectors);
  if (source.operator !== undefined) source.operator.applyUnchecked(view(products, 0, size, vectors), wide, 1, 0);
  else {
    const { handle, modules, solo } = sourceState(source);
    const { team } = control;
    const shared = await team.share<RowState>(
      { source: handle, size, rows, x: wide.data as Float64Array, products, vectors },
      { modules, solo },
    );
    try {
      await team.run(
        'exact residual',
        residualRows,
        shared,
        independentTasks(Math.ceil(rows.length / PANEL)),
        undefined,
        control,
      );
    } finally {
      team.release(shared);
    }
  }
  const [residuals, low, high] = [0, 1, 2].map(() => new Float64Array(vectors));
  for (let j = 0; j < vectors; j++) {
    const length = columnLength(b, j);
    const squares = Float64Array.from(rows, (i, k) => {
      const rest = b.data[b.offset + i + j * b.ld] - products[k + j * rows.length] - shift * wide.data[i + j * size];
      return length > 0 ? (rest / length) ** 2 : 0;
    });
    if (rows.length === size) {
      residuals[j] = low[j] = high[j] = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
      continue;
    }
    const { value, lower, upper } = meanInterval(squares.map((square) => size * square));
    residuals[j] = Math.sqrt(value);
    low[j] = Math.sqrt(Math.max(0, lower));
    high[j] = value > 0 ? Math.sqrt(upper) : Number.POSITIVE_INFINITY;
  }
  return { residuals, low, high, rows: rows.length };
}
