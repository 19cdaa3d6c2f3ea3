/**
 * Lists of neighbors that several ranks hold while trees are searched: each has those of the indices in its part of the
 * order in work, and a list moves with its index. So a rank stores, sends and receives its share of them only.
 */
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { exchangeParts, partsOf } from '../distributed/exchange-parts.js';
import type { Shared, Team } from '../parallel/team.js';
import { runCopy, type RowsState } from './copy-rows.js';
import type { NearestState } from './nearest-lists.js';
import type { PositionRange } from './split.js';

/** What lists move by, of either kind: what is packed to go, and where what comes is unpacked from. */
interface Moving {
  readonly out: Shared<RowsState>;
  readonly back: Shared<RowsState>;
}

/** Which lists a rank holds. */
export class HeldLists {
  /** Of each index whose list is here, 1 and the row of `nearest` that it fills; of any other 0. */
  readonly rowOf: Int32Array;
  readonly #team: Team;
  readonly #nearest: NearestState;
  readonly #own: PositionRange;
  /** Rows that go, and are filled by what comes. */
  readonly #rows: Int32Array;
  #moving: readonly Moving[] = [];

  /** `own` are this rank's positions, the same in each order; `nearest` has as many rows. */
  constructor(team: Team, nearest: NearestState, own: PositionRange, size: number) {
    this.rowOf = sharedInt32(size);
    this.#team = team;
    this.#nearest = nearest;
    this.#own = own;
    this.#rows = sharedInt32(own.end - own.begin);
  }

  /** What lists move by, made once: memory that was touched before is used again. */
  async #open(): Promise<void> {
    const { capacity, indices, distances } = this.#nearest;
    const [going, coming] = [0, 1].map(() => inLargePages(sharedFloat64(distances.length)));
    const state = { capacity, order: this.#rows, rowOf: sharedInt32(0) };
    const moving: Moving[] = [];
    for (const list of [indices, distances]) {
      // Both kinds of lists pass through the same memory, one after the other.
      const over = ({ buffer }: Float64Array): Int32Array | Float64Array =>
        list === indices ? new Int32Array(buffer, 0, list.length) : new Float64Array(buffer, 0, list.length);
      const of = { ...state, from: list, to: list };
      const out = await this.#team.share<RowsState>({ ...of, packed: over(going) });
      const back = await this.#team.share<RowsState>({ ...of, packed: over(coming) });
      moving.push({ out, back });
    }
    this.#moving = moving;
  }

  /** The index of each row; `order` is the last that lists moved to. */
  membersOf(order: Int32Array): Int32Array {
    const members = sharedInt32(this.#rows.length);
    for (let p = this.#own.begin; p < this.#own.end; p++) members[this.rowOf[order[p]] - 1] = order[p];
    return members;
  }

  /** Lets the team go of what lists moved by. */
  close(): void {
    for (const { out, back } of this.#moving) for (const shared of [out, back]) this.#team.release(shared);
  }

  /**
   * Collective: lists go to the ranks at whose positions their indices stand now; `holder` says, at this rank's
   * positions, which rank has each one's list so far. The first time nothing is sent. Cost: O(N/P), and 12κ + 4 bytes
   * for each index that comes or goes.
   */
  async move(order: Int32Array, holder: Int32Array): Promise<void> {
    const { begin, end } = this.#own;
    const { rowOf } = this;
    if (this.#moving.length === 0) {
      await this.#open();
      for (let p = begin; p < end; p++) rowOf[order[p]] = p - begin + 1;
      return;
    }
    const { communicator } = this.#team;
    const { rank, size } = communicator;
    // Those that have them are told which are wanted where: as many go as come.
    const wanted = partsOf(size, 1, (put) => {
      for (let p = begin; p < end; p++) if (holder[p] !== rank) put(holder[p], order[p]);
    });
    const { numbers: arriving, counts: received } = wanted;
    const { numbers: leaving, counts: sent } = exchangeParts(communicator, wanted);
    // What comes takes the rows of what goes.
    const rows = this.#rows;
    leaving.forEach((i, k) => {
      rows[k] = rowOf[i] - 1;
    });
    for (const i of leaving) rowOf[i] = 0;
    arriving.forEach((i, k) => {
      rowOf[i] = rows[k] + 1;
    });
    const pieces = [{ row: 0, position: 0, count: leaving.length }];
    const { capacity } = this.#nearest;
    const numbers = (counts: Int32Array): Int32Array => counts.map((count) => count * capacity);
    const all = capacity * leaving.length;
    for (const { out, back } of this.#moving) {
      await runCopy(this.#team, out, pieces, true);
      const [going, coming] = [out, back].map(({ state }) => state.packed.subarray(0, all));
      communicator.alltoall(going, numbers(sent), coming, numbers(received));
      await runCopy(this.#team, back, pieces, false);
    }
  }
}
