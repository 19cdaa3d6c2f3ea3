/**
 * Slices of samples: a batch is worked on in slices, each with a tape of its own, which depend on the number of samples
 * alone.
 */

/** Samples of a slice: enough columns for multiplications of matrices, few enough for the caches. */
export const SLICE = 16;

/** Slices of a batch. */
export const graphSlices = (count: number): number => Math.ceil(count / SLICE);

/** First sample of slice s; that of slice s + 1 ends it. */
export const graphSliceFirst = (count: number, s: number): number => Math.floor((s * count) / graphSlices(count));
