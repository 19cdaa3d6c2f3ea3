/**
 * Points to make kernel matrices of: generated ones, by name, from a seed.
 */
import { RandomStream } from 'hmatrix/random';
import type { OwnPoints } from './protocol.js';

/** Writes one point of `dimension` coordinates. */
interface Cloud {
  readonly dimension: number;
  readonly draw: (random: RandomStream, out: Float64Array, at: number) => void;
}

const CENTRES = [
  [0.2, 0.25],
  [0.75, 0.2],
  [0.5, 0.6],
  [0.15, 0.8],
  [0.85, 0.8],
] as const;

const CLOUDS = {
  square: {
    dimension: 2,
    draw: (random, out, at) => {
      out[at] = random.uniform();
      out[at + 1] = random.uniform();
    },
  },
  clusters: {
    dimension: 2,
    draw: (random, out, at) => {
      const [x, y] = CENTRES[random.integer(CENTRES.length)];
      out[at] = x + 0.06 * random.normal();
      out[at + 1] = y + 0.06 * random.normal();
    },
  },
  spiral: {
    dimension: 2,
    draw: (random, out, at) => {
      const turn = Math.sqrt(random.uniform());
      const angle = 5.5 * Math.PI * turn;
      out[at] = 0.5 + 0.48 * turn * Math.cos(angle) + 0.008 * random.normal();
      out[at + 1] = 0.5 + 0.48 * turn * Math.sin(angle) + 0.008 * random.normal();
    },
  },
  sphere: {
    dimension: 3,
    draw: (random, out, at) => {
      const point = [random.normal(), random.normal(), random.normal()];
      const radius = Math.hypot(...point);
      for (let k = 0; k < 3; k++) out[at + k] = 0.5 + (0.5 * point[k]) / radius;
    },
  },
} satisfies Readonly<Record<string, Cloud>>;

/** The name of a cloud. */
export type CloudName = keyof typeof CLOUDS;
/** All names. */
export const CLOUD_NAMES = Object.keys(CLOUDS) as readonly CloudName[];

const SEED = 1;

/** So many points of a cloud, the same ones each time. */
export function cloudPoints(name: CloudName, count: number): OwnPoints {
  const { dimension, draw }: Cloud = CLOUDS[name];
  const coordinates = new Float64Array(dimension * count);
  const random = new RandomStream(SEED);
  for (let i = 0; i < count; i++) draw(random, coordinates, dimension * i);
  return { dimension, count, coordinates };
}
