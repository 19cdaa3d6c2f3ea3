/**
 * Arrays out of HDF5 files, through h5wasm.
 * A dataset is moved part by part, of whole chunks each, straight into shared memory. Its elements are real numbers
 * (those of two bytes are taken for IEEE binary16), whole numbers or booleans as h5py writes them, in any byte order,
 * plain or through the filters that the library has built in (gzip, shuffle, Fletcher's checksum).
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { requireControl, type RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { floats, precisionOf, type FloatArray, type Precision } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { view, type Matrix } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { requireVectorOrMatrix } from './array-checks.js';
import { arrayMeant, listedArrays, refuseLoss, type ListedArray } from './array-choice.js';
import { isWellFormed, splitArrayPath } from './array-path.js';
import { HOST_IS_LITTLE_ENDIAN, swapBytes } from './byte-order.js';
import { convertElements } from './elements.js';
import { foreignFile, HDF5_SIGNATURE, startsWith, TELLING_BYTES } from './foreign-file.js';
import {
  afterPart,
  hdf5Library,
  readingHdf5,
  withHeap,
  type Hdf5Library,
  type Hdf5Metadata,
  type Hdf5Source,
} from './hdf5-library.js';
import { requireSources } from './hdf5-sources.js';
import { linesOf, tileShape, tilesOf } from './hdf5-tiles.js';
import { CHUNK_BYTES, sharedBuffer, withInputFile, type InputFile } from './input-file.js';
import { hex } from './npy-header.js';
import type { NumberType } from './npy-type.js';
import type { Tensor } from './safetensors.js';
import { elementCount } from './shape-size.js';
import type { ArrayReading, OrderedArray } from './stored-array.js';

/** A dataset, its elements unread. */
export interface DatasetInfo {
  /** Sizes, slowest index first; () of a single number, null of none. */
  readonly shape: readonly number[] | null;
  /** The type of its elements; where they are no numbers, what they are instead, in words. */
  readonly type: NumberType | string;
  readonly chunks: readonly number[] | null;
  /** What a virtual dataset is put together from; none of any other. */
  readonly sources: readonly Hdf5Source[];
}

/** An open file. */
interface OpenHdf5 {
  readonly file: string;
  readonly library: Hdf5Library;
  readonly id: bigint;
  /** By name, groups in front: 'group/name'. */
  readonly datasets: ReadonlyMap<string, DatasetInfo>;
}

/** H5T_class_t. */
const [INTEGER, FLOAT, ENUMERATION] = [0, 1, 8];
const OTHERS: Readonly<Record<number, string>> = {
  2: 'times',
  3: 'texts',
  4: 'bit fields',
  5: 'opaque bytes',
  6: 'records or complex numbers',
  7: 'references',
  8: 'an enumeration',
  9: 'lists',
  10: 'arrays',
};
const NUMBERS = 'real ones of 2, 4 and 8 bytes, whole numbers of up to 8 bytes and booleans can be read';

/** H5Z_FILTER_… that are built in: gzip, shuffle, Fletcher's checksum, n-bit and scale-offset packing. */
const FILTERS = [1, 2, 3, 5, 6];

/** The type of numbers, or what the elements are instead. */
function typeOf({ type, size, signed, enum_type: enumeration }: Hdf5Metadata): NumberType | string {
  const swap = !HOST_IS_LITTLE_ENDIAN && size > 1;
  if (type === FLOAT) return [2, 4, 8].includes(size) ? { kind: 'f', itemBytes: size, swap } : `reals of ${size} bytes`;
  if (type === INTEGER)
    return [1, 2, 4, 8].includes(size)
      ? { kind: signed ? 'i' : 'u', itemBytes: size, swap }
      : `whole numbers of ${size} bytes`;
  const members = Object.entries(enumeration?.members ?? {}).join(' ');
  if (type === ENUMERATION && size === 1 && members === 'FALSE,0 TRUE,1') return { kind: 'b', itemBytes: 1, swap };
  return OTHERS[type] ?? `of class ${type}`;
}

/** Throws FileFormatError unless the file has HDF5's signature, at its beginning or behind a user's block of 512·2ᵏ. */
async function requireSignature(file: InputFile): Promise<void> {
  const start = await file.head(TELLING_BYTES);
  if (startsWith(start, HDF5_SIGNATURE)) return;
  for (let at = 512; at < file.size; at *= 2)
    if (startsWith(await file.head(HDF5_SIGNATURE.length, at), HDF5_SIGNATURE)) return;
  throw new FileFormatError(
    `${file.path}: not an HDF5 file: it does not start with "\\x89HDF" (found ${hex(start.subarray(0, 8))}).` +
      foreignFile(file.path, start),
    { path: file.path },
  );
}

