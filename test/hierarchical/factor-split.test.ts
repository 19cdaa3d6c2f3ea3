/** ULV factorizations with nodes that several workers eliminate together. */
import { beforeAll, describe, expect, it } from 'vitest';
import { NotPositiveDefiniteError } from '#hmatrix/core/errors.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { planUlv } from '#hmatrix/hierarchical/factor/ulv/plan.js';
import { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { Matrix } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { uniformPoints } from '#datasets/points.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { laplace } from '#hmatrix/source/kernels/named.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseShifted } from './factored.js';

const N = 2500;

describe('a factorization with split nodes', () => {
  let team: Team;
  let matrix: HierarchicalMatrix;
  const on = (other: Team): HierarchicalMatrix =>
    new HierarchicalMatrix(matrix.data, matrix.elements, matrix.report, other);

  beforeAll(async () => {
    team = await sharedTeam(2);
    matrix = await compress(
      kernelSource(uniformPoints(N, 3, 1), laplace(1), { blas: team.blas }),
      { format: 'hss', leafSize: 400, maxRank: 700, tolerance: 1e-7, seed: 1 },
      { team },
    );
  });

  it('has_some_with_and_the_root_without_skeletons', () => {
    const { splitBegin, rank } = planUlv(matrix.data, 'f64');
    expect(splitBegin[0]).toBeGreaterThanOrEqual(0);
    expect([...splitBegin].some((begin, ν) => begin >= 0 && rank[ν] > 128)).toBe(true);
  });

  it('is_that_of_the_dense_matrix', async () => {
    const shift = 0.5;
    const f = await factor(matrix, { shift }, { team });
    const dense: Matrix = denseShifted(matrix, shift);
    const b = randomMatrix(N, 3, 2);
    const product = randomMatrix(N, 3, 0);
    team.blas.gemm('N', 'N', 1, dense, f.solve(b), 0, product);
    expect(relativeError(product, b)).toBeLessThan(1e-10);
    expect(team.blas.potrf('L', dense)).toBe(0);
    let logdet = 0;
    for (let i = 0; i < N; i++) logdet += 2 * Math.log(dense.data[i * (N + 1)]);
    expect(Math.abs(f.logdet / logdet - 1)).toBeLessThan(1e-12);
  });

  it.each(['f64', 'f32'] as const)('has_the_same_bits_for_every_team: %s', async (precision) => {
    const results: unknown[] = [];
    for (const workers of [1, 2, 3]) {
      const other = await sharedTeam(workers);
      const f = await factor(on(other), { shift: 0.5, precision }, { team: other });
      const { logdet } = await f.refactor(0.6);
      results.push([f.solve(randomMatrix(N, 2, 2)).data, f.solve(randomMatrix(N, 1, 3)).data, logdet]);
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('names_the_same_breakdown_at_a_split_node_for_every_team', async () => {
    // With the root's coupling three times as large, what is below stays positive definite.
    const { pairOf, rank } = planUlv(matrix.data, 'f64');
    const values = matrix.data.values.slice();
    const begin = matrix.data.offsets.coupling[pairOf[1]];
    for (let i = begin; i < begin + rank[1] * rank[2]; i++) values[i] *= 3;
    const errors: unknown[] = [];
    for (const workers of [1, 3]) {
      const other = await sharedTeam(workers);
      const changed = new HierarchicalMatrix({ ...matrix.data, values }, matrix.elements, matrix.report, other);
      const error = await factor(changed, { shift: 0.5 }, { team: other }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NotPositiveDefiniteError);
      expect((error as NotPositiveDefiniteError).data['node']).toBe(0);
      errors.push((error as NotPositiveDefiniteError).data);
    }
    expect(errors[1]).toEqual(errors[0]);
  });
});
