/**
 * Block rows as the kernels read them (kernel.ts): words of 32 bits, of a block's place two.
 */
import type { BlockRows } from '../block-rows.js';
import { TARGET_WORDS, TERM_BYTES } from './kernels/rows.js';

/** Lists of a launch. */
export interface KernelLists {
  readonly targets: Int32Array;
  readonly terms: Uint32Array;
  readonly starts: Int32Array;
}

/** The lists. */
export function kernelLists(rows: BlockRows): KernelLists {
  const targets = new Int32Array(TARGET_WORDS * rows.first.length);
  for (let b = 0; b < rows.first.length; b++)
    targets.set(
      [rows.first[b], rows.count[b], rows.startBegin[b], rows.termBegin[b], rows.termBegin[b + 1]],
      TARGET_WORDS * b,
    );
  const words = TERM_BYTES / 4;
  const terms = new Uint32Array(words * rows.offset.length);
  for (let t = 0; t < rows.offset.length; t++)
    terms.set(
      [
        rows.offset[t] % 2 ** 32,
        Math.floor(rows.offset[t] / 2 ** 32),
        rows.ld[t],
        rows.transposed[t],
        rows.source[t],
        rows.terms[t],
      ],
      words * t,
    );
  return { targets, terms, starts: rows.starts };
}
