/**
 * Hierarchical matrices of several ranks, in small: each case's products, solutions and reports as digests, which do
 * not depend on the number of ranks.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uniformPoints } from '#datasets/points.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { load } from '#hmatrix/files/load.js';
import { save } from '#hmatrix/files/save.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { blockErrors } from '#hmatrix/hierarchical/matrix/block-errors.js';
import { blockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import { readContainer } from '#hmatrix/io/container.js';
import { conjugateGradients } from '#hmatrix/krylov/conjugate-gradients.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, matern32 } from '#hmatrix/source/kernels/named.js';

const digest = ({ buffer, byteOffset, byteLength }) =>
  createHash('sha1')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

/** N, dimension, kernel, options of compress, λ (undefined: it is not factored). */
const CASES = [
  [1, 2, matern32(0.1), {}, 0.1],
  [2, 2, matern32(0.1), {}, 0.1],
  [100, 2, matern32(0.1), { leafSize: 10, maxRank: 12, tolerance: 1e-4 }, 0.1],
  [777, 2, matern32(0.1), { leafSize: 100, maxRank: 50 }, 0.1],
  [2100, 2, matern32(0.2), { tolerance: 1e-4 }, 0.1],
  [2100, 6, gaussian(1), { tolerance: 1e-2 }, 10],
  [1500, 2, matern32(0.1), { tolerance: 1e-3, dtype: 'f32' }, 1],
  [1200, 2, matern32(0.1), { format: 'hodlr', leafSize: 100, maxRank: 50 }, 0.1],
  [1200, 3, gaussian(0.5), { tolerance: 1e-4, preserve: 'positive-definite' }, 1e-3],
  [1200, 2, matern32(0.1), { tolerance: 1e-4, format: 'fmm', budget: 0.2, leafSize: 40 }, undefined],
  [100, 2, matern32(0.1), { leafSize: 10, maxRank: 12, tolerance: 1e-4, format: 'fmm', budget: 0.2 }, undefined],
];

/** Points with rows of zeros among them. */
const withZeros = (source, size) => ({
  size,
  entries(rows, cols, out) {
    source.entries(rows, cols, out);
    for (let j = 0; j < cols.length; j++)
      for (let i = 0; i < rows.length; i++)
        if (rows[i] % 7 === 3 || cols[j] % 7 === 3) out.data[out.offset + i + j * out.ld] = 0;
  },
  diagonal(out) {
    source.diagonal(out);
    for (let i = 3; i < size; i += 7) out[i] = 0;
  },
});

const communicator = await openMpi();
const workers = Number(process.argv[2] ?? 1);
const team = await Team.open({ workers, communicator });
const found = [];

/** Files of one process and of several ranks are read by both. */
const [file = join(tmpdir(), `ranks-${process.pid}.hm`)] = process.argv.slice(3);
/** Digests of the arrays that a file keeps, by name. */
const kept = async (path) => {
  const { arrays } = await readContainer(path);
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, digest(array)]));
};

/** What `act` makes of the own rows of a block, on all ranks. */
function gathered({ own, size }, act, block) {
  const x = zeros(own.length, block.cols);
  for (let j = 0; j < block.cols; j++) own.forEach((i, r) => (x.data[r + j * x.ld] = block.data[i + j * block.ld]));
  const y = act(x);
  const all = new Float64Array(size * block.cols);
  for (let j = 0; j < block.cols; j++) own.forEach((i, r) => (all[i + j * size] = y.data[y.offset + r + j * y.ld]));
  // Each index is one rank's: all others have zeros there.
  communicator.allreduce(all, 'sum');
  return all;
}

/** Samples, F·Z, F⁻ᵀ·Z, the inverse's diagonal and the condition number; own rows are those rows of all. */
async function lookAtFactors(matrix, factors, block, { digests, numbers }) {
  digests.push(digest(factors.applyFactor(block).data), digest(factors.applyInverseFactor(block).data));
  for (const of of ['matrix', 'inverse']) {
    const drawn = factors.sample({ count: 3, seed: 2, of });
    digests.push(digest(drawn.data));
    ownAre(matrix, factors.sampleOwn({ count: 3, seed: 2, of }), drawn, `samples of the ${of}`);
  }
  const diagonal = await factors.diagonalOfInverse();
  digests.push(digest(diagonal));
  const own = await factors.diagonalOfInverseOwn();
  ownAre(matrix, view(own, 0, own.length, 1), view(diagonal, 0, diagonal.length, 1), 'the diagonal of the inverse');
  if (factors.size > 1000) return;
  const { condition, converged } = await factors.conditionEstimate({ maxIterations: 5 });
  numbers.push(condition, converged);
  await keepFactors(factors, block, { digests, numbers });
}

