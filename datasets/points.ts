/**
 * Random points: the standard inputs of kernel-matrix experiments. Data sets.
 */
import { RandomStream } from '../src/core/random.js';
import { requireBytes, sharedFloat64 } from '../src/core/shared-array.js';
import { availableMemory } from '../src/io/machine.js';
import type { Points } from '../src/source/entry-source.js';
import { requireCount } from './count.js';

/** Keeps the streams of the generators apart where seeds agree. */
const normalPurpose = 0x6e6f726d;
const uniformPurpose = 0x756e6966;

function checkSizes(name: string, count: number, dimension: number): void {
  for (const [what, n] of [
    ['count', count],
    ['dimension', dimension],
  ] as const)
    requireCount(n, name, what);
  requireBytes(8 * count * dimension, availableMemory(), `${name}: ${count} points in ${dimension} dimensions`);
}

/**
 * `count` points in ℝ^`dimension`, coordinates independent N(0, 1); over shared memory. The first n of more points are
 * the n points.
 */
export function normalPoints(count: number, dimension: number, seed: number): Points {
  checkSizes('normalPoints', count, dimension);
  const coordinates = sharedFloat64(count * dimension);
  new RandomStream(seed, normalPurpose).fillNormal(coordinates);
  return { dimension, count, coordinates };
}

/**
 * `count` points in ℝ^`dimension`, coordinates independent and uniform in [0, 1); over shared memory. The first n of
 * more points are the n points.
 */
export function uniformPoints(count: number, dimension: number, seed: number): Points {
  checkSizes('uniformPoints', count, dimension);
  const coordinates = sharedFloat64(count * dimension);
  const random = new RandomStream(seed, uniformPurpose);
  for (let i = 0; i < coordinates.length; i++) coordinates[i] = random.uniform();
  return { dimension, count, coordinates };
}
