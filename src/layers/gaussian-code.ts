/**
 * A Gaussian code: features μ and s become the code z = μ + e^{s/2}∘ε with normal ε, the same in gradient and products
 * of a step, and the loss takes the divergence from N(0, I) in,
 *
 *   KL = ½ Σ_k (μ_k² + e^{s_k} − s_k − 1),
 *
 * which is convex in μ and s (D. P. Kingma, M. Welling, *Auto-encoding variational Bayes*, ICLR 2014).
 */
import { requireWhole } from '../core/checks.js';
import type { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import { elementwise, multiply } from '../tape/primitives/elementwise.js';
import { place, rows } from '../tape/primitives/rearrange.js';
import { columnDots } from '../tape/primitives/softmax.js';
import { gather, spread } from '../tape/primitives/spread.js';
import { scaled, sum } from '../tape/primitives/sum.js';
import { rowsOf, shapeText } from '../tape/shape.js';
import type { Builder, Layer } from './builder.js';

/**
 * From 2·`size` features, means then logarithms of variances, to a code of `size` numbers: drawn in training, the mean
 * in evaluation; the divergence is added to the loss in both. Throws OptionError; the network throws ShapeError.
 */
export function gaussianCode(size: number): Layer {
  requireWhole(size, 'the size of gaussianCode', 1);
  return (builder, x) => {
    const { graph } = builder;
    if (x.shape.dims.length !== 1 || rowsOf(x.shape) !== 2 * size)
      graph.fail(
        'gaussianCode',
        `a code of ${size} takes ${2 * size} features of a sample, not ${shapeText(x.shape)}.`,
      );
    const [mean, logVariance] = [rows(graph, x, 0, size), rows(graph, x, size, size)];
    const one = builder.constant('one', [1], [1]);
    builder.penalties.push({
      loss: divergence(builder, mean, logVariance, { size, one }),
      output: x,
      root: divergenceRoot(graph, logVariance, { size, one }),
    });
    if (builder.mode === 'evaluation') return mean;
    const deviation = elementwise(graph, 'exp', scaled(graph, 0.5, logVariance));
    return sum(graph, [mean, multiply(graph, deviation, builder.mask(mean.shape, null))]);
  };
}

interface CodeSize {
  readonly size: number;
  /** The number 1. */
  readonly one: Node;
}

function divergence({ graph }: Builder, mean: Node, logVariance: Node, { size, one }: CodeSize): Node {
  const squares = columnDots(graph, mean, mean);
  const variances = gather(graph, elementwise(graph, 'exp', logVariance), 'rows');
  const logarithms = gather(graph, logVariance, 'rows');
  const ones = spread(graph, one, 'all', squares.shape);
  return sum(graph, [squares, variances, logarithms, ones], [0.5, 0.5, -0.5, -0.5 * size]);
}

/** Of diag(1, ½e^s), the divergence's Hessian in μ and s. */
function divergenceRoot(graph: Graph, logVariance: Node, { size, one }: CodeSize): Node {
  const deviation = elementwise(graph, 'exp', scaled(graph, 0.5, logVariance));
  const [first, second] = [spread(graph, one, 'all', logVariance.shape), scaled(graph, Math.SQRT1_2, deviation)];
  return sum(graph, [place(graph, first, 0, 2 * size), place(graph, second, size, 2 * size)]);
}
