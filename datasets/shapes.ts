/**
 * Images of coloured shapes, 3 × 32 × 32 bytes, made from nothing but a seed. Data sets.
 * Stands in for small photographs where those cannot be had: one of ten shapes (shape-forms.ts) at a random place, of a
 * random size, direction and colour, before a background of one colour with waves, among small spots, with noise. The
 * shape may be lighter or darker than what is behind it, so no sum of pixels tells the classes apart. Image i depends
 * on (seed, i) only, so fewer images are the first of more.
 */
import { requireSeed } from '../src/core/checks.js';
import { RandomStream } from '../src/core/random.js';
import { allocateShared } from '../src/core/shared-array.js';
import type { LabeledImages } from '../src/io/labeled-images.js';
import { requireCount } from './count.js';
import { shapeForms } from './shape-forms.js';

const channels = 3;
const side = 32;
const plane = side * side;
const size = channels * plane;
const purpose = 0x73686170;
/** Least distance between the colours of a shape and of its background: the diagonal of the cube of colours is √3. */
const contrast = 0.45;
const spots = 2;

type Colour = readonly [number, number, number];

const drawColour = (random: RandomStream, least: number, most: number): Colour => [
  least + (most - least) * random.uniform(),
  least + (most - least) * random.uniform(),
  least + (most - least) * random.uniform(),
];
const apart = (a: Colour, b: Colour): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** Draws images one after the other: nothing large is allocated per image. */
class Canvas {
  readonly #values = new Float64Array(size);

  /** One image of shape `label` as `random` says, into out[at … at + 3072). */
  draw(label: number, random: RandomStream, out: Uint8Array, at: number): void {
    const ground = drawColour(random, 0.15, 0.85);
    this.#background(ground, random);
    for (let k = 0; k < spots; k++) {
      const radius = 1 + 1.5 * random.uniform();
      const x = side * random.uniform();
      const y = side * random.uniform();
      this.#paint(drawColour(random, 0, 1), (px, py) => Math.hypot(px - x, py - y) - radius);
    }
    this.#shape(label, ground, random);
    const noise = 0.03 + 0.07 * random.uniform();
    for (let p = 0; p < size; p++)
      out[at + p] = Math.round(255 * Math.min(1, Math.max(0, this.#values[p] + noise * random.normal())));
  }

  /** Two waves of brightness and one of colour over one colour. */
  #background(ground: Colour, random: RandomStream): void {
    for (let k = 0; k < channels; k++) this.#values.fill(ground[k], k * plane, (k + 1) * plane);
    this.#wave([1, 1, 1], random);
    this.#wave([1, 1, 1], random);
    this.#wave(drawColour(random, -1, 1), random);
  }

  /** Adds a plane wave to the channels, so much to each. */
  #wave(shares: Colour, random: RandomStream): void {
    const kx = 0.6 * random.normal();
    const ky = 0.6 * random.normal();
    const phase = 2 * Math.PI * random.uniform();
    const height = 0.08 * random.uniform();
    for (let y = 0, p = 0; y < side; y++)
      for (let x = 0; x < side; x++, p++) {
        const value = height * Math.cos(kx * x + ky * y + phase);
        for (let k = 0; k < channels; k++) this.#values[k * plane + p] += shares[k] * value;
      }
  }

  #shape(label: number, ground: Colour, random: RandomStream): void {
    const { turn, distance } = shapeForms[label];
    const radius = 7 + 6 * random.uniform();
    const room = side - 1.7 * radius;
    const x = 0.85 * radius + room * random.uniform();
    const y = 0.85 * radius + room * random.uniform();
    const angle = ((turn * Math.PI) / 180) * (2 * random.uniform() - 1);
    const cos = Math.cos(angle) / radius;
    const sin = Math.sin(angle) / radius;
    let colour = drawColour(random, 0, 1);
    while (apart(colour, ground) < contrast) colour = drawColour(random, 0, 1);
    this.#paint(colour, (px, py) => {
      const u = px - x;
      const v = py - y;
      return radius * distance(cos * u + sin * v, cos * v - sin * u);
    });
  }

  /** Paints where the distance is negative; a pixel that the edge goes through, in part. */
  #paint(colour: Colour, distance: (x: number, y: number) => number): void {
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const cover = Math.min(1, Math.max(0, 0.5 - distance(x + 0.5, y + 0.5)));
        if (cover === 0) continue;
        for (let k = 0; k < channels; k++) {
          const p = k * plane + y * side + x;
          this.#values[p] += cover * (colour[k] - this.#values[p]);
        }
      }
  }
}

/**
 * `count` images of shapes drawn at random, and which shapes they are; `imageDataSet` makes a data set of them. Equal
 * seeds give equal images. Throws ShapeError, OptionError.
 */
export function shapeImages(count: number, seed: number): LabeledImages {
  requireCount(count, 'shapeImages');
  requireSeed(seed);
  const pixels = new Uint8Array(allocateShared(count * size));
  const labels = new Int32Array(count);
  const canvas = new Canvas();
  for (let i = 0; i < count; i++) {
    const random = new RandomStream(seed, purpose, i);
    labels[i] = random.integer(shapeForms.length);
    canvas.draw(labels[i], random, pixels, i * size);
  }
  return { channels, height: side, width: side, classes: shapeForms.map(({ name }) => name), labels, pixels };
}
