/**
 * Task graphs: what may run when, flat and shared.
 * A task becomes ready when all its predecessors are done; ready tasks stand in a queue with one slot per task, so a
 * claimed slot is always filled eventually and no task can be lost. Which worker runs a task never matters to the
 * result.
 */
import { OptionError } from '../core/errors.js';
import { sharedInt32 } from '../core/shared-array.js';

/** Tasks 0 … count − 1 and their order, over shared memory. One run of a graph at a time. */
export interface TaskGraph {
  readonly count: number;
  /** Without edges: tasks are handed out in order 0 … count − 1 and the arrays below are empty. */
  readonly independent: boolean;
  /** Number of predecessors of each task. */
  readonly predecessors: Int32Array;
  /** Successors of task t: successors[successorBegin[t] … successorBegin[t + 1]). */
  readonly successorBegin: Int32Array;
  readonly successors: Int32Array;
  /**
   * Predecessors still running, per task, and the queue of ready tasks (task + 1; 0 is an empty slot): reset for each
   * run.
   */
  readonly remaining: Int32Array;
  readonly queue: Int32Array;
}

const NONE = sharedInt32(0);

/** `count` tasks without order among them. */
export function independentTasks(count: number): TaskGraph {
  return {
    count,
    independent: true,
    predecessors: NONE,
    successorBegin: NONE,
    successors: NONE,
    remaining: NONE,
    queue: NONE,
  };
}

/** `count` tasks; edges[2e] must be done before edges[2e + 1] starts. Throws OptionError on a cycle. */
export function taskGraph(count: number, edges: ArrayLike<number>): TaskGraph {
  const predecessors = sharedInt32(count);
  const successorBegin = sharedInt32(count + 1);
  const successors = sharedInt32(edges.length / 2);
  for (let e = 0; e < edges.length; e += 2) {
    successorBegin[edges[e] + 1]++;
    predecessors[edges[e + 1]]++;
  }
  for (let t = 0; t < count; t++) successorBegin[t + 1] += successorBegin[t];
  const next = successorBegin.slice(0, count);
  for (let e = 0; e < edges.length; e += 2) successors[next[edges[e]]++] = edges[e + 1];
  const graph: TaskGraph = {
    count,
    independent: false,
    predecessors,
    successorBegin,
    successors,
    remaining: sharedInt32(count),
    queue: sharedInt32(count),
  };
  // Walk it once: a cycle would make a team wait forever.
  let tail = resetRun(graph);
  for (let head = 0; head < tail; head++) {
    const t = graph.queue[head] - 1;
    for (let s = successorBegin[t]; s < successorBegin[t + 1]; s++) {
      if (--graph.remaining[successors[s]] === 0) graph.queue[tail++] = successors[s] + 1;
    }
  }
  if (tail !== count)
    throw new OptionError(`The task graph has a cycle: only ${tail} of ${count} tasks can ever start.`, {
      count,
      reachable: tail,
    });
  return graph;
}

/** Readies the graph for a run; returns how many tasks stand in the queue already. */
export function resetRun(graph: TaskGraph): number {
  if (graph.independent) return graph.count;
  graph.remaining.set(graph.predecessors);
  graph.queue.fill(0);
  let tail = 0;
  for (let t = 0; t < graph.count; t++) if (graph.predecessors[t] === 0) graph.queue[tail++] = t + 1;
  return tail;
}

/** One task per node of a complete binary tree in heap numbering: children before parents. */
export function upwardTasks(nodes: number): TaskGraph {
  const edges: number[] = [];
  for (let ν = nodes - 1; ν > 0; ν--) edges.push(ν, (ν - 1) >> 1);
  return taskGraph(nodes, edges);
}
