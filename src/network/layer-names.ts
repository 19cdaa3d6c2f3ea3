/**
 * Dense layers found by the names of their arrays.
 * PyTorch: "0.weight" (out, in), "0.bias" (out), under any prefix; Flax: "params/Dense_0/kernel" (in, out),
 * "params/Dense_0/bias". Dots and slashes separate.
 */
import { FileFormatError, OptionError } from '../core/errors.js';

/** One dense layer and the names of its arrays. */
export interface LayerName {
  /** What its arrays' names begin with: "encoder.0", "" for a layer alone. */
  readonly stem: string;
  readonly weight: string;
  /** The weight is (inputs, outputs), as Flax has it; (outputs, inputs) if not. */
  readonly kernel: boolean;
  readonly bias: string | undefined;
  /** Which of the parts asked for it belongs to. */
  readonly part: number;
}

const separator = /[./]/;
const quoted = (names: readonly string[], most = 8): string =>
  names
    .slice(0, most)
    .map((name) => `"${name}"`)
    .join(', ') + (names.length > most ? `, … (${names.length})` : '');

/** The number of the longest part that begins the name; −1 where none does. */
function partOf(name: string, parts: readonly string[]): number {
  let found = -1;
  parts.forEach((part, k) => {
    if (name.startsWith(part) && (found < 0 || part.length > parts[found].length)) found = k;
  });
  return found;
}

/**
 * The dense layers whose arrays are among `names`, in no order yet. `parts`: beginnings of the names that count; all do
 * where it is not given. Throws FileFormatError naming an array that is no part of a dense layer, OptionError for a
 * part that no name begins with.
 */
export function findLayers(names: readonly string[], parts: readonly string[] | undefined, path: string): LayerName[] {
  const unused = parts?.find((_, k) => !names.some((name) => partOf(name, parts) === k));
  if (unused !== undefined)
    throw new OptionError(`${path}: no array's name begins with "${unused}"; there are ${quoted(names)}.`, {
      path,
      part: unused,
    });
  const layers = new Map<
    string,
    { weight?: string | undefined; kernel: boolean; bias?: string | undefined; part: number }
  >();
  for (const name of names) {
    const part = parts === undefined ? 0 : partOf(name, parts);
    if (part < 0) continue;
    const cut = Math.max(name.lastIndexOf('.'), name.lastIndexOf('/'));
    const leaf = name.slice(cut + 1);
    const stem = name.slice(0, Math.max(0, cut));
    if (leaf !== 'weight' && leaf !== 'kernel' && leaf !== 'bias') {
      throw new FileFormatError(
        `${path}: "${name}" is neither weight, kernel nor bias of a dense layer. Only multilayer perceptrons can ` +
          `be read; where the network is one part of the file, name that part's beginning (parts).`,
        { path, name },
      );
    }
    const layer = layers.get(stem) ?? { kernel: false, part };
    if (leaf === 'bias') layer.bias = name;
    else if (layer.weight !== undefined)
      throw new FileFormatError(`${path}: layer "${stem}" has two weights, "${layer.weight}" and "${name}".`, {
        path,
        name,
      });
    else Object.assign(layer, { weight: name, kernel: leaf === 'kernel' });
    layers.set(stem, layer);
  }
  if (layers.size === 0)
    throw new FileFormatError(`${path}: there is no array called weight or kernel in it.`, { path });
  return [...layers].map(([stem, { weight, kernel, bias, part }]) => {
    if (weight === undefined)
      throw new FileFormatError(
        `${path}: "${bias}" belongs to no weight: "${stem === '' ? '' : `${stem}.`}weight" (or kernel) is missing.`,
        { path, name: bias },
      );
    return { stem, weight, kernel, bias, part };
  });
}

type Token = number | string;
/** Stands for any number where names part into numbers and words. */
const ANY_NUMBER = '#';

