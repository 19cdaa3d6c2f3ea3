/**
 * Random test matrices, a leaf's rows and a column at a time.
 * Each piece has a stream of its own, so it can be drawn where it is needed, and again, without being kept. Entries are
 * ±1 with equal chances: they find ranges as normal numbers do (N. Halko, P.-G. Martinsson, J. Tropp, SIAM Review
 * 53(2), 2011, section 4.6), estimate ‖A‖_F² = E‖Ax‖² with less variance, are the same in float32, and cost a bit each.
 */
import { RandomStream } from '../../core/random.js';

/** `signs`: independent ±1; `unit`: the identity, column j being position j. */
export type TestVectors = 'signs' | 'unit';

const STREAM = 0x7e57;

/**
 * out[at + i·stride] ← entry (begin + i, column) of the test matrix, i = 0 … count − 1, for the leaf ν at positions
 * begin … begin + count.
 */
export function drawTestVector(
  kind: TestVectors,
  seed: number,
  ν: number,
  begin: number,
  column: number,
  count: number,
  out: Float64Array,
  at: number,
  stride: number,
): void {
  if (kind === 'unit') {
    for (let i = 0, p = at; i < count; i++, p += stride) out[p] = begin + i === column ? 1 : 0;
    return;
  }
  const random = new RandomStream(seed, STREAM, ν, column);
  let bits = 0;
  for (let i = 0, p = at; i < count; i++, p += stride) {
    if ((i & 31) === 0) bits = random.uint32();
    out[p] = 1 - 2 * (bits & 1);
    bits >>>= 1;
  }
}
