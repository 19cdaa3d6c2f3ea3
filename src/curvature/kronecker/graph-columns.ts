/**
 * The columns of S_i, Q_i = S_iS_iᵀ, taken back through a network of layers sample by sample: of all outputs in turn,
 * products with drawn signs, whose second moment is the same, or gradients at labels drawn from the model. Each gives
 * the errors where weights are multiplied, and in every parameter J_iᵀs. Of a cross-entropy of tokens a sample has a
 * column for every class at every position; of a loss of several terms, for every number of each term's output.
 */
import type { Blas } from '../../dense/blas.js';
import { sumSamples, type SampleRange } from '../../distributed/sample-groups.js';
import { drawLabels, drawSeeds, rootAtOutputs, type DrawnSlice } from '../../layers/draw.js';
import type { Machine } from '../../tape/primitive.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { DrawPlan } from '../../layers/network-plan.js';
import { Passes } from '../../layers/passes.js';
import { eachSample } from '../../layers/read-samples.js';
import { divisorOf } from '../../layers/targets.js';
import type { Team } from '../../parallel/team.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import { numbersEach, rowsOf } from '../../tape/shape.js';

/** Columns that are drawn: so many a sample, of signs or of labels. */
export interface ColumnSampling {
  readonly draws: number;
  readonly seed: number;
  /** Default 'signs'. Labels are those of `monteCarloFisher`. */
  readonly of?: 'signs' | 'labels' | undefined;
}

/** What is walked over, and how. */
export interface GraphWalk {
  readonly model: GraphModel;
  readonly sampling: ColumnSampling | null;
  /** Samples read at a time. Default 256. */
  readonly batchSize?: number | undefined;
  readonly blas: Blas;
  /** Ranks of its communicator share the samples. */
  readonly team?: Team | undefined;
}

/** A sample on its tape; its arrays are the visitor's until it returns. */
export interface WalkedSample {
  readonly plan: DrawPlan;
  readonly machine: Machine;
}

/** What a walk tells: each column with Jᵀs in what is trained of θ, and each sample behind its columns. */
export interface ColumnVisitor {
  readonly column: (sample: WalkedSample, gradient: FloatArray) => void;
  readonly sample?: (sample: WalkedSample) => void;
}

/** A walk that is open, for some samples after others. */
export interface ColumnWalk {
  readonly plan: DrawPlan;
  /**
   * Walks over all columns of these samples; those that are zero, of padding, are left out. Returns the sum of what the
   * samples' losses are means over. Throws as `readSamples`.
   */
  each(range: SampleRange, visitor: ColumnVisitor): number;
}

/** Opens a walk, in double precision. */
export function openColumns({ model, sampling, batchSize, blas }: GraphWalk): ColumnWalk {
  const { network, loss } = model;
  const parameters = Float64Array.from(model.parameters);
  const byLabels = sampling?.of === 'labels';
  const passes = new Passes({
    network,
    parameters,
    samples: 1,
    passes: byLabels ? ['pullback', 'monte-carlo-fisher'] : ['pullback'],
    draws: sampling?.draws,
    blas,
  });
  const draw = passes.plan.draw!;
  const columns = sampling === null ? exactColumns(draw) : sampling.draws;
  const each: ColumnWalk['each'] = (range, visitor) =>
    eachSample(model, batchSize, range, (own, first) => {
      passes.eachSlice(own, ({ tape }) => {
        const sample: WalkedSample = { plan: draw, machine: tape.machine };
        const slice = { loss, plan: passes.plan, tape, seed: sampling?.seed ?? 0, first };
        if (byLabels) drawLabels(slice);
        for (let column = 0; column < columns; column++) {
          if (sampling === null) placeRoot(slice, own.targets, column);
          else if (byLabels) placeErrors(slice, column);
          else drawSeeds(slice, own.targets, column);
          if (draw.seeds.every((leaf) => leaf === null || tape.numbers(leaf).every((value) => value === 0))) continue;
          tape.pass('pullback');
          visitor.column(sample, passes.result);
        }
        visitor.sample?.(sample);
      });
    });
  return { plan: draw, each };
}

/** A sum, and what it is to be multiplied by for a mean. */
export interface WeightedSum {
  readonly sums: Float64Array;
  readonly weight: number;
}

/** Numbers of a sum over columns, and the sum. */
export interface ColumnSum {
  readonly numbers: number;
  readonly add: (range: SampleRange, sums: Float64Array) => number;
}

/**
 * A sum over columns of all samples, with the bits of one rank for any number of them, and what it is to be multiplied
 * by for a mean; `add` returns what the walk over a range does. Collective over the walk's ranks.
 */
export function sumColumns({ model, sampling, team }: GraphWalk, { numbers, add }: ColumnSum): WeightedSum {
  const all = sumSamples({
    samples: model.data.samples,
    numbers: numbers + 1,
    communicator: team?.communicator,
    // Losses' weights are summed behind the others, and come together as they do.
    add: (range, sums) => {
      sums[numbers] += add(range, sums);
    },
  });
  return { sums: all.subarray(0, numbers), weight: 1 / (divisorOf(all[numbers]) * (sampling?.draws ?? 1)) };
}

/** Columns of a sample: the numbers of all outputs. */
const exactColumns = ({ seeds }: DrawPlan): number =>
  seeds.reduce((total, leaf) => total + (leaf === null ? 0 : numbersEach(leaf.shape)), 0);

/** Columns of a sample's exact walk. */
export const columnsOfSample = ({ network: { evaluation } }: GraphModel): number =>
  evaluation.terms.reduce((total, { output }) => total + numbersEach(output.shape), 0);

/** Seeds ← column number `column`, the outputs of the terms one after the other. */
function placeRoot({ loss, plan, tape }: DrawnSlice, targets: Matrix, column: number): void {
  let at = column;
  plan.draw!.seeds.forEach((leaf, term) => {
    if (leaf === null) return;
    const { shape } = leaf;
    const out = tape.numbers(leaf);
    const rows = rowsOf(shape);
    const own = at;
    if (own < 0 || own >= out.length) out.fill(0);
    else if (term > 0) out.fill(0)[own] = 1;
    else {
      const request = { shape, count: 1, outputs: tape.numbers(plan.output), targets, out };
      rootAtOutputs(loss, request, () => (k, p) => Number(p * rows + k === own));
    }
    at -= out.length;
  });
}

/** Seeds ← the errors of draw number `draw`. */
function placeErrors({ plan, tape }: DrawnSlice, draw: number): void {
  plan.draw!.seeds.forEach((leaf, term) => {
    const from = plan.errors[draw][term];
    if (leaf !== null && from !== null) tape.numbers(leaf).set(tape.numbers(from));
  });
}