/** All datasets below the root, those that links lead to too, in other files where they are there. */
function datasetsOf(library: Hdf5Library, id: bigint): Map<string, DatasetInfo> {
  const names = library
    .get_names(id, '/', true)
    .filter((name) => library.get_type(id, `/${name}`) === library.H5G_DATASET);
  return new Map(
    names.map((name) => {
      const found = library.get_dataset_metadata(id, `/${name}`);
      const { shape, chunks, virtual_sources: sources = [] } = found;
      return [name, { shape, chunks, type: typeOf(found), sources }];
    }),
  );
}

/** Opens a file, passes it to `use`, and closes it whatever happens. */
async function withHdf5<T>(file: string, control: RunControl, use: (open: OpenHdf5) => Promise<T>): Promise<T> {
  await withInputFile(file, control, requireSignature);
  const library = await hdf5Library(file);
  const id = readingHdf5(file, file, () => library.open(resolve(file), library.H5F_ACC_RDONLY, false, -1, -1));
  try {
    const datasets = readingHdf5(file, file, () => datasetsOf(library, id));
    return await use({ file, library, id, datasets });
  } finally {
    library.close_file(id);
  }
}

/** A dataset that is known to hold numbers. */
type Numbers = DatasetInfo & { readonly shape: readonly number[]; readonly type: NumberType };

/** Throws FileFormatError unless the dataset holds numbers. */
function requireNumbers(
  { shape, type, chunks, sources }: DatasetInfo,
  { file, name }: { readonly file: string; readonly name: string },
): Numbers {
  const what = `${file}: dataset "${name}"`;
  if (typeof type === 'string')
    throw new FileFormatError(`${what} holds ${type}; ${NUMBERS}.`, { path: file, name, type });
  if (shape === null) throw new FileFormatError(`${what} holds nothing: it has no shape.`, { path: file, name });
  return { shape, type, chunks, sources };
}

/** All of a dataset in `order`; F of rank 2 alone. Progress counts elements. */
async function readDataset(
  { file, library, id, datasets }: OpenHdf5,
  name: string,
  { order = 'C', precision }: { readonly order?: 'C' | 'F'; readonly precision?: Precision | undefined },
  control: RunControl,
): Promise<FloatArray> {
  const what = `${file}: dataset "${name}"`;
  const { shape, type, chunks, sources } = requireNumbers(datasets.get(name)!, { file, name });
  requireSources(library, { file, id, name, sources });
  const filter = readingHdf5(file, what, () => library.get_dataset_filters(id, `/${name}`)).find(
    ({ id: number }) => !FILTERS.includes(number),
  );
  if (filter !== undefined)
    throw new FileFormatError(
      `${what} is stored by the filter "${filter.name}", which the HDF5 library has not built in: write it anew, ` +
        "uncompressed or with gzip (h5py: compression='gzip').",
      { path: file, name, filter: filter.name },
    );
  const total = elementCount(shape);
  const single = (precision ?? (type.kind === 'f' && type.itemBytes <= 4 ? 'f32' : 'f64')) === 'f32';
  const out = single
    ? new Float32Array(sharedBuffer(4 * total, what))
    : new Float64Array(sharedBuffer(8 * total, what));
  const tile = tileShape(shape, chunks, CHUNK_BYTES / type.itemBytes);
  const most = elementCount(tile);
  // Lines that do not lie one after the other in the result.
  let gathered: FloatArray | undefined;
  let done = 0;
  await withHeap(library, most * type.itemBytes, what, async (address) => {
    for (const part of tilesOf(shape, tile)) {
      const { offset, count } = part;
      const n = elementCount(count);
      // A single number has no part.
      const [counts, offsets, strides] =
        shape.length === 0 ? [null, null, null] : [count.map(BigInt), offset.map(BigInt), count.map(() => 1n)];
      readingHdf5(file, what, () =>
        library.get_dataset_data(id, `/${name}`, counts, offsets, strides, BigInt(address)),
      );
      const raw = library.HEAPU8.subarray(address, address + n * type.itemBytes);
      if (type.swap) swapBytes(raw, type.itemBytes);
      const { starts, length } = linesOf(shape, part);
      if (order === 'C' && starts.length === 1) convertElements(raw, type, out, starts[0]);
      else {
        gathered ??= floats(most, precisionOf(out));
        convertElements(raw, type, gathered, 0);
        if (order === 'F') {
          const [rows, cols] = count;
          const at = offset[0] + offset[1] * shape[0];
          transposeInto(view(out, at, rows, cols, shape[0]), view(gathered, 0, cols, rows));
        } else
          for (const [line, start] of starts.entries())
            out.set(gathered.subarray(line * length, (line + 1) * length), start);
      }
      done += n;
      await afterPart(control, 'read', done, total);
    }
  });
  return out;
}

/** What the datasets are, for the choice of one. */
const listed = (datasets: OpenHdf5['datasets']): Map<string, ListedArray> =>
  new Map([...datasets].map(([name, { shape, type }]) => [name, { shape, numbers: typeof type !== 'string' }]));

