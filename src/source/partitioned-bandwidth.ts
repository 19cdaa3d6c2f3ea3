/**
 * The bandwidth that fits the scale of points of which each of several ranks has some.
 */
import { placeOf } from '../core/index-places.js';
import { requireAlike } from '../distributed/alike.js';
import { rowsOfAll, stretches } from '../distributed/row-parts.js';
import { together } from '../distributed/together.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { GivenPoints } from './entry-source.js';
import { HeldRows } from './held-rows.js';
import { asOwnPoints, drawnPairs, medianDistance } from './points.js';

/**
 * `medianBandwidth` of the points of all ranks, `own` being this rank's: the same number on each, and that of one
 * process. Collective; brings the points of the pairs that are drawn. Throws ShapeError, NonFiniteError, OptionError,
 * and CommunicationError where dimensions, seeds or numbers of pairs differ.
 */
export async function partitionedBandwidth(
  own: GivenPoints,
  seed = 0,
  pairs = 20_000,
  given: Control = {},
): Promise<number> {
  const { communicator } = (await onTeam(given, 'partitionedBandwidth')).team;
  const { dimension, count, coordinates } = together(communicator, () => asOwnPoints(own));
  requireAlike(communicator, 'partitionedBandwidth', { drawings: `${dimension} ${seed} ${pairs}` });
  const begin = stretches(communicator, count);
  const rows = { communicator, begin, arrays: [{ values: coordinates, width: dimension }] };
  const drawn = together(communicator, () => drawnPairs(rowsOfAll(rows), seed, pairs));
  const held = together(communicator, () => new HeldRows(rows));
  await held.hold(() => [drawn]);
  const { places, count: brought, arrays } = held;
  const points = { dimension, count: brought, coordinates: arrays[0] };
  return together(communicator, () =>
    medianDistance(
      points,
      drawn.map((i) => placeOf(places, i)),
    ),
  );
}
