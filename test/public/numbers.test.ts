/**
 * Numbers of plain arrays (what JSON.parse gives) mean what those of typed arrays mean, and what is no number is
 * refused by name. The tables cover the index.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { failureOf, fractions, network, publicFunctions, SIZE } from './fixtures.js';
import { IN_PLACE, TAKE_NONE } from './no-numbers.js';
import { f, openFixtures, points, stored, TAKE_NUMBERS, vector } from './number-places.js';

beforeAll(openFixtures);
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

const cases = Object.entries(TAKE_NUMBERS).flatMap(([name, places]) =>
  places.map((place, i) => [`${name} ${i + 1}`, place] as const),
);

describe('numbers', () => {
  it('every_function_of_the_index_is_in_one_of_the_tables', () => {
    expect([...Object.keys(TAKE_NUMBERS), ...TAKE_NONE, ...IN_PLACE].sort()).toEqual(publicFunctions());
  });

  it.each(cases)('of a plain array give the bits of a typed one: %s', async (_name, { numbers, result }) => {
    const typed = Array.from(await result(numbers()));
    expect(typed.length).toBeGreaterThan(0);
    expect(Array.from(await result(Array.from(numbers())))).toEqual(typed);
  });

  it.each(cases)('that are none are refused by name: %s', async (_name, { name, numbers, result }) => {
    const good = Array.from(numbers());
    const at = good.length - 1;
    const wrong: readonly (readonly [string, unknown])[] = [
      ['text', good.map((value, i) => (i === at ? String(value) : value))],
      ['nested', good.map((value, i) => (i === at ? [value] : value))],
      ['a hole', good.map((value, i) => (i === at ? undefined : value))],
      ['null', good.map((value, i) => (i === at ? null : value))],
      ['a bigint', BigInt64Array.from(good.map(() => 1n))],
      ['whole text', '1 2 3'],
      ['a number', 7],
      ['nothing', null],
      ...(numbers() instanceof Int32Array
        ? [['a fraction', good.map((value, i) => (i === at ? value + 0.5 : value))] as const]
        : []),
    ];
    for (const [what, given] of wrong) {
      const failure = await failureOf(() => result(given as never));
      expect(failure, what).toBeInstanceOf(hmatrix.errors.HmatrixError);
      if (Array.isArray(given)) expect((failure as Error).message, what).toMatch(name);
    }
  });

  it('indices_of_a_source_may_be_plain_and_must_be_whole', () => {
    for (const source of [
      f.source,
      hmatrix.denseSource(stored()),
      hmatrix.curvature.gaussNewtonSource(f.model),
      hmatrix.curvature.sampledGaussNewtonSource(f.model),
      hmatrix.kernelSource({ dimension: 20, count: 2, coordinates: fractions(40, 9) }, hmatrix.kernels.gaussian(1)),
    ]) {
      const [out, again] = [hmatrix.dense.zeros(2, 1), hmatrix.dense.zeros(2, 1)];
      source.entries([0, 1] as never, [1] as never, out);
      source.entries(Int32Array.of(0, 1), Int32Array.of(1), again);
      expect(out.data).toEqual(again.data);
      expect(() => source.entries([0, 0.5] as never, [1] as never, out)).toThrow(/rows\[1\] must be a whole number/);
      expect(() => source.entries(Int32Array.of(0, 1), ['1'] as never, out)).toThrow(
        /cols\[0\] must be a number, not the text "1"/,
      );
    }
  });

  it('a_view_of_parameters_and_an_array_to_write_to_are_typed', () => {
    expect(() => hmatrix.networks.layerWeights(network.layers[0], [1, 2] as never)).toThrow(hmatrix.errors.ShapeError);
    const target = {
      data: new Array<number>(SIZE).fill(0),
      offset: 0,
      rows: SIZE,
      cols: 1,
      ld: SIZE,
    } as unknown as hmatrix.Matrix;
    expect(() => hmatrix.operators.apply(f.operator, vector(), target)).toThrow(
      /out must be a matrix over a Float64Array or Float32Array.*not one over an array of 40/,
    );
    expect(() => f.matrix.apply(vector(), new Float64Array(SIZE) as never)).toThrow(
      /out must be a matrix over.*not a Float64Array of 40 numbers/,
    );
    expect(() => hmatrix.krylov.conjugateGradients(f.operator, vector(), target)).toThrow(/x must be a matrix over/);
  });

  it('a_source_of_the_callers_with_plain_coordinates_is_refused', async () => {
    const { size } = f.source;
    const mine: hmatrix.EntrySource = {
      size,
      entries: (rows, cols, out) => {
        f.source.entries(rows, cols, out);
      },
      diagonal: (out) => {
        f.source.diagonal(out);
      },
      points: points(Array.from(f.points.coordinates)) as hmatrix.Points,
    };
    expect(((await failureOf(() => hmatrix.compress(mine))) as Error).message).toMatch(
      /source\.points\.coordinates must be a Float64Array, not an array of 80/,
    );
  });

  it('are_not_cut_in_what_workers_share', async () => {
    const { toShared } = await import('#hmatrix/core/shared-array.js');
    expect(() => toShared([0.5] as never)).toThrow(hmatrix.errors.ShapeError);
  });
});
