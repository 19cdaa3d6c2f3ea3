/**
 * Losses of graph networks: those of perceptrons by name, and the cross-entropy of tokens.
 */
import { requireNonNegative, requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { lossOf, squaredScale, type LossName } from '../network/losses/table.js';
import type { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import { elementwise, multiply } from '../tape/primitives/elementwise.js';
import { columnDots, logSumExp } from '../tape/primitives/softmax.js';
import { gather } from '../tape/primitives/spread.js';
import { sum } from '../tape/primitives/sum.js';
import { oneHot, present } from '../tape/primitives/tokens.js';
import { numbersEach, positionsOf, rowsOf, shapeText, type Shape } from '../tape/shape.js';

/**
 * The cross-entropy of the next token at every position, label smoothing ε; positions whose target is padding count
 * nothing. The loss of a batch is the mean over the others.
 */
export interface TokenLoss {
  readonly kind: 'tokens';
  /** The index of padding; null: none. */
  readonly padding: number | null;
  /** ε: the target has the share 1 − ε + ε/classes, any other class ε/classes. */
  readonly smoothing: number;
}

/** What a network's loss is told by. */
export type GraphLoss = LossName | TokenLoss;

/** Settings of {@link tokenLoss}. */
export interface TokenLossOptions {
  /** The index of padding. Default null: there is none. */
  readonly padding?: number | null | undefined;
  /** The share of every target that all classes have. Default 0. */
  readonly smoothing?: number | undefined;
}

const TOKEN_LOSS_KEYS: KeysOf<TokenLossOptions> = { padding: 'number or null', smoothing: 'number' };

/** The loss of tokens. Throws OptionError. */
export function tokenLoss(options: TokenLossOptions = {}): TokenLoss {
  const { padding = null, smoothing = 0 } = requireKnownOptions(options, TOKEN_LOSS_KEYS, 'tokenLoss');
  if (padding !== null) requireWhole(padding, 'padding', 0);
  requireNonNegative(smoothing, 'smoothing', 1);
  return { kind: 'tokens', padding, smoothing };
}

/** Whether there are tokens that count nothing. */
export const hasPadding = (loss: GraphLoss): boolean => typeof loss !== 'string' && loss.padding !== null;

/** The targets of a sample: one token a position, or numbers like the outputs. */
export const targetShape = (loss: GraphLoss, { dims }: Shape): Shape => ({
  perSample: true,
  dims: typeof loss === 'string' ? dims : [1, ...dims.slice(1)],
});

/** Numbers per sample that add up to its loss. Throws OptionError, ShapeError. */
export function lossNode(graph: Graph, loss: GraphLoss, f: Node, y: Node): Node {
  return graph.within('loss', () => {
    if (typeof loss !== 'string') return tokens(graph, loss, f, y);
    if (positionsOf(f.shape) !== 1)
      graph.fail(
        loss,
        `the outputs are ${shapeText(f.shape)}, and the loss takes one position: end with flatten, or with a pooling.`,
      );
    const scale = squaredScale(loss, numbersEach(f.shape));
    if (scale !== null) {
      const difference = sum(graph, [f, y], [1, -1]);
      return sum(graph, [columnDots(graph, difference, difference)], [scale / 2]);
    }
    const linear = columnDots(graph, y, f);
    const rest = lossOf(loss).softmax ? logSumExp(graph, f) : gather(graph, elementwise(graph, 'softplus', f), 'rows');
    return sum(graph, [rest, linear], [1, -1]);
  });
}

function tokens(graph: Graph, { padding, smoothing }: TokenLoss, f: Node, ids: Node): Node {
  const classes = rowsOf(f.shape);
  if (padding !== null && padding >= classes)
    graph.fail(
      'tokenLoss',
      `its padding is the word ${padding}, and the outputs tell words 0 to ${classes - 1} apart.`,
    );
  const settings = { classes, smoothing, padding: padding ?? -1 };
  const linear = columnDots(graph, oneHot(graph, ids, settings), f);
  const rest = logSumExp(graph, f);
  return sum(graph, [padding === null ? rest : multiply(graph, present(graph, ids, padding), rest), linear], [1, -1]);
}
