/**
 * What a file is that a reader cannot read, and what reads it: by its first bytes, else by its name.
 */
import type { ArrayFileKind } from './array-path.js';

/** What the library's own files of version 1 begin with; later ones are archives (container-layout.ts). */
export const CONTAINER_MAGIC = Uint8Array.of(0x89, 0x48, 0x4d, 0x58, 0x0d, 0x0a, 0x1a, 0x0a);
const NPY = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** What HDF5 files begin with, or what stands behind a user's block of theirs. */
export const HDF5_SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);
/** What archives begin with. */
export const ZIP = [0x50, 0x4b];
const GZIP = [0x1f, 0x8b];
/** Bytes that are enough to tell. */
export const TELLING_BYTES = 64;

/** The first member of the library's own archives. */
export const HEADER_MEMBER = 'hmatrix.json';
/** Where the name of an archive's first member stands. */
const NAME_AT = 30;

/** Whether bytes begin with others. */
export const startsWith = (head: Uint8Array, magic: ArrayLike<number>): boolean =>
  head.length >= magic.length && Array.from(magic).every((byte, i) => head[i] === byte);

/** Whether a file is one of the library's own. */
const isOwn = (head: Uint8Array): boolean =>
  startsWith(head, CONTAINER_MAGIC) ||
  (startsWith(head, ZIP) && startsWith(head.subarray(NAME_AT), new TextEncoder().encode(HEADER_MEMBER)));

/** Two zero bytes, and a type that IDX has. */
const isIdx = (head: Uint8Array): boolean =>
  startsWith(head, [0, 0]) && [0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e].includes(head[2]) && head[3] >= 1;

/** Whether bytes are those of plain text. */
const isText = (head: Uint8Array): boolean =>
  head.length > 0 && head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);

/** Kinds of files, and what reads them. */
const NPY_FILE = 'an .npy array, which readNpyMatrix, readPoints and readSamples (hmatrix/io) read';
const ARCHIVE =
  'an archive of arrays (.npz), which readMatrix, readPoints, readSamples and readTensors (hmatrix/io) read';
const TENSORS = 'a safetensors file, which readMatrix, readPoints, readSamples and readTensors (hmatrix/io) read';
const MATRIX =
  'a hierarchical matrix, which load (hmatrix/io) reads, and the command takes by itself: hmatrix solve FILE';
const CHECKPOINT = 'a checkpoint of training, which readCheckpoint (hmatrix/training) reads with its folder';
const SHEET = 'a spreadsheet: save its sheet as .csv';
const HDF5_FILE = 'an HDF5 file, which readMatrix, readPoints, readSamples and readTensors (hmatrix/io) read';
const PICKLE = 'a pickle of PyTorch: write its tensors with safetensors.torch.save_file';
const MATLAB = "a file of MATLAB: write its arrays as .npy (numpy.save of scipy.io.loadmat's)";
const TABLE = 'a table, which readPoints and readSamples (hmatrix/io) read';
const TEXT = 'text: if it is a table of numbers, call it .csv or .tsv';
const IDX = 'an IDX file (MNIST), which readPoints, readSamples and readLabels (hmatrix/io) read';

const BY_NAME: Readonly<Record<string, string>> = {
  xlsx: SHEET,
  xls: SHEET,
  ods: SHEET,
  pt: PICKLE,
  pth: PICKLE,
  mat: MATLAB,
  hmt: CHECKPOINT,
  csv: TABLE,
  tsv: TABLE,
};

/** What the path's ending says of files that are not read; undefined where it says nothing. */
function byEnding(path: string): string | undefined {
  const ending = /\.(\w+)$/.exec(path)?.[1].toLowerCase() ?? '';
  return Object.hasOwn(BY_NAME, ending) ? BY_NAME[ending] : undefined;
}

/** Which kind of file of named arrays begins so; undefined where none does, or an archive is another by its name. */
export const arrayFileKindOf = (head: Uint8Array, path = ''): ArrayFileKind | undefined =>
  startsWith(head, ZIP)
    ? byEnding(path) === undefined
      ? 'npz'
      : undefined
    : startsWith(head, HDF5_SIGNATURE)
      ? 'hdf5'
      : head[8] === 0x7b
        ? 'safetensors'
        : undefined;

/** "It is …": what the file is and what reads it, as a sentence after a space; '' where that cannot be told. */
export function foreignFile(path: string, head: Uint8Array): string {
  const byName = byEnding(path);
  const what = isOwn(head)
    ? (byName ?? MATRIX)
    : startsWith(head, NPY)
      ? NPY_FILE
      : startsWith(head, HDF5_SIGNATURE)
        ? HDF5_FILE
        : startsWith(head, ZIP)
          ? (byName ?? ARCHIVE)
          : head[8] === 0x7b
            ? TENSORS
            : startsWith(head, GZIP) || isIdx(head)
              ? IDX
              : (byName ?? (isText(head) ? TEXT : undefined));
  return what === undefined ? '' : ` It is ${what}.`;
}
