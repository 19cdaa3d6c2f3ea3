/**
 * What a launch asks of its operands: which places of them it reads and writes, as runs of neighboring ones; what it
 * reaches, and whether two of its parts meet.
 */
import { ShapeError } from '../../core/errors.js';

/**
 * A block of a buffer: entry (i, j) stands at offset + i + j·ld, transposed at offset + j + i·ld. Transposed, it is Aᵀ
 * of what stands there, or rows of vectors.
 */
export interface Block {
  readonly offset: number;
  readonly ld: number;
  readonly transposed?: boolean | undefined;
}

/** Takes places begin … end − 1. */
export type Visit = (begin: number, end: number) => void;
/** Hands all places over, run by run; may do so several times. */
export type Runs = (visit: Visit) => void;

const NOTHING: Runs = () => undefined;

/** A span of places: `begin` is the first, `end` stands behind the last; empty where begin ≥ end. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** Places, the span that they lie in, how many runs they are, and whether those come in order, none meeting another. */
export interface Touched extends Span {
  readonly runs: Runs;
  readonly count: number;
  readonly ordered: boolean;
}

/** What a launch does with an operand: its places are numbers, or rows of as many numbers as the launch is told. */
export interface Demand {
  readonly unit: 'numbers' | 'rows';
  readonly reads: Touched;
  readonly writes: Touched;
  /** The first place behind all. */
  readonly reach: number;
}

/** What a launch asks of its operands, by their names, and what it computes. */
export interface WorkDemand {
  readonly operands: Readonly<Record<string, Demand>>;
  /** Flops for vectors of that width. */
  readonly flops: (width: number) => number;
}

/** Lists of a launch, as kernels read them: whole numbers, records one after the other. */
export type WorkLists = Readonly<Record<string, Float64Array>>;

/** Throws ShapeError unless it is a whole number of at least `least`. */
export function requireCount(value: number, what: string, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new ShapeError(`The launch has ${what} ${String(value)}: a whole number of at least ${least}.`, { value });
}

/** Hands the places of a block of that shape over. Throws ShapeError unless it is one. */
export function visitBlock({ offset, ld, transposed }: Block, rows: number, columns: number, visit: Visit): void {
  const [height, width] = transposed === true ? [columns, rows] : [rows, columns];
  requireCount(offset, 'a block that begins at', 0);
  requireCount(ld, 'a block whose leading dimension is', Math.max(1, height));
  if (height === ld) visit(offset, offset + height * width);
  else for (let j = 0; j < width; j++) visit(offset + j * ld, offset + j * ld + height);
}

function touchedBy(runs: Runs): Touched {
  let [begin, end, count, ordered] = [Infinity, 0, 0, true];
  runs((first, last) => {
    ordered &&= first >= end;
    begin = Math.min(begin, first);
    end = Math.max(end, last);
    count++;
  });
  return { runs, begin, end, count, ordered };
}

const meet = (a: Span, b: Span): boolean => a.begin < b.end && b.begin < a.end;

/**
 * The demand of an operand. Throws ShapeError where two parts of the launch write to one place, for then the result
 * would depend on what comes first.
 */
export function demandOf(
  name: string,
  unit: Demand['unit'],
  { reads = NOTHING, writes = NOTHING }: { readonly reads?: Runs; readonly writes?: Runs },
): Demand {
  const [read, written] = [touchedBy(reads), touchedBy(writes)];
  const twice = written.ordered ? -1 : placesOf(written).firstTwice();
  if (twice >= 0)
    throw new ShapeError(
      `The launch writes twice to place ${twice} of ${name}: the result would depend on what comes first.`,
      { operand: name, place: twice },
    );
  return { unit, reads: read, writes: written, reach: Math.max(read.end, written.end) };
}

/** The first place that `others` have of `writes`; −1: none. */
export function firstCommon(writes: Touched, others: readonly Touched[]): number {
  const near = others.filter((other) => meet(writes, other));
  if (near.length === 0) return -1;
  const places = placesOf(writes);
  return Math.max(...near.map(({ runs }) => places.firstOf(runs)));
}

/** Places that are looked up. */
interface Places {
  /** The first place that two runs have; −1: none. */
  firstTwice(): number;
  /** A place that other runs have as well; −1: none. */
  firstOf(runs: Runs): number;
}

/** A run costs to sort what so many places cost to mark. */
const SORTING = 64;

const placesOf = (touched: Touched): Places =>
  SORTING * touched.count < touched.end - touched.begin ? new Sorted(touched) : new Marks(touched);

/** Runs in order: their begins, and their ends. Runs of which none meets another stand at one number in both. */
class Sorted implements Places {
  readonly #begins: Float64Array;
  readonly #ends: Float64Array;

  constructor({ runs, count }: Touched) {
    this.#begins = new Float64Array(count);
    this.#ends = new Float64Array(count);
    let at = 0;
    runs((begin, end) => {
      this.#begins[at] = begin;
      this.#ends[at++] = end;
    });
    this.#begins.sort();
    this.#ends.sort();
  }

  firstTwice(): number {
    // Where a run begins before as many have ended as began before it.
    for (let i = 1; i < this.#begins.length; i++) if (this.#begins[i] < this.#ends[i - 1]) return this.#begins[i];
    return -1;
  }

  firstOf(runs: Runs): number {
    const [begins, ends] = [this.#begins, this.#ends];
    let common = -1;
    runs((begin, end) => {
      if (common >= 0) return;
      // The first run that ends behind `begin`.
      let [low, high] = [0, ends.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle] > begin) high = middle;
        else low = middle + 1;
      }
      if (low < ends.length && begins[low] < end) common = Math.max(begin, begins[low]);
    });
    return common;
  }
}

/** Runs that are marked place by place: of longer ones a call costs less. */
const SHORT = 32;

/** Places that are marked, a byte each. */
class Marks implements Places {
  readonly #marks: Uint8Array;
  readonly #first: number;
  readonly #touched: Touched;
  #places = 0;

  constructor(touched: Touched) {
    const { runs, begin, end } = touched;
    this.#touched = touched;
    this.#first = begin < end ? begin : 0;
    // In whole words, which are counted.
    const marks = (this.#marks = new Uint8Array(4 * Math.ceil(Math.max(0, end - this.#first) / 4)));
    runs((first, last) => {
      this.#places += last - first;
      if (last - first > SHORT) marks.fill(1, first - this.#first, last - this.#first);
      else for (let i = first - this.#first; i < last - this.#first; i++) marks[i] = 1;
    });
  }

  /** The first place that is marked again; −1: none is. */
  firstTwice(): number {
    const words = new Uint32Array(this.#marks.buffer);
    let marked = 0;
    for (const word of words) marked += Math.imul(word, 0x01010101) >>> 24;
    return marked === this.#places ? -1 : new Sorted(this.#touched).firstTwice();
  }

  firstOf(runs: Runs): number {
    const marks = this.#marks;
    let common = -1;
    runs((begin, end) => {
      if (common >= 0) return;
      const first = Math.max(0, begin - this.#first);
      const last = Math.min(marks.length, end - this.#first);
      if (last - first > SHORT) {
        const at = marks.subarray(first, last).indexOf(1);
        if (at >= 0) common = this.#first + first + at;
      } else for (let i = first; i < last && common < 0; i++) if (marks[i] === 1) common = this.#first + i;
    });
    return common;
  }
}
