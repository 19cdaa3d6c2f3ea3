/**
 * One phase over a state of its own.
 */
import type { TaskDefinition } from './task.js';
import type { TaskGraph } from './task-graph.js';
import type { TeamControl } from './team-control.js';

/**
 * Shares the state, runs the phase and releases the state, also where the phase fails. Throws what `Team.run` throws.
 */
export async function runOnce<S>(
  phase: string,
  definition: TaskDefinition<S>,
  state: S,
  graph: TaskGraph,
  control: TeamControl,
): Promise<void> {
  await runOnceWith(phase, definition, { state }, graph, control);
}

/** A state, and what `Team.share` needs to know of it. */
export interface StateToShare<S> {
  readonly state: S;
  /** Modules that every worker loads first. Default none. */
  readonly modules?: readonly string[] | undefined;
  /** Only the calling thread holds the state. Default false. */
  readonly solo?: boolean | undefined;
}

/** As `runOnce`, for a state that names modules, or that stays on the calling thread. */
export async function runOnceWith<S>(
  phase: string,
  definition: TaskDefinition<S>,
  { state, modules, solo }: StateToShare<S>,
  graph: TaskGraph,
  control: TeamControl,
): Promise<void> {
  const shared = await control.team.share(state, { modules, solo });
  try {
    await control.team.run(phase, definition, shared, graph, undefined, control);
  } finally {
    control.team.release(shared);
  }
}
