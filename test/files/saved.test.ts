/**
 * What `save` writes and `load` reads, of every kind: products, solutions and all that is asked of a factorization have
 * the bits of what was saved, on any team; what does not fit together is refused.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { normalPoints } from '#datasets/points.js';
import type { Saved, SavedKind } from '#hmatrix/files/kinds.js';
import { load } from '#hmatrix/files/load.js';
import { save } from '#hmatrix/files/save.js';
import { factor, type FactorOptions } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { readContainer, writeContainer, type ContainerArray, type JsonObject } from '#hmatrix/io/container.js';
import { nystrom } from '#hmatrix/lowrank/nystrom.js';
import { randomizedSvd } from '#hmatrix/lowrank/randomized-svd.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { randomModel } from '../curvature/brute-force.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';

const folder = temporaryFolder();
const path = join(folder, 'saved.npz');
const size = 500;
let team: Team;
let single: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
  single = await sharedTeam(1);
});

const vectors = (rows: number, cols: number): Matrix<Float64Array> => {
  const x = zeros(rows, cols);
  new RandomStream(3).fillNormal(x.data);
  return x;
};
const matrix = (options: CompressOptions): ReturnType<typeof compress> =>
  compress(
    kernelSource(normalPoints(size, 3, 5), gaussian(1.5), { blas: team.blas }),
    { leafSize: 40, maxRank: 160, tolerance: 1e-4, ...options },
    { team },
  );
const model = (loss: 'mse' | 'cross-entropy' = 'mse'): ReturnType<typeof randomModel> =>
  randomModel({ widths: [14, 5, 8], activation: 'tanh', loss, bias: true, samples: 30 });

/** Products of what was saved, and of what is loaded on teams of one and two, are the same. */
async function sameProducts(saved: Saved, kind: SavedKind): Promise<void> {
  await save(path, saved);
  const x = vectors(saved.rows, 5);
  for (const on of [single, team]) {
    const loaded = await load(path, { kind, team: on });
    expect(loaded.constructor).toBe(saved.constructor);
    expect(apply(loaded, x).data).toEqual(apply(saved, x).data);
  }
}

describe('what was released', () => {
  it('is_refused_by_save_as_by_products_and_leaves_the_file_as_it_was', async () => {
    const hierarchical = await matrix({ format: 'hss' });
    const factorization = await factor(hierarchical, { shift: 1 }, { team });
    const eigenbasis = await kroneckerHierarchical(model(), { share: 0.4, preserve: 'positive-definite' }, { team });
    const kronecker = await factorKronecker(eigenbasis, { shift: 1 }, { team });
    await save(path, hierarchical);
    const before = await readFile(path);
    const refused = async (saved: Saved): Promise<void> => {
      let told = '';
      try {
        apply(saved, vectors(saved.rows, 1));
      } catch (error) {
        told = (error as Error).message;
      }
      expect(told).toMatch(/was released/);
      await expect(save(path, saved)).rejects.toThrow(OptionError);
      await expect(save(path, saved)).rejects.toThrow(told);
      expect((await readFile(path)).equals(before)).toBe(true);
    };
    hierarchical.release();
    await refused(hierarchical);
    // A factorization goes on without its matrix, and so do its files.
    await sameProducts(factorization, 'factorization');
    await writeFile(path, before);
    for (const saved of [factorization, kronecker, eigenbasis]) {
      saved.release();
      await refused(saved);
    }
  });
});

