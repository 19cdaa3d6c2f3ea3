import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { shapeForms } from '#datasets/shape-forms.js';
import { shapeImages } from '#datasets/shapes.js';

const SIZE = 3072;
const images = shapeImages(500, 1);

describe('images of shapes', () => {
  it('are 3 × 32 × 32 bytes with classes by name, in shared memory', () => {
    const { channels, height, width, classes, labels, pixels } = images;
    expect([channels, height, width, labels.length, pixels.length]).toEqual([3, 32, 32, 500, 500 * SIZE]);
    expect(pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(new Set(classes).size).toBe(10);
  });

  it('depend on the seed alone; fewer are the first of more', () => {
    const again = shapeImages(20, 1);
    expect(again.pixels).toEqual(images.pixels.slice(0, 20 * SIZE));
    expect(again.labels).toEqual(images.labels.slice(0, 20));
    expect(shapeImages(20, 2).pixels).not.toEqual(again.pixels);
  });

  it('every shape comes up about a tenth of the time', () => {
    const counts = new Array<number>(10).fill(0);
    for (const label of images.labels) counts[label]++;
    // Six standard deviations of a binomial count.
    for (const n of counts) expect(Math.abs(n - 50)).toBeLessThan(6 * Math.sqrt(500 * 0.1 * 0.9));
  });

  it('are no nearer to images of their own class than to others: pixels alone do not tell', () => {
    // The mean image of a class, in the second half, tells little of the first: the nearest mean is right by chance.
    const means = Array.from({ length: 10 }, () => new Float64Array(SIZE));
    const counts = new Float64Array(10);
    for (let i = 250; i < 500; i++) {
      counts[images.labels[i]]++;
      for (let p = 0; p < SIZE; p++) means[images.labels[i]][p] += images.pixels[i * SIZE + p];
    }
    let right = 0;
    for (let i = 0; i < 250; i++) {
      const distances = means.map((mean, k) => {
        let sum = 0;
        for (let p = 0; p < SIZE; p++) sum += (images.pixels[i * SIZE + p] - mean[p] / counts[k]) ** 2;
        return sum;
      });
      if (distances.indexOf(Math.min(...distances)) === images.labels[i]) right++;
    }
    // Chance is 0.1; six standard deviations of it, and a little that size and place tell.
    expect(right / 250).toBeLessThan(0.1 + 6 * Math.sqrt(0.09 / 250) + 0.1);
  });

  it('a number of images that is none is refused', () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) expect(() => shapeImages(bad, 1)).toThrow(ShapeError);
    for (const bad of [-1, 0.5, Number.NaN]) expect(() => shapeImages(1, bad)).toThrow(OptionError);
  });
});

describe('the forms of shapes', () => {
  const area = (distance: (x: number, y: number) => number): number => {
    const n = 800;
    let inside = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) if (distance(((i + 0.5) / n) * 2.4 - 1.2, ((j + 0.5) / n) * 2.4 - 1.2) < 0) inside++;
    return (inside / n ** 2) * 2.4 ** 2;
  };
  // What stands in the definitions: radii, halves of sides, bars.
  const AREAS: Readonly<Record<string, number>> = {
    disc: Math.PI * 0.9 ** 2,
    ring: Math.PI * (0.92 ** 2 - 0.52 ** 2),
    square: 1.6 ** 2,
    frame: 4 * (0.82 ** 2 - 0.46 ** 2),
    triangle: (3 * Math.sqrt(3)) / 4,
    cross: 4 * 1 * 0.54 - 0.54 ** 2,
    'horizontal stripes': 1.8 * 0.9,
    'vertical stripes': 1.8 * 0.9,
    checker: 0.9 * 1.8,
    // Ten triangles with sides 1 and 0.42 that meet at 36°.
    star: 10 * 0.5 * 0.42 * Math.sin(Math.PI / 5),
  };

  it.each(shapeForms.map((form) => [form.name, form] as const))('%s has the area of its definition', (name, form) => {
    // The grid is off by at most its lines along the edge, of a length below 20.
    expect(Math.abs(area(form.distance) - AREAS[name])).toBeLessThan(20 * (2.4 / 800));
  });

  it('lie within reach of the canvas', () => {
    for (const { distance } of shapeForms)
      for (let k = 0; k < 360; k++)
        expect(distance(1.3 * Math.cos(k), 1.3 * Math.sin(k)), String(k)).toBeGreaterThan(0);
  });
});
