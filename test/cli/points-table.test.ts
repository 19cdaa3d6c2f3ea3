/**
 * hmatrix compress and solve with points of a table: which columns were taken is said, and chosen by flags; messages
 * name the flags.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { checkInputOptions } from '#hmatrix/cli/input.js';
import { reportFailure } from '#hmatrix/cli/outcome.js';
import { asFlag, columnList } from '#hmatrix/cli/usage.js';
import type { CompressionRecord } from '#hmatrix/experiment/record.js';
import { TABLE_OPTIONS } from '#hmatrix/io/csv-format.js';
import { readPoints, type ReadPointsOptions } from '#hmatrix/io/points.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const kernel = [
  '--kernel',
  'gaussian',
  '--bandwidth',
  '1',
  '--tolerance',
  '1e-2',
  '--leaf-size',
  '16',
  '--vectors',
  '1',
  '--workers',
  '1',
];

/** Rows of smooth numbers, written by `write`. */
const rows = (count: number, cols: number, mark: string, write: (value: number) => string = String): string =>
  Array.from({ length: count }, (_, i) =>
    Array.from({ length: cols }, (__, k) => write(Math.round(1e3 * Math.sin(1 + i * (k + 1))) / 1e3)).join(mark),
  ).join('\n');

describe('points of a table', () => {
  it('the_columns_taken_are_in_the_report_and_in_the_record', async () => {
    await writeFile(at('train.csv'), `x1,x2,y\n${rows(60, 3, ',')}\n1,2,NaN\n`);
    const refused = await hmatrix(['compress', '--points', at('train.csv'), ...kernel]);
    expect(refused).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /line 62, column "y": no value \(NaN\).*\(--incomplete-rows skip\), or choose other columns \(--columns\)/,
      ) as string,
    });
    const run = await hmatrix([
      'compress',
      '--points',
      at('train.csv'),
      '--incomplete-rows',
      'skip',
      ...kernel,
      '--record',
      at('run.json'),
    ]);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain(
      'N = 60\ntrain.csv: 60 points in 3 dimensions: columns "x1", "x2", "y" (named by the first row), ' +
        'cells separated by ",", 1 row with missing values',
    );
    expect((JSON.parse(await readFile(at('run.json'), 'utf8')) as CompressionRecord).input).toMatchObject({
      dimension: 3,
      size: 60,
      table: {
        columns: [0, 1, 2],
        names: ['x1', 'x2', 'y'],
        leftOut: [],
        header: true,
        delimiter: ',',
        decimal: '.',
        skippedRows: 1,
      },
    });
  });

  it('columns_are_chosen_by_name_or_number_in_compress_and_solve', async () => {
    const { stdout } = await hmatrix([
      'compress',
      '--points',
      at('train.csv'),
      '--columns',
      'x2,0',
      ...kernel,
      '--json',
    ]);
    expect((JSON.parse(stdout) as CompressionRecord).input).toMatchObject({
      dimension: 2,
      size: 61,
      table: { columns: [1, 0], names: ['x2', 'x1'], leftOut: ['y'] },
    });
    const solved = await hmatrix([
      'solve',
      '--points',
      at('train.csv'),
      '--columns',
      '"x1"',
      '--shift',
      '1',
      '--kernel',
      'gaussian',
      '--bandwidth',
      '1',
    ]);
    expect(solved.status).toBe(0);
    expect(solved.stdout).toContain(
      'd = 1, N = 61\ntrain.csv: 61 points in 1 dimension: column "x1" (named by the first row; left out: ' +
        '"x2", "y"), cells separated by ","\n',
    );
  });

  it('delimiter_decimal_and_header_have_their_flags', async () => {
    await writeFile(at('german.csv'), `1;2\n${rows(40, 2, ';', (value) => String(value).replace('.', ','))}\n`);
    const run = await hmatrix([
      'compress',
      '--points',
      at('german.csv'),
      '--decimal',
      ',',
      '--header',
      'yes',
      '--columns',
      '1',
      ...kernel,
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain(
      'N = 40\ngerman.csv: 40 points in 1 dimension: column "2" (named by the first row; left out: "1"), cells ' +
        'separated by ";", decimal commas\n',
    );
    await writeFile(at('bars.csv'), `${rows(40, 2, '|')}\n`);
    expect((await hmatrix(['compress', '--points', at('bars.csv'), '--delimiter', '|', ...kernel])).stdout).toContain(
      'N = 40\nbars.csv: 40 points in 2 dimensions: columns 0, 1 (by number from 0: the first row holds no ' +
        'names), cells separated by "|"\n',
    );
  });

  it.each([
    [
      '"1,234","2,345"\n1,2\n',
      [],
      1,
      /"1,234" is not a number: .*\(--decimal ,\).*\(--columns\).*say so \(--header yes\)/,
    ],
    ['id,2019\n1,2\n', ['--columns', '"2019"'], 2, /^hmatrix: --columns: .*no column "2019".*\(--header yes\)/],
  ] as [string, string[], number, RegExp][])(
    'messages_of_the_command_name_flags: %j',
    async (text, args, status, message) => {
      await writeFile(at('bad.csv'), text);
      const outcome = await hmatrix(['compress', '--points', at('bad.csv'), ...args]);
      expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) as string });
    },
  );

  /** What the command would say of points that cannot be read. */
  async function said(text: string, options: ReadPointsOptions): Promise<string> {
    await writeFile(at('bad.csv'), text);
    const error: unknown = await readPoints(at('bad.csv'), options).catch((e: unknown) => e);
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      reportFailure(error);
      return write.mock.calls.map(([line]) => String(line)).join('');
    } finally {
      write.mockRestore();
    }
  }

  it('messages_about_a_table_say_which_columns_were_taken', async () => {
    expect(await said('a,b,c\n1,2,3\n4,x,6\n', { columns: ['a', 'b'] })).toMatch(
      /line 3, column "b": "x" is not a number.* Taken: columns "a", "b" \(named by the .*; left out: "c"\)\.\n$/,
    );
    expect(await said('1,2\n1\n', {})).toMatch(/line 2 has 1 cells.* Taken: columns 0, 1 \(by number from 0: the/);
    expect(await said('a,b\n1,1e999\n', {})).toMatch(/not a finite number\. Taken: columns "a", "b" \(named/);
    await writeFile(at('zero.csv'), 'a,b,c\n0,0,1\n1,1,1\n');
    const args = ['--columns', 'a,b', '--kernel', 'cosine'];
    for (const command of [['compress'], ['solve', '--shift', '1'], ['logdet']]) {
      const { status, stderr } = await hmatrix([...command, '--points', at('zero.csv'), ...args]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/Taken of zero\.csv: columns "a", "b" \(named by the first row; left out: "c"\)\.\n$/);
    }
  });

  it.each([
    ['1.5;2.5\n', { delimiter: ',' }, "several numbers with ';' between them (--delimiter ';')"],
    ['1.5\t2.5\n', { delimiter: ',' }, 'several numbers with tabs between them (--delimiter tab)'],
    ['1,5;2,5\n', {}, 'decimal comma (--decimal ,)'],
    ['1.5;2,5\n', { decimal: ',' }, 'where commas are announced (--decimal .)'],
    ['a,b\n1,2,3\n', {}, 'Is the delimiter "," (--delimiter)?'],
    ['a,b\n1,nan\n', {}, 'Leave such rows out (--incomplete-rows skip), or choose other columns (--columns)'],
    ['x,y\nVietnam,2\n', {}, 'Choose the numeric columns (--columns)'],
    ['1st,2nd\n1,2\n', {}, 'if this row names them, say so (--header yes)'],
    ['1st,2nd\n1,2\n', { columns: ['1st'] }, '--columns: '],
  ] as [string, ReadPointsOptions, string][])('whatever_the_library_advises: %j %j', async (text, options, flags) => {
    const message = await said(text, options);
    expect(message).toContain(flags);
    expect(message).not.toMatch(/incompleteRows|(?:header|decimal|delimiter): |option [a-z]/);
  });

  it('lists_of_columns_are_names_and_numbers', () => {
    for (const [text, columns] of [
      ['x1,x2', ['x1', 'x2']],
      [' 0 , y ', [0, 'y']],
      ['"2019","a, b","say ""x"""', ['2019', 'a, b', 'say "x"']],
      ['x y', ['x y']],
    ] as const) {
      expect(columnList(text)).toEqual(columns);
    }
    for (const text of ['', ',', 'a,', 'a,,b', '"a', 'a"b"', '"a"b'])
      expect(() => columnList(text)).toThrow(/names or numbers/);
  });

  it('the_flags_of_tables_go_with_tables', () => {
    for (const option of TABLE_OPTIONS) {
      const flag = asFlag(option);
      expect(() => checkInputOptions({ points: 'normal:50,2', [option]: 'x' })).toThrow(
        `${flag} goes with a table of points (.csv, .tsv), not with --points normal:50,2`,
      );
      expect(() => checkInputOptions({ named: 'K02', size: 64, [option]: 'x' })).toThrow(`${flag} goes with --points`);
      expect(() => checkInputOptions({ matrix: 'K.npy', [option]: 'x' })).toThrow(`${flag} goes with --points`);
      expect(checkInputOptions({ points: 'x.csv', [option]: 'x' })).toBe('points');
    }
  });

  it.each([
    [['solve', '--network', '4-2-4', '--decimal', ','], /--decimal goes with a table of samples: --data FILE\.csv/],
    [['compress', '--points', 'x.csv', '--header', 'maybe'], /--header.*yes, no or auto/],
    [['compress', '--points', 'x.csv', '--delimiter', ';;'], /--delimiter.*one character/],
    [['compress', '--points', 'x.csv', '--delimiter', '.'], /--delimiter: The delimiter must be one character/],
  ] as [string[], RegExp][])('wrong_usage_has_status_2: %j', async (args, message) => {
    const outcome = await hmatrix(args);
    expect(outcome).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(message) as string });
  });
});