/** The dataset that is meant. Throws as arrayMeant. */
const datasetMeant = ({ file, datasets }: OpenHdf5, name: string | undefined): string =>
  arrayMeant({ file, kind: 'hdf5', arrays: listed(datasets) }, name);

/**
 * A dataset of rank 1 or 2 in the order asked for: of FILE.h5 the only one, of FILE.h5:/group/name that one.
 * `precision` converts on the way; by default float16 and float32 become float32, all others float64. Throws
 * FileFormatError (foreign, damaged, no numbers, another rank), OptionError (several datasets, none of that name),
 * LibraryError (h5wasm is not installed), FileAccessError, MemoryError, AbortedError.
 */
export async function readHdf5Ordered(
  path: string,
  { order, precision, name: given }: ArrayReading,
  control: RunControl = {},
): Promise<OrderedArray> {
  const { file, name: dataset = given } = splitArrayPath(path);
  return withHdf5(file, control, async (open) => {
    const name = datasetMeant(open, dataset?.replace(/^\/+/, ''));
    const { shape } = requireNumbers(open.datasets.get(name)!, { file, name });
    requireVectorOrMatrix(`${file}: dataset "${name}"`, shape, { path: file, name });
    const turned = order === 'F' && shape.length === 2;
    const data = await readDataset(open, name, { order: turned ? 'F' : 'C', precision }, control);
    const [rows, cols = 1] = shape;
    return { shape, rows, cols, data };
  });
}

/**
 * A dataset of an HDF5 file (`FILE.h5` of one dataset, else `FILE.h5:/group/name`) as a column-major matrix over shared
 * memory, of the dataset's own shape, as `readNpyMatrix` reads an .npy file; shape (n) becomes n × 1. It takes the
 * package h5wasm. Throws as readHdf5Ordered.
 */
export async function readHdf5Matrix(path: string, control: RunControl = {}): Promise<Matrix> {
  requireRole(path, 'path', 'readHdf5Matrix');
  requireControl(control, 'readHdf5Matrix');
  const { rows, cols, data } = await readHdf5Ordered(path, { order: 'F' }, control);
  return view(data, 0, rows, cols);
}

/** Throws OptionError unless `name` can be a dataset's, groups and name with / between. */
export function requireDatasetName(name: string, path: string): void {
  if (
    name.includes('\0') ||
    !isWellFormed(name) ||
    name.split('/').some((part) => part === '' || part === '.' || part === '..')
  )
    throw new OptionError(
      `${path}: no dataset can be called ${JSON.stringify(name)}: a name is that of groups and dataset with / ` +
        'between, FILE.h5:/group/name, none of them empty, "." or "..".',
      { path, name },
    );
}

/**
 * Throws OptionError where `path`, FILE.h5:/group/name, names a dataset that cannot be, or one of a file that has
 * others, which would be lost: a file is written as a whole. A file that is not there, or is empty, has none. Throws as
 * readHdf5Ordered besides.
 */
export async function requireHdf5Replaceable(path: string, control: RunControl = {}): Promise<void> {
  const { file, name: dataset } = splitArrayPath(path);
  if (dataset === undefined) return;
  requireDatasetName(dataset, file);
  if (!(await stat(file).catch(() => undefined))?.size) return;
  await withHdf5(file, control, ({ library, id, datasets }) => {
    const others = readingHdf5(file, file, () => library.get_names(id, '/', true)).filter(
      (name) => name !== dataset && !dataset.startsWith(`${name}/`),
    );
    if (others.length === 0) return Promise.resolve();
    const known = new Map([...datasets].filter(([name]) => name !== dataset));
    const lost = known.size > 0 ? known : new Map(others.map((name) => [name, { shape: null }]));
    return refuseLoss(file, dataset, listedArrays(lost), others);
  });
}

/** The datasets of a file by name, their elements unread. Throws as readHdf5Ordered. */
export async function readHdf5Header(path: string, control: RunControl = {}): Promise<Map<string, DatasetInfo>> {
  return withHdf5(path, control, ({ datasets }) => Promise.resolve(new Map(datasets)));
}

/** The datasets called `names`, of any rank, in C order. Progress counts those. Throws as readHdf5Ordered. */
export async function readHdf5Tensors(
  path: string,
  names: readonly string[],
  { signal, onProgress }: RunControl = {},
): Promise<Map<string, Tensor>> {
  return withHdf5(path, { signal }, async (open) => {
    const tensors = new Map<string, Tensor>();
    for (const name of names) {
      const data = await readDataset(open, datasetMeant(open, name), {}, { signal });
      tensors.set(name, { shape: open.datasets.get(name)!.shape!, data });
      onProgress?.({ phase: 'read', done: tensors.size, total: names.length });
    }
    return tensors;
  });
}
