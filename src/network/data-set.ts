/**
 * Samples and targets, read batch by batch so that the number of samples is not limited by memory.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { describe, kindOf } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asVectors, block, zeros, type Matrix, type Precision } from '../dense/matrix.js';
import { transpose } from '../dense/transpose.js';

/** Some samples with their targets. */
export interface Batch {
  /** inputs × count, one sample a column. */
  readonly inputs: Matrix;
  /** outputs × count; class labels as unit vectors (`labelTargets`). */
  readonly targets: Matrix;
}

/** n samples with their targets. */
export interface DataSet {
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
  /**
   * Samples first … first + count − 1; the same ones each time it is asked. The views may be reused by the next call.
   */
  batch(first: number, count: number): Batch;
}

/** Samples first … first + count − 1 of any data set. Throws ShapeError where it hands over more or fewer. */
export function batchOf(data: DataSet, first: number, count: number): Batch {
  const { inputs, targets } = data.batch(first, count);
  for (const [name, { rows, cols }, units] of [
    ['inputs', inputs, data.inputs],
    ['targets', targets, data.outputs],
  ] as const) {
    if (rows === units && cols === count) continue;
    const what = `batch(${first}, ${count}) of the data set gives ${name} of ${rows} × ${cols}`;
    throw new ShapeError(`${what}; ${units} × ${count} are needed, one sample a column.`, { first, count, rows, cols });
  }
  return { inputs, targets };
}

/** How matrices are read as a data set. */
export interface MemoryDataSetOptions {
  /**
   * 'columns' (default): column j of both matrices is sample j. 'rows': row j is, and the data set lies over
   * transposed copies; targets that have as many columns as the inputs have rows, and another number of rows, are taken
   * as they are, as `labelTargets` makes them. To be said where both matrices are square: their
   * sizes do not tell one that should have been transposed.
   */
  readonly samples?: 'columns' | 'rows' | undefined;
}
const MEMORY_DATA_SET_KEYS: KeysOf<MemoryDataSetOptions> = { samples: true };

/**
 * A data set that lies in memory: inputs × samples and outputs × samples, one sample a column. An autoencoder's targets
 * are its inputs. The matrices are not copied where their samples are columns. Throws ShapeError (numbers of samples
 * that differ, square matrices without `samples`), OptionError.
 */
export function memoryDataSet(givenInputs: Matrix, givenTargets: Matrix, options: MemoryDataSetOptions = {}): DataSet {
  requireKnownOptions(options, MEMORY_DATA_SET_KEYS, 'memoryDataSet');
  const { samples } = options;
  if (samples !== undefined && samples !== 'columns' && samples !== 'rows') {
    throw new OptionError(`samples must be 'columns' or 'rows', not ${describe(samples)}.`, { option: 'samples' });
  }
  const order = (given: Matrix, name: string, count?: number): Matrix => {
    const matrix = asMatrix(given, name);
    return samples === 'rows' && (matrix.rows === count || matrix.cols !== count) ? transpose(matrix) : matrix;
  };
  const inputs = order(givenInputs, 'inputs');
  const targets = givenTargets === givenInputs ? inputs : order(givenTargets, 'targets', inputs.cols);
  if (inputs.cols !== targets.cols) {
    const turned = samples === undefined ? turnedHint(inputs, targets) : '';
    const counts = { inputs: inputs.cols, targets: targets.cols };
    throw new ShapeError(`${inputs.cols} samples of inputs, ${targets.cols} of targets.${turned}`, counts);
  }
  if (inputs.cols === 0) throw new ShapeError('The data set is empty.', {});
  const n = inputs.cols;
  if (samples === undefined && n > 1 && inputs.rows === n && targets.rows === n) {
    throw new ShapeError(
      `Inputs and targets are both ${n} × ${n}: whether samples are columns or rows cannot be told. ` +
        "Pass { samples: 'columns' } (column j is sample j) or { samples: 'rows' }.",
      { rows: n },
    );
  }
  return {
    samples: inputs.cols,
    inputs: inputs.rows,
    outputs: targets.rows,
    batch: (first, count) => ({
      inputs: block(inputs, 0, first, inputs.rows, count),
      targets: block(targets, 0, first, targets.rows, count),
    }),
  };
}

/** What helps where the numbers of columns differ, and rows may be the samples of one of them or of both. */
function turnedHint(inputs: Matrix, targets: Matrix): string {
  if (inputs.rows === targets.rows || inputs.rows === targets.cols)
    return (
      (inputs.rows === targets.rows
        ? ` They have as many rows, ${inputs.rows}: if those are the samples,`
        : ` The inputs have ${inputs.rows} rows: if those are their samples,`) +
      " pass { samples: 'rows' }, which transposes."
    );
  return inputs.cols === targets.rows
    ? ` The targets have ${targets.rows} rows: if those are their samples, transpose(targets) (hmatrix/dense).`
    : '';
}

/** A checked matrix; a flat array does not tell where a sample ends. */
function asMatrix(given: Matrix, name: string): Matrix {
  if (Array.isArray(given) || ArrayBuffer.isView(given)) {
    const wanted = 'a matrix, one sample a column: matrixOver(numbers, rows, cols)';
    throw new ShapeError(`${name} must be ${wanted}, not ${describe(given)}.`, { name });
  }
  return asVectors(given, name);
}

/**
 * Unit vectors for class labels: column i is e_{labels[i]} ∈ ℝ^classes. Throws OptionError for a label outside 0 …
 * classes − 1, a number of classes that is none.
 */
export function labelTargets(labels: ArrayLike<number>, classes: number, precision: Precision = 'f64'): Matrix {
  if (typeof labels !== 'object' || labels === null || typeof labels.length !== 'number') {
    const hint = kindOf(labels) === 'matrix' ? ': pass its .data' : '';
    throw new OptionError(`Labels are an array of whole numbers, not ${describe(labels)}${hint}.`);
  }
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new OptionError(
      `labelTargets needs the number of classes, a whole number of at least 1, not ${describe(classes)}: ` +
        'labelTargets(labels, 10).',
      { classes },
    );
  }
  const targets = zeros(classes, labels.length, precision);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new OptionError(
        `Label ${typeof label === 'number' ? label : describe(label)} of sample ${i} is out of range: the ` +
          `network has ${classes} outputs, so labels run from 0 to ${classes - 1}.`,
        { sample: i, label, classes },
      );
    }
    targets.data[i * classes + label] = 1;
  }
  return targets;
}
