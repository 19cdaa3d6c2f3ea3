/**
 * Lists of neighbors that several ranks hold while trees are searched: each has those of the indices in its part of the
 * order in work, and a list moves with its index. So a rank stores, sends and receives its share of them only.
 */
import { sharedInt32 } from '../core/shared-array.js';
import type { CommunicatedArray, Communicator } from '../distributed/communicator.js';
import type { NearestState } from './nearest-lists.js';
import type { PositionRange } from './split.js';

/** Which ranks hold which lists. */
export class HeldLists {
  /** Of each index whose list is here, the row of `nearest` that it fills; of any other −1. */
  readonly rowOf: Int32Array;
  readonly #communicator: Communicator;
  readonly #ranges: readonly PositionRange[];
  /** Of each index, the rank that holds its list; empty as long as nobody does. */
  #owner: Uint32Array = new Uint32Array(0);

  /** `ranges` are the positions of every rank, the same in each order. */
  constructor(communicator: Communicator, ranges: readonly PositionRange[], size: number) {
    this.#communicator = communicator;
    this.#ranges = ranges;
    this.rowOf = sharedInt32(size).fill(-1);
  }

  /**
   * Collective: lists go to where their indices stand in the order now, the same on all ranks, which puts each rank's
   * indices into its own positions, in any arrangement. The first time nothing is sent. Cost: O(N), and 12κ bytes for
   * each index that comes or goes.
   */
  move(order: Int32Array, { capacity, indices, distances }: NearestState): void {
    const { rank, size } = this.#communicator;
    const { begin, end } = this.#ranges[rank];
    if (this.#owner.length === 0) {
      this.#owner = new Uint32Array(order.length);
      this.#ranges.forEach((range, r) => {
        for (let p = range.begin; p < range.end; p++) this.#owner[order[p]] = r;
      });
      for (let p = begin; p < end; p++) this.rowOf[order[p]] = p - begin;
      return;
    }
    const sent = new Float64Array(size);
    const received = new Float64Array(size);
    const leaving: number[] = [];
    const arriving: number[][] = Array.from({ length: size }, () => []);
    this.#ranges.forEach((range, r) => {
      for (let p = range.begin; p < range.end; p++) {
        const i = order[p];
        const before = this.#owner[i];
        this.#owner[i] = r;
        if (before === r) continue;
        if (before === rank) {
          sent[r]++;
          leaving.push(i);
        } else if (r === rank) {
          received[before]++;
          arriving[before].push(i);
        }
      }
    });
    // As many come as go: they take the same rows.
    const rows = leaving.map((i) => this.rowOf[i]);
    for (const i of leaving) this.rowOf[i] = -1;
    arriving.flat().forEach((i, k) => {
      this.rowOf[i] = rows[k];
    });
    for (const list of [indices, distances]) {
      const [from, to] = [sameKind(list, rows.length * capacity), sameKind(list, rows.length * capacity)];
      rows.forEach((row, k) => {
        copyRow(list, row, from, k, capacity);
      });
      this.#communicator.alltoall(
        from,
        sent.map((count) => count * capacity),
        to,
        received.map((count) => count * capacity),
      );
      rows.forEach((row, k) => {
        copyRow(to, k, list, row, capacity);
      });
    }
  }
}

const sameKind = <A extends CommunicatedArray>(array: A, length: number): A =>
  new (array.constructor as new (length: number) => A)(length);

/** Rows are short: a loop copies them in less time than a view of each takes. */
export function copyRow(
  from: Int32Array | Float64Array,
  row: number,
  to: Int32Array | Float64Array,
  toRow: number,
  capacity: number,
): void {
  for (let k = 0, p = row * capacity, q = toRow * capacity; k < capacity; k++) to[q + k] = from[p + k];
}
