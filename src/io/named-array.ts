/**
 * An array as the readers of files of named arrays hand it over.
 */
import type { Tensor } from './safetensors.js';

/** An array of a file, by any reader. */
export interface NamedArray extends Tensor {
  /** For rank 2: element (i, j) of (rows, cols) is data[i + j·rows] if true, data[i·cols + j] if not. */
  readonly fortranOrder: boolean;
}
