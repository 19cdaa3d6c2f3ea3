/** hmatrix info: what a file tells of its matrix's origin, and files that tell nothing. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readOrigin } from '#hmatrix/experiment/origin.js';
import type { CompressionRecord } from '#hmatrix/experiment/record.js';
import type { SolveRecord } from '#hmatrix/experiment/solve-run.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import { describeMatrixFile, writeMatrixFile } from '#hmatrix/hierarchical/matrix/file.js';
import type { JsonObject } from '#hmatrix/io/container.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const table = ['--points', at('points.csv'), '--columns', 'b,a', '--limit', '90'];
let record: CompressionRecord;

beforeAll(async () => {
  const cells = randomMatrix(100, 3, 1).data;
  const lines = Array.from({ length: 100 }, (_, i) => cells.slice(3 * i, 3 * i + 3).join(','));
  await writeFile(at('points.csv'), `a,b,c\n${lines.join('\n')}\n`);
  const kernel = ['--kernel', 'matern32', '--ridge', '1e-3', '--tolerance', '1e-4', '--seed', '3', '--leaf-size', '32'];
  const { stdout } = await hmatrix(['compress', ...table, ...kernel, '--out', at('k.hm'), '--json']);
  record = JSON.parse(stdout) as CompressionRecord;
});

/** The same matrix with other words about its origin, or none. */
async function told(name: string, about?: JsonObject): Promise<string> {
  const team = await sharedTeam(1);
  const matrix = await load(at('k.hm'), { kind: 'hierarchical matrix', team });
  try {
    if (about === undefined) await save(at(name), matrix);
    else await writeMatrixFile(at(name), matrix, about, {});
  } finally {
    matrix.release();
  }
  return at(name);
}

describe('hmatrix info', () => {
  it('tells_kernel_bandwidth_ridge_tolerance_seed_and_columns', async () => {
    const { status, stdout } = await hmatrix(['info', at('k.hm')]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nof the kernel matern32, h = \d\.\d{4,5} over points\.csv, d = 2, N = 90, ridge 0\.001\n/);
    expect(stdout).toMatch(/points\.csv: 90 points in 2 dimensions: columns "b", "a" \(.*left out: "c"\)/);
    expect(stdout).toMatch(/tolerance 0\.0001, .* distance geometric, f64, seed 3/);
    expect(stdout).toMatch(/\nrelative error .* \(all columns compared\); asked: 0\.0001, (met|MISSED)\n/);
  });

  it('has_the_input_and_the_error_of_the_run_in_its_json_and_so_have_solves', async () => {
    const { about } = JSON.parse((await hmatrix(['info', at('k.hm'), '--json'])).stdout) as { about: object };
    expect(about).toEqual({ input: record.input, distance: record.options.distance, error: record.error });
    expect(record.input).toMatchObject({ ridge: 1e-3, bandwidth: expect.any(Number) as number });
    const solved = JSON.parse((await hmatrix(['solve', at('k.hm'), '--json'])).stdout) as SolveRecord;
    expect(solved.input.source).toEqual(record.input);
    expect((await hmatrix(['factor', at('k.hm')])).stdout).toMatch(
      /^compressed matrix k\.hm.*\nof the kernel matern32/,
    );
  });

  it('of_files_that_tell_no_origin_says_so', async () => {
    const file = await told('old.hm');
    expect((await describeMatrixFile(file)).about).toBeUndefined();
    const { status, stdout } = await hmatrix(['info', file]);
    expect(status).toBe(0);
    expect(stdout).toContain('\nThe file does not tell what was compressed.\n');
    expect(stdout).toMatch(/\nrelative error as far as the compression saw: .*; asked: 0\.0001, /);
    expect((await hmatrix(['solve', file, '--quiet'])).status).toBe(0);
  });

  it.each([
    {},
    { input: 1, distance: 'auto', error: {} },
    { input: { kind: 'points', name: 'x', size: 3, kernel: 7 }, distance: 'auto', error: {} },
    { input: { kind: 'network', name: 'x', size: 3, tables: [3] }, distance: 'auto', error: {} },
    { input: { kind: 'points', name: 'x', size: 3, table: { names: 'a' } }, distance: 'auto', error: {} },
  ] as JsonObject[])('of_an_origin_in_another_form_too: %j', async (about) => {
    expect(readOrigin(about)).toBeUndefined();
    expect((await hmatrix(['info', await told('foreign.hm', about)])).stdout).toContain('does not tell');
  });
});
