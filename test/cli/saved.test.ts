/** hmatrix solve, logdet and factor: of a matrix that hmatrix compress --out wrote, of one compressed on the spot. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FactorRecord } from '#hmatrix/experiment/factor-run.js';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { load } from '#hmatrix/files/load.js';
import type { FactorizationFileSummary } from '#hmatrix/hierarchical/factor/file.js';
import { readContainer, writeContainer } from '#hmatrix/io/container.js';
import { readNpy, readNpyMatrix, writeNpy, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { norm2, residualOf } from '../krylov/systems.js';
import { shiftedDense } from '../solve/subjects.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const blas = openBlas();
const size = 400;
const source = ['--points', `normal:${size},2`, '--kernel', 'gaussian', '--bandwidth', '1', '--leaf-size', '50'];
const FORMATS = ['hss', 'hodlr', 'fmm'] as const;
const file = (format: string): string => at(`${format}.hm`);

/** K̃ of a file, as a dense matrix. */
async function denseOfFile(path: string): Promise<ReturnType<typeof zeros>> {
  const matrix = await load(path, { kind: 'hierarchical matrix', team: await sharedTeam(1) });
  const identity = zeros(matrix.size, matrix.size);
  for (let i = 0; i < matrix.size; i++) identity.data[i * (matrix.size + 1)] = 1;
  const dense = matrix.apply(identity);
  matrix.release();
  return dense;
}

