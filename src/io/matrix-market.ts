/**
 * Matrix Market files (.mtx): text, dense or sparse.
 * Source: R. F. Boisvert, R. Pozo, K. A. Remington, "The Matrix Market exchange formats: initial design", NISTIR 5935,
 * 1996. Real, integer and pattern matrices are read, general, symmetric and skew-symmetric ones, as dense matrices;
 * entries that stand twice are added, as SciPy does; exponents may be Fortran's (1.5D-3). Dense real general ones are
 * written.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { asVectors, view, type Matrix, type Vectors } from '../dense/matrix.js';
import { splitArrayPath } from './array-path.js';
import { writeAtomically } from './atomic-write.js';
import { excerpt } from './excerpt.js';
import { sharedBuffer } from './input-file.js';
import { elementCount } from './shape-size.js';
import { readText } from './text-file.js';

const FORMS = ['array', 'coordinate'];
const FIELDS = ['real', 'integer', 'pattern', 'double'];
const SYMMETRIES = ['general', 'symmetric', 'skew-symmetric'];
/** A real number as Fortran writes it: exponents by D (or Q), or by their sign alone where they have three digits. */
const FORTRAN = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[dq]([+-]?\d+)|([+-]\d+))$/i;
/** What JavaScript takes for a number in another base, 0x10, and no table of numbers holds. */
const PREFIXED = /^0[box]/i;
const NINE = 0x39;
/** The digits of a size or of an index. */
const WHOLE = /^\d{1,15}$/;
/** Numbers that are written at once. */
const AT_ONCE = 65_536;

/** The number that a word is: 1.5, 1.5e-3, Fortran's 1.5D-3 and 1.5-103; NaN where it is none. */
function numberOf(word: string): number {
  const value = Number(word);
  if (!Number.isNaN(value)) return word.charCodeAt(1) > NINE && PREFIXED.test(word) ? NaN : value;
  const [, digits, exponent, signed] = FORTRAN.exec(word) ?? [];
  return digits === undefined ? NaN : Number(`${digits}e${exponent ?? signed}`);
}

/** The size or the index that a word is; NaN where it is none. */
const wholeOf = (word: string): number => (WHOLE.test(word) ? Number(word) : NaN);

/** Whether a file's name says that it is one. */
export const isMatrixMarket = (path: string): boolean => /\.mtx(\.gz)?$/i.test(splitArrayPath(path).file);

/** The lines of a text with their numbers, without comments and blank ones. */
function* linesOf(text: string): Generator<readonly [line: string, number: number]> {
  for (let at = 0, number = 1; at < text.length; number++) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, end).trim();
    at = end + 1;
    if (line !== '' && !line.startsWith('%')) yield [line, number];
  }
}

/**
 * Reads a matrix in Matrix Market format, plain or compressed by gzip, over shared memory; whatever the form, as a
 * dense matrix. Throws FileFormatError naming the line, MemoryError, FileAccessError, AbortedError.
 */
export async function readMatrixMarket(path: string, control: RunControl = {}): Promise<Matrix<Float64Array>> {
  requireRole(path, 'path', 'readMatrixMarket');
  requireControl(control, 'readMatrixMarket');
  const text = await readText(path, control);
  const refuse = (what: string, line = 1): never => {
    throw new FileFormatError(`${path}: line ${line}: ${what}.`, { path, line });
  };
  const header = text.slice(0, Math.max(0, text.indexOf('\n'))).trim();
  const [mark, object, form, field, symmetry] = header.toLowerCase().split(/\s+/);
  if (mark !== '%%matrixmarket' || object !== 'matrix')
    refuse(`"${excerpt(header)}" is not the header of a matrix, %%MatrixMarket matrix array real general`);
  if (!FORMS.includes(form) || !FIELDS.includes(field) || !SYMMETRIES.includes(symmetry))
    refuse(
      `a matrix that is ${excerpt(`${form} ${field} ${symmetry}`)}; ${FORMS.join(' and ')} ones, ` +
        `${FIELDS.join(', ')}, ${SYMMETRIES.join(', ')} are read`,
    );
  const sparse = form === 'coordinate';
  const lines = linesOf(text);
  const first = lines.next();
  const [sizes, at] = first.done === true ? ['', 1] : first.value;
  const [rows, cols, count = 0] = sizes.split(/\s+/).map(wholeOf);
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(cols) || (sparse && !Number.isSafeInteger(count)))
    refuse(`"${excerpt(sizes)}" is not the size, ${sparse ? 'rows, columns, entries' : 'rows and columns'}`, at);
  if (symmetry !== 'general' && rows !== cols) refuse(`a ${symmetry} matrix of ${rows} × ${cols}`, at);
  if (!sparse && field === 'pattern') refuse('an array without numbers: a pattern is a coordinate matrix', at);
  const length = elementCount([rows, cols]);
  const data = new Float64Array(sharedBuffer(8 * length, path));
  const mirror = symmetry === 'skew-symmetric' ? -1 : 1;
  const strict = symmetry === 'skew-symmetric' ? 1 : 0;
  const put = (i: number, j: number, value: number): void => {
    data[i + j * rows] += value;
    if (symmetry !== 'general' && i !== j) data[j + i * rows] += mirror * value;
  };
  const half = symmetry === 'general' ? length : (rows * (rows + 1 - 2 * strict)) / 2;
  const expected = sparse ? count : half;
  let [seen, i, j] = [0, strict, 0];
  for (const [line, number] of lines) {
    const words = line.split(/\s+/);
    const value = field === 'pattern' ? 1 : numberOf(words[sparse ? 2 : 0]);
    if (words.length !== (sparse ? 2 : 0) + (field === 'pattern' ? 0 : 1) || !Number.isFinite(value))
      refuse(`"${excerpt(line)}" is not ${sparse ? 'row, column and value' : 'a number'}`, number);
    if (++seen > expected) refuse(`more than the ${expected} entries announced`, number);
    if (sparse) {
      const [row, column] = [wholeOf(words[0]), wholeOf(words[1])];
      if (!(row >= 1 && row <= rows && column >= 1 && column <= cols))
        refuse(`"${excerpt(line)}" is no entry of a matrix of ${rows} × ${cols}`, number);
      if (symmetry !== 'general' && column + strict > row)
        refuse(`"${excerpt(line)}" is not in the lower triangle, which a ${symmetry} matrix is given by`, number);
      put(row - 1, column - 1, value);
      continue;
    }
    put(i, j, value);
    if (++i < rows) continue;
    j++;
    i = symmetry === 'general' ? 0 : j + strict;
  }
  if (seen !== expected) refuse(`${seen} entries, ${expected} were announced: the file is cut off`, at);
  return view(data, 0, rows, cols);
}

/**
 * Writes a matrix in Matrix Market format (array real general), whole or not at all, with the digits that give each
 * number back. Throws ShapeError, FileAccessError, AbortedError.
 */
export async function writeMatrixMarket(path: string, matrix: Vectors, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'writeMatrixMarket');
  requireControl(control, 'writeMatrixMarket');
  const { data, offset, rows, cols, ld } = asVectors(matrix, 'matrix');
  const encoder = new TextEncoder();
  await writeAtomically(path, control, async (file) => {
    await file.append(encoder.encode(`%%MatrixMarket matrix array real general\n${rows} ${cols}\n`));
    for (let j = 0; j < cols; j++)
      for (let from = 0; from < rows; from += AT_ONCE) {
        const numbers = data.subarray(offset + j * ld + from, offset + j * ld + Math.min(rows, from + AT_ONCE));
        await file.append(encoder.encode(`${numbers.join('\n')}\n`));
      }
  });
}
