/**
 * Maps of points: what is done to them before a kernel's distances or inner products are formed.
 */
import { NonFiniteError, ShapeError } from '../../core/errors.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Points } from '../entry-source.js';

/** A map of points, each by itself. */
export interface PointMap {
  /** For the library: maps with the same key are the same map. */
  readonly key: string;
  /** The images of the points, over shared memory. Throws ShapeError, NonFiniteError. */
  apply(points: Points): Points;
}

/** x_k/ℓ_k of every coordinate, ℓ positive numbers. Cost and memory: one number a coordinate. */
export const scaleCoordinates = (lengthScales: readonly number[]): PointMap => ({
  key: `scales ${lengthScales.join(' ')}`,
  apply({ dimension, count, coordinates }) {
    if (lengthScales.length !== dimension) {
      throw new ShapeError(
        `ard has ${lengthScales.length} length scales, and the points have dimension ${dimension}: give one length ` +
          'scale for each coordinate.',
        { lengthScales: lengthScales.length, dimension },
      );
    }
    const images = sharedFloat64(dimension * count);
    for (let i = 0, p = 0; i < count; i++) {
      for (let k = 0; k < dimension; k++, p++) {
        images[p] = coordinates[p] / lengthScales[k];
        if (!Number.isFinite(images[p])) {
          throw new NonFiniteError(
            `Coordinate ${k} of point ${i}, ${coordinates[p]}, is not finite divided by its length scale ` +
              `${lengthScales[k]}; scale the points.`,
            { point: i, coordinate: k, value: coordinates[p] },
          );
        }
      }
    }
    return { dimension, count, coordinates: images };
  },
});

/**
 * (cos 2πx_k/p, sin 2πx_k/p) of every coordinate: d coordinates become 2d. Then ‖u(x) − u(y)‖² = 4 Σ sin²(π(x_k −
 * y_k)/p). A coordinate of u is right to about 2π·|x_k/p|·eps, the rounding of x_k/p.
 */
export const onCircles = (period: number): PointMap => ({
  key: `circles ${period}`,
  apply({ dimension, count, coordinates }) {
    const images = sharedFloat64(2 * dimension * count);
    for (let p = 0; p < dimension * count; p++) {
      const turns = coordinates[p] / period;
      if (!Number.isFinite(turns)) {
        const point = Math.floor(p / dimension);
        throw new NonFiniteError(
          `Coordinate ${p - point * dimension} of point ${point}, ${coordinates[p]}, is not finite divided by the ` +
            `period ${period}; scale the points.`,
          { point, coordinate: p - point * dimension, value: coordinates[p] },
        );
      }
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      images[2 * p] = Math.cos(angle);
      images[2 * p + 1] = Math.sin(angle);
    }
    return { dimension: 2 * dimension, count, coordinates: images };
  },
});

/** `first`, then `second` where there is one. */
export const chained = (first: PointMap, second: PointMap | undefined): PointMap =>
  second === undefined
    ? first
    : { key: `${first.key}, ${second.key}`, apply: (points) => second.apply(first.apply(points)) };
