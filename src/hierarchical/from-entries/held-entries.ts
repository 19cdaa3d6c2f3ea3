/**
 * What a team skeletonizes nodes with: the state, and a source. Where each of several ranks has a part of that, its
 * entries among the indices that the nodes in work read, which are brought before.
 */
import type { TeamControl } from '../../parallel/team-control.js';
import type { Shared } from '../../parallel/team.js';
import type { EntrySource } from '../../source/entry-source.js';
import { sourceState } from '../../source/share-source.js';
import type { Skeletons, SkeletonState } from './skeleton-state.js';

/** Shares a state with a team, again and again where the source is in parts. */
export class HeldEntries {
  readonly #source: EntrySource;
  readonly #state: Skeletons;
  readonly #control: TeamControl;
  #shared: Shared<SkeletonState> | undefined;

  constructor(source: EntrySource, state: Skeletons, control: TeamControl) {
    this.#source = source;
    this.#state = state;
    this.#control = control;
  }

  /**
   * The state with entries among the indices that stand in some arrays, this time or before, and the first time in
   * `others`. Collective; throws MemoryError, AbortedError.
   */
  async among(named: () => readonly Int32Array[], others: readonly Int32Array[] = []): Promise<Shared<SkeletonState>> {
    const { parts } = this.#source;
    if (this.#shared !== undefined && parts === undefined) return this.#shared;
    const keeps = this.#shared !== undefined;
    this.release();
    const source =
      parts === undefined
        ? this.#source
        : await parts.holding(() => (keeps ? named() : [...others, ...named()]), keeps, this.#control);
    const { handle, modules, solo } = sourceState(source);
    this.#shared = await this.#control.team.share({ ...this.#state, source: handle }, { modules, solo });
    return this.#shared;
  }

  /** Lets the team go of it. */
  release(): void {
    if (this.#shared !== undefined) this.#control.team.release(this.#shared);
    this.#shared = undefined;
  }
}
