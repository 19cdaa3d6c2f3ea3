/**
 * What follows from indices of tokens (1 × positions, per sample): targets as columns, which positions count, and which
 * keys a query may see. None has a derivative in the indices.
 */
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { columnsOf, rowsOf } from '../shape.js';

/** Scores that are not to be seen; e^x of it is 0 beside any that is. */
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

/**
 * Scores (keys × heads × queries) of attention, those that are not to be seen far below any other: of keys that are
 * padding, where `keys` has their indices, and of keys behind the query, where `causal`.
 */
export function hideKeys(
  graph: Graph,
  scores: Node,
  { causal, keys, padding }: { readonly causal: boolean; readonly keys: Node | null; readonly padding: number },
): Node {
  if (!causal && keys === null) return scores;
  return graph.add('hideKeys', keys === null ? [scores] : [scores, keys], { causal, padding }, scores.shape);
}

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

/** The primitive. Changes of hidden scores go on: what follows (softmax) has no slope there. */
export const HIDE_KEYS: Primitive = {
  pushforward: (_, __, [tangent]) => tangent,
  pullback: (_, __, cotangent, k) => (k === 0 ? cotangent : null),
  inPlace: 0,
  run: (machine, node) => {
    const { causal, padding } = node.attributes as unknown as { readonly causal: boolean; readonly padding: number };
    const [scores, keysNode] = node.inputs;
    const { count } = machine;
    const [keys, heads, queries] = node.shape.dims;
    const x = machine.array(scores);
    const y = machine.array(node);
    if (x !== y) machine.vectors.combine(rowsOf(node.shape) * columnsOf(node.shape, count), 1, x, 0, y);
    const ids = keysNode === undefined ? null : machine.array(keysNode);
    for (let q = 0, at = 0; q < queries; q++)
      for (let h = 0; h < heads; h++)
        for (let b = 0; b < count; b++, at += keys) {
          if (ids !== null) for (let k = 0; k < keys; k++) if (ids[b + count * k] === padding) y[at + k] = UNSEEN;
          if (causal) y.fill(UNSEEN, at + Math.min(q + 1, keys), at + keys);
        }
  },
};