describe('a saved matrix', () => {
  it.each([{ format: 'hss' }, { format: 'hodlr', dtype: 'f32' }, { format: 'fmm', budget: 0.2 }] as CompressOptions[])(
    'of %o multiplies_with_the_same_bits',
    async (options) => {
      await sameProducts(await matrix(options), 'hierarchical matrix');
    },
  );

  it('in_the_kronecker_eigenbasis_too', async () => {
    for (const options of [{ share: 0.4 }, { share: 0.4, preserve: 'positive-definite' }] as const) {
      const made = await kroneckerHierarchical(model(), options, { team });
      await sameProducts(made, 'kronecker eigenbasis');
      const loaded = await load(path, { kind: 'kronecker eigenbasis', team });
      expect(loaded.report).toEqual(made.report);
      expect(loaded.memory()).toEqual(made.memory());
      expect(loaded.diagonal()).toEqual(made.diagonal());
    }
  });

  it('of_low_rank_too', async () => {
    const operator = gaussNewton(model());
    await sameProducts((await nystrom(operator, { rank: 9 }, { team })).operator, 'low rank');
    await sameProducts((await randomizedSvd(operator, { rank: 9 }, { team })).operator, 'low rank');
  });
});

describe('a saved factorization', () => {
  it.each([
    [{ format: 'hss' }, { shift: 0.1 }],
    [{ format: 'hss' }, { shift: -0.3, indefinite: true }],
    [{ format: 'hss' }, { shift: 1, precision: 'f32' }],
    [{ format: 'hss', dtype: 'f32' }, { shift: 1 }],
    [{ format: 'hss', leafSize: 500 }, { shift: 1 }],
    [{ format: 'hodlr' }, { shift: 0.1 }],
    [{ format: 'hodlr' }, { shift: 1, precision: 'f32' }],
  ] as [CompressOptions, FactorOptions][])('of %o with %o does_the_same', async (options, how) => {
    const made = await factor(await matrix(options), how, { team });
    await sameProducts(made, 'factorization');
    const loaded = await load(path, { kind: 'factorization', team: single });
    const b = vectors(size, 3);
    expect(loaded.solve(b).data).toEqual(made.solve(b).data);
    expect([loaded.shift, loaded.precision, loaded.indefinite]).toEqual([made.shift, made.precision, made.indefinite]);
    expect([loaded.logdet, loaded.inertia, loaded.bytes]).toEqual([made.logdet, made.inertia, made.bytes]);
    expect(await loaded.diagonalOfInverse()).toEqual(await made.diagonalOfInverse());
    expect(await loaded.conditionEstimate()).toEqual(await made.conditionEstimate());
    if (how.indefinite !== true) expect(loaded.sample({ count: 2 }).data).toEqual(made.sample({ count: 2 }).data);
    const other = how.indefinite === true ? -0.2 : 3;
    await loaded.refactor(other);
    await made.refactor(other);
    expect(loaded.solve(b).data).toEqual(made.solve(b).data);
  });

  it('in_the_kronecker_eigenbasis_too', async () => {
    for (const loss of ['mse', 'cross-entropy'] as const) {
      const compressed = await kroneckerHierarchical(
        model(loss),
        { share: 0.5, preserve: 'positive-definite' },
        { team },
      );
      const made = await factorKronecker(compressed, { shift: 0.3 }, { team });
      await sameProducts(made, 'kronecker factorization');
      const loaded = await load(path, { kind: 'kronecker factorization', team: single });
      const b = vectors(made.rows, 2);
      expect(loaded.solve(b).data).toEqual(made.solve(b).data);
      expect([loaded.logdet, loaded.shift, loaded.bytes]).toEqual([made.logdet, made.shift, made.bytes]);
      expect(loaded.sample({ count: 2 }).data).toEqual(made.sample({ count: 2 }).data);
      await loaded.refactor(2);
      await made.refactor(2);
      expect(loaded.solve(b).data).toEqual(made.solve(b).data);
    }
  });

  it('that_was_released_is_not_saved', async () => {
    const made = await factor(await matrix({ format: 'hss' }), { shift: 1 }, { team });
    made.release();
    await expect(save(join(folder, 'none.npz'), made)).rejects.toThrow(/was released/);
  });
});

describe('a file of another thing', () => {
  it('is_refused_where_a_kind_is_asked_for', async () => {
    await save(path, await matrix({ format: 'hss' }));
    await expect(load(path, { kind: 'factorization', team })).rejects.toThrow(
      /container of "hierarchical matrix", not of a factorization/,
    );
    await expect(load(path, { kind: 'matrix' as SavedKind, team })).rejects.toThrow(OptionError);
    await writeContainer(path, { content: 'constructor' }, {});
    await expect(load(path, { team })).rejects.toThrow(/container of "constructor"; load reads/);
    await writeContainer(path, {}, {});
    await expect(load(path, { team })).rejects.toThrow(FileFormatError);
  });
});

