/**
 * Class labels from IDX files, as MNIST's come ("t10k-labels-idx1-ubyte.gz"). Layer 1.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { readIdx } from './idx.js';

export interface ReadLabelsOptions extends RunControl {
  /** At most so many, from the file's start. */
  readonly limit?: number | undefined;
}
export const READ_LABELS_KEYS: KeysOf<ReadLabelsOptions & { readonly team?: unknown }> = { limit: true, signal: true, onProgress: true, team: true };

/**
 * Reads an IDX file of rank 1 and whole numbers: magic 00 00 08 01 (bytes; 09, 0b and 0c, wider and signed types, are read too), plain or compressed by gzip.
 * Throws FileFormatError (images given for labels, real numbers, negative ones, truncated, damaged, foreign), OptionError, FileAccessError, MemoryError, AbortedError.
 */
export async function readLabels(path: string, options: ReadLabelsOptions = {}): Promise<Int32Array> {
  requireRole(path, 'path', 'readLabels');
  requireKnownOptions(options, READ_LABELS_KEYS, 'readLabels');
  const { limit } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) throw new OptionError(`limit must be a whole number of at least 1, not ${limit}.`, { limit });
  const { shape, data } = await readIdx(path, options);
  if (shape.length !== 1) {
    throw new FileFormatError(`${path}: holds ${shape[0]} arrays of ${shape.slice(1).join(' × ')} (images?), not labels: its rank, the fourth byte, is ${shape.length} instead of 1. Give the file of labels: its name has idx1, its first bytes are 00 00 08 01.`, { path, shape });
  }
  if (data instanceof Float32Array || data instanceof Float64Array) {
    throw new FileFormatError(`${path}: holds real numbers; labels are whole ones. The first bytes of a file of labels are 00 00 08 01.`, { path });
  }
  const labels = Int32Array.from(data.subarray(0, limit ?? data.length));
  const negative = labels.findIndex((label) => label < 0);
  if (negative >= 0) throw new FileFormatError(`${path}: label ${negative} (from 0) is ${labels[negative]}; labels count classes from 0.`, { path, sample: negative, label: labels[negative] });
  return labels;
}
