/**
 * Random test matrices, a leaf's rows and a column at a time. Layer 5.
 * Each piece has a stream of its own, so it can be drawn where it is needed, and again, without being kept.
 */
import { RandomStream } from '../core/random.js';

/** `normal`: standard normal numbers; `normal-f32`: the same, rounded to what float32 holds; `unit`: the identity, column j being position j. */
export type TestVectors = 'normal' | 'normal-f32' | 'unit';

const STREAM = 0x7e57;

/** out[at + i·stride] ← entry (begin + i, column) of the test matrix, i = 0 … count − 1, for the leaf ν at positions begin … begin + count. */
export function drawTestVector(kind: TestVectors, seed: number, ν: number, begin: number, column: number, count: number, out: Float64Array, at: number, stride: number): void {
  if (kind === 'unit') {
    for (let i = 0, p = at; i < count; i++, p += stride) out[p] = begin + i === column ? 1 : 0;
    return;
  }
  const random = new RandomStream(seed, STREAM, ν, column);
  if (kind === 'normal') for (let i = 0, p = at; i < count; i++, p += stride) out[p] = random.normal();
  else for (let i = 0, p = at; i < count; i++, p += stride) out[p] = Math.fround(random.normal());
}
