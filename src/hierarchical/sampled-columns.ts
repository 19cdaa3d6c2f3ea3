/**
 * Sampled columns of K against those of its approximation: the measure behind every error this library states. Layer 5.
 */
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
  /** K̃(:, batch), size × columns of the batch, or nothing. */
  readonly approximation: Float64Array | null;
  /** Partial sums of a batch, panel by panel: exact and error of each column; summed in panel order. */
  readonly partial: Float64Array;
}

/** Sums of squares of K(panel, columns) and of its difference from the approximation. */
export const sumColumns = phaseKernel<ColumnState, { readonly columns: Int32Array }>(import.meta.url, 'sumColumns', (state, context) => {
  const source = openHandle(state.source, context);
  const { size, approximation, partial } = state;
  const scratch = new Float64Array(PANEL * state.width);
  const rows = new Int32Array(PANEL);
  return (panel, { columns }) => {
    const width = columns.length;
    const first = panel * PANEL;
    const count = Math.min(PANEL, size - first);
    for (let i = 0; i < count; i++) rows[i] = first + i;
    source.entries(rows.subarray(0, count), columns, view(scratch, 0, count, width));
    for (let j = 0; j < width; j++) {
      let exact = 0;
      let error = 0;
      for (let i = 0, p = j * count; i < count; i++, p++) {
        const value = scratch[p];
        exact += value * value;
        if (approximation === null) continue;
        const difference = value - approximation[first + i + j * size];
        error += difference * difference;
      }
      partial[2 * (panel * width + j)] = exact;
      partial[2 * (panel * width + j) + 1] = error;
    }
  };
});

/** Columns of K̃ to compare with: `evaluate` writes K̃(:, batch) into `values`, size × columns of the batch, over shared memory. */
export interface Approximation {
  readonly values: Float64Array;
  readonly evaluate: (batch: Int32Array) => void;
}

/** ‖K(:, j)‖² and ‖K(:, j) − K̃(:, j)‖² for each column j, `width` of them at a time; without an approximation the errors are 0. */
export async function columnSums(
  source: EntrySource, columns: Int32Array, width: number, approximation: Approximation | null, phase: string, control: TeamControl,
): Promise<{ exact: Float64Array; error: Float64Array }> {
  const { team } = control;
  const panels = Math.ceil(source.size / PANEL);
  const graph = independentTasks(panels);
  const { handle, modules, solo } = sourceState(source);
  const partial = sharedFloat64(2 * panels * width);
  const exact = new Float64Array(columns.length);
  const error = new Float64Array(columns.length);
  // Shared once for all batches: every worker opens the source once.
  const shared = await team.share<ColumnState>({ source: handle, size: source.size, width, approximation: approximation?.values ?? null, partial }, { modules, solo });
  try {
    for (let first = 0; first < columns.length; first += width) {
      const batch = columns.slice(first, first + width);
      approximation?.evaluate(batch);
      await team.run(phase, sumColumns, shared, graph, { columns: batch }, control);
      for (let panel = 0; panel < panels; panel++) {
        for (let j = 0; j < batch.length; j++) {
          exact[first + j] += partial[2 * (panel * batch.length + j)];
          error[first + j] += partial[2 * (panel * batch.length + j) + 1];
        }
      }
    }
  } finally {
    team.release(shared);
  }
  return { exact, error };
}
