/**
 * What takes operators takes those of networks of layers: trees, compression, approximations, solves, the spectrum.
 */
import { describe, expect, it } from 'vitest';
import { approximate } from '#hmatrix/approximation/approximate.js';
import type { ApproximationMethod } from '#hmatrix/approximation/methods/table.js';
import { operatorError } from '#hmatrix/approximation/operator-error.js';
import { OptionError } from '#hmatrix/core/errors.js';
import { curvatureDiagonal } from '#hmatrix/curvature/kronecker/curvature-diagonal.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { compressHessian } from '#hmatrix/curvature/trees/compress-hessian.js';
import { structuralTree } from '#hmatrix/curvature/trees/structural-tree.js';
import { block, zeros } from '#hmatrix/dense/matrix.js';
import { spectralDensity } from '#hmatrix/krylov/spectral-density.js';
import { dense } from '#hmatrix/layers/affine.js';
import { graphNetwork, vectorInput } from '#hmatrix/layers/graph-network.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { estimateDiagonal } from '#hmatrix/lowrank/estimate-diagonal.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { solve } from '#hmatrix/solve/solve.js';
import { relativeError } from '../../support.js';
import { sharedTeam } from '../../teams.js';
import { denseOperator } from '../operators.js';
import { convolutional, language, variational } from './models.js';

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
      for (const preconditioner of [undefined, 'none', 'jacobi', 'kfac', 'ekfac', 'nystrom'] as const) {
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

  it('diagonals_are_those_of_the_dense_matrices', async () => {
    for (const model of [convolutional(7), language(5), variational(6)]) {
      const operators = [
        gaussNewton(model),
        empiricalFisher(model),
        monteCarloFisher(model, { draws: 3, seed: 5 }),
        monteCarloFisher({ ...model, parameters: Float32Array.from(model.parameters) }, { seed: 1 }),
      ];
      for (const operator of operators) {
        const exact = denseOperator(operator);
        const values = new Float64Array(operator.rows);
        operator.diagonal!(values);
        const largest = Math.max(...values);
        // Products round in the precision of the parameters, the diagonal in double.
        const rounding = 500 * (operator.precision === 'f32' ? 2 ** -24 : 2 ** -52);
        values.forEach((value, i) => {
          expect(Math.abs(value - exact.data[i * (exact.rows + 1)])).toBeLessThan(rounding * largest);
        });
      }
      const own = new Float64Array(model.network.trained);
      operators[0].diagonal!(own);
      expect(curvatureDiagonal(model, { batchSize: 2 }).values).toEqual(own);
      expect((await estimateDiagonal(operators[1])).exact).toBe(true);
    }
    expect(hessian(convolutional(4)).diagonal).toBeUndefined();
    expect(() => curvatureDiagonal(convolutional(4), { kind: 'hessian' })).toThrow(/estimateDiagonal/);
    expect(() => curvatureDiagonal(convolutional(4), { batchSize: 0 })).toThrow(OptionError);
  });

  it('diagonals_of_many_outputs_are_estimated', async () => {
    const network = graphNetwork({ inputs: vectorInput(2), layers: dense(1025), loss: 'mse' });
    const { inputs } = convolutional(2).data.batch(0, 2);
    const data = memoryDataSet(block(inputs, 0, 0, 2, 2), zeros(1025, 2));
    const g = gaussNewton({ network, parameters: new Float64Array(3075), data });
    expect(g.diagonal).toBeUndefined();
    const { values, standardErrors, exact } = await estimateDiagonal(g, { products: 64 });
    expect(exact).toBe(false);
    const known = curvatureDiagonal(g.model).values;
    let outside = 0;
    values.forEach((value, i) => {
      if (Math.abs(value - known[i]) > 4 * standardErrors[i] + 1e-12) outside++;
    });
    expect(outside / g.rows).toBeLessThan(0.05);
  });

  it('hessian_diagonals_are_estimated_with_their_errors', async () => {
    const h = hessian(convolutional(20));
    const exact = denseOperator(h);
    const { values, standardErrors } = await estimateDiagonal(h, { products: 64 });
    let outside = 0;
    values.forEach((value, i) => {
      if (Math.abs(value - exact.data[i * (h.rows + 1)]) > 4 * standardErrors[i] + 1e-12) outside++;
    });
    expect(outside / h.rows).toBeLessThan(0.05);
    const { exact: all, values: found } = await estimateDiagonal(h, { products: h.rows });
    expect(all).toBe(true);
    found.forEach((value, i) => {
      expect(Math.abs(value - exact.data[i * (h.rows + 1)])).toBeLessThan(1e-12);
    });
  });

  it('the_spectrum_has_mass_one', async () => {
    const g = gaussNewton(convolutional(40));
    const { grid, density } = await spectralDensity(g, { probes: 10 });
    let mass = 0;
    for (let k = 1; k < grid.length; k++)
      mass += ((density.value[k] + density.value[k - 1]) / 2) * (grid[k] - grid[k - 1]);
    expect(mass).toBeCloseTo(1, 2);
  });
});
