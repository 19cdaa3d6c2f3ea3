/**
 * Block rows: products of many small blocks with rows of vectors, in one launch. Of target b, rows first[b] … of V:
 *
 *   V(b) ← keep·V(b) + V(starts of b) + α·Σ_t op(A_t)·V(rows of term t)
 *
 * A_t is a column-major block in `values`, op(A) = A or Aᵀ. A batched product has one term a target; a level of a tree,
 * whose blocks meet in sums and whose identity parts are copies, is one launch too. The sum runs in the order of the
 * terms, so that a result does not depend on who computes it.
 */
import { ShapeError } from '../core/errors.js';

/** What is one launch, as flat lists. */
export interface BlockRows {
  /** Whether what stands in the targets is added to, or replaced. */
  readonly keep: boolean;
  /** α; default 1. */
  readonly alpha?: number | undefined;
  /** The first row of each target, and how many it has. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** Where its starts begin in `starts`, −1 where it has none. */
  readonly startBegin: Int32Array;
  /** Row that each row of a target starts from; −1: zero. */
  readonly starts: Int32Array;
  /** Terms of target b: termBegin[b] … termBegin[b + 1]. */
  readonly termBegin: Int32Array;
  /** Where the block A_t begins in `values`, in elements, and its leading dimension. */
  readonly offset: Float64Array;
  readonly ld: Int32Array;
  readonly transposed: Uint8Array;
  /** The rows of V it multiplies: the first, and how many. */
  readonly source: Int32Array;
  readonly terms: Int32Array;
}

/** A term: op(A) times rows source … source + terms. */
export interface BlockTerm {
  readonly offset: number;
  readonly ld: number;
  readonly transposed: boolean;
  readonly source: number;
  readonly terms: number;
}

/** Puts block rows together, target by target. */
export class BlockRowsBuilder {
  readonly #keep: boolean;
  readonly #alpha: number | undefined;
  readonly #first: number[] = [];
  readonly #count: number[] = [];
  readonly #startBegin: number[] = [];
  readonly #starts: number[] = [];
  readonly #termBegin: number[] = [0];
  readonly #terms: BlockTerm[] = [];

  /** `keep`: whether targets are added to; `alpha`: what sums of terms are multiplied by, default 1. */
  constructor(keep: boolean, alpha?: number) {
    this.#keep = keep;
    this.#alpha = alpha;
  }

  /** Targets so far. */
  get targets(): number {
    return this.#first.length;
  }

  /**
   * The next target, rows first … first + count; `starts`: the row that each starts from, −1 for zero (default: all
   * zero). One without rows is left out, and terms without numbers are.
   */
  add(first: number, count: number, terms: readonly BlockTerm[], starts?: ArrayLike<number>): void {
    if (count === 0) return;
    this.#first.push(first);
    this.#count.push(count);
    this.#startBegin.push(starts === undefined ? -1 : this.#starts.length);
    for (let i = 0; i < (starts?.length ?? 0); i++) this.#starts.push(starts![i]);
    for (const term of terms) if (term.terms > 0) this.#terms.push(term);
    this.#termBegin.push(this.#terms.length);
  }

