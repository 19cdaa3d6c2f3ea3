import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileFormatError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { inCode, type OptionAdvice } from '#hmatrix/core/advice.js';
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
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 4, maxLength: 40 }),
        fc.boolean(),
        fc.constantFrom('\n', '\r\n'),
        async (cols, values, header, newline) => {
          const rows = Math.floor(values.length / cols);
          const lines = Array.from({ length: rows }, (_, i) => values.slice(i * cols, (i + 1) * cols).join(','));
          const names = Array.from({ length: cols }, (_, k) => `x${k}`);
          const table = await read((header ? [names.join(','), ...lines] : lines).join(newline));
          expect([table.rows, table.cols]).toEqual([rows, cols]);
          expect(table.names).toEqual(header ? names : names.map((_, k) => `column ${k}`));
          // "-0" is written as "0" by JavaScript.
          expect(Array.from(table.data)).toEqual(values.slice(0, rows * cols).map((v) => v + 0));
          expect(table.data.buffer).toBeInstanceOf(SharedArrayBuffer);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('more rows than the first guess of their number', async () => {
    const table = await read(Array.from({ length: 5000 }, (_, i) => `${i},${-i}`).join('\n'));
    expect(table.rows).toBe(5000);
    expect(Array.from(table.data.subarray(9998))).toEqual([4999, -4999]);
  });

  it('byte order mark, quotes, spaces, blank lines, other delimiters', async () => {
    expect(Array.from((await read('\ufeff"a, b";c\n\n 1 ; "2" \n+.5e1;-3.\n\n', { delimiter: ';' })).data)).toEqual([
      1, 2, 5, -3,
    ]);
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
    expect((await failure('a,b\n1,2\n', { header: false })).message).toMatch(/line 1, column 0: "a" is not a number/);
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
    ['hexadecimal', '0,1\n0x10,1\n', /line 2, column 0: "0x10"/],
    ['ragged', 'a,b\n1,2\n1,2,3\n', /line 3 has 3 cells, the first row has 2/],
    ['open quote', 'a,b\n1,"2\n', /not a CSV table: a quote is opened and not closed in the row after line 1/],
    [
      'quote within a cell',
      'a,b\n1,2\n1,2"3\n',
      /not a CSV table: a quote stands within a cell in the row after line 2/,
    ],
    ['text after a quote', 'a,b\n"1"x,2\n', /not a CSV table: a quote stands within a cell/],
    ['empty', '', /the file is empty/],
    ['only a header', 'a,b\n', /only a header/],
  ])('%s', async (_, text, message) => {
    const error = await failure(text);
    expect(error).toBeInstanceOf(FileFormatError);
    expect(error.message).toMatch(message);
  });

  it.each(['inf', '-inf', 'Infinity', '1e999', '1D999'])('%s is not finite', async (cell) => {
    const error = await failure(`a,b\n1,2\n3,${cell}\n`);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.data).toMatchObject({ line: 3, row: 1, column: 'b', cell });
  });

  it('an abort ends the reading', async () => {
    const controller = new AbortController();
    const error = await failure('1,2\n'.repeat(10_000), {
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    expect(error).toBeInstanceOf(AbortedError);
  });

  it.each([
    ['of one cell', '1'],
    ['of many cells', '1,'],
    ['of empty cells', ','],
    ['in a quote', '"1\n'],
  ])('a row without end is refused, and can be aborted: %s', async (_, text) => {
    const start = text.startsWith('"') ? '"' : '';
    const body = text.replace('"', '');
    const aborting = new AbortController();
    const seen: number[] = [];
    const aborted = await failure(start + body.repeat(Math.ceil((1.2 * 2 ** 20) / body.length)), {
      signal: aborting.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        aborting.abort();
      },
    });
    expect(aborted).toBeInstanceOf(AbortedError);
    expect(seen).toHaveLength(1);
    // One byte more than there may be, whether the row ends or the file does; and many more.
    const most = 100_000;
    for (const [bytes, end] of [
      [most + 1, ''],
      [most, '\n1\n'],
      [(1.2 * 2 ** 20) | 0, ''],
    ] as const) {
      const error = await failure((start + body.repeat(bytes)).slice(0, bytes) + (start === '' ? end : ''), {
        maxRowBytes: bytes === most && start !== '' ? most - 1 : most,
      });
      expect(error).toBeInstanceOf(FileFormatError);
      expect(error.message).toMatch(/row after line 0 is longer than (?:100000|99999) bytes/);
      expect(error.message.length).toBeLessThan(500);
    }
  });

  it('rows are as long as 16 MiB and no longer', async () => {
    const error = await failure(`1\n"${'1'.repeat(2 ** 24)}`);
    expect(error.message).toMatch(/row after line 1 is longer than 16777216 bytes/);
    expect((await read(`1\n${'1'.repeat(99_999)}e-99999\n`, { maxRowBytes: 110_000 })).rows).toBe(2);
  });

  it('messages show 40 characters of a cell or a name at most, and no control characters', async () => {
    const long = `\u001b[31m${'z'.repeat(10_000)}\u009b`;
    const cases: [string, CsvOptions][] = [
      [`a,b\n1,${long}\n`, {}],
      [`a,"${long}"\n1,x\n`, {}],
      [`a,"${long}"\n1,\n`, {}],
      [`a,"${long}"\n`, {}],
      [`${long},b\n1,2\n`, { columns: ['c'] }],
      [`a,b\n1,2\n`, { columns: [long] }],
      [`${'1'.repeat(10_000)}x,b\n`, {}],
      [`a,b\n1,${long}"x"\n`, {}],
      [`a,b\n1,1e9${'9'.repeat(10_000)}\n`, {}],
      [`${Array.from({ length: 5000 }, (_, k) => `name${k}`).join(',')}\n`, {}],
    ];
    for (const [text, options] of cases) {
      const { message, data } = await failure(text, options);
      expect(message).not.toMatch(/z{41}|1{41}|9{41}/);
      expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      expect(message.length).toBeLessThan(1000);
      expect(JSON.stringify(data).length).toBeLessThan(2000);
    }
  });
});

