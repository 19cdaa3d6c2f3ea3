/** Block products by tiles of each size, and of two sizes, and those that make up large triangles. */
import { describe, expect, it } from 'vitest';
import { floats } from '#hmatrix/core/floats.js';
import type { Device } from '#hmatrix/device/device.js';
import type { Block } from '#hmatrix/device/work/demand.js';
import type { BlockProducts, ProductTarget } from '#hmatrix/device/work/products.js';
import { productTiles } from '#hmatrix/device/work/tiles.js';
import { randomMatrix } from '../support.js';
import { CARDS, useDevice } from './devices.js';
import { runWork } from './run-work.js';

/** Targets of those shapes: A as it stands, B transposed, one behind the other. */
function productsOf(shapes: readonly (readonly [rows: number, columns: number, depth: number])[]): {
  readonly work: BlockProducts;
  readonly lengths: readonly [number, number, number];
} {
  const lengths: [number, number, number] = [0, 0, 0];
  const take = (operand: number, rows: number, columns: number, transposed = false): Block => {
    const offset = lengths[operand];
    lengths[operand] += rows * columns;
    return { offset, ld: transposed ? columns : rows, transposed };
  };
  const targets = shapes.map(([rows, columns, depth]): ProductTarget => ({
    c: take(2, rows, columns),
    rows,
    columns,
    terms: [{ a: take(0, rows, depth), b: take(1, depth, columns, true), depth }],
  }));
  return { work: { kind: 'products', alpha: 1, beta: 0, targets }, lengths };
}

describe.each(CARDS)('tiles on %s in %s', (name, precision) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;

  const check = async (sizes: readonly number[], shapes: Parameters<typeof productsOf>[0]): Promise<void> => {
    const { work, lengths } = productsOf(shapes);
    expect(productTiles(work).map(({ size }) => size)).toEqual(sizes);
    const numbers = lengths.map((length, k) => {
      const values = floats(length, precision);
      if (k < 2) values.set(randomMatrix(length, 1, k).data);
      return values;
    });
    const buffers = await Promise.all(numbers.map(async (values) => device.upload(values)));
    const planned = await device.plan(work);
    expect(planned.cost().launches).toBe(sizes.length);
    device.launch(planned, { a: buffers[0], b: buffers[1], c: buffers[2] });
    const got = floats(lengths[2], precision);
    await device.read(buffers[2], got);
    let worst = 0;
    for (const { c, rows, columns, terms } of work.targets) {
      const [{ a, b, depth }] = terms;
      for (let i = 0; i < rows; i += 7)
        for (let j = i % 5; j < columns; j += 5) {
          let sum = 0;
          for (let k = 0; k < depth; k++)
            sum += numbers[0][a.offset + i + k * rows] * numbers[1][b.offset + j + k * columns];
          worst = Math.max(worst, Math.abs(got[c.offset + i + j * rows] - sum));
        }
    }
    expect(worst).toBeLessThan(precision === 'f64' ? 1e-13 : 1e-4);
    for (const one of [planned, ...buffers]) one.destroy();
  };

  // Those of 16 and 64 are what all else is computed by.
  it('of_32_rows_and_columns', async () => {
    await check([32], [[500, 400, 2]]);
  });

  // Where each shape has its own, the launches are two.
  it.skipIf(name !== 'cuda')('of_two_sizes', async () => {
    const narrow = Array.from({ length: 512 }, () => [64, 16, 64] as const);
    await check([64, 16], [[1024, 512, 64], ...narrow]);
  });

  // What is launched for it is the same on all cards.
  it.skipIf(name !== 'cuda')('of_a_triangle_that_is_brought_512_columns_at_once', async () => {
    const [order, ld] = [577, 579];
    const values = floats(ld * order, precision);
    for (let j = 0; j < order; j++)
      for (let i = j; i < order; i++) values[i + j * ld] = (i === j ? 9 : 0) + Math.cos(i * j) / (1 + i - j);
    const work = { kind: 'cholesky', triangles: [{ offset: 0, ld, order, status: 0 }] } as const;
    const { values: l, status } = await runWork(device, work, { values, status: floats(1, precision) });
    expect(status[0]).toBe(0);
    let worst = 0;
    for (let j = 0; j < order; j += 3)
      for (let i = j; i < order; i += 7) {
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += l[i + k * ld] * l[j + k * ld];
        worst = Math.max(worst, Math.abs(sum - values[i + j * ld]));
      }
    expect(worst).toBeLessThan(precision === 'f64' ? 1e-13 : 1e-4);
  });
});
