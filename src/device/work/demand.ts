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

/** What a launch does with an operand: its places are numbers, or rows of as many numbers as the launch is told. */
export interface Demand {
  readonly unit: 'numbers' | 'rows';
  readonly reads: Runs;
  readonly writes: Runs;
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

/**
 * The demand of an operand. Throws ShapeError where two parts of the launch write to one place, for then the result
 * would depend on what comes first.
 */
export function demandOf(
  name: string,
  unit: Demand['unit'],
  { reads = NOTHING, writes = NOTHING }: { readonly reads?: Runs; readonly writes?: Runs },
): Demand {
  let reach = 0;
  const extend: Visit = (_, end) => {
    reach = Math.max(reach, end);
  };
  reads(extend);
  writes(extend);
  const twice = new Marks(writes).firstTwice;
  if (twice >= 0)
    throw new ShapeError(
      `The launch writes twice to place ${twice} of ${name}: the result would depend on what comes first.`,
      { operand: name, place: twice },
    );
  return { unit, reads, writes, reach };
}

/** The first place that `runs` has of those that `writes` has; −1: none. */
export const firstCommon = (writes: Runs, runs: Runs): number => new Marks(writes).firstOf(runs);

/** Places that are marked, a byte each. */
class Marks {
  readonly #marks: Uint8Array;
  readonly #first: number;
  /** The first place that was marked again; −1: none was. */
  readonly firstTwice: number;

  constructor(runs: Runs) {
    let [first, last, twice] = [Infinity, 0, -1];
    runs((begin, end) => {
      first = Math.min(first, begin);
      last = Math.max(last, end);
    });
    this.#first = Number.isFinite(first) ? first : 0;
    const marks = (this.#marks = new Uint8Array(Math.max(0, last - this.#first)));
    runs((begin, end) => {
      for (let i = begin - first; i < end - first; i++) {
        if (marks[i] === 1 && twice < 0) twice = first + i;
        marks[i] = 1;
      }
    });
    this.firstTwice = twice;
  }

  firstOf(runs: Runs): number {
    let common = -1;
    runs((begin, end) => {
      if (common >= 0) return;
      const at = this.#marks.subarray(Math.max(0, begin - this.#first), Math.max(0, end - this.#first)).indexOf(1);
      if (at >= 0) common = Math.max(begin, this.#first) + at;
    });
    return common;
  }
}
