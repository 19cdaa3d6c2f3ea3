/**
 * Slices of samples: a batch is worked on in slices, each with a tape of its own, which depend on the number of samples
 * and on the most samples of one (`sliceSamples` of the network) alone.
 */

/** Slices of a batch. */
export const graphSlices = (count: number, most: number): number => Math.ceil(count / most);

/** First sample of slice s; that of slice s + 1 ends it. */
export const graphSliceFirst = (count: number, most: number, s: number): number =>
  Math.floor((s * count) / graphSlices(count, most));
