/**
 * Rows of arrays of which each of several ranks has a stretch, those that a rank holds for now: brought from who has
 * them, by the numbers of their indices. What takes a step for each row is done by the team.
 */
import { firstWhere } from '../core/first-where.js';
import { countPlaces, countWords, lowerIn, placesLength, putIndex, type IndexPlaces } from '../core/index-places.js';
import type { Portion } from '../core/portion.js';
import { sharedFloat64, sharedInt32, toShared } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { rowsOfAll, type OwnRows, type RowParts } from '../distributed/row-parts.js';
import { awaitTogether, together } from '../distributed/together.js';
import { putIndices } from '../parallel/put-indices.js';
import { runOnce } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';

/** The name under which progress is reported. */
const PHASE = 'bring points';
/** Words of places of a task, and rows. */
const WORDS = 2 ** 12;
const ROWS = 2 ** 14;
/** Numbers of an array that are worth a team, and tasks. */
const FEW = 2 ** 13;
const LEAST_TASKS = 4;
/** Room for some more rows than are brought; bytes that are let go once they are. */
const SPARE = 1.125;
const MUCH = 2 ** 25;

/** Indices that are wanted, and those that are held; without these all that are wanted are held from then on. */
interface WantedState {
  readonly wanted: IndexPlaces;
  readonly places: IndexPlaces;
  readonly keeps: boolean;
  /** Of each task's words, how many are wanted that are not kept; then where they begin among all of them. */
  readonly counts: Int32Array;
  readonly numbers: Int32Array;
}

/** The words of a task. */
const wordsOf = (places: IndexPlaces, task: number): Portion => ({
  first: task * WORDS,
  end: Math.min(places.length / 2, (task + 1) * WORDS),
});

function countWanted({ wanted, places, keeps, counts }: WantedState, task: number): void {
  const { first, end } = wordsOf(places, task);
  if (keeps) for (let at = 2 * first; at < 2 * end; at += 2) wanted[at] &= ~places[at];
  counts[task] = countWords(wanted, first, end);
}

/** Their numbers, ascending, and nothing is wanted any more; what is not kept is replaced by them. */
function listWanted({ wanted, places, keeps, counts, numbers }: WantedState, task: number): void {
  const { first, end } = wordsOf(places, task);
  let place = counts[task];
  for (let word = first; word < end; word++) {
    const bits = wanted[2 * word];
    if (!keeps) {
      places[2 * word] = bits;
      places[2 * word + 1] = place;
    }
    if (bits === 0) continue;
    for (let rest = bits; rest !== 0; rest &= rest - 1) numbers[place++] = 32 * word + 31 - Math.clz32(rest & -rest);
    wanted[2 * word] = 0;
  }
}

/** Per some words of places. */
export const countWantedWords = defineTask<WantedState>(import.meta.url, 'countWantedWords', (state) => (task) => {
  countWanted(state, task);
});
/** Per some words of places, once all are counted. */
export const listWantedWords = defineTask<WantedState>(import.meta.url, 'listWantedWords', (state) => (task) => {
  listWanted(state, task);
});

interface GatherState extends OwnRows {
  /** Rows that are asked for, and the first that is here. */
  readonly asked: Int32Array;
  readonly first: number;
  readonly going: Float64Array;
}

function gather({ values, width, asked, first, going }: GatherState, from: number, to: number): void {
  for (let k = from, at = from * width; k < to; k++)
    for (let p = width * (asked[k] - first), end = p + width; p < end; p++) going[at++] = values[p];
}

/** Per some rows that are asked for: their numbers. */
export const gatherRows = defineTask<GatherState>(import.meta.url, 'gatherRows', (state) => (task) => {
  gather(state, task * ROWS, Math.min(state.asked.length, (task + 1) * ROWS));
});

/** Memory that is used again and again, larger where that is asked for; what stands in it may be kept. */
function grown<A extends Float64Array | Int32Array>(had: A, length: number, make: (length: number) => A, keep = 0): A {
  if (had.length >= length) return had;
  const array = inLargePages(make(Math.ceil(SPARE * length)));
  if (keep > 0) (array as Float64Array).set(had.subarray(0, keep) as Float64Array);
  return array;
}

