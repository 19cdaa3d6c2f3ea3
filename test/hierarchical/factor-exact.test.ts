/** Factorizations where the answer is known: matrices whose ranks suffice, closed forms; and what they allocate. */
import { beforeAll, describe, expect, it } from 'vitest';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { gaussianSource, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseReference, residual } from './factored.js';
import { randomHss, randomSizes, treeOfLeaves } from './trees.js';
import type { HierarchicalFormat } from '#hmatrix/hierarchical/matrix/format.js';

const FORMATS: readonly HierarchicalFormat[] = ['hss', 'hodlr'];
const exact: CompressOptions = { leafSize: 32, maxRank: 40, tolerance: 1e-14, neighbors: 32, seed: 3 };
const EPS = Number.EPSILON;

/** Bytes of shared memory and of arrays of numbers that `act` makes on the calling thread. */
async function allocated(act: () => unknown): Promise<number> {
  const { SharedArrayBuffer: Shared, Float64Array: Doubles } = globalThis;
  let bytes = 0;
  globalThis.SharedArrayBuffer = new Proxy(Shared, {
    construct: (target, args: [number]) => {
      bytes += args[0];
      return new target(...args);
    },
  });
  globalThis.Float64Array = new Proxy(Doubles, {
    construct: (target, args: [number]) => {
      if (typeof args[0] === 'number') bytes += 8 * args[0];
      return Reflect.construct(target, args) as Float64Array<ArrayBuffer>;
    },
  });
  try {
    await act();
  } finally {
    globalThis.SharedArrayBuffer = Shared;
    globalThis.Float64Array = Doubles;
  }
  return bytes;
}

describe.each(FORMATS)('factorization: %s', (format) => {
  let team: Team;
  beforeAll(async () => {
    team = await sharedTeam(2);
  });

  it('is_that_of_the_matrix_itself_where_the_ranks_suffice', async () => {
    const tree = treeOfLeaves(randomSizes(8, 30, 60, 5), 6);
    const n = tree.size;
    const a: Matrix = randomHss(tree, 6, 17, team.blas);
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let i = 0; i < n; i++) if (i !== j) sum += Math.abs(a.data[i + j * n]);
      a.data[j * (n + 1)] = 1.01 * sum;
    }
    const matrix = await compress(denseSource(a), { ...exact, format, tree }, { team });
    const lost = relativeError(matrix.toDense(), a);
    expect(lost).toBeLessThan(1e-12);
    const { inverse, logdet, condition } = denseReference(a, team.blas);
    const rounding = (n * EPS + lost) * condition;
    const f = await factor(matrix, {}, { team });
    const b = randomMatrix(n, 40, 1);
    expect(residual(a, f.solve(b), b, team.blas)).toBeLessThan(rounding);
    expect(Math.abs(f.logdet - logdet)).toBeLessThan(n * rounding);
    const diagonal = await f.diagonalOfInverse();
    for (let i = 0; i < n; i++)
      expect(Math.abs(diagonal[i] - inverse.data[i * (n + 1)])).toBeLessThan(rounding * inverse.data[i * (n + 1)]);
  });

  it('Brownian_motion: det min(i, j)/N is N^−N, and its inverse tridiagonal', async () => {
    const n = 600;
    const values = new Float64Array(n * n);
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) values[i + j * n] = (Math.min(i, j) + 1) / n;
    const matrix = await compress(denseSource(values), { ...exact, format, distance: 'lexicographic' }, { team });
    const f = await factor(matrix, {}, { team });
    // Condition about (4/π²)·4·N².
    const rounding = 16 * n * n * EPS;
    expect(Math.abs(f.logdet / (-n * Math.log(n)) - 1)).toBeLessThan(rounding);
    const diagonal = await f.diagonalOfInverse();
    for (let i = 0; i < n; i++)
      expect(Math.abs(diagonal[i] / (i === n - 1 ? n : 2 * n) - 1)).toBeLessThan(16 * rounding);
    const unit = zeros(n, 1);
    unit.data[300] = 1;
    const x = f.solve(unit);
    for (let i = 0; i < n; i++)
      expect(Math.abs(x.data[i] - (i === 300 ? 2 * n : Math.abs(i - 300) === 1 ? -n : 0))).toBeLessThan(
        16 * rounding * n,
      );
  });

  it('large_nodes_have_the_same_bits_for_every_team_size', async () => {
    const results: { solution: ArrayLike<number>; one: ArrayLike<number>; logdet: number }[] = [];
    for (const workers of [1, 2, 3]) {
      const other = await sharedTeam(workers);
      const matrix = await compress(
        gaussianSource(1500, 3, 1, other.blas),
        { ...exact, format, leafSize: 200, maxRank: 150, tolerance: 1e-9 },
        { team: other },
      );
      const f = await factor(matrix, { shift: 0.1 }, { team: other });
      results.push({
        solution: f.solve(randomMatrix(1500, 40, 1)).data,
        one: f.solve(randomMatrix(1500, 1, 2)).data,
        logdet: f.logdet,
      });
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('from_the_second_time_on_solves_and_refactorizations_allocate_nothing_of_the_size', async () => {
    const n = 4000;
    const matrix = await compress(
      gaussianSource(n, 2, 1, team.blas),
      { ...exact, format, leafSize: 64, maxRank: 32, tolerance: 1e-6 },
      { team },
    );
    const f = await factor(matrix, { shift: 1 }, { team });
    await f.refactor(2);
    // Scratch of a node and the tasks; HODLR's nodes are as long as half of the matrix.
    if (format === 'hss') expect(await allocated(() => f.refactor(3))).toBeLessThan(0.1 * f.bytes);
    const [b, out] = [new Float64Array(3 * n).fill(1), new Float64Array(3 * n)].map((data) => ({
      data,
      offset: 0,
      rows: n,
      cols: 3,
      ld: n,
    }));
    expect(await allocated(() => f.solve(b, out))).toBeGreaterThan(8 * n);
    expect(await allocated(() => f.solve(b, out))).toBeLessThan(8 * 64);
  });
});
