/**
 * The distances by name. The options, the help, the error texts and the types follow from this table: a new distance is
 * one file and its entry here (CONTRIBUTING.md).
 */
import { angle } from './angle.js';
import type { DistanceForm, LineDistance, SearchedDistance } from './distance.js';
import { geometric } from './geometric.js';
import { gram } from './gram.js';
import { lexicographic } from './lexicographic.js';
import { random } from './random.js';

const TABLE = {
  geometric,
  gram,
  angle,
  lexicographic,
  random,
} satisfies Readonly<Record<string, DistanceForm>>;

/** A distance of the table. */
export type TableDistance = keyof typeof TABLE;
/** `auto` is geometric where the source has points, else angle. */
export type DistanceName = 'auto' | TableDistance;
/** The distances whose neighbors are searched for. */
export type SearchedName = {
  [K in TableDistance]: (typeof TABLE)[K] extends LineDistance ? never : K;
}[TableDistance];

/** The distances by name. */
export const DISTANCE_TABLE: Readonly<Record<TableDistance, DistanceForm>> &
  Readonly<Record<SearchedName, SearchedDistance>> = TABLE;
/** All values of {@link DistanceName}. */
export const DISTANCES: readonly DistanceName[] = ['auto', ...(Object.keys(TABLE) as TableDistance[])];

/** For the command's help: "gram (√(K_ii + K_jj − 2K_ij)), …". */
export const describedDistances = Object.entries(TABLE)
  .map(([name, { description }]) => `${name} (${description})`)
  .join(', ');

/** The distances of the table that read entries alone. */
export const entryDistances = (): readonly TableDistance[] =>
  (Object.keys(TABLE) as TableDistance[]).filter((name) => DISTANCE_TABLE[name].needs === 'entries');

/** Whether a distance cannot do without points. */
export const needsPoints = (name: DistanceName): boolean => name !== 'auto' && DISTANCE_TABLE[name].needs === 'points';
