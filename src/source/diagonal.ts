/**
 * A diagonal that is read part by part: of a source that gives entries anywhere on it nothing is stored.
 */
import type { EntrySource } from './entry-source.js';

/** Entries that are read, and summed, by themselves. */
export const RUN = 4096;

/** N numbers. */
export interface Diagonal {
  readonly size: number;
  /** Entries first … end − 1, until the next part is asked for. */
  part(first: number, end: number): Float64Array;
}

/** What a diagonal is read from. */
export type DiagonalSource = Pick<EntrySource, 'size' | 'diagonal' | 'diagonalAt'>;

/** The diagonal that an array holds. */
export const storedDiagonal = (values: Float64Array): Diagonal => ({
  size: values.length,
  part: (first, end) => values.subarray(first, end),
});

/** A source's diagonal: read where the source gives parts of it, else stored in `room(N)`. */
export function readDiagonal(
  source: DiagonalSource,
  room = (size: number): Float64Array => new Float64Array(size),
): Diagonal {
  const { size } = source;
  if (source.diagonalAt !== undefined) return new ReadDiagonal(source as Required<DiagonalSource>);
  const values = room(size);
  source.diagonal(values);
  return storedDiagonal(values.subarray(0, size));
}

class ReadDiagonal implements Diagonal {
  readonly size: number;
  readonly #source: Required<DiagonalSource>;
  #indices = new Int32Array(0);
  #values = new Float64Array(0);

  constructor(source: Required<DiagonalSource>) {
    this.size = source.size;
    this.#source = source;
  }

  part(first: number, end: number): Float64Array {
    const count = end - first;
    if (this.#indices.length < count) {
      this.#indices = new Int32Array(count);
      this.#values = new Float64Array(count);
    }
    const indices = this.#indices.subarray(0, count);
    for (let k = 0; k < count; k++) indices[k] = first + k;
    const values = this.#values.subarray(0, count);
    this.#source.diagonalAt(indices, values);
    return values;
  }
}

/** How many runs of RUN entries a diagonal has, the last one shorter. */
export const runsOf = (size: number): number => Math.ceil(size / RUN);

/** Run r. */
export const runOf = (diagonal: Diagonal, run: number): Float64Array =>
  diagonal.part(run * RUN, Math.min(diagonal.size, (run + 1) * RUN));

/** The first entry for which `holds`, with its index; undefined where there is none. Reads all entries before it. */
export function findOnDiagonal(
  diagonal: Diagonal,
  holds: (value: number) => boolean,
): { readonly index: number; readonly value: number } | undefined {
  for (let run = 0; run < runsOf(diagonal.size); run++) {
    const values = runOf(diagonal, run);
    const k = values.findIndex(holds);
    if (k >= 0) return { index: run * RUN + k, value: values[k] };
  }
  return undefined;
}
