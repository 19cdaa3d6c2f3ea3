/** Far pairs whose coupling is exactly zero take no memory, in memory and in files. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '#hmatrix/core/errors.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { checkHierarchicalData } from '#hmatrix/hierarchical/matrix/check-data.js';
import { sharesZeros } from '#hmatrix/hierarchical/matrix/data.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { denseOf, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

const GROUP = 32;
const GROUPS = 16;
const N = GROUP * GROUPS;
const folder = temporaryFolder();

/**
 * Groups of indices that follow each other; those of unlike parity are uncoupled: so are all pairs of sibling leaves,
 * which yet need bases for the levels above.
 */
function parityMatrix(): ReturnType<typeof denseSource> {
  const values = sharedFloat64(N * N);
  for (let j = 0; j < N; j++) {
    for (let i = 0; i < N; i++) {
      const coupled = (Math.floor(i / GROUP) + Math.floor(j / GROUP)) % 2 === 0;
      values[i + j * N] = coupled ? Math.exp(-(((i - j) / N) ** 2) * 4) + (i === j ? 1 : 0) : 0;
    }
  }
  return denseSource(values);
}

describe('couplings that are zero', () => {
  let team: Team;
  const build = (format: 'hss' | 'hodlr'): Promise<HierarchicalMatrix> =>
    compress(
      parityMatrix(),
      { format, distance: 'lexicographic', leafSize: GROUP, maxRank: GROUP, tolerance: 1e-9 },
      { team },
    );
  beforeAll(async () => {
    team = await sharedTeam(2);
  });

  it.each(['hss', 'hodlr'] as const)('share_one_block_and_nothing_else_changes: %s', async (format) => {
    const source = parityMatrix();
    const matrix = await build(format);
    expect((await matrix.estimateError(source)).relative).toBeLessThan(1e-8);
    const { data, elements } = matrix;
    const rank = (ν: number): number => data.skeletons.begin[ν + 1] - data.skeletons.begin[ν];
    const sizes = Array.from(
      { length: data.lists.far.length / 2 },
      (_, f) => rank(data.lists.far[2 * f]) * rank(data.lists.far[2 * f + 1]),
    );
    const zero = sharesZeros(data);
    // The eight pairs of sibling leaves, all with bases.
    expect(sizes.filter((size, f) => zero[f] === 1 && size > 0).length).toBe(GROUPS / 2);
    const stored = sizes.reduce((sum, size, f) => sum + (zero[f] === 1 ? 0 : size), 0);
    expect(elements.coupling).toBe(stored + Math.max(...sizes.filter((_, f) => zero[f] === 1)));
    expect(data.values.length).toBe(elements.total);
    checkHierarchicalData(data, elements, (what) => {
      throw new Error(what);
    });
    const x = randomMatrix(N, 3, 5);
    const y = matrix.apply(x);
    const exact = randomMatrix(N, 3, 0);
    team.blas.gemm('N', 'N', 1, denseOf(source), x, 0, exact);
    expect(relativeError(y, exact)).toBeLessThan(1e-8);
  });

  it('survive_a_file_bit_for_bit', async () => {
    const path = join(folder, 'zeros.hm');
    const matrix = await build('hss');
    await save(path, matrix);
    const loaded = await load(path, { kind: 'hierarchical matrix', team });
    expect(loaded.memory()).toEqual(matrix.memory());
    const x = randomMatrix(N, 2, 6);
    expect(loaded.apply(x).data).toEqual(matrix.apply(x).data);
  });

  it('are_refused_where_a_shared_block_is_not_zero_or_others_overlap', async () => {
    const { data, elements } = await build('hss');
    const refuse = (what: string): never => {
      throw new FileFormatError(what);
    };
    const zero = sharesZeros(data);
    const values = data.values.slice();
    values[data.offsets.coupling[zero.indexOf(1)]] = 1;
    expect(() => checkHierarchicalData({ ...data, values }, elements, refuse)).toThrow(/not zero/);
    const coupling = data.offsets.coupling.slice();
    const [first, second] = [...coupling.keys()].filter((f) => zero[f] === 0);
    coupling[second] = coupling[first];
    expect(() => checkHierarchicalData({ ...data, offsets: { ...data.offsets, coupling } }, elements, refuse)).toThrow(
      /overlap/,
    );
  });

  it('are_none_in_a_kernel_matrix', async () => {
    const points = Array.from({ length: 200 }, (_, i) => Math.sin(7 * i));
    const values = sharedFloat64(200 * 200);
    for (let j = 0; j < 200; j++)
      for (let i = 0; i < 200; i++) values[i + 200 * j] = Math.exp(-((points[i] - points[j]) ** 2));
    const { data } = await compress(denseSource(values), { leafSize: 25, tolerance: 1e-6 }, { team });
    expect(sharesZeros(data).every((shares) => shares === 0)).toBe(true);
  });
});
