/**
 * The header of NumPy's .npy format, versions 1.0, 2.0 and 3.0.
 * Source: NumPy Enhancement Proposal 1 and the format's description in numpy.lib.format: magic "\x93NUMPY", two version
 * bytes, the header's length (2 bytes in 1.0, 4 from 2.0 on, little-endian), then a Python dictionary literal {'descr',
 * 'fortran_order', 'shape'}.
 */
import { foreignFile, TELLING_BYTES } from './foreign-file.js';
import { FileFormatError } from '../core/errors.js';
import type { ByteSource } from './byte-source.js';
import { excerpt } from './excerpt.js';
import { HOST_ORDER, parseDescr, type Literal, type NumberType, type RecordType } from './npy-type.js';
import { elementCount } from './shape-size.js';

/** What the header of an .npy file says, checked. */
export interface NpyHeader {
  /** The type of the elements, or of records. */
  readonly type: NumberType | RecordType;
  /** Every element is a float32: of type f4, or f2. */
  readonly single: boolean;
  readonly fortranOrder: boolean;
  /** (n) or (rows, cols), or of any rank where that was asked for; of n records with d fields (n, d). */
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly count: number;
  /** Where the elements begin, in bytes. */
  readonly dataOffset: number;
}

/** A header longer than this is none: records of a thousand fields have some tens of kilobytes. */
const MOST_HEADER_BYTES = 1024 * 1024;
/** Literals within literals: a list of fields in a dictionary has four. */
const MOST_DEPTH = 16;

/**
 * Python literals as far as a header can hold them: strings, whole numbers, True, False, None, tuples, lists,
 * dictionaries.
 */
function parseLiteral(text: string): Literal {
  let at = 0;
  let depth = 0;
  const fail = (): never => {
    throw new SyntaxError(`unexpected ${at < text.length ? `'${text[at]}'` : 'end'} at character ${at}`);
  };
  const blank = (): void => {
    while (at < text.length && ' \t\r\n'.includes(text[at])) at++;
  };
  const take = (mark: string): boolean => {
    blank();
    if (text[at] !== mark) return false;
    at++;
    return true;
  };
  const token = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  const sequence = (close: string): Literal[] => {
    const items: Literal[] = [];
    while (!take(close)) {
      items.push(value());
      if (!take(',')) {
        if (take(close)) break;
        fail();
      }
    }
    return items;
  };
  const value = (): Literal => {
    if (++depth > MOST_DEPTH)
      throw new SyntaxError(`more than ${MOST_DEPTH} literals within each other at character ${at}`);
    const result = one();
    depth--;
    return result;
  };
  const one = (): Literal => {
    blank();
    const string = token(/'([^'\\]*)'|"([^"\\]*)"/y);
    if (string) return string[1] ?? string[2];
    // Python 2 wrote long integers as 3L.
    const number = token(/(-?\d+)L?/y);
    if (number) return Number(number[1]);
    const word = token(/True|False|None/y);
    if (word) return word[0] === 'None' ? null : word[0] === 'True';
    if (take('(')) return sequence(')');
    if (take('[')) return sequence(']');
    if (take('{')) {
      const entries: [string, Literal][] = [];
      while (!take('}')) {
        const key = value();
        if (typeof key !== 'string' || !take(':')) fail();
        entries.push([key as string, value()]);
        if (!take(',')) {
          if (take('}')) break;
          fail();
        }
      }
      return Object.fromEntries(entries);
    }
    return fail();
  };
  const literal = value();
  blank();
  if (at < text.length) fail();
  return literal;
}

/** What a header says, whatever the type of the elements is. */
export interface NpyDictionary {
  readonly descr: Literal;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin, in bytes. */
  readonly dataOffset: number;
}

