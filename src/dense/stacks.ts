/**
 * Elementwise products of stacked vectors with what is kept per sample.
 * A stack holds, for sample after sample, `vectors` columns of `rows` numbers: as a matrix it is (rows·vectors) ×
 * samples, and at the same time rows × (vectors·samples), so one GEMM serves all vectors on either side of it.
 */
import type { FloatArray, Matrix } from './matrix.js';

/**
 * out ← x∘s, each sample's column of s (rows × samples, contiguous) repeated for its vectors; out may be x. Stacks
 * begin at 0.
 */
export function scaleStack(
  out: FloatArray,
  x: FloatArray,
  { data: s, offset, rows, cols: samples }: Matrix,
  vectors: number,
): void {
  let q = 0;
  for (let i = 0; i < samples; i++) {
    const from = offset + i * rows;
    for (let j = 0; j < vectors; j++) for (let p = from; p < from + rows; p++, q++) out[q] = x[q] * s[p];
  }
}

/** out ← out + x∘s, as above. */
export function addScaledStack(
  out: FloatArray,
  x: FloatArray,
  { data: s, offset, rows, cols: samples }: Matrix,
  vectors: number,
): void {
  let q = 0;
  for (let i = 0; i < samples; i++) {
    const from = offset + i * rows;
    for (let j = 0; j < vectors; j++) for (let p = from; p < from + rows; p++, q++) out[q] += x[q] * s[p];
  }
}
