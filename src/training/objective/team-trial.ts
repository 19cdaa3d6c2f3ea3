/**
 * Whether a team makes steps faster than one thread: the first steps are made both ways in turn and timed. The results
 * have the same bits either way; only the clock decides.
 */

/** How an objective's work is done. */
export interface TeamChoice {
  /** Threads that work: those of the team, or 1. */
  readonly threads: number;
  /** Median milliseconds of a gradient in the trial; null while it runs, or where there is no team. */
  readonly soloMilliseconds: number | null;
  readonly teamMilliseconds: number | null;
}

/** Steps that warm up, and timed ones of each way. */
const WARM = 2;
const TIMED = 5;

const median = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : [...values].sort((a, b) => a - b)[values.length >> 1];

/** The trial of an objective. */
export class TeamTrial {
  readonly #workers: number;
  readonly #solo: number[] = [];
  readonly #team: number[] = [];
  #calls = 0;
  #current = false;
  onTeam: boolean;

  constructor(workers: number) {
    this.#workers = workers;
    this.onTeam = workers > 1;
  }

  get running(): boolean {
    return this.#workers > 1 && this.#calls < 2 * (WARM + TIMED);
  }

  /** Whether the next step is made on the team. */
  next(): boolean {
    this.#current = this.#calls % 2 === 0;
    return this.#current;
  }

  /** Takes the time of the step. */
  took(milliseconds: number): void {
    if (this.#calls++ >= 2 * WARM) (this.#current ? this.#team : this.#solo).push(milliseconds);
    if (!this.running) this.onTeam = median(this.#team) < median(this.#solo);
  }

  get choice(): TeamChoice {
    const over = this.#workers > 1 && !this.running;
    return {
      threads: this.onTeam ? this.#workers : 1,
      soloMilliseconds: over ? median(this.#solo) : null,
      teamMilliseconds: over ? median(this.#team) : null,
    };
  }
}
