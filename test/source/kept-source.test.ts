/** Entries of a matrix that an operator keeps: read where it lies, symmetric to the bit, with what the source knows. */
import { beforeAll, describe, expect, it } from 'vitest';
import { subjectOf } from '#hmatrix/approximation/subject.js';
import { AsymmetryError, NonFiniteError } from '#hmatrix/core/errors.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { DenseSource, denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { keptSource } from '#hmatrix/source/kept-source.js';
import { denseOf, gaussianSource, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

/** Counts the entries that are evaluated. */
function counting(of: EntrySource): EntrySource & { evaluated: number } {
  return {
    size: of.size,
    points: of.points,
    lowerBound: 0.25,
    precision: 'f32',
    evaluated: 0,
    entries(rows, cols, out) {
      this.evaluated += rows.length * cols.length;
      of.entries(rows, cols, out);
    },
    diagonal: (out) => {
      of.diagonal(out);
    },
  };
}

describe.each([1, 2, 31, 127, 129, 300, 513])('of %s rows', (size) => {
  it('is_symmetric_to_the_bit_and_was_evaluated_for_one_triangle', async () => {
    const source = counting(gaussianSource(size, 2, 1, team.blas));
    const operator = await entryOperator(source, {}, { team });
    const panels = Math.ceil(size / 128);
    const below = Array.from({ length: panels }, (_, p) => (size - 128 * p) * Math.min(128, size - 128 * p));
    const sample = 2 * Math.min(48, size) ** 2;
    expect(source.evaluated).toBe(sample + below.reduce((sum, count) => sum + count, 0));
    const dense = operator.dense!;
    let different = 0;
    for (let j = 0; j < size; j++)
      for (let i = 0; i < j; i++) different += Number(dense.data[i + j * size] !== dense.data[j + i * size]);
    expect(different).toBe(0);
    expect(relativeError(dense, denseOf(gaussianSource(size, 2, 1, team.blas)))).toBeLessThan(1e-14);

    const { evaluated } = source;
    const kept = keptSource(source, operator);
    expect(denseOf(kept).data).toEqual(Float64Array.from(dense.data));
    const diagonal = new Float64Array(size);
    kept.diagonal(diagonal);
    expect(diagonal).toEqual(Float64Array.from({ length: size }, (_, i) => dense.data[i * (size + 1)]));
    expect(source.evaluated).toBe(evaluated);
    expect({ points: kept.points, lowerBound: kept.lowerBound, precision: kept.precision }).toEqual({
      points: source.points,
      lowerBound: 0.25,
      precision: 'f32',
    });
    operator.release();
  });
});

it('a_subject_reads_what_its_operator_keeps', async () => {
  const source = gaussianSource(200, 2, 1, team.blas);
  const kept = await entryOperator(source, {}, { team });
  expect(subjectOf(kept, { source }, { team }).source).toBeInstanceOf(DenseSource);
  const evaluated = await entryOperator(source, { keepBytes: 0 }, { team });
  expect(subjectOf(evaluated, { source }, { team }).source).toBe(source);
});

it('a_stored_matrix_is_multiplied_where_it_lies', async () => {
  const size = 40;
  const data = sharedFloat64(size * size);
  data.set(denseOf(gaussianSource(size, 2, 1, team.blas)).data);
  for (let j = 0; j < size; j++) for (let i = 0; i < j; i++) data[i + j * size] = data[j + i * size];
  const source = denseSource(view(data, 0, size, size));
  const operator = await entryOperator(source, { keepBytes: 8 }, { team });
  expect(operator.kept).toBe(true);
  expect(operator.dense!.data.buffer).toBe(data.buffer);
  // A view with gaps between its columns is copied; not where nothing may be kept.
  const part = denseSource(view(data, 0, size - 1, size - 1, size));
  const copied = await entryOperator(part, {}, { team });
  expect(copied.dense!.data.buffer).not.toBe(data.buffer);
  const [x, y, expected] = [zeros(size - 1, 1), zeros(size - 1, 1), zeros(size - 1, 1)];
  x.data.fill(1);
  copied.applyUnchecked(y, x, 1, 0);
  team.blas.gemv('N', 1, view(data, 0, size - 1, size - 1, size), x, 0, expected);
  expect(relativeError(y, expected)).toBeLessThan(1e-14);
  expect((await entryOperator(part, { keepBytes: 8 }, { team })).kept).toBe(false);
});

describe('a matrix of which one triangle is evaluated', () => {
  const ofEntries = (entry: (i: number, j: number) => number): EntrySource => ({
    size: 60,
    entries: (rows, cols, out) => {
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++) out.data[out.offset + a + b * out.ld] = entry(rows[a], cols[b]);
    },
    diagonal: (out) => {
      for (let i = 0; i < 60; i++) out[i] = entry(i, i);
    },
  });

  it('must_be_symmetric', async () => {
    const skew = ofEntries((i, j) => (i === j ? 1 : i < j ? 0.1 : 0.2));
    await expect(entryOperator(skew, {}, { team })).rejects.toThrow(AsymmetryError);
    await expect(
      entryOperator(
        ofEntries((i, j) => (i === j ? 1 : NaN)),
        {},
        { team },
      ),
    ).rejects.toThrow(NonFiniteError);
    await expect(
      entryOperator(
        ofEntries((i, j) => (i !== j ? 0.001 : i === 0 ? NaN : 2)),
        {},
        { team },
      ),
    ).rejects.toThrow(NonFiniteError);
    // Entries that are rounding of the others, with a diagonal that is zero, need not be the same.
    const saddle = ofEntries((i, j) => (i === j ? 0 : (i + j) % 2 === 1 ? Math.cos(i * j) : i < j ? 1e-17 : -1e-17));
    expect((await entryOperator(saddle, {}, { team })).kept).toBe(true);
    const upsideDown = ofEntries((i, j) => (i === j ? 0 : 5));
    expect((await entryOperator(upsideDown, {}, { team })).kept).toBe(true);
  });
});
