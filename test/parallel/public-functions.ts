/**
 * The public asynchronous functions that work on a team, over small matrices: for tests of what happens between several
 * of them, and when a team is closed under them.
 */
import * as hmatrix from '#hmatrix/index.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { normalPoints, randomMatrix } from '../support.js';
import { smallModel } from '../network/models.js';

/** Numbers that a function found, and nothing of its time. */
export type Outcome = readonly (number | string | ArrayLike<number>)[];
export type PublicFunction = (control?: hmatrix.Control) => Promise<Outcome>;

/** Everything stands on one team (the default one where none is given), and the objects they share are made before. */
export async function publicFunctions(team?: hmatrix.Team): Promise<Record<string, PublicFunction>> {
  const on = team === undefined ? {} : { team };
  const size = 96;
  const { compress, factor, solve } = hmatrix;
  const source = hmatrix.kernelSource(normalPoints(size, 2, 3), hmatrix.kernels.gaussian(1), { ridge: 0.1 });
  // Entries that only the calling thread can evaluate.
  const here: EntrySource = {
    size,
    entries: (rows, cols, out) => source.entries(rows, cols, out),
    diagonal: (out) => source.diagonal(out),
  };
  const options = { leafSize: 12, tolerance: 1e-4 };
  const hss = await compress(source, { ...options, format: 'hss' }, on);
  const hodlr = await compress(source, { ...options, format: 'hodlr' }, on);
  const fmm = await compress(source, { ...options, format: 'fmm', budget: 0.2 }, on);
  const operator = await hmatrix.operators.entryOperator(source, { keepBytes: 0 }, on);
  const factored = await factor(hss, { shift: 0.1 }, on);
  const tree = await hmatrix.trees.buildClusterTree(source, 'gram', { leafSize: 12 }, on);
  const model = smallModel({ widths: [4, 5, 3], samples: 7 });
  const curvature = hmatrix.gaussNewton(model, on);
  const curvatureSource = hmatrix.curvature.gaussNewtonSource(model);
  const b = randomMatrix(size, 2, 4);
  const g = randomMatrix(curvature.rows, 1, 5);
  const probes = { probes: 4, degree: 10 };
  const ritz = ({ smallest, largest }: hmatrix.krylov.ExtremeEigenvalues): Outcome => [smallest.value, largest.value];
  const given = (control: hmatrix.Control | undefined): hmatrix.Control => ({ ...on, ...control });
  return {
    compress: async (control) => [(await compress(source, options, given(control))).data.values],
    'compress on the calling thread': async (control) => [(await compress(here, options, given(control))).data.values],
    compressOperator: async (control) => [
      (
        await hmatrix.hierarchical.compressOperator(
          operator,
          tree,
          { format: 'hss', maxRank: 8, tolerance: 1e-3, seed: 0 },
          given(control),
        )
      ).data.values,
    ],
    operatorError: async (control) => {
      const { relative } = await hmatrix.approximation.operatorError(source, hss, { columns: 40 }, given(control));
      return [relative];
    },
    estimateError: async (control) => [(await fmm.estimateError(here, { columns: 30 }, control)).relative],
    factor: async (control) => {
      const f = await factor(hodlr, { shift: 0.5 }, given(control));
      return [f.logdet, f.solve(b).data];
    },
    diagonalOfInverse: async (control) => [await factored.diagonalOfInverse(control)],
    conditionEstimate: async (control) => [(await factored.conditionEstimate({}, control)).condition],
    certifyDefiniteness: async (control) => {
      const { definite, smallest } = await hmatrix.hierarchical.certifyDefiniteness(hss, {}, given(control));
      return [definite, smallest.value];
    },
    solve: async (control) => {
      const { x, iterations } = await solve(operator, b, { shift: 0.5, source }, given(control));
      return [x.data, iterations];
    },
    'solve with a compressed matrix': async (control) => [(await solve(fmm, b, { shift: 0.5 }, given(control))).x.data],
    makePreconditioner: async (control) => [
      hmatrix.operators.apply(
        (await hmatrix.preconditioners.makePreconditioner(operator, 'hss', { shift: 1, source }, given(control)))
          .operator!,
        b,
      ).data,
    ],
    entryOperator: async (control) => [
      hmatrix.operators.apply(await hmatrix.operators.entryOperator(source, {}, given(control)), b).data,
    ],
    blockDiagonal: async (control) => [
      hmatrix.operators.apply(
        await hmatrix.operators.blockDiagonal(source, Int32Array.of(0, 40, 70, size), {}, given(control)),
        b,
      ).data,
    ],
    findNeighbors: async (control) => [
      (await hmatrix.trees.findNeighbors(source, 'gram', { neighbors: 4 }, given(control))).indices,
    ],
    buildClusterTree: async (control) => [
      (await hmatrix.trees.buildClusterTree(here, 'angle', { leafSize: 12 }, given(control))).order,
    ],
    approximate: async (control) => {
      const a = await hmatrix.approximate(operator, 'hodlr', { share: 0.5 }, { source }, given(control));
      return [(await a.error()).relative];
    },
    randomizedSvd: async (control) => [
      (await hmatrix.lowrank.randomizedSvd(operator, { rank: 6 }, given(control))).operator.values,
    ],
    nystrom: async (control) => [
      (await hmatrix.lowrank.nystrom(operator, { rank: 6 }, given(control))).operator.values,
    ],
    extremeEigenvalues: async (control) => ritz(await hmatrix.krylov.extremeEigenvalues(fmm, {}, control)),
    logDeterminant: async (control) => [(await hmatrix.krylov.logDeterminant(operator, probes, control)).value],
    preconditionedLogDeterminant: async (control) => [
      (
        await hmatrix.krylov.preconditionedLogDeterminant(
          operator,
          { shift: 1, source, probes: 2, degree: 4 },
          given(control),
        )
      ).value,
    ],
    spectralDensity: async (control) => [
      (await hmatrix.krylov.spectralDensity(hss, { ...probes, grid: { count: 20 } }, control)).density.value,
    ],
    stochasticLanczosQuadrature: async (control) => [
      (await hmatrix.krylov.stochasticLanczosQuadrature(curvature, Math.abs, probes, control)).value,
    ],
    'solve with curvature': async (control) => [
      (await solve(curvature, g, { shift: 1, preconditioner: 'jacobi' }, given(control))).x.data,
    ],
    kroneckerHierarchical: async (control) => {
      const k = await hmatrix.curvature.kroneckerHierarchical(model, { tolerance: 0.2 }, given(control));
      return [hmatrix.operators.apply(k, g).data];
    },
    compressHessian: async (control) => [
      (await hmatrix.curvature.compressHessian(model, { leafSize: 8, tolerance: 1e-2 }, given(control))).matrix.data
        .values,
    ],
    hessianTree: async (control) => [
      (await hmatrix.curvature.hessianTree(model, curvatureSource, { leafSize: 8 }, given(control))).tree.order,
    ],
  };
}

/** The bytes of an outcome: equal for equal bits. */
export function bitsOf(outcome: Outcome): string {
  return outcome
    .map((part) =>
      typeof part === 'string'
        ? part
        : Buffer.from(Float64Array.from(typeof part === 'number' ? [part] : part).buffer).toString('base64'),
    )
    .join('|');
}