/** A factorization's file, and what is read of it. */
async function keepFactors(factors, block, { digests, numbers }) {
  await save(file, factors);
  const read = await load(file, { kind: 'factorization', team });
  await save(file, read);
  read.release();
  const again = await load(file, { kind: 'factorization', team });
  digests.push(await kept(file), digest(again.solve(block).data));
  numbers.push(again.logdet, again.inertia.negative);
  await again.refactor(2 * factors.shift);
  digests.push(digest(again.solve(block).data));
  again.release();
}

/** Fails unless rows are the own ones of all. */
function ownAre({ own }, rows, all, what) {
  for (let j = 0; j < all.cols; j++)
    own.forEach((i, r) => {
      if (rows.data[rows.offset + r + j * rows.ld] !== all.data[all.offset + i + j * all.ld])
        throw new Error(`${what}: row ${r}, column ${j} of rank ${communicator.rank} is not that of index ${i}`);
    });
}

async function look(source, options, shift) {
  const { size } = source;
  const x = new Float64Array(size * 5);
  for (let k = 0; k < x.length; k++) x[k] = Math.sin(1.7 * k);
  const block = view(x, 0, size, 5);
  const matrix = await compress(source, options, { team });
  const { met, seen, norm, leafSize, maxRank, resampled, missed } = matrix.report;
  const digests = [digest(matrix.apply(x.slice(0, size)).data), digest(matrix.apply(block).data)];
  digests.push(digest(matrix.diagonal()));
  digests.push(digest(gathered(matrix, (own) => matrix.applyOwn(own), block)));
  const numbers = [met, seen, norm, leafSize, maxRank, resampled, missed];
  const { relative, low, high } = await matrix.estimateError(source, { columns: 64 });
  numbers.push(relative, low, high);
  if (size <= 1000) numbers.push(blockStructure(matrix), await blockErrors(matrix, source, { columns: 1 }));
  await save(file, matrix);
  const again = await load(file, { team });
  digests.push(digest(again.apply(block).data), await kept(file));
  again.release();
  if (shift !== undefined) {
    const factors = await factor(matrix, { shift }, { team });
    const { positive, negative } = factors.inertia;
    digests.push(digest(factors.solve(block).data), digest(factors.solve(x.slice(0, size)).data));
    digests.push(digest(gathered(matrix, (own) => factors.solveOwn(own), block)));
    await lookAtFactors(matrix, factors, block, { digests, numbers });
    await factors.refactor(2 * shift);
    digests.push(digest(factors.solve(block).data));
    numbers.push(factors.logdet, positive, negative);
    // The factors are those of 2λ: some steps are needed.
    const solution = view(new Float64Array(size), 0, size, 1);
    const operator = shifted(matrix, shift);
    const { iterations } = conjugateGradients(operator, x.slice(0, size), solution, { preconditioner: factors });
    digests.push(digest(solution.data));
    numbers.push(iterations);
    if (options.format === undefined && options.preserve === undefined) {
      const indefinite = await factor(matrix, { shift: -shift / 3, indefinite: true }, { team }).catch((e) => e.name);
      if (typeof indefinite === 'string') numbers.push(indefinite);
      else {
        digests.push(digest(indefinite.solve(block).data), digest(await indefinite.diagonalOfInverse()));
        numbers.push(indefinite.inertia.negative, indefinite.logdet);
        if (size <= 1000) await keepFactors(indefinite, block, { digests, numbers });
      }
    }
  }
  found.push({ size, digests, numbers, ranks: matrix.ranks() });
  matrix.release();
}

for (const [size, dimension, kernel, options, shift] of CASES)
  await look(kernelSource(uniformPoints(size, dimension, 1), kernel, { blas: team.blas }), options, shift);
const kernel = kernelSource(uniformPoints(500, 2, 1), matern32(0.1), { blas: team.blas });
await look(withZeros(kernel, 500), { leafSize: 20, tolerance: 1e-4 }, 0.1);

/** What one of several ranks refuses, or finds out, all do. */
const refused = async (act) => {
  try {
    await act();
    return 'done';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};
const source = kernelSource(uniformPoints(300, 2, 1), gaussian(2), { blas: team.blas });
const matrix = await compress(source, { leafSize: 20, tolerance: 1e-3, maxRank: 8 }, { team });
const messages = [await refused(() => factor(matrix, { shift: 0 }, { team }))];
/** A chain of 80 points and clusters of 40 far from each other: one near block, which only some ranks have. */
const chain = Float64Array.from({ length: 320 }, (_, i) => (i < 80 ? 0 : 100 + 100 * Math.floor(i / 40)) + 0.01 * i);
const clusters = kernelSource({ dimension: 1, count: 320, coordinates: chain }, gaussian(0.5), { blas: team.blas });
const near = await compress(clusters, { format: 'fmm', budget: 0.13, leafSize: 40, tolerance: 1e-4 }, { team });
messages.push(await refused(() => factor(near, { shift: 1 }, { team })));
await team.close();
if (communicator.rank === 0) await rm(file);
if (communicator.rank === 0) process.stdout.write(`${JSON.stringify({ ranks: communicator.size, found, messages })}\n`);
communicator.close();
