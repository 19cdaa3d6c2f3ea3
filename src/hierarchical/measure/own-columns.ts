/**
 * Columns of K against those of K̃ on the rows that each rank has of its own: nothing of N numbers is made or sent.
 * Squares are summed leaf by leaf and added along the tree (operator/row-share.ts): the same bits for any team.
 */
import { placesOfLargest } from '../../core/largest.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { awaitTogether } from '../../distributed/together.js';
import type { OwnRowsOperator } from '../../operator/linear-operator.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import { defineTask } from '../../parallel/task.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Shared } from '../../parallel/team.js';
import { holding, type EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import { PANEL } from './sampled-columns.js';

/** The name under which progress is reported. */
const PHASE = 'compare columns';

/** What a task of the comparison reads and writes. */
export interface OwnColumnsState {
  readonly source: SourceHandle;
  /** The index of each own row, and the row at which each leaf begins and the last one ends. */
  readonly indices: Int32Array;
  readonly leafBegin: Int32Array;
  /** Task t compares the leaves taskBegin[t] … taskBegin[t + 1] − 1. */
  readonly taskBegin: Int32Array;
  readonly unit: number;
  /** Most columns of a batch. */
  readonly width: number;
  /** K̃'s columns of the batch, own rows × columns. */
  readonly products: Float64Array;
  /** Of each leaf and column of the batch Σ(unit·K_ij)² and Σ(unit·(K − K̃)_ij)². */
  readonly sums: Float64Array;
  /** Of each own row, Σ(unit·(K − K̃)_ij)² over all columns so far. */
  readonly squares: Float64Array;
}

/** Per few leaves: their rows of some columns. */
export const compareOwnRows = defineTask<OwnColumnsState, { readonly columns: Int32Array }>(
  import.meta.url,
  'compareOwnRows',
  (state, context) => {
    const source = openHandle(state.source, context);
    const { indices, leafBegin, taskBegin, unit, width, products, sums, squares } = state;
    const rows = indices.length;
    const scratch = new Float64Array(PANEL * width);
    return (task, { columns }) => {
      const count = columns.length;
      for (let leaf = taskBegin[task]; leaf < taskBegin[task + 1]; leaf++) {
        const at = 2 * count * leaf;
        sums.fill(0, at, at + 2 * count);
        for (let first = leafBegin[leaf]; first < leafBegin[leaf + 1]; first += PANEL) {
          const end = Math.min(leafBegin[leaf + 1], first + PANEL);
          source.entries(indices.subarray(first, end), columns, view(scratch, 0, end - first, count));
          for (let v = 0, q = 0; v < count; v++) {
            let [whole, wrong] = [0, 0];
            for (let r = first; r < end; r++, q++) {
              const exact = unit * scratch[q];
              const error = (unit * (scratch[q] - products[r + v * rows])) ** 2;
              whole += exact * exact;
              wrong += error;
              squares[r] += error;
            }
            sums[at + 2 * v] += whole;
            sums[at + 2 * v + 1] += wrong;
          }
        }
      }
    };
  },
);

/** ‖K e_j‖ and ‖(K − K̃) e_j‖ of each column. */
export interface ComparedColumns {
  readonly exact: Float64Array;
  readonly errors: Float64Array;
}

/** Columns at a time, and what brings the largest entry of K near 1, so that squares are within the range. */
export interface OwnColumnsSetup {
  readonly width: number;
  readonly unit: number;
}

/** Compares columns on own rows; all ranks call the same. */
export class OwnColumns {
  readonly #approximation: OwnRowsOperator;
  readonly #control: TeamControl;
  readonly #state: Omit<OwnColumnsState, 'source'>;
  readonly #source: EntrySource;
  readonly #units: Matrix;
  readonly #graph: TaskGraph;
  #shared: Shared<OwnColumnsState> | undefined;

  constructor(
    source: EntrySource,
    approximation: OwnRowsOperator,
    { width, unit }: OwnColumnsSetup,
    control: TeamControl,
  ) {
    const { rowShare, rows } = approximation;
    const begins: number[] = [];
    rowShare.eachRun((begin) => begins.push(begin));
    const tasks: number[] = [];
    for (let leaf = 0, from = -PANEL; leaf < begins.length; leaf++)
      if (begins[leaf] >= from + PANEL) {
        from = begins[leaf];
        tasks.push(leaf);
      }
    const numbers = (length: number): Float64Array => inLargePages(sharedFloat64(length));
    const places = (some: readonly number[], end: number): Int32Array => {
      const all = sharedInt32(some.length + 1);
      all.set(some);
      all[some.length] = end;
      return all;
    };
    this.#approximation = approximation;
    this.#control = control;
    this.#source = source;
    this.#units = view(numbers(rows * width), 0, rows, width);
    this.#graph = independentTasks(tasks.length);
    this.#state = {
      indices: rowShare.indices,
      leafBegin: places(begins, rows),
      taskBegin: places(tasks, begins.length),
      unit,
      width,
      products: numbers(rows * width),
      sums: sharedFloat64(2 * width * begins.length),
      squares: numbers(rows),
    };
  }

  /** Hands the team what it compares; where ranks have parts of the source, with its entries in these columns. */
  async #open(columns: Int32Array): Promise<void> {
    if (this.#shared !== undefined && this.#source.parts === undefined) return;
    this.close();
    const held = await holding(this.#source, () => [this.#state.indices, columns], this.#control);
    const { handle, modules, solo } = sourceState(held);
    this.#shared = await this.#control.team.share({ ...this.#state, source: handle }, { modules, solo });
  }

  close(): void {
    if (this.#shared !== undefined) this.#control.team.release(this.#shared);
  }

  /**
   * The norms of the columns at some positions of the order of all rows. Throws AbortedError, on all ranks where one is
   * aborted, and what the source throws.
   */
  async compare(positions: Int32Array): Promise<ComparedColumns> {
    const { width } = this.#state;
    const exact = new Float64Array(positions.length);
    const errors = new Float64Array(positions.length);
    const indices = this.#approximation.rowShare.indicesAt(positions);
    await this.#open(indices);
    for (let first = 0; first < positions.length; first += width) {
      const batch = positions.subarray(first, first + width);
      (await this.#batch(batch, indices.subarray(first, first + width))).forEach((sum, k) => {
        (k % 2 === 0 ? exact : errors)[first + (k >> 1)] = Math.sqrt(sum) / this.#state.unit;
      });
      this.#control.onProgress?.({ phase: PHASE, done: first + batch.length, total: positions.length });
    }
    return { exact, errors };
  }

  /** Of each column of a batch, by position and index, Σ(unit·K_ij)² and Σ(unit·(K − K̃)_ij)² over all ranks' rows. */
  async #batch(positions: Int32Array, columns: Int32Array): Promise<Float64Array> {
    const { rowShare, rows } = this.#approximation;
    const { team, signal } = this.#control;
    const { products, sums } = this.#state;
    const units = this.#units.data;
    const count = positions.length;
    const setUnits = (value: number): void => {
      positions.forEach((p, v) => {
        const row = p - rowShare.first;
        if (row >= 0 && row < rows) units[row + v * rows] = value;
      });
    };
    setUnits(1);
    const [y, x] = [view(products, 0, rows, count), view(units, 0, rows, count)];
    this.#approximation.applyUnchecked(y, x, 1, 0);
    setUnits(0);
    await awaitTogether(rowShare.communicator, () =>
      team.run(PHASE, compareOwnRows, this.#shared!, this.#graph, { columns }, { signal }),
    );
    const found = new Float64Array(2 * count);
    let leaf = 0;
    rowShare.sums(
      2 * count,
      (_begin, _end, out, at) => {
        const from = 2 * count * leaf++;
        for (let k = 0; k < 2 * count; k++) out[at + k] = sums[from + k];
      },
      found,
    );
    return found;
  }

  /** Positions of the rows of all ranks that err most so far, but for some, the worst first. */
  worst(most: number, others: ReadonlySet<number> = new Set()): Int32Array {
    const { rowShare, rows } = this.#approximation;
    const { communicator, first } = rowShare;
    const { squares } = this.#state;
    const own = new Set<number>();
    for (const p of others) if (p >= first && p < first + rows) own.add(p - first);
    const all = new Float64Array(2 * most * communicator.size);
    placesOfLargest(squares, most, { others: own }).forEach((row, k) => {
      all[2 * (communicator.rank * most + k)] = squares[row];
      all[2 * (communicator.rank * most + k) + 1] = first + row;
    });
    communicator.allgather(undefined, all, new Array<number>(communicator.size).fill(2 * most));
    // Ranks have ascending positions, so that ties go to the smaller one here, too.
    const values = Float64Array.from({ length: all.length / 2 }, (_, k) => all[2 * k]);
    return Int32Array.from(placesOfLargest(values, most), (k) => all[2 * k + 1]);
  }
}
