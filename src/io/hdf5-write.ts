/**
 * Arrays into HDF5 files, through h5wasm: row-major datasets of float64 or float32, as h5py writes NumPy's. What fits a
 * part lies in one piece, larger ones in chunks, without compression. The format keeps the time at which a dataset was
 * made: equal numbers make files that differ in that alone.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { asVectors, view, type Vectors } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { splitArrayPath } from './array-path.js';
import { writeAtomically } from './atomic-write.js';
import { HOST_IS_LITTLE_ENDIAN, swapBytes } from './byte-order.js';
import { afterPart, hdf5Library, withHeap, writingHdf5, type Hdf5Library } from './hdf5-library.js';
import { requireDatasetName, requireHdf5Replaceable } from './hdf5-read.js';
import { linesOf, tileShape, tilesOf, type Tile } from './hdf5-tiles.js';
import { bytesOf, CHUNK_BYTES } from './input-file.js';
import type { WrittenVectors } from './packed-vectors.js';
import type { Tensor } from './safetensors.js';
import { elementCount } from './shape-size.js';

/** What a dataset is written from, part by part. */
interface Content {
  readonly shape: readonly number[];
  readonly data: FloatArray;
  /** packed ← the part's elements in C order. */
  readonly gather: (part: Tile, packed: FloatArray) => void;
}

/** H5T_FLOAT. */
const FLOAT = 1;

/** The groups that hold a dataset, outermost first: 'a', 'a/b' of 'a/b/c'. */
const groupsOf = (name: string): string[] =>
  name
    .split('/')
    .slice(0, -1)
    .map((_, k, parts) => parts.slice(0, k + 1).join('/'));

/** Throws OptionError for names that cannot be, or that are a dataset's and a group's at once. */
function checkNames(names: readonly string[], path: string): void {
  const all = new Set(names);
  for (const name of names) {
    requireDatasetName(name, path);
    const taken = groupsOf(name).find((group) => all.has(group));
    if (taken !== undefined)
      throw new OptionError(`${path}: "${taken}" cannot be a dataset and the group of "${name}" at once.`, {
        path,
        name,
      });
  }
}

/** Writes one dataset, part by part; `moved` counts its bytes. */
async function writeDataset(
  library: Hdf5Library,
  id: bigint,
  { name, path, content }: { readonly name: string; readonly path: string; readonly content: Content },
  moved: (bytes: number) => Promise<void>,
): Promise<void> {
  const { shape, data, gather } = content;
  const itemBytes = data.BYTES_PER_ELEMENT;
  const tile = tileShape(shape, null, CHUNK_BYTES / itemBytes);
  const most = elementCount(tile);
  const whole = shape.every((n, k) => tile[k] >= n);
  const sizes = shape.map(BigInt);
  const create = (address: number, now: readonly bigint[]): number =>
    library.create_dataset(id, `/${name}`, BigInt(address), {
      shape: now,
      maxshape: sizes,
      chunks: whole ? null : tile.map(BigInt),
      type: FLOAT,
      size: itemBytes,
      signed: false,
      littleEndian: true,
      vlen: false,
      compression: 0,
      compression_opts: [],
      track_order: false,
    });
  const packed = floats(most, precisionOf(data));
  await withHeap(library, most * itemBytes, path, async (address) => {
    if (!whole || elementCount(shape) === 0) {
      // It begins empty and is then given its size: made at once, all of its elements would be asked for.
      writingHdf5(path, () => create(address, whole ? sizes : sizes.map(() => 0n)));
      if (!whole) writingHdf5(path, () => library.resize_dataset(id, `/${name}`, [...sizes]));
    }
    for (const part of tilesOf(shape, tile)) {
      const { offset, count } = part;
      gather(part, packed);
      const bytes = bytesOf(packed.subarray(0, elementCount(count)));
      const there = library.HEAPU8.subarray(address, address + bytes.length);
      there.set(bytes);
      if (!HOST_IS_LITTLE_ENDIAN) swapBytes(there, itemBytes);
      const ones = count.map(() => 1n);
      writingHdf5(path, () =>
        whole
          ? create(address, sizes)
          : library.set_dataset_data(id, `/${name}`, count.map(BigInt), offset.map(BigInt), ones, BigInt(address)),
      );
      await moved(bytes.length);
    }
  });
}

