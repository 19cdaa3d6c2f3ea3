import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, FileFormatError, ShapeError } from '#hmatrix/core/errors.js';
import { get, matrixOver } from '#hmatrix/dense/matrix.js';
import { readNpy, readNpyMatrix, readNpyOrdered, writeNpy, writeNpyMatrix } from '#hmatrix/io/npy.js';
import { readPoints } from '#hmatrix/io/points.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const file = join(folder, 'a.npy');

/** A file as NumPy would write it, header and elements made by hand. */
function npyBytes(descr: string, fortran: boolean, shape: string, payload: Uint8Array, version = 1): Uint8Array {
  const lengthBytes = version === 1 ? 2 : 4;
  let text =
    `{'descr': ${descr.startsWith('[') ? descr : `'${descr}'`}, 'fortran_order': ${fortran ? 'True' : 'False'}, ` +
    `'shape': ${shape}, }`;
  text += ' '.repeat((64 - ((8 + lengthBytes + text.length + 1) % 64)) % 64) + '\n';
  const head = Buffer.alloc(8 + lengthBytes);
  head.set([0x93, ...Buffer.from('NUMPY'), version, 0]);
  head.writeUIntLE(text.length, 8, lengthBytes);
  return Buffer.concat([head, Buffer.from(text, 'latin1'), payload]);
}

/** The binary16 bits of a number that is one, by its definition. */
function halfBits(v: number): number {
  const sign = Object.is(Math.sign(v), -0) || v < 0 ? 0x8000 : 0;
  const x = Math.abs(v);
  if (x === Infinity) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(x === 0 ? 2 ** -24 : x)));
  const fraction = x / 2 ** exponent;
  return sign | (fraction < 1 ? x / 2 ** -24 : ((exponent + 15) << 10) | ((fraction - 1) * 1024));
}

/** Elements of a type, written one by one by DataView: independent of the reader's way. */
function encode(type: string, values: number[], little: boolean): Uint8Array {
  const size = Number(type.slice(1));
  const view = new DataView(new ArrayBuffer(size * values.length));
  values.forEach((v, k) => {
    const at = k * size;
    if (type === 'f8') view.setFloat64(at, v, little);
    else if (type === 'f4') view.setFloat32(at, v, little);
    else if (type === 'f2') view.setUint16(at, halfBits(v), little);
    else if (type === 'i8') view.setBigInt64(at, BigInt(v), little);
    else if (type === 'u8') view.setBigUint64(at, BigInt(v), little);
    else if (type === 'i4') view.setInt32(at, v, little);
    else if (type === 'u4') view.setUint32(at, v, little);
    else if (type === 'i2') view.setInt16(at, v, little);
    else if (type === 'u2') view.setUint16(at, v, little);
    else if (type === 'i1') view.setInt8(at, v);
    else view.setUint8(at, v);
  });
  return new Uint8Array(view.buffer);
}

const extremes: Record<string, number[]> = {
  f8: [0.1, -1e300, 5e-324, Infinity],
  f4: [0.5, -1.5, Math.fround(1e-40), 3],
  f2: [-65504, 2 ** -24, Infinity, 1.5],
  i1: [-128, 127, 0, -1],
  u1: [0, 255, 128, 1],
  i2: [-32768, 32767, -2, 258],
  u2: [0, 65535, 258, 32768],
  i4: [-2147483648, 2147483647, -2, 66051],
  u4: [0, 4294967295, 66051, 2147483648],
  i8: [-(2 ** 63), 2 ** 53 - 1, -1, -4294967297],
  u8: [0, 2 ** 63, 2 ** 53 - 1, 4294967296],
  b1: [1, 0, 0, 1],
};

