/**
 * An array as the readers of files of named arrays hand it over.
 */
import type { Tensor } from './safetensors.js';

/** An array of a file, by any reader. */
export interface NamedArray extends Tensor {
  /** The first index is the fastest if true, the last one if not: (i, j) is data[i + j·rows] or data[i·cols + j]. */
  readonly fortranOrder: boolean;
}
