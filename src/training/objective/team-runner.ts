/**
 * Phases of an objective on its team or on the calling thread, whichever a trial found faster (team-trial.ts): the bits
 * are the same.
 */
import type { TaskDefinition } from '../../parallel/task.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { TeamTrial, type TeamChoice } from './team-trial.js';

/** Shares a workspace with a team of more than one; undefined: there is nobody to share it with. */
export const sharedWith = async <S>(team: Team | undefined, workspace: S): Promise<Shared<S> | undefined> =>
  team !== undefined && team.workers > 1 ? team.share(workspace) : undefined;

/** Runs tasks over a workspace S, with what a phase is to do, W. */
export class TeamRunner<S, W> {
  readonly #tasks: TaskDefinition<S, W>;
  readonly #worker: { run(task: number, work: W): void };
  readonly #team: Team | undefined;
  readonly #shared: Shared<S> | undefined;
  readonly #trial: TeamTrial;

  /** `worker` runs the tasks on the calling thread; `shared` as `sharedWith` gives it. */
  constructor(
    tasks: TaskDefinition<S, W>,
    worker: { run(task: number, work: W): void },
    team: Team | undefined,
    shared: Shared<S> | undefined,
  ) {
    this.#tasks = tasks;
    this.#worker = worker;
    this.#team = team;
    this.#shared = shared;
    this.#trial = new TeamTrial(shared === undefined ? 1 : team!.workers);
  }

  /** On how many threads, and what the trial of both ways measured. */
  get choice(): TeamChoice {
    return this.#trial.choice;
  }

  /** Runs a phase; with `tries` it may be one that the trial times. */
  run(graph: TaskGraph, work: W, tries = false): void {
    const timed = tries && this.#trial.begin();
    const onTeam = this.#shared !== undefined && this.#trial.onTeam;
    const begin = timed ? performance.now() : 0;
    if (onTeam) this.#team!.runSync(this.#tasks, this.#shared, graph, work);
    else for (let task = 0; task < graph.count; task++) this.#worker.run(task, work);
    if (timed) this.#trial.took(performance.now() - begin);
  }

  /** Lets the team forget the workspace. */
  close(): void {
    if (this.#shared !== undefined) this.#team!.release(this.#shared);
  }
}
