/**
 * Panels: QR to machine precision whatever the condition, products equal to plain ones, low-rank operators against
 * their dense matrices.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { NonFiniteError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { createPortableBlas } from '#hmatrix/dense/portable/portable-blas.js';
import { get, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { LowRankOperator } from '#hmatrix/lowrank/low-rank-operator.js';
import { orthonormalize } from '#hmatrix/lowrank/orthonormalize.js';
import { PanelAlgebra } from '#hmatrix/lowrank/panel-algebra.js';
import { sharedPanel } from '#hmatrix/lowrank/sketch.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import {
  combine,
  distance,
  duplicate,
  epsilonOf,
  expectAtMost,
  generate,
  guarded,
  identity,
  norm,
  product,
  randomOrthogonal,
  randomView,
  transpose,
} from '../dense/reference.js';
import { sharedTeam } from '../teams.js';
import { sameBits } from './bits.js';

const blas = openBlas();
const EPS = Number.EPSILON;
const random = new RandomStream(5);

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(3);
});

function filled(rows: number, cols: number, seed: number): Matrix {
  const a = sharedPanel(rows, cols);
  new RandomStream(seed).fillNormal(a.data);
  return a;
}

const copyOf = (a: Matrix): Matrix => {
  const copy = sharedPanel(a.rows, a.cols);
  copy.data.set(a.data);
  return copy;
};

describe('orthonormalizing a panel', () => {
  const [rows, k] = [600, 24];
  /** U diag(s) Vᵀ: random orthonormal U and V. */
  const withSingularValues = (s: (j: number) => number): Matrix => {
    const u = filled(rows, k, 1);
    orthonormalize(u, new PanelAlgebra(blas));
    return copyOf(
      product(
        generate(rows, k, (i, j) => get(u, i, j) * s(j)),
        randomOrthogonal(k, random),
      ),
    );
  };
  const panels: [string, () => Matrix, 'cholesky' | 'householder' | undefined][] = [
    ['random', () => filled(rows, k, 2), 'cholesky'],
    ['orthonormal already', () => withSingularValues(() => 1), 'cholesky'],
    ['of condition 1e7', () => withSingularValues((j) => 10 ** ((-7 * j) / (k - 1))), 'cholesky'],
    ['of condition 1e14', () => withSingularValues((j) => 10 ** ((-14 * j) / (k - 1))), 'cholesky'],
    ['of condition 1e30', () => withSingularValues((j) => 10 ** ((-30 * j) / (k - 1))), undefined],
    ['of rank 3', () => withSingularValues((j) => (j < 3 ? 1 : 0)), undefined],
    [
      'with columns of very different lengths',
      () => copyOf(generate(rows, k, (_, j) => random.normal() * 10 ** (5 * j - 60))),
      'cholesky',
    ],
    ['with a zero column', () => copyOf(generate(rows, k, (_, j) => (j === 4 ? 0 : random.normal()))), 'householder'],
    ['of zeros', () => sharedPanel(rows, k), 'householder'],
    [
      'of two equal columns',
      () => copyOf(generate(rows, k, (i, j) => Math.sin((i + 1) * (j === 7 ? 3 : j)) + 2)),
      undefined,
    ],
    ['of few nonzero rows', () => copyOf(generate(rows, k, (i) => (i < 5 ? random.normal() : 0))), 'householder'],
    ['that is square', () => filled(k, k, 9), 'cholesky'],
    ['of one column', () => filled(rows, 1, 9), 'cholesky'],
  ];

  it.each(panels)('%s_gives_QR_to_machine_precision', (_, make, method) => {
    const y = make();
    const original = copyOf(y);
    const r = zeros(y.cols, y.cols);
    const used = orthonormalize(y, new PanelAlgebra(blas), r);
    if (method !== undefined) expect(used).toBe(method);
    expectAtMost(
      distance(product(transpose(y), y), identity(y.cols)),
      20 * y.cols * Math.sqrt(rows) * EPS,
      'departure from orthonormality',
    );
    // Column by column: scaling a column must not spoil the others.
    const rebuilt = product(y, r);
    for (let j = 0; j < y.cols; j++) {
      const column = (a: Matrix): Matrix => view(a.data, j * a.rows, a.rows, 1);
      expectAtMost(
        distance(column(rebuilt), column(original)),
        20 * y.cols * Math.sqrt(rows) * EPS * norm(column(original)),
        `column ${j} of Y − QR`,
      );
      for (let i = j + 1; i < y.cols; i++) expect(Math.abs(get(r, i, j))).toBe(0);
    }
  });

  it('refuses_what_is_not_finite_by_its_column', () => {
    const y = filled(rows, k, 1);
    y.data[3 * rows + 5] = Number.NaN;
    expect(() => orthonormalize(y, new PanelAlgebra(blas))).toThrow(NonFiniteError);
    expect(() => orthonormalize(y, new PanelAlgebra(blas))).toThrow(/Column \d+ of the panel/);
  });

  it('works_in_single_precision_and_on_the_portable_backend', () => {
    const single = view(Float32Array.from(filled(rows, k, 4).data), 0, rows, k);
    orthonormalize(single, new PanelAlgebra(blas));
    expectAtMost(
      distance(product(transpose(single), single), identity(k)),
      20 * k * Math.sqrt(rows) * epsilonOf('f32'),
      'departure in float32',
    );
    const y = withSingularValues((j) => 10 ** ((-14 * j) / (k - 1)));
    orthonormalize(y, new PanelAlgebra(createPortableBlas()));
    expectAtMost(
      distance(product(transpose(y), y), identity(k)),
      20 * k * Math.sqrt(rows) * EPS,
      'departure on the portable backend',
    );
  });
});

