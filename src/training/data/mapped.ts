/**
 * A data set whose inputs went through a map: computed once and kept where that fits, else again each time.
 */
import { NUMBER_BYTES, precisionOf } from '../../core/floats.js';
import { block, copyInto, zeros, type Matrix, type Precision } from '../../dense/matrix.js';
import { batchOf, memoryDataSet, type DataSet } from '../../network/data-set.js';
import { availableMemory } from '../../io/machine.js';
import type { Breath } from '../breath.js';

/** Samples that are mapped at a time. */
export const MAP_CHUNK = 512;
/** At most this much is kept, and at most half of the memory that there is. */
const KEPT_BYTES = 2 ** 31;

/** A map of inputs, column by column. */
export interface InputMap {
  /** Rows of what it gives. */
  readonly rows: number;
  readonly precision: Precision;
  /** out ← the images of x's columns. `first`: the number of the first one's sample. */
  readonly apply: (x: Matrix, out: Matrix, first: number) => void;
}

/** `data` with mapped inputs. Throws AbortedError. */
export async function mappedData(
  data: DataSet,
  { rows, precision, apply }: InputMap,
  breath: Breath,
  mostBytes = KEPT_BYTES,
): Promise<DataSet> {
  const { samples, outputs } = data;
  if (!fits({ rows, outputs, samples }, precision, mostBytes)) {
    let room = zeros(rows, 1, precision);
    return {
      samples,
      inputs: rows,
      outputs,
      batch: (first, count) => {
        if (room.cols < count) room = zeros(rows, count, precision);
        const { inputs, targets } = batchOf(data, first, count);
        const out = block(room, 0, 0, rows, count);
        for (let at = 0; at < count; at += MAP_CHUNK) {
          const some = Math.min(MAP_CHUNK, count - at);
          apply(block(inputs, 0, at, inputs.rows, some), block(out, 0, at, rows, some), first + at);
        }
        return { inputs: out, targets };
      },
    };
  }
  const mapped = zeros(rows, samples, precision);
  const targets = zeros(outputs, samples, precision);
  for (let first = 0; first < samples; first += MAP_CHUNK) {
    const count = Math.min(MAP_CHUNK, samples - first);
    const batch = batchOf(data, first, count);
    apply(batch.inputs, block(mapped, 0, first, rows, count), first);
    copyInto(block(targets, 0, first, outputs, count), batch.targets);
    await breath.takeIfDue();
  }
  return memoryDataSet(mapped, targets, { samples: 'columns' });
}

/** Whether so many numbers may be kept. */
const fits = (
  { rows, outputs, samples }: { readonly rows: number; readonly outputs: number; readonly samples: number },
  precision: Precision,
  mostBytes: number,
): boolean => (rows + outputs) * samples * NUMBER_BYTES[precision] <= Math.min(mostBytes, availableMemory() / 2);

/**
 * `data` in that precision, converted once: a step that converts its batch takes longer. The data itself where it has
 * that precision, or may not be kept. Throws AbortedError.
 */
export async function convertedData(data: DataSet, precision: Precision, breath: Breath): Promise<DataSet> {
  const { inputs: rows, outputs, samples } = data;
  const first = batchOf(data, 0, 1);
  const same = [first.inputs, first.targets].every((matrix) => precisionOf(matrix.data) === precision);
  if (same || !fits({ rows, outputs, samples }, precision, KEPT_BYTES)) return data;
  const apply = (x: Matrix, out: Matrix): void => {
    copyInto(out, x);
  };
  return mappedData(data, { rows, precision, apply }, breath);
}
