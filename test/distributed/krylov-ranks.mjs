/** Krylov methods over own rows on ranks that are threads, for test/distributed/krylov.test.ts. */
import { createHash } from 'node:crypto';
import { uniformPoints } from '#datasets/points.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { recorded } from '#hmatrix/distributed/recorded.js';
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { blockConjugateGradientSolver } from '#hmatrix/krylov/block-conjugate-gradients.js';
import { conjugateGradients, conjugateGradientSolver } from '#hmatrix/krylov/conjugate-gradients.js';
import {
  flexibleConjugateGradients,
  flexibleConjugateGradientSolver,
} from '#hmatrix/krylov/flexible-conjugate-gradients.js';
import { extremeEigenvalues } from '#hmatrix/krylov/lanczos.js';
import { minres, minresSolver } from '#hmatrix/krylov/minres.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { ownRows } from '#hmatrix/operator/own-rows.js';
import { permuted } from '#hmatrix/operator/permuted.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import { sum } from '#hmatrix/operator/sum.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { errorOf } from './collective-checks.mjs';

const digest = ({ buffer, byteOffset, byteLength }) =>
  createHash('sha1')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

/** Everything of an outcome, vectors as digests. */
const told = (solution) =>
  Object.fromEntries(
    Object.entries(solution).map(([key, value]) => {
      if (ArrayBuffer.isView(value)) return [key, digest(value)];
      return [key, typeof value === 'object' ? digest(value.data) : value];
    }),
  );

/** Runs `act` on a rank with a team. */
async function onRank({ world, rank, data }, act) {
  const communicator = recorded(threadCommunicator(world, rank));
  const team = await Team.open({ workers: 1, communicator });
  const found = await act(team, data);
  await team.close();
  communicator.close();
  return found;
}

/** A matrix and a right-hand side. */
async function made(team, { size, options }) {
  const source = kernelSource(uniformPoints(size, 2, 1), matern32(0.2), { blas: team.blas });
  const matrix = await compress(source, options, { team });
  const b = Float64Array.from({ length: size }, (_, i) => Math.sin(1.7 * i + 1));
  return { communicator: team.communicator, matrix, b, size };
}

/** Rows of a rank's own, as vectors of them. */
const ownOf = ({ own }, whole) => {
  const x = zeros(own.length, 1);
  own.forEach((i, r) => (x.data[r] = whole[i]));
  return x;
};

/** Outcomes of solves of each case, which are the same on any number of ranks. */
export const solves = (start) =>
  onRank(start, async (team, { cases }) => {
    const found = [];
    for (const one of cases) found.push(await outcomes(team, one));
    return found;
  });

