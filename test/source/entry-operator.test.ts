/** Products from entries: those of the dense matrix, kept or evaluated each time, with the same bits on every team. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError } from '#hmatrix/core/errors.js';
import { block, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { denseOf, gaussianSource, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

// More than one panel of rows and of columns, neither even.
const SIZE = 1203;
let teams: Team[];
let dense: Matrix;

beforeAll(async () => {
  teams = await Promise.all([1, 2, 3].map((workers) => sharedTeam(workers)));
  dense = denseOf(gaussianSource(SIZE, 3, 1, teams[0].blas));
});

describe.each([
  ['kept', undefined],
  ['evaluated each time', 0],
] as [string, number | undefined][])('the matrix %s', (_, keepBytes) => {
  const open = (team: Team) =>
    entryOperator(gaussianSource(SIZE, 3, 1, team.blas), keepBytes === undefined ? {} : { keepBytes }, { team });

  it('multiplies_as_the_dense_one_does', async () => {
    const [, team] = teams;
    const operator = await open(team);
    expect({ rows: operator.rows, symmetric: operator.symmetric, kept: operator.kept, bytes: operator.bytes }).toEqual({
      rows: SIZE,
      symmetric: true,
      kept: keepBytes === undefined,
      bytes: keepBytes === undefined ? 8 * SIZE ** 2 : 0,
    });
    const x = randomMatrix(SIZE, 5, 1);
    const expected = randomMatrix(SIZE, 5, 2);
    const shared = randomMatrix(SIZE, 5, 2);
    const private_ = randomMatrix(SIZE + 7, 5, 3);
    const part = block(private_, 3, 0, SIZE, 5);
    team.blas.gemm('N', 'N', 2, dense, x, -0.5, expected);
    operator.applyUnchecked(shared, x, 2, -0.5);
    expect(relativeError(shared, expected)).toBeLessThan(SIZE * Number.EPSILON);
    team.blas.gemm('N', 'N', 1, dense, x, 0, expected);
    // NaN where β = 0 says that out is not read.
    private_.data.fill(Number.NaN);
    operator.applyUnchecked(part, x, 1, 0);
    expect(relativeError(part, expected)).toBeLessThan(SIZE * Number.EPSILON);
    operator.release();
    expect(() => {
      operator.applyUnchecked(shared, x, 1, 0);
    }).toThrow(OptionError);
  });

  it('has_the_same_bits_on_every_team', async () => {
    const products: Matrix[] = [];
    for (const team of teams) {
      const operator = await open(team);
      const y = zeros(SIZE, 3);
      operator.applyUnchecked(y, randomMatrix(SIZE, 3, 1), 1, 0);
      products.push(y);
    }
    for (const { data } of products) expect(data).toEqual(products[0].data);
  });
});

it('a_source_without_a_descriptor_is_evaluated_by_the_calling_thread', async () => {
  const stored = denseSource(dense);
  const source = { size: SIZE, entries: stored.entries.bind(stored), diagonal: stored.diagonal.bind(stored) };
  const operator = await entryOperator(source, { keepBytes: 0 }, { team: teams[1] });
  const x = randomMatrix(SIZE, 1, 1);
  const [y, expected] = [zeros(SIZE, 1), zeros(SIZE, 1)];
  operator.applyUnchecked(y, x, 1, 0);
  teams[1].blas.gemv('N', 1, dense, x, 0, expected);
  expect(relativeError(y, expected)).toBeLessThan(SIZE * Number.EPSILON);
});

it('abort_and_bad_options_are_seen', async () => {
  const [team] = teams;
  const source = gaussianSource(200, 2, 1, team.blas);
  await expect(entryOperator(source, {}, { team, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  await expect(entryOperator(source, { keepBytes: -1 }, { team })).rejects.toThrow(OptionError);
});
