/**
 * The quadratic form of a batch's losses, slice by slice: the sum of slices that others have is the same to the bit.
 */
import type { FloatArray } from '../../core/floats.js';
import type { LossName } from '../../network/losses/table.js';
import { codeForm } from './code.js';
import { lossForm, symmetricForm } from './loss-form.js';
import { sliceCount, sliceFirst } from './slices.js';

/** J·v of all samples at the outputs, and at the code where there is one. */
export interface KeptTangents {
  readonly output: Float64Array;
  readonly code: Float64Array | null;
}

/** What the losses' Hessians are made of: r outputs with their means, and the code with its variances. */
export interface FormPoint {
  readonly loss: LossName;
  readonly outputs: number;
  readonly means: FloatArray | null;
  readonly code: { readonly size: number; readonly weight: number } | null;
  readonly variances: FloatArray | null;
}

/** Of each slice s the k × k forms of k tangents, from s·k² on; zero but for slices first … end − 1. */
export function sliceForms(
  { loss, outputs: r, means, code, variances }: FormPoint,
  kept: readonly KeptTangents[],
  samples: number,
  { first, end }: { readonly first: number; readonly end: number },
): Float64Array {
  const k = kept.length;
  const forms = new Float64Array(sliceCount(samples) * k * k);
  for (let s = first; s < end; s++) {
    const part = <A extends FloatArray>(of: A, rows: number): A =>
      of.subarray(rows * sliceFirst(samples, s), rows * sliceFirst(samples, s + 1)) as A;
    const form = symmetricForm(k, (i, j) => {
      const value = lossForm(loss, r, means && part(means, r), part(kept[i].output, r), part(kept[j].output, r));
      if (code === null) return value;
      const [u, w] = [i, j].map((v) => part(kept[v].code!, 2 * code.size));
      return value + codeForm(code, part(variances!, code.size), u, w);
    });
    forms.set(form, s * k * k);
  }
  return forms;
}