/** Moves the rows of so many apart, so that the places `at`, ascending, are free. */
function makeWay(rows: Float64Array, width: number, count: number, at: Int32Array): void {
  for (let k = at.length - 1, end = count; k >= 0; k--) {
    const begin = at[k] - k;
    rows.copyWithin(width * (begin + k + 1), width * begin, width * end);
    end = begin;
  }
}

/** Rows that are held, in the order of their indices. */
export class HeldRows {
  /** The place of each index whose row is held. Changed in place, as the arrays are. */
  readonly places: IndexPlaces;
  readonly #parts: RowParts;
  /** Nothing is in but while indices are named. */
  readonly #wanted: IndexPlaces;
  #arrays: Float64Array[];
  #capacity: number;
  #count = 0;
  /** What is asked for and goes, and comes to be put to its places. */
  #numbers = sharedInt32(0);
  #asked = sharedInt32(0);
  #going = sharedFloat64(0);
  #coming = sharedFloat64(0);

  /** `capacity`: the most rows that are ever held, in arrays that stay the same. Throws MemoryError. */
  constructor(parts: RowParts, capacity?: number) {
    const length = placesLength(rowsOfAll(parts));
    this.#parts = parts;
    this.places = sharedInt32(length);
    this.#wanted = sharedInt32(length);
    this.#arrays = parts.arrays.map(({ width }) => inLargePages(sharedFloat64(width * (capacity ?? 0))));
    this.#capacity = capacity ?? Infinity;
  }

  get count(): number {
    return this.#count;
  }

  /** The rows of each array, over shared memory. */
  get arrays(): readonly Float64Array[] {
    return this.#parts.arrays.map(({ width }, k) => this.#arrays[k].subarray(0, width * this.#count));
  }

  /** All of the memory of each array. */
  get memory(): readonly Float64Array[] {
    return this.#arrays;
  }

