/**
 * Portions of a row of tasks, or of rows: equal parts, in order, one for each rank.
 */

/** Tasks first … end − 1 of `count`. */
export interface Portion {
  readonly first: number;
  readonly end: number;
}

/** Rank r's portion of `count` tasks: as many as any other's, but for one. */
export const portionOf = ({ size }: { readonly size: number }, r: number, count: number): Portion => ({
  first: Math.floor((r * count) / size),
  end: Math.floor(((r + 1) * count) / size),
});

/** The rank whose portion of `count` tasks has task t. */
export const rankOfTask = ({ size }: { readonly size: number }, t: number, count: number): number =>
  Math.floor(((t + 1) * size - 1) / count);
