/**
 * Choosing a distance: from its name and a source to data that a team can share, and from that data to the distance.
 */
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64, sharedInt32, toShared } from '../../core/shared-array.js';
import type { WorkerContext } from '../../parallel/kernel.js';
import type { EntrySource, Points } from '../../source/entry-source.js';
import { asPoints } from '../../source/points.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import { DirectDistance } from './direct-distance.js';
import { DISTANCES, type Distance, type DistanceName } from './distance.js';
import { EntryDistance } from './entry-distance.js';
import { centredPoints, ProductDistance, type CentredPoints } from './product-distance.js';

/** A distance as data, for the state of a team. */
export type DistanceState =
  | { readonly kind: 'direct'; readonly points: Points }
  | { readonly kind: 'products'; readonly centred: CentredPoints }
  | { readonly kind: 'gram' | 'angle'; readonly handle: SourceHandle; readonly diagonal: Float64Array }
  | { readonly kind: 'line'; readonly place: Int32Array };

/** A chosen distance over a source, and what `Team.share` needs for a state that holds it. */
export interface ChosenDistance {
  readonly name: Exclude<DistanceName, 'auto'>;
  readonly size: number;
  readonly state: DistanceState;
  readonly modules: readonly string[];
  readonly solo: boolean;
}

/** Up to this dimension differences are about as fast as products, and more exact. */
const largestDirectDimension = 16;
const RANDOM_PLACES = 0x91ace;

/**
 * Looks a distance up by name and readies its data. Throws OptionError for an unknown name or for `geometric` without
 * points.
 */
export function chooseDistance(name: DistanceName, source: EntrySource, seed: number): ChosenDistance {
  const { size, points } = source;
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`A source must have at least one row; this one has size ${size}.`, { size });
  const chosen = name === 'auto' ? (points === undefined ? 'angle' : 'geometric') : name;
  const choose = (state: DistanceState): ChosenDistance => ({ name: chosen, size, state, modules: [], solo: false });
  switch (chosen) {
    case 'geometric':
      if (points === undefined)
        throw new OptionError(
          "The distance 'geometric' needs a source with points: choose 'gram' or 'angle', which use entries alone.",
          { distance: name },
        );
      return choose(pointDistance(points, size));
    case 'gram':
    case 'angle': {
      const { handle, modules, solo } = sourceState(source);
      return { name: chosen, size, state: { kind: chosen, handle, diagonal: sharedDiagonal(source) }, modules, solo };
    }
    case 'lexicographic':
    case 'random': {
      const place = sharedInt32(size);
      for (let i = 0; i < size; i++) place[i] = i;
      if (chosen === 'random') new RandomStream(seed, RANDOM_PLACES).shuffle(place);
      return choose({ kind: 'line', place });
    }
    default:
      throw new OptionError(`Unknown distance '${String(name)}': choose one of ${DISTANCES.join(', ')}.`, {
        distance: name,
      });
  }
}

/** The distance itself, on the thread that calls. A line needs none: its neighbours and its order are read off. */
export function openDistance(state: Exclude<DistanceState, { kind: 'line' }>, context: WorkerContext): Distance {
  if (state.kind === 'direct') return new DirectDistance(state.points);
  if (state.kind === 'products') return new ProductDistance(state.centred, context.blas);
  return new EntryDistance(state.kind, openHandle(state.handle, context), state.diagonal);
}

function pointDistance(given: Points, size: number): DistanceState {
  const { dimension, coordinates } = asPoints(given);
  if (given.count !== size)
    throw new ShapeError(`A source of size ${size} has ${given.count} points; there must be one for each index.`, {
      size,
      count: given.count,
    });
  const points: Points = { dimension, count: size, coordinates: toShared(coordinates) };
  return points.dimension <= largestDirectDimension
    ? { kind: 'direct', points }
    : { kind: 'products', centred: centredPoints(points) };
}

function sharedDiagonal(source: EntrySource): Float64Array {
  const diagonal = sharedFloat64(source.size);
  source.diagonal(diagonal);
  const bad = diagonal.findIndex((d) => !Number.isFinite(d));
  if (bad >= 0)
    throw new NonFiniteError(
      `The diagonal entry ${bad} of the source is ${diagonal[bad]}: distances need finite entries.`,
      { index: bad, value: diagonal[bad] },
    );
  return diagonal;
}
