/**
 * Points that are hard to compress or to solve with, made of normal ones.
 */
import type { RandomStream } from '../src/core/random.js';
import type { Points } from '../src/source/entry-source.js';

const CLUSTERS = 20;

/** Moves normal points into 20 normal clusters of widths 0.02 to 0.4. */
export function gatherInClusters({ coordinates, count, dimension }: Points, random: RandomStream): void {
  const centers = new Float64Array(CLUSTERS * dimension);
  random.fillNormal(centers);
  for (let i = 0; i < count; i++) {
    const q = random.integer(CLUSTERS);
    for (let k = 0; k < dimension; k++)
      coordinates[i * dimension + k] = 0.02 * (q + 1) * coordinates[i * dimension + k] + 3 * centers[q * dimension + k];
  }
}

/** Takes the cubes of normal coordinates: heavy tails. */
export function stretchTails({ coordinates }: Points): void {
  for (let i = 0; i < coordinates.length; i++) coordinates[i] **= 3;
}
