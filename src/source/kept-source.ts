/**
 * Entries of a matrix whose dense form an operator keeps: they are read there instead of evaluated anew.
 */
import type { Precision } from '../dense/matrix.js';
import { DenseSource } from './dense-source.js';
import type { EntryOperator } from './entry-operator.js';
import type { EntrySource, Points } from './entry-source.js';

/** A source's entries from the stored matrix; what else is known of them is the source's. */
class KeptSource extends DenseSource {
  readonly points?: Points | undefined;
  readonly lowerBound?: number | undefined;
  readonly #precision: Precision | undefined;

  constructor(matrix: NonNullable<EntryOperator['dense']>, { points, lowerBound, precision }: EntrySource) {
    super(matrix, true);
    if (points !== undefined) this.points = points;
    if (lowerBound !== undefined) this.lowerBound = lowerBound;
    this.#precision = precision;
  }

  override get precision(): Precision {
    return this.#precision ?? 'f64';
  }
}

/**
 * The source with the entries that the operator of it keeps, valid until that is released; the source itself where it
 * keeps none, or is stored itself.
 */
export function keptSource(source: EntrySource, operator: EntryOperator): EntrySource {
  const { dense } = operator;
  return dense === undefined || source instanceof DenseSource ? source : new KeptSource(dense, source);
}
