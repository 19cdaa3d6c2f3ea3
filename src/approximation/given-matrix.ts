/**
 * The matrix of a system as callers hand it over: by its products, by its entries, or stored.
 */
import { kindOf } from '../core/kind.js';
import type { Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import type { TeamControl } from '../parallel/team-control.js';
import { addedToDiagonal, storedSource, type AskedSystem, type MatrixLike } from '../source/dense-source.js';
import { entryOperator } from '../source/entry-operator.js';
import { requireSource, type EntrySource } from '../source/entry-source.js';

/** An operator, a source of entries, or a stored symmetric matrix: flat, a view, or ml-matrix's. */
export type GivenMatrix = LinearOperator | EntrySource | Vectors | MatrixLike;

/** Products with the matrix, its entries where they are at hand, and what ends what was made for it. */
export interface OpenedMatrix {
  readonly operator: LinearOperator;
  readonly source?: EntrySource | undefined;
  release(): void;
}

/**
 * The operator of a given matrix A. Stored ones are checked whole, symmetric and A + λI as positive semidefinite as
 * single entries tell (source/check-stored.ts; with `shiftRelative` λ is not known yet, `indefinite` ones need not be),
 * sources as `entryOperator` does. Throws OptionError for what is none of them, and what those throw.
 */
export async function openMatrix(
  given: GivenMatrix,
  system: AskedSystem,
  of: string,
  control: TeamControl,
): Promise<OpenedMatrix> {
  const kind = kindOf(given);
  const stored = kind === 'numbers' || kind === 'matrix' || kind === 'ml-matrix';
  if (!stored && kind !== 'source') {
    requireOperator(given as LinearOperator, of);
    return { operator: given as LinearOperator, release: () => undefined };
  }
  const source = stored ? storedSource(given as Vectors | MatrixLike, addedToDiagonal(system)) : (given as EntrySource);
  requireSource(source, of);
  const operator = await entryOperator(source, {}, control);
  return {
    operator,
    source,
    release: () => {
      operator.release();
    },
  };
}
