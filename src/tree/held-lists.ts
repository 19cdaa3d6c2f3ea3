/**
 * Lists of neighbors that several ranks hold while trees are searched: each has those of the indices in its part of the
 * order in work, and a list moves with its index. So a rank stores, sends and receives its share of them only.
 */
import { countPlaces, placeOf, placesLength, putIndex } from '../core/index-places.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { exchangeParts, partsOf } from '../distributed/exchange-parts.js';
import { awaitTogether, together } from '../distributed/together.js';
import type { Shared, Team } from '../parallel/team.js';
import { runCopy, type RowsState } from './copy-rows.js';
import type { NearestState } from './nearest-lists.js';
import { rowOfList, type SearchState } from './neighbor-search.js';
import type { PositionRange } from './split.js';

/** What lists move by, of either kind: what is packed to go, and where what comes is unpacked from. */
interface Moving {
  readonly out: Shared<RowsState>;
  readonly back: Shared<RowsState>;
}

/** Which lists a rank holds. */
export class HeldLists {
  /** Which indices have their lists here, and the row of `nearest` that each one's fills. */
  readonly rows: Pick<SearchState, 'places' | 'rowAt'>;
  readonly #team: Team;
  readonly #nearest: NearestState;
  readonly #own: PositionRange;
  /** Rows that go, and are filled by what comes. */
  readonly #moved: Int32Array;
  #moving: readonly Moving[] = [];

  /** `own` are this rank's positions, the same in each order; `nearest` has as many rows. */
  constructor(team: Team, nearest: NearestState, own: PositionRange, size: number) {
    this.rows = { places: sharedInt32(placesLength(size)), rowAt: sharedInt32(own.end - own.begin) };
    this.#team = team;
    this.#nearest = nearest;
    this.#own = own;
    this.#moved = sharedInt32(own.end - own.begin);
  }

  /** What lists move by, made once: memory that was touched before is used again. */
  async #open(): Promise<void> {
    const { capacity, indices, distances } = this.#nearest;
    const [going, coming] = [0, 1].map(() => inLargePages(sharedFloat64(distances.length)));
    const state = { capacity, order: this.#moved, rowOf: sharedInt32(0) };
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
    const members = sharedInt32(this.#moved.length);
    for (let p = this.#own.begin; p < this.#own.end; p++) members[rowOfList(this.rows, order[p])] = order[p];
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
    if (this.#moving.length === 0) {
      await awaitTogether(this.#team.communicator, () => this.#open());
      this.#place(order, (p) => p - begin);
      return;
    }
    const { communicator } = this.#team;
    const { rank, size } = communicator;
    // Those that have them are told which are wanted where: as many go as come.
    const wanted = together(communicator, () =>
      partsOf(size, 1, (put) => {
        for (let p = begin; p < end; p++) if (holder[p] !== rank) put(holder[p], order[p]);
      }),
    );
    const { numbers: arriving, counts: received } = wanted;
    const { numbers: leaving, counts: sent } = exchangeParts(communicator, wanted);
    // What comes takes the rows of what goes.
    const rows = this.#moved;
    leaving.forEach((i, k) => {
      rows[k] = rowOfList(this.rows, i);
    });
    this.#place(order, (p) => (holder[p] === rank ? rowOfList(this.rows, order[p]) : -1));
    const { places, rowAt } = this.rows;
    arriving.forEach((i, k) => {
      rowAt[placeOf(places, i)] = rows[k];
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
  /** The indices at own positions of an order have their lists here from now on, in the rows that were told before. */
  #place(order: Int32Array, rowOf: (p: number) => number): void {
    const { begin, end } = this.#own;
    const { places, rowAt } = this.rows;
    const rows = Int32Array.from({ length: end - begin }, (_, at) => rowOf(begin + at));
    places.fill(0);
    for (let p = begin; p < end; p++) putIndex(places, order[p], true);
    countPlaces(places);
    for (let p = begin; p < end; p++) rowAt[placeOf(places, order[p])] = rows[p - begin];
  }
}
