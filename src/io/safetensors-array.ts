/**
 * One tensor of a safetensors file, as a vector or a matrix: the others are not read.
 */
import { stat } from 'node:fs/promises';
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import { requireVectorOrMatrix } from './array-checks.js';
import { arrayMeant, listedArrays, refuseLoss } from './array-choice.js';
import { splitArrayPath } from './array-path.js';
import { writeAtomically } from './atomic-write.js';
import { byteProgress } from './byte-progress.js';
import { HOST_IS_LITTLE_ENDIAN } from './byte-order.js';
import { foreignFile, TELLING_BYTES } from './foreign-file.js';
import { FilePart, withInputFile, type InputFile } from './input-file.js';
import type { NumberType } from './npy-type.js';
import { rowPieces, shapedVectors, type WrittenVectors } from './packed-vectors.js';
import { METADATA_KEY, parseSafetensorsHeader, type SafetensorsHeader } from './safetensors-header.js';
import { formatSafetensorsHeader, littleEndian, requireTensorName } from './safetensors.js';
import { readStoredArray, type ArrayReading, type OrderedArray } from './stored-array.js';

const swapped = (kind: NumberType['kind'], itemBytes: number): NumberType => ({
  kind,
  itemBytes,
  swap: !HOST_IS_LITTLE_ENDIAN && itemBytes > 1,
});

/** The types of numbers that are read. */
const TYPES: ReadonlyMap<string, NumberType> = new Map([
  ['F64', swapped('f', 8)],
  ['F32', swapped('f', 4)],
  ['F16', swapped('f', 2)],
  ['BF16', swapped('bf', 2)],
  ['I64', swapped('i', 8)],
  ['I32', swapped('i', 4)],
  ['I16', swapped('i', 2)],
  ['I8', swapped('i', 1)],
  ['U64', swapped('u', 8)],
  ['U32', swapped('u', 4)],
  ['U16', swapped('u', 2)],
  ['U8', swapped('u', 1)],
  ['BOOL', swapped('b', 1)],
]);

/** The header; of another file what it is. Throws FileFormatError, FileAccessError. */
async function readHeader(file: InputFile): Promise<SafetensorsHeader> {
  const start = await file.head(TELLING_BYTES);
  // Byte 8 is the first of the header's own.
  const foreign = start[8] === 0x7b ? '' : foreignFile(file.path, start);
  if (foreign === '') return parseSafetensorsHeader(file);
  throw new FileFormatError(`${file.path}: not a safetensors file.${foreign}`, { path: file.path });
}

/**
 * A tensor of rank 1 or 2 of a safetensors file in the order asked for: of FILE.safetensors the only one, or the only
 * one of numbers, of FILE.safetensors:name that one. F16, BF16 and F32 become float32 and all others float64 (whole
 * numbers beyond 2⁵³ the nearest one), unless `precision` says otherwise. Throws FileFormatError (foreign, damaged, no
 * numbers, another rank), OptionError (several tensors, none of that name), FileAccessError, MemoryError, AbortedError.
 */
export async function readSafetensorsOrdered(
  path: string,
  how: ArrayReading,
  control: RunControl = {},
): Promise<OrderedArray> {
  const { file: whole, name: given = how.name } = splitArrayPath(path);
  return withInputFile(whole, control, async (file) => {
    const { tensors } = await readHeader(file);
    const arrays = new Map([...tensors].map(([one, { shape, dtype }]) => [one, { shape, numbers: TYPES.has(dtype) }]));
    const name = arrayMeant({ file: whole, kind: 'safetensors', arrays }, given);
    const { dtype, shape, count, begin, end } = tensors.get(name)!;
    const what = `${whole}: tensor "${name}"`;
    const type = TYPES.get(dtype);
    if (type === undefined)
      throw new FileFormatError(
        `${what}: elements of type ${dtype}; ${[...TYPES.keys()].join(', ')} can be read. Convert it first, in ` +
          'PyTorch: tensor.float().',
        { path: whole, name, dtype },
      );
    requireVectorOrMatrix(what, shape, { path: whole, name });
    const single = dtype === 'F32' || (type.itemBytes === 2 && (type.kind === 'f' || type.kind === 'bf'));
    const header = { shape, count, single, fortranOrder: false, dataOffset: 0 };
    const part = await FilePart.open(what, file, begin, end - begin);
    return readStoredArray({ file: part, header, type, control }, how);
  });
}

/**
 * Throws OptionError where `path`, FILE.safetensors:name, names a tensor that cannot be, or one of a file that holds
 * others (or metadata), which would be lost: a file is written as a whole. One that is not there, or is empty, has
 * none. Throws FileFormatError where the file is another, FileAccessError, AbortedError besides.
 */
export async function requireSafetensorsReplaceable(path: string, control: RunControl = {}): Promise<void> {
  const { file: whole, name } = splitArrayPath(path);
  if (name === undefined) return;
  requireTensorName(name, whole);
  if (name === '')
    throw new OptionError(`${path}: after the colon comes the name of the tensor, FILE.safetensors:name.`, { path });
  if (!(await stat(whole).catch(() => undefined))?.size) return;
  const { tensors, metadata } = await withInputFile(whole, control, readHeader);
  const others = new Map<string, { readonly shape: readonly number[] | null }>(tensors);
  others.delete(name);
  if (metadata.size > 0) others.set(METADATA_KEY, { shape: null });
  if (others.size > 0) refuseLoss(whole, name, listedArrays(others), [...others.keys()]);
}

/**
 * Writes vectors as `FILE.safetensors` or `FILE.safetensors:name`, a file of one tensor in their own precision (F64 or
 * F32), row by row as the format has it, whole or not at all. Progress counts bytes. Throws ShapeError,
 * FileAccessError, AbortedError, and as requireSafetensorsReplaceable; then the file is as it was.
 */
export async function writeSafetensorsVectors(
  path: string,
  { name: usual, ...written }: WrittenVectors,
  { signal, onProgress }: RunControl = {},
): Promise<void> {
  const { matrix, shape, byteLength } = shapedVectors(written);
  const { file: whole, name = usual } = splitArrayPath(path);
  await requireSafetensorsReplaceable(path, { signal });
  const header = formatSafetensorsHeader([[name, { shape, precision: precisionOf(matrix.data) }]]);
  await writeAtomically(whole, { signal }, async (file) => {
    await file.append(header);
    const count = byteProgress('write', byteLength, { onProgress });
    for (const piece of rowPieces(matrix)) await file.append(littleEndian(piece), count);
  });
}
