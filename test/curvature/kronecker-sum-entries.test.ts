/**
 * Entries, diagonal and trace of Kronecker sums against their products, by tables and by passes.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { kroneckerSum, type KroneckerSumOptions } from '#hmatrix/curvature/kronecker-sum/compress.js';
import { openKroneckerSumSource, type SumEntryData } from '#hmatrix/curvature/kronecker-sum/entries.js';
import type { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { sharedTeam } from '../teams.js';
import { norm, smoothModel } from './smooth-inputs.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (model: Model, options: KroneckerSumOptions): Promise<KroneckerSumMatrix> =>
  kroneckerSum(model, options, { team });

describe('a Kronecker sum', () => {
  const model = smoothModel([40, 6, 40]);

  it.each(
    (['mse', 'mean-squared', 'bce', 'cross-entropy'] as const).flatMap((loss) => [
      { loss, semidefinite: false },
      { loss, semidefinite: true },
    ]),
  )(
    'has_entries_diagonal_and_trace_that_are_those_of_its_products: $loss, semidefinite $semidefinite',
    async ({ loss, semidefinite }) => {
      const one = smoothModel([18, 5, 4, 7], { loss, bias: true, samples: 40 });
      const matrix = await build(one, { share: 0.3, semidefinite });
      expect(matrix.error).toBeGreaterThan(0);
      const d = matrix.toDense();
      const n = d.rows;
      const scale = 100 * EPS * norm(d.data);
      const whole = matrix.source().tables;
      expect(whole.pairs).toBe(whole.of);
      // All tables, none, and those of some pairs of layers.
      for (const tableMemory of [undefined, 0, whole.bytes - 1]) {
        const source = matrix.source({ tableMemory });
        expect(source.tables.bytes).toBeLessThanOrEqual(tableMemory ?? whole.bytes);
        expect(source.tables.pairs).toBeLessThanOrEqual(whole.of - (tableMemory === undefined ? 0 : 1));
        const single = zeros(1, 1);
        for (const [i, j] of [
          [0, n - 1],
          [n - 1, 0],
          [3, 3],
          [1, n >> 1],
        ]) {
          source.entries(Int32Array.of(i), Int32Array.of(j), single);
          expect(Math.abs(single.data[0] - d.data[i + j * n])).toBeLessThanOrEqual(scale);
        }
        const all = Int32Array.from({ length: n }, (_, i) => (i * 37) % n);
        const entries = zeros(n, n);
        source.entries(all, all, entries);
        let most = 0;
        for (let j = 0; j < n; j++)
          for (let i = 0; i < n; i++)
            most = Math.max(most, Math.abs(entries.data[i + j * n] - d.data[all[i] + all[j] * n]));
        expect(most).toBeLessThanOrEqual(scale);
      }
      const source = matrix.source();
      const diagonal = matrix.diagonal();
      const ofSource = new Float64Array(n);
      source.diagonal(ofSource);
      expect(ofSource).toEqual(diagonal);
      let trace = 0;
      for (let i = 0; i < n; i++) {
        expect(Math.abs(diagonal[i] - d.data[i * (n + 1)])).toBeLessThanOrEqual(scale);
        trace += d.data[i * (n + 1)];
      }
      expect(Math.abs(matrix.trace() - trace)).toBeLessThanOrEqual(n * scale);
    },
  );

  it('has_entries_of_the_same_bits_whatever_was_asked_for_before_and_on_any_thread', async () => {
    const matrix = await build(model, { share: 0.1 });
    const n = matrix.rows;
    const places = Array.from({ length: 60 }, (_, k) => [(k * 101) % n, (k * 67 + 5) % n] as const);
    const single = zeros(1, 1);
    const read = (source: EntrySource, order: readonly (readonly [number, number])[]): Map<number, number> =>
      new Map(
        order.map(([i, j]) => {
          source.entries(Int32Array.of(i), Int32Array.of(j), single);
          return [i + n * j, single.data[0]];
        }),
      );
    const first = read(matrix.source(), places);
    const second = matrix.source();
    const data = structuredClone(second.descriptor.data) as SumEntryData;
    const copy = openKroneckerSumSource(data, { blas: team.blas });
    const turned = [...places].reverse().map(([i, j]) => [j, i] as const);
    read(copy, turned);
    for (const [key, value] of read(second, turned)) expect(value).toBe(first.get(Math.floor(key / n) + n * (key % n)));
    for (const [key, value] of read(copy, places)) expect(value).toBe(first.get(key));
  });

  it.each([-1, 0.5, Number.NaN])('has_no_tables_of_%s_bytes', async (tableMemory) => {
    const matrix = await build(model, { share: 0.06 });
    expect(() => matrix.source({ tableMemory })).toThrow(OptionError);
  });
});
