/** Cluster trees for Hessians: what each promises, the effect of the order, and what `auto` picks. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { gaussNewtonSource, type GaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { HESSIAN_DISTANCES, hessianTree, type HessianDistance } from '#hmatrix/curvature/trees/hessian-tree.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { compressOperator } from '#hmatrix/hierarchical/from-products/compress.js';
import { estimateTreeErrors } from '#hmatrix/hierarchical/measure/tree-error.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { mostInLeaf, type ClusterTree } from '#hmatrix/tree/cluster-tree.js';
import { smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { digitModel } from './autoencoder.js';

const LEAF = 32;
const RANK = 16;

describe('trees for Hessians', () => {
  let team: Team;
  let autoencoder: Model;
  let source: GaussNewtonSource;
  beforeAll(async () => {
    team = await sharedTeam(2);
    autoencoder = await digitModel([8], 150, team);
    source = gaussNewtonSource(autoencoder, { blas: team.blas });
  }, 60_000);

  /** `make()`, once for each model and name. */
  const known = new Map<Model, Map<string, Promise<unknown>>>();
  const once = <T>(model: Model, name: string, make: () => Promise<T>): Promise<T> => {
    const ofModel = known.get(model) ?? new Map<string, Promise<unknown>>();
    known.set(model, ofModel);
    const found = ofModel.get(name) ?? make();
    ofModel.set(name, found);
    return found as Promise<T>;
  };
  const treeBy = (distance: HessianDistance, model = autoencoder, of = source): Promise<ClusterTree> =>
    once(model, distance, async () => (await hessianTree(model, of, { distance, leafSize: LEAF }, { team })).tree);
  const productsError = async (tree: ClusterTree, model: Model, rank: number): Promise<number> => {
    const matrix = await compressOperator(
      gaussNewton(model, { blas: team.blas, team }),
      tree,
      { format: 'hss', maxRank: rank, tolerance: 1e-10, seed: 1 },
      { team },
    );
    return matrix.report.products!.error.relative;
  };
  /** The error from products of the model's tree at rank RANK. */
  const errorBy = (distance: HessianDistance, model = autoencoder, of = source): Promise<number> =>
    once(model, `error of ${distance}`, async () => productsError(await treeBy(distance, model, of), model, RANK));

  it.each(HESSIAN_DISTANCES.filter((name) => name !== 'auto'))(
    'are_permutations_with_zero_rows_in_front_and_leaves_within_bounds: %s',
    async (distance) => {
      const { tree, chosen, candidates } = await hessianTree(
        autoencoder,
        source,
        { distance, leafSize: LEAF },
        { team },
      );
      expect(chosen).toBe(distance);
      expect(candidates).toEqual([]);
      const { size, order, begin, end, depth } = tree;
      expect(size).toBe(source.size);
      expect(Int32Array.from(order).sort()).toEqual(Int32Array.from({ length: size }, (_, i) => i));
      const diagonal = new Float64Array(size);
      source.diagonal(diagonal);
      const zeros = diagonal.filter((d) => d === 0).length;
      expect(zeros).toBeGreaterThan(0);
      expect(begin[0]).toBe(zeros);
      for (let p = 0; p < size; p++) expect(diagonal[order[p]] === 0).toBe(p < zeros);
      expect(mostInLeaf(tree)).toBeLessThanOrEqual(LEAF);
      for (let ν = 0; ν < 2 ** depth - 1; ν++) {
        expect([begin[2 * ν + 1], end[2 * ν + 1], end[2 * ν + 2]]).toEqual([begin[ν], begin[2 * ν + 2], end[ν]]);
      }
      for (let ν = 0; ν < begin.length; ν++) expect(end[ν]).toBeGreaterThan(begin[ν]);
    },
  );

  it('the_structural_tree_keeps_units_together_and_cuts_between_layers', async () => {
    const { order, begin, end } = await treeBy('structural');
    const { layers } = autoencoder.network;
    const unitOf = (index: number): string => {
      const ℓ = index < layers[1].offset ? 0 : 1;
      return `${ℓ}:${Math.floor((index - layers[ℓ].offset) / layers[ℓ].width)}`;
    };
    // Every unit's weights follow each other.
    const met = new Set<string>();
    for (let p = begin[0], last = ''; p < order.length; p++) {
      const unit = unitOf(order[p]);
      if (unit === last) continue;
      expect(met.has(unit)).toBe(false);
      met.add(unit);
      last = unit;
    }
    // 8·196 weights of either layer, less those of dead pixels: the border lies in the middle third, so the root is cut
    // there.
    for (let p = begin[1]; p < end[1]; p++) expect(order[p]).toBeLessThan(layers[1].offset);
    for (let p = begin[2]; p < end[2]; p++) expect(order[p]).toBeGreaterThanOrEqual(layers[1].offset);
  });

  it('the_column_major_order_goes_by_layer_then_input_then_unit', async () => {
    const { order, begin } = await treeBy('column-major');
    const key = (index: number): number => {
      const layer = autoencoder.network.layers[index < autoencoder.network.layers[1].offset ? 0 : 1];
      const within = index - layer.offset;
      return layer.offset + (within % layer.width) * layer.outputs + Math.floor(within / layer.width);
    };
    for (let p = begin[0] + 1; p < order.length; p++) expect(key(order[p])).toBeGreaterThan(key(order[p - 1]));
  });

  it('the_order_by_neuron_is_better_than_column_major_by_a_factor_of_ten_at_equal_rank', async () => {
    const model = await digitModel([6], 100, team, { pool: 1 });
    const of = gaussNewtonSource(model, { blas: team.blas });
    const rank = 32;
    const byNeuron = (await hessianTree(model, of, { distance: 'structural', leafSize: 64 }, { team })).tree;
    const columnMajor = (await hessianTree(model, of, { distance: 'column-major', leafSize: 64 }, { team })).tree;
    expect(10 * (await productsError(byNeuron, model, rank))).toBeLessThan(
      await productsError(columnMajor, model, rank),
    );
    const entriesError = async (tree: ClusterTree): Promise<number> =>
      (await (await compress(of, { tree, maxRank: rank, tolerance: 1e-10 }, { team })).estimateError(of)).high;
    expect(10 * (await entriesError(byNeuron))).toBeLessThan(await entriesError(columnMajor));
  });

  it('auto_never_picks_a_tree_half_as_bad_again_as_the_best', async () => {
    const models = [
      autoencoder,
      await digitModel([10, 10], 60, team, { classes: true }),
      await digitModel([8, 4, 8], 60, team, { bias: true }),
    ];
    for (const model of models) {
      const of = gaussNewtonSource(model, { blas: team.blas });
      const { chosen, candidates } = await hessianTree(model, of, { leafSize: LEAF, rank: RANK }, { team });
      expect(candidates.length).toBeGreaterThanOrEqual(2);
      const errors = new Map<string, number>();
      for (const { distance } of candidates) errors.set(distance, await errorBy(distance, model, of));
      expect(errors.get(chosen)!, [...errors].join(' ')).toBeLessThanOrEqual(1.5 * Math.min(...errors.values()));
    }
  });

  it('sampled_errors_are_near_those_of_matrices_of_that_rank', async () => {
    const distances = ['structural', 'angle', 'column-major'] as const;
    const trees = await Promise.all(distances.map((distance) => treeBy(distance)));
    const estimates = await estimateTreeErrors(
      source,
      gaussNewton(autoencoder, { blas: team.blas, team }),
      trees,
      { rank: RANK },
      { team },
    );
    for (const k of trees.keys()) {
      const ratio = estimates[k] / (await errorBy(distances[k]));
      expect(ratio, `${distances[k]}: ${ratio}`).toBeGreaterThan(1 / 4);
      expect(ratio, `${distances[k]}: ${ratio}`).toBeLessThan(4);
    }
    // A rank that no block exceeds leaves nothing.
    const [nothing] = await estimateTreeErrors(
      source,
      gaussNewton(autoencoder, { blas: team.blas }),
      [trees[0]],
      { rank: source.size },
      { team },
    );
    expect(nothing).toBeLessThan(1e-12);
  });

  it('are_the_same_for_any_team', async () => {
    const model = smallModel({ widths: [20, 15, 12], samples: 30 });
    const trees = await Promise.all(
      [1, 2, 3].map(async (workers) => {
        const own = await sharedTeam(workers);
        const tree = await hessianTree(
          model,
          gaussNewtonSource(model, { blas: own.blas }),
          { leafSize: 8, seed: 5 },
          { team: own },
        );
        return tree;
      }),
    );
    for (const tree of trees.slice(1)) expect(tree).toEqual(trees[0]);
  });

  it('refuse_bad_input', async () => {
    const make = (options: object, of: GaussNewtonSource = source, signal?: AbortSignal): Promise<unknown> =>
      hessianTree(autoencoder, of, { leafSize: LEAF, ...options } as never, { team, signal });
    await expect(make({ distance: 'nearest' })).rejects.toThrow(OptionError);
    await expect(make({ leafSize: 1 })).rejects.toThrow(OptionError);
    await expect(make({ leafSize: 7.5 })).rejects.toThrow(OptionError);
    await expect(make({ rank: 0 })).rejects.toThrow(OptionError);
    await expect(make({ distance: 'sketch', sketchDimension: 0 })).rejects.toThrow(OptionError);
    const other = smallModel();
    await expect(make({}, gaussNewtonSource(other, { blas: team.blas }))).rejects.toThrow(ShapeError);
    await expect(make({}, source, AbortSignal.abort())).rejects.toThrow(AbortedError);
    await expect(
      estimateTreeErrors(source, gaussNewton(other, { blas: team.blas }), [], { rank: 4 }, { team }),
    ).rejects.toThrow(ShapeError);
  });
});
