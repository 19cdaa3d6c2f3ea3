/** Block rows and the tiles they are cut into: each row once, at the least cost of those there are; what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { checkBlockRows, flopsOfVector, type BlockRows } from '#hmatrix/device/block-rows.js';
import { arrangements, cutIntoTiles, tilesCost } from '#hmatrix/device/tiles.js';
import type { BlockProducts, ProductTerm } from '#hmatrix/device/work/products.js';
import { productArrangements, productCost, productTiles } from '#hmatrix/device/work/tiles.js';
import { demandOfWork } from '#hmatrix/device/work/work.js';
import { exampleOf } from './block-rows.js';

const shape = fc.record({
  count: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 300 })),
  starts: fc.boolean(),
  terms: fc.array(fc.tuple(fc.integer({ min: 0, max: 80 }), fc.boolean()), { maxLength: 3 }),
});

describe('tiles', () => {
  it('hold_each_row_of_each_target_once_and_cost_the_least_of_all_arrangements', () => {
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 12 }), (shapes) => {
        const { rows } = exampleOf(shapes, false, 1);
        for (const groups of arrangements(rows)) {
          const held = [...rows.count].map((count) => new Int32Array(count));
          for (const { height, tiles } of groups) {
            for (let i = 0; i < tiles.length; i += 2) {
              const rowsOfTarget = held[tiles[i]];
              const end = Math.min(rowsOfTarget.length, tiles[i + 1] + height);
              expect(end).toBeGreaterThan(tiles[i + 1]);
              for (let r = tiles[i + 1]; r < end; r++) rowsOfTarget[r]++;
            }
          }
          expect(held.every((counts) => counts.every((count) => count === 1))).toBe(true);
          expect(2 * groups.reduce((sum, { padded }) => sum + padded, 0)).toBeGreaterThanOrEqual(flopsOfVector(rows));
        }
        const cost = tilesCost(cutIntoTiles(rows));
        expect(cost).toBe(Math.min(...arrangements(rows).map(tilesCost)));
      }),
      { numRuns: 100 },
    );
  });

  it('are_padded_where_a_launch_would_cost_more', () => {
    const count = (targets: number): BlockRows =>
      exampleOf(
        Array.from({ length: targets }, () => ({ count: 80, terms: [[64, false] as const] })),
        false,
        1,
      ).rows;
    // 64 + 16 rows: one target is padded to 96 or 128, a thousand are worth a second launch.
    expect(cutIntoTiles(count(1))).toHaveLength(1);
    const many = cutIntoTiles(count(1000));
    expect(many.map(({ height }) => height).sort((a, b) => a - b)).toEqual([16, 64]);
    expect(2 * many.reduce((sum, { padded }) => sum + padded, 0)).toBe(flopsOfVector(count(1000)));
  });
});

/** The targets, one behind the other. */
const apart = (targets: BlockProducts['targets']): BlockProducts['targets'] =>
  targets.map((target, i) => ({ ...target, c: { offset: 90_000 * i, ld: 300 }, terms: smaller(target.terms) }));
/** Terms whose blocks have the leading dimension that their rows ask for. */
const smaller = (terms: readonly ProductTerm[]): ProductTerm[] =>
  terms.map(({ depth }) => ({ a: { offset: 0, ld: 300 }, b: { offset: 0, ld: depth }, depth }));

describe('tiles of block products', () => {
  const target = fc.record({
    rows: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 130 })),
    columns: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 130 })),
    lower: fc.boolean(),
    depth: fc.integer({ min: 1, max: 5000 }),
  });

  it('hold_each_number_once_and_cost_the_least_of_all_arrangements', () => {
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 6 }), (shapes) => {
        const block = { offset: 0, ld: 300 };
        const targets = shapes.map(({ rows, columns, lower, depth }) => {
          return { c: { ...block }, rows, columns, lower, terms: [{ a: block, b: block, depth }] };
        });
        const work: BlockProducts = { kind: 'products', alpha: 1, beta: 0, targets };
        for (const groups of productArrangements(work)) {
          const held = new Map(targets.map((one) => [one, new Uint8Array(one.rows * one.columns)]));
          for (const { size, work: own, tiles } of groups)
            for (let t = 0; t < tiles.length; t += 3) {
              const one = own.targets[tiles[t]] as (typeof targets)[number];
              for (let i = tiles[t + 1]; i < Math.min(one.rows, tiles[t + 1] + size); i++)
                for (let j = tiles[t + 2]; j < Math.min(one.columns, tiles[t + 2] + size); j++)
                  held.get(one)![i * one.columns + j]++;
            }
          for (const [{ columns, lower }, counts] of held) {
            const wanted = (at: number): boolean => !lower || at % columns <= Math.floor(at / columns);
            expect(counts.findIndex((count, at) => (wanted(at) ? count !== 1 : count > 1))).toBe(-1);
          }
          const padded = groups.reduce((sum, one) => sum + one.padded, 0);
          expect(padded).toBeGreaterThanOrEqual(demandOfWork({ ...work, targets: apart(targets) }).flops(1));
        }
        const costs = productArrangements(work).map(productCost);
        expect(productCost(productTiles(work))).toBe(Math.min(...costs));
      }),
      { numRuns: 25 },
    );
  });
});

describe('block rows', () => {
  const good = exampleOf(
    [
      {
        count: 2,
        starts: true,
        terms: [
          [3, false],
          [2, true],
        ],
      },
      { count: 4, terms: [] },
    ],
    false,
    1,
  ).rows;
  const int = (...numbers: number[]): Int32Array => Int32Array.from(numbers);
  const wrong: readonly (readonly [string, Partial<BlockRows>, RegExp])[] = [
    ['a list too short', { count: int(2) }, /lists of other lengths/],
    ['terms of no target', { termBegin: int(0, 2, 1) }, /another number/],
    ['a row below 0', { first: int(-1, 40) }, /a target at row -1/],
    ['a target without rows', { count: int(0, 4) }, /whose rows are 0/],
    ['a leading dimension too small', { ld: int(1, 2) }, /leading dimension is 1 at number 0: at least 2/],
    ['a block before the first number', { offset: Float64Array.of(-1, 0) }, /a block that begins at -1/],
    ['half a place', { offset: Float64Array.of(0.5, 0) }, /a block that begins at 0.5/],
    ['starts that end too soon', { starts: int(0) }, /have 1 starts, and target 0 has them to 2/],
    ['a row written twice', { first: int(good.first[0], good.first[0] + 1) }, /write twice to row/],
    ['a row read and written', { source: int(good.first[0] - 2, 0) }, /read and write row/],
    ['a row started from and written', { starts: int(good.first[0], 0) }, /start from and write row/],
  ];

  it('reach_as_far_as_their_blocks_and_rows', () => {
    const { rows, values, height } = exampleOf([{ count: 2, terms: [[3, false]] }], false, 1);
    const reach = checkBlockRows(rows);
    expect(reach.rows).toBe(height - 1);
    expect(reach.values).toBeLessThanOrEqual(values);
    expect(reach.values).toBe(rows.offset[0] + 2 * rows.ld[0] + 2);
  });

  it.each(wrong)('are refused with %s', (_what, change, message) => {
    checkBlockRows(good);
    expect(() => checkBlockRows({ ...good, ...change })).toThrow(ShapeError);
    expect(() => checkBlockRows({ ...good, ...change })).toThrow(message);
  });
});
