/**
 * Tables of numbers in CSV (RFC 4180, by the csv-parse package). Layer 1.
 * A cell that is not a finite number ends the reading with its line and column: nothing is guessed, nothing becomes 0.
 */
import { CsvError, parse } from 'csv-parse';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import { sharedBuffer, withInputFile } from './input-file.js';

export interface CsvOptions extends RunControl {
  /** Which columns, in which order: names of the header row, or numbers from 0. All of them by default. */
  readonly columns?: readonly (string | number)[] | undefined;
  /** Whether the first row names the columns. By default it does if it holds text and no number. */
  readonly header?: boolean | undefined;
  /** Default ','. */
  readonly delimiter?: string | undefined;
  /** What to do about a row with a missing value (an empty cell, NA, N/A, null) in one of the columns: 'error' (default) or 'skip' the row. */
  readonly incompleteRows?: 'error' | 'skip' | undefined;
  /** Stop after so many rows of data. */
  readonly limit?: number | undefined;
}

export interface CsvTable {
  readonly names: readonly string[];
  readonly rows: number;
  readonly cols: number;
  /** Row-major over a SharedArrayBuffer: cell (i, j) is data[i·cols + j]. */
  readonly data: Float64Array;
  /** Rows left out because a value was missing. */
  readonly skippedRows: number;
}

const numeric = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const nonFinite = /^[+-]?(?:nan|inf|infinity)$/i;
const missing = /^(?:|na|n\/a|null)$/i;
const isNumber = (cell: string): boolean => numeric.test(cell) || nonFinite.test(cell);

interface Row { readonly record: string[]; readonly info: { readonly lines: number; readonly bytes: number } }

/** Rows of a table as they come, into one growing array. */
class TableBuilder {
  readonly #path: string;
  readonly #options: CsvOptions;
  #names: string[] = [];
  #picked: number[] = [];
  #width = -1;
  #data = new Float64Array(0);
  #rows = 0;
  #skipped = 0;

  constructor(path: string, options: CsvOptions) {
    this.#path = path;
    this.#options = options;
  }

  get full(): boolean {
    return this.#width >= 0 && this.#rows >= (this.#options.limit ?? Infinity);
  }

  push(cells: string[], line: number): void {
    if (this.#width < 0) {
      this.#width = cells.length;
      const header = this.#options.header ?? (!cells.some((c) => isNumber(c)) && cells.some((c) => !missing.test(c)));
      this.#names = cells.map((cell, k) => (header && cell !== '' ? cell : `column ${k}`));
      this.#picked = this.#pick();
      if (header) return;
    }
    if (cells.length !== this.#width) {
      throw new FileFormatError(`${this.#path}: line ${line} has ${cells.length} cells, the first row has ${this.#width}. Is the delimiter '${this.#options.delimiter ?? ','}'?`, { path: this.#path, line, expected: this.#width, found: cells.length });
    }
    if (this.full) return;
    if (this.#options.incompleteRows === 'skip' && this.#picked.some((k) => missing.test(cells[k]))) {
      this.#skipped++;
      return;
    }
    const { length } = this.#picked;
    let at = this.#rows * length;
    if (at + length > this.#data.length) {
      const larger = new Float64Array(Math.max(1024 * length, 2 * this.#data.length));
      larger.set(this.#data);
      this.#data = larger;
    }
    for (const k of this.#picked) this.#data[at++] = this.#value(cells[k], line, k);
    this.#rows++;
  }

  finish(): CsvTable {
    if (this.#rows === 0) {
      throw new FileFormatError(`${this.#path}: no rows of numbers${this.#skipped > 0 ? `: all ${this.#skipped} have missing values in the columns asked for` : this.#width < 0 ? ': the file is empty' : this.#options.limit === 0 ? ': limit is 0' : ': only a header'}.`, { path: this.#path, skipped: this.#skipped });
    }
    const cols = this.#picked.length;
    const data = new Float64Array(sharedBuffer(8 * this.#rows * cols, this.#path));
    data.set(this.#data.subarray(0, data.length));
    return { names: this.#picked.map((k) => this.#names[k]), rows: this.#rows, cols, data, skippedRows: this.#skipped };
  }

  #pick(): number[] {
    const { columns } = this.#options;
    if (columns === undefined) return this.#names.map((_, k) => k);
    if (columns.length === 0) throw new OptionError('columns: name at least one.');
    return columns.map((column) => {
      const k = typeof column === 'number' ? column : this.#names.indexOf(column);
      if (Number.isInteger(k) && k >= 0 && k < this.#width) return k;
      throw new OptionError(`${this.#path}: there is no column ${JSON.stringify(column)}; there are ${this.#names.map((n) => `"${n}"`).join(', ')} (or by number, 0 to ${this.#width - 1}).`, { column, names: this.#names });
    });
  }

  #value(cell: string, line: number, k: number): number {
    if (numeric.test(cell)) {
      const value = Number(cell);
      if (Number.isFinite(value)) return value;
    }
    const where = `${this.#path}: line ${line}, column "${this.#names[k]}"`;
    const data = { path: this.#path, line, row: this.#rows, column: this.#names[k], cell };
    if (isNumber(cell)) throw new NonFiniteError(`${where}: ${cell} is not a finite number.`, data);
    if (missing.test(cell)) {
      throw new FileFormatError(`${where}: no value (${cell === '' ? 'an empty cell' : cell}). Leave such rows out (incompleteRows: 'skip'), or choose other columns.`, data);
    }
    throw new FileFormatError(`${where}: "${cell}" is not a number. Choose the numeric columns${this.#rows === 0 ? ', or say header: true if this row names them' : ''}.`, data);
  }
}

/**
 * Reads a table of numbers from CSV.
 * Failure: FileFormatError (text or nothing where a number is needed, ragged rows, unclosed quotes; with line and column), NonFiniteError,
 * OptionError (no such column), FileAccessError, AbortedError.
 */
export async function readCsv(path: string, options: CsvOptions = {}): Promise<CsvTable> {
  const { limit } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) throw new OptionError(`limit must be a whole number of at least 1, not ${limit}.`, { limit });
  return withInputFile(path, options, async (file) => {
    const builder = new TableBuilder(path, options);
    const source = file.stream();
    const parser = source.pipe(parse({ bom: true, trim: true, info: true, relax_column_count: true, skip_empty_lines: true, delimiter: options.delimiter ?? ',' }));
    source.once('error', (error) => parser.destroy(error));
    let seen = 0;
    try {
      for await (const { record, info } of parser as AsyncIterable<Row>) {
        builder.push(record, info.lines);
        if (builder.full) break;
        if (++seen % 1024 === 0) {
          throwIfAborted(options.signal);
          options.onProgress?.({ phase: 'read', done: info.bytes, total: file.size });
        }
      }
    } catch (error) {
      if (error instanceof CsvError) throw new FileFormatError(`${path}: not a CSV table: ${error.message}.`, { path, csv: error.code });
      throw error;
    } finally {
      source.destroy();
      parser.destroy();
    }
    return builder.finish();
  });
}
