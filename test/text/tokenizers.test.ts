import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFormatError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { translationPairs } from '#datasets/translation.js';
import { BYTE_SIGNS, learnBytePairs } from '#hmatrix/text/byte-pairs.js';
import { bytePairTokenizer } from '#hmatrix/text/byte-pair-tokenizer.js';
import { padTokens } from '#hmatrix/text/pad-tokens.js';
import { loadTokenizer, saveTokenizer } from '#hmatrix/text/tokenizer-file.js';
import { wordTokenizer } from '#hmatrix/text/word-tokenizer.js';
import { joinWords, splitWords } from '#hmatrix/text/words.js';
import { temporaryFolder } from '../io/temporary-folder.js';

const file = join(temporaryFolder(), 'tokenizer.json');
const sentences = translationPairs(200, 1, 3).training.flatMap(({ source, target }) => [source, target]);
const anyText = fc.string({ unit: 'grapheme', maxLength: 30 });

describe('words', () => {
  it('are letters, digits and their marks, joined by apostrophes and hyphens; signs stand alone', () => {
    expect(splitWords("Don't go, well-known  Émile! 3.5 e\u0301t\u00e9")).toEqual([
      "Don't",
      'go',
      ',',
      'well-known',
      'Émile',
      '!',
      '3',
      '.',
      '5',
      'e\u0301t\u00e9',
    ]);
    expect(splitWords('  \n ')).toEqual([]);
  });

  it('lose nothing but blanks, and come back from the text that they make', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const words = splitWords(text);
        expect(words.join('')).toBe(text.replace(/\s/gu, ''));
        expect(splitWords(words.join(' '))).toEqual(words);
      }),
    );
    expect(joinWords(['(', 'a', ',', 'b', ')', '.'])).toBe('(a, b).');
    for (const text of sentences) expect(joinWords(splitWords(text))).toBe(text);
  });
});

describe('the tokenizer of words', () => {
  it('numbers the commonest words first, and gives texts of them back', () => {
    const tokenizer = wordTokenizer(['b a. a c', 'a b.']);
    expect([tokenizer.pad, tokenizer.bos, tokenizer.eos, tokenizer.unk, tokenizer.size]).toEqual([0, 1, 2, 3, 8]);
    // a 3, . 2, b 2, c 1.
    expect([...tokenizer.encode('a . b c d')]).toEqual([4, 5, 6, 7, 3]);
    expect(tokenizer.decode([1, 4, 6, 5, 2, 0, 0, 3])).toBe('a b.');
    const all = wordTokenizer(sentences);
    for (const text of sentences) expect(all.decode(all.encode(text))).toBe(text);
  });

  it('keeps so many, or those that occur so often, small letters where asked', () => {
    expect(wordTokenizer(['b a a A'], { size: 5 }).encode('a b')).toEqual(Int32Array.of(4, 3));
    expect(wordTokenizer(['b a a A'], { least: 2 }).size).toBe(5);
    expect(wordTokenizer(['b a a A'], { lowercase: true, least: 3 }).encode('A B')).toEqual(Int32Array.of(4, 3));
  });

  it('takes words that objects know for words', async () => {
    const tokenizer = wordTokenizer(['constructor __proto__ toString 12 7']);
    const text = 'constructor __proto__ toString 12 7 hasOwnProperty';
    const tokens = tokenizer.encode(text);
    expect(tokens.filter((token) => token === 3)).toHaveLength(1);
    await saveTokenizer(file, tokenizer);
    expect((await loadTokenizer(file)).encode(text)).toEqual(tokens);
  });
});

/** Merges one after the other, as they were learned, wherever they apply: the definition. */
function encodedByDefinition(text: string, merges: readonly (readonly [string, string])[]): string[] {
  const cuts = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  return [...text.matchAll(cuts)].flatMap(([piece]) => {
    let tokens = [...new TextEncoder().encode(piece)].map((byte) => BYTE_SIGNS[byte]);
    for (const [a, b] of merges)
      for (let k = 0; k + 1 < tokens.length; k++)
        if (tokens[k] === a && tokens[k + 1] === b) tokens = [...tokens.slice(0, k), a + b, ...tokens.slice(k + 2)];
    return tokens;
  });
}

