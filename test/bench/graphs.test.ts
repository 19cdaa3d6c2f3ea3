/** Critical paths and makespans of graphs of tasks, against those found by hand. */
import { describe, expect, it } from 'vitest';
import { criticalPath, makespan } from '../../dist/bench/list-schedule.js';
import { independentTasks, taskGraph, upwardTasks } from '#hmatrix/parallel/task-graph.js';

describe('list scheduling', () => {
  it('of_a_binary_tree_of_equal_tasks', () => {
    const graph = upwardTasks(15);
    const ones = new Float64Array(15).fill(1);
    expect(criticalPath(graph, ones)).toBe(4);
    expect([1, 2, 4, 8].map((workers) => makespan(graph, ones, workers))).toEqual([15, 8, 5, 4]);
  });

  it('takes_the_task_that_was_ready_first_and_waits_for_the_longest_path', () => {
    // 0 → 2 → 4, 1 → 3.
    const graph = taskGraph(5, [0, 2, 2, 4, 1, 3]);
    const durations = Float64Array.of(1, 2, 3, 4, 5);
    expect(criticalPath(graph, durations)).toBe(9);
    expect(makespan(graph, durations, 2)).toBe(9);
    expect(makespan(graph, durations, 1)).toBe(15);
  });

  it('of_tasks_without_order', () => {
    const durations = Float64Array.of(3, 1, 1, 1);
    expect(makespan(independentTasks(4), durations, 2)).toBe(3);
    expect(criticalPath(independentTasks(4), durations)).toBe(3);
  });
});