describe('reading .npy', () => {
  for (const [type, values] of Object.entries(extremes)) {
    it.each(['<', '>', '|'].filter((order) => (order === '|') === type.endsWith('1')))(
      `type ${type}, order %s: values are exact`,
      async (order) => {
        writeFileSync(file, npyBytes(order + type, false, '(2, 2)', encode(type, values, order !== '>')));
        const array = await readNpy(file);
        expect(Array.from(array.data)).toEqual(values);
        expect(array.data).toBeInstanceOf(type === 'f4' || type === 'f2' ? Float32Array : Float64Array);
        expect(array.data.buffer).toBeInstanceOf(SharedArrayBuffer);
        expect(array.shape).toEqual([2, 2]);
      },
    );
  }

  it(
    'records of numbers are rows, a column for each field: ' + 'any types, padding, titles, more than a chunk',
    async () => {
      // As numpy.dtype([('x', '<f8'), ('k', 'u1'), (('title', 'y'), '>f4')], align=True) is described; 16 + 8 bytes a
      // record.
      const descr = "[('x', '<f8'), ('k', '|u1'), ('', '|V3'), (('title', 'y'), '>f4')]";
      for (const n of [0, 1, 3, 600_001]) {
        const payload = Buffer.alloc(16 * n);
        const expected = new Float64Array(3 * n);
        for (let i = 0; i < n; i++) {
          expected.set([i / 3, i % 256, Math.fround(-i / 7)], 3 * i);
          payload.writeDoubleLE(expected[3 * i], 16 * i);
          payload[16 * i + 8] = expected[3 * i + 1];
          payload.fill(0xff, 16 * i + 9, 16 * i + 12);
          payload.writeFloatBE(expected[3 * i + 2], 16 * i + 12);
        }
        writeFileSync(file, npyBytes(descr, false, `(${n},)`, payload));
        const { shape, data, fortranOrder } = await readNpy(file);
        expect([shape, fortranOrder]).toEqual([[n, 3], false]);
        expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(expected.buffer))).toBe(0);
        if (n !== 3) continue;
        const matrix = await readNpyMatrix(file);
        for (let i = 0; i < n; i++) for (let f = 0; f < 3; f++) expect(get(matrix, i, f)).toBe(expected[3 * i + f]);
        expect(await readPoints(file)).toEqual({ dimension: 3, count: 3, total: 3, coordinates: expected });
      }
      writeFileSync(
        file,
        npyBytes(
          "[('x', '<f4'), ('y', '<f2')]",
          false,
          '(1,)',
          Buffer.concat([encode('f4', [0.1], true), encode('f2', [-2], true)]),
        ),
      );
      expect((await readNpy(file)).data).toEqual(Float32Array.of(0.1, -2));
    },
  );

  it.each([1, 2, 3])('header version %i', async (version) => {
    writeFileSync(file, npyBytes('<f8', true, '(3,)', encode('f8', [1, 2, 3], true), version));
    expect(await readNpy(file)).toMatchObject({ shape: [3], fortranOrder: true });
    expect(Array.from((await readNpyMatrix(file)).data)).toEqual([1, 2, 3]);
  });

  it('64-bit integers beyond 2^53 become the nearest float64', async () => {
    const values = [2n ** 62n + 3n, -(2n ** 60n) - 129n, 2n ** 63n - 1n, 2n ** 53n + 1n];
    const raw = new Uint8Array(BigInt64Array.from(values).buffer);
    writeFileSync(file, npyBytes('<i8', false, '(4,)', raw));
    expect(Array.from((await readNpy(file)).data)).toEqual(values.map(Number));
  });

  it('C and Fortran order give the same matrix', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 40 }),
        fc.boolean(),
        fc.constantFrom('<f8', '>f8', '<f4', '<i2'),
        async (rows, cols, fortran, descr) => {
          const value = (i: number, j: number): number => i * 64 + j - 1000;
          const stored: number[] = [];
          for (let a = 0; a < (fortran ? cols : rows); a++)
            for (let b = 0; b < (fortran ? rows : cols); b++) stored.push(fortran ? value(b, a) : value(a, b));
          writeFileSync(
            file,
            npyBytes(descr, fortran, `(${rows}, ${cols})`, encode(descr.slice(1), stored, descr[0] === '<')),
          );
          const matrix = await readNpyMatrix(file);
          const rowMajor = await readNpyOrdered(file, { order: 'C', precision: 'f64' });
          expect([matrix.rows, matrix.cols]).toEqual([rows, cols]);
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < cols; j++) {
              expect(get(matrix, i, j)).toBe(value(i, j));
              expect(rowMajor.data[i * cols + j]).toBe(value(i, j));
            }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('a row-major matrix wider and longer than one tile is transposed exactly', async () => {
    for (const [rows, cols] of [
      [20, 70_000],
      [3000, 401],
    ]) {
      const data = Float32Array.from({ length: rows * cols }, (_, k) => k % 16_777_216);
      await writeNpy(file, { shape: [rows, cols], data });
      const matrix = await readNpyMatrix(file);
      let wrong = 0;
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < cols; j++) if (matrix.data[i + j * rows] !== data[i * cols + j]) wrong++;
      expect(wrong).toBe(0);
    }
  });
});

describe('writing .npy', () => {
  it('what is written is read back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.float64Array({ maxLength: 60 }),
          fc.float32Array({ maxLength: 60 }),
          fc.int32Array({ maxLength: 60 }),
          fc.uint8Array({ maxLength: 60 }),
        ),
        fc.boolean(),
        fc.boolean(),
        async (data, fortranOrder, flat) => {
          const shape = flat ? [data.length] : data.length % 2 === 0 ? [2, data.length / 2] : [data.length, 1];
          await writeNpy(file, { shape, data, fortranOrder });
          const back = await readNpy(file);
          expect(back.shape).toEqual(shape);
          expect(back.fortranOrder).toBe(fortranOrder);
          expect(Array.from(back.data)).toEqual(Array.from(data));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('elements begin at a multiple of 64 bytes', async () => {
    await writeNpy(file, { shape: [2, 3], data: new Float64Array(6) });
    const bytes = readFileSync(file);
    expect((bytes.length - 48) % 64).toBe(0);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
  });

  it('a view with gaps is packed', async () => {
    for (const data of [
      Float64Array.from({ length: 30 }, (_, k) => k),
      Float32Array.from({ length: 30 }, (_, k) => k),
    ]) {
      const matrix = matrixOver(data, 3, 4, 2, 7);
      await writeNpyMatrix(file, matrix);
      const back = await readNpyMatrix(file);
      expect(back.data.constructor).toBe(data.constructor);
      for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) expect(get(back, i, j)).toBe(get(matrix, i, j));
    }
  });

  it('a shape that does not fit is refused', async () => {
    await expect(writeNpy(file, { shape: [2, 2], data: new Float64Array(3) })).rejects.toThrow(ShapeError);
    await expect(writeNpy(file, { shape: [1, 1, 3], data: new Float64Array(3) })).rejects.toThrow(ShapeError);
  });
});

