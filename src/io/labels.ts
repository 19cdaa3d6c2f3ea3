/**
 * Class labels from IDX files, as MNIST's come ("t10k-labels-idx1-ubyte.gz").
 */
import { splitArrayPath } from './array-path.js';
import { requireWhole } from '../core/checks.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { excerpt } from './excerpt.js';
import { isGzip } from './gzip.js';
import { isIdx, readIdx } from './idx.js';
import { withInputFile } from './input-file.js';
import { hex, NPY_MAGIC } from './npy-header.js';

/** How many labels to read; abort and progress. */
export interface ReadLabelsOptions extends RunControl {
  /** At most so many, from the file's start. */
  readonly limit?: number | undefined;
}
/** The keys of {@link ReadLabelsOptions}, and `team`. */
const READ_LABELS_KEYS: KeysOf<ReadLabelsOptions & { readonly team?: unknown | undefined }> = {
  limit: 'number',
  signal: true,
  onProgress: 'function',
  team: true,
};

/** QMNIST's labels: rows of eight numbers (class, and where the digit comes from), of which the class is the first. */
const QMNIST_COLUMNS = 8;

/** Throws FileFormatError, which says what reads the file, for arrays of NumPy and tables. */
async function requireIdx(path: string, control: RunControl): Promise<void> {
  const { file: whole } = splitArrayPath(path);
  const head = await withInputFile(whole, control, (file) => file.head(6));
  if (isGzip(head) || isIdx(head)) return;
  const kind =
    hex(head) === NPY_MAGIC ? 'npy' : /\.(npy|npz|safetensors|h5|hdf5|csv|tsv)$/i.exec(whole)?.[1].toLowerCase();
  if (kind === undefined) return;
  const table = kind === 'csv' || kind === 'tsv';
  const what = table ? `a table (.${kind})` : `${kind === 'safetensors' ? 'a' : 'an'} .${kind} file`;
  const column = table ? ", { columns: ['label'] }" : '';
  throw new FileFormatError(
    `${path}: ${what}, and readLabels reads IDX files (MNIST's). ` +
      `(await readSamples(path${column})).data are the labels of this one.`,
    { path },
  );
}

/**
 * Reads an IDX file of whole numbers: of rank 1 (magic 00 00 08 01 for bytes; 09, 0b and 0c, wider and signed types,
 * are read too), or QMNIST's of eight 32-bit columns (00 00 0c 02), whose first is the class; plain or compressed by
 * gzip. Throws FileFormatError (images given for labels, real numbers, negative ones, truncated, damaged, foreign),
 * OptionError, FileAccessError, MemoryError, AbortedError.
 */
export async function readLabels(path: string, options: ReadLabelsOptions = {}): Promise<Int32Array> {
  requireRole(path, 'path', 'readLabels');
  requireKnownOptions(options, READ_LABELS_KEYS, 'readLabels');
  const { limit } = options;
  if (limit !== undefined) requireWhole(limit, 'limit', 1);
  await requireIdx(path, options);
  const { shape, data } = await readIdx(path, options);
  const columns = shape.length === 2 && shape[1] === QMNIST_COLUMNS && data instanceof Int32Array ? QMNIST_COLUMNS : 1;
  if (shape.length !== 1 && columns === 1) {
    const what =
      shape.length === 2
        ? `rows of ${shape[1]} numbers, not labels: of files of rank 2 those of QMNIST are read, eight 32-bit ` +
          'numbers a row (name idx2-int, first bytes 00 00 0c 02)'
        : `arrays of ${excerpt(shape.slice(1).join(' × '))} (images?), not labels: its rank, the fourth byte, is ` +
          `${shape.length} instead of 1`;
    throw new FileFormatError(
      `${path}: holds ${shape[0]} ${what}. Give the file of labels: its name has idx1, its first bytes are 00 00 ` +
        '08 01.',
      { path, shape },
    );
  }
  if (data instanceof Float32Array || data instanceof Float64Array) {
    throw new FileFormatError(
      `${path}: holds real numbers; labels are whole ones. The first bytes of a file of labels are 00 00 08 01.`,
      { path },
    );
  }
  const labels = Int32Array.from({ length: Math.min(shape[0], limit ?? shape[0]) }, (_, k) => data[k * columns]);
  const negative = labels.findIndex((label) => label < 0);
  if (negative >= 0)
    throw new FileFormatError(
      `${path}: label ${negative} (from 0) is ${labels[negative]}; labels count classes from 0.`,
      { path, sample: negative, label: labels[negative] },
    );
  return labels;
}
