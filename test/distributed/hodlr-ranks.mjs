/** HODLR matrices of ranks that are threads: digests of all that they give (hodlr-ranks.test.ts). */
import { createHash } from 'node:crypto';
import { uniformPoints } from '#datasets/points.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { recorded } from '#hmatrix/distributed/recorded.js';
import { load } from '#hmatrix/files/load.js';
import { save } from '#hmatrix/files/save.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { blockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import { readContainer } from '#hmatrix/io/container.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, matern32 } from '#hmatrix/source/kernels/named.js';

const digest = ({ buffer, byteOffset, byteLength }) =>
  createHash('sha1')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

const keptIn = async (file) => {
  const { arrays } = await readContainer(file);
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, digest(array)]));
};

/** The rows that are this rank's own, of a block that all have. */
function ownOf({ own }, block) {
  const rows = zeros(own.length, block.cols);
  for (let j = 0; j < block.cols; j++)
    own.forEach((i, r) => (rows.data[r + j * rows.ld] = block.data[block.offset + i + j * block.ld]));
  return rows;
}

/** What a rank finds, or one process alone. */
export async function look(communicator, { size, options, shift, file, workers = 1 }) {
  const team = await Team.open({ workers, communicator });
  const source = kernelSource(uniformPoints(size, 2, 1), matern32(0.1), { blas: team.blas });
  const x = new Float64Array(size * 5);
  for (let k = 0; k < x.length; k++) x[k] = Math.sin(1.7 * k);
  const block = view(x, 0, size, 5);
  const found = {};
  /** Own rows are those rows of the whole, bit for bit. */
  const whole = (name, all, own) => {
    found[name] = digest(all.data);
    found[`own ${name}`] = digest(ownOf(matrix, all).data) === digest(own.data);
  };
  const matrix = await compress(source, { ...options, format: 'hodlr' }, { team });
  found.ranks = matrix.ranks();
  found.structure = blockStructure(matrix);
  found.error = (await matrix.estimateError(source, { columns: 32 })).relative;
  found.diagonal = digest(matrix.diagonal());
  found.product = digest(matrix.apply(x.slice(0, size)).data);
  whole('products', matrix.apply(block), matrix.applyOwn(ownOf(matrix, block)));
  await save(file, matrix);
  found.file = await keptIn(file);
  const read = await load(file, { team });
  found.read = digest(read.apply(block).data);
  read.release();
  const factors = await factor(matrix, { shift }, { team });
  found.logdet = factors.logdet;
  found.inertia = factors.inertia;
  found.solution = digest(factors.solve(x.slice(0, size)).data);
  whole('solutions', factors.solve(block), factors.solveOwn(ownOf(matrix, block)));
  whole('F·Z', factors.applyFactor(block), factors.applyFactorOwn(block));
  whole('samples', factors.sample({ of: 'inverse', count: 2 }), factors.sampleOwn({ of: 'inverse', count: 2 }));
  const [diagonal, own] = [await factors.diagonalOfInverse(), await factors.diagonalOfInverseOwn()];
  whole("inverse's diagonal", view(diagonal, 0, size, 1), view(own, 0, own.length, 1));
  // A rank must not write to the file before all have read it.
  communicator.barrier();
  await save(file, factors);
  found.factors = await keptIn(file);
  const again = await load(file, { kind: 'factorization', team });
  found.readSolutions = digest(again.solve(block).data);
  found.readLogdet = again.logdet;
  await again.refactor(2 * shift);
  found.refactored = digest(again.solve(block).data);
  await factors.refactor(2 * shift);
  found.alike = digest(factors.solve(block).data) === found.refactored;
  matrix.release();
  const smooth = kernelSource(uniformPoints(size, 2, 1), gaussian(2), { blas: team.blas });
  const singular = await compress(
    smooth,
    { format: 'hodlr', leafSize: 50, maxRank: 8, tolerance: 1e-2 },
    { team, onProgress: () => undefined },
  );
  found.refusal = await factor(singular, { shift: 0, suggestShift: false }, { team }).then(
    () => 'none',
    (error) => `${error.name}: ${error.message}`,
  );
  await team.close();
  return found;
}

/** Messages that a rank sends to siblings, by what is done. */
export async function messages(among, { size }) {
  const communicator = recorded(among);
  const team = await Team.open({ workers: 1, communicator });
  const source = kernelSource(uniformPoints(size, 2, 1), matern32(0.1), { blas: team.blas });
  const matrix = await compress(source, { format: 'hodlr', leafSize: 32, maxRank: 16, tolerance: 1e-12 }, { team });
  const x = new Float64Array(size).fill(1);
  matrix.apply(x);
  communicator.phase('product');
  matrix.apply(x);
  communicator.phase('factorization');
  const factors = await factor(matrix, { shift: 10 }, { team });
  communicator.phase('solve');
  factors.solve(x);
  communicator.phase('F');
  factors.applyFactor(x);
  const { traffic } = communicator;
  await team.close();
  const sent = ([phase, { send }]) => [phase, send?.messages ?? 0];
  return Object.fromEntries(Object.entries(traffic).map(sent));
}
