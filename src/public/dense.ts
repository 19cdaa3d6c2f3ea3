/**
 * Dense matrices, and the BLAS that works on them.
 */
export { openBlas } from '../dense/backend.js';
export type { Blas } from '../dense/blas.js';
export type { BlasOption } from '../dense/default-blas.js';
export {
  matrixOver,
  zeros,
  type FlatVector,
  type FloatArray,
  type Matrix,
  type Precision,
  type Vectors,
} from '../dense/matrix.js';
export { transpose } from '../dense/transpose.js';
