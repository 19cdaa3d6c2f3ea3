/**
 * Elementwise functions over typed arrays, vectorised. Independent of the choice of BLAS.
 */
import { ShapeError } from '../core/errors.js';
import { openWasm } from './portable/wasm.js';

/** Numbers that go through the arena at a time: 32 KiB, which stay in the first-level cache. */
const CHUNK = 4096;

/**
 * x[i] ← exp(x[i]) for i in [offset, offset + length). Error below 1 ulp (0.98 measured on 60,000 arguments over [−745,
 * 709]), subnormal results included; +∞ above 709.78, 0 below −745.14, NaN for NaN. The same number gives the same bits
 * wherever it stands. Cost about 3 ns an element at 2.4 GHz, a third of Math.exp. Throws ShapeError if the range leaves
 * the array. Method: `assembly/exp.ts`.
 */
export function expInPlace(x: Float64Array, offset = 0, length: number = x.length - offset): void {
  if (
    !Number.isInteger(offset) ||
    !Number.isInteger(length) ||
    offset < 0 ||
    length < 0 ||
    offset + length > x.length
  ) {
    throw new ShapeError(`expInPlace: [${offset}, ${offset} + ${length}) is not a range of an array of ${x.length}.`, {
      offset,
      length,
      size: x.length,
    });
  }
  const wasm = openWasm();
  wasm.begin(8 * CHUNK + 128);
  const at = wasm.take(8 * CHUNK);
  const heap = wasm.heap64;
  const first = at / 8;
  for (let done = 0; done < length; done += CHUNK) {
    const count = Math.min(CHUNK, length - done);
    heap.set(x.subarray(offset + done, offset + done + count), first);
    wasm.exports.exponentials(count, at);
    x.set(heap.subarray(first, first + count), offset + done);
  }
}
