/**
 * Tables of numbers as CSV (RFC 4180), every number with all digits it needs to be read back as it is.
 */
import type { RunControl } from '../core/context.js';
import type { Matrix } from '../dense/matrix.js';
import { writeAtomically } from './atomic-write.js';

/** Rows that are written at once. */
const ROWS_AT_ONCE = 4096;

/**
 * Writes an N × p matrix as a table of N rows, whole or not at all: a first row of names (`name`, or name1, name2, …),
 * commas between cells (tabs for .tsv), the shortest digits that give each number back. Throws FileAccessError,
 * AbortedError.
 */
export async function writeCsvMatrix(
  path: string,
  name: string,
  { data, offset, rows, cols, ld }: Matrix,
  control: RunControl = {},
): Promise<void> {
  const mark = /\.tsv$/i.test(path) ? '\t' : ',';
  const names = cols === 1 ? [name] : Array.from({ length: cols }, (_, j) => `${name}${j + 1}`);
  const encoder = new TextEncoder();
  await writeAtomically(path, control, async (file) => {
    await file.append(encoder.encode(`${names.join(mark)}\n`));
    for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
      let text = '';
      for (let i = from; i < Math.min(rows, from + ROWS_AT_ONCE); i++)
        for (let j = 0; j < cols; j++) text += `${data[offset + i + j * ld]}${j === cols - 1 ? '\n' : mark}`;
      await file.append(encoder.encode(text));
    }
  });
}
