/**
 * The readers in Python: what they make of a saved file multiplies and solves as the library does. Python and NumPy are
 * Debian's python3-numpy (SciPy for its LinearOperator: python3-scipy); without them these tests are skipped.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerSum } from '#hmatrix/curvature/kronecker-sum/compress.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { normalPoints } from '#datasets/points.js';
import type { Saved } from '#hmatrix/files/kinds.js';
import { save } from '#hmatrix/files/save.js';
import { factor, type FactorOptions } from '#hmatrix/hierarchical/factor/factor.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { readNpyMatrix, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { nystrom } from '#hmatrix/lowrank/nystrom.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { randomModel } from '../curvature/brute-force.js';
import { smoothModel } from '../curvature/smooth-inputs.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { interpreterWith, runPython, without } from './interpreter.js';

const readers = resolve(import.meta.dirname, '../../python');
const folder = temporaryFolder();
const interpreter = interpreterWith('numpy') ?? '';
const numpy = interpreter !== '';
const scipy = numpy && interpreterWith('numpy', 'scipy.sparse.linalg') === interpreter;

/** Runs a program with the readers on its path; its standard output. */
const python = (program: string, ...args: string[]): Promise<string> => runPython(interpreter, program, args, readers);

const MULTIPLY = `
import sys, numpy, hmatrix_reader
saved = hmatrix_reader.load(sys.argv[1], verify=True)
x = numpy.load(sys.argv[2])
y = saved @ x
assert numpy.array_equal(saved @ x[:, 0], (saved @ x[:, :1])[:, 0])
numpy.save(sys.argv[3], numpy.asfortranarray(y))
`;

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

/** Relative distance of Python's product from the library's. */
async function distance(saved: Saved): Promise<number> {
  const [path, x, out] = ['saved.npz', 'x.npy', 'y.npy'].map((name) => join(folder, name));
  await save(path, saved);
  const vectors: Matrix<Float64Array> = zeros(saved.rows, 3);
  new RandomStream(5).fillNormal(vectors.data);
  await writeNpyMatrix(x, vectors);
  await python(MULTIPLY, path, x, out);
  return relativeError(await readNpyMatrix(out), apply(saved, vectors));
}

const matrix = (options: CompressOptions): ReturnType<typeof compress> =>
  compress(
    kernelSource(normalPoints(400, 3, 5), gaussian(1.5), { blas: team.blas }),
    { leafSize: 30, maxRank: 120, tolerance: 1e-4, ...options },
    { team },
  );

describe(`Python's reader${without(numpy, 'numpy')}`, () => {
  it('stands_in_files_of_less_than_200_lines_of_120_columns', () => {
    for (const name of readdirSync(readers).filter((file) => file.endsWith('.py'))) {
      const lines = readFileSync(join(readers, name), 'utf8').split('\n');
      expect(lines.length, name).toBeLessThan(200);
      for (const line of lines) expect([...line].length, `${name}: ${line}`).toBeLessThanOrEqual(120);
    }
  });

  it
    .skipIf(!numpy)
    .each([
      { format: 'hss' },
      { format: 'hodlr' },
      { format: 'fmm', budget: 0.2 },
      { format: 'hss', leafSize: 400 },
      { format: 'hss', leafSize: 130 },
    ] as CompressOptions[])('multiplies with a matrix of %o', async (options) => {
    expect(await distance(await matrix(options))).toBeLessThan(1e-12);
  });

  it.skipIf(!numpy)('multiplies with a matrix in float32 to its rounding', async () => {
    expect(await distance(await matrix({ format: 'hss', dtype: 'f32' }))).toBeLessThan(1e-5);
  });

  it.skipIf(!numpy).each([
    [{ format: 'hss' }, { shift: 1 }],
    [{ format: 'hss' }, { shift: -0.3, indefinite: true }],
    [{ format: 'hss', leafSize: 400 }, { shift: 1 }],
    [{ format: 'hodlr' }, { shift: 1 }],
  ] as [CompressOptions, FactorOptions][])('solves with a factorization of %o with %o', async (options, how) => {
    // Both are backward stable: they differ by what the condition number, below 1e3, makes of rounding.
    expect(await distance(await factor(await matrix(options), how, { team }))).toBeLessThan(1e-12);
  });

  it.skipIf(!numpy)('multiplies with sums of Kronecker products', async () => {
    const random = randomModel({ widths: [20, 5, 12], activation: 'tanh', loss: 'mse', bias: true, samples: 30 });
    const widths = [14, 5, 4, 3];
    const smooth = smoothModel(widths, { widths, activation: 'sigmoid', loss: 'squared-error', bias: true, seed: 2 });
    expect(await distance(await kroneckerSum(random, { share: 0.4 }, { team }))).toBeLessThan(1e-12);
    for (const semidefinite of [false, true]) {
      const made = await kroneckerSum(smooth, { share: 0.07, semidefinite }, { team });
      expect(made.data.terms.some((term) => term !== null)).toBe(true);
      expect(await distance(made)).toBeLessThan(1e-12);
    }
  });

  it.skipIf(!numpy)('multiplies and solves in the Kronecker eigenbasis, and with low rank', async () => {
    for (const loss of ['mse', 'cross-entropy'] as const) {
      const model = randomModel({ widths: [14, 5, 8], activation: 'tanh', loss, bias: true, samples: 30 });
      const made = await kroneckerHierarchical(model, { share: 0.5, preserve: 'positive-definite' }, { team });
      expect(await distance(made)).toBeLessThan(1e-12);
      expect(await distance(await factorKronecker(made, { shift: 0.3 }, { team }))).toBeLessThan(1e-12);
      expect(await distance((await nystrom(gaussNewton(model), { rank: 9 }, { team })).operator)).toBeLessThan(1e-12);
    }
  });

  it.skipIf(!numpy)('refuses what is damaged, foreign or newer', async () => {
    const path = join(folder, 'bad.npz');
    const load = async (verify: boolean): Promise<string> =>
      python(
        'import sys, hmatrix_reader\nhmatrix_reader.load(sys.argv[1], verify=sys.argv[2] == "1")',
        path,
        verify ? '1' : '0',
      ).catch((error: { stderr: string }) => error.stderr);
    await save(path, await matrix({ format: 'hss' }));
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
    expect(await load(true)).toMatch(/ValueError: .*member .*\.npy is damaged/);
    await python('import sys, numpy\nnumpy.savez(open(sys.argv[1], "wb"), a=numpy.ones(3))', path);
    expect(await load(false)).toMatch(/ValueError: .*not a file that hmatrix wrote/);
    const newer =
      'import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z: z.writestr("hmatrix.json", sys.argv[2])';
    await python(newer, path, '{"format": "hmatrix", "version": 3}');
    expect(await load(false)).toMatch(/ValueError: .*format version 3, this reader reads 2/);
  });
});

