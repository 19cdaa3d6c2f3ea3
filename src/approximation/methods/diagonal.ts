/**
 * The diagonal, and blocks on it, as they are. Their memory follows from the matrix; a budget that is exceeded is said
 * in a note.
 */
import type { Model } from '../../network/model.js';
import { layerRanges, unitRanges } from '../../network/ranges.js';
import { diagonalOperator } from '../../operator/diagonal-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { blockDiagonal as blockDiagonalOf, blockDiagonalBytes } from '../../source/block-diagonal.js';
import type { EntrySource } from '../../source/entry-source.js';
import { bytesOfBudget } from '../budget.js';
import {
  entriesOf,
  leastNumber,
  leastOf,
  modelOf,
  withoutPart,
  type Approximated,
  type Budget,
  type Method,
} from './method.js';

/** diag A. */
export const diagonal: Method = {
  rows: [{ name: 'diagonal', share: 'high' }],
  make: (subject) => approximateDiagonal(entriesOf(subject, 'diagonal')),
};

/** The blocks of a network's layers, or of its units. */
export const blockDiagonal: Method = {
  rows: [{ name: 'block-diagonal', share: 'high' }],
  make: (subject, budget, _, control) =>
    approximateBlockDiagonal(modelOf(subject, 'block-diagonal'), entriesOf(subject, 'block-diagonal'), budget, control),
};

/** diag A; λ_min is its smallest number. */
function approximateDiagonal(source: Pick<EntrySource, 'size' | 'diagonal'>): Approximated {
  const values = new Float64Array(source.size);
  source.diagonal(values);
  return {
    operator: diagonalOperator(values),
    bytes: values.byteLength,
    smallestEigenvalue: leastOf([leastNumber(values)]),
    squaredError: withoutPart([values]),
  };
}

/**
 * The blocks of layers where they fit the budget, else those of the single units: all weights of a unit against each
 * other.
 */
async function approximateBlockDiagonal(
  model: Model,
  source: EntrySource,
  budget: Budget,
  control: TeamControl,
): Promise<Approximated> {
  const layers = layerRanges(model.network);
  const whole = blockDiagonalBytes(layers) <= bytesOfBudget(budget, source.size);
  const operator = await blockDiagonalOf(source, whole ? layers : unitRanges(model.network), {}, control);
  return {
    operator,
    bytes: operator.bytes,
    details: { blocks: whole ? 'layers' : 'units' },
    squaredError: withoutPart([operator.values]),
    release: () => {
      operator.release();
    },
  };
}
