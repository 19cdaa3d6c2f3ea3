/**
 * Choosing a distance: from its name and a source to data that a team can share, and from that data to the distance.
 */
import { quoted } from '../../core/kind.js';
import { OptionError, ShapeError } from '../../core/errors.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { WorkerContext } from '../../parallel/task.js';
import type { EntrySource, Points } from '../../source/entry-source.js';
import type { Distance, KnownEntries } from './distance.js';
import { distanceParts, type DistanceParts, type PointTable } from './geometric-parts.js';
import {
  DISTANCE_TABLE,
  DISTANCES,
  entryDistances,
  needsPoints,
  type DistanceName,
  type SearchedName,
  type TableDistance,
} from './table.js';

/** A distance to search by as data, for the state of a team. */
export interface DistanceState {
  readonly name: SearchedName;
  readonly data: unknown;
}

/** A chosen distance over a source, and what `Team.share` needs for a state that holds it. */
export type ChosenDistance = {
  readonly name: TableDistance;
  readonly size: number;
  readonly modules: readonly string[];
  readonly solo: boolean;
} &
  /** With the points whose Euclidean distance it is, if it is one. */
  (
    | {
        readonly state: DistanceState;
        readonly points: Points | undefined;
        readonly parts?: undefined;
        readonly place?: undefined;
      }
    /** The same of points that several ranks have parts of. */
    | {
        readonly state?: undefined;
        readonly points?: undefined;
        readonly parts: DistanceParts;
        readonly place?: undefined;
      }
    /** Indices on a line, and the place of each. */
    | {
        readonly state?: undefined;
        readonly points?: undefined;
        readonly parts?: undefined;
        readonly place: Int32Array;
      }
  );

/** The distance that 'auto' stands for: the geometric one where there are points, else the angle. */
export function resolvedDistance(name: DistanceName, { points, parts }: EntrySource): TableDistance {
  if (name !== 'auto') return name;
  return points === undefined && parts === undefined ? 'angle' : 'geometric';
}

/** Whether a distance is one between places on a line, for which nothing is searched. */
export const isPlaced = (name: DistanceName, source: EntrySource): boolean =>
  DISTANCE_TABLE[resolvedDistance(name, source)].needs === 'nothing';

/**
 * Looks a distance up by name and readies its data. Throws OptionError for an unknown name, for a distance of points
 * without points, or of entries where each rank has a part of the source.
 */
export function chooseDistance(
  name: DistanceName,
  source: EntrySource,
  seed: number,
  known: KnownEntries = {},
): ChosenDistance {
  const { size, points, parts } = source;
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`A source must have at least one row; this one has size ${size}.`, { size });
  if (!DISTANCES.includes(name))
    throw new OptionError(`Unknown distance ${quoted(name)}: choose one of ${DISTANCES.join(', ')}.`, {
      distance: name,
    });
  const chosen = resolvedDistance(name, source);
  if (needsPoints(chosen) && points === undefined && parts === undefined) {
    const others = entryDistances().map((other) => `'${other}'`);
    throw new OptionError(
      `The distance '${chosen}' needs a source with points: choose ${others.join(' or ')}, which use entries alone.`,
      { distance: name },
    );
  }
  const form = DISTANCE_TABLE[chosen];
  if (form.needs === 'nothing') {
    const place = sharedInt32(size);
    form.place(place, seed);
    return { name: chosen, size, place, modules: [], solo: false };
  }
  if (parts !== undefined) {
    if (form.needs === 'entries')
      throw new OptionError(
        `The distance '${chosen}' needs entries of any pair, and each rank has a part of the source: choose ` +
          `'geometric', or give kernelSource all points on every rank.`,
        { distance: name },
      );
    return { name: chosen, size, parts: distanceParts(parts.points), modules: [], solo: false };
  }
  const { data, modules, solo } = form.prepare(source, known);
  const state = { name: chosen as SearchedName, data };
  return { name: chosen, size, state, points: form.pointsOf?.(data), modules, solo };
}

/**
 * What the state of a team holds of a distance; where ranks have parts of the points, with a table that holds so many
 * of them. Collective then; throws MemoryError.
 */
export function distanceOf(
  chosen: DistanceState | DistanceParts,
  points: number,
): { readonly state: DistanceState; readonly table: PointTable | undefined } {
  if (!('table' in chosen)) return { state: chosen, table: undefined };
  const table = chosen.table(points);
  return { state: { name: 'geometric', data: table.data }, table };
}

/** The distance itself, on the thread that calls. */
export const openDistance = ({ name, data }: DistanceState, context: WorkerContext): Distance =>
  DISTANCE_TABLE[name].open(data, context);
