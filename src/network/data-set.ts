/**
 * Samples and targets, read batch by batch so that the number of samples is not limited by memory. Layer 3.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { block, checkView, zeros, type Matrix, type Precision } from '../dense/matrix.js';

export interface Batch {
  /** inputs × count, one sample a column. */
  readonly inputs: Matrix;
  /** outputs × count; class labels as unit vectors (`labelTargets`). */
  readonly targets: Matrix;
}

export interface DataSet {
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Samples first … first + count − 1; the same ones each time it is asked. The views may be reused by the next call. */
  batch(first: number, count: number): Batch;
}

/** Samples first … first + count − 1 of any data set. Throws ShapeError where it hands over more or fewer. */
export function batchOf(data: DataSet, first: number, count: number): Batch {
  const { inputs, targets } = data.batch(first, count);
  for (const [name, { rows, cols }, units] of [
    ['inputs', inputs, data.inputs], ['targets', targets, data.outputs],
  ] as const) {
    if (rows === units && cols === count) continue;
    const what = `batch(${first}, ${count}) of the data set gives ${name} of ${rows} × ${cols}`;
    throw new ShapeError(`${what}; ${units} × ${count} are needed, one sample a column.`, { first, count, rows, cols });
  }
  return { inputs, targets };
}

/** A data set that lies in memory. An autoencoder's targets are its inputs. Throws ShapeError. */
export function memoryDataSet(inputs: Matrix, targets: Matrix): DataSet {
  checkView(inputs, 'inputs');
  checkView(targets, 'targets');
  if (inputs.cols !== targets.cols) throw new ShapeError(`${inputs.cols} samples of inputs, ${targets.cols} of targets.`, { inputs: inputs.cols, targets: targets.cols });
  if (inputs.cols === 0) throw new ShapeError('The data set is empty.', {});
  return {
    samples: inputs.cols, inputs: inputs.rows, outputs: targets.rows,
    batch: (first, count) => ({ inputs: block(inputs, 0, first, inputs.rows, count), targets: block(targets, 0, first, targets.rows, count) }),
  };
}

/** Unit vectors for class labels: column i is e_{labels[i]} ∈ ℝ^classes. Throws OptionError for a label outside 0 … classes − 1. */
export function labelTargets(labels: ArrayLike<number>, classes: number, precision: Precision = 'f64'): Matrix {
  const targets = zeros(classes, labels.length, precision);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new OptionError(`Label ${label} of sample ${i} is out of range: the network has ${classes} outputs, so labels run from 0 to ${classes - 1}.`, { sample: i, label, classes });
    }
    targets.data[i * classes + label] = 1;
  }
  return targets;
}
