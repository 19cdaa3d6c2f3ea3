/**
 * What an operator made of others can (the optional members of linear-operator.ts): what all of its parts can.
 */
import type { Precision } from '../dense/matrix.js';
import type { LinearOperator } from './linear-operator.js';

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

/** 'f32' where a part computes in it. */
export const precisionOfAll = (...parts: readonly LinearOperator[]): Precision | undefined =>
  parts.some(({ precision }) => precision === 'f32') ? 'f32' : undefined;
