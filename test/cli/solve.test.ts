/** hmatrix solve: its JSON, its report, its files, its exit statuses, and what it says of bad input. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { randomVectors } from '#hmatrix/experiment/compression-run.js';
import { readNpy, readNpyMatrix, writeNpy, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { norm2, residualOf } from '../krylov/systems.js';
import { denseOf, gaussianSource, randomMatrix } from '../support.js';
import { shiftedDense } from '../solve/subjects.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const blas = openBlas();
const points = ['--points', 'normal:600,3', '--kernel', 'gaussian', '--bandwidth', '1'];

const solved = async (args: readonly string[], expected = 0): Promise<SolveRecord> => {
  const { status, stdout, stderr } = await hmatrix(['solve', ...args, '--json']);
  expect({ status, stderr: expected === 0 ? stderr : '' }).toEqual({ status: expected, stderr: '' });
  return JSON.parse(stdout) as SolveRecord;
};

describe('the record', () => {
  it.each(['none', 'jacobi', 'block-jacobi', 'nystrom', 'hodlr', 'hss', 'auto'])(
    'has_iterations_outcome_residual_seconds_memory_and_history: %s',
    async (preconditioner) => {
      const record = await solved([
        ...points,
        '--shift',
        '0.1',
        '--preconditioner',
        preconditioner,
        '--leaf-size',
        '64',
      ]);
      expect(record).toMatchObject({
        record: 'solve',
        matrix: 'exact',
        outcome: 'converged',
        met: true,
        shift: 0.1,
        norm: null,
        vectors: 1,
        tolerance: 1e-8,
        seed: 0,
      });
      if (preconditioner !== 'auto') expect(record.preconditioner.name).toBe(preconditioner);
      expect(record.residual).toBeLessThanOrEqual(1e-8);
      expect(record.history).toHaveLength(record.iterations + 1);
      expect(Object.values(record.seconds).every((seconds) => seconds >= 0)).toBe(true);
      expect(Object.keys(record.seconds)).toEqual(expect.arrayContaining(['compress', 'factor', 'solve']));
      expect(record.memory.peakBytes).toBeGreaterThan(0);
    },
  );

  it('is_of_networks_too', async () => {
    const args = ['--network', '196-3-196', '--samples', '30', '--epochs', '1', '--shift-relative', '1e-2'];
    for (const preconditioner of ['kfac', 'ekfac', 'nystrom', 'hss', 'auto']) {
      const record = await solved([...args, '--preconditioner', preconditioner, '--tolerance', '1e-6']);
      expect(record).toMatchObject({ outcome: 'converged', input: { kind: 'network', size: 1176 } });
      expect(record.shift).toBe(1e-2 * record.norm!);
    }
    expect(
      (
        await solved([
          '--network',
          '196-3-10',
          '--loss',
          'cross-entropy',
          '--activation',
          'relu',
          '--samples',
          '30',
          '--epochs',
          '1',
          '--shift-relative',
          '1e-3',
          '--preconditioner',
          'dual',
        ])
      ).iterations,
    ).toBeLessThanOrEqual(2);
  });

  it('is_the_same_for_any_number_of_workers_but_for_times', async () => {
    const args = [...points, '--shift', '0.1', '--preconditioner', 'hss', '--leaf-size', '64', '--vectors', '2'];
    const [one, two] = [await solved([...args, '--workers', '1']), await solved([...args, '--workers', '2'])];
    const numbers = ({ iterations, residuals, history }: SolveRecord): unknown => [iterations, residuals, history];
    expect(numbers(two)).toEqual(numbers(one));
  });

  it('of_a_compressed_matrix_tells_its_residual_from_that_of_the_matrix_itself_which_decides', async () => {
    const x = join(folder, 'compressed.npy');
    const source = gaussianSource(300, 3, 1, blas);
    const dense = denseOf(source);
    const k = join(folder, 'exact.npy');
    await writeNpyMatrix(k, dense);
    const system = shiftedDense(dense, 0.1);
    const b = randomVectors(300, 2, 0);
    for (const [format, name] of [
      ['hss', 'hss'],
      ['hodlr', 'hodlr'],
      ['fmm', 'hss'],
    ]) {
      for (const [tolerance, status] of [
        ['1e-8', 3],
        ['0.5', 0],
      ] as const) {
        const args = [
          '--matrix',
          k,
          '--shift',
          '0.1',
          '--vectors',
          '2',
          '--format',
          format,
          '--leaf-size',
          '32',
          '--compress-tolerance',
          '1e-4',
          '--tolerance',
          tolerance,
          '--out',
          x,
          '--keep-failed',
        ];
        const record = await solved([...args, ...(format === 'fmm' ? ['--budget', '0.1'] : [])], status);
        expect(record).toMatchObject({
          matrix: format,
          outcome: 'converged',
          preconditioner: { name },
          decision: status === 0 ? 'met' : 'missed',
          met: status === 0,
          residualRows: 300,
        });
        const solution = await readNpyMatrix(x);
        for (let j = 0; j < 2; j++)
          expect(
            Math.abs(record.residuals[j] / (residualOf(system, b, solution, blas, j) / norm2(b, j)) - 1),
          ).toBeLessThan(1e-6);
        expect(record.residual).toBe(Math.max(...record.residuals));
        expect([record.residualLow, record.residualHigh]).toEqual([record.residual, record.residual]);
        expect(record.compressedResidual).toBeLessThanOrEqual(Number(tolerance));
      }
    }
  });
});

describe('the files', () => {
  const [matrix, rhs, x, run] = ['K.npy', 'b.npy', 'x.npy', 'run.json'].map((name) => join(folder, name));

  it('hold_the_solution_of_the_right_hand_sides_given', async () => {
    const dense = denseOf(gaussianSource(200, 3, 1, blas));
    const b = randomMatrix(200, 3, 4);
    await writeNpyMatrix(matrix, dense);
    await writeNpyMatrix(rhs, b);
    const { status, stdout, stderr } = await hmatrix([
      'solve',
      '--matrix',
      matrix,
      '--shift',
      '0.5',
      '--rhs',
      rhs,
      '--out',
      x,
      '--record',
      run,
      '--tolerance',
      '1e-10',
      '--quiet',
    ]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    const solution = await readNpyMatrix(x);
    expect([solution.rows, solution.cols]).toEqual([200, 3]);
    for (let j = 0; j < 3; j++)
      expect(residualOf(shiftedDense(dense, 0.5), b, solution, blas, j) / norm2(b, j)).toBeLessThan(2e-10);
    const record = JSON.parse(await readFile(run, 'utf8')) as SolveRecord;
    expect(record).toMatchObject({ record: 'solve', vectors: 3, input: { name: 'K.npy' } });
    expect(await readFile(run, 'utf8')).not.toContain(folder);
  });

  it('hold_x_in_the_shape_of_b_a_vector_for_a_vector_and_a_matrix_for_a_matrix', async () => {
    const data = randomMatrix(200, 2, 5).data as Float64Array;
    const shifted = shiftedDense(denseOf(gaussianSource(200, 3, 1, blas)), 0.5);
    for (const [shape, length] of [
      [[200], 200],
      [[200, 1], 200],
      [[200, 2], 400],
    ] as const) {
      await writeNpy(rhs, { shape, data: data.slice(0, length), fortranOrder: true });
      const args = ['solve', '--matrix', matrix, '--shift', '0.5', '--rhs', rhs, '--out', x, '--quiet'];
      expect((await hmatrix([...args, '--preconditioner', 'none'])).status).toBe(0);
      expect((await readNpy(x)).shape).toEqual(shape);
      const [b, solution] = [await readNpyMatrix(rhs), await readNpyMatrix(x)];
      for (let j = 0; j < b.cols; j++) {
        expect(residualOf(shifted, b, solution, blas, j) / norm2(b, j)).toBeLessThan(1.1e-8);
      }
    }
  });

  it('are_of_seeded_right_hand_sides_by_default', async () => {
    const { status } = await hmatrix([
      'solve',
      '--matrix',
      matrix,
      '--shift',
      '0.5',
      '--vectors',
      '2',
      '--seed',
      '3',
      '--out',
      x,
      '--quiet',
    ]);
    expect(status).toBe(0);
    const solution = await readNpyMatrix(x);
    const b = randomVectors(200, 2, 3);
    for (let j = 0; j < 2; j++)
      expect(
        residualOf(shiftedDense(denseOf(gaussianSource(200, 3, 1, blas)), 0.5), b, solution, blas, j) / norm2(b, j),
      ).toBeLessThan(1.1e-8);
  });

  it('are_not_written_where_the_iteration_is_interrupted', async () => {
    const path = join(folder, 'interrupted.npy');
    // Condition 7e8: thousands of iterations; nothing is printed before they end.
    const args = [
      'solve',
      '--named',
      'K02',
      '--size',
      '65536',
      '--preconditioner',
      'none',
      '--tolerance',
      '0',
      '--max-iterations',
      '1000000',
      '--out',
      path,
    ];
    const interrupted = async (milliseconds: number): Promise<{ status: number | null; errors: string }> => {
      const child = spawn(process.execPath, [resolve(import.meta.dirname, '../../dist/command/hmatrix.js'), ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let errors = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        errors += text;
      });
      const timer = setTimeout(() => child.kill('SIGINT'), milliseconds);
      const status = await new Promise<number | null>((done) => {
        child.on('close', done);
      });
      clearTimeout(timer);
      // Without a status the signal came before the command was there to catch it: the machine is busy.
      return status === null && milliseconds < 60_000 ? interrupted(3 * milliseconds) : { status, errors };
    };
    const { status, errors } = await interrupted(4000);
    expect(errors).toMatch(/interrupted; nothing was written/);
    expect(status).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it('of_right_hand_sides_that_do_not_fit_are_refused', async () => {
    const bad = join(folder, 'bad.npy');
    await writeNpyMatrix(bad, zeros(100, 1));
    expect(await hmatrix(['solve', '--matrix', matrix, '--rhs', bad])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/100 rows/) as string,
    });
    await writeNpyMatrix(bad, view(new Float64Array(200).fill(Number.NaN), 0, 200, 1));
    expect(await hmatrix(['solve', '--matrix', matrix, '--rhs', bad])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/NaN/) as string,
    });
  });
});

describe('what missed its tolerance', () => {
  const [ones, x, b32] = ['ones.npy', 'missed.npy', 'b32.npy'].map((name) => join(folder, name));

  it('is_not_written_unless_asked_for_and_a_singular_matrix_is_called_so_in_words_of_the_command', async () => {
    await writeNpyMatrix(ones, view(new Float64Array(1600).fill(1), 0, 40, 40));
    for (const vectors of ['1', '3']) {
      const args = ['solve', '--matrix', ones, '--vectors', vectors, '--out', x];
      const { status, stderr, stdout } = await hmatrix(args);
      expect(status).toBe(3);
      expect(stderr).toMatch(/missed \(singular\): residual .*singular to working precision.*give a --shift above 0/);
      expect(stderr).toMatch(/missed\.npy was not written.*--keep-failed/);
      expect(stdout).not.toMatch(/written to/);
      expect(existsSync(x)).toBe(false);
      const kept = await hmatrix([...args, '--keep-failed', '--json']);
      const record = JSON.parse(kept.stdout) as SolveRecord;
      expect({ status: kept.status, outcome: record.outcome }).toEqual({ status: 3, outcome: 'singular' });
      const solution = await readNpyMatrix(x);
      const rhs = randomVectors(40, Number(vectors), 0);
      const dense = view(new Float64Array(1600).fill(1), 0, 40, 40);
      for (let j = 0; j < Number(vectors); j++) {
        expect(Math.abs(residualOf(dense, rhs, solution, blas, j) / norm2(rhs, j) - record.residuals[j])).toBeLessThan(
          1e-12,
        );
        expect(record.residuals[j]).toBeLessThanOrEqual(1 + 1e-14);
      }
      await rm(x);
    }
  });

  it('names_flags_and_no_options_of_the_library', async () => {
    const indefinite = join(folder, 'indefinite.npy');
    // No entry is larger than the diagonal allows, and yet an eigenvalue is −0.8.
    const dense = view(
      Float64Array.from({ length: 400 }, (_, k) => (k % 21 === 0 ? 1 : 0)),
      0,
      20,
      20,
    );
    for (const [i, j, value] of [
      [0, 1, 0.9],
      [0, 2, 0.9],
      [1, 2, -0.9],
    ])
      dense.data[i + 20 * j] = dense.data[j + 20 * i] = value;
    await writeNpyMatrix(indefinite, dense);
    await writeNpyMatrix(ones, view(new Float64Array(1600).fill(1), 0, 40, 40));
    const runs = [
      ['--matrix', indefinite, '--preconditioner', 'none'],
      ['--matrix', indefinite, '--format', 'hss', '--leaf-size', '4'],
      ['--matrix', ones, '--format', 'hss', '--leaf-size', '8', '--preconditioner', 'hss'],
      ['--named', 'K02', '--size', '256', '--preconditioner', 'none', '--max-iterations', '3'],
      ['--named', 'K02', '--size', '256', '--preconditioner', 'none', '--tolerance', '0'],
      ['--named', 'K02', '--size', '1024', '--preconditioner', 'hss', '--memory-limit', '1k'],
    ];
    for (const args of runs) {
      const { status, stderr } = await hmatrix(['solve', ...args]);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/--[a-z]/);
      expect(stderr).not.toMatch(
        /[{}]|MINRES|(?<!--method )minres|\b[a-z]+[A-Z]\w*(?! after)\b(?<!maxIterations)|:\s*true/,
      );
    }
  });

  it('float32_right_hand_sides_have_the_residual_of_the_float32_solution_that_is_written', async () => {
    const k = join(folder, 'k.npy');
    const dense = denseOf(gaussianSource(200, 2, 1, blas));
    const b = randomMatrix(200, 2, 4);
    await writeNpyMatrix(k, dense);
    await writeNpyMatrix(b32, view(Float32Array.from(b.data), 0, 200, 2));
    const record = await solved(['--matrix', k, '--rhs', b32, '--shift', '1e-4', '--out', x]);
    const solution = await readNpyMatrix(x);
    expect(solution.data).toBeInstanceOf(Float32Array);
    const rhs = await readNpyMatrix(b32);
    for (let j = 0; j < 2; j++)
      expect(
        Math.abs(
          residualOf(shiftedDense(dense, 1e-4), rhs, solution, blas, j) / norm2(rhs, j) / record.residuals[j] - 1,
        ),
      ).toBeLessThan(1e-6);
    expect(record.met).toBe(true);
    expect(record.residual).toBeLessThanOrEqual(record.tolerance);
    const asked = await hmatrix(['solve', '--matrix', k, '--rhs', b32, '--shift', '1e-4', '--tolerance', '1e-10']);
    expect(asked.status).toBe(3);
    expect(asked.stderr).toMatch(/x is of float32.*give --rhs in float64/);
  });
});

describe('the report', () => {
  it('tells_the_residual_with_the_compressed_matrix_from_that_with_the_matrix_itself', async () => {
    const { status, stdout, stderr } = await hmatrix([
      'solve',
      ...points,
      '--shift',
      '0.1',
      '--format',
      'hss',
      '--leaf-size',
      '64',
      '--compress-tolerance',
      '1e-3',
    ]);
    expect(status).toBe(3);
    expect(stdout).toMatch(
      /relative residual with the compressed Ã = \S+, with the matrix A itself = \S+; asked: 1e-8, MISSED/,
    );
    expect(stderr).toMatch(
      new RegExp(
        /The compressed system is solved to .*against the matrix itself the residual is /.source +
          /.*--compress-tolerance, or solve without --format/.source,
      ),
    );
  });

  it('says_shift_preconditioner_why_iterations_and_true_residual', async () => {
    const { status, stdout, stderr } = await hmatrix([
      'solve',
      '--named',
      'K02',
      '--size',
      '256',
      '--shift-relative',
      '1e-3',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/K02, N = 256/);
    expect(stdout).toMatch(/λ = 0\.001.*·‖A‖/);
    expect(stdout).toMatch(
      /Tried none first: an iteration takes [\d.]+ Gflop, what else there is [\d.]+ Gflop or more. Solved with none\./,
    );
    expect(stdout).toMatch(/converged after \d+ iterations? .*true relative residual = .*met/);
  });
});

describe('exit statuses', () => {
  it('3_where_the_tolerance_was_missed_and_why', async () => {
    const args = ['solve', '--named', 'K02', '--size', '256', '--preconditioner', 'none', '--max-iterations', '3'];
    const { status, stderr } = await hmatrix(args);
    expect(status).toBe(3);
    expect(stderr).toMatch(/tolerance was missed \(maxIterations\): residual .*After 3 iterations/);
    expect((await solved(args.slice(1), 3)).met).toBe(false);
  });

  it.each([
    ['no_input', [], /--network WIDTHS/],
    ['two_inputs', ['--named', 'K02', '--matrix', 'K.npy'], /one of/],
    [
      'a_network_and_another_input',
      ['--network', '4-2-4', '--named', 'K02'],
      /Give one of .*, not --named and --network/,
    ],
    [
      'options_of_networks_without_one',
      ['--named', 'K02', '--size', '64', '--learning-rate', '0.1'],
      /--learning-rate goes with --network/,
    ],
    ['two_shifts', ['--named', 'K02', '--size', '64', '--shift', '1', '--shift-relative', '1'], /not both/],
    ['a_negative_shift', ['--named', 'K02', '--size', '64', '--shift', '-1'], /--shift/],
    ['kfac_without_a_network', ['--named', 'K02', '--size', '64', '--preconditioner', 'kfac'], /needs --network/],
    [
      'a_preconditioner_there_is_not',
      ['--named', 'K02', '--size', '64', '--preconditioner', 'ilu'],
      /--preconditioner/,
    ],
    [
      'a_rank_without_nystrom',
      ['--named', 'K02', '--size', '64', '--preconditioner', 'hss', '--rank', '3'],
      /--rank goes with/,
    ],
    [
      'options_of_a_format_without_one',
      ['--named', 'K02', '--size', '64', '--budget', '0.1'],
      /--budget goes with --format/,
    ],
    ['a_format_with_a_network', ['--network', '4-2-4', '--format', 'hss'], /does not go with --network/],
    ['keep_failed_without_out', ['--named', 'K02', '--size', '64', '--keep-failed'], /--keep-failed goes with --out/],
    ['a_tolerance_out_of_range', ['--named', 'K02', '--size', '64', '--tolerance', '1'], /--tolerance/],
  ] as [string, string[], RegExp][])('2_for_wrong_usage: %s', async (_, args, message) => {
    const { status, stdout, stderr } = await hmatrix(['solve', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('1_where_the_run_fails', async () => {
    expect((await hmatrix(['solve', '--matrix', join(folder, 'missing.npy')])).status).toBe(1);
    expect(
      (await hmatrix(['solve', '--named', 'K02', '--size', '64', '--out', join(folder, 'no', 'x.npy')])).status,
    ).toBe(1);
  });
});
