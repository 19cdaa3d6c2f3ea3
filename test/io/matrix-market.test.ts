/** Matrix Market files: every form that is read, what is written and read back, and what is refused. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFormatError, MemoryError } from '#hmatrix/core/errors.js';
import { matrixOver } from '#hmatrix/dense/matrix.js';
import { readMatrixMarket, writeMatrixMarket } from '#hmatrix/io/matrix-market.js';
import { readPoints } from '#hmatrix/io/points.js';
import { randomMatrix } from '../support.js';
import { temporaryFolder } from './temporary-folder.js';

const path = join(temporaryFolder(), 'a.mtx');
const scipy = spawnSync('python3', ['-c', 'import scipy.io']).status === 0;

const rowsOf = async (text: string): Promise<number[][]> => {
  writeFileSync(path, text);
  const { data, rows, cols } = await readMatrixMarket(path);
  return Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (__, j) => data[i + j * rows]));
};

describe('Matrix Market', () => {
  it('what is written is read back, to the bit, plain and compressed', async () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(finite),
        async (rows, cols, stream) => {
          const data = Float64Array.from({ length: rows * cols }, () => stream.next().value as number);
          await writeMatrixMarket(path, matrixOver(data, rows, cols));
          const back = await readMatrixMarket(path);
          expect([back.rows, back.cols, [...back.data]]).toEqual([rows, cols, [...data]]);
        },
      ),
      { numRuns: 40 },
    );
    writeFileSync(`${path}.gz`, gzipSync('%%MatrixMarket matrix array integer general\n1 2\n3\n4\n'));
    expect([...(await readMatrixMarket(`${path}.gz`)).data]).toEqual([3, 4]);
  });

  it('arrays, by columns; of symmetric ones the lower triangle, of skew-symmetric ones what is below', async () => {
    expect(await rowsOf('%%MatrixMarket matrix array real general\n% note\n\n2 3\n1\n2\n3\n4\n5\n6e0\n')).toEqual([
      [1, 3, 5],
      [2, 4, 6],
    ]);
    expect(await rowsOf('%%MatrixMarket matrix array real symmetric\n3 3\n1\n2\n3\n4\n5\n6\n')).toEqual([
      [1, 2, 3],
      [2, 4, 5],
      [3, 5, 6],
    ]);
    expect(await rowsOf('%%MatrixMarket MATRIX array real skew-symmetric\r\n3 3\r\n1\r\n2\r\n3\r\n')).toEqual([
      [0, -1, -2],
      [1, 0, -3],
      [2, 3, 0],
    ]);
  });

  it('coordinates, patterns, entries that stand twice', async () => {
    expect(await rowsOf('%%MatrixMarket matrix coordinate real general\n2 3 3\n1 3 0.5\n2 1 -1\n1 3 1\n')).toEqual([
      [0, 0, 1.5],
      [-1, 0, 0],
    ]);
    expect(await rowsOf('%%MatrixMarket matrix coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n')).toEqual([
      [1, 1],
      [1, 0],
    ]);
    expect(await rowsOf('%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 3\n')).toEqual([
      [0, -3],
      [3, 0],
    ]);
  });

  it('exponents as Fortran writes them: by D and Q, and of three digits by their sign alone', async () => {
    const digits = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e99, max: 1e99 });
    await fc.assert(
      fc.asyncProperty(digits, fc.constantFrom('D', 'd', 'Q'), async (x, letter) => {
        const written = x.toExponential();
        // A capital may be followed by a sign or not; an integer's mantissa by a point.
        const text = written
          .replace(/^(-?\d)e/, '$1.e')
          .replace('e+', 'e')
          .replace('e', letter);
        const [[first, second]] = await rowsOf(`%%MatrixMarket matrix array real general\n1 2\n${text}\n${written}\n`);
        expect(first).toBe(second);
      }),
      { numRuns: 40 },
    );
    expect(
      await rowsOf('%%MatrixMarket matrix coordinate double general\n2 2 3\n1 1 5D0\n1 2 1.5d-3\n2 1 .25-103\n'),
    ).toEqual([
      [5, 1.5e-3],
      [0.25e-103, 0],
    ]);
    for (const bad of ['5D', 'D3', '1.5D-3.2', '1-', '1D400', '--1D0'])
      await expect(rowsOf(`%%MatrixMarket matrix array real general\n1 1\n${bad}\n`), bad).rejects.toThrow(
        FileFormatError,
      );
  });

  it('rows are points', async () => {
    writeFileSync(path, '%%MatrixMarket matrix array real general\n2 3\n1\n2\n3\n4\n5\n6\n');
    const { dimension, count, coordinates } = await readPoints(path);
    expect([dimension, count, [...coordinates]]).toEqual([3, 2, [1, 3, 5, 2, 4, 6]]);
    expect((await readPoints(path, { limit: 1 })).count).toBe(1);
  });

  it.skipIf(!scipy)(`agrees with SciPy${scipy ? '' : ' (skipped: there is no python3 with scipy)'}`, async () => {
    const matrix = randomMatrix(7, 4, 3);
    await writeMatrixMarket(path, matrix);
    const program = `
import sys, numpy, scipy.io, scipy.sparse
a = scipy.io.mmread(sys.argv[1])
print(repr(a.T.ravel().tolist()))
scipy.io.mmwrite(sys.argv[1], scipy.sparse.coo_matrix(numpy.where(a > 0, a, 0)), precision=17)
`;
    const printed = execFileSync('python3', ['-c', program, path], { encoding: 'utf8' });
    expect(JSON.parse(printed)).toEqual([...matrix.data]);
    expect([...(await readMatrixMarket(path)).data]).toEqual([...matrix.data].map((value) => Math.max(value, 0)));
  });

  const array = '%%MatrixMarket matrix array real general\n';
  const coordinate = '%%MatrixMarket matrix coordinate real symmetric\n';
  it.each([
    ['', /line 1: "" is not the header/],
    ['1 2\n3 4\n', /line 1: "1 2" is not the header/],
    ['%%MatrixMarket matrix array complex general\n1 1\n1 0\n', /array complex general; .* are read/],
    ['%%MatrixMarket matrix array real hermitian\n1 1\n1\n', /hermitian/],
    ['%%MatrixMarket matrix array pattern general\n1 1\n', /an array without numbers/],
    [`${array}`, /"" is not the size, rows and columns/],
    [`${array}-1 2\n`, /line 2: "-1 2" is not the size/],
    [`${array}2 1\n1\n`, /1 entries, 2 were announced: the file is cut off/],
    [`${array}1 1\n1\n% note\n2\n`, /line 5: more than the 1 entries announced/],
    [`${array}1 1\nNaN\n`, /line 3: "NaN" is not a number/],
    [`${array}1 1\n0x10\n`, /line 3: "0x10" is not a number/],
    [`${array}1 1\n0B11\n`, /line 3: "0B11" is not a number/],
    [`${array}1 1\n0o17\n`, /line 3: "0o17" is not a number/],
    [`${coordinate}2 2 1\n0x1 1 1\n`, /line 3: "0x1 1 1" is no entry/],
    [`${coordinate}2 2 1\n1 1e0 1\n`, /line 3: "1 1e0 1" is no entry/],
    [`${array}1 1\n1 2\n`, /line 3: "1 2" is not a number/],
    [`${coordinate}2 3 1\n1 1 1\n`, /a symmetric matrix of 2 × 3/],
    [`${coordinate}2 2\n1 1 1\n`, /1 1 1.*is not in|more than the 0 entries/],
    [`${coordinate}2 2 1\n1 2 1\n`, /line 3: "1 2 1" is not in the lower triangle/],
    [`${coordinate}2 2 1\n3 1 1\n`, /line 3: "3 1 1" is no entry of a matrix of 2 × 2/],
    [`${coordinate}2 2 1\n1.5 1 1\n`, /is no entry/],
    [`${coordinate}2 2 1\n1 1\n`, /is not row, column and value/],
  ])('%j is refused', async (text, message) => {
    writeFileSync(path, text);
    const failure: unknown = await readMatrixMarket(path).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileFormatError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).toContain(path);
  });

  it('a matrix that no memory holds is refused before it is made', async () => {
    writeFileSync(path, '%%MatrixMarket matrix coordinate real general\n99999999 99999999 0\n');
    await expect(readMatrixMarket(path)).rejects.toThrow(MemoryError);
  });
});
