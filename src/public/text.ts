/**
 * Text: pairs of sentences, tokenizers, sequences of tokens, decoding, BLEU.
 */
export { readSentencePairs, type ReadSentencePairsOptions, type SentencePair } from '../text/sentence-pairs.js';
export type { SpecialTokens, Tokenizer, TokenizerJson } from '../text/tokenizer.js';
export { joinWords, splitWords } from '../text/words.js';
export { wordTokenizer, type WordTokenizerOptions } from '../text/word-tokenizer.js';
export { bytePairTokenizer, type BytePairTokenizerOptions } from '../text/byte-pair-tokenizer.js';
export { loadTokenizer, saveTokenizer } from '../text/tokenizer-file.js';
export { padTokens, type PadTokensOptions } from '../text/pad-tokens.js';
export { greedyDecode } from '../text/decoding/greedy.js';
export { beamSearch, type BeamSearchOptions } from '../text/decoding/beam-search.js';
export type { DecodingOptions, Hypothesis, Scorer } from '../text/decoding/scorer.js';
export { bleu, type Bleu, type BleuOptions } from '../text/bleu.js';
export { tokenAccuracy } from '../text/token-accuracy.js';
