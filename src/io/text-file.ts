/**
 * Text files: UTF-8, plain or compressed by gzip.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, MemoryError } from '../core/errors.js';
import { readUnpacked } from './gzip.js';
import { withInputFile } from './input-file.js';
import { hex } from './npy-header.js';

/** Bytes of the line feed, and of UTF-16's byte order marks. */
const LINE_FEED = 0x0a;
const MARKS_OF_UTF16 = ['ff fe', 'fe ff'];

/** Where the bytes cease to be UTF-8: of all beginnings that are, a character cut at their end allowed, the longest. */
function firstWrong(bytes: Uint8Array): number {
  const isGood = (end: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0;
  for (let bad = bytes.length; bad - good > 1;) {
    const middle = (good + bad) >> 1;
    if (isGood(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/**
 * The text of a file, without a byte order mark, lines ending as they do. Throws FileFormatError naming the line where
 * bytes are not UTF-8, FileAccessError, MemoryError, AbortedError.
 */
export async function readText(path: string, control: RunControl = {}): Promise<string> {
  const bytes = await withInputFile(path, control, (file) => readUnpacked(file, control));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new MemoryError(
        `${path}: a text of ${bytes.length} bytes is longer than a string can be: split the file.`,
        {
          path,
          bytes: bytes.length,
        },
      );
    const at = firstWrong(bytes);
    const line = bytes.subarray(0, at).reduce((count, byte) => count + (byte === LINE_FEED ? 1 : 0), 1);
    const wide = MARKS_OF_UTF16.includes(hex(bytes.subarray(0, 2))) ? ' It begins as UTF-16 does.' : '';
    throw new FileFormatError(
      `${path}: line ${line}: the bytes ${hex(bytes.subarray(at, at + 4))} at ${at} are not UTF-8.${wide} ` +
        'Save the text as UTF-8.',
      { path, line, position: at },
    );
  }
}