/** A number in ways that programs and people write it, and what a message calls each. */
const NOTATIONS: [string, (x: number) => string, RegExp, (OptionAdvice | undefined)?][] = [
  ['decimal comma', (x) => x.toFixed(2).replace('.', ','), /decimal comma/, { option: 'decimal', value: ',' }],
  [
    'groups of digits, ambiguous',
    (x) => `${Math.floor(x) + 1},234`,
    /decimal comma, or one with commas between groups/,
    { option: 'decimal', value: ',' },
  ],
  ['groups of digits with commas', (x) => `${Math.floor(x) + 1},234,567.5`, /separators between groups/],
  ['groups of digits with points', (x) => `${Math.floor(x) + 1}.234.567`, /separators between groups/],
  ['groups of digits with apostrophes', (x) => `${Math.floor(x) + 1}'234.5`, /separators between groups/],
  ['groups of digits with narrow spaces', (x) => `${Math.floor(x) + 1}\u202f234`, /separators between groups/],
  ['groups of digits with underscores', (x) => `${Math.floor(x) + 1}_000`, /'_' between its digits/],
  ['currency before', (x) => `$${x}`, /currency/],
  ['currency after', (x) => `${x} €`, /currency/],
  ['percent', (x) => `${x}%`, /percentage/],
  ['accounts', (x) => `(${x.toFixed(1)})`, /parentheses/],
  ['minus sign of typography', (x) => `−${x}`, /minus sign/],
  ['hexadecimal', (x) => `0x${Math.floor(x).toString(16)}`, /hexadecimal/],
  ['exponent without a letter', (x) => `${x.toFixed(3)}-101`, /lacks its letter/],
  ['other digits', (x) => String.fromCodePoint(0x661 + (Math.floor(x) % 9)), /other digits/],
  ['several numbers', (x) => `${x.toFixed(1)};2.5`, /several numbers with ';'/, { option: 'delimiter', value: ';' }],
  ['bars', (x) => `${x.toFixed(1)}|2.5`, /several numbers with '\|'/, { option: 'delimiter', value: '|' }],
  ['spaces', (x) => `${x.toFixed(1)} 2.5`, /several numbers with ' '/, { option: 'delimiter', value: ' ' }],
  ['a unit', (x) => `${x.toFixed(1)}kg`, /is not a number\./],
  ['a date', () => '2020-02-03', /is not a number\./],
  ['a bound', (x) => `<${x.toFixed(1)}`, /is not a number\./],
];

