/**
 * Task graphs: what may run when, flat and shared.
 * A task becomes ready when all its predecessors are done; ready tasks stand in a queue with one slot per task
 * (schedule.ts). Which worker runs a task never matters to the result.
 */
import { OptionError } from '../core/errors.js';
import { levelOf } from '../core/indices.js';
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
   * Where each task's data lie, from 0 to 2¹⁶ − 1: tasks of like places go to the same worker, where it has time. An
   * even share of the work should lie in every part of that range.
   */
  readonly place: Int32Array;
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
    place: NONE,
    remaining: NONE,
    queue: NONE,
  };
}

/**
 * `count` tasks; edges[2e] must be done before edges[2e + 1] starts. `places`: where each task's data lie, in [0, 1)
 * (see `place`); default: in the order of the numbers. Throws OptionError on a cycle.
 */
export function taskGraph(count: number, edges: ArrayLike<number>, places?: ArrayLike<number>): TaskGraph {
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
  const place = sharedInt32(count);
  for (let t = 0; t < count; t++) place[t] = 2 ** 16 * (places === undefined ? t / count : places[t]);
  const reachable = reach(predecessors, successorBegin, successors);
  if (reachable !== count)
    throw new OptionError(`The task graph has a cycle: only ${reachable} of ${count} tasks can ever start.`, {
      count,
      reachable,
    });
  const [remaining, queue] = [sharedInt32(count), sharedInt32(count)];
  return { count, independent: false, predecessors, successorBegin, successors, place, remaining, queue };
}

/** How many tasks can start: a cycle would make a team wait forever. */
function reach(predecessors: Int32Array, successorBegin: Int32Array, successors: Int32Array): number {
  const remaining = predecessors.slice();
  const ready: number[] = [];
  for (let t = 0; t < remaining.length; t++) if (remaining[t] === 0) ready.push(t);
  for (let head = 0; head < ready.length; head++) {
    const t = ready[head];
    for (let s = successorBegin[t]; s < successorBegin[t + 1]; s++)
      if (--remaining[successors[s]] === 0) ready.push(successors[s]);
  }
  return ready.length;
}

/** The middle of node ν's range in a complete binary tree over [0, 1). */
export function middleOfNode(ν: number): number {
  const level = levelOf(ν);
  return (ν + 1.5) / 2 ** level - 1;
}

/** One task per node of a complete binary tree in heap numbering: children before parents. */
export function upwardTasks(nodes: number): TaskGraph {
  const edges: number[] = [];
  for (let ν = nodes - 1; ν > 0; ν--) edges.push(ν, (ν - 1) >> 1);
  return taskGraph(
    nodes,
    edges,
    Float64Array.from({ length: nodes }, (_, ν) => middleOfNode(ν)),
  );
}