describe('byte pairs', () => {
  it('join the most frequent neighbors first', () => {
    // Pairs: "ab" 5 times; then "abc" 3 times; "d" after a blank with it.
    const { merges } = learnBytePairs(['abc abc abc ab ab'], 256 + 10);
    expect(merges[0]).toEqual(['a', 'b']);
    // " ab" (4 times, its blank is Ġ) before "abc" (3 times).
    expect(merges[1]).toEqual(['\u0120', 'ab']);
  });

  it('are each the most frequent pair of what the pairs before them made', () => {
    const { merges } = learnBytePairs(sentences, 256 + 40);
    for (let m = 0; m < merges.length; m += 13) {
      const counts = new Map<string, number>();
      for (const text of sentences) {
        const cuts = text.match(/ ?[a-z]+| ?[^a-z\s]+/g)!;
        for (const cut of cuts) {
          const tokens = encodedByDefinition(cut, merges.slice(0, m));
          for (let k = 0; k + 1 < tokens.length; k++) {
            const pair = `${tokens[k]} ${tokens[k + 1]}`;
            counts.set(pair, (counts.get(pair) ?? 0) + 1);
          }
        }
      }
      expect(counts.get(merges[m].join(' '))).toBe(Math.max(...counts.values()));
    }
  });

  it('encode as their definition says, and any text comes back', async () => {
    const tokenizer = await bytePairTokenizer(sentences, { size: 400 });
    const { tokens, merges } = learnBytePairs(sentences, 396);
    expect(tokenizer.size).toBe(400);
    const check = (text: string): void => {
      const encoded = tokenizer.encode(text);
      expect([...encoded].map((token) => tokens[token - 4])).toEqual(encodedByDefinition(text, merges));
      expect(tokenizer.decode(encoded)).toBe(text);
    };
    sentences.slice(0, 50).forEach(check);
    fc.assert(fc.property(anyText, check), { numRuns: 200 });
    ['<pad>', '<eos> <unk>', '', ' ', '\n\n', ' a ', "it's"].forEach(check);
  });

  it('need fewer tokens the more there are, and end where no pair occurs twice', async () => {
    const lengths: number[] = [];
    for (const size of [260, 320, 500]) {
      const tokenizer = await bytePairTokenizer(sentences, { size });
      lengths.push(sentences.reduce((sum, text) => sum + tokenizer.encode(text).length, 0));
    }
    expect(lengths[1]).toBeLessThan(lengths[0]);
    expect(lengths[2]).toBeLessThan(lengths[1]);
    expect((await bytePairTokenizer(['abcd'])).size).toBe(260);
    await expect(bytePairTokenizer(sentences, { size: 259 })).rejects.toThrow(OptionError);
  });

  it('special tokens are left out of texts', async () => {
    const tokenizer = await bytePairTokenizer(sentences, { size: 300 });
    const encoded = tokenizer.encode('a dog');
    expect(tokenizer.decode([1, ...encoded, 2, 0, 0])).toBe('a dog');
    expect(tokenizer.decode([0, 1, 2])).toBe('');
    for (const bad of [-1, 300, 1.5, Number.NaN]) expect(() => tokenizer.decode([bad])).toThrow(OptionError);
    expect(() => tokenizer.encode(3 as never)).toThrow(/takes a text, not 3/);
  });
});

