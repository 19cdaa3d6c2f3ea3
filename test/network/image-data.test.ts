import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { LabeledImages } from '#hmatrix/io/labeled-images.js';
import { imageDataSet } from '#hmatrix/network/image-data.js';

function imagesOf(count: number, [channels, height, width]: readonly number[], seed: number): LabeledImages {
  const random = new RandomStream(seed);
  return {
    channels,
    height,
    width,
    classes: ['a', 'b', 'c'],
    labels: Int32Array.from({ length: count }, () => random.integer(3)),
    pixels: Uint8Array.from({ length: count * channels * height * width }, () => random.integer(256)),
  };
}

const shapes = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }));

describe('a data set of images', () => {
  it('has its bytes in their order, divided by 255, and unit vectors of the labels, any batch of them', () => {
    fc.assert(
      fc.property(
        shapes,
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        fc.constantFrom('f64' as const, 'f32' as const),
        (shape, count, seed, precision) => {
          const images = imagesOf(count, shape, seed);
          const data = imageDataSet(images, { precision });
          expect([data.samples, data.outputs, data.statistics]).toEqual([count, 3, undefined]);
          const round = (value: number): number => (precision === 'f32' ? Math.fround(value) : value);
          for (const [first, some] of [
            [0, count],
            [count - 1, 1],
            [Math.floor(count / 2), Math.ceil(count / 2)],
          ]) {
            const { inputs, targets } = data.batch(first, some);
            expect([inputs.rows, inputs.cols, targets.rows, targets.cols]).toEqual([data.inputs, some, 3, some]);
            for (let j = 0; j < some; j++) {
              for (let p = 0; p < data.inputs; p++)
                expect(inputs.data[inputs.offset + p + j * inputs.ld]).toBe(
                  round(images.pixels[(first + j) * data.inputs + p] / 255),
                );
              for (let k = 0; k < 3; k++)
                expect(targets.data[targets.offset + k + j * targets.ld]).toBe(images.labels[first + j] === k ? 1 : 0);
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('standardized has mean 0 and deviation 1 in every channel, and its statistics serve other images', () => {
    const images = imagesOf(40, [3, 4, 5], 1);
    const data = imageDataSet(images, { standardize: true });
    const { inputs } = data.batch(0, 40);
    for (let c = 0; c < 3; c++) {
      const values: number[] = [];
      for (let j = 0; j < 40; j++)
        for (let p = 0; p < 20; p++) values.push(inputs.data[inputs.offset + j * inputs.ld + c * 20 + p]);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
      // 800 additions of numbers below 4, and the roundings of mean and deviation.
      expect(Math.abs(mean)).toBeLessThan(800 * 4 * 2 ** -52);
      expect(Math.abs(variance - 1)).toBeLessThan(800 * 16 * 2 ** -52);
    }
    const { means, deviations } = data.statistics!;
    const other = imagesOf(3, [3, 4, 5], 2);
    const batch = imageDataSet(other, { standardize: data.statistics! }).batch(0, 3).inputs;
    expect(batch.data[batch.offset + 20]).toBe((other.pixels[20] / 255 - means[1]) / deviations[1]);
  });

  it('a constant channel becomes zeros', () => {
    const images = { ...imagesOf(4, [1, 2, 2], 3), pixels: new Uint8Array(16).fill(51) };
    const data = imageDataSet(images, { standardize: true });
    expect(data.statistics).toEqual({ means: [0.2], deviations: [0] });
    expect(Array.from(data.batch(0, 4).inputs.data.subarray(0, 16))).toEqual(new Array(16).fill(0));
  });

  it('of what does not fit together is refused', () => {
    const images = imagesOf(4, [1, 2, 2], 3);
    const cases: readonly (readonly [unknown, unknown, RegExp])[] = [
      [{ ...images, pixels: images.pixels.subarray(1) }, ShapeError, /4 labels and 15 bytes.*1 × 2 × 2 need 16/],
      [{ ...images, width: 0 }, ShapeError, /sizes of at least 1/],
      [{ ...images, labels: new Int32Array(0), pixels: new Uint8Array(0) }, ShapeError, /no image/],
      [{ ...images, labels: Int32Array.of(0, 1, 2, 3) }, OptionError, /Label 3 of sample 3 is out of range/],
      [{ ...images, pixels: [...images.pixels] }, OptionError, /pixels: Uint8Array/],
      [undefined, OptionError, /not undefined/],
    ];
    for (const [given, type, message] of cases) {
      expect(() => imageDataSet(given as never)).toThrow(type as typeof ShapeError);
      expect(() => imageDataSet(given as never)).toThrow(message);
    }
    for (const standardize of [
      { means: [0], deviations: [-1] },
      { means: [Number.NaN], deviations: [1] },
      { means: [0, 0], deviations: [1, 1] },
      {},
    ])
      expect(() => imageDataSet(images, { standardize: standardize as never })).toThrow(OptionError);
  });
});
