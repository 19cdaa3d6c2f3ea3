/**
 * What follows from indices of tokens (1 × positions, per sample): targets as columns, which positions count, and which
 * keys a query may see. None has a derivative in the indices.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { columnsOf, rowsOf } from '../shape.js';

/**
 * Scores of padding; e^x of it is 0 beside any that is seen. Keys behind a causal query have twice that: where it sees
 * nothing but padding, it still sees none of them.
 */
const UNSEEN = -1e9;

/** How tokens become targets. */
export interface TargetSettings {
  readonly classes: number;
  /** ε: the target's share is 1 − ε + ε/classes, of any other class ε/classes. */
  readonly smoothing: number;
  /** The index of padding, whose columns are zero; −1: none. */
  readonly padding: number;
}

/** Columns of shares: classes × positions. */
export const oneHot = (graph: Graph, ids: Node, { classes, smoothing, padding }: TargetSettings): Node =>
  graph.add(
    'oneHot',
    [ids],
    { classes, smoothing, padding },
    { ...ids.shape, dims: [classes, ...ids.shape.dims.slice(1)] },
  );

/** 1 where a token is not padding, else 0. */
export const present = (graph: Graph, ids: Node, padding: number): Node =>
  graph.add('present', [ids], { padding }, ids.shape);

/** Which keys a query sees. */
export interface Sight {
  /** Whether it sees none behind it. */
  readonly causal: boolean;
  /** Tokens of the keys, of which it sees no padding; null: all. */
  readonly keys: Node | null;
  readonly padding: number;
}

/** Scores (keys × heads × queries) of attention, those that are not to be seen far below any other. */
export function hideKeys(graph: Graph, scores: Node, sight: Sight): Node {
  return sight.causal || sight.keys !== null ? hidden(graph, scores, sight, UNSEEN) : scores;
}

const hidden = (graph: Graph, x: Node, { causal, keys, padding }: Sight, value: number): Node =>
  graph.add('hideKeys', keys === null ? [x] : [x, keys], { causal, padding, value }, x.shape);

/** The changes of scores, zero where they are hidden. */
const hiddenLike = (graph: Graph, { inputs: [, keys], attributes }: Node, change: Node): Node => {
  const { causal, padding } = attributes as unknown as Sight;
  return hidden(graph, change, { causal, padding, keys: keys ?? null }, 0);
};

/** The primitive. */
export const ONE_HOT: Primitive = {
  pushforward: () => null,
  run: (machine, node) => {
    const { classes, smoothing, padding } = node.attributes as unknown as TargetSettings;
    const cols = columnsOf(node.shape, machine.count);
    const ids = machine.array(node.inputs[0]);
    const y = machine.array(node);
    y.fill(smoothing / classes, 0, classes * cols);
    for (let j = 0; j < cols; j++)
      if (ids[j] === padding) y.fill(0, j * classes, (j + 1) * classes);
      else y[j * classes + ids[j]] += 1 - smoothing;
  },
};

/** The primitive. */
export const PRESENT: Primitive = {
  pushforward: () => null,
  run: (machine, node) => {
    const padding = node.attributes['padding'] as number;
    const cols = columnsOf(node.shape, machine.count);
    const ids = machine.array(node.inputs[0]);
    const y = machine.array(node);
    for (let j = 0; j < cols; j++) y[j] = ids[j] === padding ? 0 : 1;
  },
};

/** The primitive: hidden scores, and their changes, have one value. */
export const HIDE_KEYS: Primitive = {
  pushforward: (graph, node, [tangent]) => tangent && hiddenLike(graph, node, tangent),
  pullback: (graph, node, cotangent, k) => (k === 0 ? hiddenLike(graph, node, cotangent) : null),
  inPlace: 0,
  run: (machine, node) => {
    const { causal, padding, value } = node.attributes as unknown as Sight & { readonly value: number };
    const [scores, keysNode] = node.inputs;
    const { count } = machine;
    const [keys, heads, queries] = node.shape.dims;
    const x = machine.array(scores);
    const y = machine.array(node);
    if (x !== y) machine.vectors.combine(rowsOf(node.shape) * columnsOf(node.shape, count), 1, x, 0, y);
    const paddings = keysNode === undefined ? null : paddingOf(machine.array(keysNode), { keys, count, padding });
    for (let q = 0, at = 0; q < queries; q++) {
      const seen = causal ? Math.min(q + 1, keys) : keys;
      for (let h = 0; h < heads; h++)
        for (let b = 0; b < count; b++, at += keys) {
          if (paddings !== null) for (const k of paddings[b]) y[at + k] = value;
          for (let k = at + seen; k < at + keys; k++) y[k] = 2 * value;
        }
    }
  },
};

/** Of every sample the keys that are padding. */
function paddingOf(
  ids: FloatArray,
  { keys, count, padding }: Readonly<Record<'keys' | 'count' | 'padding', number>>,
): number[][] {
  return Array.from({ length: count }, (_, b) => {
    const own: number[] = [];
    for (let k = 0; k < keys; k++) if (ids[b + count * k] === padding) own.push(k);
    return own;
  });
}
