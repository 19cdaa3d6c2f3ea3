/**
 * Layers that shift and scale numbers to mean zero and deviation one, over samples or within each, and then by
 * parameters "weight" and "bias" of each feature.
 */
import { requireNonNegative, requireShare, requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { elementwise, multiply } from '../tape/primitives/elementwise.js';
import { normalize, scaleOver } from '../tape/primitives/normalize.js';
import { gather, spread } from '../tape/primitives/spread.js';
import { sum } from '../tape/primitives/sum.js';
import { numbersEach, positionsOf, rowsOf, shapeText, type Shape } from '../tape/shape.js';
import type { Builder, Layer } from './builder.js';

/** Settings of {@link batchNorm}. */
export interface BatchNormOptions {
  /** The weight of a batch in the running statistics: r ← (1 − momentum)·r + momentum·statistic. Default 0.1. */
  readonly momentum?: number | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number | undefined;
  /** Whether training too takes the running statistics, which then stay. Default false. */
  readonly frozen?: boolean | undefined;
}

const BATCH_NORM_KEYS: KeysOf<BatchNormOptions> = { momentum: 'number', epsilon: 'number', frozen: 'boolean' };

/**
 * Batch norm of each channel: w∘(x − m)/√(v + ε) + b. In training mean m and variance v are those of the samples and
 * pixels worked on at a time: of a slice of the batch ("ghost batch norm": E. Hoffer et al., *Train longer, generalize
 * better*, NeurIPS 2017), so that they do not depend on how many workers share a batch. In evaluation, or with
 * `frozen`, they are the running statistics, the blocks "running_mean" and "running_var"; then samples do not touch
 * each other. Throws OptionError.
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  const { momentum = 0.1, epsilon = 1e-5, frozen = false } = requireKnownOptions(options, BATCH_NORM_KEYS, 'batchNorm');
  requireShare(momentum, 'momentum');
  requireNonNegative(epsilon, 'epsilon');
  return (builder, x) => {
    const { graph } = builder;
    const { scale, shift } = scaleAndShift(builder, x);
    const running = [
      builder.vector('running_mean', rowsOf(x.shape), 0, 'statistics'),
      builder.vector('running_var', rowsOf(x.shape), 1, 'statistics'),
    ] as const;
    if (builder.mode === 'training' && !frozen) {
      // The mean before anything else: x may then make room for what is normalized.
      const mean = gather(graph, x, 'columns', true);
      const { y, reciprocalDeviation } = normalize(graph, x, { over: 'columns', centered: true, epsilon });
      const blocks = running.map(({ attributes }) => attributes['index'] as number) as [number, number];
      builder.updates.push({ mean, reciprocalDeviation, positions: positionsOf(x.shape), epsilon, momentum, blocks });
      return sum(graph, [scaleOver(graph, 'columns', scale, y), spread(graph, shift, 'columns', x.shape)]);
    }
    const [mean, variance] = running;
    const slope = multiply(graph, scale, elementwise(graph, 'reciprocalRoot', variance, { epsilon }));
    const constant = sum(graph, [shift, multiply(graph, slope, mean)], [1, -1]);
    return sum(graph, [scaleOver(graph, 'columns', slope, x), spread(graph, constant, 'columns', x.shape)]);
  };
}

/** Settings of {@link layerNorm}, {@link rmsNorm} and {@link groupNorm}. */
export interface NormOptions {
  /** Added to the variance, or to the mean of squares. Default 1e-5. */
  readonly epsilon?: number | undefined;
}

const NORM_KEYS: KeysOf<NormOptions> = { epsilon: 'number' };

function epsilonOf(options: NormOptions, of: string): number {
  const { epsilon = 1e-5 } = requireKnownOptions(options, NORM_KEYS, of);
  return requireNonNegative(epsilon, 'epsilon');
}

/** Layer norm, w∘(x − m)/√(v + ε) + b: mean m and variance v of the features of each position. Throws OptionError. */
export function layerNorm(options: NormOptions = {}): Layer {
  const epsilon = epsilonOf(options, 'layerNorm');
  return (builder, x) => {
    const { graph } = builder;
    const { scale, shift } = scaleAndShift(builder, x);
    const { y } = normalize(graph, x, { over: 'rows', centered: true, epsilon });
    return sum(graph, [scaleOver(graph, 'columns', scale, y), spread(graph, shift, 'columns', x.shape)]);
  };
}

/** RMS norm, w∘x/√(m(x²) + ε) with the mean over the features of each position; no shift. Throws OptionError. */
export function rmsNorm(options: NormOptions = {}): Layer {
  const epsilon = epsilonOf(options, 'rmsNorm');
  return (builder, x) => {
    const { y } = normalize(builder.graph, x, { over: 'rows', centered: false, epsilon });
    return scaleOver(builder.graph, 'columns', builder.vector('weight', rowsOf(x.shape), 1), y);
  };
}

/**
 * Group norm: mean and variance of each sample over all positions and the channels of each of `groups` groups
 * (Y. Wu, K. He, ECCV 2018); as many groups as channels: instance norm. Throws OptionError.
 */
export function groupNorm(groups: number, options: NormOptions = {}): Layer {
  requireWhole(groups, 'groups of groupNorm', 1);
  const epsilon = epsilonOf(options, 'groupNorm');
  return (builder, x) => {
    const { graph } = builder;
    const channels = rowsOf(x.shape);
    if (!x.shape.perSample || channels % groups !== 0)
      graph.fail('groupNorm', `${groups} groups do not divide the channels of ${shapeText(x.shape)}.`);
    const { scale, shift } = scaleAndShift(builder, x);
    const own = channels / groups;
    // Channels × groups: of every group its channels' shares in its mean.
    const shares = new Float64Array(channels * groups);
    for (let c = 0; c < channels; c++) shares[c + channels * Math.floor(c / own)] = 1 / own;
    const w = builder.constant('shares', [channels, groups], shares);
    const ofGroups: Shape = { perSample: true, dims: [groups] };
    const ofChannels: Shape = { perSample: true, dims: [channels] };
    const mean = (values: Node): Node => bilinear(graph, 'dense', { mode: 2 }, [w, ofSamples(graph, values)], ofGroups);
    // W·s has the share 1/own of each group's number at its channels.
    const toChannels = (values: Node): Node => {
      const back = bilinear(graph, 'dense', { mode: 1 }, [w, values], ofChannels);
      return spread(graph, sum(graph, [back], [own]), 'positions', x.shape);
    };
    const centered = sum(graph, [x, toChannels(mean(x))], [1, -1]);
    const variance = mean(multiply(graph, centered, centered));
    const y = multiply(graph, centered, toChannels(elementwise(graph, 'reciprocalRoot', variance, { epsilon })));
    return sum(graph, [scaleOver(graph, 'columns', scale, y), spread(graph, shift, 'columns', x.shape)]);
  };
}

/** The mean over the positions of each sample. */
function ofSamples(graph: Graph, x: Node): Node {
  return numbersEach(x.shape) === rowsOf(x.shape) && x.shape.dims.length === 1
    ? x
    : gather(graph, x, 'positions', true);
}

function scaleAndShift(builder: Builder, x: Node): { readonly scale: Node; readonly shift: Node } {
  const features = rowsOf(x.shape);
  return { scale: builder.vector('weight', features, 1), shift: builder.vector('bias', features, 0) };
}
