/**
 * Where everything that the objective of a network of layers works on lies: spans of one linear memory that BLAS, the
 * kernels and every worker of a team address. A batch is worked on in slices of samples, each with a tape of its own;
 * slices depend on the number of samples alone.
 */
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import { VectorMemory } from '../../dense/vector-memory.js';
import { availableMemory } from '../../io/machine.js';
import { sliceSamples, type GraphNetwork, type InputKind } from '../../layers/graph-network.js';
import { hasPadding } from '../../layers/losses.js';
import { planInSegments, planNetwork, type NetworkPlan, type Pass } from '../../layers/network-plan.js';
import { keptNumbers, workNumbers } from '../../layers/network-tape.js';
import { graphSlices } from '../../layers/slices.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { rowsOf } from '../../tape/shape.js';
import type { RankPlace } from '../../core/sum-tree.js';
import { exchangeNumbers } from '../../distributed/sample-ranks.js';
import { spanOf, type Span } from '../objective/workspace.js';
import { mostRankSlices } from '../../layers/groups.js';
import { sumNumbers } from './slice-sums.js';

/** Numbers of a tape of one mode: what is kept of each slice (of each worker where nothing is read later), and work. */
export interface TapeSpans {
  readonly plan: NetworkPlan;
  readonly kept: readonly Span[];
  /** Of each worker. */
  readonly work: readonly Span[];
}

/** What every worker knows. It is structured-cloneable. */
export interface GraphWorkspace {
  /** Plans first: their nodes stand behind their inputs there. */
  readonly training: TapeSpans;
  readonly evaluation: TapeSpans;
  /** Whether there are fewer tapes of training than slices: passes go group by group, their first phase made again. */
  readonly holdsGroups: boolean;
  readonly memory: object;
  readonly network: ParameterLayout;
  readonly inputKinds: readonly InputKind[];
  /** Whether there are tokens that count nothing. */
  readonly hasPadding: boolean;
  readonly precision: Precision;
  readonly capacity: number;
  /** Most samples of a slice. */
  readonly slice: number;
  readonly seed: number;
  /** λ of (λ/2)‖W‖², on the weights of `decays` layers. */
  readonly regularization: number;
  readonly decays: readonly boolean[];
  readonly parameters: Span;
  readonly gradient: Span;
  /** Sums of each slice of the rank, laid out like θ: those of slice s at s mod their number. */
  readonly partials: readonly Span[];
  /** Where each worker adds groups of slices. */
  readonly scratch: readonly Span[];
  /** Where ranks exchange their sums. */
  readonly exchange: Span | null;
  readonly rank: number;
  readonly ranks: number;
  readonly inputs: Span;
  readonly targets: Span;
  /** Outputs of all samples. */
  readonly outputs: Span;
  /** Means and reciprocal deviations of each slice, one after the other. */
  readonly statistics: Span;
  readonly results: Float64Array;
}

/** What a workspace is laid out for. */
export interface GraphWorkspaceOptions {
  readonly network: GraphNetwork;
  readonly precision: Precision;
  readonly capacity: number;
  readonly passes: readonly Pass[];
  readonly seed: number;
  readonly regularization: number;
  readonly workers: number;
  readonly spare: number;
  /** Most bytes. Default: what is free decides whether forward passes are made again. */
  readonly memoryLimit?: number | undefined;
  readonly results: Float64Array;
  readonly place: RankPlace;
}

/** Whether weights of a layer decay: scales, shifts and statistics do not. */
export const decays = (kind: string): boolean => kind !== 'vector' && kind !== 'statistics';

/** A workspace in its memory. */
export interface OpenGraphWorkspace {
  readonly memory: VectorMemory;
  readonly workspace: GraphWorkspace;
  /** Whether forward passes are made again. */
  readonly recomputes: boolean;
}

/** Numbers of segments that are tried where memory is short: the fewer, the less is made again. */
const SEGMENTS = [3, 4, 6, 8, 12, 16, 24];

/**
 * A memory with the workspace laid out in it. Where that takes more than `memoryLimit`, or what is free, the forward
 * pass is made again: where there are no passes behind the gradient, in segments on the way back, so few that it fits,
 * or such that it takes least; else of each slice before its passes. Throws MemoryError beyond the limit.
 */