describe('products of panels', () => {
  // Several tiles and several row blocks of each, none of them full.
  const [rows, k, p] = [5000, 150, 9];
  const a = filled(rows, k, 1);
  const b = filled(rows, p, 2);
  const small = filled(k, p, 3);

  it.each([
    [k, p],
    [k, 1],
    [7, p],
    [7, 1],
  ])('are_those_of_plain_loops_for_%i_and_%i_columns', (columns, vectors) => {
    const algebra = new PanelAlgebra(blas);
    const left = view(a.data, 0, rows, columns);
    const right = view(b.data, 0, rows, vectors);
    const c = randomView(columns, vectors, 'f64', random);
    algebra.cross(left, right, c.a);
    expectAtMost(distance(c.a, product(transpose(left), right)), rows * EPS * norm(left) * norm(right), 'AᵀB');
    c.expectGuardsIntact();
    const factor = view(small.data, 0, columns, vectors);
    const out = guarded(rows, vectors, 'f64', () => random.normal());
    const before = duplicate(out.a, 'f64').a;
    algebra.multiply(-2, left, factor, 0.5, out.a);
    expectAtMost(
      distance(out.a, combine(-2, product(left, factor), 0.5, before)),
      4 * columns * EPS * norm(left) * norm(factor) + EPS * norm(before),
      'αAB + βC',
    );
    out.expectGuardsIntact();
    const gram = randomView(columns, columns, 'f64', random);
    algebra.gram(left, gram.a);
    expectAtMost(distance(gram.a, product(transpose(left), left)), rows * EPS * norm(left) ** 2, 'AᵀA');
    expect(distance(gram.a, transpose(gram.a))).toBe(0);
    gram.expectGuardsIntact();
  });

  it('have_the_same_bits_on_a_team', () => {
    const results = [new PanelAlgebra(blas), new PanelAlgebra(blas, team)].map((algebra) => {
      const gram = sharedPanel(k, k);
      const cross = sharedPanel(k, p);
      const image = sharedPanel(rows, p);
      const normal = sharedPanel(rows, 40);
      const solved = copyOf(a);
      algebra.gram(a, gram);
      algebra.cross(a, b, cross);
      algebra.multiply(1, a, small, 0, image);
      algebra.fillNormal(normal, 3, 4, 5);
      orthonormalize(solved, algebra);
      return [gram, cross, image, normal, solved].map(({ data }) => data);
    });
    results[0].forEach((data, i) => {
      expect(sameBits(results[1][i], data)).toBe(true);
    });
  });

  it('draw_columns_that_do_not_depend_on_where_a_block_begins', () => {
    const algebra = new PanelAlgebra(blas);
    const all = sharedPanel(50, 6);
    const part = sharedPanel(50, 2);
    algebra.fillNormal(all, 1, 2, 0);
    algebra.fillNormal(part, 1, 2, 3);
    expect(part.data).toEqual(all.data.slice(150, 250));
    expect(new Set(all.data).size).toBe(300);
  });
});

