/**
 * Matrices of which most entries are zero, or most columns dependent, in any order, against the dense matrix: right
 * where the ranks suffice, and never silently wrong.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { relativeError } from '../support.js';

type Entry = (i: number, j: number) => number;

/** n × n from its entries with i ≥ j. */
function symmetric(n: number, entry: Entry): Matrix {
  const a = zeros(n, n);
  for (let j = 0; j < n; j++) for (let i = j; i < n; i++) a.data[i + j * n] = a.data[j + i * n] = entry(i, j);
  return a;
}

function shuffled(a: Matrix, seed: number): Matrix {
  const n = a.rows;
  const order = Int32Array.from({ length: n }, (_, i) => i);
  new RandomStream(seed).shuffle(order);
  return symmetric(n, (i, j) => a.data[order[i] + order[j] * n]);
}

/** Diagonally dominant, with two entries a row off the diagonal. */
function sparse(n: number): Matrix {
  const random = new RandomStream(5);
  const a = symmetric(n, (i, j) => (i === j ? 1 : 0));
  for (let q = 0; q < 2 * n; q++) {
    const i = random.integer(n);
    const j = random.integer(n);
    if (i !== j) a.data[i + j * n] = a.data[j + i * n] = 0.1 * (random.uniform() - 0.5);
  }
  return a;
}

const side = (n: number): number => Math.sqrt(n);
const KINDS: Readonly<Record<string, (n: number) => Matrix>> = {
  sparse,
  tridiagonal: (n) => symmetric(n, (i, j) => (i === j ? 1 : i === j + 1 ? 0.4 : 0)),
  banded: (n) => symmetric(n, (i, j) => (i === j ? 1 : i - j <= 5 ? 0.09 * (1 - (i - j) / 8) : 0)),
  '5-point': (n) =>
    symmetric(n, (i, j) => (i === j ? 4 : i - j === side(n) || (i - j === 1 && i % side(n) !== 0) ? -1 : 0)),
  'block-diagonal': (n) =>
    symmetric(n, (i, j) => (Math.floor(i / 24) === Math.floor(j / 24) ? Math.exp((j - i) / 10) : 0)),
  zero: (n) => zeros(n, n),
  identity: (n) => symmetric(n, (i, j) => (i === j ? 1 : 0)),
  'rank one': (n) => symmetric(n, (i, j) => Math.cos(i) * Math.cos(j)),
  'duplicated rows': (n) => symmetric(n, (i, j) => Math.exp(-(((i >> 1) - (j >> 1)) ** 2) / n)),
};
const FORMATS: readonly CompressOptions[] = [{ format: 'hss' }, { format: 'hodlr' }, { format: 'fmm' }];
const TOLERANCE = 1e-4;
/** Blocks are rounded to 2⁻²⁴ of themselves, products to some more. */
const STORAGE: Readonly<Record<Precision, number>> = { f64: 1e-12, f32: 8 * 2 ** -24 };
const name = ({ format, preserve }: CompressOptions): string => `${format}${preserve === undefined ? '' : ' preserve'}`;

/** `relativeError`, where the zero matrix must come out as zeros. */
function errorOf(a: Matrix, exact: Matrix): number {
  const error = relativeError(a, exact);
  return exact.data.some((value) => value !== 0)
    ? error
    : a.data.some((value) => value !== 0)
      ? Number.POSITIVE_INFINITY
      : 0;
}

describe.each(['openblas', 'portable'] as const)('structured matrices on %s', (blas) => {
  let team: Team | undefined;
  beforeAll(async () => {
    team = await Team.open({ workers: 1, blas }).catch((error: unknown) => {
      if (blas === 'portable') throw error;
      return undefined;
    });
  });
  afterAll(async () => {
    await team?.close();
  });

  it.each(Object.keys(KINDS))('are_right_in_every_format_and_precision_where_the_ranks_suffice: %s', async (kind) => {
    if (team === undefined) return;
    const natural = KINDS[kind](256);
    for (const matrix of [natural, shuffled(natural, 3)]) {
      const source = denseSource(matrix);
      for (const format of FORMATS) {
        for (const dtype of ['f64', 'f32'] as const) {
          // No rank is cut off: a block of siblings has 128 rows at most.
          const made = await compress(
            source,
            { ...format, dtype, leafSize: 16, maxRank: 128, tolerance: TOLERANCE },
            { team },
          );
          expect(made.report.met, name(format)).toBe(true);
          expect(errorOf(made.toDense(), matrix), `${name(format)} ${dtype}`).toBeLessThanOrEqual(
            2 * TOLERANCE + STORAGE[dtype],
          );
          made.release();
        }
      }
    }
  });

  it.each(Object.keys(KINDS))('say_so_where_the_tolerance_is_missed: %s', async (kind) => {
    if (team === undefined) return;
    const matrix = shuffled(KINDS[kind](256), 4);
    for (const format of [...FORMATS, { format: 'hss', preserve: 'positive-definite' } as const]) {
      const made = await compress(
        denseSource(matrix),
        { ...format, leafSize: 16, maxRank: 12, tolerance: TOLERANCE },
        { team },
      );
      const error = errorOf(made.toDense(), matrix);
      const { met, seen, limits } = made.report;
      // N ≤ 1024: every column was compared.
      expect(met, name(format)).toBe(error <= TOLERANCE && seen <= TOLERANCE);
      expect(seen).toBeGreaterThanOrEqual(error * (1 - 1e-9) - 1e-14);
      expect(limits.length > 0).toBe(!met);
      made.release();
    }
  });

  it.each(['tridiagonal', '5-point', 'banded'])(
    'of_1024_indices_in_random_order_are_right_or_missed_but_never_NaN: %s',
    async (kind) => {
      if (team === undefined) return;
      const matrix = shuffled(KINDS[kind](1024), 3);
      const source = denseSource(matrix);
      const limited = { format: 'hodlr', leafSize: 32, maxRank: 32, tolerance: TOLERANCE } as const;
      const low = await compress(source, limited, { team });
      expect(errorOf(low.toDense(), matrix)).toBeLessThan(1);
      expect(low.report.met).toBe(false);
      expect(low.report.limits).toContainEqual(expect.objectContaining({ limit: 'maxRank', level: 1, rank: 32 }));
      low.release();
      const high = await compress(
        source,
        { format: 'hodlr', leafSize: 32, maxRank: 512, tolerance: TOLERANCE },
        { team },
      );
      const error = errorOf(high.toDense(), matrix);
      expect(high.report.met).toBe(error <= TOLERANCE);
      // Ranks are free: what is missed there, a few pairs of a band that no sampled row shows, was seen.
      expect(error).toBeLessThan(0.02);
      expect(high.report.limits.filter(({ limit }) => limit === 'maxRank')).toEqual([]);
      high.release();
    },
    30_000,
  );
});
