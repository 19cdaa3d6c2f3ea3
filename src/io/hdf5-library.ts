/**
 * The HDF5 library as the package h5wasm compiles it to WebAssembly: an optional peer, loaded when the first such file
 * is met.
 */
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileAccessError, FileFormatError, HmatrixError, LibraryError, MemoryError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';

/** A dataset that a virtual one is put together from, by the library's names. */
export interface Hdf5Source {
  /** Its file, '.' for the same one. */
  readonly file_name: string;
  readonly dset_name: string;
}

/** What the library tells of a dataset. */
export interface Hdf5Metadata {
  /** Null where the dataset has no dataspace. */
  readonly shape: readonly number[] | null;
  /** Sizes of its chunks; null where its elements lie in one piece. */
  readonly chunks: readonly number[] | null;
  /** H5T_class_t: 0 whole numbers, 1 real ones, …. */
  readonly type: number;
  /** Bytes of an element. */
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  /** Of a virtual dataset. */
  readonly virtual_sources?: readonly Hdf5Source[];
  readonly enum_type?: { readonly members: Readonly<Record<string, number>> };
}

/** How a dataset is made. */
export interface Hdf5Creation {
  readonly shape: readonly bigint[];
  readonly maxshape: readonly bigint[];
  readonly chunks: readonly bigint[] | null;
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly littleEndian: boolean;
  readonly vlen: boolean;
  readonly compression: number;
  readonly compression_opts: readonly number[];
  readonly track_order: boolean;
}

/** Part of a dataset: of each axis how many, from where, every which. */
type Hyperslab = [count: bigint[] | null, offset: bigint[] | null, strides: bigint[] | null];

/** What is used of h5wasm's module: functions of the C library, on files by number and on memory by address. */
export interface Hdf5Library {
  readonly H5F_ACC_RDONLY: number;
  readonly H5F_ACC_TRUNC: number;
  readonly H5G_DATASET: number;
  /** Its memory, another array whenever that has grown. */
  readonly HEAPU8: Uint8Array;
  /** Its file system, which is the machine's. */
  readonly FS: {
    write(stream: { readonly fd: number }, bytes: Int8Array, offset: number, length: number, at?: number): number;
  };
  _malloc(bytes: number): number;
  _free(address: number): void;
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(file: bigint): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata;
  get_dataset_filters(file: bigint, path: string): { readonly id: number; readonly name: string }[];
  get_dataset_data(file: bigint, path: string, ...to: [...Hyperslab, address: bigint]): number;
  set_dataset_data(file: bigint, path: string, ...from: [...Hyperslab, address: bigint]): number;
  create_group(file: bigint, path: string, trackOrder: boolean): number;
  create_dataset(file: bigint, path: string, address: bigint, how: Hdf5Creation): number;
  resize_dataset(file: bigint, path: string, shape: bigint[]): number;
}

/** Not written as a text within import(): bundlers would demand the package of those who have no such files. */
const PACKAGE = 'h5wasm/node';

let library: Promise<Hdf5Library> | undefined;

/** What the library said of the last call that failed. */
let complaint = '';
const STANDARD_ERROR = 2;

async function load(): Promise<Hdf5Library> {
  const { ready } = (await import(/* @vite-ignore */ PACKAGE)) as { readonly ready: Promise<Hdf5Library> };
  const loaded = await ready;
  // The library prints why a call failed. (Its handler that throws instead leaves files open.)
  const { FS } = loaded;
  const write = FS.write.bind(FS);
  const decoder = new TextDecoder();
  FS.write = (stream, bytes, offset, length, at) => {
    if (stream.fd !== STANDARD_ERROR) return write(stream, bytes, offset, length, at);
    complaint += decoder.decode(bytes.slice(offset, offset + length));
    return length;
  };
  return loaded;
}

/** The library. Throws LibraryError, saying which file wanted it, where h5wasm is not installed. */
export async function hdf5Library(path: string): Promise<Hdf5Library> {
  try {
    return await (library ??= load());
  } catch (error) {
    library = undefined;
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    throw new LibraryError(
      `${path}: HDF5 files take the package h5wasm, which cannot be loaded (${why}). Install it beside hmatrix: ` +
        'npm install h5wasm.',
      { path, package: 'h5wasm' },
    );
  }
}

/** Why a call failed: what the innermost of the library's own calls said, else what was thrown. */
function reasonOf(thrown: unknown): string {
  const calls = [...complaint.matchAll(/#\d+: .*? line \d+ in (\w+\(\)): ([^\n]*)/g)];
  const [, call, why] = calls.at(-1) ?? [];
  if (why !== undefined) return `${call}: ${why}`;
  return (thrown instanceof Error ? thrown.message : String(thrown)).split('\n', 1)[0];
}

/**
 * What a call of the library returns; where it fails, by a negative number or a throw, the error that `failure` makes
 * of the reason is thrown.
 */
function called<T>(call: () => T, failure: (reason: string) => Error): T {
  complaint = '';
  let result: T;
  try {
    result = call();
  } catch (thrown) {
    throw thrown instanceof HmatrixError ? thrown : failure(reasonOf(thrown));
  }
  if ((typeof result === 'number' || typeof result === 'bigint') && result < 0) throw failure(reasonOf('it failed'));
  return result;
}

/** What `call` returns; what the library finds wrong with a file is a FileFormatError that says so of `what` in it. */
export const readingHdf5 = <T>(path: string, what: string, call: () => T): T =>
  called(
    call,
    (reason) =>
      new FileFormatError(
        `${what}: the HDF5 library cannot read it (${reason}). It is truncated or damaged: write or fetch it again.`,
        { path },
      ),
  );

/** What `call` returns; what the library cannot do with a file is a FileAccessError. */
export const writingHdf5 = <T>(path: string, call: () => T): T =>
  called(call, (reason) => new FileAccessError(`Cannot write ${path}: the HDF5 library cannot (${reason}).`, { path }));

/**
 * Runs `use` with `bytes` of the library's memory at an address, and gives them back. Throws MemoryError: it has no
 * more than 2 GiB.
 */
export async function withHeap<T>(
  library: Hdf5Library,
  bytes: number,
  path: string,
  use: (address: number) => Promise<T>,
): Promise<T> {
  const address = bytes < 2 ** 31 ? library._malloc(Math.max(8, bytes)) : 0;
  if (address === 0)
    throw new MemoryError(
      `${path}: a chunk takes ${bytes} bytes, more than the HDF5 library can have: write it anew in smaller chunks.`,
      { path, bytes },
    );
  try {
    return await use(address);
  } finally {
    library._free(address);
  }
}

/** Between two parts: lets the event loop through and tells how far it is. Throws AbortedError. */
export async function afterPart(
  { signal, onProgress }: RunControl,
  phase: string,
  done: number,
  total: number,
): Promise<void> {
  onProgress?.({ phase, done, total });
  await nextTurn();
  throwIfAborted(signal);
}
