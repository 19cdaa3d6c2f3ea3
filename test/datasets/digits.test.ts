import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { digitImages } from '#datasets/digits.js';

const { images, labels } = digitImages(2000, 1);
const { coordinates, dimension, count } = images;

describe('digit images', () => {
  it('are 28 x 28 whole multiples of 1/255 in [0, 1], in shared memory', () => {
    expect([dimension, count, coordinates.length, labels.length]).toEqual([784, 2000, 784 * 2000, 2000]);
    expect(coordinates.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(
      coordinates.every((grey) => grey >= 0 && grey <= 1 && Math.abs(255 * grey - Math.round(255 * grey)) < 1e-12),
    ).toBe(true);
  });

  it('depend on the seed alone; fewer are the first of more', () => {
    const again = digitImages(50, 1);
    expect(again.images.coordinates).toEqual(coordinates.slice(0, 50 * 784));
    expect(again.labels).toEqual(labels.slice(0, 50));
    const other = digitImages(50, 2);
    expect(other.images.coordinates).not.toEqual(again.images.coordinates);
  });

  it('every digit comes up about a tenth of the time', () => {
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]++;
    // Six standard deviations of a binomial count.
    for (const n of counts) expect(Math.abs(n - 200)).toBeLessThan(6 * Math.sqrt(2000 * 0.1 * 0.9));
  });

  it('have ink, about as much as MNIST (13.3 %), none at the border, and their centre of mass near the middle', () => {
    let total = 0;
    for (let i = 0; i < count; i++) {
      let mass = 0;
      let mx = 0;
      let my = 0;
      for (let p = 0; p < 784; p++) {
        const grey = coordinates[784 * i + p];
        const x = p % 28;
        const y = Math.floor(p / 28);
        mass += grey;
        mx += x * grey;
        my += y * grey;
        if (x === 0 || y === 0 || x === 27 || y === 27) expect(grey).toBeLessThan(1);
      }
      expect(mass).toBeGreaterThan(10);
      expect(Math.hypot(mx / mass - 13.5, my / mass - 13.5)).toBeLessThan(4);
      total += mass;
    }
    expect(total / coordinates.length).toBeGreaterThan(0.11);
    expect(total / coordinates.length).toBeLessThan(0.155);
  });

  it('no two are alike, and the nearest neighbor is the same digit nine times in ten', () => {
    const asked = 300;
    let right = 0;
    let smallest = Infinity;
    for (let i = 0; i < asked; i++) {
      let best = Infinity;
      let label = -1;
      for (let j = 0; j < count; j++) {
        if (j === i) continue;
        let d2 = 0;
        for (let p = 0; p < 784 && d2 < best; p++) d2 += (coordinates[784 * i + p] - coordinates[784 * j + p]) ** 2;
        if (d2 < best) {
          best = d2;
          label = labels[j];
        }
      }
      smallest = Math.min(smallest, best);
      if (label === labels[i]) right++;
    }
    expect(smallest).toBeGreaterThan(0);
    expect(right / asked).toBeGreaterThan(0.9);
  });

  it('a number of images that is none is refused', () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) expect(() => digitImages(bad, 1)).toThrow(ShapeError);
  });
});