describe(`what is no file, and no vectors${without(numpy, 'numpy')}`, () => {
  it.skipIf(!numpy)('is a ValueError that says so', async () => {
    const [whole, cut, other] = ['whole.npz', 'cut.npz', 'other.npz'].map((name) => join(folder, name));
    await save(whole, await matrix({ format: 'hss' }));
    writeFileSync(cut, readFileSync(whole).subarray(0, 5000));
    const program = `
import sys, numpy, hmatrix_reader
whole, cut, other = sys.argv[1:]
numpy.savez(other, a=numpy.ones(3))
matrix = hmatrix_reader.load(whole)
n = matrix.shape[0]
def refused(work):
    try:
        work()
    except ValueError as error:
        return str(error).replace(cut, 'cut').replace(other, 'other')
    return 'taken'
print(refused(lambda: hmatrix_reader.load(cut)))
print(refused(lambda: hmatrix_reader.load(other)))
for x in (numpy.ones(n + 1), numpy.ones(n) * 1j, numpy.ones((n, 2, 2)), 3.0, numpy.ones(n, dtype=int)):
    print(refused(lambda: matrix @ x))
`;
    const lines = (await python(program, whole, cut, other)).trim().split('\n');
    const expected = [
      /^cut: not a file that hmatrix wrote, or one that is cut off$/,
      /^other: not a file that hmatrix wrote$/,
      /^x has \d+ rows, the matrix \d+ columns$/,
      /^x has elements of type complex128, not real numbers$/,
      /^x has 3 dimensions, not 1 or 2$/,
      /^x has 0 dimensions, not 1 or 2$/,
      /^taken$/,
    ];
    expect(lines).toHaveLength(expected.length);
    for (const [k, message] of expected.entries()) expect(lines[k]).toMatch(message);
  });
});

describe(`SciPy's LinearOperator${without(scipy, 'scipy')}`, () => {
  it.skipIf(!scipy)('solves with the matrix, preconditioned by its factorization', async () => {
    const [k, f] = ['k.npz', 'f.npz'].map((name) => join(folder, name));
    const made = await matrix({ format: 'hss' });
    await save(k, made);
    await save(f, await factor(made, { shift: 1 }, { team }));
    const program = `
import sys, numpy, hmatrix_reader
from scipy.sparse.linalg import cg, LinearOperator
matrix, factors = map(hmatrix_reader.load, sys.argv[1:])
k, inverse = map(hmatrix_reader.linear_operator, (matrix, factors))
b = numpy.random.default_rng(0).standard_normal(k.shape[0])
steps = []
x, info = cg(LinearOperator(k.shape, lambda v: k @ v + v), b, M=inverse, rtol=1e-10, callback=steps.append)
print(info, len(steps), numpy.linalg.norm(k @ x + x - b) / numpy.linalg.norm(b))
`;
    const [info, steps, residual] = (await python(program, k, f)).trim().split(' ').map(Number);
    expect(info).toBe(0);
    expect(steps).toBeLessThanOrEqual(2);
    expect(residual).toBeLessThan(1e-10);
  });
});