  get bytes(): number {
    const numbers = [this.places, this.#wanted, this.#numbers, this.#asked, this.#going, this.#coming];
    return [...numbers, ...this.#arrays].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /**
   * Collective: holds the rows of the indices that stand in some arrays, but for −1, and no others. Two alltoalls for
   * the numbers, 4 bytes a row, and one of each array. By this thread without a team. Throws MemoryError, AbortedError.
   */
  async hold(named: () => readonly Int32Array[], control?: TeamControl): Promise<void> {
    const numbers = await awaitTogether(this.#parts.communicator, async () => {
      const numbers = await this.#mark(named(), false, control);
      this.#count = numbers.length;
      this.#makeRoom(0);
      return numbers;
    });
    await this.#fetch(numbers, (k) => this.#arrays[k], control);
  }

  /** Collective: as `hold`, those besides that are not held yet. */
  async add(named: () => readonly Int32Array[], control?: TeamControl): Promise<void> {
    const { numbers, at } = await awaitTogether(this.#parts.communicator, async () => {
      const numbers = await this.#mark(named(), true, control);
      const before = this.#count;
      // Where each comes to stand: behind those that are held of lower indices, and those that come before it.
      const at = numbers.map((i, k) => lowerIn(this.places, i) + k);
      for (const i of numbers) putIndex(this.places, i, true);
      this.#count = countPlaces(this.places);
      this.#makeRoom(before);
      this.#parts.arrays.forEach(({ width }, k) => {
        makeWay(this.#arrays[k], width, before, at);
      });
      const most = this.#parts.arrays.reduce((widest, { width }) => Math.max(widest, width), 0);
      this.#coming = grown(this.#coming, most * numbers.length, sharedFloat64);
      return { numbers, at };
    });
    await this.#fetch(
      numbers,
      () => this.#coming,
      control,
      (k, width) => {
        const array = this.#arrays[k];
        at.forEach((place, row) => {
          for (let c = 0; c < width; c++) array[width * place + c] = this.#coming[width * row + c];
        });
      },
    );
  }

  /** Room for so many rows; arrays that had less are others from then on. */
  reserve(capacity: number): void {
    this.#capacity = capacity;
    this.#arrays = this.#arrays.map((had, k) => {
      const length = this.#parts.arrays[k].width * capacity;
      return had.length >= length ? had : inLargePages(sharedFloat64(length));
    });
  }

  /** Room for all rows, those that were there before kept. */
  #makeRoom(before: number): void {
    if (this.#count > this.#capacity) throw new RangeError(`${this.#count} rows are held, of ${this.#capacity}.`);
    this.#parts.arrays.forEach(({ width }, k) => {
      this.#arrays[k] = grown(this.#arrays[k], width * this.#count, sharedFloat64, width * before);
    });
  }

  /**
   * The indices that stand in some arrays, ascending, but for those that are kept; without keeping any these have their
   * places.
   */
  async #mark(named: readonly Int32Array[], keeps: boolean, control: TeamControl | undefined): Promise<Int32Array> {
    const wanted = this.#wanted;
    const many = control === undefined ? [] : named.filter(({ length }) => length > FEW);
    for (const some of named) if (!many.includes(some)) for (const i of some) if (i >= 0) putIndex(wanted, i, true);
    if (many.length > 0) await putIndices(wanted, many.map(toShared), PHASE, control!);
    const tasks = Math.ceil(wanted.length / 2 / WORDS);
    const counts = sharedInt32(tasks);
    const state = { wanted, places: this.places, keeps, counts, numbers: this.#numbers };
    const isSmall = control === undefined || tasks < LEAST_TASKS;
    if (isSmall) for (let task = 0; task < tasks; task++) countWanted(state, task);
    else await runOnce(PHASE, countWantedWords, state, independentTasks(tasks), without(control));
    let count = 0;
    counts.forEach((some, task) => {
      counts[task] = count;
      count += some;
    });
    this.#numbers = grown(this.#numbers, count, sharedInt32);
    const listed = { ...state, numbers: this.#numbers };
    if (isSmall) for (let task = 0; task < tasks; task++) listWanted(listed, task);
    else await runOnce(PHASE, listWantedWords, listed, independentTasks(tasks), without(control));
    return this.#numbers.subarray(0, count);
  }

  /** Collective: the rows of these indices, ascending ones, of each array into what is there for it. */
  async #fetch(
    numbers: Int32Array,
    into: (k: number) => Float64Array,
    control: TeamControl | undefined,
    arrived?: (k: number, width: number) => void,
  ): Promise<void> {
    const { communicator, begin, arrays } = this.#parts;
    const { rank, size } = communicator;
    const place = Array.from(begin, (first) => firstWhere(0, numbers.length, (k) => numbers[k] >= first));
    const wanted = Int32Array.from({ length: size }, (_, r) => place[r + 1] - place[r]);
    const one = new Array<number>(size).fill(1);
    const counts = new Int32Array(size);
    communicator.alltoall(wanted, one, counts, one);
    const asked = together(communicator, () => {
      const total = counts.reduce((sum, count) => sum + count, 0);
      this.#asked = grown(this.#asked, total, sharedInt32);
      return this.#asked.subarray(0, total);
    });
    communicator.alltoall(numbers, wanted, asked, counts);
    for (const [k, { values, width }] of arrays.entries()) {
      if (width === 0) continue;
      const going = await awaitTogether(communicator, async () => {
        this.#going = grown(this.#going, width * asked.length, sharedFloat64);
        const going = this.#going.subarray(0, width * asked.length);
        const state: GatherState = { values, width, asked, first: begin[rank], going };
        if (control === undefined || asked.length <= FEW) gather(state, 0, asked.length);
        else {
          const graph = independentTasks(Math.ceil(asked.length / ROWS));
          await runOnce(PHASE, gatherRows, state, graph, without(control));
        }
        return going;
      });
      const times = (some: Int32Array): Int32Array => some.map((count) => width * count);
      communicator.alltoall(going, times(counts), into(k).subarray(0, width * numbers.length), times(wanted));
      arrived?.(k, width);
    }
    this.#letGo(control);
  }

  /** Lets go of what rows passed through, where it is much: they are there now. */
  #letGo(control: TeamControl | undefined): void {
    const bytes = [this.#numbers, this.#asked, this.#going, this.#coming].reduce((sum, one) => sum + one.byteLength, 0);
    if (control === undefined || bytes < MUCH) return;
    [this.#numbers, this.#asked] = [sharedInt32(0), sharedInt32(0)];
    [this.#going, this.#coming] = [sharedFloat64(0), sharedFloat64(0)];
    control.team.collect(bytes);
  }
}

/** Who asked for what the rows are for is told of that. */
const without = ({ team, signal }: TeamControl): TeamControl => ({ team, signal });
