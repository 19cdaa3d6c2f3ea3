/**
 * Pairs of sentences, each a text and its translation, from text files.
 */
import { requireWhole } from '../core/checks.js';
import type { RunControl } from '../core/context.js';
import { FileFormatError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { excerpt } from '../io/excerpt.js';
import { readText } from '../io/text-file.js';

/** A sentence and its translation. */
export interface SentencePair {
  readonly source: string;
  readonly target: string;
}

/** Which pairs to read; abort and progress. */
export interface ReadSentencePairsOptions extends RunControl {
  /** At most so many, from the file's start. */
  readonly limit?: number | undefined;
}
const READ_SENTENCE_PAIRS_KEYS: KeysOf<ReadSentencePairsOptions & { readonly team?: unknown | undefined }> = {
  limit: 'number',
  signal: true,
  onProgress: 'function',
  team: true,
};

/**
 * Reads pairs of sentences from a text file (UTF-8, plain or compressed by gzip): one pair a line, source and target
 * separated by a tab; further columns are left out, as are blank lines and blanks around a sentence. Throws
 * FileFormatError naming the line (no tab, an empty side, bytes that are not UTF-8; an empty file), OptionError,
 * FileAccessError, MemoryError, AbortedError.
 */
export async function readSentencePairs(path: string, options: ReadSentencePairsOptions = {}): Promise<SentencePair[]> {
  requireRole(path, 'path', 'readSentencePairs');
  requireKnownOptions(options, READ_SENTENCE_PAIRS_KEYS, 'readSentencePairs');
  const { limit = Infinity, signal, onProgress } = options;
  if (options.limit !== undefined) requireWhole(limit, 'limit', 1);
  const text = await readText(path, { signal, onProgress });
  const pairs: SentencePair[] = [];
  let line = 0;
  for (let at = 0; at < text.length && pairs.length < limit; line++) {
    const next = text.indexOf('\n', at);
    const end = next < 0 ? text.length : next;
    const row = text.slice(at, end);
    at = end + 1;
    if (row.trim() === '') continue;
    const [source, target] = row.split('\t', 2).map((side) => side.trim());
    const wrong =
      target === undefined
        ? 'there is no tab in it'
        : source === '' || target === ''
          ? `its ${source === '' ? 'source' : 'target'} is empty`
          : undefined;
    if (wrong !== undefined)
      throw new FileFormatError(
        `${path}: line ${line + 1}, ${JSON.stringify(excerpt(row))}: ${wrong}. Each line is a sentence, a tab and ` +
          'its translation.',
        { path, line: line + 1 },
      );
    pairs.push({ source, target });
  }
  if (pairs.length === 0) throw new FileFormatError(`${path}: there is no pair of sentences in it.`, { path });
  return pairs;
}