/** Writes datasets by name, whole or not at all. Progress counts bytes. */
async function writeContents(
  file: string,
  contents: ReadonlyMap<string, Content>,
  { signal, onProgress }: RunControl,
): Promise<void> {
  checkNames([...contents.keys()], file);
  const total = [...contents.values()].reduce(
    (sum, { shape, data }) => sum + elementCount(shape) * data.BYTES_PER_ELEMENT,
    0,
  );
  let done = 0;
  await writeAtomically(file, { signal }, async (_, temporary) => {
    const library = await hdf5Library(file);
    const id = writingHdf5(file, () => library.open(temporary, library.H5F_ACC_TRUNC, false, -1, -1));
    try {
      const groups = new Set<string>();
      for (const [name, content] of contents) {
        for (const group of groupsOf(name).filter((one) => !groups.has(one))) {
          writingHdf5(file, () => library.create_group(id, `/${group}`, false));
          groups.add(group);
        }
        await writeDataset(library, id, { name, path: file, content }, async (bytes) => {
          done += bytes;
          await afterPart({ signal, onProgress }, 'write', done, total);
        });
      }
    } finally {
      writingHdf5(file, () => library.close_file(id));
    }
  });
}

/** Elements that lie in C order already. */
const inOrder = (shape: readonly number[], data: FloatArray): Content => ({
  shape,
  data,
  gather(part, packed) {
    const { starts, length } = linesOf(shape, part);
    for (const [line, start] of starts.entries()) packed.set(data.subarray(start, start + length), line * length);
  },
});

/**
 * Writes tensors by name ('group/name'), float32 where a Float32Array is given, else float64, whole or not at all.
 * Throws ShapeError, OptionError (a name that cannot be one), LibraryError (h5wasm is not installed), FileAccessError,
 * AbortedError; then `path` is as it was.
 */
export async function writeHdf5Tensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  control: RunControl = {},
): Promise<void> {
  for (const [name, { shape, data }] of tensors)
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || elementCount(shape) !== data.length)
      throw new ShapeError(
        `${path}: dataset "${name}": shape (${shape.join(', ')}) does not describe ${data.length} elements.`,
        { name, shape, length: data.length },
      );
  await writeContents(
    path,
    new Map([...tensors].map(([name, { shape, data }]) => [name, inOrder(shape, data)])),
    control,
  );
}

/** Writes vectors as `FILE.h5` or `FILE.h5:/group/name`. Throws as writeHdf5Matrix. */
export async function writeHdf5Vectors(
  path: string,
  { vectors, flat, name: usual }: WrittenVectors,
  control: RunControl = {},
): Promise<void> {
  const { data, offset, rows, cols, ld } = asVectors(vectors, 'matrix');
  const { file, name = usual } = splitArrayPath(path);
  const content: Content =
    flat && cols === 1
      ? inOrder([rows], data.subarray(offset, offset + rows))
      : {
          shape: [rows, cols],
          data,
          gather({ offset: [i, j], count: [m, n] }, packed) {
            transposeInto(view(packed, 0, n, m), view(data, offset + i + j * ld, m, n, ld));
          },
        };
  await requireHdf5Replaceable(path, control);
  await writeContents(file, new Map([[name, content]]), control);
}

/**
 * Writes a matrix as a row-major dataset of the same shape and its own precision (an array of numbers as one column),
 * which h5py reads: `FILE.h5:/group/name`, or `FILE.h5`, where it is called 'matrix'. The file holds nothing else
 * afterwards; one that holds other data is replaced as `FILE.h5` alone. It takes the package h5wasm. Throws ShapeError,
 * OptionError (a name that cannot be one; `FILE.h5:/group/name` of a file with other data), LibraryError,
 * FileFormatError (the file of that name is none of HDF5), FileAccessError, AbortedError; then the file is as it was.
 */
export async function writeHdf5Matrix(path: string, matrix: Vectors, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'writeHdf5Matrix');
  requireControl(control, 'writeHdf5Matrix');
  await writeHdf5Vectors(path, { vectors: matrix, flat: false, name: 'matrix' }, control);
}
