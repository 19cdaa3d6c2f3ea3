/** The diagonal of an operator by products with all unit vectors. */
import type { LinearOperator } from '../operator/linear-operator.js';
import { unitProducts } from '../operator/to-dense.js';
import type { TeamControl } from '../parallel/team-control.js';
import { pause } from './sketch.js';

/** A(i, i) of a square operator by N products, whose progress is reported as `phase`. Throws AbortedError. */
export async function diagonalByProducts(
  operator: LinearOperator,
  phase: string,
  control: TeamControl,
): Promise<Float64Array> {
  const n = operator.rows;
  const diagonal = new Float64Array(n);
  await pause(control, phase, 0, n);
  for (const { first, out } of unitProducts(operator)) {
    for (let j = 0; j < out.cols; j++) diagonal[first + j] = out.data[first + j + j * n];
    await pause(control, phase, first + out.cols, n);
  }
  return diagonal;
}
