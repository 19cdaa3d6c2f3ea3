/**
 * A·B·…
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import type { Matrix } from '../dense/matrix.js';
import { columnwiseOfAll, flopsOfAll, precisionOfAll, rowsOfAll } from './abilities.js';
import { BlockWorkspace, byChunks } from './block-workspace.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/**
 * The product of operators, the last one multiplied first. Symmetric where it reads the same from both ends and every
 * factor is symmetric (A·B·A, A·A). Two workspaces of the largest inner size × at most 256 vectors, kept between
 * products. Throws OptionError without factors, ShapeError.
 */
export function product(...factors: readonly LinearOperator[]): LinearOperator {
  if (factors.length === 0) throw new OptionError('A product needs at least one operator.');
  for (const factor of factors) requireRole(factor, 'operator', 'product');
  const kept = [...factors];
  const last = kept.length - 1;
  for (let i = 0; i < last; i++) {
    const [a, b] = [kept[i], kept[i + 1]];
    if (a.cols !== b.rows)
      throw new ShapeError(
        `Factors ${i + 1} (${a.rows} × ${a.cols}) and ${i + 2} (${b.rows} × ${b.cols}) of the product do not fit ` +
          'together.',
        { factor: i, cols: a.cols, rows: b.rows },
      );
  }
  const workspaces = [new BlockWorkspace(), new BlockWorkspace()] as const;
  const multiply = (out: Matrix, x: Matrix, alpha: number, beta: number): void => {
    let input = x;
    for (let i = last; i > 0; i--) {
      const between = workspaces[i & 1].take(kept[i].rows, x.cols, x.data);
      kept[i].applyUnchecked(between, input, 1, 0);
      input = between;
    }
    kept[0].applyUnchecked(out, input, alpha, beta);
  };
  return derived(
    {
      rows: kept[0].rows,
      cols: kept[last].cols,
      symmetric: kept.every((factor, i) => factor.symmetric && factor === kept[last - i]),
      applyUnchecked: (out, x, alpha, beta) => {
        if (last === 0) multiply(out, x, alpha, beta);
        else
          byChunks(out, x, (y, z) => {
            multiply(y, z, alpha, beta);
          });
      },
      flops: flopsOfAll(kept),
      precision: precisionOfAll(...kept),
      columnwise: columnwiseOfAll(...kept),
      ...rowsOfAll(kept, (own) => productOfOwn(kept, own)),
    },
    ...kept,
  );
}

/** The product over own rows: factors that are the same operator stay the same, which tells that it is symmetric. */
function productOfOwn(factors: readonly LinearOperator[], own: readonly LinearOperator[]): LinearOperator {
  return product(...factors.map((factor) => own[factors.indexOf(factor)]));
}
