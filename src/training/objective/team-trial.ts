/**
 * Whether a team makes steps faster than one thread: now and then some steps are made one way, the next ones the other,
 * and timed. The results have the same bits either way; only the clock decides.
 */

/** How an objective's work is done. */
export interface TeamChoice {
  /** Threads that work: those of the team, or 1. */
  readonly threads: number;
  /** Median milliseconds of a gradient in the last trial; null before its end, and where there is no team. */
  readonly soloMilliseconds: number | null;
  readonly teamMilliseconds: number | null;
}

/**
 * Steps of each way in a row, and how many of them are not timed: threads that were left alone sleep, and take longer
 * at first. Beside long steps that is nothing.
 */
const SHORT_ROW = { steps: 8, warm: 3 };
const LONG_ROW = { steps: 1, warm: 0 };
const LONG_MILLISECONDS = 20;
/** Steps before the rows, on the team: the first one is cold, the second tells how long steps are. */
const FIRST = 2;
/** Rows of a trial: team, solo, team, solo. */
const ROWS = 4;
/** Steps between two trials, whose machine may have become another one's: busy, or free. */
const PERIOD = 1000;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** The trials of an objective. */
export class TeamTrial {
  readonly #workers: number;
  #solo: number[] = [];
  #team: number[] = [];
  #soloMilliseconds: number | null = null;
  #teamMilliseconds: number | null = null;
  #row = SHORT_ROW;
  #calls = 0;
  /** Whether work goes to the team. */
  onTeam: boolean;

  constructor(workers: number) {
    this.#workers = workers;
    this.onTeam = workers > 1;
  }

  /** Before a step; whether it is timed, and then `took` is called after it. */
  begin(): boolean {
    if (this.#workers === 1) return false;
    const at = (this.#calls++ % PERIOD) - FIRST;
    const { steps } = this.#row;
    if (at >= steps * ROWS) return false;
    this.onTeam = at < 0 || Math.floor(at / steps) % 2 === 0;
    return true;
  }

  /** Takes the time of the step that was begun. */
  took(milliseconds: number): void {
    const at = ((this.#calls - 1) % PERIOD) - FIRST;
    if (at === -1) this.#row = milliseconds > LONG_MILLISECONDS ? LONG_ROW : SHORT_ROW;
    if (at < 0) return;
    const { steps, warm } = this.#row;
    if (at % steps >= warm) (this.onTeam ? this.#team : this.#solo).push(milliseconds);
    if (at !== steps * ROWS - 1) return;
    this.#soloMilliseconds = median(this.#solo);
    this.#teamMilliseconds = median(this.#team);
    this.onTeam = this.#teamMilliseconds < this.#soloMilliseconds;
    this.#solo = [];
    this.#team = [];
  }

  get choice(): TeamChoice {
    return {
      threads: this.onTeam ? this.#workers : 1,
      soloMilliseconds: this.#soloMilliseconds,
      teamMilliseconds: this.#teamMilliseconds,
    };
  }
}
