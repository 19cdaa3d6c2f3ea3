/**
 * The columns of S_i, Q_i = S_iS_iᵀ, taken back through a network of layers sample by sample: of all outputs in turn,
 * or products with drawn signs, whose second moment is the same. Each gives the errors where weights are multiplied,
 * and in every parameter J_iᵀs. Of a cross-entropy of tokens a sample has a column for every class at every position.
 */
import { block } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { rootAtOutputs, drawAtOutputs } from '../../layers/draw.js';
import type { Machine } from '../../tape/primitive.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { DrawPlan } from '../../layers/network-plan.js';
import { Passes } from '../../layers/passes.js';
import { readSamples } from '../../layers/read-samples.js';
import { lossWeight } from '../../layers/targets.js';
import type { FloatArray } from '../../dense/matrix.js';
import { numbersEach, rowsOf } from '../../tape/shape.js';

/** What is walked over, and how. */
export interface GraphWalk {
  readonly model: GraphModel;
  readonly sampling: { readonly draws: number; readonly seed: number } | null;
  /** Samples read at a time. Default 256. */
  readonly batchSize?: number | undefined;
  readonly blas: Blas;
}

/** A sample on its tape; its arrays are the visitor's until it returns. */
export interface WalkedSample {
  readonly plan: DrawPlan;
  readonly machine: Machine;
}

/** What a walk tells: each sample before its columns, and each column with Jᵀs in what is trained of θ. */
export interface ColumnVisitor {
  readonly sample?: (sample: WalkedSample) => void;
  readonly column: (sample: WalkedSample, gradient: FloatArray) => void;
}

/** Samples read at a time where nobody says. */
const BATCH = 256;

/**
 * Walks over all columns, in double precision. Returns what sums over samples and their columns are divided by. Throws
 * as `readSamples`.
 */
export function eachColumn({ model, sampling, batchSize = BATCH, blas }: GraphWalk, visitor: ColumnVisitor): number {
  const { network, loss, data } = model;
  const parameters = Float64Array.from(model.parameters);
  const passes = new Passes({ network, parameters, samples: 1, passes: ['pullback'], blas });
  const { draw, output } = passes.plan;
  const { shape } = output;
  const rows = rowsOf(shape);
  const columns = sampling === null ? numbersEach(shape) : sampling.draws;
  let weight = 0;
  for (let first = 0; first < data.samples; first += batchSize) {
    const count = Math.min(batchSize, data.samples - first);
    const { inputs, targets } = readSamples(model, first, count);
    weight += lossWeight(loss, targets);
    for (let i = 0; i < count; i++) {
      const own = { inputs: block(inputs, 0, i, inputs.rows, 1), targets: block(targets, 0, i, targets.rows, 1) };
      passes.eachSlice(own, ({ tape }) => {
        const sample: WalkedSample = { plan: draw!, machine: tape.machine };
        const outputs = tape.numbers(output).slice();
        const request = { shape, count: 1, outputs, targets: own.targets, out: tape.numbers(draw!.seed) };
        for (let column = 0; column < columns; column++) {
          if (sampling === null) rootAtOutputs(loss, request, () => (k, p) => Number(p * rows + k === column));
          else drawAtOutputs(loss, { ...request, random: { seed: sampling.seed, step: column, first: first + i } });
          tape.pass('pullback');
          if (column === 0) visitor.sample?.(sample);
          visitor.column(sample, passes.result);
        }
      });
    }
  }
  return 1 / (Math.max(1, weight) * (sampling?.draws ?? 1));
}