async function outcomes(team, { shift: λ, ...one }) {
  const { communicator, matrix, b, size } = await made(team, one);
  const found = {};
  const whole = (name, operator, options, right = b) => {
    const { single = false, method = conjugateGradients, ...control } = options;
    const x = zeros(size, 1, single ? 'f32' : 'f64');
    found[name] = told(method(operator, right, x, control));
  };
  /** The same over own rows: x together has the bits of the whole one. */
  const own = (name, operator, { guess, method = conjugateGradients, ...options }, right = b) => {
    const x = zeros(matrix.own.length, 1);
    const from = guess === undefined ? undefined : ownOf(matrix, guess);
    const solution = method(operator, ownOf(matrix, right), x, { ...options, guess: from });
    const all = new Float64Array(size);
    matrix.own.forEach((i, r) => (all[i] = x.data[r]));
    communicator.allreduce(all, 'sum');
    const { direction: _, ...record } = told(solution);
    found[name] = { ...record, x: digest(all) };
  };
  // Only the last rank wants to stop.
  const signal = { aborted: false };
  const last = communicator.rank === communicator.size - 1;
  const stopping = () => ({ signal, onIteration: (k) => (signal.aborted = last && k === 3) });
  const a = shifted(matrix, λ);
  whole('plain', a, {});
  own('plain, own rows', ownRows(a), {});
  whole('loose', a, { relativeTolerance: 1e-3, maxIterations: 7 });
  whole('float32', a, { single: true, relativeTolerance: 1e-5 });
  whole('far out', scaled(a, 1e-180), {});
  const guess = Float64Array.from(b, (value) => value / 3);
  whole('guess', a, { guess });
  own('guess, own rows', ownRows(a), { guess });
  whole('zero', a, {}, new Float64Array(size));
  own('zero, own rows', ownRows(a), {}, new Float64Array(size));
  whole('indefinite', shifted(matrix, -2 * λ - 1), {});
  if (size < 200) whole('stagnated', a, { relativeTolerance: 1e-17 });
  const diagonal = diagonalOperator(Float64Array.from({ length: size }, (_, i) => 1 + (i % 3)));
  const flexible = (operator, ...rest) =>
    flexibleConjugateGradients(operator, ...rest.slice(0, 2), { directions: 3, ...rest[2] });
  for (const [name, method] of Object.entries({ flexible, minres })) {
    whole(name, a, { method });
    own(`${name}, own rows`, ownRows(a), { method });
    if (matrix.report.format === 'hss') {
      const M = await factor(matrix, { shift: 3 * λ, precision: 'f32' }, { team });
      whole(`${name} preconditioned`, a, { method, preconditioner: M });
      own(`${name} preconditioned, own rows`, ownRows(a), { method, preconditioner: M });
    }
    whole(`${name} aborted`, a, { method, ...stopping() });
    signal.aborted = false;
  }
  // Of four right-hand sides one is zero, and one twice another.
  const columns = Float64Array.from({ length: 4 * size }, (_, k) => {
    const [i, j] = [k % size, Math.floor(k / size)];
    return [b[i], 0, Math.cos(0.3 * i * i), 2 * b[i]][j];
  });
  const block = view(columns, 0, size, 4);
  const solveBlock = (name, operator, options, right = block) => {
    const x = zeros(right.rows, 4);
    const { signal, onIteration, ...made } = options;
    const solver = blockConjugateGradientSolver(operator, { blas: team.blas, ...made });
    found[name] = told(solver.solve(right, x, { signal, onIteration }));
    return x;
  };
  /** Own rows of the block, and together what came of them. */
  const ownBlock = (name, operator, options) => {
    const right = zeros(matrix.own.length, 4);
    const [from, to] = [(j, i) => i + j * size, (j, r) => r + j * right.rows];
    for (let j = 0; j < 4; j++) matrix.own.forEach((i, r) => (right.data[to(j, r)] = columns[from(j, i)]));
    const x = solveBlock(name, operator, options, right);
    const all = new Float64Array(4 * size);
    for (let j = 0; j < 4; j++) matrix.own.forEach((i, r) => (all[from(j, i)] = x.data[to(j, r)]));
    communicator.allreduce(all, 'sum');
    found[name].x = digest(all);
  };
  solveBlock('block', a, {});
  ownBlock('block, own rows', ownRows(a), {});
  solveBlock('block of two', a, { blockSize: 2 });
  solveBlock('block aborted', a, stopping());
  signal.aborted = false;
  solveBlock('block indefinite', shifted(matrix, -2 * λ - 1), {});
  whole('minres indefinite', shifted(matrix, -2 * λ - 1), { method: minres, relativeTolerance: 1e-6 });
  whole('sum', sum(a, diagonal), { preconditioner: diagonal });
  if (matrix.report.format === 'hss') {
    const factors = await factor(matrix, { shift: 3 * λ }, { team });
    whole('preconditioned', a, { preconditioner: factors });
    own('preconditioned, own rows', ownRows(a), { preconditioner: factors });
    own('both own rows', ownRows(a), { preconditioner: ownRows(factors) });
    solveBlock('block preconditioned', a, { preconditioner: factors });
    ownBlock('block preconditioned, own rows', ownRows(a), { preconditioner: factors });
    whole('negative preconditioner', a, { preconditioner: scaled(factors, -1) });
  }
  // Over another tree, whose parts have other rows.
  const other = await made(team, { size, options: { leafSize: 12, tolerance: 1e-2, seed: 5, distance: 'gram' } });
  const near = await factor(other.matrix, { shift: 10 * λ + 1 }, { team });
  whole('another tree', a, { preconditioner: near });
  own('another tree, own rows', ownRows(a), { preconditioner: near });
  whole('aborted', a, stopping());
  signal.aborted = false;
  found.again = told(await conjugateGradientSolver(a).solveAsync(b, zeros(size, 1)));
  const eigen = { tolerance: 1e-3, maxIterations: 40, blas: team.blas };
  const record = ({ smallest, largest, vectors: _, ...rest }) => ({ ...rest, ...smallest, top: largest.value });
  if (size > 64) {
    const { vectors, ...rest } = await extremeEigenvalues(a, eigen);
    found.eigenvalues = { ...rest, vectors: digest(vectors.data) };
    const own = await extremeEigenvalues(ownRows(a), eigen);
    found['eigenvalues, own rows'] = record(own);
    found['eigenvalues alike'] = JSON.stringify(record(own)) === JSON.stringify(record({ ...rest, vectors }));
  }
  matrix.release();
  other.matrix.release();
  return found;
}

