/**
 * What a graph of tasks allows: its critical path, and how long a number of workers takes by list scheduling.
 */
import type { TaskGraph } from '../src/parallel/task-graph.js';

type Order = Pick<TaskGraph, 'count' | 'independent' | 'predecessors' | 'successorBegin' | 'successors'>;

/**
 * When the last task ends if `workers` start every task as soon as it is ready and one of them is free, the one that
 * has been ready longest first (ties: the smaller number); `durations` in any unit. With as many workers as tasks that
 * is the critical path, max over paths of Σ durations. Hand-over and memory cost nothing. R. L. Graham, SIAM J. Appl.
 * Math. 17(2), 1969: at most 2 − 1/workers times the best schedule. Cost O(count·(ready + workers)).
 */
export function makespan(graph: Order, durations: Float64Array, workers: number): number {
  const { count, independent, predecessors, successorBegin, successors } = graph;
  const waiting = independent ? new Int32Array(count) : predecessors.slice();
  const readyAt = new Float64Array(count);
  const free = new Float64Array(Math.min(workers, count));
  const ready: number[] = [];
  for (let task = 0; task < count; task++) if (waiting[task] === 0) ready.push(task);
  let last = 0;
  while (ready.length > 0) {
    let [next, worker] = [0, 0];
    for (let r = 1; r < ready.length; r++) {
      const earlier = readyAt[ready[r]] - readyAt[ready[next]];
      if (earlier < 0 || (earlier === 0 && ready[r] < ready[next])) next = r;
    }
    for (let w = 1; w < free.length; w++) if (free[w] < free[worker]) worker = w;
    const [task] = ready.splice(next, 1);
    const end = Math.max(free[worker], readyAt[task]) + durations[task];
    free[worker] = end;
    last = Math.max(last, end);
    if (independent) continue;
    for (let s = successorBegin[task]; s < successorBegin[task + 1]; s++) {
      const successor = successors[s];
      readyAt[successor] = Math.max(readyAt[successor], end);
      if (--waiting[successor] === 0) ready.push(successor);
    }
  }
  return last;
}

/** The longest path: no number of workers ends sooner. */
export const criticalPath = (graph: Order, durations: Float64Array): number => makespan(graph, durations, graph.count);