export function openGraphWorkspace(options: GraphWorkspaceOptions): OpenGraphWorkspace {
  const { network, precision, capacity, passes, workers, memoryLimit } = options;
  const samples = Math.min(capacity, sliceSamples(network));
  const whole = planNetwork(network.training, network.layers, { gradient: true, passes, capacity: samples });
  const most = Math.min(memoryLimit ?? availableMemory(), VectorMemory.most);
  const slices = mostRankSlices(graphSlices(capacity, samples), options.place);
  const plain = layoutOf(options, whole, passes.length > 0 ? slices : workers);
  let best = plain;
  if (passes.length > 0 && plain.bytes > most && workers < slices) best = layoutOf(options, whole, workers);
  for (const segments of passes.length === 0 ? SEGMENTS : []) {
    if (best.bytes <= most) break;
    const plan = planInSegments(network.training, network.layers, { capacity: samples, segments });
    if (plan === null) continue;
    const found = layoutOf(options, plan, workers);
    if (found.bytes < best.bytes) best = found;
  }
  const memory = VectorMemory.open(best.bytes, 'Training', memoryLimit);
  const workspace = best.lay((length) => spanOf(memory.take(length, precision)));
  return { memory, workspace: { ...workspace, memory: memory.memory }, recomputes: best !== plain };
}

/** Where everything lies with that plan of training on so many tapes, and the bytes of it all. */
function layoutOf(
  { network, precision, capacity, passes, seed, regularization, workers, spare, results, place }: GraphWorkspaceOptions,
  training: NetworkPlan,
  tapes: number,
): {
  readonly bytes: number;
  readonly lay: (take: (length: number) => Span) => Omit<GraphWorkspace, 'memory'>;
} {
  const slice = sliceSamples(network);
  const evaluation = planNetwork(network.evaluation, network.layers, {
    gradient: false,
    passes: [],
    capacity: Math.min(capacity, slice),
  });
  const slices = graphSlices(capacity, slice);
  const own = mostRankSlices(slices, place);
  const lay = (take: (length: number) => Span): Omit<GraphWorkspace, 'memory'> => {
    const many = (count: number, length: number): Span[] => Array.from({ length: count }, () => take(length));
    const tape = (plan: NetworkPlan, keeps: number): TapeSpans => ({
      plan,
      kept: many(keeps, keptNumbers(plan)),
      work: many(workers, workNumbers(plan)),
    });
    const outputs = training.output.shape.dims.reduce((product, size) => product * size, 1);
    return {
      training: tape(training, tapes),
      evaluation: tape(evaluation, workers),
      holdsGroups: passes.length > 0 && tapes < own,
      network: numbersOf(network),
      inputKinds: network.inputKinds,
      hasPadding: hasPadding(network.loss),
      precision,
      capacity,
      slice,
      seed,
      regularization,
      decays: network.layers.map(({ kind }) => decays(kind)),
      results,
      parameters: take(network.parameters),
      gradient: take(network.parameters),
      ...place,
      partials: many(own, network.parameters),
      scratch: many(workers, sumNumbers(network, slices)),
      exchange: place.ranks === 1 ? null : take(exchangeNumbers(network.parameters)),
      inputs: take(network.inputs * capacity),
      targets: take(network.outputs * capacity),
      outputs: take(outputs * capacity),
      statistics: take(Math.max(1, slices * statisticNumbers(training))),
    };
  };
  let bytes = 65536 + VectorMemory.bytesOf(spare, precision) + 64 * NUMBER_BYTES[precision];
  lay((length) => {
    bytes += VectorMemory.bytesOf(length, precision);
    return { at: 0, length };
  });
  return { bytes, lay };
}

/** Numbers of a slice's means and reciprocal deviations. */
export const statisticNumbers = ({ updates }: NetworkPlan): number =>
  updates.reduce((total, { mean }) => total + 2 * rowsOf(mean.shape), 0);

/** Of the network what is plain data. */
const numbersOf = ({ layers, inputs, outputs, parameters }: GraphNetwork): ParameterLayout => ({
  layers,
  inputs,
  outputs,
  parameters,
});