/** "encoder.layers_10" → encoder, layers, 10. */
const tokensOf = (stem: string): Token[] =>
  stem
    .split(separator)
    .flatMap((piece) => piece.match(/\d+|\D+/g) ?? [])
    .map((token) => (/^\d/.test(token) ? Number(token) : token.replace(/[_-]+$/, '')))
    .filter((token) => token !== '');

const wordOf = (token: Token): string => (typeof token === 'number' ? ANY_NUMBER : token);

/** Where two names part: two numbers, or the words of which only a meaning tells which comes first. */
function parting(a: readonly Token[], b: readonly Token[]): { numbers: number } | { words: readonly [string, string] } {
  const at = a.findIndex((token, k) => token !== b[k]);
  if (at < 0 || at >= b.length) return { numbers: a.length - b.length };
  const x = a[at];
  const y = b[at];
  return typeof x === 'number' && typeof y === 'number' ? { numbers: x - y } : { words: [wordOf(x), wordOf(y)] };
}

/** Words that say where they stand in the flow of data. */
const flow: readonly (readonly string[])[] = [
  ['input', 'in', 'first'],
  ['encoder', 'enc', 'encode'],
  ['middle', 'bottleneck', 'latent'],
  ['decoder', 'dec', 'decode'],
  ['output', 'out', 'last', 'final', 'head', 'readout'],
];
/** Words, and numbers, that say nothing else: between a first and a last layer they are the middle. */
const PLAIN = [
  ANY_NUMBER,
  'hidden',
  'layer',
  'layers',
  'block',
  'blocks',
  'body',
  'dense',
  'fc',
  'lin',
  'linear',
  'linears',
];
const MIDDLE = 2;

/** "fc_out" is an output though "fc" alone is not; −1 for a word of unknown meaning. */
function flowRank(word: string): number {
  const pieces = word.toLowerCase().split(/[_-]/);
  const rank = flow.findIndex((names) => pieces.some((piece) => names.includes(piece)));
  return rank < 0 && pieces.some((piece) => PLAIN.includes(piece)) ? MIDDLE : rank;
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length <= 1) yield [...items];
  for (let k = 0; k < items.length && items.length > 1; k++)
    for (const rest of permutations([...items.slice(0, k), ...items.slice(k + 1)])) yield [items[k], ...rest];
}

/** Beyond so many words that could stand in any order, their order must be told. */
const MOST_WORDS = 6;

/**
 * The orders that the layers may have: by part, numbers by value, and words that names part into ("encoder", "decoder")
 * in each order; the first one is in the order that the words' meaning suggests (`meant`) or else that of the alphabet.
 * Empty where there are too many.
 */
export function possibleOrders<L extends LayerName>(layers: readonly L[]): { orders: L[][]; meant: boolean } {
  const tokens = new Map(layers.map((layer) => [layer, tokensOf(layer.stem)]));
  const words = new Set<string>();
  for (const a of layers)
    for (const b of layers) {
      const difference = a !== b && a.part === b.part ? parting(tokens.get(a)!, tokens.get(b)!) : undefined;
      if (difference !== undefined && 'words' in difference) difference.words.forEach((word) => words.add(word));
    }
  if (words.size > MOST_WORDS) return { orders: [], meant: false };
  const ranks = [...words].map(flowRank);
  const meant = !ranks.includes(-1) && new Set(ranks).size === ranks.length;
  const first = [...words].sort((a, b) => (meant ? flowRank(a) - flowRank(b) : a < b ? -1 : 1));
  const orders = new Map<string, L[]>();
  for (const order of permutations(first)) {
    const sorted = [...layers].sort((a, b) => {
      if (a.part !== b.part) return a.part - b.part;
      const difference = parting(tokens.get(a)!, tokens.get(b)!);
      return 'numbers' in difference
        ? difference.numbers
        : order.indexOf(difference.words[0]) - order.indexOf(difference.words[1]);
    });
    const key = sorted.map(({ stem }) => stem).join('\0');
    if (!orders.has(key)) orders.set(key, sorted);
  }
  return { orders: [...orders.values()], meant };
}
