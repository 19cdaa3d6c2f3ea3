import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileAccessError, FileFormatError, OptionError } from '#hmatrix/core/errors.js';
import { readText } from '#hmatrix/io/text-file.js';
import { readSentencePairs } from '#hmatrix/text/sentence-pairs.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const folder = temporaryFolder();
const file = join(folder, 'pairs.txt');
const write = (content: string | Uint8Array): void => {
  writeFileSync(file, content);
};

async function failure(content: string | Uint8Array): Promise<string> {
  write(content);
  const error: unknown = await readSentencePairs(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(FileFormatError);
  expect((error as Error).message).toContain(file);
  return (error as Error).message;
}

const sentence = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((text) => text.replace(/[\t\n\r\ufeff]/g, '').trim())
  .filter((text) => text !== '');

describe('pairs of sentences from a file', () => {
  it('are read as they were written, whatever ends the lines, plain and compressed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ source: sentence, target: sentence }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        fc.constantFrom('', '\tCC-BY 2.0'),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        async (pairs, feed, more, mark, packed, limit) => {
          const lines = pairs.map(({ source, target }) => `${source}\t${target}${more}${feed}`).join(feed);
          const bytes = new TextEncoder().encode(`${mark ? '\ufeff' : ''}${lines}`);
          write(packed ? gzipSync(bytes) : bytes);
          expect(await readSentencePairs(file)).toEqual(pairs);
          expect(await readSentencePairs(file, { limit })).toEqual(pairs.slice(0, limit));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('that are none are named by their line', async () => {
    expect(await failure('a\tb\nno tab here\n')).toMatch(/line 2, "no tab here": there is no tab/);
    expect(await failure('a\tb\n\n \tb\n')).toMatch(/line 3.*its source is empty/);
    expect(await failure('a\t \n')).toMatch(/line 1.*its target is empty/);
    for (const nothing of ['', '\n\n']) expect(await failure(nothing)).toMatch(/no pair of sentences/);
    const long = await failure('x'.repeat(10_000));
    expect(long.length).toBeLessThan(500);
    await expect(readSentencePairs(join(folder, 'none.txt'))).rejects.toThrow(FileAccessError);
    await expect(readSentencePairs(file, { limit: 0 })).rejects.toThrow(OptionError);
  });

  it('of another encoding are named by line and byte', async () => {
    const latin = Uint8Array.from('a\tb\nna\u00efve\tx\n', (letter) => letter.charCodeAt(0));
    expect(await failure(latin)).toMatch(/line 2: the bytes [0-9a-f ]+ at \d+ are not UTF-8\. Save the text as UTF-8/);
    const wide = Uint8Array.from([0xff, 0xfe, 0x61, 0, 0x09, 0, 0x62, 0]);
    expect(await failure(wide)).toMatch(/line 1: the bytes ff fe.*at 0 are not UTF-8\. It begins as UTF-16 does/);
    // A character cut by the end of the file.
    expect(await failure(Uint8Array.of(0x61, 0x09, 0x62, 0xe2, 0x82))).toMatch(/at [34] are not UTF-8/);
  });

  it('the first byte that is not UTF-8 is found among good ones', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 40 }), async (text) => {
        const bytes = new TextEncoder().encode(`${text}|${text}`);
        const good = new TextEncoder().encode(text).length;
        bytes[good] = 0xff;
        write(bytes);
        const error = (await readText(file).catch((e: unknown) => e)) as FileFormatError;
        expect(error).toBeInstanceOf(FileFormatError);
        expect(error.data['position']).toBe(good);
      }),
      { numRuns: 40 },
    );
  });
});
