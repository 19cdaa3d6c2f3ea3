/**
 * What messages say of arrays of files, and checks of them.
 */
import { FileFormatError, NonFiniteError } from '../core/errors.js';
import type { NamedArray } from './named-array.js';

/** "(3, 4)", "(3,)". */
export const shapeText = (shape: readonly number[]): string => `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;

/** Throws FileFormatError unless the array that messages call `what` has rank 1 or 2. */
export function requireVectorOrMatrix(what: string, shape: readonly number[], data: Record<string, unknown>): void {
  if (shape.length === 1 || shape.length === 2) return;
  throw new FileFormatError(
    `${what} has rank ${shape.length} and shape ${shapeText(shape)}; rank 1 or 2 is needed. In NumPy: ` +
      'array.reshape(rows, -1).',
    { ...data, shape },
  );
}

/** The indices of element number `at` in memory. */
function indexOf(at: number, { shape, fortranOrder }: Pick<NamedArray, 'shape' | 'fortranOrder'>): number[] {
  const index: number[] = [];
  let left = at;
  for (const size of fortranOrder ? shape : [...shape].reverse()) {
    index.push(left % size);
    left = Math.floor(left / size);
  }
  return fortranOrder ? index : index.reverse();
}

/** Throws NonFiniteError naming array and index, and the file where there is one. */
export function requireFiniteArray(array: NamedArray, name: string, path?: string): void {
  const at = array.data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const index = indexOf(at, array);
  const value = array.data[at];
  throw new NonFiniteError(
    `${path === undefined ? '' : `${path}: `}"${name}"[${index.join(', ')}] is ${value}: did the training diverge?`,
    { path, name, index, value },
  );
}
