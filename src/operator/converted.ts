/**
 * An operator of one precision for vectors of either.
 */
import { requirePrecision } from '../core/checks.js';
import { precisionOf } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { copyInto, type Precision } from '../dense/matrix.js';
import { changedDiagonal, columnwiseOfAll, flopsOfAll, rowsOfAll } from './abilities.js';
import { combine } from './block-arithmetic.js';
import { BlockWorkspace, byChunks } from './block-workspace.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

const LIKE = { f64: new Float64Array(0), f32: new Float32Array(0) } as const;

/**
 * A for vectors in either precision, where A takes only vectors of `precision`: others are copied there and back. A
 * float32 operator rounds each product to 2⁻²⁴ relative to its size, so float64 solvers over it can't reach further.
 * Two workspaces of at most 256 vectors, kept between products.
 */
export function converted(operator: LinearOperator, precision: Precision): LinearOperator {
  requireRole(operator, 'operator', 'converted');
  requirePrecision(precision);
  const { rows, cols, symmetric } = operator;
  const input = new BlockWorkspace();
  const output = new BlockWorkspace();
  return derived(
    {
      rows,
      cols,
      symmetric,
      applyUnchecked: (out, x, alpha, beta) => {
        if (precisionOf(x.data) === precision && precisionOf(out.data) === precision) {
          operator.applyUnchecked(out, x, alpha, beta);
          return;
        }
        byChunks(out, x, (y, z) => {
          const before = input.take(cols, z.cols, LIKE[precision]);
          const after = output.take(rows, z.cols, LIKE[precision]);
          copyInto(before, z);
          operator.applyUnchecked(after, before, 1, 0);
          combine(y, alpha, after, beta);
        });
      },
      flops: flopsOfAll([operator]),
      diagonal: changedDiagonal(operator, () => undefined),
      precision: operator.precision ?? precision,
      columnwise: columnwiseOfAll(operator),
      ...rowsOfAll([operator], ([own]) => converted(own, precision)),
    },
    operator,
  );
}
