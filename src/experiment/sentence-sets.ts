/**
 * Sentences as data sets for training and validation, with the sizes that networks are made for, and the tokenizers
 * that the words to be trained on make.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, ShapeError } from '../core/errors.js';
import type { Precision } from '../core/floats.js';
import { readText } from '../io/text-file.js';
import { translationDataSet, type TranslationDataSet } from '../layers/translation-data.js';
import { memoryDataSet, type DataSet } from '../network/data-set.js';
import { padTokens } from '../text/pad-tokens.js';
import type { SentencePair } from '../text/sentence-pairs.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { wordTokenizer } from '../text/word-tokenizer.js';
import { splitNumbers } from '../training/data/split.js';
import type { PairSizes, SentenceSizes } from './models.js';

/** How sentences become numbers. */
export interface SentenceSetOptions {
  /** Most words of a language that are told apart. */
  readonly words: number;
  /** Most tokens of a sentence. */
  readonly length: number;
  readonly precision: Precision;
}

/** What is trained on, and what is kept apart, if anything. */
export interface Apart<T> {
  readonly training: readonly T[];
  readonly validation: readonly T[];
}

/** A seeded share of a list kept apart. Throws OptionError. */
export function keptApart<T>(list: readonly T[], share: number, seed: number): Apart<T> {
  if (share === 0) return { training: list, validation: [] };
  const { training, validation } = splitNumbers(list.length, share, seed);
  const those = (numbers: Int32Array): T[] => Array.from(numbers, (number) => list[number]);
  return { training: those(training), validation: those(validation) };
}

/** Pairs as data. */
export interface PairSets {
  readonly sizes: PairSizes;
  readonly training: TranslationDataSet;
  readonly validation: TranslationDataSet | null;
  readonly source: Tokenizer;
  readonly target: Tokenizer;
  /** Pairs that were too long. */
  readonly skipped: number;
}

/**
 * The data of pairs; those that are too long are left out, where it is all that are kept apart, too. Throws ShapeError
 * where none is left to train on, OptionError.
 */
export function pairSets({ training, validation }: Apart<SentencePair>, options: SentenceSetOptions): PairSets {
  const { words, length, precision } = options;
  const tokenizerOf = (side: keyof SentencePair): Tokenizer =>
    wordTokenizer(
      training.map((pair) => pair[side]),
      { size: words },
    );
  const [source, target] = [tokenizerOf('source'), tokenizerOf('target')];
  const tokens = ({ source: text, target: translation }: SentencePair): readonly [number, number] => [
    source.encode(text).length + 1,
    target.encode(translation).length + 1,
  ];
  const isShort = (pair: SentencePair): boolean => Math.max(...tokens(pair)) <= length;
  const [own, apart] = [training.filter(isShort), validation.filter(isShort)];
  if (own.length === 0)
    throw new ShapeError(
      `There is no pair of at most ${length} tokens to train on, with the one that ends a sentence: give a larger ` +
        '--length.',
      { length },
    );
  const lengths = [...own, ...apart]
    .map(tokens)
    .reduce((most, [ofSource, ofTarget]) => [Math.max(most[0], ofSource), Math.max(most[1], ofTarget)], [0, 0]);
  const [sourceLength, targetLength] = lengths;
  const how = { source, target, sourceLength, targetLength, precision };
  const sizesOf = ({ size, pad }: Tokenizer, most: number): SentenceSizes => ({
    length: most,
    words: size,
    padding: pad,
  });
  return {
    sizes: { source: sizesOf(source, sourceLength), target: sizesOf(target, targetLength) },
    training: translationDataSet(own, how),
    validation: apart.length === 0 ? null : translationDataSet(apart, how),
    source,
    target,
    skipped: training.length + validation.length - own.length - apart.length,
  };
}

/** Sentences as data, of which the next word is to be told. */
export interface SentenceSets {
  readonly sizes: SentenceSizes;
  readonly training: DataSet;
  readonly validation: DataSet | null;
  readonly tokenizer: Tokenizer;
}

/** The data of sentences; the end of those that are too long is left out. Throws OptionError. */
export function sentenceSets({ training, validation }: Apart<string>, options: SentenceSetOptions): SentenceSets {
  const { words, length, precision } = options;
  const tokenizer = wordTokenizer(training, { size: words });
  const tokens = training.map((text) => tokenizer.encode(text));
  const apart = validation.map((text) => tokenizer.encode(text));
  const longest = [...tokens, ...apart].reduce((most, own) => Math.max(most, Math.min(length, own.length + 1)), 0);
  const columns = { length: longest, truncate: true, precision };
  const data = (own: readonly Int32Array[]): DataSet =>
    memoryDataSet(
      padTokens(own, tokenizer, { ...columns, begin: true }),
      padTokens(own, tokenizer, { ...columns, end: true }),
      { samples: 'columns' },
    );
  return {
    sizes: { length: longest, words: tokenizer.size, padding: tokenizer.pad },
    training: data(tokens),
    validation: apart.length === 0 ? null : data(apart),
    tokenizer,
  };
}

/** The sentences of a text file, one a line, up to its first tab; blank lines are left out. Throws FileFormatError. */
export async function readSentences(path: string, limit: number, control: RunControl): Promise<string[]> {
  const text = await readText(path, { signal: control.signal, onProgress: control.onProgress });
  const sentences = text
    .split('\n')
    .map((line) => line.split('\t', 1)[0].trim())
    .filter((line) => line !== '')
    .slice(0, limit);
  if (sentences.length === 0) throw new FileFormatError(`${path}: there is no sentence in it.`, { path });
  return sentences;
}
