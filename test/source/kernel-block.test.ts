/** K(X*, X) and K(X, X*) as operators: those of the dense block, kept or not, with the same bits on every team. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { Points } from '#hmatrix/source/entry-source.js';
import { kernelBlock } from '#hmatrix/source/kernel-block.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { ard, scaleKernel, sumKernels } from '#hmatrix/source/kernels/compose.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import { gaussian, periodic, polynomial } from '#hmatrix/source/kernels/named.js';
import { normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

// More than one panel of rows and of columns, neither even.
const [M, N] = [333, 1203];
const own: Kernel = { ...gaussian(2), definition: undefined };
const kernels: readonly (readonly [string, number, Kernel])[] = [
  ['gaussian', 3, gaussian(1)],
  ['gaussian by products', 20, gaussian(4)],
  ['several inputs', 3, sumKernels(ard(gaussian(1), [1, 2, 3]), periodic(1, 2), scaleKernel(polynomial(2), 0.1))],
  ["caller's own", 3, own],
];
let teams: Team[];

beforeAll(async () => {
  teams = await Promise.all([1, 2].map((workers) => sharedTeam(workers)));
});

/** K(X*, X) from pairs of points, each in a source of its own two. */
function denseBlock(kernel: Kernel, targets: Points, points: Points): Matrix {
  const { dimension } = points;
  const count = M + N;
  const coordinates = Float64Array.from([...targets.coordinates, ...points.coordinates]);
  const source = kernelSource({ dimension, count, coordinates }, kernel, { blas: teams[0].blas });
  const out = zeros(M, N);
  for (let i = 0; i < M; i++)
    source.entries(
      Int32Array.of(i),
      Int32Array.from({ length: N }, (_, j) => M + j),
      view(out.data, i, 1, N, M),
    );
  return out;
}

describe.each(kernels)('the block of a kernel: %s', (_, dimension, kernel) => {
  it.each([
    ['evaluated each time', {}],
    ['kept', { keepBytes: 8 * M * N }],
  ])('multiplies_as_the_dense_one_does_and_its_transpose_too, %s', async (_how, options) => {
    const [targets, points] = [normalPoints(M, dimension, 1), normalPoints(N, dimension, 2)];
    const dense = denseBlock(kernel, targets, points);
    const products: Matrix[][] = [];
    for (const team of teams) {
      const operator = await kernelBlock(kernel, targets, points, options, { team });
      const turned = operator.transpose();
      expect([operator.rows, operator.cols, operator.symmetric, turned.rows, turned.cols]).toEqual([M, N, false, N, M]);
      expect(operator.kept).toBe('keepBytes' in options);
      expect(operator.flops?.(2)).toBe('keepBytes' in options ? 4 * M * N : undefined);
      const [x, z] = [randomMatrix(N, 3, 3), randomMatrix(M, 3, 4)];
      const [y, w] = [apply(operator, x), apply(turned, z)];
      const [ofX, ofZ] = [zeros(M, 3), zeros(N, 3)];
      team.blas.gemm('N', 'N', 1, dense, x, 0, ofX);
      team.blas.gemm('T', 'N', 1, dense, z, 0, ofZ);
      expect(relativeError(y, ofX)).toBeLessThan(N * Number.EPSILON);
      expect(relativeError(w, ofZ)).toBeLessThan(N * Number.EPSILON);
      // β: out ← 2·A·x − out.
      const again = randomMatrix(M, 3, 5);
      const expected = randomMatrix(M, 3, 5);
      team.blas.gemm('N', 'N', 2, dense, x, -1, expected);
      operator.applyUnchecked(again, x, 2, -1);
      expect(relativeError(again, expected)).toBeLessThan(2 * N * Number.EPSILON);
      products.push([y, w, again]);
      turned.release();
      expect(() => apply(operator, x)).toThrow(/released/);
    }
    products[0].forEach((product, k) => {
      expect(products[1][k].data).toEqual(product.data);
    });
  });
});

it('wrong_points_and_options_and_an_abort_are_seen', async () => {
  const [team] = teams;
  const [plane, space] = [normalPoints(5, 2, 1), normalPoints(6, 3, 2)];
  await expect(kernelBlock(gaussian(1), plane, space, {}, { team })).rejects.toThrow(ShapeError);
  await expect(kernelBlock(gaussian(1), plane, space, {}, { team })).rejects.toThrow(
    /targets of kernelBlock have dimension 2, and the points dimension 3/,
  );
  await expect(kernelBlock(gaussian(1), plane, plane, { keepBytes: -1 }, { team })).rejects.toThrow(OptionError);
  await expect(kernelBlock(gaussian as never, plane, plane, {}, { team })).rejects.toThrow(
    /kernelBlock takes a kernel/,
  );
  const signal = AbortSignal.abort();
  await expect(kernelBlock(gaussian(1), plane, plane, { keepBytes: 1e6 }, { team, signal })).rejects.toThrow(
    AbortedError,
  );
});
