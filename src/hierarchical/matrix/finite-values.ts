/**
 * Nothing is stored that is not a finite number.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { FloatArray } from '../../dense/matrix.js';

/**
 * Throws NonFiniteError unless values[offset … offset + count) are finite. `where` names the block; `at`, where given,
 * the place of its i-th value.
 */
export function requireFiniteValues(
  values: FloatArray,
  offset: number,
  count: number,
  where: () => string,
  at?: (i: number) => string,
): void {
  for (let i = offset; i < offset + count; i++) {
    // x − x is 0 for a finite x and NaN for any other.
    if (values[i] - values[i] !== 0) throw nonFinite(values, values[i], where(), at?.(i - offset));
  }
}

function nonFinite(values: FloatArray, value: number, where: string, at: string | undefined): NonFiniteError {
  const range = values instanceof Float64Array ? 'float64' : "float32 (use dtype 'f64')";
  const place = at === undefined ? where : `${where}, ${at},`;
  return new NonFiniteError(
    `The ${place} would hold ${value}: the matrix has an entry that is not finite, or numbers beyond the range ` +
      `of ${range}. Scale it, or mend the entry.`,
    { value, block: where, at },
  );
}
