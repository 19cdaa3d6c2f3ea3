import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { readCsv, type CsvOptions, type CsvTable } from '#hmatrix/io/csv.js';
import { realData, temporaryFolder } from './temporary-folder.js';

const file = join(temporaryFolder(), 'table.csv');
const boston = realData('tabular/boston_housing.csv');
const births = realData('tabular/birth_rate.csv');

function read(text: string, options: CsvOptions = {}): Promise<CsvTable> {
  writeFileSync(file, text);
  return readCsv(file, options);
}
async function failure(text: string, options: CsvOptions = {}): Promise<Error & { data: Record<string, unknown> }> {
  const error: unknown = await read(text, options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Error);
  return error as Error & { data: Record<string, unknown> };
}

describe('reading CSV', () => {
  it('numbers come back exactly, with and without a header', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 4, maxLength: 40 }), fc.boolean(), fc.constantFrom('\n', '\r\n'), async (cols, values, header, newline) => {
      const rows = Math.floor(values.length / cols);
      const lines = Array.from({ length: rows }, (_, i) => values.slice(i * cols, (i + 1) * cols).join(','));
      const names = Array.from({ length: cols }, (_, k) => `x${k}`);
      const table = await read((header ? [names.join(','), ...lines] : lines).join(newline));
      expect([table.rows, table.cols]).toEqual([rows, cols]);
      expect(table.names).toEqual(header ? names : names.map((_, k) => `column ${k}`));
      // "-0" is written as "0" by JavaScript.
      expect(Array.from(table.data)).toEqual(values.slice(0, rows * cols).map((v) => v + 0));
      expect(table.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    }), { numRuns: 60 });
  });

  it('more rows than the first guess of their number', async () => {
    const table = await read(Array.from({ length: 5000 }, (_, i) => `${i},${-i}`).join('\n'));
    expect(table.rows).toBe(5000);
    expect(Array.from(table.data.subarray(9998))).toEqual([4999, -4999]);
  });

  it('byte order mark, quotes, spaces, blank lines, other delimiters', async () => {
    expect(Array.from((await read('\ufeff"a, b";c\n\n 1 ; "2" \n+.5e1;-3.\n\n', { delimiter: ';' })).data)).toEqual([1, 2, 5, -3]);
    expect((await read('\ufeff"a, b";c\n1;2\n', { delimiter: ';' })).names).toEqual(['a, b', 'c']);
  });

  it('columns by name or number, in the order asked for', async () => {
    const text = 'id,x,y\na,1,2\nb,3,4\n';
    const table = await read(text, { columns: ['y', 1] });
    expect(table.names).toEqual(['y', 'x']);
    expect(Array.from(table.data)).toEqual([2, 1, 4, 3]);
    expect((await failure(text, { columns: ['z'] })).message).toMatch(/no column "z"; there are "id", "x", "y"/);
    expect(await failure(text, { columns: [3] })).toBeInstanceOf(OptionError);
    expect(await failure(text, { columns: [] })).toBeInstanceOf(OptionError);
  });

  it('a header of numbers must be announced; a header can be denied', async () => {
    expect((await read('1990,1991\n1,2\n')).rows).toBe(2);
    expect(await read('1990,1991\n1,2\n', { header: true })).toMatchObject({ rows: 1, names: ['1990', '1991'] });
    expect((await failure('a,b\n1,2\n', { header: false })).message).toMatch(/line 1, column "column 0": "a" is not a number/);
    expect((await read(',x\n1,2\n')).names).toEqual(['column 0', 'x']);
  });

  it('limit stops after so many rows, before what follows', async () => {
    expect((await read('1\n2\nthree\n', { limit: 2 })).rows).toBe(2);
    expect(await failure('1\n', { limit: 0 })).toBeInstanceOf(OptionError);
  });

  it('incomplete rows can be left out', async () => {
    const table = await read('a,b\n1,\n2,3\nNA,4\n5,6\n', { incompleteRows: 'skip' });
    expect(Array.from(table.data)).toEqual([2, 3, 5, 6]);
    expect(table.skippedRows).toBe(2);
    expect((await read('a,b\n1,\n2,3\n', { columns: ['a'], incompleteRows: 'skip' })).skippedRows).toBe(0);
  });
});

describe('bad CSV files', () => {
  it.each([
    ['text', 'a,b\n1,2\n3,x\n', /line 3, column "b": "x" is not a number/],
    ['empty cell', 'a,b\n1,2\n\n,4\n', /line 4, column "a": no value \(an empty cell\)/],
    ['NA', 'a,b\n1,NA\n', /line 2, column "b": no value \(NA\)/],
    ['hexadecimal', '0,1\n0x10,1\n', /line 2, column "column 0": "0x10"/],
    ['ragged', 'a,b\n1,2\n1,2,3\n', /line 3 has 3 cells, the first row has 2/],
    ['open quote', 'a,b\n1,"2\n', /not a CSV table.*[Qq]uote/],
    ['empty', '', /the file is empty/],
    ['only a header', 'a,b\n', /only a header/],
  ])('%s', async (_, text, message) => {
    const error = await failure(text);
    expect(error).toBeInstanceOf(FileFormatError);
    expect(error.message).toMatch(message);
  });

  it.each(['NaN', 'nan', '-inf', 'Infinity', '1e999'])('%s is not finite', async (cell) => {
    const error = await failure(`a,b\n1,2\n3,${cell}\n`);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.data).toMatchObject({ line: 3, row: 1, column: 'b', cell });
  });

  it('an abort ends the reading', async () => {
    const controller = new AbortController();
    const error = await failure('1,2\n'.repeat(10_000), { signal: controller.signal, onProgress: () => { controller.abort(); } });
    expect(error).toBeInstanceOf(AbortedError);
  });
});

describe('real tables', () => {
  it.skipIf(!boston.there)(`boston_housing.csv has missing values, which are named or left out${boston.note}`, async () => {
    const error: unknown = await readCsv(boston.path).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileFormatError);
    expect((error as Error).message).toMatch(/line 6, column "LSTAT": no value \(NA\)/);
    const complete = await readCsv(boston.path, { incompleteRows: 'skip' });
    expect(complete.cols).toBe(14);
    expect(complete.rows + complete.skippedRows).toBe(506);
    expect(complete.skippedRows).toBeGreaterThan(0);
    expect(await readCsv(boston.path, { columns: ['MEDV', 'RM'] })).toMatchObject({ rows: 506, cols: 2, skippedRows: 0, names: ['MEDV', 'RM'] });
  });

  it.skipIf(!births.there)(`birth_rate.csv has a column of names, which is named or left out${births.note}`, async () => {
    const error: unknown = await readCsv(births.path).catch((e: unknown) => e);
    expect((error as Error).message).toMatch(/line 2, column "Country": "Vietnam" is not a number/);
    const table = await readCsv(births.path, { columns: ['Birth rate', 'Life expectancy'] });
    expect(table.rows).toBe(190);
    expect(Array.from(table.data.subarray(0, 2))).toEqual([1.822, 74.828243902]);
  });
});
