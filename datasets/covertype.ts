/**
 * Points like the rows of UCI's covertype table: 10 continuous columns and 44 that say which of 4 wilderness areas and
 * of 40 soils. Data sets. Stands in for it where it cannot be had: patches of forest, each within one area and with a
 * height, slope, aspect and distances of its own, points scattered about their patch; light on the ground follows from
 * slope and aspect, as there, so that the continuous columns have seven dimensions; the soil follows the height.
 * Continuous columns are standardised by the means and spreads of the generator (not of the sample), the others are 0
 * or 1. Point i depends on (seed, i) only.
 */
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Points } from '../src/source/entry-source.js';
import { requireCount } from './count.js';

export const covertypeColumns = 54;
const continuous = 10;
const areas = 4;
const soils = 40;
const patches = 256;
const pointPurpose = 0x636f7665;
const patchPurpose = 0x70617463;

/** Shares of the four areas and the mean heights of their ground, in metres. */
const areaShares = [0.449, 0.051, 0.436, 0.064];
const areaHeights = [3000, 3190, 2980, 2320];

/** Where the sun stands at 9, 12 and 15 o'clock: azimuth and height above the horizon, in degrees. */
const suns = [
  [116, 45],
  [190, 62],
  [245, 42],
] as const;

/** Of each continuous column over 100,000 points of seed 0. */
const means = [2979, 171.2, 12.94, 223.4, 40.06, 2486, 176.6, 217.6, 162.7, 1987];
const spreads = [194.5, 101.9, 6.371, 286.7, 75.29, 1103, 31.77, 21.77, 33, 935.2];

interface Patch {
  readonly area: number;
  readonly height: number;
  readonly aspect: number;
  readonly slope: number;
  readonly water: number;
  readonly road: number;
  readonly fire: number;
}

function pickArea(random: RandomStream): number {
  const drawn = random.uniform();
  let sum = 0;
  for (let area = 0; area + 1 < areas; area++) {
    sum += areaShares[area];
    if (drawn < sum) return area;
  }
  return areas - 1;
}

function makePatch(seed: number, k: number): Patch {
  const random = new RandomStream(seed, patchPurpose, k);
  const area = pickArea(random);
  return {
    area,
    height: areaHeights[area] + 140 * random.normal(),
    aspect: 360 * random.uniform(),
    slope: Math.abs(13 + 6 * random.normal()),
    water: 60 + 420 * random.uniform() ** 2 + 60 * random.uniform(),
    road: 600 + 3500 * random.uniform(),
    fire: 500 + 2950 * random.uniform(),
  };
}

const radians = Math.PI / 180;

/** Brightness of the ground from 0 to 254 under a sun. */
function hillshade(slope: number, aspect: number, [azimuth, height]: (typeof suns)[number]): number {
  const light =
    Math.sin(height * radians) * Math.cos(slope * radians) +
    Math.cos(height * radians) * Math.sin(slope * radians) * Math.cos((azimuth - aspect) * radians);
  return Math.max(0, 254 * light);
}

/** One point: out[at … at + 54). */
function drawPoint(patch: Patch, random: RandomStream, out: Float64Array, at: number): void {
  const height = patch.height + 60 * random.normal();
  const aspect = (((patch.aspect + 40 * random.normal()) % 360) + 360) % 360;
  const slope = Math.abs(patch.slope + 3.5 * random.normal());
  const water = -patch.water * Math.log(1 - random.uniform());
  const values = [
    height,
    aspect,
    slope,
    water,
    water * (0.18 + 0.15 * random.normal()),
    Math.abs(patch.road + 450 * random.normal()),
    ...suns.map((sun) => hillshade(slope, aspect, sun)),
    Math.abs(patch.fire + 420 * random.normal()),
  ];
  for (let k = 0; k < continuous; k++) out[at + k] = (values[k] - means[k]) / spreads[k];
  out[at + continuous + patch.area] = 1;
  const soil = Math.floor(((height - 1900) / 1700) * soils + 1.5 * random.normal());
  out[at + continuous + areas + Math.min(soils - 1, Math.max(0, soil))] = 1;
}

/**
 * `count` points in ℝ⁵⁴, over shared memory. Equal seeds give equal points, fewer are the first of more. Throws
 * ShapeError.
 */
export function covertypePoints(count: number, seed: number): Points {
  requireCount(count, 'covertypePoints');
  const coordinates = sharedFloat64(count * covertypeColumns);
  const all = Array.from({ length: patches }, (_, k) => makePatch(seed, k));
  for (let i = 0; i < count; i++) {
    const random = new RandomStream(seed, pointPurpose, i);
    drawPoint(all[random.integer(patches)], random, coordinates, i * covertypeColumns);
  }
  return { dimension: covertypeColumns, count, coordinates };
}
