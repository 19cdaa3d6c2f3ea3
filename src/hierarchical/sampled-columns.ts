/**
 * Sampled columns of K against those of its approximation: the measure behind every error this library states. Layer 5.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
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
  readonly columns: Int32Array;
  /** K̃(:, columns), size × columns, or nothing. */
  readonly approximation: Float64Array | null;
  /** Partial sums, panel by panel: exact and error, columns each; summed in panel order. */
  readonly partial: Float64Array;
}

/** Sums of squares of K(panel, columns) and of its difference from the approximation. */
export const sumColumns = phaseKernel<ColumnState>(import.meta.url, 'sumColumns', (state, context) => {
  const source = openHandle(state.source, context);
  const { size, columns, approximation, partial } = state;
  const width = columns.length;
  const scratch = new Float64Array(PANEL * width);
  const rows = new Int32Array(PANEL);
  return (panel) => {
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

/** ‖K(:, j)‖² and ‖K(:, j) − K̃(:, j)‖² for each given column j; without an approximation the errors are 0. */
export async function columnSums(source: EntrySource, columns: Int32Array, approximation: Matrix | null, phase: string, control: TeamControl): Promise<{ exact: Float64Array; error: Float64Array }> {
  const panels = Math.ceil(source.size / PANEL);
  const width = columns.length;
  const { handle, modules, solo } = sourceState(source);
  const partial = sharedFloat64(2 * panels * width);
  const state: ColumnState = { source: handle, size: source.size, columns, approximation: approximation === null ? null : (approximation.data as Float64Array), partial };
  const shared = await control.team.share(state, { modules, solo });
  try {
    await control.team.run(phase, sumColumns, shared, independentTasks(panels), undefined, control);
  } finally {
    control.team.release(shared);
  }
  const exact = new Float64Array(width);
  const error = new Float64Array(width);
  for (let panel = 0; panel < panels; panel++) {
    for (let j = 0; j < width; j++) {
      exact[j] += partial[2 * (panel * width + j)];
      error[j] += partial[2 * (panel * width + j) + 1];
    }
  }
  return { exact, error };
}