  /** The lists. */
  build(): BlockRows {
    const terms = this.#terms;
    return {
      keep: this.#keep,
      alpha: this.#alpha,
      first: Int32Array.from(this.#first),
      count: Int32Array.from(this.#count),
      startBegin: Int32Array.from(this.#startBegin),
      starts: Int32Array.from(this.#starts),
      termBegin: Int32Array.from(this.#termBegin),
      offset: Float64Array.from(terms, ({ offset }) => offset),
      ld: Int32Array.from(terms, ({ ld }) => ld),
      transposed: Uint8Array.from(terms, ({ transposed }) => (transposed ? 1 : 0)),
      source: Int32Array.from(terms, ({ source }) => source),
      terms: Int32Array.from(terms, (term) => term.terms),
    };
  }
}

/** What block rows reach: rows of vectors, and elements of values. */
export interface BlockReach {
  readonly rows: number;
  readonly values: number;
}

/** Flops of a launch for each vector: 2 for each entry of a block. */
export function flopsOfVector({ count, termBegin, terms }: BlockRows): number {
  let flops = 0;
  for (let b = 0; b < count.length; b++)
    for (let t = termBegin[b]; t < termBegin[b + 1]; t++) flops += 2 * count[b] * terms[t];
  return flops;
}

/**
 * How far block rows reach. Throws ShapeError unless their lists fit together, every block is a view of its rows, no
 * row is the target of two, and none that the launch writes is read by another target.
 */
export function checkBlockRows(rows: BlockRows): BlockReach {
  const targets = rows.first.length;
  const refuse = (what: string, data: Readonly<Record<string, number>>): never => {
    throw new ShapeError(`The block rows ${what}.`, data);
  };
  const terms = rows.offset.length;
  const ofTargets = [rows.count.length, rows.startBegin.length, rows.termBegin.length - 1];
  const ofTerms = [rows.ld.length, rows.transposed.length, rows.source.length, rows.terms.length];
  if (ofTargets.some((length) => length !== targets) || ofTerms.some((length) => length !== terms))
    refuse(`have lists of other lengths than their ${targets} targets and ${terms} terms`, { targets, terms });
  if (rows.termBegin[0] !== 0 || rows.termBegin[targets] !== terms)
    refuse(`give ${terms} terms to the targets of another number of them`, { terms });
  let reach = 0;
  let values = 0;
  const least = (value: number, bound: number, what: string, place: number): void => {
    if (!(value >= bound)) refuse(`have ${what} ${value} at number ${place}: at least ${bound}`, { value, place });
  };
  for (let b = 0; b < targets; b++) {
    least(rows.first[b], 0, 'a target at row', b);
    least(rows.count[b], 1, 'a target whose rows are', b);
    least(rows.termBegin[b + 1], rows.termBegin[b], 'a target whose terms end at', b);
    reach = Math.max(reach, rows.first[b] + rows.count[b]);
    if (rows.startBegin[b] < 0) continue;
    const end = rows.startBegin[b] + rows.count[b];
    if (end > rows.starts.length)
      refuse(`have ${rows.starts.length} starts, and target ${b} has them to ${end}`, { b });
    for (let j = rows.startBegin[b]; j < end; j++) reach = Math.max(reach, rows.starts[j] + 1);
  }
  for (let b = 0; b < targets; b++) {
    for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
      const [height, columns] =
        rows.transposed[t] === 1 ? [rows.terms[t], rows.count[b]] : [rows.count[b], rows.terms[t]];
      least(rows.source[t], 0, 'a term at row', t);
      least(rows.terms[t], 1, 'a term whose rows are', t);
      least(rows.ld[t], height, 'a block whose leading dimension is', t);
      if (!Number.isSafeInteger(rows.offset[t]) || rows.offset[t] < 0)
        refuse(`have a block that begins at ${rows.offset[t]}`, { term: t });
      reach = Math.max(reach, rows.source[t] + rows.terms[t]);
      values = Math.max(values, rows.offset[t] + (columns - 1) * rows.ld[t] + height);
    }
  }
  requireApart(rows, reach);
  return { rows: reach, values };
}

/** Throws ShapeError where two targets share a row, or one reads what another writes. */
function requireApart(rows: BlockRows, reach: number): void {
  const written = new Uint8Array(reach);
  const refuse = (row: number, how: string): never => {
    throw new ShapeError(`The block rows ${how} row ${row}: the result would depend on what comes first.`, { row });
  };
  for (let b = 0; b < rows.first.length; b++) {
    for (let r = rows.first[b]; r < rows.first[b] + rows.count[b]; r++) {
      if (written[r] === 1) refuse(r, 'write twice to');
      written[r] = 1;
    }
  }
  for (let t = 0; t < rows.source.length; t++)
    for (let r = rows.source[t]; r < rows.source[t] + rows.terms[t]; r++)
      if (written[r] === 1) refuse(r, 'read and write');
  for (const row of rows.starts) if (row >= 0 && written[row] === 1) refuse(row, 'start from and write');
}
