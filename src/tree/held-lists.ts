/**
 * Lists of neighbors that several ranks hold while trees are searched: each has those of the indices in its part of the
 * order in work, and a list moves with its index. So a rank stores, sends and receives its share of them only.
 */
import { sharedInt32, toShared } from '../core/shared-array.js';
import type { TeamControl } from '../parallel/team-control.js';
import { alike, runCopy } from './copy-rows.js';
import type { NearestState } from './nearest-lists.js';
import type { PositionRange } from './split.js';

/** Which lists a rank holds. */
export class HeldLists {
  /** Of each index whose list is here, 1 and the row of `nearest` that it fills; of any other 0. */
  readonly rowOf: Int32Array;
  readonly #own: PositionRange;
  #holds = false;

  /** `own` are this rank's positions, the same in each order. */
  constructor(own: PositionRange, size: number) {
    this.rowOf = sharedInt32(size);
    this.#own = own;
  }

  /**
   * Collective: lists go to the ranks at whose positions their indices stand now; `holder` says, at this rank's
   * positions, which rank has each one's list so far. The first time nothing is sent. Cost: O(N/P), and 12κ + 4 bytes
   * for each index that comes or goes.
   */
  async move(order: Int32Array, holder: Int32Array, nearest: NearestState, { team }: TeamControl): Promise<void> {
    const { begin, end } = this.#own;
    const { rowOf } = this;
    if (!this.#holds) {
      this.#holds = true;
      for (let p = begin; p < end; p++) rowOf[order[p]] = p - begin + 1;
      return;
    }
    const { communicator } = team;
    const { rank, size } = communicator;
    const received = new Int32Array(size);
    for (let p = begin; p < end; p++) if (holder[p] !== rank) received[holder[p]]++;
    const next = new Int32Array(size);
    for (let r = 1; r < size; r++) next[r] = next[r - 1] + received[r - 1];
    const arriving = new Int32Array(next[size - 1] + received[size - 1]);
    for (let p = begin; p < end; p++) if (holder[p] !== rank) arriving[next[holder[p]]++] = order[p];
    // Those that have them are told which are wanted where: as many go as come.
    const sent = new Int32Array(size);
    const one = new Array<number>(size).fill(1);
    communicator.alltoall(received, one, sent, one);
    const leaving = new Int32Array(arriving.length);
    communicator.alltoall(arriving, received, leaving, sent);
    // What comes takes the rows of what goes.
    const rows = toShared(leaving.map((i) => rowOf[i] - 1));
    for (const i of leaving) rowOf[i] = 0;
    arriving.forEach((i, k) => {
      rowOf[i] = rows[k] + 1;
    });
    const { capacity, indices, distances } = nearest;
    const pieces = [{ row: 0, position: 0, count: rows.length }];
    for (const list of [indices, distances]) {
      const [packed, unpacked] = [alike(list, rows.length * capacity), alike(list, rows.length * capacity)];
      const state = { capacity, order: rows, from: list, rowOf: sharedInt32(0), to: list };
      const out = await team.share({ ...state, packed });
      const back = await team.share({ ...state, packed: unpacked });
      try {
        await runCopy(team, out, pieces, true);
        const numbers = (counts: Int32Array): Int32Array => counts.map((count) => count * capacity);
        communicator.alltoall(packed, numbers(sent), unpacked, numbers(received));
        await runCopy(team, back, pieces, false);
      } finally {
        team.release(out);
        team.release(back);
      }
    }
  }
}
