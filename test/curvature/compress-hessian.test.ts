/** Gauss–Newton Hessians as hierarchical matrices by one call. */
import { beforeAll, describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { compressHessian, type CompressHessianOptions } from '#hmatrix/curvature/trees/compress-hessian.js';
import { gaussNewtonSource, type GaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { hessianTree } from '#hmatrix/curvature/trees/hessian-tree.js';
import { sharesZeros } from '#hmatrix/hierarchical/matrix/data.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { digitModel } from './autoencoder.js';

describe('compressed Hessians', () => {
  let team: Team;
  let autoencoder: Model;
  let source: GaussNewtonSource;
  beforeAll(async () => {
    team = await sharedTeam(2);
    autoencoder = await digitModel([8], 150, team);
    source = gaussNewtonSource(autoencoder, { blas: team.blas });
  }, 60_000);

  it.each(['entries', 'products'] as const)('meet_the_tolerance_from_%s', async (from) => {
    for (const tolerance of from === 'entries' ? [1e-1, 1e-2, 1e-3] : [1e-1, 1e-2]) {
      const {
        matrix,
        from: way,
        reason,
      } = await compressHessian(
        autoencoder,
        { from, tolerance, leafSize: 32, maxRank: from === 'entries' ? 512 : 160, distance: 'structural', source },
        { team },
      );
      expect(way).toBe(from);
      expect(reason).toContain(`From ${from}, as asked`);
      const { relative, exact } = await matrix.estimateError(source);
      expect(exact).toBe(true);
      // Sampled rows decide the error of entries, so the tolerance is an aim: a quarter beyond it at most.
      expect(relative, `${tolerance}`).toBeLessThanOrEqual((from === 'entries' ? 1.25 : 1.1) * tolerance);
    }
  });

  it('uncoupled_outputs_take_no_couplings', async () => {
    // Weights of different outputs are uncoupled under squared errors, and the last layer's half of the tree consists
    // of such pairs above its units.
    const { matrix, tree } = await compressHessian(
      autoencoder,
      { from: 'entries', tolerance: 1e-2, leafSize: 32, maxRank: 64, distance: 'structural', source },
      { team },
    );
    const zero = sharesZeros(matrix.data);
    const { far } = matrix.data.lists;
    const { offset } = autoencoder.network.layers[1];
    let last = 0;
    let shared = 0;
    zero.forEach((shares, f) => {
      if (shares === 0) return;
      shared++;
      for (const ν of [far[2 * f], far[2 * f + 1]]) if (tree.order[tree.begin[ν]] >= offset) last++;
    });
    expect(shared).toBeGreaterThan(16);
    expect(last).toBe(2 * shared);
  });

  it('auto_takes_the_way_of_fewer_predicted_flops_and_states_both', async () => {
    const { from, predicted, reason, distance, candidates, matrix } = await compressHessian(
      autoencoder,
      { tolerance: 1e-1, leafSize: 32, source },
      { team },
    );
    const { entries, products } = predicted;
    expect(from).toBe(entries.flops <= products!.flops ? 'entries' : 'products');
    expect(reason).toMatch(/Gflop for \d+ entries and skeletons, .* Gflop for \d+ products and bases/);
    expect(candidates.map((candidate) => candidate.distance)).toContain(distance);
    expect(matrix.report.leafSize).toBeLessThanOrEqual(32);
    expect(matrix.report.maxRank).toBe(32);
    // Entries that are recomputed in each call cost a pass over all data a block.
    const recomputed: GaussNewtonSource = {
      size: source.size,
      form: 'recomputed',
      bytes: 0,
      diagonal: (out) => {
        source.diagonal(out);
      },
      entries: (rows, cols, out) => {
        source.entries(rows, cols, out);
      },
    };
    const { tree } = await hessianTree(autoencoder, source, { distance: 'structural', leafSize: 32 }, { team });
    const other = await compressHessian(autoencoder, { tolerance: 1e-1, tree, source: recomputed }, { team });
    expect(other.distance).toBe('given');
    expect(other.predicted.entries.flops - entries.flops).toBeGreaterThan(2 * 150 * source.size * tree.begin.length);
    expect(other.from).toBe(other.predicted.entries.flops <= other.predicted.products!.flops ? 'entries' : 'products');
  });

  it('predicted_entries_bound_those_evaluated', async () => {
    let evaluated = 0;
    const counted: GaussNewtonSource = {
      size: source.size,
      form: source.form,
      bytes: source.bytes,
      diagonal: (out) => {
        source.diagonal(out);
      },
      entries: (rows, cols, out) => {
        evaluated += rows.length * cols.length;
        source.entries(rows, cols, out);
      },
    };
    const { predicted, matrix } = await compressHessian(
      autoencoder,
      { from: 'entries', tolerance: 0.2, leafSize: 32, maxRank: 32, distance: 'structural', source: counted },
      { team },
    );
    expect(matrix.report.origin).toBe('entries');
    // Samples that grow stay below what all nodes would take at the maximal rank. Besides skeletons and blocks: 32
    // columns for the norm, four blocks of 48² for validation, corners.
    const others = 32 * source.size + 4 * 48 ** 2 + 16 * matrix.data.lists.far.length;
    expect(evaluated).toBeLessThanOrEqual(predicted.entries.count + others);
    expect(evaluated).toBeGreaterThan(predicted.entries.count / 3);
  });

  it('fmm_comes_from_entries', async () => {
    const { from, predicted, matrix, reason } = await compressHessian(
      autoencoder,
      { format: 'fmm', budget: 0.1, tolerance: 1e-1, leafSize: 32, distance: 'structural', source },
      { team },
    );
    expect(from).toBe('entries');
    expect(predicted.products).toBeUndefined();
    expect(reason).toContain('fmm');
    expect(matrix.report.format).toBe('fmm');
  });

  it.each(['entries', 'products'] as const)('have_the_same_bits_for_any_team: from %s', async (from) => {
    const model = smallModel({ widths: [24, 10, 20], samples: 40 });
    const values = await Promise.all(
      [1, 2, 3].map(async (workers) => {
        const own = await sharedTeam(workers);
        const { matrix } = await compressHessian(
          model,
          { from, tolerance: 1e-3, leafSize: 16, seed: 3 },
          { team: own },
        );
        const { data } = matrix;
        return [data.values, data.tree.order];
      }),
    );
    for (const other of values.slice(1)) expect(other).toEqual(values[0]);
  });

  it('refuse_bad_input', async () => {
    const make = (options: object): Promise<unknown> =>
      compressHessian(
        autoencoder,
        { source, leafSize: 32, distance: 'structural', ...options } as CompressHessianOptions,
        { team },
      );
    await expect(make({ from: 'nowhere' })).rejects.toThrow(OptionError);
    await expect(make({ format: 'fmm', from: 'products' })).rejects.toThrow(OptionError);
    await expect(make({ distance: 'geometric' })).rejects.toThrow(OptionError);
    const { tree } = await hessianTree(autoencoder, source, { distance: 'lexicographic', leafSize: 32 }, { team });
    await expect(make({ tree })).rejects.toThrow(OptionError);
    await expect(make({ tolerance: -1 })).rejects.toThrow(OptionError);
    await expect(make({ from: 'products', oversampling: 0 })).rejects.toThrow(OptionError);
    await expect(make({ source: gaussNewtonSource(smallModel(), { blas: team.blas }) })).rejects.toThrow(ShapeError);
  });
});
