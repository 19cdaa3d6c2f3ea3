/**
 * Tables of numbers in CSV (RFC 4180, by the csv-parse package).
 * A cell that is not a finite number ends the reading with its line and column: nothing becomes 0. What a file does not
 * say of itself, what separates the cells and whether the first row names the columns, is found by rules that take no
 * number for a name, and is said in the result.
 */
import { requireWhole } from '../core/checks.js';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { inCode, type OptionAdvice } from '../core/advice.js';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { FileFormatError, NonFiniteError, OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { nearestName } from '../core/known-options.js';
import { beginsLikeNumber, isMissing, notationOf, numberOf, quoted, shortened, type DecimalMark } from './csv-cell.js';
import { delimiterOf, HEAD_BYTES, requireDelimiter } from './csv-delimiter.js';
import { columnsTaken, type CsvFormat, type CsvReading } from './csv-format.js';
import { sharedBuffer, withInputFile, type InputFile } from './input-file.js';

/** How a table is read; abort and progress. */
export interface CsvOptions extends CsvFormat, RunControl {
  /** Stop after so many rows of data. */
  readonly limit?: number | undefined;
  /**
   * Most bytes of one row; default 2²⁴: some 900,000 numbers of full length. A file without line ends, or with an open
   * quote, is refused there.
   */
  readonly maxRowBytes?: number | undefined;
}

/** A table of numbers, and how the file was understood. */
export interface CsvTable extends CsvReading {
  readonly rows: number;
  readonly cols: number;
  /** Row-major over a SharedArrayBuffer: cell (i, j) is data[i·cols + j]. */
  readonly data: Float64Array;
  /** The column `values`, a number for each row, where it was asked for. */
  readonly values?: Float64Array | undefined;
  /** Which rows of the file those are, ascending: rows of data from 0, neither the header nor blank lines counted. */
  readonly keptRows: Int32Array;
  /** Whether the file has been read to its end: false where `limit` ended the reading. */
  readonly whole: boolean;
}

const MAX_ROW_BYTES = 2 ** 24;
/** Most names that a message lists. */
const NAMES_SHOWN = 20;

/** Ends the parsing where no more rows are wanted. */
const ENOUGH = new Error('enough rows');

interface RowInfo {
  readonly lines: number;
  readonly bytes: number;
}

/** Rows of a table as they come, into one growing array. */
class TableBuilder {
  readonly #path: string;
  readonly #options: CsvOptions;
  readonly #delimiter: string;
  readonly #decimal: DecimalMark;
  #header = false;
  #names: string[] = [];
  /** The columns read: those of `data`, and that of `values` behind them. */
  #picked: number[] = [];
  #width = -1;
  #data = new Float64Array(0);
  #rows = 0;
  /** Rows of data that were left out, from 0. */
  readonly #skipped: number[] = [];
  /** Line and byte at which the last row ended. */
  #line = 0;
  #bytes = 0;

  constructor(path: string, delimiter: string, options: CsvOptions) {
    this.#path = path;
    this.#options = options;
    this.#delimiter = delimiter;
    this.#decimal = options.decimal ?? '.';
  }

  /** Line at which the last row ended; 0 before the first. */
  get line(): number {
    return this.#line;
  }

  /** Throws FileFormatError where the row that is being read, or has been, up to `bytes` is too long. */
  requireEnded(bytes: number): void {
    const { maxRowBytes: most = MAX_ROW_BYTES } = this.#options;
    if (bytes - this.#bytes <= most) return;
    const what = `${this.#path}: the row after line ${this.#line} is longer than ${most} bytes`;
    throw new FileFormatError(
      `${what}. Has the file line ends, and is each quote closed? Wider tables are read from .npy.`,
      { path: this.#path, line: this.#line, limit: most },
    );
  }

  push(cells: string[], { lines: line, bytes }: RowInfo): void {
    this.requireEnded(bytes);
    this.#line = line;
    this.#bytes = bytes;
    if (this.#width < 0 && this.#open(cells)) return;
    if (cells.length !== this.#width) {
      const advice = { option: 'delimiter' };
      const data = { path: this.#path, line, expected: this.#width, found: cells.length, advice: [advice] };
      const what = `${this.#path}: line ${line} has ${cells.length} cells, the first row has ${this.#width}`;
      const help = `Is the delimiter ${quoted(this.#delimiter)} (${inCode(advice)})?`;
      throw new FileFormatError(`${what}. ${help} Taken: ${columnsTaken(this.#taken())}.`, data);
    }
    if (this.#options.incompleteRows === 'skip' && this.#picked.some((k) => isMissing(cells[k]))) {
      this.#skipped.push(this.#rows + this.#skipped.length);
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
    if (this.#rows === this.#options.limit) throw ENOUGH;
  }

  finish(whole: boolean): CsvTable {
    const [path, rows, skippedRows] = [this.#path, this.#rows, this.#skipped.length];
    if (rows === 0) {
      const why =
        skippedRows > 0
          ? `all ${skippedRows} have missing values in the columns taken, ${columnsTaken(this.#taken())}`
          : this.#width < 0
            ? 'the file is empty'
            : `only a header, ${this.#listNames()}`;
      throw new FileFormatError(`${path}: no rows of numbers: ${why}.`, { path, skipped: skippedRows });
    }
    const { length: width } = this.#picked;
    const valued = this.#options.values !== undefined;
    const cols = valued ? width - 1 : width;
    const data = new Float64Array(sharedBuffer(8 * rows * cols, path));
    if (valued) for (let p = 0; p < data.length; p++) data[p] = this.#data[Math.floor(p / cols) * width + (p % cols)];
    else data.set(this.#data.subarray(0, data.length));
    return {
      delimiter: this.#delimiter,
      decimal: this.#decimal,
      ...this.#taken(),
      skippedRows,
      rows,
      cols,
      data,
      values: valued ? Float64Array.from({ length: rows }, (_, i) => this.#data[i * width + cols]) : undefined,
      keptRows: this.#keptRows(),
      whole,
    };
  }

  #keptRows(): Int32Array {
    const kept = new Int32Array(this.#rows);
    for (let row = 0, i = 0, skipped = 0; i < kept.length; row++) {
      if (this.#skipped[skipped] === row) skipped++;
      else kept[i++] = row;
    }
    return kept;
  }

  /** The columns taken, their names, and the others. */
  #taken(): Pick<CsvReading, 'header' | 'columns' | 'names' | 'valuesName' | 'leftOut'> {
    const picked = this.#picked;
    const columns = this.#options.values === undefined ? picked : picked.slice(0, -1);
    const valuesName = columns === picked ? undefined : this.#names[picked[columns.length]];
    return {
      header: this.#header,
      columns,
      names: columns.map((k) => this.#names[k]),
      ...(valuesName === undefined ? {} : { valuesName }),
      leftOut: this.#names.filter((_, k) => !picked.includes(k)),
    };
  }

  /** Takes the first row's width, and the row itself for names if it holds them; returns whether it does. */
  #open(cells: readonly string[]): boolean {
    this.#width = cells.length;
    this.#header = this.#options.header ?? (!cells.some(beginsLikeNumber) && cells.some((cell) => !isMissing(cell)));
    this.#names = cells.map((cell, k) => (this.#header && cell !== '' ? cell : `column ${k}`));
    const { columns, values } = this.#options;
    const last = values === undefined ? [] : [this.#find(values, cells, 'values')];
    const picked =
      columns === undefined
        ? this.#names.map((_, k) => k).filter((k) => !last.includes(k))
        : columns.map((column) => this.#find(column, cells, 'columns'));
    if (picked.length === 0)
      throw new OptionError(
        `${this.#path}: ${this.#listNames()} is the only column, and was taken for the values: no column is left for ` +
          'the points.',
        { option: 'values' },
      );
    const both = last.find((k) => picked.includes(k));
    if (both !== undefined)
      throw new OptionError(
        `${this.#path}: the column ${quoted(this.#names[both])} is asked for as values and among the columns, which ` +
          'are the coordinates of points: name it in values alone.',
        { option: 'values', column: shortened(this.#names[both]) },
      );
    this.#picked = [...picked, ...last];
    return this.#header;
  }

  #find(column: string | number, cells: readonly string[], option: 'columns' | 'values'): number {
    const k = typeof column === 'number' ? column : this.#names.indexOf(column);
    if (typeof column === 'string' && this.#names.includes(column, k + 1)) {
      throw new OptionError(
        `${this.#path}: two columns are called ${quoted(column)}: choose by number, the first is ${k} (from 0).`,
        { option, column: shortened(column) },
      );
    }
    if (Number.isInteger(k) && k >= 0 && k < this.#width) return k;
    const shown = typeof column === 'string' ? quoted(column) : column;
    let text = `${this.#path}: there is no column ${shown}; there are ${this.#listNames()}`;
    text += ` (or by number, 0 to ${this.#width - 1}).`;
    const near = typeof column === 'string' && this.#header ? nearColumn(column, this.#names) : undefined;
    if (near !== undefined) text += ` Did you mean ${quoted(near)}?`;
    const advice: OptionAdvice[] = [];
    const numbered = this.#header || typeof column === 'number' ? undefined : cells.find(beginsLikeNumber);
    if (numbered !== undefined) {
      const named = { option: 'header', value: true };
      advice.push(named);
      text += ` The first row was taken for numbers, for the sake of ${quoted(numbered)};`;
      text += ` if it names the columns, say so (${inCode(named)}).`;
    }
    const names = this.#names.slice(0, NAMES_SHOWN).map(shortened);
    throw new OptionError(text, {
      option,
      column: typeof column === 'string' ? shortened(column) : column,
      names,
      advice,
    });
  }

  #listNames(): string {
    const shown = this.#names.slice(0, NAMES_SHOWN).map(quoted).join(', ');
    return this.#width > NAMES_SHOWN ? `${shown} and ${this.#width - NAMES_SHOWN} more` : shown;
  }

  #value(cell: string, line: number, k: number): number {
    const value = numberOf(cell, this.#decimal);
    if (value !== undefined && Number.isFinite(value)) return value;
    throw this.#refusal(cell, value, line, k);
  }

  /** Why a cell cannot be read. */
  #refusal(cell: string, value: number | undefined, line: number, k: number): FileFormatError | NonFiniteError {
    const name = this.#names[k];
    const where = `${this.#path}: line ${line}, ${name === `column ${k}` ? name : `column ${quoted(name)}`}`;
    const data = {
      path: this.#path,
      line,
      row: this.#rows + this.#skipped.length,
      column: shortened(name),
      number: k,
      cell: shortened(cell),
    };
    const taken = `Taken: ${columnsTaken(this.#taken())}.`;
    if (value !== undefined)
      return new NonFiniteError(`${where}: ${shortened(cell)} is not a finite number. ${taken}`, data);
    const columns = { option: this.#options.values !== undefined && k === this.#picked.at(-1) ? 'values' : 'columns' };
    if (isMissing(cell)) {
      const skip = { option: 'incompleteRows', value: 'skip' };
      const help = `Leave such rows out (${inCode(skip)}), or choose other columns (${inCode(columns)})`;
      const what = `${where}: no value (${cell === '' ? 'an empty cell' : cell})`;
      return new FileFormatError(`${what}. ${help}. ${taken}`, { ...data, advice: [skip, columns] });
    }
    const named = { option: 'header', value: true };
    const advice: OptionAdvice[] = [columns];
    let text = `${where}: ${quoted(cell)} is not a number`;
    const notation = notationOf(cell, this.#decimal);
    if (notation !== undefined) {
      text += `: it looks like ${notation.what}`;
      if (notation.advice !== undefined) {
        advice.push(notation.advice);
        text += ` (${inCode(notation.advice)})`;
      }
    }
    const others = columns.option === 'values' ? 'another column' : 'other columns';
    const choose =
      notation !== undefined
        ? `Or choose ${others}`
        : columns.option === 'values'
          ? 'Choose a numeric column'
          : 'Choose the numeric columns';
    text += `. ${choose} (${inCode(columns)})`;
    if (this.#rows === 0 && !this.#header && this.#options.header === undefined) {
      advice.push(named);
      text += `; if this row names them, say so (${inCode(named)})`;
    }
    return new FileFormatError(`${text}. ${taken}`, { ...data, advice });
  }
}

/** What the parser says of a file that is no CSV; its own messages hold whole cells. */
function parseError(error: CsvError, path: string, after: number): FileFormatError {
  const why =
    error.code === 'CSV_QUOTE_NOT_CLOSED'
      ? `a quote is opened and not closed in the row after line ${after}`
      : `a quote stands within a cell in the row after line ${after}`;
  return new FileFormatError(
    `${path}: not a CSV table: ${why}. A cell that holds quotes stands in quotes, with each of its own doubled.`,
    { path, csv: error.code, line: after },
  );
}

/** The line ends to look for. Fewer are faster; the parser's own search is slow in files without any. */
function lineEnds(head: Uint8Array): string[] {
  const text = new TextDecoder('latin1').decode(head);
  if (/\r(?!\n)/.test(text) || !text.includes('\n')) return ['\r\n', '\n', '\r'];
  return text.includes('\r') ? ['\r\n', '\n'] : ['\n'];
}

/** The column that is most likely meant: one or two letters alone tell nothing, unless only their case differs. */
function nearColumn(given: string, names: readonly string[]): string | undefined {
  const near = nearestName(given, names);
  const same = near?.trim().toLowerCase() === given.trim().toLowerCase();
  return same || given.length > 2 ? near : undefined;
}

/** Throws OptionError for what can be found wrong without the file. */
function checkOptions(options: CsvOptions): void {
  const { limit, maxRowBytes, columns, values, header, delimiter, decimal, incompleteRows } = options;
  const isColumn = (one: unknown): boolean => typeof one === 'string' || typeof one === 'number';
  if (columns !== undefined && !(Array.isArray(columns) && columns.every(isColumn))) {
    const given = typeof columns === 'string' ? (columns as string).split(',').map((name) => name.trim()) : [];
    const example = given.length > 0 ? given.map((name) => `'${shortened(name)}'`).join(', ') : "'x1', 'x2'";
    throw new OptionError(
      `columns must be an array of names or numbers from 0, columns: [${example}], not ${describe(columns)}.`,
      { option: 'columns' },
    );
  }
  if (values !== undefined && !isColumn(values))
    throw new OptionError(
      `values must be the name of one column or its number from 0, values: 'y', not ${describe(values)}.`,
      { option: 'values' },
    );
  if (limit !== undefined) requireWhole(limit, 'limit', 1);
  if (maxRowBytes !== undefined) requireWhole(maxRowBytes, 'maxRowBytes', 1);
  if (columns?.length === 0) throw new OptionError('columns: name at least one.', { option: 'columns' });
  if (header !== undefined && typeof header !== 'boolean') {
    throw new OptionError(`header must be true or false, not ${describe(header)}.`, { option: 'header' });
  }
  if (delimiter !== undefined) requireDelimiter(delimiter);
  for (const [option, value, choices] of [
    ['decimal', decimal, ['.', ',']],
    ['incompleteRows', incompleteRows, ['error', 'skip']],
  ] as const) {
    if (value !== undefined && !(choices as readonly string[]).includes(value)) {
      throw new OptionError(`${option} must be '${choices.join("' or '")}', not ${describe(value)}.`, { option });
    }
  }
}

/** The file's bytes, with progress, the caller's abort and the length of the row looked at between chunks. */
async function* watched(
  file: InputFile,
  builder: TableBuilder,
  { signal, onProgress }: RunControl,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of file.stream() as AsyncIterable<Uint8Array>) {
    throwIfAborted(signal);
    yield chunk;
    done += chunk.length;
    onProgress?.({ phase: 'read', done, total: file.size });
    builder.requireEnded(done);
  }
  throwIfAborted(signal);
}

/**
 * Reads a table of numbers from CSV; the result says which columns were taken, what they are called, and how cells were
 * told apart. Failure: FileFormatError (text, a foreign notation or nothing where a number is needed, ragged or endless
 * rows, unclosed quotes; with line and column, and the options that help in `data.advice`), NonFiniteError, OptionError
 * (no such column, delimiter …), FileAccessError, AbortedError.
 */
export async function readCsv(path: string, options: CsvOptions = {}): Promise<CsvTable> {
  checkOptions(options);
  return withInputFile(path, options, async (file) => {
    const head = await file.head(HEAD_BYTES);
    const delimiter = delimiterOf(
      head,
      head.length === file.size,
      options.decimal ?? '.',
      options.delimiter ?? (/\.tsv$/i.test(path) ? '\t' : undefined),
    );
    const builder = new TableBuilder(path, delimiter, options);
    const parser = parse({
      bom: true,
      trim: true,
      relax_column_count: true,
      skip_empty_lines: true,
      delimiter,
      record_delimiter: lineEnds(head),
      on_record: (cells: string[], info: RowInfo) => {
        builder.push(cells, info);
        return null;
      },
    });
    let whole = true;
    try {
      await pipeline(watched(file, builder, options), parser.resume());
    } catch (error) {
      if (error instanceof CsvError) throw parseError(error, path, builder.line);
      if (error !== ENOUGH) throw error;
      whole = false;
    }
    return builder.finish(whole);
  });
}