describe('a low-rank operator', () => {
  const [size, rank] = [300, 8];
  const u = filled(size, rank, 6);
  const values = Float64Array.from({ length: rank }, (_, i) => (i % 2 === 0 ? 1 : -2) * (i + 1));
  const matrix = product(
    generate(size, rank, (i, j) => get(u, i, j) * values[j]),
    transpose(u),
  );
  const bound = 8 * size * EPS * norm(u) ** 2 * 16 * 4;

  it.each([[1], [5], [300]])('multiplies_%i_vectors_like_its_dense_matrix_with_a_team_or_without', (vectors) => {
    for (const operator of [new LowRankOperator(u, values, blas), new LowRankOperator(u, values, blas, team)]) {
      for (const [alpha, beta] of [
        [1, 0],
        [2, -0.5],
      ]) {
        const x = randomView(size, vectors, 'f64', random, vectors === 5);
        const out = guarded(size, vectors, 'f64', () => (beta === 0 ? Number.NaN : random.normal()));
        const before = duplicate(out.a, 'f64').a;
        operator.applyUnchecked(out.a, x.a, alpha, beta);
        expectAtMost(distance(out.a, combine(alpha, product(matrix, x.a), beta, before)), bound * norm(x.a), 'error');
        out.expectGuardsIntact();
      }
    }
  });

  it('has_the_same_bits_with_vectors_shared_or_not_and_with_a_team_or_without', () => {
    const [large, count] = [20_000, 40];
    const vectors = filled(large, count, 8);
    const s = Float64Array.from({ length: count }, (_, i) => i - 3);
    for (const columns of [1, 6]) {
      const x = filled(large, columns, 9);
      const plain = view(Float64Array.from(x.data), 0, large, columns);
      const alone = new LowRankOperator(vectors, s, blas);
      const together = new LowRankOperator(vectors, s, blas, team);
      const expected = apply(alone, x).data;
      expect(sameBits(apply(together, x).data, expected)).toBe(true);
      expect(sameBits(apply(together, plain).data, expected)).toBe(true);
      expect(sameBits(apply(together, x, sharedPanel(large, columns)).data, expected)).toBe(true);
    }
  });

  it('holds_the_bytes_of_its_arrays_and_no_more', () => {
    const whole = new LowRankOperator(u, values, blas);
    expect(whole.vectors.data).toBe(u.data);
    const part = new LowRankOperator(view(u.data, size, size, 3), values.slice(0, 3), blas);
    for (const operator of [whole, part]) expect(operator.bytes).toBe(8 * operator.rank * (size + 1));
    expect(part.bytes).toBe(part.vectors.data.byteLength + part.values.byteLength);
  });

  it('works_in_single_precision', () => {
    const single = new LowRankOperator(view(Float32Array.from(u.data), 0, size, rank), values, blas);
    const x = view(Float32Array.from(filled(size, 2, 1).data), 0, size, 2);
    expectAtMost(distance(apply(single, x), product(matrix, x)), (bound / EPS) * epsilonOf('f32') * norm(x), 'error');
    expect(single.bytes).toBe(4 * size * rank + 8 * rank);
  });

  it('of_rank_zero_is_zero', () => {
    const operator = new LowRankOperator(zeros(5, 0), new Float64Array(0), blas);
    expect([...apply(operator, zeros(5, 1)).data]).toEqual([0, 0, 0, 0, 0]);
  });

  it('refuses_values_that_do_not_fit', () => {
    expect(() => new LowRankOperator(u, values.slice(1), blas)).toThrow(ShapeError);
    expect(
      () =>
        new LowRankOperator(
          u,
          values.map(() => Number.NaN),
          blas,
        ),
    ).toThrow(NonFiniteError);
  });
});