describe('tokenizers in files', () => {
  it('come back as they were', async () => {
    for (const tokenizer of [
      wordTokenizer(sentences, { lowercase: true }),
      wordTokenizer(sentences),
      await bytePairTokenizer(sentences, { size: 350 }),
    ]) {
      await saveTokenizer(file, tokenizer);
      const loaded = await loadTokenizer(file);
      expect([loaded.size, loaded.pad, loaded.bos, loaded.eos, loaded.unk]).toEqual([tokenizer.size, 0, 1, 2, 3]);
      for (const text of [...sentences.slice(0, 20), 'The DOG never sings?'])
        expect(loaded.encode(text)).toEqual(tokenizer.encode(text));
      const before = readFileSync(file, 'utf8');
      await saveTokenizer(file, loaded);
      expect(readFileSync(file, 'utf8')).toBe(before);
    }
  });

  it('of word pieces with other names for the special tokens are read', async () => {
    writeFileSync(
      file,
      JSON.stringify({
        normalizer: { type: 'Lowercase' },
        pre_tokenizer: { type: 'Whitespace' },
        decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
        model: {
          type: 'WordPiece',
          unk_token: '[UNK]',
          continuing_subword_prefix: '##',
          max_input_chars_per_word: 100,
          vocab: { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, dog: 4, '##s': 5, the: 6 },
        },
      }),
    );
    const tokenizer = await loadTokenizer(file);
    expect([tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos]).toEqual([0, 1, 2, 3]);
    expect([...tokenizer.encode('The dogs xyz')]).toEqual([6, 4, 5, 1]);
    expect(tokenizer.decode([2, 6, 4, 5, 3, 0])).toBe('the dogs');
  });

  it('that hold none are refused', async () => {
    const cases: readonly (readonly [string, unknown, RegExp])[] = [
      ['{', FileFormatError, /no JSON/],
      ['null', FileFormatError, /no "model"/],
      ['{"model":{"type":"BPE","vocab":{}}}', FileFormatError, /no token in it/],
      ['{"model":{"type":"BPE","vocab":{"a":-1}}}', FileFormatError, /token "a" has no whole number/],
      ['{"model":{"type":"BPE","vocab":{"a":0}}}', OptionError, /called "<pad>" or "\[PAD\]"/],
      [
        '{"model":{"type":"Strange","vocab":{"<pad>":0,"<s>":1,"</s>":2}},"pre_tokenizer":{"type":"Odd"}}',
        FileFormatError,
        /make no tokenizer/,
      ],
    ];
    for (const [text, type, message] of cases) {
      writeFileSync(file, text);
      const error: unknown = await loadTokenizer(file).catch((e: unknown) => e);
      expect(error, text).toBeInstanceOf(type as typeof FileFormatError);
      expect((error as Error).message).toMatch(message);
    }
    await expect(saveTokenizer(file, {} as never)).rejects.toThrow(OptionError);
    for (const bad of ['text', [], [3], undefined])
      expect(() => wordTokenizer(bad as never), String(bad)).toThrow(OptionError);
  });
});

describe('padded sequences', () => {
  const special = { pad: 0, bos: 1, eos: 2 };

  it('begin, hold, end and are filled up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 3, max: 50 }), { maxLength: 6 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
        fc.nat({ max: 3 }),
        (sequences, begin, end, more) => {
          const longest = Math.max(...sequences.map(({ length }) => length)) + Number(begin) + Number(end);
          const out = padTokens(sequences, special, { begin, end, length: longest + more });
          expect([out.rows, out.cols]).toEqual([longest + more, sequences.length]);
          sequences.forEach((sequence, j) => {
            const column = Array.from(out.data.subarray(out.offset + j * out.ld, out.offset + j * out.ld + out.rows));
            const wanted = [...(begin ? [1] : []), ...sequence, ...(end ? [2] : [])];
            expect(column.slice(0, wanted.length)).toEqual(wanted);
            expect(column.slice(wanted.length).every((token) => token === 0)).toBe(true);
          });
          expect(padTokens(sequences, special, { begin, end }).rows).toBe(longest);
        },
      ),
    );
  });

  it('that are too long are refused, or cut', () => {
    expect(() => padTokens([[3, 4, 5]], special, { length: 3, end: true })).toThrow(ShapeError);
    expect(() => padTokens([[3, 4, 5]], special, { length: 3, end: true })).toThrow(/Sequence 0 has 4 tokens, 1 of/);
    expect([...padTokens([[3, 4, 5]], special, { length: 2, truncate: true, precision: 'f32' }).data]).toEqual([3, 4]);
    expect(() => padTokens([[3, 1.5]], special)).toThrow(/sequences\[0\]\[1\] must be a whole number/);
    expect(() => padTokens([[3], [-1]], special)).toThrow(/sequences\[1\]\[0\] is -1/);
  });
});
