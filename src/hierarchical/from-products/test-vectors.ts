/**
 * Random test matrices, a leaf's rows and a column at a time.
 * Each piece has a stream of its own, so it can be drawn where it is needed, and again, without being kept. Entries are
 * ±1 with equal chances: they find ranges as normal numbers do (N. Halko, P.-G. Martinsson, J. Tropp, SIAM Review
 * 53(2), 2011, section 4.6), estimate ‖A‖_F² = E‖Ax‖² with less variance, are the same in float32, and cost a bit each.
 */
import { RandomStream } from '../../core/random.js';
import type { Matrix } from '../../dense/matrix.js';

/** `signs`: independent ±1; `unit`: the identity, column j being position j. */
export type TestVectors = 'signs' | 'unit';

const STREAM = 0x7e57;

/**
 * out (1 × count) ← entries (begin + i, column) of the test matrix, i = 0 … count − 1, for a leaf that begins there.
 */
export function drawTestVector(
  { vectors, seed }: { readonly vectors: TestVectors; readonly seed: number },
  { node, begin }: { readonly node: number; readonly begin: number },
  column: number,
  { data: out, offset: at, cols: count, ld: stride }: Matrix,
): void {
  if (vectors === 'unit') {
    for (let i = 0, p = at; i < count; i++, p += stride) out[p] = begin + i === column ? 1 : 0;
    return;
  }
  const random = new RandomStream(seed, STREAM, node, column);
  let bits = 0;
  for (let i = 0, p = at; i < count; i++, p += stride) {
    if ((i & 31) === 0) bits = random.uint32();
    out[p] = 1 - 2 * (bits & 1);
    bits >>>= 1;
  }
}
