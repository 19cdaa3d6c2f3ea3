/**
 * Before each file: arrays of numbers that are equal to the bit are equal at once. Vitest looks at typed arrays element
 * by element, 5 µs each, which took a third of all tests; where bits differ it still does, and decides. After each what
 * it left is collected where the process has grown: files that follow each other share one, memory over which workers
 * share arrays makes no collector begin, and a process that has many gigabytes may start no others.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect } from 'vitest';

/** Bytes of a process from which on it is collected. */
const LARGE = 3 * 2 ** 30;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
afterAll(() => {
  if (process.memoryUsage.rss() > LARGE) collect();
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