describe('numbers in foreign notations', () => {
  it.each(NOTATIONS.map(([name, write, what, advice]) => ({ name, write, what, advice })))(
    'are never taken for names, and never lost: $name',
    async ({ write, what, advice }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.double({ min: 1, max: 900, noNaN: true }),
          fc.double({ min: 1, max: 900, noNaN: true }),
          async (x, y) => {
            const row = [x, y].map((value) => `"${write(value)}"`).join(',');
            // As the first row and as a later one: named with its notation, and with the option that helps.
            for (const [text, line] of [
              [`${row}\n1,2\n`, 1],
              [`a,b\n1,2\n${row}\n`, 3],
            ] as const) {
              const error = await failure(text, { delimiter: ',' });
              expect(error).toBeInstanceOf(FileFormatError);
              expect(error.message).toContain(`line ${line}, column`);
              expect(error.message).toMatch(what);
              if (advice !== undefined) {
                expect(error.data['advice']).toContainEqual(advice);
                expect(error.message).toContain(inCode(advice));
              }
              expect(error.message.includes('header: true')).toBe(line === 1);
            }
            expect((await read(`${row}\n1,2\n`, { delimiter: ',', header: true })).names).toEqual([write(x), write(y)]);
          },
        ),
        { numRuns: 4 },
      );
    },
  );

  it('the exponents of Fortran are read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom('d', 'D'),
        async (x, letter) => {
          const cell = x.toExponential().replace('e', letter);
          expect((await read(`${cell},1.0D+00\n`)).data).toEqual(Float64Array.of(x + 0, 1));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('decimal commas are read where they are announced, and points refused there', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(';', '\t', ','),
        async (x, mark) => {
          const cell = String(x + 0).replace('.', ',');
          const row = [cell, '2,5'].map((text) => (mark === ',' ? `"${text}"` : text)).join(mark);
          const table = await read(`${row}\n${row}\n`, { decimal: ',' });
          expect(table).toMatchObject({ delimiter: mark, decimal: ',', rows: 2, cols: 2, header: false });
          expect(Array.from(table.data)).toEqual([x + 0, 2.5, x + 0, 2.5]);
        },
      ),
      { numRuns: 60 },
    );
    expect((await failure('1,5;2.5\n', { decimal: ',' })).message).toMatch(
      /"2\.5" is not a number: .*decimal point.*decimal: '\.'/,
    );
    expect((await failure('1.234,5;2\n', { decimal: ',' })).message).toMatch(/separators between groups/);
    expect(await failure('1,5,2,5\n', { decimal: ',', delimiter: ',' })).toBeInstanceOf(OptionError);
  });
});

describe('what is found of a table is said', () => {
  it.each([',', ';', '\t'])(
    'the delimiter, with and without a header, text beside the numbers, one row or many: %j',
    async (mark) => {
      const rows = ['1', '2', '3'].map((k) => [`${k}.5`, `text ${k}`, `-${k}e-3`].join(mark));
      for (const lines of [rows, rows.slice(0, 1), [['a', 'b b', 'c'].join(mark), ...rows]]) {
        const table = await read(`${lines.join('\n')}\n`, { columns: [0, 2] });
        const header = lines.length > rows.length;
        expect(table).toMatchObject({
          delimiter: mark,
          decimal: '.',
          header,
          columns: [0, 2],
          names: header ? ['a', 'c'] : ['column 0', 'column 2'],
          skippedRows: 0,
          whole: true,
        });
        expect(Array.from(table.data.subarray(0, 2))).toEqual([1.5, -1e-3]);
      }
    },
  );

  it('a character that each row has within its text does not become the delimiter', async () => {
    expect(await read('7,a;b,1\n8,c;d,2\n', { columns: [0, 2] })).toMatchObject({
      delimiter: ',',
      data: Float64Array.of(7, 1, 8, 2),
    });
    expect(await read('Doe, J.\t1\nRoe, K.\t2\n', { columns: [1] })).toMatchObject({
      delimiter: '\t',
      data: Float64Array.of(1, 2),
    });
    expect(await read('"a;b","c;d"\n1,2\n')).toMatchObject({ delimiter: ',', names: ['a;b', 'c;d'] });
  });

  it('text in UTF-16 as spreadsheets export it, and line ends of all systems', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      expect(await read(`a;b${end}1;2${end}3;4${end}`)).toMatchObject({
        rows: 2,
        names: ['a', 'b'],
        data: Float64Array.of(1, 2, 3, 4),
      });
      expect((await failure(`a;b${end}1;2${end}${end}3;x${end}`)).message).toContain('line 4, column "b"');
    }
    writeFileSync(file, Buffer.from('\ufeffa\tb\r\n1\t2\r\n', 'utf16le'));
    expect(await readCsv(file)).toMatchObject({ delimiter: '\t', names: ['a', 'b'], data: Float64Array.of(1, 2) });
  });

  it('a column whose name is there twice, or that only a denied header has', async () => {
    expect((await failure('a,b,a\n1,2,3\n', { columns: ['a'] })).message).toMatch(/two columns are called "a"/);
    const error = await failure('id,2019\n1,2\n', { columns: ['2019'] });
    expect(error.message).toMatch(/no column "2019"; .*for the sake of "2019".*header: true/);
    expect((await read('id,2019\n1,2\n', { columns: ['2019'], header: true })).data).toEqual(Float64Array.of(2));
  });

  it.each([
    { delimiter: '' },
    { delimiter: ',,' },
    { delimiter: '.' },
    { delimiter: '1' },
    { delimiter: 'e' },
    { delimiter: '"' },
    { decimal: ';' },
    { header: 'yes' },
    { incompleteRows: 'ignore' },
    { limit: 1.5 },
    { maxRowBytes: 0 },
  ])('options out of their domain are refused by name: %j', async (options) => {
    const error = await failure('1,2\n', options as CsvOptions);
    expect(error).toBeInstanceOf(OptionError);
    expect(error.data['option']).toBe(Object.keys(options)[0]);
  });

  it('whether the limit ended the reading', async () => {
    expect((await read('1\n2\n3\n', { limit: 2 })).whole).toBe(false);
    expect((await read('1\n2\n3\n', { limit: 4 })).whole).toBe(true);
    expect((await read('1\n2\n"x"y\n', { limit: 2 })).rows).toBe(2);
  });
});

