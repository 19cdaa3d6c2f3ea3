/**
 * Typed arrays over shared memory, as messages carry them.
 * Structured clone (V8 in Node 20 and 22) writes a typed array's byte offset and length with 32 bits each: an array
 * that begins or is longer than 2³² bytes arrives with both modulo 2³², and nobody says so. A SharedArrayBuffer and
 * numbers arrive whole: so those are sent, and the array is made on the other side. Messages without such an array,
 * nearly all, are sent as they are: a fork–join takes some 15 µs, of which the copy would be one.
 */
import { MemoryError } from '../core/errors.js';

const KINDS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  DataView,
} as const;

type ArrayConstructor = new (buffer: SharedArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;

/** The property that tells a place from any other object. */
const KIND = 'hmatrix:array';
/** Where a typed array lies: `length` in elements (a DataView's in bytes). */
interface ArrayPlace {
  readonly [KIND]: keyof typeof KINDS;
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly length: number;
}

/**
 * The largest offset and length, in bytes, that structured clone writes as they are; also the most bytes that it
 * copies.
 */
const MOST = 2 ** 32 - 1;

function placeOf(array: ArrayBufferView, buffer: SharedArrayBuffer): ArrayPlace {
  const length = array instanceof DataView ? array.byteLength : (array as Uint8Array).length;
  const kind = (array as Uint8Array)[Symbol.toStringTag] as keyof typeof KINDS;
  return { [KIND]: kind, buffer, byteOffset: array.byteOffset, length };
}

const isPlace = (value: object): value is ArrayPlace => KIND in value;

function requireCopyable({ byteLength }: ArrayBuffer): void {
  if (byteLength > MOST) {
    const most = `and ${MOST} bytes are the most that can be: put it over a SharedArrayBuffer, which is not copied.`;
    throw new MemoryError(`An array of ${byteLength} bytes is to be copied to every worker, ${most}`, {
      bytes: byteLength,
      limit: MOST,
    });
  }
}

/** Objects of classes arrive as plain ones; dates, errors and the like stay what they are, and hold no arrays. */
const isRecord = (value: object): value is Record<string, unknown> =>
  Object.prototype.toString.call(value) === '[object Object]';

/** What is sent for a value that holds arrays which structured clone would misplace. */
interface Placed {
  readonly placed: unknown;
}

/**
 * What to send for a message: itself; or, where a typed array over a SharedArrayBuffer that structured clone would
 * misplace stands in it, however deep in objects, arrays, maps and sets, a copy with places for its arrays, in which
 * what occurs twice occurs twice. May throw as `requireCopies`.
 */
export function toSend(message: object): object {
  const far = holdsFar(message, 0);
  if (met.size > 0) met.clear();
  return far ? ({ placed: replaced(message, new Map()) } satisfies Placed) : message;
}

/**
 * Throws MemoryError where the message holds an array that would have to be copied and is too large for that: why
 * structured clone refuses it.
 */
export function requireCopies(message: object): void {
  replaced(message, new Map());
}

/** The message that was sent, with its arrays. */
export function fromSent(sent: object): object {
  return 'placed' in sent ? restored(sent.placed as object, new Map()) : sent;
}

/**
 * Arguments are this deep at most. Below, what was met is remembered: states may refer to themselves, and to the same
 * object many times.
 */
const SHALLOW = 4;
const met = new Set<object>();

/**
 * Whether structured clone would misplace an array in the value. On the path of every fork–join, which the copy and
 * even a set of what was met would lengthen by 5 %.
 */
function holdsFar(value: object, depth: number): boolean {
  if (ArrayBuffer.isView(value)) return value.byteOffset > MOST || value.byteLength > MOST;
  if (depth > SHALLOW) {
    if (met.has(value)) return false;
    met.add(value);
  }
  if (value.constructor !== Object) {
    // What maps and sets hold stands in no property.
    if (value instanceof Map || value instanceof Set) return holdsFar([...value] as unknown[], depth + 1);
    if (Array.isArray(value)) {
      return (value as unknown[]).some(
        (item) => typeof item === 'object' && item !== null && holdsFar(item, depth + 1),
      );
    }
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === 'object' && item !== null && holdsFar(item, depth + 1)) return true;
  }
  return false;
}

function replaced(value: object, known: Map<object, object>): object {
  const before = known.get(value);
  if (before !== undefined) return before;
  const inner = (item: unknown): unknown => (typeof item === 'object' && item !== null ? replaced(item, known) : item);
  let copy = value;
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof SharedArrayBuffer) copy = placeOf(value, value.buffer);
    else requireCopyable(value.buffer);
    known.set(value, copy);
  } else if (value instanceof ArrayBuffer) {
    requireCopyable(value);
  } else if (Array.isArray(value)) {
    const items: unknown[] = [];
    known.set(value, (copy = items));
    for (const item of value as unknown[]) items.push(inner(item));
  } else if (value instanceof Map) {
    const map = new Map<unknown, unknown>();
    known.set(value, (copy = map));
    for (const [key, item] of value) map.set(inner(key), inner(item));
  } else if (value instanceof Set) {
    const set = new Set<unknown>();
    known.set(value, (copy = set));
    for (const item of value) set.add(inner(item));
  } else if (isRecord(value)) {
    const record: Record<string, unknown> = {};
    known.set(value, (copy = record));
    for (const key of Object.keys(value)) record[key] = inner(value[key]);
  }
  return copy;
}

function restored(value: object, known: Map<object, object>): object {
  const before = known.get(value);
  if (before !== undefined) return before;
  if (isPlace(value)) {
    const Kind: ArrayConstructor = KINDS[value[KIND]];
    const array = new Kind(value.buffer, value.byteOffset, value.length);
    known.set(value, array);
    return array;
  }
  if (ArrayBuffer.isView(value)) return value;
  known.set(value, value);
  const inner = (item: unknown): unknown => (typeof item === 'object' && item !== null ? restored(item, known) : item);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = inner(value[i]);
  } else if (value instanceof Map) {
    const entries = [...value];
    value.clear();
    for (const [key, item] of entries) value.set(inner(key), inner(item));
  } else if (value instanceof Set) {
    const items = [...value];
    value.clear();
    for (const item of items) value.add(inner(item));
  } else if (isRecord(value)) {
    for (const key of Object.keys(value)) {
      const item = value[key];
      if (typeof item === 'object' && item !== null) value[key] = restored(item, known);
    }
  }
  return value;
}
