/**
 * Shapes of the tape's tensors. The first dimension (channels, features, words) lies contiguous; a tensor of which
 * every sample has its own has the samples next, the other dimensions (pixels, positions) last:
 *
 *     shared      d₀ × d₁ × d₂ …
 *     per sample  d₀ × samples × d₁ × d₂ …
 *
 * So every tensor is a matrix of d₀ rows whose columns are samples and positions, a row of pixels of a whole batch is
 * one contiguous block, and no convolution needs padded copies.
 */

/** Dimensions, first fastest, and whether every sample has a tensor of its own. */
export interface Shape {
  readonly perSample: boolean;
  readonly dims: readonly number[];
}

/** Numbers of one sample, or of a shared tensor. */
export const numbersEach = ({ dims }: Shape): number => dims.reduce((product, size) => product * size, 1);

/** Numbers for a batch. */
export const numbersOf = (shape: Shape, samples: number): number =>
  numbersEach(shape) * (shape.perSample ? samples : 1);

/** The first dimension. */
export const rowsOf = ({ dims }: Shape): number => dims[0];

/** Positions (pixels, tokens) of a sample: the product of all dimensions but the first. */
export const positionsOf = (shape: Shape): number => numbersEach(shape) / rowsOf(shape);

/** Columns of the tensor as a matrix. */
export const columnsOf = (shape: Shape, samples: number): number => numbersOf(shape, samples) / rowsOf(shape);

/** Whether both have the same dimensions and samples. */
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.perSample === b.perSample && a.dims.length === b.dims.length && a.dims.every((size, k) => size === b.dims[k]);

/** For people: "16 × samples × 32 × 32". */
export const shapeText = ({ perSample, dims }: Shape): string =>
  (perSample ? [dims[0], 'samples', ...dims.slice(1)] : dims).join(' × ');
