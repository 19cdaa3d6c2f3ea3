/**
 * Text within the columns of a terminal.
 */

/** Columns that a terminal has at least: what pages of manuals and logs are read in. */
export const COLUMNS = 80;
/** Lines that go on are indented by so much more than the one that they belong to. */
const INDENT = '    ';

/** A row of a table, or its frame: as wide as it is. */
const isTable = (line: string): boolean => /^[┌│├└]/.test(line);

/** A line in as many as it takes, broken at spaces; a word that is longer than a line has one of its own. */
function broken(line: string, columns: number, further: string): string[] {
  const [indent] = /^ */.exec(line)!;
  const lines: string[] = [];
  let current = indent;
  for (const word of line.slice(indent.length).split(' ')) {
    const isFirst = current === indent || current === indent + further;
    const longer = isFirst ? current + word : `${current} ${word}`;
    if (!isFirst && [...longer].length > columns) {
      lines.push(current);
      current = indent + further + word;
    } else current = longer;
  }
  return [...lines, current];
}

/**
 * `text` with its lines broken at spaces where they have more than `columns`, tables left as they are. A line that
 * goes on in the next one is followed by `further` more than it begins with, four spaces.
 */
export const withinColumns = (text: string, columns = COLUMNS, further = INDENT): string =>
  text
    .split('\n')
    .flatMap((line) => ([...line].length <= columns || isTable(line) ? [line] : broken(line, columns, further)))
    .join('\n');
