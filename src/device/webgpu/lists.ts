/**
 * Block rows as the kernel reads them: words of 32 bits.
 */
import { MemoryError } from '../../core/errors.js';
import type { BlockRows } from '../block-rows.js';
import { TARGET_WORDS, TERM_WORDS } from './kernel.js';

/** Lists of a launch. */
export interface KernelLists {
  readonly blocks: Uint32Array;
  readonly terms: Uint32Array;
  readonly starts: Int32Array;
}

/** The lists. Throws MemoryError where a block lies beyond what 32 bits can number. */
export function kernelLists(rows: BlockRows): KernelLists {
  const blocks = new Uint32Array(TARGET_WORDS * rows.first.length);
  for (let b = 0; b < rows.first.length; b++)
    blocks.set(
      [rows.first[b], rows.count[b], rows.startBegin[b], rows.termBegin[b], rows.termBegin[b + 1]],
      TARGET_WORDS * b,
    );
  const terms = new Uint32Array(TERM_WORDS * rows.offset.length);
  for (let t = 0; t < rows.offset.length; t++) {
    if (rows.offset[t] >= 2 ** 32)
      throw new MemoryError(
        'A block lies beyond the 2³² numbers that a kernel can address: make the problem smaller.',
        {
          offset: rows.offset[t],
        },
      );
    terms.set([rows.offset[t], rows.ld[t], rows.transposed[t], rows.source[t], rows.terms[t]], TERM_WORDS * t);
  }
  return { blocks, terms, starts: rows.starts };
}
