/**
 * Sets of points: their checks, and the bandwidth that fits their scale.
 */
import { requireWhole } from '../core/checks.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import { firstNonFinite } from '../core/floats.js';
import { describe, requireRole } from '../core/kind.js';
import { asFloat64 } from '../core/numbers.js';
import { RandomStream } from '../core/random.js';
import type { GivenPoints, Points } from './entry-source.js';

/**
 * The points, with coordinates in a Float64Array (other arrays of numbers are copied to one). Throws ShapeError or
 * NonFiniteError, naming the point, unless they are count ≥ 1 finite points in dimension ≥ 1; OptionError for what is
 * no set of points.
 */
export function asPoints(points: GivenPoints): Points {
  requireRole(points, 'points', 'a set of points');
  const { dimension, count } = points;
  const coordinates = asFloat64(points.coordinates, 'coordinates');
  if (!Number.isInteger(dimension) || dimension < 1 || !Number.isInteger(count) || count < 1) {
    throw new ShapeError(
      `Points need a dimension and a count of at least 1, not dimension ${describe(dimension)}, count ` +
        `${describe(count)}.`,
      { dimension, count },
    );
  }
  if (coordinates.length !== dimension * count) {
    throw new ShapeError(
      `${count} points of dimension ${dimension} have ${count * dimension} coordinates, not ${coordinates.length}.`,
      { dimension, count, length: coordinates.length },
    );
  }
  const i = firstNonFinite(coordinates);
  if (i >= 0) {
    const point = Math.floor(i / dimension);
    throw new NonFiniteError(
      `Point ${point} has coordinate ${i - point * dimension} = ${coordinates[i]}; remove or repair it.`,
      { point, coordinate: i - point * dimension, value: coordinates[i] },
    );
  }
  return coordinates === points.coordinates ? (points as Points) : { dimension, count, coordinates };
}

/** ‖x_i − x_j‖² by direct differences, summed over the coordinates in their order. */
export function squaredDistance(coordinates: Float64Array, dimension: number, i: number, j: number): number {
  let sum = 0;
  for (let k = 0, p = i * dimension, q = j * dimension; k < dimension; k++) {
    const difference = coordinates[p + k] - coordinates[q + k];
    sum += difference * difference;
  }
  return sum;
}

/**
 * The median distance between distinct points, over a seeded sample of `pairs` pairs (all pairs where there are no more
 * than that). A usual first bandwidth ("median heuristic"). Its sampling error in rank is about 1/(2·√pairs). Cost
 * O(pairs·dimension).
 */
export function medianBandwidth(points: GivenPoints, seed = 0, pairs = 20_000): number {
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`The seed of medianBandwidth must be a whole number, not ${describe(seed)}.`, { seed });
  requireWhole(pairs, 'pairs', 1);
  const { dimension, count, coordinates } = asPoints(points);
  if (count < 2)
    throw new OptionError('The median distance needs at least two points; give the bandwidth as a number.', { count });
  const all = (count * (count - 1)) / 2;
  const distances = new Float64Array(Math.min(all, pairs));
  if (all <= pairs) {
    let k = 0;
    for (let j = 1; j < count; j++)
      for (let i = 0; i < j; i++) distances[k++] = squaredDistance(coordinates, dimension, i, j);
  } else {
    const random = new RandomStream(seed, 0x6d656469);
    for (let k = 0; k < distances.length; k++) {
      const i = random.integer(count);
      const j = random.integer(count - 1);
      distances[k] = squaredDistance(coordinates, dimension, i, j < i ? j : j + 1);
    }
  }
  distances.sort();
  const upper = distances.length >> 1;
  const lower = distances.length % 2 === 1 ? upper : upper - 1;
  const median = 0.5 * (Math.sqrt(distances[lower]) + Math.sqrt(distances[upper]));
  if (!(median > 0 && Number.isFinite(median))) {
    throw new OptionError(
      `The median distance is ${median}: ` +
        (median === 0 ? 'at least half of the sampled pairs of points coincide' : 'the coordinates are too large') +
        '. ' +
        'Give the bandwidth as a number.',
      { median },
    );
  }
  return median;
}
