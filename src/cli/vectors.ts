/**
 * Vectors that come from files, or are seeded, and go to files.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import { randomVectors } from '../experiment/compression-run.js';
import { readColumns } from '../experiment/split-columns.js';
import { readArrayOrdered, writeArrayVectors } from '../io/array-file.js';
import { fileName } from '../io/array-path.js';
import { isTable, type CsvFormat } from '../io/csv-format.js';
import { writeCsvMatrix } from '../io/csv-write.js';
import { isMatrixMarket, readMatrixMarket, writeMatrixMarket } from '../io/matrix-market.js';
import { writeNpy, writeNpyMatrix } from '../io/npy.js';
import { readPoints, type PointTable } from '../io/points.js';
import type { TeamControl } from '../parallel/team-control.js';
import { writesResults } from './terminal.js';
import { asFlag, UsageError } from './usage.js';

/** Vectors, and whether they came as one of shape (N,), in which what is computed from it is to be written too. */
export interface OpenVectors {
  readonly vectors: Matrix;
  readonly flat: boolean;
  /** Where they came from: a file, with the columns that were taken of a table, or 'seeded'. */
  readonly name: string;
}

/** What says which vectors. */
export interface VectorOptions extends Omit<CsvFormat, 'columns' | 'values' | 'incompleteRows'> {
  /** 'seeded', or a file: .npy, .npz, safetensors, HDF5, Matrix Market, or a table. */
  readonly x: string;
  /** Of a table. */
  readonly columns?: readonly (string | number)[] | undefined;
  /** What the command calls them. */
  readonly columnOption?: string | undefined;
  readonly vectors: number;
  readonly seed: number;
}

/** Throws UsageError for a table of which no column is named by the option `column`, where there is one. */
export function checkVectors(
  flag: string,
  { x, columns }: Pick<VectorOptions, 'x' | 'columns'>,
  column: string | undefined,
): void {
  if (column !== undefined && columns !== undefined && !isTable(x))
    throw new UsageError(`${asFlag(column)} names a column of a table: it goes with --${flag} FILE.csv (or .tsv).`);
  // Without an option for them all columns are vectors, as `--out` writes them.
  if (!isTable(x) || columns !== undefined || column === undefined) return;
  const name = `name a column of the table by ${asFlag(column)} COLUMN, or `;
  throw new UsageError(
    `--${flag} ${x}: ${name}give the vectors as .npy, N rows (numpy.save, or writeMatrix of hmatrix/io).`,
  );
}

/** Columns of a table as vectors. */
export function tableVectors(path: string, { count, dimension, coordinates, table }: PointTable): OpenVectors {
  const vectors = view(sharedFloat64(count * dimension), 0, count, dimension);
  transposeInto(vectors, view(coordinates, 0, dimension, count));
  const names = (table?.names ?? []).map((one) => `"${one}"`).join(', ');
  return {
    vectors,
    flat: dimension === 1,
    name: `${dimension === 1 ? 'column' : 'columns'} ${names} of ${fileName(path)}`,
  };
}

async function readVectors(options: VectorOptions, control: TeamControl): Promise<OpenVectors> {
  const { x, columns, header, delimiter, decimal } = options;
  if (isTable(x)) {
    const { signal, onProgress } = control;
    const how = { header, delimiter, decimal, signal, onProgress };
    return tableVectors(
      x,
      columns === undefined ? await readPoints(x, how) : await readColumns(x, columns, how, options.columnOption),
    );
  }
  if (isMatrixMarket(x)) {
    const vectors = await readMatrixMarket(x, { signal: control.signal });
    return { vectors, flat: false, name: fileName(x) };
  }
  const { shape, rows, cols, data } = await readArrayOrdered(x, { order: 'F' }, control);
  return { vectors: view(data, 0, rows, cols), flat: shape.length === 1, name: fileName(x) };
}

/** Vectors from a file, or seeded ones. Throws ShapeError, NonFiniteError, and the errors of files. */
export async function openVectors(options: VectorOptions, size: number, control: TeamControl): Promise<OpenVectors> {
  const { x: path, vectors: count, seed } = options;
  if (path === 'seeded') return { vectors: randomVectors(size, count, seed), flat: false, name: 'seeded' };
  const opened = await readVectors(options, control);
  requireRows(path, opened.vectors, size);
  const { vectors: x } = opened;
  const bad = x.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new NonFiniteError(
      `${path}: row ${bad % size}, column ${Math.floor(bad / size)} (from 0) is ${x.data[bad]}; vectors ` +
        'must be finite.',
      { row: bad % size, column: Math.floor(bad / size) },
    );
  return opened;
}

/** Throws ShapeError unless there are vectors of `size` numbers. */
function requireRows(path: string, x: Matrix, size: number): void {
  if (x.rows !== size)
    throw new ShapeError(`${path} has ${x.rows} rows; the matrix is ${size} × ${size}, so ${size} are needed.`, {
      rows: x.rows,
      expected: size,
    });
  if (x.cols < 1) throw new ShapeError(`${path} holds no vectors: it has 0 columns.`, { cols: x.cols });
}

/**
 * Writes what was computed from vectors: a table where the file is called .csv or .tsv, its columns called `name`; as
 * Matrix Market where it is called .mtx; else .npy, or where it is called .npz, .safetensors or .h5 the array of such a
 * file, in their shape, (N,) if they were `flat`, else (N, p). Throws as writeNpy and writeMatrix.
 */
export async function writeVectors(
  path: string,
  name: string,
  y: Matrix,
  flat: boolean,
  control: TeamControl,
): Promise<void> {
  // Of several ranks, which all have them, one writes.
  if (!writesResults()) return;
  const { signal, onProgress } = control;
  if (await writeArrayVectors(path, { vectors: y, flat, name }, { signal, onProgress })) return;
  if (isTable(path)) await writeCsvMatrix(path, name, y, control);
  else if (isMatrixMarket(path)) await writeMatrixMarket(path, y, { signal });
  else if (flat) await writeNpy(path, { shape: [y.rows], data: y.data.subarray(y.offset, y.offset + y.rows) }, control);
  else await writeNpyMatrix(path, y, control);
}
