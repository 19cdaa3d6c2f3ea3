/**
 * A source scaled so that its largest diagonal entry is about 1.
 * Sums of squares leave the range of float64 where entries are below 1e-154 or beyond 1e154; scaled by a power of two
 * nothing is rounded.
 */
import type { Indices } from '../core/indices.js';
import type { Matrix } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { scaled } from '../operator/scaled.js';
import type { EntrySource, Points, SourceDescriptor, SourceParts } from './entry-source.js';

/** Exponents of two up to this size leave room for squares and for sums of them. */
const ROOM = 200;
/** Beyond, 2^−e itself is out of range. */
const MOST = 1000;

/**
 * The power of two by which numbers of size `largest` come near 1; 1 where their squares are well within the range,
 * or where there is nothing to scale.
 */
export function unitFactor(largest: number): number {
  if (!(largest > 0 && largest < Infinity)) return 1;
  const exponent = Math.max(-MOST, Math.min(MOST, Math.floor(Math.log2(largest))));
  return Math.abs(exponent) <= ROOM ? 1 : 2 ** -exponent;
}

/** factor·K. */
class ScaledSource implements EntrySource {
  readonly size: number;
  readonly points?: Points | undefined;
  readonly parts?: SourceParts | undefined;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor?: SourceDescriptor | undefined;
  readonly diagonalAt?: (indices: Indices, out: Float64Array) => void;
  readonly #source: EntrySource;
  readonly #factor: number;

  constructor(source: EntrySource, factor: number) {
    this.size = source.size;
    if (source.points !== undefined) this.points = source.points;
    const { parts } = source;
    if (parts !== undefined)
      this.parts = {
        points: parts.points,
        holding: async (...how) => scaledSource(await parts.holding(...how), factor),
        letGo: () => parts.letGo(),
      };
    if (source.operator !== undefined) this.operator = scaled(source.operator, factor);
    if (source.descriptor !== undefined)
      this.descriptor = { ...source.descriptor, factor: factor * (source.descriptor.factor ?? 1) };
    if (source.diagonalAt !== undefined)
      this.diagonalAt = (indices, out) => {
        source.diagonalAt!(indices, out);
        for (let k = 0; k < indices.length; k++) out[k] *= factor;
      };
    this.#source = source;
    this.#factor = factor;
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#source.entries(rows, cols, out);
    const { data } = out;
    for (let j = 0; j < cols.length; j++) {
      const first = out.offset + j * out.ld;
      for (let i = first; i < first + rows.length; i++) data[i] *= this.#factor;
    }
  }

  diagonal(out: Float64Array): void {
    this.#source.diagonal(out);
    for (let i = 0; i < this.size; i++) out[i] *= this.#factor;
  }
}

/**
 * factor·K, the source itself where the factor is 1. Entries of factor·K are exact for a power of two, but below
 * 2^−1022.
 */
export const scaledSource = (source: EntrySource, factor: number): EntrySource =>
  factor === 1 ? source : new ScaledSource(source, factor);
