import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { block, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { imageAugmentation, type ImageAugmentationOptions } from '#hmatrix/training/data/image-augmentation.js';

interface Move {
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
}
type Size = readonly [channels: number, height: number, width: number];

/** Images whose pixels all differ. */
function distinct([c, h, w]: Size, count: number): Matrix {
  const x = zeros(c * h * w, count);
  x.data.forEach((_, k) => {
    x.data[k] = k + 1;
  });
  return x;
}

/** The definition, pixel by pixel: column j of x, moved. */
function movedBy(x: Matrix, j: number, [c, h, w]: Size, options: ImageAugmentationOptions, move: Move): number[] {
  const { height = h, width = w, beyond = 'fill', fill = 0 } = options;
  const line = (i: number, n: number): number | undefined => {
    if (i >= 0 && i < n) return i;
    if (beyond === 'fill') return undefined;
    if (beyond === 'edge') return Math.max(0, Math.min(n - 1, i));
    return i < 0 ? -i : n - 1 - (i - (n - 1));
  };
  const pixels: number[] = [];
  for (let k = 0; k < c; k++)
    for (let y = 0; y < height; y++)
      for (let z = 0; z < width; z++) {
        const row = line(y + move.top, h);
        const column = line((move.mirrored ? width - 1 - z : z) + move.left, w);
        pixels.push(
          row === undefined || column === undefined ? fill : x.data[x.offset + j * x.ld + (k * h + row) * w + column],
        );
      }
  return pixels;
}

function allMoves([, h, w]: Size, options: ImageAugmentationOptions): Move[] {
  const { height = h, width = w, padding: p = 0, shift: s = 0, flip = false } = options;
  const moves: Move[] = [];
  for (let top = -p - s; top <= h + p - height + s; top++)
    for (let left = -p - s; left <= w + p - width + s; left++)
      for (const mirrored of flip ? [false, true] : [false]) moves.push({ top, left, mirrored });
  return moves;
}

const columnOf = (x: Matrix, j: number): number[] =>
  Array.from(x.data.subarray(x.offset + j * x.ld, x.offset + j * x.ld + x.rows));

const sizes = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 5 }));
const cases = sizes.chain((size) =>
  fc.record({
    size: fc.constant(size),
    options: fc.record({
      flip: fc.boolean(),
      shift: fc.integer({ min: 0, max: 1 }),
      padding: fc.integer({ min: 0, max: 3 }),
      height: fc.integer({ min: 1, max: size[1] }),
      width: fc.integer({ min: 1, max: size[2] }),
      beyond: fc.constantFrom('fill' as const, 'edge' as const),
      fill: fc.constantFrom(0, -0.5),
      seed: fc.nat(),
    }),
    epoch: fc.nat({ max: 100 }),
  }),
);
const made = ({ size: [channels, height, width], options }: { size: Size; options: ImageAugmentationOptions }) =>
  imageAugmentation({ channels, height, width }, options);

describe('augmented images', () => {
  it('are_each_one_of_the_allowed_moves_to_the_bit', () => {
    fc.assert(
      fc.property(cases, ({ size, options, epoch }) => {
        const augmentation = made({ size, options });
        const x = distinct(size, 4);
        const out = zeros(size[0] * augmentation.height * augmentation.width, 4);
        augmentation.apply(x, [0, 1, 2, 3], epoch, out);
        for (let j = 0; j < 4; j++) {
          const found = columnOf(out, j).join();
          const moves = allMoves(size, options);
          expect(moves.some((move) => movedBy(x, j, size, options, move).join() === found)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are_reflected_about_their_outermost_pixels', () => {
    const size: Size = [2, 4, 5];
    const options = { beyond: 'reflect', padding: 2, shift: 1, flip: true, seed: 3 } as const;
    const augmentation = made({ size, options });
    const x = distinct(size, 30);
    const out = zeros(x.rows, 30);
    const numbers = Array.from({ length: 30 }, (_, j) => j);
    augmentation.apply(x, numbers, 0, out);
    for (const j of numbers) {
      const found = columnOf(out, j).join();
      expect(allMoves(size, options).some((move) => movedBy(x, j, size, options, move).join() === found)).toBe(true);
    }
  });

  it('depend_on_seed_epoch_and_number_alone_not_on_batches_or_their_order', () => {
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.nat({ max: 1e6 }), { minLength: 2, maxLength: 6 }),
        ({ size, options, epoch }, numbers) => {
          const augmentation = made({ size, options });
          const n = numbers.length;
          const rows = size[0] * augmentation.height * augmentation.width;
          const x = distinct(size, n);
          const out = zeros(rows, n);
          augmentation.apply(x, numbers, epoch, out);
          // One by one, from the last one on, by another augmentation of the same options.
          const other = made({ size, options });
          const single = zeros(rows, n);
          for (let j = n - 1; j >= 0; j--)
            other.apply(block(x, 0, j, x.rows, 1), [numbers[j]], epoch, block(single, 0, j, rows, 1));
          expect(single.data).toEqual(out.data);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are_drawn_evenly_and_anew_in_each_epoch', () => {
    const n = 4000;
    const size: Size = [1, 3, 3];
    const augmentation = made({ size, options: { padding: 1, flip: true } });
    const one = distinct(size, 1);
    const x = zeros(9, n);
    for (let j = 0; j < n; j++) x.data.set(one.data, 9 * j);
    const numbers = Int32Array.from({ length: n }, (_, j) => j);
    const out = zeros(9, n);
    const seen: string[][] = [];
    for (const epoch of [0, 1]) {
      augmentation.apply(x, numbers, epoch, out);
      seen.push(Array.from({ length: n }, (_, j) => columnOf(out, j).join()));
    }
    const share = 1 / 18;
    for (const of of seen) {
      const counts = new Map<string, number>();
      for (const key of of) counts.set(key, (counts.get(key) ?? 0) + 1);
      expect(counts.size).toBe(18);
      // Six standard deviations of a binomial count.
      for (const count of counts.values())
        expect(Math.abs(count - n * share)).toBeLessThan(6 * Math.sqrt(n * share * (1 - share)));
    }
    const same = seen[0].filter((key, j) => key === seen[1][j]).length;
    expect(Math.abs(same - n * share)).toBeLessThan(6 * Math.sqrt(n * share * (1 - share)));
  });

  it('of_wrong_sizes_or_in_place_are_refused', () => {
    const augmentation = imageAugmentation({ channels: 1, height: 2, width: 2 }, { flip: true });
    const x = zeros(4, 3);
    expect(() => {
      augmentation.apply(zeros(5, 3), [0, 1, 2], 0, zeros(4, 3));
    }).toThrow(/x has 5 rows; images of 1 × 2 × 2 have 4/);
    for (const [numbers, out] of [
      [[0, 1], zeros(4, 3)],
      [[0, 1, 2], zeros(4, 2)],
      [[0, 1, 2], x],
    ] as const)
      expect(() => {
        augmentation.apply(x, numbers, 0, out);
      }).toThrow(ShapeError);
    expect(() => {
      augmentation.apply(x, [0, 1, 2], Number.NaN, zeros(4, 3));
    }).toThrow(OptionError);
    const image = { channels: 3, height: 4, width: 6 };
    for (const options of [{ height: 5 }, { width: 9, padding: 1 }, { beyond: 'reflect', padding: 4 }, { shift: -1 }])
      expect(() => imageAugmentation(image, options as ImageAugmentationOptions)).toThrow(OptionError);
    for (const bad of [undefined, {}, { ...image, width: 0 }])
      expect(() => imageAugmentation(bad as never)).toThrow(ShapeError);
  });
});
