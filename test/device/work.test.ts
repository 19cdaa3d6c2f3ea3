/** Products of blocks, gathers, triangles, substitutions, combinations and inner products, on every device. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, MemoryError, ShapeError } from '#hmatrix/core/errors.js';
import { floats, ROUNDOFF, type FloatArray } from '#hmatrix/core/floats.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { placesOfBlock, steps, type Gathers } from '#hmatrix/device/work/gathers.js';
import type { BlockProducts, ProductTarget } from '#hmatrix/device/work/products.js';
import type { TrianglePlace } from '#hmatrix/device/work/triangles.js';
import { sharedTeam } from '../teams.js';
import { numbersOf } from './block-rows.js';
import { useStandIn } from './cuda-stand-in/stand-in.js';
import { DEVICES, whatIsMissing } from './devices.js';
import { at, Room, runWork } from './run-work.js';

useStandIn();

/** Shapes beside those of tiles and panels: rows, columns, depths of the terms. */
const SHAPES: readonly (readonly [number, number, readonly number[]])[] = [
  [1, 1, [1]],
  [7, 3, [5, 20]],
  [16, 16, [16]],
  [33, 65, [17, 64, 1]],
  [130, 70, [40]],
  [5, 300, [3]],
  [64, 2, []],
  [40, 40, [70]],
];

function exampleOf(alpha: number, beta: number): { readonly work: BlockProducts; readonly rooms: readonly Room[] } {
  const [a, b, c] = [new Room(1), new Room(2), new Room(3)];
  const targets = SHAPES.map(([rows, columns, depths], i): ProductTarget => ({
    c: c.block(rows, columns),
    rows,
    columns,
    lower: i % 3 === 2,
    terms: depths.map((depth) => ({ a: a.block(rows, depth), b: b.block(depth, columns), depth })),
  }));
  return { work: { kind: 'products', alpha, beta, targets }, rooms: [a, b, c] };
}

/** A matrix in the lower triangle at a place, Aᵢⱼ = δᵢⱼ·diagonal + 1/(1 + |i − j|): positive definite. */
function putDefinite(values: FloatArray, { offset, ld, order }: TrianglePlace, diagonal: number): void {
  for (let j = 0; j < order; j++)
    for (let i = j; i < order; i++) values[offset + i + j * ld] = (i === j ? diagonal : 0) + 1 / (1 + i - j);
}

const triangle = (order: number, offset: number, ld = order): TrianglePlace => ({ offset, ld, order });
/** Orders beside those of panels. */
const ORDERS = [1, 5, 31, 32, 33, 64, 100, 200];
function triangles(orders: readonly number[]): { readonly places: TrianglePlace[]; readonly length: number } {
  let length = 1;
  const places = orders.map((order) => {
    const place = triangle(order, length, order + (order % 3));
    length += place.ld * order + 1;
    return place;
  });
  return { places, length };
}