async function record<T = SolveRecord>(args: readonly string[], expected = 0): Promise<T> {
  const { status, stdout, stderr } = await hmatrix([...args, '--json']);
  expect({ status, stderr: expected === 0 ? stderr : '' }).toEqual({ status: expected, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** What --record wrote, but for the command line, which --json has not. */
async function recorded(path: string): Promise<object> {
  const { command, ...rest } = JSON.parse(await readFile(path, 'utf8')) as { command: string };
  expect(command).toMatch(/^hmatrix /);
  return rest;
}

beforeAll(async () => {
  for (const format of FORMATS) {
    const budget = format === 'fmm' ? ['--budget', '0.2'] : [];
    const args = ['compress', ...source, '--format', format, ...budget, '--tolerance', '1e-6', '--quiet'];
    const { status, stderr } = await hmatrix([...args, '--out', file(format)]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }
});

describe('factor --out FILE and solve FILE', () => {
  it.each(['hss', 'hodlr'] as const)('solves_to_the_same_bits_as_with_the_matrix: %s', async (format) => {
    const [factors, b, x, y] = [at(`${format}-factors.hm`), at('fb.npy'), at('fx.npy'), at('fy.npy')];
    await writeNpyMatrix(b, randomMatrix(size, 2, 11));
    const factored = await hmatrix(['factor', file(format), '--shift', '0.5', '--out', factors]);
    expect({ status: factored.status, stderr: factored.stderr }).toEqual({ status: 0, stderr: '' });
    expect(factored.stdout).toMatch(/\nsaved to .*-factors\.hm\n$/);
    const solved = await record(['solve', factors, '--rhs', b, '--out', x]);
    expect(solved).toMatchObject({
      ...{ residualOf: 'compressed', decision: 'met', shift: 0.5, iterations: 0, matrix: format },
      input: { kind: 'file', name: `${format}-factors.hm`, size, compression: { format, leafSize: 50 } },
    });
    expect(solved.reason).toContain('its factorization was saved');
    await record(['solve', file(format), '--rhs', b, '--shift', '0.5', '--out', y]);
    expect((await readFile(x)).equals(await readFile(y))).toBe(true);
  });

  it.each([
    [['--shift', '0.25'], /--shift 0\.25 does not go with .*factored with λ = 0\.5/],
    [['--shift-relative', '0.1'], /--shift-relative does not go with/],
    [['--preconditioner', 'hss'], /--preconditioner hss does not go with/],
    [['--method', 'minres'], /--method minres does not go with/],
    [['--leaf-size', '64'], /--leaf-size does not go with/],
  ])('refuses %j', async (args, message) => {
    const { status, stdout, stderr } = await hmatrix(['solve', at('hss-factors.hm'), ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('commands_of_matrices_say_what_the_file_holds_and_logdet_saves_none', async () => {
    const factors = at('hss-factors.hm');
    for (const args of [['eigs'], ['factor'], ['logdet'], ['multiply', '--x', 'seeded']]) {
      const { status, stderr } = await hmatrix([args[0], factors, ...args.slice(1)]);
      expect(status, args[0]).toBe(1);
      expect(stderr).toMatch(
        /hss-factors\.hm holds a factorization, and a matrix is taken here: .*hmatrix solve solves with a factor/,
      );
    }
    expect((await hmatrix(['logdet', file('hss'), '--out', at('no.hm')])).stderr).toMatch(/unknown option '--out'/);
  });
});

describe('info and plot of a factorization', () => {
  it.each(['hss', 'hodlr'] as const)('tell_what_the_factorization_itself_does: %s', async (format) => {
    const factors = at(`${format}-factors.hm`);
    const loaded = await load(factors, { kind: 'factorization', team: await sharedTeam(1) });
    const { kept, shift, precision, indefinite, logdet } = loaded;
    const told = await record<FactorizationFileSummary>(['info', factors, '--json']);
    expect(told).toMatchObject({ content: 'factorization', size, shift, precision, indefinite, logdet });
    const { bytes } = await stat(factors).then((found) => ({ bytes: found.size }));
    expect(told.fileBytes).toBe(bytes);
    expect(told.matrix).toMatchObject({ format, ranks: kept.matrix.ranks(), memory: kept.matrix.memory() });
    const arrays = Object.values(kept.factors).reduce((sum, array) => sum + array.byteLength, 0);
    expect(told.factorBytes).toBe(arrays);
    const { stdout } = await hmatrix(['info', factors]);
    expect(stdout).toMatch(/^factorization of K̃ \+ λI, λ = 0\.5, f64; K̃ the compressed matrix:\n400 × 400, /);
    expect(stdout).toContain(`\nlog det(K̃ + λI) = ${Number(logdet.toPrecision(10))}\n`);
    expect(stdout).toMatch(/│ factors +│/);
    expect((await hmatrix(['plot', factors])).stdout).toMatch(
      new RegExp(`^${format}-factors\\.hm: Factorization with λ = 0\\.5, ${format}, N = 400\n(.|\n)*│ factors `),
    );
    loaded.release();
  });

  it('keep_where_the_matrix_came_from: of_a_saved_matrix_and_of_one_compressed_on_the_spot', async () => {
    const about = async (path: string): Promise<object> =>
      ((await record<{ about: object }>(['info', path, '--json'])) as { about: object }).about;
    const own = await about(file('hss'));
    expect(own).toMatchObject({ input: { kind: 'points', size } });
    expect(await about(at('hss-factors.hm'))).toEqual(own);
    const made = at('made-factors.hm');
    const spot = ['factor', ...source, '--format', 'hss', '--tolerance', '1e-6', '--shift', '0.5', '--quiet'];
    expect((await hmatrix([...spot, '--out', made])).status).toBe(0);
    expect(await about(made)).toEqual(own);
    expect((await record(['solve', made])).input.source).toEqual((own as { input: object }).input);
    expect((await hmatrix(['info', made])).stdout).toMatch(/\nof the kernel gaussian/);
  });

  it('of_a_file_whose_header_and_factors_disagree_are_refused', async () => {
    const { header, arrays } = await readContainer(at('hss-factors.hm'));
    await writeContainer(at('other-shift.hm'), { ...header, shift: 0.25 }, arrays);
    const { status, stderr } = await hmatrix(['info', at('other-shift.hm')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/its factors are of shift 0\.5, its header says 0\.25/);
    const { logs: _, ...without } = arrays;
    await writeContainer(at('no-logs.hm'), header, without);
    expect((await hmatrix(['info', at('no-logs.hm')])).status).toBe(1);
  });
});

describe('solve FILE', () => {
  it.each(FORMATS)('solves_the_system_of_the_compressed_matrix: %s', async (format) => {
    const [rhs, x, run] = [at('b.npy'), at('x.npy'), at('run.json')];
    const b = randomMatrix(size, 2, 7);
    await writeNpyMatrix(rhs, b);
    const args = ['solve', file(format), '--rhs', rhs, '--shift', '0.1', '--out', x, '--record', run];
    const solved = await record([...args, '--tolerance', '1e-9']);
    expect(await recorded(run)).toEqual(solved);
    expect(solved).toMatchObject({
      input: { kind: 'file', name: `${format}.hm`, size, compression: { format, leafSize: 50, tolerance: 1e-6 } },
      matrix: format,
      residualOf: 'compressed',
      compressedResidual: null,
      outcome: 'converged',
      decision: 'met',
      met: true,
      shift: 0.1,
      vectors: 2,
      preconditioner: { name: format === 'fmm' ? 'hss' : format },
    });
    if (format !== 'fmm')
      expect(solved).toMatchObject({ iterations: 0, preconditioner: { details: { from: 'itself' } } });
    const system = shiftedDense(await denseOfFile(file(format)), 0.1);
    const solution = await readNpyMatrix(x);
    for (let j = 0; j < 2; j++) {
      const residual = residualOf(system, b, solution, blas, j) / norm2(b, j);
      expect(residual).toBeLessThan(1e-9);
      if (format === 'fmm') expect(Math.abs(residual / solved.residuals[j] - 1)).toBeLessThan(1e-3);
    }
  });

  it('gives_the_solution_of_its_source_to_the_tolerance_of_the_compression_and_a_vector_for_a_vector', async () => {
    const [rhs, x, y] = [at('v.npy'), at('x.npy'), at('y.npy')];
    const data = Float64Array.from(randomMatrix(size, 1, 8).data);
    await writeNpy(rhs, { shape: [size], data });
    const common = ['--rhs', rhs, '--shift', '0.5', '--quiet', '--tolerance', '1e-4'];
    expect(await hmatrix(['solve', file('hss'), ...common, '--out', x])).toMatchObject({ status: 0, stderr: '' });
    const here = ['solve', ...source, '--format', 'hss', '--compress-tolerance', '1e-6', ...common, '--out', y];
    expect(await hmatrix(here)).toMatchObject({ status: 0, stderr: '' });
    const [a, b] = [await readNpy(x), await readNpy(y)];
    expect([a.shape, b.shape]).toEqual([[size], [size]]);
    const difference = view(
      Float64Array.from(a.data, (value, i) => value - Number(b.data[i])),
      0,
      size,
      1,
    );
    // One is solved directly, the other to 1e-4: ‖x − y‖ ≤ 1e-4·‖b‖/λ.
    expect(norm2(difference, 0)).toBeLessThanOrEqual((1e-4 * norm2(view(data, 0, size, 1), 0)) / 0.5);
  });

  it('has_the_same_bits_for_any_number_of_workers', async () => {
    const solutions: number[][] = [];
    for (const workers of ['1', '2']) {
      const args = ['solve', file('hodlr'), '--shift-relative', '1e-2', '--workers', workers, '--out', at('w.npy')];
      expect((await hmatrix([...args, '--quiet'])).status).toBe(0);
      solutions.push(Array.from((await readNpyMatrix(at('w.npy'))).data));
    }
    expect(solutions[1]).toEqual(solutions[0]);
  });

  it('says_that_it_is_direct_and_whose_residual_it_is', async () => {
    const { stdout } = await hmatrix(['solve', file('hss'), '--shift', '0.1']);
    expect(stdout).toMatch(/^compressed matrix hss\.hm, N = 400: hss, leaf size 50, .*tolerance 0\.000001/);
    expect(stdout).toMatch(/factored as hss .*it is factored itself, and x is the direct solution\./);
    expect(stdout).toMatch(/solved directly: true relative residual of the compressed matrix K̃ = .*met/);
    const iterated = await record(['solve', file('hss'), '--shift', '0.1', '--preconditioner', 'none']);
    expect(iterated).toMatchObject({ residualOf: 'compressed', preconditioner: { name: 'none' }, met: true });
    expect(iterated.iterations).toBeGreaterThan(0);
  });

  it('refines_where_the_direct_solution_misses_the_tolerance', async () => {
    const { status, stdout } = await hmatrix(['solve', file('hss'), '--shift', '1e-4', '--tolerance', '0', '--json']);
    expect(status).toBe(3);
    const solved = JSON.parse(stdout) as SolveRecord;
    expect(solved.iterations).toBeGreaterThan(0);
    expect(solved.reason).toMatch(/direct solution, refined by \d+ iterations? of conjugate gradients/);
  });

  it('that_is_not_positive_definite_names_a_shift_that_works', async () => {
    const failed = await hmatrix(['solve', file('hss')]);
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    const [, shift] =
      /not positive definite .*: --shift (\S+) works; or compress to a tighter/.exec(failed.stderr) ?? [];
    expect((await hmatrix(['solve', file('hss'), '--shift', shift, '--tolerance', '1e-2', '--quiet'])).status).toBe(0);
  });

  it.each([
    [['--points', 'normal:100,2'], /--points does not go with .*hss\.hm: a saved matrix has no other source/],
    [['--matrix', 'K.npy'], /--matrix does not go with/],
    [['--kernel', 'gaussian'], /--kernel does not go with/],
    [['--named', 'K02'], /--named does not go with/],
    [['--network', '4-2-4'], /--network does not go with/],
    [['--samples', '4'], /--samples does not go with/],
    [['--columns', 'x'], /--columns does not go with/],
    [['--format', 'hss'], /--format does not go with .*: a saved matrix is compressed already/],
    [['--dtype', 'f32'], /--dtype does not go with/],
    [['--leaf-size', '8'], /--leaf-size is of a preconditioner, .* needs none: of format hss it is factored itself/],
    [['--preconditioner', 'kfac'], /kfac needs --network/],
    [['--shift', '1', '--shift-relative', '1'], /not both/],
  ] as [string[], RegExp][])('refuses_by_name: %j', async (args, message) => {
    const { status, stdout, stderr } = await hmatrix(['solve', file('hss'), ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('needs_a_file_that_is_there', async () => {
    expect(await hmatrix(['solve', at('none.hm')])).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('logdet and factor', () => {
  /** log det of a dense symmetric positive definite matrix, by Cholesky. */
  function denseLogdet(dense: ReturnType<typeof zeros>): number {
    const n = dense.rows;
    const a = Float64Array.from(dense.data);
    let sum = 0;
    for (let k = 0; k < n; k++) {
      const pivot = a[k + k * n];
      expect(pivot).toBeGreaterThan(0);
      sum += Math.log(pivot);
      for (let j = k + 1; j < n; j++) {
        const factor = a[j + k * n] / pivot;
        for (let i = j; i < n; i++) a[i + j * n] -= factor * a[i + k * n];
      }
    }
    return sum;
  }

  it.each(['hss', 'hodlr'])('of_a_saved_matrix_are_those_of_the_dense_one: %s', async (format) => {
    const run = at('factor.json');
    const exact = denseLogdet(shiftedDense(await denseOfFile(file(format)), 0.1));
    const logdet = await record<FactorRecord>(['logdet', file(format), '--shift', '0.1']);
    const factor = await record<FactorRecord>(['factor', file(format), '--shift', '0.1', '--record', run]);
    expect(await recorded(run)).toEqual(factor);
    for (const found of [logdet, factor]) {
      expect(Math.abs(found.logdet / exact - 1)).toBeLessThan(1e-9);
      expect(found).toMatchObject({
        input: { kind: 'file', name: `${format}.hm`, size },
        options: { format, leafSize: 50, tolerance: 1e-6, dtype: 'f64' },
        shift: 0.1,
        error: null,
      });
      expect(found.memory.factors).toBeGreaterThan(0);
    }
    expect(logdet).toMatchObject({ record: 'logdet', residual: null });
    expect(factor).toMatchObject({ record: 'factor' });
    expect(factor.residual).toBeLessThan(1e-11);
  });

  it.each(['hss', 'hodlr'])('of_one_compressed_on_the_spot_say_its_measured_error: %s', async (format) => {
    const args = [...source, '--format', format, '--tolerance', '1e-6', '--shift', '0.1'];
    const found = await record<FactorRecord>(['factor', ...args]);
    const saved = await record<FactorRecord>(['factor', file(format), '--shift', '0.1']);
    expect(Math.abs(found.logdet - saved.logdet)).toBeLessThan(1e-9 * Math.abs(saved.logdet));
    expect(found).toMatchObject({
      input: { kind: 'points', size },
      options: { format, tolerance: 1e-6 },
      error: { exact: true, tolerance: 1e-6, decision: 'met', met: true },
    });
    const { status, stdout } = await hmatrix(['logdet', ...args]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^kernel gaussian.*N = 400\n/);
    expect(stdout).toMatch(new RegExp(`\n${format}, leaf size 50, rank .*tolerance 0.000001`));
    expect(stdout).toMatch(/relative error .*all columns compared.*met/);
    expect(stdout).toContain(`log det(K̃ + λI) = ${found.logdet.toPrecision(6)}`);
    expect(stdout).not.toContain('residual');
  });

  it('of_the_matrix_itself_is_stated_beside_it_exactly_or_with_an_interval', async () => {
    const loose = [...source, '--tolerance', '1e-3', '--shift', '0.1'];
    const saved = await record<FactorRecord>(['logdet', file('hss'), '--shift', '0.1']);
    expect(saved.exact).toBeNull();
    // Compressed to 1e-6, and so are its log determinant and that of the matrix.
    const near = 1e-3 * Math.abs(saved.logdet);
    const dense = await record<FactorRecord>(['logdet', ...loose]);
    expect(dense.exact).toMatchObject({ exact: true, outcome: 'estimated' });
    expect(Math.abs(dense.exact!.value! - saved.logdet)).toBeLessThan(near);
    const estimated = await record<FactorRecord>(['logdet', ...loose, '--probes', '2']);
    const { value, lower, upper, exact, probes } = estimated.exact!;
    expect({ exact, probes }).toEqual({ exact: false, probes: 2 });
    expect(lower! <= value! && value! <= upper!).toBe(true);
    expect(Math.abs(value! - dense.exact!.value!)).toBeLessThan(upper! - lower! + near);
    expect((await record<FactorRecord>(['logdet', ...loose, '--probes', '0'])).exact).toBeNull();
    expect((await hmatrix(['logdet', ...loose])).stdout).toMatch(/log det\(A \+ λI\) = .* by a dense factorization/);
    expect((await hmatrix(['logdet', ...loose, '--probes', '2'])).stdout).toMatch(/95 % interval .* \(2 probes/);
    const refused = await hmatrix(['logdet', file('hss'), '--probes', '2']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/--probes is about .* the compressed one alone/);
  });

  it('report_for_people_what_the_factors_take', async () => {
    const { status, stdout } = await hmatrix(['factor', file('hss'), '--shift', '0.1']);
    expect(status).toBe(0);
    for (const word of ['compressed matrix hss.hm', 'log det', 'relative residual', 'factorization', 'factors'])
      expect(stdout).toContain(word);
    expect(await hmatrix(['factor', file('hss'), '--shift', '0.1', '--quiet'])).toMatchObject({
      status: 0,
      stdout: '',
    });
  });

  it.each(['factor', 'logdet'])('%s_names_a_shift_that_works_where_K_is_not_positive_definite', async (command) => {
    for (const args of [[file('hss')], [...source, '--tolerance', '1e-6']]) {
      const failed = await hmatrix([command, ...args]);
      expect(failed).toMatchObject({ status: 1, stdout: '' });
      const [, shift] = /not positive definite .*: --shift (\S+) works; or /.exec(failed.stderr) ?? [];
      expect((await hmatrix([command, ...args, '--shift', shift, '--quiet'])).status).toBe(0);
    }
  });

  it('have_status_3_where_the_tolerance_of_the_compression_was_missed', async () => {
    const args = ['logdet', ...source, '--max-rank', '4', '--tolerance', '1e-8', '--shift', '1000'];
    const { status, stdout, stderr } = await hmatrix(args);
    expect({ status, logdet: /log det/.test(stdout) }).toEqual({ status: 3, logdet: true });
    expect(stderr).toMatch(/tolerance was missed: relative error .*--max-rank/);
    expect(stderr).not.toMatch(/--budget/);
  });

  it.each([
    [[], /Give one of --matrix FILE, --points FILE,.* --network WIDTHS, or the file of a matrix that/],
    [[file('hss'), '--points', 'normal:100,2'], /--points does not go with .*: a saved matrix has no other source/],
    [[file('hss'), '--ridge', '1'], /--ridge does not go with/],
    [[file('hss'), '--format', 'hss'], /--format does not go with .*: a saved matrix is compressed already/],
    [[file('hss'), '--tolerance', '0.1'], /--tolerance does not go with/],
    [[file('hss'), '--out', 'f.csv'], /unknown option '--out'|a factorization is written/],
    [[...source, '--format', 'fmm'], /--format.*hss, hodlr/],
    [[...source, '--shift', '-1'], /--shift/],
    [['--points', 'normal:100,2', '--matrix', 'K.npy'], /not --matrix and --points/],
    [[file('fmm'), '--shift', '1'], /near blocks/],
  ] as [string[], RegExp][])('refuse_by_name: %j', async (args, message) => {
    for (const command of ['factor', 'logdet']) {
      const { status, stdout, stderr } = await hmatrix([command, ...args]);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(message);
    }
  });
});
