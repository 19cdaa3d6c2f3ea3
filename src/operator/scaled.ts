/**
 * c·A.
 */
import { requireRole } from '../core/kind.js';
import { changedDiagonal, columnwiseOfAll, flopsOfAll, precisionOfAll, rowsOfAll } from './abilities.js';
import { requireFinite } from './checks.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/** c·A for a finite number c. Costs what a product with A costs; no workspace. Throws NonFiniteError. */
export function scaled(operator: LinearOperator, factor: number): LinearOperator {
  requireRole(operator, 'operator', 'scaled');
  requireFinite(factor, 'The factor');
  const { rows, cols, symmetric } = operator;
  return derived(
    {
      rows,
      cols,
      symmetric,
      applyUnchecked: (out, x, alpha, beta) => {
        operator.applyUnchecked(out, x, alpha * factor, beta);
      },
      flops: flopsOfAll([operator]),
      diagonal: changedDiagonal(operator, (out) => {
        for (let i = 0; i < out.length; i++) out[i] *= factor;
      }),
      precision: precisionOfAll(operator),
      columnwise: columnwiseOfAll(operator),
      ...rowsOfAll([operator], ([own]) => scaled(own, factor)),
    },
    operator,
  );
}
