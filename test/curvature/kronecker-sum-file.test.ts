/**
 * Kronecker sums in files: what is read back multiplies bit for bit like what was written, and nothing inconsistent is
 * read.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileAccessError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerSum } from '#hmatrix/curvature/kronecker-sum/compress.js';
import { load } from '#hmatrix/files/load.js';
import { save } from '#hmatrix/files/save.js';
import type { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { readContainer, writeContainer, type ContainerArray, type JsonObject } from '#hmatrix/io/container.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';
import { randomModel } from './brute-force.js';
import { smoothModel } from './smooth-inputs.js';

const folder = temporaryFolder();
let team: Team;
let matrix: KroneckerSumMatrix;
beforeAll(async () => {
  team = await sharedTeam(2);
  const model = randomModel({ widths: [20, 5, 12], activation: 'tanh', loss: 'mse', bias: true, samples: 30 });
  matrix = await kroneckerSum(model, { share: 0.4 }, { team });
});

describe('a saved Kronecker sum', () => {
  it('multiplies_bitwise_like_the_original_on_any_team', async () => {
    const path = join(folder, 'sum.hm');
    await save(path, matrix);
    const x = zeros(matrix.rows, 11);
    new RandomStream(3).fillNormal(x.data);
    for (const workers of [1, 3]) {
      const loaded = await load(path, { kind: 'kronecker sum', team: await sharedTeam(workers) });
      expect(apply(loaded, x).data).toEqual(apply(matrix, x).data);
      expect(loaded.report).toEqual(matrix.report);
      expect(loaded.memory()).toEqual(matrix.memory());
      expect(loaded.diagonal()).toEqual(matrix.diagonal());
    }
  });

  it('keeps_float32_as_it_is', async () => {
    const path = join(folder, 'narrow.hm');
    const model = randomModel({ widths: [20, 5, 12], activation: 'tanh', loss: 'mse', bias: true, samples: 30 });
    const narrow = await kroneckerSum(model, { share: 0.3, dtype: 'f32' }, { team });
    await save(path, narrow);
    const loaded = await load(path, { kind: 'kronecker sum', team });
    expect(loaded.precision).toBe('f32');
    expect(loaded.toDense()).toEqual(narrow.toDense());
    expect(loaded.memory()).toEqual(narrow.memory());
  });

  it('keeps_shift_and_terms_on_the_diagonals', async () => {
    const path = join(folder, 'semidefinite.hm');
    const shape = { widths: [14, 5, 4, 3], activation: 'sigmoid', loss: 'squared-error', bias: true } as const;
    for (const semidefinite of [false, true]) {
      const made = await kroneckerSum(
        smoothModel(shape.widths, { ...shape, seed: 2 }),
        { share: 0.07, semidefinite },
        { team },
      );
      expect(made.data.shift > 0).toBe(semidefinite);
      expect(made.data.terms.some((term) => term !== null)).toBe(true);
      await save(path, made);
      const loaded = await load(path, { kind: 'kronecker sum', team });
      expect(loaded.toDense()).toEqual(made.toDense());
      expect(loaded.report).toEqual(made.report);
      expect(loaded.memory()).toEqual(made.memory());
    }
  });

  it('is_kept_where_there_are_no_modes', async () => {
    const path = join(folder, 'none.hm');
    const model = randomModel({ widths: [4, 3], activation: 'linear', loss: 'mse', bias: false, samples: 5 });
    const exact = await kroneckerSum(model, { tolerance: 0 }, { team });
    await save(path, exact);
    expect((await load(path, { kind: 'kronecker sum', team })).toDense()).toEqual(exact.toDense());
  });

  it.each([
    ['of another kind', { content: 'hierarchical matrix' }, {}, /not of a kronecker sum/],
    ['of another size', { size: 7 }, {}, /parameters of 7/],
    ['without layers', { layers: 3 }, {}, /layers is no list/],
    ['without a shift', { shift: null }, {}, /shift is null/],
    ['without a report', { report: null }, {}, /report is missing/],
    ['with a group of no pair', {}, { groups: (a: Int32Array) => a.fill(9) }, /group 0 is of pair 9/],
    ['with a panel outside', {}, { panels: (a: Int32Array) => a.fill(1000, 1, 2) }, /outside its layers/],
    ['with numbers missing', {}, { values: (a: Float64Array) => a.subarray(1) }, /panels are/],
    ['with factors missing', {}, { mixing: (a: Float64Array) => a.subarray(1) }, /factors are/],
    ['with offsets that overlap', {}, { valuesBegin: (a: Float64Array) => a.fill(0) }, /begins at 0/],
    ['with a basis of another size', {}, { 'inputVectors.0': (a: Float64Array) => a.subarray(2) }, /inputVectors\.0/],
    ['with arrays of another type', {}, { values: () => new Int32Array(3) }, /holds i32/],
  ] as const)('is_refused_%s', async (_what, header, changes, message) => {
    const path = join(folder, 'bad.hm');
    await save(path, matrix);
    const container = await readContainer(path);
    const arrays: Record<string, ContainerArray> = { ...container.arrays };
    for (const [name, change] of Object.entries(changes)) arrays[name] = change(arrays[name] as never);
    await writeContainer(path, { ...container.header, ...header } as unknown as JsonObject, arrays);
    const failure = await load(path, { kind: 'kronecker sum', team }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileFormatError);
    expect((failure as Error).message).toMatch(message);
  });

  it('is_a_file_that_is_there', async () => {
    await expect(load(join(folder, 'absent.hm'), { kind: 'kronecker sum', team })).rejects.toBeInstanceOf(
      FileAccessError,
    );
  });

  it('is_no_other_matrix', async () => {
    await expect(save(join(folder, 'x.hm'), zeros(2, 2) as never)).rejects.toThrow(OptionError);
  });
});
