/**
 * Before each file: arrays of numbers that are equal to the bit are equal at once. Vitest looks at typed arrays element
 * by element, 5 µs each, which took a third of all tests; where bits differ it still does, and decides.
 */
import { expect } from 'vitest';

type Numbers = NodeJS.TypedArray;

const bytesOf = ({ buffer, byteOffset, byteLength }: Numbers): Buffer => Buffer.from(buffer, byteOffset, byteLength);
const isTyped = (value: unknown): value is Numbers => ArrayBuffer.isView(value) && !(value instanceof DataView);

/** True for equal bits (which makes numbers equal, -0 and NaN too); undefined leaves it to others. */
function sameBits(a: unknown, b: unknown): boolean | undefined {
  if (isTyped(a) && isTyped(b))
    return a.constructor === b.constructor && a.length === b.length && bytesOf(a).equals(bytesOf(b)) ? true : undefined;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return undefined;
  return a.every((value, i) => typeof value === 'number' && Object.is(value, b[i])) &&
    Object.keys(a).length === a.length
    ? true
    : undefined;
}

const ADDED = Symbol.for('hmatrix: equal bits');
// Files that share a process share vitest's list of testers.
const shared = globalThis as { [ADDED]?: boolean };
if (shared[ADDED] !== true) {
  shared[ADDED] = true;
  expect.addEqualityTesters([sameBits]);
}
