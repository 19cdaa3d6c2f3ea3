/**
 * What the tasks of a launch on the team have: its lists and operands, all over shared memory.
 */
import type { FloatArray } from '../../core/floats.js';
import type { WorkLists } from '../work/demand.js';

/** Columns of a target that are one task: what is cut, and so the bits, does not depend on the team. */
export const PANEL_COLUMNS = 256;

/** What the tasks of a launch work on; S: the numbers of its kind. */
export interface KernelState<S> {
  readonly lists: WorkLists;
  /** What each task does, record by record. */
  readonly tasks: Float64Array;
  readonly operands: Readonly<Record<string, FloatArray>>;
  readonly settings: S;
}

/** What a launch brings anew. */
export interface KernelArguments {
  /** Numbers of a row of vectors. */
  readonly width: number;
}

/** Tasks of two words: the number of a record, and the first of each panel of its columns. */
export function panelTasks(columns: readonly number[]): number[] {
  const tasks: number[] = [];
  columns.forEach((count, record) => {
    for (let first = 0; first < count; first += PANEL_COLUMNS) tasks.push(record, first);
  });
  return tasks;
}
