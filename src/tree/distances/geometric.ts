/**
 * The geometric distance ‖x_i − x_j‖ of a source with points. δ is its square, whose level sets of δ(·, p) − δ(·, q)
 * are hyperplanes; in few dimensions by differences, above by products.
 */
import { ShapeError } from '../../core/errors.js';
import { toShared } from '../../core/shared-array.js';
import type { Points } from '../../source/entry-source.js';
import { asPoints, LARGEST_DIRECT_DIMENSION, sumsOfPoints } from '../../source/points.js';
import { DirectDistance } from './direct-distance.js';
import type { Distance, SearchedDistance } from './distance.js';
import { HeldDistance, type TabledPoints } from './geometric-parts.js';
import { centredPoints, ProductDistance, type CentredPoints } from './product-distance.js';

/** ‖x_i − x_j‖, where there are points. */
export const geometric: SearchedDistance<Points | CentredPoints | TabledPoints> = {
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
    const data = dimension <= LARGEST_DIRECT_DIMENSION ? points : centredPoints(points, sumsOfPoints(points));
    return { data, modules: [], solo: false };
  },
  // Those that are held for now are no points to search among.
  pointsOf: (data) => ('places' in data ? undefined : 'norms' in data ? data.points : data),
  open: (data, { blas }) => {
    const distanceOf = (points: Points | CentredPoints): Distance =>
      'norms' in points ? new ProductDistance(points, blas) : new DirectDistance(points);
    return 'places' in data ? new HeldDistance(data.places, distanceOf(data.held)) : distanceOf(data);
  },
  fromDissimilarity: Math.sqrt,
};