describe('bad .npy files', () => {
  const eight = encode('f8', [1], true);
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /not an \.npy file/],
    ['foreign', Buffer.from('PK\x03\x04 this is a zip archive'), /not an \.npy file.*50 4b 03 04/],
    ['newer version', npyBytes('<f8', false, '(1,)', eight, 4), /version 4/],
    ['extended precision', npyBytes('<f16', false, '(1,)', eight), /f16.*astype/],
    ['complex', npyBytes('<c16', false, '(1,)', encode('f8', [1, 2], true)), /c16/],
    [
      'records of rank 2',
      npyBytes("[('a', '<f8')]", false, '(1, 1)', eight),
      /rank 2 and shape \(1, 1\) of records.*ravel/,
    ],
    [
      'records cut off',
      npyBytes("[('a', '<f8'), ('b', '<f4')]", false, '(1,)', eight),
      /shape \(1\) of 96-bit records.*truncated/,
    ],
    [
      'a field that is no number',
      npyBytes("[('a', '<f4'), ('name', '<U1')]", false, '(1,)', eight),
      /field "name" is of type "<U1".*structured_to_unstructured/,
    ],
    ['a complex field', npyBytes("[('z', '<c8')]", false, '(1,)', eight), /field "z" is of type "<c8"/],
    [
      'a field that is an array',
      npyBytes("[('p', '<f4', (2,))]", false, '(1,)', eight),
      /field "p" is an array of shape \[2\]/,
    ],
    [
      'a field that is a record',
      npyBytes("[('p', [('x', '<f4'), ('y', '<f4')])]", false, '(1,)', eight),
      /field "p" is a record itself/,
    ],
    ['records of nothing', npyBytes("[('', '|V8')]", false, '(1,)', eight), /records of 0 fields/],
    ['records of another kind of list', npyBytes('[3, None]', false, '(1,)', eight), /records whose field 0/],
    [
      'literals without end',
      npyBytes(`[${'['.repeat(50_000)}`, false, '(1,)', eight),
      /more than 16 literals within each other/,
    ],
    [
      'a header of megabytes',
      npyBytes('<f8', false, `(1,${' '.repeat(2 ** 20)})`, eight, 2),
      /a header of \d+ bytes; at most 1048576/,
    ],
    ['scalar', npyBytes('<f8', false, '()', eight), /rank 0/],
    ['three dimensions', npyBytes('<f8', false, '(1, 1, 1)', eight), /rank 3.*reshape/],
    ['truncated elements', npyBytes('<f8', false, '(2, 3)', eight), /truncated/],
    ['extra bytes', npyBytes('<f8', false, '(1,)', encode('f8', [1, 2], true)), /more than one array/],
    ['header not a dictionary', npyBytes("<f8', nonsense", false, '(1,)', eight), /not a dictionary|must hold/],
    ['no shape', npyBytes('<f8', false, "(1,), 'shape': None", eight), /shape/],
    ['negative size', npyBytes('<f8', false, '(-1,)', eight), /shape/],
  ];
  it.each(cases)('%s', async (_, bytes, message) => {
    writeFileSync(file, bytes);
    const failure = await readNpy(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileFormatError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).toContain(file);
  });

  it('cut anywhere, it is a FileFormatError', async () => {
    await writeNpy(file, { shape: [4], data: Float64Array.of(1, 2, 3, 4) });
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      await expect(readNpy(file)).rejects.toThrow(FileFormatError);
    }
  });

  it('missing files and folders are told apart from damaged ones', async () => {
    await expect(readNpy(join(folder, 'none.npy'))).rejects.toThrow(/no such file.*ENOENT/);
    await expect(readNpy(folder)).rejects.toThrow(FileAccessError);
  });

  it('an abort before or while reading ends it', async () => {
    await writeNpy(file, { shape: [4_000_000], data: new Float64Array(4_000_000) });
    await expect(readNpy(file, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const controller = new AbortController();
    const reading = readNpy(file, { signal: controller.signal });
    setImmediate(() => {
      controller.abort();
    });
    await expect(reading).rejects.toThrow(AbortedError);
  });
});
