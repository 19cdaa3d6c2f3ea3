/**
 * One phase over a state of its own.
 */
import type { PhaseKernel } from './kernel.js';
import type { TaskGraph } from './task-graph.js';
import type { TeamControl } from './team-control.js';

/**
 * Shares the state, runs the phase and releases the state, also where the phase fails. Throws what `Team.run` throws.
 */
export async function runOnce<S>(
  phase: string,
  kernel: PhaseKernel<S>,
  state: S,
  graph: TaskGraph,
  control: TeamControl,
): Promise<void> {
  const shared = await control.team.share(state);
  try {
    await control.team.run(phase, kernel, shared, graph, undefined, control);
  } finally {
    control.team.release(shared);
  }
}