const SOLVERS = {
  conjugateGradients: conjugateGradientSolver,
  flexibleConjugateGradients: flexibleConjugateGradientSolver,
  minres: minresSolver,
};

/** Messages of a solve of so many iterations, by operation. */
export const messages = (start) =>
  onRank(start, async (team, one) => {
    const { communicator, matrix, b } = await made(team, one);
    const factors = await factor(matrix, { shift: 1 }, { team });
    const right = ownOf(matrix, b);
    const x = zeros(matrix.own.length, 1);
    for (const [method, solverOf] of Object.entries(SOLVERS)) {
      const solver = solverOf(ownRows(shifted(matrix, 0.3)), { preconditioner: factors });
      for (const steps of [1, 2, 12]) {
        communicator.phase(`${method} ${steps}`);
        const { outcome, iterations } = solver.solve(right, x, { maxIterations: steps, relativeTolerance: 0 });
        if (outcome !== 'maxIterations' || iterations !== steps) throw new Error(`${outcome} after ${iterations}`);
      }
    }
    const solver = blockConjugateGradientSolver(ownRows(shifted(matrix, 0.3)), { blas: team.blas });
    const three = zeros(right.rows, 3);
    three.data.set(right.data);
    three.data.set(right.data.map(Math.cos), right.rows);
    three.data.set(right.data.map(Math.exp), 2 * right.rows);
    for (const steps of [1, 2, 12]) {
      communicator.phase(`blockConjugateGradients ${steps}`);
      solver.solve(three, zeros(right.rows, 3), { maxIterations: steps, relativeTolerance: 0 });
    }
    communicator.phase('product');
    matrix.applyOwn(right, x);
    communicator.phase('solve');
    factors.solveOwn(right, x);
    communicator.phase('end');
    return structuredClone(communicator.traffic);
  });

/** What is refused, on which rank. */
export const refusals = (start) =>
  onRank(start, async (team, one) => {
    const { communicator, matrix, b, size } = await made(team, one);
    const a = ownRows(shifted(matrix, 1));
    const bad = ownOf(matrix, b);
    if (communicator.rank === 0) bad.data[1] = Number.NaN;
    const x = zeros(matrix.own.length, 1);
    const plain = diagonalOperator(new Float64Array(size).fill(1));
    const user = { ...plain, onRows: undefined };
    return [
      errorOf(() => conjugateGradients(a, bad, x)),
      errorOf(() => conjugateGradients(a, new Float64Array(size + 1), x)),
      errorOf(() => conjugateGradients(a, ownOf(matrix, b), x, { preconditioner: user })),
      errorOf(() => ownRows(plain)),
      errorOf(() => conjugateGradients(shifted(matrix, 1), b, zeros(size, 1), { preconditioner: a })),
      errorOf(() => sum(a, diagonalOperator(new Float64Array(matrix.own.length)))),
      errorOf(() => permuted(a, matrix.own)),
      // Refused, all goes on.
      conjugateGradients(a, ownOf(matrix, b), x).outcome,
    ];
  });