describe.each(DEVICES)('%s in %s', (name, precision) => {
  const missing = whatIsMissing(name);
  const skipped = missing !== undefined;
  const test = skipped ? it.skip : it;
  if (skipped) it.skip(missing, () => undefined);
  const ε = ROUNDOFF[precision];
  let device: Device;
  beforeAll(async () => {
    if (!skipped) device = await openDevice(name, {}, { team: await sharedTeam(2) });
  });
  afterAll(async () => {
    if (skipped) return;
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.close();
  });

  test.each([
    [1, 0],
    [-0.5, 1],
    [2, -3],
  ])('block_products_are_sums_to_rounding: α = %d, β = %d', async (alpha, beta) => {
    const { work, rooms } = exampleOf(alpha, beta);
    const [a, b, c] = rooms.map(({ length }, i) => numbersOf(length, precision, i + 1));
    // With β = 0 nothing is read: not a number stays nowhere.
    if (beta === 0) c.fill(NaN);
    const { c: got } = await runWork(device, work, { a, b, c });
    const written = new Uint8Array(c.length);
    for (const target of work.targets) {
      for (let i = 0; i < target.rows; i++) {
        for (let j = 0; j < target.columns; j++) {
          const place = at(target.c, i, j);
          written[place] = 1;
          if (target.lower === true && j > i) continue;
          let sum = beta === 0 ? 0 : beta * c[place];
          let size = Math.abs(sum);
          let count = 4;
          for (const term of target.terms) {
            count += term.depth + 1;
            for (let k = 0; k < term.depth; k++) {
              const part = alpha * a[at(term.a, i, k)] * b[at(term.b, k, j)];
              sum += part;
              size += Math.abs(part);
            }
          }
          expect(Math.abs(got[place] - sum)).toBeLessThanOrEqual(count * ε * size);
        }
      }
    }
    got.forEach((value, place) => {
      if (written[place] === 0) expect(value).toBe(c[place]);
    });
  });

  test('block_products_take_all_their_blocks_from_one_buffer_where_they_are_apart', async () => {
    const room = new Room(5);
    const [a, b, c] = [room.block(40, 20), room.block(20, 33), room.block(40, 33)];
    const target: ProductTarget = { c, rows: 40, columns: 33, terms: [{ a, b, depth: 20 }] };
    const work: BlockProducts = { kind: 'products', alpha: 1, beta: 0, targets: [target] };
    const numbers = numbersOf(room.length, precision, 4);
    const planned = await device.plan(work);
    const buffer = await device.upload(numbers);
    device.launch(planned, { a: buffer, b: buffer, c: buffer });
    const got = numbers.slice();
    await device.read(buffer, got);
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 33; j++) {
        let [sum, size] = [0, 0];
        for (let k = 0; k < 20; k++) {
          const part = numbers[at(a, i, k)] * numbers[at(b, k, j)];
          sum += part;
          size += Math.abs(part);
        }
        expect(Math.abs(got[at(c, i, j)] - sum)).toBeLessThanOrEqual(22 * ε * size);
      }
    }
    // What is written is read.
    const meets = await device.plan({ ...work, targets: [{ ...target, terms: [{ a: c, b, depth: 20 }] }] });
    const apart = await device.allocate(room.length, precision);
    expect(() => device.launch(meets, { a: buffer, b: apart, c: buffer })).toThrow(/c and a of the launch are one/);
    device.launch(meets, { a: apart, b: buffer, c: buffer });
    await device.finish();
    for (const one of [planned, meets, buffer, apart]) one.destroy();
  });

  test('gathers_move_and_add_numbers_exactly', async () => {
    const kind = precision === 'f64' ? Float64Array : Float32Array;
    const from = kind.from(Array.from({ length: 60 }, (_, i) => i + 1));
    const to = new kind(700).fill(-1);
    const work: Gathers = {
      kind: 'gathers',
      alpha: 2,
      keep: true,
      pieces: [
        // A submatrix by chosen rows and columns, transposed.
        {
          from: { offset: 1, rows: Int32Array.of(20, 0, 10), columns: Int32Array.of(3, 1) },
          to: placesOfBlock(5, 4, 3, 2),
        },
        // One number to a diagonal.
        {
          from: { offset: 7, rows: new Int32Array(4), columns: new Int32Array(1) },
          to: { offset: 20, rows: steps(4, 11), columns: new Int32Array(1) },
        },
        { from: placesOfBlock(0, 30, 30, 2), to: { offset: 100, rows: steps(30, 20), columns: steps(2, 1) } },
        { from: placesOfBlock(0, 1, 0, 0), to: placesOfBlock(0, 1, 0, 0) },
      ],
    };
    const expected = to.slice();
    for (const { from: source, to: target } of work.pieces)
      source.columns.forEach((column, j) => {
        source.rows.forEach((row, i) => {
          expected[target.offset + target.rows[i] + target.columns[j]] += 2 * from[source.offset + row + column];
        });
      });
    expect((await runWork(device, work, { from, to })).to).toEqual(expected);
    const replaced = await runWork(device, { ...work, keep: false, alpha: -1 }, { from, to });
    expect([replaced.to[20], replaced.to[53], replaced.to[5], replaced.to[0]]).toEqual([-8, -8, -25, -1]);
  });

  test('triangles_times_their_transposes_are_the_matrices_and_a_pivot_that_is_not_positive_is_told', async () => {
    const { places, length } = triangles(ORDERS);
    const values = floats(length, precision).fill(7);
    for (const place of places) putDefinite(values, place, 1);
    // The 41st pivot of order 100 is negative, that of order 5 is no number, that of order 1 is zero.
    const failing = new Map([
      [6, 41],
      [1, 3],
      [0, 1],
    ]);
    for (const [i, pivot] of failing) {
      const { offset, ld } = places[i];
      values[offset + (pivot - 1) * (ld + 1)] = [0, NaN, 0, 0, 0, 0, -1][i];
    }
    const status = floats(ORDERS.length + 2, precision).fill(-5);
    const got = await runWork(
      device,
      { kind: 'cholesky', triangles: places.map((place, i) => ({ ...place, status: i + 2 })) },
      { values, status },
    );
    expect([...got.status]).toEqual([-5, -5, ...ORDERS.map((_, i) => failing.get(i) ?? 0)]);
    places.forEach(({ offset, ld, order }, which) => {
      if (failing.has(which)) return;
      const l = got.values;
      for (let j = 0; j < order; j++) {
        for (let i = j; i < order; i++) {
          let [sum, size] = [0, 0];
          for (let k = 0; k <= j; k++) {
            const part = l[offset + i + k * ld] * l[offset + j + k * ld];
            sum += part;
            size += Math.abs(part);
          }
          expect(Math.abs(sum - values[offset + i + j * ld])).toBeLessThanOrEqual((order + 3) * ε * size);
        }
      }
    });
    expect(got.values[0]).toBe(7);
  });

  /** ‖op(L)·X − B‖ of each entry, against n·ε·|op(L)|·|X|. */
  function expectSolved(
    l: FloatArray,
    { offset, ld, order }: TrianglePlace,
    transposed: boolean,
    [x, b, place, columns]: readonly [FloatArray, FloatArray, (i: number, j: number) => number, number],
  ): void {
    for (let j = 0; j < columns; j++) {
      for (let i = 0; i < order; i++) {
        let sum = -b[place(i, j)];
        let size = Math.abs(sum);
        for (let k = transposed ? i : 0; k < (transposed ? order : i + 1); k++) {
          const part = (transposed ? l[offset + k + i * ld] : l[offset + i + k * ld]) * x[place(k, j)];
          sum += part;
          size += Math.abs(part);
        }
        expect(Math.abs(sum)).toBeLessThanOrEqual(2 * (order + 3) * ε * size);
      }
    }
  }

  test.each([false, true])('substitutions_solve_with_triangles: transposed %s', async (transposed) => {
    const { places, length } = triangles(ORDERS);
    const l = floats(length, precision);
    for (const place of places) putDefinite(l, place, 2);
    const room = new Room(9);
    const columns = [1, 300, 4, 33, 65, 2, 40, 7];
    const blocks = places.map(({ order }, i) => ({ block: room.block(order, columns[i]), columns: columns[i] }));
    const b = numbersOf(room.length, precision, 3);
    const systems = places.map((place, i) => ({ triangle: place, x: blocks[i] }));
    const { x } = await runWork(device, { kind: 'substitutions', transposed, systems }, { triangles: l, x: b });
    places.forEach((place, i) => {
      expectSolved(l, place, transposed, [x, b, (r, c) => at(blocks[i].block, r, c), columns[i]]);
    });
    // Rows of vectors: one after the other, with a row between.
    let first = 1;
    const firsts = places.map(({ order }) => (first += order + 1) - order - 1);
    const rows = places.map((place, i) => ({ triangle: place, x: { first: firsts[i] } }));
    for (const width of [1, 5, 70]) {
      const before = numbersOf(first * width, precision, width);
      const after = await runWork(
        device,
        { kind: 'substitutions', transposed, systems: rows },
        { triangles: l, x: before },
        width,
      );
      places.forEach((place, i) => {
        expectSolved(l, place, transposed, [after.x, before, (r, c) => (firsts[i] + r) * width + c, width]);
      });
      expect([...after.x.subarray(0, width)]).toEqual([...before.subarray(0, width)]);
    }
  });

  test('combinations_scale_each_column_by_scalars_of_the_device', async () => {
    const [width, count] = [3, 5000];
    const x = numbersOf((count + 2) * width, precision, 1);
    const y = numbersOf((count + 1) * width, precision, 2);
    const kind = precision === 'f64' ? Float64Array : Float32Array;
    // Rows: 3, 5, 7; 2, 0, −4; 1, 1, 2.
    const scalars = kind.of(3, 5, 7, 2, 0, -4, 1, 1, 2);
    const diagonal = numbersOf(count, precision, 3);
    const shape = { kind: 'combination', x: 2, y: 1, count } as const;
    const got = await runWork(
      device,
      {
        ...shape,
        alpha: { constant: -1, numerator: 0, denominator: 1 },
        beta: { constant: 1, numerator: 2 },
        diagonal: true,
      },
      { x, y, scalars, diagonal },
      width,
    );
    // Of the quotients 3/2, 5/0 and 7/−4 the first alone is one of positive numbers.
    const positive = { constant: 1, numerator: 0, denominator: 1, positive: true };
    const guarded = await runWork(
      device,
      { ...shape, alpha: positive, beta: { constant: 0 } },
      { x, y, scalars },
      width,
    );
    expect([1.5, 0, 0].map((factor, q) => guarded.y[width + q] === factor * x[2 * width + q])).toEqual(
      new Array(3).fill(true),
    );
    const plain = await runWork(
      device,
      { ...shape, alpha: { constant: 2 }, beta: { constant: 0 } },
      { x, y: y.map(() => NaN) },
      3,
    );
    const [alpha, beta] = [
      [-1.5, 0, 1.75],
      [1, 1, 2],
    ];
    for (let i = 0; i < count; i++) {
      for (let q = 0; q < width; q++) {
        const [from, to] = [(i + 2) * width + q, (i + 1) * width + q];
        const [one, two] = [alpha[q] * diagonal[i] * x[from], beta[q] * y[to]];
        expect(Math.abs(got.y[to] - one - two)).toBeLessThanOrEqual(4 * ε * (Math.abs(one) + Math.abs(two)));
        expect(plain.y[to]).toBe(2 * x[from]);
      }
    }
    expect(got.y.subarray(0, width)).toEqual(y.subarray(0, width));
  });

  test.each([1, 3, 70])('inner_products_are_sums_of_each_column: width %d', async (width) => {
    const counts = [0, 1, 1000, 5000];
    const x = numbersOf(5001 * width, precision, 1);
    const y = numbersOf(5002 * width, precision, 2);
    const products = counts.map((count, i) => ({ x: 1, y: 2, count, to: 3 - i }));
    const out = floats(4 * width, precision).fill(9);
    const got = await runWork(device, { kind: 'innerProducts', products }, { x, y, out }, width);
    for (const { count, to } of products) {
      for (let q = 0; q < width; q++) {
        let [sum, size] = [0, 0];
        for (let i = 0; i < count; i++) {
          const part = x[(1 + i) * width + q] * y[(2 + i) * width + q];
          sum += part;
          size += Math.abs(part);
        }
        // Partial sums are of 1024 rows at most, and then added.
        expect(Math.abs(got.out[to * width + q] - sum)).toBeLessThanOrEqual(1040 * ε * size);
      }
    }
    const again = await runWork(device, { kind: 'innerProducts', products }, { x, y, out }, width);
    expect(again.out).toEqual(got.out);
    const squares = await device.plan({ kind: 'innerProducts', products: [{ x: 0, y: 0, count: 5000, to: 0 }] });
    const [both, sum] = [await device.upload(x), await device.allocate(width, precision)];
    device.launch(squares, { x: both, y: both, out: sum }, width);
    const norms = floats(width, precision);
    await device.read(sum, norms);
    expect(norms.every((norm) => norm > 4000 && norm < 6000)).toBe(true);
    for (const one of [squares, both, sum]) one.destroy();
  });

  test('launches_are_counted_and_planned_work_is_memory_until_it_is_destroyed', async () => {
    const { work, rooms } = exampleOf(1, 0);
    const start = device.memory.bytes;
    const planned = await device.plan(work);
    expect(device.memory.bytes).toBe(start + planned.bytes);
    const [a, b, c] = await Promise.all(rooms.map(({ length }) => device.allocate(length, precision)));
    const before = device.counters;
    device.launch(planned, { a, b, c });
    const cost = planned.cost();
    const flops = work.targets.reduce((sum, { rows, columns, lower, terms }) => {
      let entries = 0;
      for (let j = 0; j < columns; j++) entries += lower === true ? Math.max(0, rows - j) : rows;
      return sum + 2 * entries * terms.reduce((all, { depth }) => all + depth, 0);
    }, 0);
    expect(cost.flops).toBe(flops);
    expect(cost.padded).toBeGreaterThanOrEqual(flops);
    expect(device.counters).toEqual({
      ...before,
      launches: before.launches + cost.launches,
      flops: before.flops + flops,
    });
    for (const one of [planned, a, b, c]) one.destroy();
    planned.destroy();
    expect(device.memory.bytes).toBe(start);
  });

  test('500_cycles_leave_nothing_behind', async () => {
    const start = device.memory;
    const values = await device.upload(floats(4, precision).fill(1));
    const status = await device.allocate(1, precision);
    for (let cycle = 0; cycle < 500; cycle++) {
      const planned = await device.plan({ kind: 'cholesky', triangles: [{ ...triangle(1, cycle % 4, 1), status: 0 }] });
      device.launch(planned, { values, status });
      planned.destroy();
    }
    await device.finish();
    for (const one of [values, status]) one.destroy();
    expect(device.memory).toEqual(start);
  });

  test('what_does_not_fit_is_refused_by_name', async () => {
    const target: ProductTarget = {
      c: { offset: 0, ld: 2 },
      rows: 2,
      columns: 2,
      terms: [{ a: { offset: 0, ld: 2 }, b: { offset: 0, ld: 2 }, depth: 2 }],
    };
    const products = (targets: readonly ProductTarget[]): Promise<unknown> =>
      device.plan({ kind: 'products', alpha: 1, beta: 0, targets });
    await expect(products([target, { ...target, c: { offset: 3, ld: 2 } }])).rejects.toThrow(/twice to place 3 of c/);
    await expect(products([{ ...target, rows: 3 }])).rejects.toThrow(/leading dimension is 2: .* at least 3/);
    await expect(products([{ ...target, columns: 0 }])).rejects.toThrow(ShapeError);
    await expect(products([{ ...target, c: { offset: -1, ld: 2 } }])).rejects.toThrow(/begins at -1/);
    const [block, other] = [placesOfBlock(0, 2, 2, 2), placesOfBlock(0, 2, 2, 1)];
    const gathers = { kind: 'gathers', alpha: 1, keep: false } as const;
    await expect(device.plan({ ...gathers, pieces: [{ from: block, to: other }] })).rejects.toThrow(/one shape/);
    const twice = { from: block, to: { ...block, columns: new Int32Array(2) } };
    await expect(device.plan({ ...gathers, pieces: [twice] })).rejects.toThrow(/writes twice to place 0 of to/);
    const mixed = [{ first: 0 }, { block: { offset: 9, ld: 2 }, columns: 1 }].map((x) => ({
      triangle: triangle(2, 0),
      x,
    }));
    await expect(device.plan({ kind: 'substitutions', transposed: false, systems: mixed as never })).rejects.toThrow(
      /beside rows of vectors/,
    );
    const planned = await device.plan({ kind: 'products', alpha: 1, beta: 0, targets: [target] });
    const [a, b, c, short] = await Promise.all([4, 4, 4, 3].map((length) => device.allocate(length, precision)));
    expect(() => device.launch(planned, { a, b, c: short })).toThrow(/reaches 4 numbers of c: the buffer holds 3/);
    expect(() => device.launch(planned, { a, b } as never)).toThrow(/lacks its operand c/);
    expect(() => device.launch(planned, { a, b, c }, 0)).toThrow(ShapeError);
    const second = await openDevice(name, { memoryLimit: 100 }, { team: await sharedTeam(2) });
    expect(() => second.launch(planned, { a, b, c })).toThrow(/not planned on this device/);
    const { work } = exampleOf(1, 0);
    await expect(second.plan(work)).rejects.toThrow(MemoryError);
    await second.close();
    planned.destroy();
    expect(() => device.launch(planned, { a, b, c })).toThrow(DeviceError);
    for (const one of [a, b, c, short]) one.destroy();
  });
});