describe('missing values', () => {
  it.each(['', '""', 'NA', 'na', 'N/A', 'n/a', '#N/A', '#NA', '<NA>', 'NaN', 'nan', '-nan', 'NULL', 'null', 'None'])(
    '%j is one, wherever it stands',
    async (cell) => {
      for (const [text, line] of [
        [`1,${cell}\n2,3\n`, 1],
        [`a,b\n4,5\n1,${cell}\n2,3\n`, 3],
      ] as const) {
        const error = await failure(text);
        expect(error).toBeInstanceOf(FileFormatError);
        expect(error.message).toContain(`line ${line}, column`);
        expect(error.message).toMatch(/no value .*incompleteRows: 'skip'/);
        const table = await read(text, { incompleteRows: 'skip' });
        expect(table.skippedRows).toBe(1);
        expect(Array.from(table.data.subarray(-2))).toEqual([2, 3]);
        expect((await read(text, { columns: [0] })).skippedRows).toBe(0);
      }
    },
  );

  it('infinite values are none: they are refused in rows that are left out otherwise', async () => {
    expect(await failure('1,inf\n2,3\n', { incompleteRows: 'skip' })).toBeInstanceOf(NonFiniteError);
  });
});

describe('real tables', () => {
  it.skipIf(!boston.there)(
    `boston_housing.csv has missing values, which are named or left out${boston.note}`,
    async () => {
      const error: unknown = await readCsv(boston.path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(FileFormatError);
      expect((error as Error).message).toMatch(/line 6, column "LSTAT": no value \(NA\)/);
      const complete = await readCsv(boston.path, { incompleteRows: 'skip' });
      expect(complete.cols).toBe(14);
      expect(complete.rows + complete.skippedRows).toBe(506);
      expect(complete.skippedRows).toBeGreaterThan(0);
      expect(await readCsv(boston.path, { columns: ['MEDV', 'RM'] })).toMatchObject({
        rows: 506,
        cols: 2,
        skippedRows: 0,
        names: ['MEDV', 'RM'],
      });
    },
  );

  it.skipIf(!births.there)(
    `birth_rate.csv has a column of names, which is named or left out${births.note}`,
    async () => {
      const error: unknown = await readCsv(births.path).catch((e: unknown) => e);
      expect((error as Error).message).toMatch(/line 2, column "Country": "Vietnam" is not a number/);
      const table = await readCsv(births.path, { columns: ['Birth rate', 'Life expectancy'] });
      expect(table.rows).toBe(190);
      expect(Array.from(table.data.subarray(0, 2))).toEqual([1.822, 74.828243902]);
    },
  );
});
