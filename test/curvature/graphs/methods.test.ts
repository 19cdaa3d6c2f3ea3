/**
 * What takes operators takes those of networks of layers: trees, compression, approximations, solves, the spectrum.
 */
import { describe, expect, it } from 'vitest';
import { approximate } from '#hmatrix/approximation/approximate.js';
import type { ApproximationMethod } from '#hmatrix/approximation/methods/table.js';
import { operatorError } from '#hmatrix/approximation/operator-error.js';
import { OptionError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { compressHessian } from '#hmatrix/curvature/trees/compress-hessian.js';
import { structuralTree } from '#hmatrix/curvature/trees/structural-tree.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { spectralDensity } from '#hmatrix/krylov/spectral-density.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { estimateDiagonal } from '#hmatrix/lowrank/estimate-diagonal.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { solve } from '#hmatrix/solve/solve.js';
import { relativeError } from '../../support.js';
import { sharedTeam } from '../../teams.js';
import { denseOperator } from '../operators.js';
import { convolutional, language } from './models.js';

/** The first channel of every image dark: nothing depends on its weights. */
function withDarkChannel(model: GraphModel): GraphModel {
  const { inputs, targets } = model.data.batch(0, model.data.samples);
  const dark = zeros(inputs.rows, inputs.cols);
  dark.data.set(inputs.data);
  for (let i = 0; i < inputs.cols; i++) dark.data.fill(0, i * 40, i * 40 + 20);
  return { ...model, data: memoryDataSet(dark, targets) };
}

describe('methods_of_graphs', () => {
  it('trees_stand_by_layer_and_channel', async () => {
    const team = await sharedTeam(2);
    for (const model of [convolutional(20), language(12)]) {
      const tree = await structuralTree(model, { leafSize: 8, seed: 1 }, { team });
      expect(tree.size).toBe(model.network.trained);
      expect([...tree.order].sort((a, b) => a - b)).toEqual(Array.from({ length: tree.size }, (_, i) => i));
      const leaves = tree.begin.subarray(2 ** tree.depth - 1);
      leaves.forEach((begin, k) => expect(tree.end[2 ** tree.depth - 1 + k] - begin).toBeLessThanOrEqual(8));
      // What is not isolated stands layer by layer, and in a layer channel by channel.
      const seen: string[] = [];
      for (const index of tree.order.subarray(tree.begin[0])) {
        const { name, offset, width } = model.network.layers.find(
          (layer) => index >= layer.offset && index < layer.offset + layer.width * layer.outputs,
        )!;
        const unit = `${name} ${Math.floor((index - offset) / width)}`;
        if (seen.at(-1) !== unit) seen.push(unit);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect((await structuralTree(model, { leafSize: 8, seed: 1 })).order).toEqual(tree.order);
    }
  });

  it('weights_that_nothing_depends_on_are_isolated', async () => {
    const model = withDarkChannel(convolutional(20));
    const tree = await structuralTree(model, { leafSize: 8 });
    const { width, outputs } = model.network.layers[0];
    const dark = Array.from({ length: width * outputs }, (_, k) => k).filter((k) => k % 2 === 0);
    expect([...tree.order.subarray(0, tree.begin[0])]).toEqual(dark);
  });

  it('compressed_hessians_keep_their_tolerance', async () => {
    for (const model of [convolutional(40), language(20)]) {
      const g = gaussNewton(model);
      for (const format of ['hss', 'hodlr'] as const) {
        const { matrix, tree } = await compressHessian(model, { format, leafSize: 16, maxRank: 64, tolerance: 1e-3 });
        expect(tree.size).toBe(g.rows);
        const { relative } = await operatorError(g, matrix);
        // The tolerance is one of each level's bases; levels add up.
        expect(relative).toBeLessThan(1e-3 * (tree.depth + 1));
        expect(relative).toBeGreaterThan(0);
      }
    }
    await expect(compressHessian(convolutional(4), { format: 'fmm' })).rejects.toThrow(OptionError);
    await expect(compressHessian(convolutional(4), { distance: 'gram' } as object)).rejects.toThrow(OptionError);
  });

  it('approximations_measure_their_errors', async () => {
    const model = convolutional(40);
    const g = gaussNewton(model);
    const exact = denseOperator(g);
    const methods: ApproximationMethod[] = ['rsvd', 'nystrom', 'hss', 'hodlr', 'hm', 'kfac', 'kfac-mc', 'ekfac'];
    for (const method of methods) {
      const made = await approximate(g, method, { share: 0.6 }, { leafSize: 16 });
      const { relative } = await made.error();
      expect(relative).toBeGreaterThan(0);
      expect(relative).toBeLessThan(1);
      const dense = relativeError(denseOperator(made.operator), exact);
      expect(Math.abs(relative - dense)).toBeLessThan(1e-10);
    }
    const chosen = await approximate(g, { share: 0.5 });
    expect(chosen.tried?.map(({ method }) => method)).toEqual(expect.arrayContaining(['hm', 'ekfac', 'kfac', 'rsvd']));
    for (const method of ['fmm', 'kronecker-sum', 'eigenbasis', 'block-diagonal', 'diagonal'] as const)
      await expect(approximate(g, method, { share: 0.5 })).rejects.toThrow(OptionError);
  });

  it('shifted_systems_are_solved', async () => {
    for (const model of [convolutional(40), language(20)]) {
      const g = gaussNewton(model);
      const { gradient } = lossAndGradient(model);
      const exact = denseOperator(g);
      for (const preconditioner of [undefined, 'none', 'kfac', 'ekfac', 'nystrom'] as const) {
        const { x, outcome } = await solve(g, gradient as Float64Array, {
          shift: 1e-3,
          tolerance: 1e-8,
          preconditioner,
        });
        expect(outcome).toBe('converged');
        let residual = 0;
        let norm = 0;
        for (let i = 0; i < g.rows; i++) {
          let sum = 1e-3 * x.data[i] - gradient[i];
          for (let j = 0; j < g.rows; j++) sum += exact.data[i + j * g.rows] * x.data[j];
          residual += sum ** 2;
          norm += gradient[i] ** 2;
        }
        expect(Math.sqrt(residual / norm)).toBeLessThan(1.01e-8);
      }
    }
  });

  it('diagonal_and_spectrum_are_those_of_the_dense_matrix', async () => {
    const model = convolutional(40);
    const g = gaussNewton(model);
    const exact = denseOperator(g);
    const diagonal = Float64Array.from({ length: g.rows }, (_, i) => exact.data[i * (g.rows + 1)]);
    const { values, standardErrors } = await estimateDiagonal(g, { products: 64 });
    let outside = 0;
    values.forEach((value, i) => {
      if (Math.abs(value - diagonal[i]) > 4 * standardErrors[i] + 1e-12) outside++;
    });
    expect(outside / g.rows).toBeLessThan(0.05);
    const { grid, density } = await spectralDensity(g, { probes: 10 });
    let mass = 0;
    for (let k = 1; k < grid.length; k++)
      mass += ((density.value[k] + density.value[k - 1]) / 2) * (grid[k] - grid[k - 1]);
    expect(mass).toBeCloseTo(1, 2);
  });
});
