/**
 * An operator over own rows, for vectors over those of another tree: rows go to the ranks that have them there, and
 * come back.
 */
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import type { Matrix } from '../dense/matrix.js';
import { combine } from './block-arithmetic.js';
import { BlockWorkspace, byChunks } from './block-workspace.js';
import type { OwnRowsOperator } from './linear-operator.js';
import type { RowShare } from './row-share.js';

/**
 * The operator over `rows`, which the same ranks share; undefined where they do not, or have other numbers of rows. A
 * product takes two exchanges of all ranks with all besides, of the rows alone that change ranks; none where none do.
 */
export function movedRows(operator: OwnRowsOperator, rows: RowShare): OwnRowsOperator | undefined {
  const { rowShare: own } = operator;
  if (own.equals(rows)) return operator;
  if (!own.isAmongRanksOf(rows)) return undefined;
  const there = new RowExchange(rows, own);
  const back = new RowExchange(own, rows);
  const input = new BlockWorkspace();
  const output = new BlockWorkspace();
  const result = new BlockWorkspace();
  return {
    ...operator,
    rows: rows.rows,
    cols: rows.rows,
    diagonal: undefined,
    rowShare: rows,
    applyUnchecked: (out, x, alpha, beta) => {
      byChunks(out, x, (y, z) => {
        const before = input.take(own.rows, z.cols, z.data);
        const after = output.take(own.rows, z.cols, z.data);
        const moved = result.take(rows.rows, z.cols, z.data);
        there.move(before, z);
        operator.applyUnchecked(after, before, 1, 0);
        back.move(moved, after);
        combine(y, alpha, moved, beta);
      });
    },
  };
}

/** Which rows go where. */
class RowExchange {
  readonly #share: RowShare;
  /** Rows here in the order in which they are sent, and how many go to each rank. */
  readonly #sent: Int32Array;
  readonly #sendCounts: number[];
  /** The row there of each number that arrives, and how many come from each rank. */
  readonly #received: Int32Array;
  readonly #receiveCounts: number[];
  /** Whether any row changes ranks: the same on all of them. */
  readonly #travels: boolean;

  constructor(from: RowShare, to: RowShare) {
    this.#share = from;
    const { rank, size } = from.communicator;
    const owner = new Int32Array(from.size);
    const row = new Int32Array(from.size);
    from.eachIndex((index, r, place) => {
      owner[index] = r;
      row[index] = place;
    });
    const sent: number[] = [];
    const received: number[][] = Array.from({ length: size }, () => []);
    this.#sendCounts = new Array<number>(size).fill(0);
    let travels = false;
    // Both sides go by the order of positions there.
    to.eachIndex((index, q, place) => {
      const r = owner[index];
      travels ||= r !== q;
      if (r === rank) {
        sent.push(row[index]);
        this.#sendCounts[q]++;
      }
      if (q === rank) received[r].push(place);
    });
    this.#sent = Int32Array.from(sent);
    this.#received = Int32Array.from(received.flat());
    this.#receiveCounts = received.map(({ length }) => length);
    this.#travels = travels;
  }

  /** to ← the rows of `from`, which stand elsewhere there. Collective. */
  move(to: Matrix, from: Matrix): void {
    const out: FloatArray = floats(this.#sent.length, precisionOf(from.data));
    const into = this.#travels ? floats(this.#received.length, precisionOf(from.data)) : out;
    for (let j = 0; j < from.cols; j++) {
      const column = from.offset + j * from.ld;
      for (let k = 0; k < out.length; k++) out[k] = from.data[column + this.#sent[k]];
      if (this.#travels) this.#share.communicator.alltoall(out, this.#sendCounts, into, this.#receiveCounts);
      const at = to.offset + j * to.ld;
      for (let k = 0; k < into.length; k++) to.data[at + this.#received[k]] = into[k];
    }
  }
}
