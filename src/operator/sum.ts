/**
 * A + B + …
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { columnwiseOfAll, flopsOfAll, precisionOfAll, rowsOfAll } from './abilities.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/**
 * The sum of operators of one shape, symmetric where all of them are. Terms are added in the order given; no workspace.
 * Throws OptionError without terms, ShapeError.
 */
export function sum(...terms: readonly LinearOperator[]): LinearOperator {
  if (terms.length === 0) throw new OptionError('A sum needs at least one operator.');
  for (const term of terms) requireRole(term, 'operator', 'sum');
  const { rows, cols } = terms[0];
  terms.forEach((term, i) => {
    if (term.rows !== rows || term.cols !== cols)
      throw new ShapeError(`Term ${i + 1} of the sum is ${term.rows} × ${term.cols}, the first is ${rows} × ${cols}.`, {
        term: i,
        rows: term.rows,
        cols: term.cols,
      });
  });
  const kept = [...terms];
  return derived(
    {
      rows,
      cols,
      symmetric: kept.every((term) => term.symmetric),
      applyUnchecked: (out, x, alpha, beta) => {
        kept.forEach((term, i) => {
          term.applyUnchecked(out, x, alpha, i === 0 ? beta : 1);
        });
      },
      flops: flopsOfAll(kept),
      diagonal: diagonalOfSum(kept),
      precision: precisionOfAll(...kept),
      columnwise: columnwiseOfAll(...kept),
      ...rowsOfAll(kept, (own) => sum(...own)),
    },
    ...kept,
  );
}

function diagonalOfSum(terms: readonly LinearOperator[]): LinearOperator['diagonal'] {
  if (terms.some(({ diagonal }) => diagonal === undefined)) return undefined;
  return (out) => {
    const [first, ...rest] = terms;
    first.diagonal!(out);
    const term = new Float64Array(out.length);
    for (const one of rest) {
      one.diagonal!(term);
      for (let i = 0; i < out.length; i++) out[i] += term[i];
    }
  };
}
