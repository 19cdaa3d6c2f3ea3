/**
 * Which indices stand in some arrays: put among places (core/index-places.ts) by the workers of a team.
 */
import { putIndex, type IndexPlaces } from '../core/index-places.js';
import { runOnce } from './run-once.js';
import { independentTasks } from './task-graph.js';
import { defineTask } from './task.js';
import type { TeamControl } from './team-control.js';

/** Numbers of a task. */
const NUMBERS = 2 ** 16;

/** Where indices are put that stand in some arrays, each in equal parts. */
interface NamedState {
  readonly places: IndexPlaces;
  readonly named: readonly Int32Array[];
  readonly tasks: number;
}

/** Per equal part of each array: its indices are in; −1 is none. */
export const putNamed = defineTask<NamedState>(
  import.meta.url,
  'putNamed',
  ({ places, named, tasks }, { workers }) =>
    (task) => {
      for (const some of named) {
        const end = Math.floor((some.length * (task + 1)) / tasks);
        for (let k = Math.floor((some.length * task) / tasks); k < end; k++)
          if (some[k] >= 0) putIndex(places, some[k], workers === 1);
      }
    },
);

/** Puts the indices in that stand in some arrays over shared memory, but for −1. Throws AbortedError. */
export async function putIndices(
  places: IndexPlaces,
  named: readonly Int32Array[],
  phase: string,
  { team, signal }: TeamControl,
): Promise<void> {
  const tasks = Math.ceil(named.reduce((sum, { length }) => sum + length, 0) / NUMBERS);
  await runOnce(phase, putNamed, { places, named, tasks }, independentTasks(tasks), { team, signal });
}
