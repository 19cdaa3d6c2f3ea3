/**
 * Before each file: arrays of numbers that are equal to the bit are equal at once. Vitest looks at typed arrays element
 * by element, 5 µs each, which took a third of all tests; where bits differ it still does, and decides. After each what
 * it left is collected where that is much: files that follow each other share a process, and V8 does not count memory
 * that workers share. Such arrays lie side by side, one area to the kernel, and where an area is larger than all of the
 * machine's memory the process may start no others (ENOMEM), however little of it is touched.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect } from 'vitest';

/** Bytes of arrays, touched or not, or of a process, from which on it is collected. */
const LARGE = 3 * 2 ** 30;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
afterAll(() => {
  const { rss, arrayBuffers } = process.memoryUsage();
  if (Math.max(rss, arrayBuffers) > LARGE) collect();
});

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