/** Reads a header and checks that it is one. Throws FileFormatError. */
export async function readNpyDictionary(file: ByteSource): Promise<NpyDictionary> {
  const { path } = file;
  const start = await file.head(TELLING_BYTES);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (start.length < 10 || magic.some((byte, i) => start[i] !== byte)) {
    throw new FileFormatError(
      `${path}: not an .npy file: it does not start with "\\x93NUMPY" (found ` +
        `${hex(start.subarray(0, 6))}).${foreignFile(path, start)}`,
      { path },
    );
  }
  const version = start[6];
  if (version < 1 || version > 3)
    throw new FileFormatError(`${path}: .npy format version ${version}.${start[7]}; versions 1 to 3 can be read.`, {
      path,
      version,
    });
  const lengthBytes = version === 1 ? 2 : 4;
  const dataStart = 8 + lengthBytes;
  const length =
    start.length < dataStart
      ? Infinity
      : new DataView(start.buffer).getUint16(8, true) +
        (version === 1 ? 0 : 65536 * new DataView(start.buffer).getUint16(10, true));
  const dataOffset = dataStart + length;
  if (dataOffset > file.size)
    throw new FileFormatError(
      `${path}: the header should end at byte ${dataOffset}, the file ends at ${file.size}. It is truncated or ` +
        'damaged: write or fetch it again.',
      { path, size: file.size },
    );

  if (length > MOST_HEADER_BYTES)
    throw new FileFormatError(
      `${path}: a header of ${length} bytes; at most ${MOST_HEADER_BYTES} are read. The file is damaged: write ` +
        'or fetch it again.',
      { path, length },
    );
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(await file.head(length, dataStart));
  let literal: Literal;
  try {
    literal = parseLiteral(text);
  } catch (error) {
    throw new FileFormatError(
      `${path}: the header is not a dictionary (${(error as Error).message}): the file is damaged.`,
      { path },
    );
  }
  const {
    descr,
    fortran_order: fortranOrder,
    shape,
  } = (typeof literal === 'object' && literal !== null && !Array.isArray(literal) ? literal : {}) as Record<
    string,
    Literal | undefined
  >;
  if (
    descr === undefined ||
    typeof fortranOrder !== 'boolean' ||
    !Array.isArray(shape) ||
    !shape.every((n): n is number => Number.isSafeInteger(n) && (n as number) >= 0)
  ) {
    throw new FileFormatError(
      `${path}: the header must hold 'descr', 'fortran_order' (True or False) and 'shape' (a tuple of sizes); ` +
        `found ${excerpt(text.trim())}.`,
      { path },
    );
  }
  return { descr, fortranOrder, shape, dataOffset };
}

/**
 * Reads and checks a header: that it is one, that rank (1 or 2, or any) and type can be read, that the file's length is
 * the one it announces.
 */
export async function readNpyHeader(file: ByteSource, anyRank = false): Promise<NpyHeader> {
  const { path } = file;
  const { descr, fortranOrder, shape, dataOffset } = await readNpyDictionary(file);
  const type = parseDescr(descr, path);
  const records = 'fields' in type;
  const fits = records ? shape.length === 1 : anyRank || shape.length === 1 || shape.length === 2;
  if (!fits) {
    throw new FileFormatError(
      `${path}: an array of rank ${shape.length} and shape ` +
        `(${excerpt(shape.join(', '))})` +
        (records
          ? ' of records; rank 1 is needed. In NumPy: array.ravel().'
          : '; rank 1 or 2 is needed. In NumPy: array.reshape(rows, -1).'),
      { path, shape },
    );
  }
  const items = elementCount(shape);
  const bytes = records ? type.recordBytes : type.itemBytes;
  const expected = dataOffset + items * bytes;
  if (expected !== file.size) {
    throw new FileFormatError(
      `${path}: shape (${shape.join(', ')}) of ${8 * bytes}-bit ${records ? 'records' : 'elements'} makes a file ` +
        `of ${expected} bytes; it has ${file.size}. ` +
        `${file.size < expected ? 'It is truncated' : 'It holds more than one array, or is damaged'}: write it ` +
        'again.',
      {
        path,
        shape,
        expected,
        found: file.size,
      },
    );
  }
  const single = (records ? type.fields : [type]).every(({ kind, itemBytes }) => kind === 'f' && itemBytes <= 4);
  return records
    ? {
        type,
        single,
        fortranOrder: false,
        shape: [items, type.fields.length],
        count: items * type.fields.length,
        dataOffset,
      }
    : { type, single, fortranOrder, shape, count: items, dataOffset };
}

/**
 * A header of version 1.0 for elements in this machine's byte order, padded so that the elements begin at a multiple of
 * 64.
 */
export function formatNpyHeader(
  type: 'f8' | 'f4' | 'i4' | 'u1',
  fortranOrder: boolean,
  shape: readonly number[],
): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text =
    `{'descr': '${type === 'u1' ? '|' : HOST_ORDER}${type}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, ` +
    `'shape': ${tuple}, }`;
  const total = 64 * Math.ceil((10 + text.length + 1) / 64);
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (total - 10) & 255, (total - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}

/** The first six bytes of an .npy file, as `hex` writes them. */
export const NPY_MAGIC = '93 4e 55 4d 50 59';
/** "89 48 4d": bytes for people. */
export const hex = (bytes: Uint8Array): string =>
  bytes.length === 0 ? 'nothing' : Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
