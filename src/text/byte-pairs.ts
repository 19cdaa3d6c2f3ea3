/**
 * Byte pairs learned from texts: which two neighboring tokens become one, most frequent pair first.
 * Source: R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units", 2016, over
 * bytes as in A. Radford et al., "Language models are unsupervised multitask learners", 2019, §2.2. Texts are cut into
 * words (with the blank before them), numbers and signs first; no pair crosses a cut. Equally frequent pairs: the one
 * whose tokens came first.
 */

/** How texts are cut, as the byte-level pre-tokenizer of `tokenizer.json` does. */
const CUTS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const BYTES = 256;

/**
 * The sign that stands for each byte in the tokens of `tokenizer.json`: itself where it is printed, else one of those
 * behind Latin 1.
 */
export const BYTE_SIGNS: readonly string[] = ((): string[] => {
  const printed = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = BYTES;
  return Array.from({ length: BYTES }, (_, byte) => String.fromCharCode(printed(byte) ? byte : next++));
})();

/** What was learned. */
export interface BytePairs {
  /** Tokens in the order of their making: the 256 bytes, then one for each pair. */
  readonly tokens: readonly string[];
  /** The two tokens that each later one was made of. */
  readonly merges: readonly (readonly [string, string])[];
}

/** A piece of text that occurs `count` times, as numbers of tokens. */
interface Piece {
  tokens: number[];
  readonly count: number;
}

function piecesOf(texts: Iterable<string>): Piece[] {
  const counts = new Map<string, number>();
  for (const text of texts) for (const [piece] of text.matchAll(CUTS)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const encoder = new TextEncoder();
  return [...counts].map(([piece, count]) => ({ tokens: [...encoder.encode(piece)], count }));
}

/** Counts of pairs, and the pieces in which each may occur. */
class PairCounts {
  readonly #counts = new Map<number, number>();
  readonly #places = new Map<number, Set<number>>();
  /** Pair (a, b) is the number a·stride + b: smaller for tokens that came first. */
  readonly #stride: number;

  constructor(stride: number) {
    this.#stride = stride;
  }

  /** Adds `sign` times the pairs of a piece. */
  add({ tokens, count }: Piece, place: number, sign: 1 | -1): void {
    for (let k = 0; k + 1 < tokens.length; k++) {
      const pair = tokens[k] * this.#stride + tokens[k + 1];
      this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + sign * count);
      if (sign < 0) continue;
      const places = this.#places.get(pair);
      if (places === undefined) this.#places.set(pair, new Set([place]));
      else places.add(place);
    }
  }

  /** The most frequent pair, and where it may be; undefined where none occurs twice. */
  most(): { readonly a: number; readonly b: number; readonly places: readonly number[] } | undefined {
    let best = -1;
    let most = 1;
    for (const [pair, count] of this.#counts)
      if (count > most || (count === most && count > 1 && pair < best)) {
        best = pair;
        most = count;
      }
    if (best < 0) return undefined;
    const places = [...this.#places.get(best)!];
    return { a: Math.floor(best / this.#stride), b: best % this.#stride, places };
  }

  /** Forgets a pair that occurs no more. */
  drop(a: number, b: number): void {
    this.#counts.delete(a * this.#stride + b);
    this.#places.delete(a * this.#stride + b);
  }
}

function merged(tokens: readonly number[], a: number, b: number, token: number): number[] {
  const out: number[] = [];
  for (let k = 0; k < tokens.length; k++)
    if (tokens[k] === a && tokens[k + 1] === b) {
      out.push(token);
      k++;
    } else out.push(tokens[k]);
  return out;
}

/**
 * Up to `size` tokens: the bytes, and pairs as long as one occurs twice. Cost: the number of different pairs for each
 * one that is made.
 */
export function learnBytePairs(texts: Iterable<string>, size: number): BytePairs {
  const pieces = piecesOf(texts);
  const tokens = [...BYTE_SIGNS];
  const merges: [string, string][] = [];
  const counts = new PairCounts(size);
  pieces.forEach((piece, place) => {
    counts.add(piece, place, 1);
  });
  while (tokens.length < size) {
    const found = counts.most();
    if (found === undefined) break;
    const { a, b, places } = found;
    for (const place of places) {
      const piece = pieces[place];
      counts.add(piece, place, -1);
      piece.tokens = merged(piece.tokens, a, b, tokens.length);
      counts.add(piece, place, 1);
    }
    counts.drop(a, b);
    merges.push([tokens[a], tokens[b]]);
    tokens.push(tokens[a] + tokens[b]);
  }
  return { tokens, merges };
}