/** A part of a file, changed: of which it is, how, and what the refusal must name. */
type Change = [
  SavedKind,
  string,
  (arrays: Record<string, ContainerArray>, header: Record<string, unknown>) => void,
  RegExp,
];
const changes: Change[] = [
  ['factorization', 'factors too few', (a) => (a['factors'] = a['factors'].subarray(1)), /"factors" holds/],
  ['factorization', 'factors of float32', (a) => (a['factors'] = Float32Array.from(a['factors'])), /holds f32 where/],
  [
    'factorization',
    'factors not finite',
    (a) => (a['factors'][3] = Number.NaN),
    /number 3 of section "factors" is NaN/,
  ],
  ['factorization', 'another shift', (_, h) => (h['shift'] = 2), /factors are of shift 1, its header says 2/],
  ['factorization', 'a negative shift', (_, h) => (h['shift'] = -1), /shift is -1/],
  ['factorization', 'an unknown precision', (_, h) => (h['precision'] = 'f16'), /precision is "f16"/],
  ['factorization', 'signs missing', (_, h) => (h['indefinite'] = true), /"signs" holds 0/],
  ['factorization', 'no matrix', (_, h) => delete h['matrix'], /matrix is missing/],
  ['factorization', 'a changed matrix', (a) => (a['matrix.tree.order'][0] = size), /no permutation/],
  ['low rank', 'vectors too few', (a) => (a['vectors'] = a['vectors'].subarray(1)), /"vectors" holds/],
  ['low rank', 'values not finite', (a) => (a['values'][0] = Infinity), /number 0 of section "values"/],
  ['low rank', 'no rank', (_, h) => (h['rank'] = -1), /rank is -1/],
  ['kronecker eigenbasis', 'another size', (_, h) => (h['size'] = 3), /parameters of 3/],
  ['kronecker eigenbasis', 'a smaller basis', (a) => (a['inputVectors.0'] = new Float64Array(0)), /"inputVectors.0"/],
  ['kronecker eigenbasis', 'no report', (_, h) => (h['report'] = 7), /report is missing/],
  ['kronecker factorization', 'no shift', (_, h) => (h['shift'] = 0), /shift is 0/],
  ['kronecker factorization', 'another shift', (_, h) => (h['shift'] = 7), /core is of order/],
  ['kronecker factorization', 'a core of a matrix', (_, h) => (h['core'] = { content: 'x' }), /not of a factorization/],
];

describe('a file that does not fit together', () => {
  const files = new Map<SavedKind, string>();
  beforeAll(async () => {
    const compressed = await kroneckerHierarchical(model(), { share: 0.5, preserve: 'positive-definite' }, { team });
    const all: [SavedKind, Saved][] = [
      ['factorization', await factor(await matrix({ format: 'hss' }), { shift: 1 }, { team })],
      ['low rank', (await nystrom(gaussNewton(model()), { rank: 5 }, { team })).operator],
      ['kronecker eigenbasis', compressed],
      ['kronecker factorization', await factorKronecker(compressed, { shift: 0.3 }, { team })],
    ];
    for (const [kind, saved] of all) {
      files.set(kind, join(folder, `${kind}.npz`));
      await save(files.get(kind)!, saved);
    }
  });

  it.each(changes)('is_refused: %s with %s', async (kind, _, change, named) => {
    const { header, arrays } = await readContainer(files.get(kind)!);
    const changed = { ...arrays };
    const changedHeader = structuredClone(header) as Record<string, unknown>;
    change(changed, changedHeader);
    await writeContainer(path, changedHeader as JsonObject, changed);
    const failure: unknown = await load(path, { team }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileFormatError);
    expect((failure as Error).message).toMatch(named);
    expect((failure as Error).message).toContain(path);
  });
});
