/**
 * What an operator made of others can (the optional members of linear-operator.ts): what all of its parts can.
 */
import { OptionError } from '../core/errors.js';
import type { Precision } from '../dense/matrix.js';
import type { LinearOperator, OwnRowsOperator } from './linear-operator.js';
import type { RowShare } from './row-share.js';

/** Flops of one product with each part, and `own` flops a vector besides; undefined where a part's are not known. */
export function flopsOfAll(parts: readonly LinearOperator[], own = 0): LinearOperator['flops'] {
  if (parts.some(({ flops }) => flops === undefined)) return undefined;
  return (vectors) => parts.reduce((total, part) => total + part.flops!(vectors), own * vectors);
}

/** The diagonal of `part` with `change` made to it in place; undefined where the part's is not known. */
export function changedDiagonal(
  part: LinearOperator,
  change: (diagonal: Float64Array) => void,
): LinearOperator['diagonal'] {
  if (part.diagonal === undefined) return undefined;
  return (out) => {
    part.diagonal!(out);
    change(out);
  };
}

/** True where all parts multiply column by column. */
export const columnwiseOfAll = (...parts: readonly LinearOperator[]): boolean | undefined =>
  parts.every(({ columnwise }) => columnwise === true) ? true : undefined;

/** 'f32' where a part computes in it. */
export const precisionOfAll = (...parts: readonly LinearOperator[]): Precision | undefined =>
  parts.some(({ precision }) => precision === 'f32') ? 'f32' : undefined;

/**
 * Own rows of an operator made of `parts`: over those that one of them has where all can be had over them, `make` being
 * given the parts over own rows. Of parts over own rows the operator is over the same. Throws OptionError where some
 * parts are over own rows and others are not, or over others.
 */
export function rowsOfAll(
  parts: readonly LinearOperator[],
  make: (parts: readonly OwnRowsOperator[]) => LinearOperator,
): Pick<LinearOperator, 'onRows' | 'rowShare'> {
  const rowShare = parts.find((part) => part.rowShare !== undefined)?.rowShare;
  if (rowShare !== undefined) {
    if (!parts.every((part) => part.rowShare?.equals(rowShare)))
      throw new OptionError(
        'Some of these operators are over own rows and others are over all rows, or over other ones: combine the ' +
          'operators first, then take ownRows of the result.',
      );
    return { rowShare };
  }
  if (parts.some(({ onRows }) => onRows === undefined)) return {};
  return {
    onRows: (rows) => {
      const share = rows ?? ownShare(parts);
      if (share === undefined) return undefined;
      const own: OwnRowsOperator[] = [];
      for (const part of parts) {
        const over = part.onRows!(share);
        if (over === undefined) return undefined;
        own.push(over);
      }
      return { ...make(own), rowShare: share };
    },
  };
}

/** The rows that the first of the parts has which has rows of its own. */
function ownShare(parts: readonly LinearOperator[]): RowShare | undefined {
  for (const part of parts) {
    const own = part.onRows!();
    if (own !== undefined) return own.rowShare;
  }
  return undefined;
}
