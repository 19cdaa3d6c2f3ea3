/**
 * The header of a safetensors file: which tensors there are, and where. Source: Hugging Face, "Safetensors – Format"
 * (github.com/huggingface/safetensors): the header's length (u64, little-endian, at most 100 MB), a JSON object { name:
 * { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { string: string } }, which begins with '{' and may be
 * padded with spaces, then the elements: little-endian, in C order, offsets counted from the header's end, without
 * holes or overlap, to the end of the file.
 */
import { FileFormatError } from '../core/errors.js';
import type { ByteSource } from './byte-source.js';
import { excerptOf } from './excerpt.js';
import { hex } from './npy-header.js';
import { elementCount } from './shape-size.js';

/** One tensor of the file, its elements unread. */
export interface TensorInfo {
  /** As the file names it: 'F64', 'BF16', …. */
  readonly dtype: string;
  /** Sizes, slowest index first; () of a single number. */
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly count: number;
  /** Where the elements begin and end in the file. */
  readonly begin: number;
  readonly end: number;
}

/** What the header says, checked. */
export interface SafetensorsHeader {
  /** By where they stand in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The free text under "__metadata__". */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Longest header that the format allows. */
export const MOST_HEADER_BYTES = 100_000_000;
/** The key of the free text, which no tensor may bear. */
export const METADATA_KEY = '__metadata__';

/** Bytes of an element; what is not here (types of less than a byte, types to come) is checked for its place alone. */
export const DTYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['I16', 2],
  ['U16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['I32', 4],
  ['U32', 4],
  ['F32', 4],
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
  ['C64', 8],
]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The first key that an object of this valid JSON text has twice: JSON.parse would keep the last and say nothing. */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    if (mark === '{') open.push(new Set());
    else if (mark === '[') open.push(null);
    else if (mark === '}' || mark === ']') open.pop();
    else if (mark === '"') {
      const start = at++;
      while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
      let after = at + 1;
      while (' \t\r\n'.includes(text[after])) after++;
      const keys = open.at(-1);
      if (text[after] !== ':' || !keys) continue;
      // Two ways of writing a string may mean the same: "a" and "\u0061".
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

const damaged = (path: string, what: string, data: Record<string, unknown> = {}): FileFormatError =>
  new FileFormatError(
    `${path}: ${what}. The file is truncated, damaged or not of the safetensors format: fetch it again, or write ` +
      'it anew.',
    { path, ...data },
  );

/** The JSON text as an object without duplicate keys. */
function parseJson(bytes: Uint8Array, path: string): Record<string, unknown> {
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (error) {
    throw damaged(path, `its header is not JSON (${(error as Error).message})`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw damaged(path, `its header has "${twice}" twice`, { name: twice });
  return parsed as Record<string, unknown>;
}

function parseMetadata(value: unknown, path: string): Map<string, string> {
  if (value === undefined) return new Map();
  const wrong = isObject(value) ? Object.entries(value).find(([, text]) => typeof text !== 'string') : ['', value];
  if (wrong !== undefined)
    throw damaged(
      path,
      `${METADATA_KEY} must map strings to ` +
        `strings${isObject(value) ? `, and "${wrong[0] as string}" is ${excerptOf(wrong[1])}` : ''}`,
      { name: METADATA_KEY },
    );
  return new Map(Object.entries(value as Record<string, string>));
}

/** One tensor's entry; its offsets are counted from `base`, where the elements begin. */
function parseTensor(name: string, value: unknown, base: number, path: string): TensorInfo {
  const fail = (what: string): never => {
    throw damaged(path, `tensor "${name}": ${what}`, { name });
  };
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {};
  if (typeof dtype !== 'string') return fail('it has no dtype');
  if (!Array.isArray(shape) || !shape.every(isSize))
    return fail(`shape must be a list of sizes, whole numbers from 0 to 2^53 − 1, not ${excerptOf(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1])
    return fail(
      `data_offsets must be [begin, end], whole numbers from 0 to 2^53 − 1 with begin ≤ end, not ${excerptOf(offsets)}`,
    );
  const count = elementCount(shape);
  const bytes = DTYPE_BYTES.get(dtype);
  if (!isSize(count) || (bytes !== undefined && count * bytes !== offsets[1] - offsets[0])) {
    return fail(
      `shape (${shape.join(', ')}) of ${dtype} takes ${count * (bytes ?? 1)} bytes, data_offsets ` +
        `[${offsets.join(', ')}] hold ${offsets[1] - offsets[0]}`,
    );
  }
  return { dtype, shape, count, begin: base + offsets[0], end: base + offsets[1] };
}

/**
 * Reads and checks the header, every rule of the format included. Throws FileFormatError naming what breaks which,
 * FileAccessError.
 */
export async function parseSafetensorsHeader(file: ByteSource): Promise<SafetensorsHeader> {
  const { path, size } = file;
  const start = await file.head(9);
  if (start.length < 8)
    throw damaged(
      path,
      `it has ${start.length} bytes; a safetensors file starts with 8 that tell its header's length`,
      { size },
    );
  const announced = new DataView(start.buffer).getBigUint64(0, true);
  if (start.length === 9 && start[8] !== 0x7b) {
    throw new FileFormatError(
      `${path}: not a safetensors file: its header should begin with '{' (7b) at byte 8, and the file starts ` +
        `with ${hex(start)}.`,
      { path },
    );
  }
  if (announced > BigInt(MOST_HEADER_BYTES))
    throw damaged(
      path,
      `it announces a header of ${announced} bytes, more than the ${MOST_HEADER_BYTES} that the format allows`,
      { announced: Number(announced) },
    );
  const length = Number(announced);
  if (length < 2) throw damaged(path, `it announces a header of ${length} bytes; the shortest, "{}", has 2`);
  if (8 + length > size)
    throw damaged(path, `its header should end at byte ${8 + length}, the file ends at ${size}`, {
      size,
      expected: 8 + length,
    });
  const header = parseJson(await file.head(length, 8), path);

  const metadata = parseMetadata(Object.hasOwn(header, METADATA_KEY) ? header[METADATA_KEY] : undefined, path);
  const tensors = Object.entries(header)
    .filter(([name]) => name !== METADATA_KEY)
    .map(([name, value]) => [name, parseTensor(name, value, 8 + length, path)] as const)
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = 8 + length;
  for (const [name, tensor] of tensors) {
    if (tensor.begin !== end)
      throw damaged(
        path,
        `tensor "${name}" begins at byte ${tensor.begin - 8 - length} of the elements, ` +
          `${tensor.begin < end ? 'within the one before it' : 'after a hole'}: it should be ${end - 8 - length}`,
        { name },
      );
    ({ end } = tensor);
  }
  if (end !== size) throw damaged(path, `its tensors end at byte ${end}, the file at ${size}`, { expected: end, size });
  return { tensors: new Map(tensors), metadata };
}
