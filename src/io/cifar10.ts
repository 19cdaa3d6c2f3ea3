/**
 * The binary files of CIFAR-10, plain or compressed by gzip.
 * Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the page of the data set
 * (binary version): records of 3,073 bytes, the label (0 to 9), then 1,024 bytes of red, green and blue each, 32 × 32
 * row by row. data_batch_1.bin to data_batch_5.bin hold 10,000 images for training each, test_batch.bin 10,000 others.
 */
import { requireWhole } from '../core/checks.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { readUnpacked } from './gzip.js';
import { sharedBuffer, withInputFile } from './input-file.js';
import type { LabeledImages } from './labeled-images.js';

/** How many images to read; abort and progress. */
export interface ReadCifar10Options extends RunControl {
  /** At most so many in all, from the first file's start. */
  readonly limit?: number | undefined;
}
/** The keys of {@link ReadCifar10Options}, and `team`. */
const READ_CIFAR10_KEYS: KeysOf<ReadCifar10Options & { readonly team?: unknown | undefined }> = {
  limit: 'number',
  signal: true,
  onProgress: 'function',
  team: true,
};

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'] as const;
const CHANNELS = 3;
const SIDE = 32;
const PIXELS = CHANNELS * SIDE * SIDE;
const RECORD = 1 + PIXELS;
/** CIFAR-100's records begin with two labels. */
const RECORD_OF_100 = 2 + PIXELS;

/** Where the marks of a tar archive stand in its first block. */
const TAR_MARK = 257;

/** What else the bytes may be, and what to do about it. */
function meantInstead(bytes: Uint8Array): string {
  const text = (from: number, length: number): string => String.fromCharCode(...bytes.subarray(from, from + length));
  if (text(TAR_MARK, 5) === 'ustar') return 'It is a tar archive: unpack it (tar -xf), and give data_batch_1.bin.';
  if (bytes[0] === 0x80 && bytes[1] <= 5) return 'It is a pickle, of the Python version: fetch the binary version.';
  if (bytes.length > 0 && bytes.length % RECORD_OF_100 === 0)
    return `It has records of ${RECORD_OF_100} bytes, as CIFAR-100 has: only CIFAR-10 is read.`;
  return 'It is truncated, or something else: fetch it again.';
}

/** The records of one file, checked. */
async function readRecords(path: string, control: RunControl): Promise<Uint8Array> {
  const bytes = await withInputFile(path, control, (file) => readUnpacked(file, control));
  const count = Math.floor(bytes.length / RECORD);
  if (count === 0 || count * RECORD !== bytes.length)
    throw new FileFormatError(
      `${path}: ${bytes.length} bytes are not whole records of CIFAR-10, a label and 3 × 32 × 32 pixels in ` +
        `${RECORD} bytes. ${meantInstead(bytes)}`,
      { path, bytes: bytes.length, record: RECORD },
    );
  for (let i = 0; i < count; i++) {
    const label = bytes[i * RECORD];
    if (label >= CLASSES.length)
      throw new FileFormatError(
        `${path}: image ${i} (from 0) has label ${label}; CIFAR-10 has the classes 0 to ${CLASSES.length - 1}. ` +
          meantInstead(bytes),
        { path, image: i, label },
      );
  }
  return bytes;
}

/**
 * Reads binary files of CIFAR-10 (`data_batch_1.bin`, …, or compressed by gzip), one after the other, as images of
 * 3 × 32 × 32 bytes over shared memory; `imageDataSet` makes a data set of them. Throws FileFormatError (no whole
 * records, a label beyond 9; it says where the file is an archive, a pickle or CIFAR-100's), OptionError,
 * FileAccessError, MemoryError, AbortedError.
 */
export async function readCifar10(
  paths: string | readonly string[],
  options: ReadCifar10Options = {},
): Promise<LabeledImages> {
  const list: readonly unknown[] = Array.isArray(paths) ? paths : [paths];
  if (list.length === 0) throw new OptionError(`readCifar10 takes one path or more, not ${describe(paths)}.`);
  for (const path of list) requireRole(path, 'path', 'readCifar10');
  requireKnownOptions(options, READ_CIFAR10_KEYS, 'readCifar10');
  const { limit = Infinity, signal, onProgress } = options;
  if (options.limit !== undefined) requireWhole(limit, 'limit', 1);
  const files: Uint8Array[] = [];
  let count = 0;
  for (const path of list as readonly string[]) {
    if (count >= limit) break;
    const records = await readRecords(path, { signal, onProgress });
    const taken = Math.min(limit - count, records.length / RECORD);
    files.push(records.subarray(0, taken * RECORD));
    count += taken;
  }
  const pixels = new Uint8Array(sharedBuffer(count * PIXELS, 'The pixels'));
  const labels = new Int32Array(count);
  let i = 0;
  for (const records of files)
    for (let at = 0; at < records.length; at += RECORD, i++) {
      labels[i] = records[at];
      pixels.set(records.subarray(at + 1, at + RECORD), i * PIXELS);
    }
  return { channels: CHANNELS, height: SIDE, width: SIDE, classes: CLASSES, labels, pixels };
}
