/**
 * The geometric distance ‖x_i − x_j‖ of a source with points. δ is its square, whose level sets of δ(·, p) − δ(·, q)
 * are hyperplanes; in few dimensions by differences, above by products.
 */
import { ShapeError } from '../../core/errors.js';
import { toShared } from '../../core/shared-array.js';
import type { Points } from '../../source/entry-source.js';
import { asPoints } from '../../source/points.js';
import { DirectDistance } from './direct-distance.js';
import type { SearchedDistance } from './distance.js';
import { centredPoints, ProductDistance, type CentredPoints } from './product-distance.js';

/** Up to this dimension differences are about as fast as products, and more exact. */
const LARGEST_DIRECT_DIMENSION = 16;

/** ‖x_i − x_j‖, where there are points. */
export const geometric: SearchedDistance<Points | CentredPoints> = {
  description: 'of the points',
  needs: 'points',
  prepare({ size, points: given }) {
    const { dimension, coordinates } = asPoints(given!);
    if (given!.count !== size)
      throw new ShapeError(`A source of size ${size} has ${given!.count} points; there must be one for each index.`, {
        size,
        count: given!.count,
      });
    const points: Points = { dimension, count: size, coordinates: toShared(coordinates) };
    const data = dimension <= LARGEST_DIRECT_DIMENSION ? points : centredPoints(points);
    return { data, modules: [], solo: false };
  },
  pointsOf: (data) => ('norms' in data ? data.points : data),
  open: (data, { blas }) => ('norms' in data ? new ProductDistance(data, blas) : new DirectDistance(data)),
  fromDissimilarity: Math.sqrt,
};
