/**
 * The types of elements in NumPy's files: numbers, and records of numbers.
 * Source: numpy.lib.format (dtype_to_descr): a string such as '<f8', or for records a list of (name, type) where
 * padding is a field '' of type '|V4' and a name may be a pair (title, name).
 */
import { endianness } from 'node:os';
import { FileFormatError } from '../core/errors.js';
import { excerptOf } from './excerpt.js';

/** A Python literal as far as a header can hold it. */
export type Literal = string | number | boolean | null | Literal[] | { [key: string]: Literal };

/** A type of numbers, as '<f8' says it. */
export interface NumberType {
  /** 'f' real, 'bf' bfloat16 (which NumPy has not), 'i' signed, 'u' unsigned, 'b' boolean. */
  readonly kind: 'f' | 'bf' | 'i' | 'u' | 'b';
  /** Bytes of a number. */
  readonly itemBytes: number;
  /** The file's byte order is not this machine's. */
  readonly swap: boolean;
}

/** A field of a record. */
export interface NpyField extends NumberType {
  readonly name: string;
  /** Where it begins within a record, in bytes. */
  readonly offset: number;
}

/** A structured type, all of whose fields are numbers: each is a column. */
export interface RecordType {
  readonly recordBytes: number;
  readonly fields: readonly NpyField[];
}

/** The byte order of this machine, as NumPy writes it. */
export const HOST_ORDER = endianness() === 'LE' ? '<' : '>';

/** Most bytes of a record: real tables have some ten fields. */
const MOST_RECORD_BYTES = 1024 * 1024;
type NpyKind = Exclude<NumberType['kind'], 'bf'>;
const SIZES: Readonly<Record<NpyKind, readonly number[]>> = {
  f: [2, 4, 8],
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  b: [1],
};
const READABLE = 'real ones (f8, f4, f2), whole numbers (i1 … i8, u1 … u8) and booleans (b1) can be read';

function numberType(descr: Literal): NumberType | undefined {
  const match = typeof descr === 'string' ? /^([<>|=]?)([fiub])(\d{1,4})$/.exec(descr) : null;
  if (match === null) return undefined;
  const kind = match[2] as NpyKind;
  const itemBytes = Number(match[3]);
  return SIZES[kind].includes(itemBytes)
    ? { kind, itemBytes, swap: itemBytes > 1 && (match[1] === '<' || match[1] === '>') && match[1] !== HOST_ORDER }
    : undefined;
}

/** A field's name: of a pair (title, name) the latter. */
const fieldName = (name: Literal | undefined): string | undefined =>
  typeof name === 'string' ? name : Array.isArray(name) && typeof name[1] === 'string' ? name[1] : undefined;

function recordType(descr: readonly Literal[], path: string): RecordType {
  const fields: NpyField[] = [];
  let offset = 0;
  for (const [k, entry] of descr.entries()) {
    const parts: readonly Literal[] = Array.isArray(entry) ? entry : [];
    const name = fieldName(parts[0]);
    const padding = name === '' && typeof parts[1] === 'string' ? /^\|V(\d{1,9})$/.exec(parts[1]) : null;
    const type = parts.length === 2 ? numberType(parts[1]) : undefined;
    if (padding !== null && parts.length === 2) offset += Number(padding[1]);
    else if (name !== undefined && type !== undefined) {
      fields.push({ ...type, name, offset });
      offset += type.itemBytes;
    } else {
      const what =
        parts.length === 3
          ? `an array of shape ${excerptOf(parts[2])}`
          : Array.isArray(parts[1])
            ? 'a record itself'
            : `of type ${excerptOf(parts[1])}`;
      throw new FileFormatError(
        `${path}: records whose field ${JSON.stringify(name ?? k)} is ${what}; records of numbers are read, a ` +
          `column for each field (${READABLE}). Convert first, in NumPy: ` +
          `numpy.lib.recfunctions.structured_to_unstructured(array[['x', 'y']]).`,
        {
          path,
          field: name ?? k,
          descr: excerptOf(descr),
        },
      );
    }
  }
  if (fields.length === 0 || offset > MOST_RECORD_BYTES)
    throw new FileFormatError(
      `${path}: records of ${fields.length} fields in ${offset} bytes; at least one field and at most ` +
        `${MOST_RECORD_BYTES} bytes are read.`,
      { path },
    );
  return { recordBytes: offset, fields };
}

/** The type that a header's 'descr' names. Throws FileFormatError naming what of it cannot be read. */
export function parseDescr(descr: Literal, path: string): NumberType | RecordType {
  if (Array.isArray(descr)) return recordType(descr, path);
  const type = numberType(descr);
  if (type === undefined)
    throw new FileFormatError(
      `${path}: elements of type ${excerptOf(descr)}; ${READABLE}. Convert first, in NumPy: array.astype('float64').`,
      { path, descr: excerptOf(descr) },
    );
  return type;
}

/** Whether a header's 'descr' names a type that can be read. */
export function isNumberDescr(descr: Literal): boolean {
  try {
    parseDescr(descr, '');
    return true;
  } catch {
    return false;
  }
}
