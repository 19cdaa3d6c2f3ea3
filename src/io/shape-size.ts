/**
 * How many elements the shapes have that files announce.
 */

/**
 * The product of the sizes; 0 where one is 0, also beside others whose product is beyond all numbers (0 × ∞ is NaN). 1
 * of ().
 */
export const elementCount = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((product, n) => product * n, 1);
