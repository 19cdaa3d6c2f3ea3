/**
 * Sampled columns of K against those of its approximation: the measure behind every error this library states. Layer 5.
 */
import { throwIfAborted } from '../core/context.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import { phaseKernel } from '../parallel/kernel.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../source/share-source.js';

/** Rows evaluated at a time. */
const PANEL = 512;

interface ColumnState {
  readonly source: SourceHandle;
  readonly size: number;
  /** Most columns of a batch. */
  readonly width: number;
  /** K̃(:, batch) of each approximation, size × columns of the batch. */
  readonly approximations: readonly Float64Array[];
  /** Partial sums of a batch, panel by panel: of each column the exact one, and the errors; summed in panel order. */
  readonly partial: Float64Array;
}

/** Sums of squares of K(panel, columns) and of its differences from the approximations. */
export const sumColumns = phaseKernel<ColumnState, { readonly columns: Int32Array }>(import.meta.url, 'sumColumns', (state, context) => {
  const source = openHandle(state.source, context);
  const { size, approximations, partial } = state;
  const scratch = new Float64Array(PANEL * state.width);
  const rows = new Int32Array(PANEL);
  const sums = 1 + approximations.length;
  return (panel, { columns }) => {
    const width = columns.length;
    const first = panel * PANEL;
    const count = Math.min(PANEL, size - first);
    for (let i = 0; i < count; i++) rows[i] = first + i;
    source.entries(rows.subarray(0, count), columns, view(scratch, 0, count, width));
    for (let j = 0; j < width; j++) {
      const at = sums * (panel * width + j);
      partial[at] = sumOfSquares(scratch, j * count, count);
      for (let k = 1; k < sums; k++) partial[at + k] = sumOfDifferences(scratch, j * count, approximations[k - 1], first + j * size, count);
    }
  };
});

function sumOfSquares(a: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += a[i] * a[i];
  return sum;
}

function sumOfDifferences(a: Float64Array, from: number, b: Float64Array, at: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const difference = a[from + i] - b[at + i];
    sum += difference * difference;
  }
  return sum;
}

/** Columns of K̃ to compare with: `evaluate` writes K̃(:, batch) into `values`, size × columns of the batch, over shared memory. */
export interface ColumnsToCompare {
  readonly values: Float64Array;
  readonly evaluate: (batch: Int32Array) => void | Promise<void>;
}

/** ‖K(:, j)‖² and, for each approximation, ‖K(:, j) − K̃(:, j)‖² for each column j, `width` of them at a time; K is evaluated once for all approximations. */
export async function columnSums(
  source: EntrySource, columns: Int32Array, width: number, approximations: readonly ColumnsToCompare[], phase: string, control: TeamControl,
): Promise<{ exact: Float64Array; errors: Float64Array[] }> {
  const { team } = control;
  const panels = Math.ceil(source.size / PANEL);
  const graph = independentTasks(panels);
  const { handle, modules, solo } = sourceState(source);
  const sums = 1 + approximations.length;
  const partial = sharedFloat64(sums * panels * width);
  const totals = Array.from({ length: sums }, () => new Float64Array(columns.length));
  // Shared once for all batches: every worker opens the source once.
  const shared = await team.share<ColumnState>({ source: handle, size: source.size, width, approximations: approximations.map(({ values }) => values), partial }, { modules, solo });
  try {
    for (let first = 0; first < columns.length; first += width) {
      throwIfAborted(control.signal);
      const batch = columns.slice(first, first + width);
      for (const { evaluate } of approximations) await evaluate(batch);
      await team.run(phase, sumColumns, shared, graph, { columns: batch }, { signal: control.signal });
      for (let panel = 0; panel < panels; panel++) {
        for (let j = 0; j < batch.length; j++) for (let k = 0; k < sums; k++) totals[k][first + j] += partial[sums * (panel * batch.length + j) + k];
      }
      control.onProgress?.({ phase, done: Math.min(columns.length, first + width), total: columns.length });
    }
  } finally {
    team.release(shared);
  }
  return { exact: totals[0], errors: totals.slice(1) };
}
