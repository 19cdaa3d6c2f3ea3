/** Convolutions against loops over pixels and taps, for strides, padding, dilation, groups. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Geometry } from '#hmatrix/tape/forms/geometry.js';
import { bilinear } from '#hmatrix/tape/primitives/bilinear.js';
import type { Shape } from '#hmatrix/tape/shape.js';
import { CaseBuilder } from './cases.js';
import { evaluate } from './evaluate.js';

/** Arrays of a convolution and what it makes of them. */
interface Loops {
  readonly g: Geometry;
  readonly count: number;
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers between the weights of one output and the next. */
  readonly width: number;
}

/** Visits every product: places in w, x and y. */
function eachProduct(
  { g, count, groups, inputs, outputs, width }: Loops,
  visit: (w: number, x: number, y: number) => void,
): void {
  const [own, made] = [inputs / groups, outputs / groups];
  for (let oy = 0; oy < g.outHeight; oy++)
    for (let ox = 0; ox < g.outWidth; ox++)
      for (let ky = 0; ky < g.kernelHeight; ky++)
        for (let kx = 0; kx < g.kernelWidth; kx++) {
          const ix = ox * g.strideX + kx * g.dilationX - g.padX;
          const iy = oy * g.strideY + ky * g.dilationY - g.padY;
          if (ix < 0 || iy < 0 || ix >= g.width || iy >= g.height) continue;
          const tap = kx + g.kernelWidth * ky;
          for (let b = 0; b < count; b++)
            for (let o = 0; o < outputs; o++)
              for (let c = 0; c < own; c++) {
                const input = Math.floor(o / made) * own + c;
                visit(
                  o * width + own * tap + c,
                  input + inputs * (b + count * (ix + g.width * iy)),
                  o + outputs * (b + count * (ox + g.outWidth * oy)),
                );
              }
        }
}

const shared = (...dims: number[]): Shape => ({ perSample: false, dims });
const images = (...dims: number[]): Shape => ({ perSample: true, dims });

describe('a convolution', () => {
  it('is_the_sum_over_taps_forward_and_its_transposes_back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const b = new CaseBuilder(new RandomStream(seed));
        const g = b.geometry();
        const [groups, own, made] = [b.size(3), b.size(3), b.size(3)];
        const [inputs, outputs] = [own * groups, made * groups];
        const width = own * g.kernelWidth * g.kernelHeight + b.random.integer(2);
        const w = b.leaf(shared(width, outputs));
        const x = b.leaf(images(inputs, g.width, g.height));
        const y = b.leaf(images(outputs, g.outWidth, g.outHeight));
        const settings = { ...g, groups };
        const nodes = [
          bilinear(b.graph, 'convolution', { mode: 2, settings }, [w, x], y.shape),
          bilinear(b.graph, 'convolution', { mode: 1, settings }, [w, y], x.shape),
          bilinear(b.graph, 'convolution', { mode: 0, settings }, [x, y], w.shape),
        ];
        const [W, X, Y] = [w, x, y].map((leaf) => b.values.get(leaf)!);
        const expected = [Y, X, W].map((like) => new Float64Array(like.length));
        eachProduct({ g, count: b.count, groups, inputs, outputs, width }, (atW, atX, atY) => {
          expected[0][atY] += W[atW] * X[atX];
          expected[1][atX] += W[atW] * Y[atY];
          expected[2][atW] += X[atX] * Y[atY];
        });
        evaluate(b.graph, nodes, b.values, b).forEach((found, k) => {
          found.forEach((value, i) => {
            // At most some thousand products of numbers below ten.
            expect(Math.abs(value - expected[k][i])).toBeLessThanOrEqual(1e5 * 2 ** -53);
          });
        });
      }),
      { numRuns: 100 },
    );
  });
});
