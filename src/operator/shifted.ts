/**
 * A + λI.
 */
import { changedDiagonal, columnwiseOfAll, flopsOfAll, precisionOfAll, rowsOfAll } from './abilities.js';
import { addScaled } from './block-arithmetic.js';
import { requireFinite, requireSquare } from './checks.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/**
 * A + λI for a square A and a finite λ. One pass over the vectors besides the product with A; no workspace. Throws
 * ShapeError, NonFiniteError.
 */
export function shifted(operator: LinearOperator, shift: number): LinearOperator {
  const size = requireSquare(operator, 'A + λI');
  requireFinite(shift, 'The shift');
  return derived(
    {
      rows: size,
      cols: size,
      symmetric: operator.symmetric,
      applyUnchecked: (out, x, alpha, beta) => {
        operator.applyUnchecked(out, x, alpha, beta);
        if (shift !== 0) addScaled(out, alpha * shift, x);
      },
      flops: flopsOfAll([operator], 2 * size),
      diagonal: changedDiagonal(operator, (out) => {
        for (let i = 0; i < out.length; i++) out[i] += shift;
      }),
      precision: precisionOfAll(operator),
      columnwise: columnwiseOfAll(operator),
      ...rowsOfAll([operator], ([own]) => shifted(own, shift)),
    },
    operator,
  );
}
