/**
 * The tables of docs/benchmarks.md, each between markers of its own.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { resultsOf } from './record.js';

/** Puts text between the markers `NAME:begin` and `NAME:end` of docs/benchmarks.md. */
export function replaceSection(name: string, content: string): void {
  const path = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
  const text = readFileSync(path, 'utf8');
  const [beginMark, endMark] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [begin, end] = [text.indexOf(beginMark), text.indexOf(endMark)];
  if (begin < 0 || end < begin) throw new Error(`docs/benchmarks.md lacks the markers ${beginMark} and ${endMark}.`);
  writeFileSync(path, `${text.slice(0, begin + beginMark.length)}\n${content}\n${text.slice(end)}`);
}

/** Where the module at `url` is what was started: writes its tables again, from bench/results/RECORD.json alone. */
export function remakeSection<R>(url: string, record: string, write: (results: readonly R[]) => void): void {
  if (process.argv[1] === fileURLToPath(url)) write(resultsOf<R>(record));
}
