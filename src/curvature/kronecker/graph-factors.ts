/**
 * Kronecker factors of networks of layers (layers/factor-pairs.ts), weights being shared over the R positions where
 * they are multiplied (R. Eschenhagen et al., NeurIPS 2023, arXiv 2311.00636):
 *
 *   expand   A = (1/nR) Σ_i Σ_r a_ir a_irᵀ,        Γ = (1/w) Σ_i Σ_r Δ_irᵀΔ_ir
 *   reduce   A = (1/n) Σ_i ā_i ā_iᵀ, ā_i = (1/R) Σ_r a_ir,   Γ = (1/w) Σ_i D_iᵀD_i, D_i = Σ_r Δ_ir
 *
 * w samples or tokens that are no padding; groups of a convolution share A. Where a loss of tokens has padding, sums
 * and means of inputs are over the positions that any error reaches: a position whose Δ_ir is zero has no part in G's
 * block Σ_r (a_ir a_irᵀ) ⊗ (Δ_irᵀΔ_ir), and nR is the number of the others. Blocks that are not weights of a
 * multiplication of matrices alone (scales, kernels of a channel each, embeddings) have their own diagonal of G.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type FloatArray, type Matrix } from '../../dense/matrix.js';
import type { SampleRange } from '../../distributed/sample-groups.js';
import {
  eachInput,
  eachReachedInput,
  errorsOf,
  haveColumns,
  isReached,
  positionsOfPair,
  usesOf,
  type FactorPair,
} from '../../layers/factor-pairs.js';
import { hasPadding } from '../../layers/losses.js';
import type { Machine } from '../../tape/primitive.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { ParameterBlock } from '../../layers/parameter-block.js';
import type { KroneckerBasis } from './basis.js';
import { finish, takeFrom, type KroneckerFactors } from './factors.js';
import { openColumns, sumColumns, type GraphWalk } from './graph-columns.js';
import type { LayerBlock } from './layer-blocks.js';

/** How weights that are shared over positions are taken. */
export type WeightSharing = 'expand' | 'reduce';
/** All of them. */
export const WEIGHT_SHARINGS: readonly WeightSharing[] = ['expand', 'reduce'];

/** A block with its factors; one without rule has A = 1 and Γ its diagonal. */
export interface GraphFactors extends LayerBlock, KroneckerFactors {}

/** Which rule a block of parameters has. */
export interface BlockRule {
  readonly name: string;
  readonly rule: 'kronecker' | 'diagonal';
}

/** The blocks that are trained, in the order of θ. */
export const trainedBlocks = ({ network }: GraphModel): ParameterBlock[] =>
  network.layers.filter(({ offset }) => offset < network.trained).sort((a, b) => a.offset - b.offset);

/** One block's sums. */
interface Sums {
  readonly block: ParameterBlock;
  readonly input: Matrix;
  readonly output: Matrix;
  /** What the sum of inputs is divided by. */
  readonly inputs: Float64Array;
}

/** Positions of a use of weights that errors reach, in one sample. */
type Reached = Map<FactorPair, Uint8Array>;

/**
 * A and Γ of every block, and which rule each has. Collective over the walk's ranks. Throws NonFiniteError, and as
 * `readSamples`.
 */
export function sumGraphFactors(
  walk: GraphWalk,
  sharing: WeightSharing,
): { readonly factors: GraphFactors[]; readonly rules: BlockRule[] } {
  const { model, blas } = walk;
  const { layers, trained } = model.network;
  const blocks = trainedBlocks(model);
  const indexOf = new Map(blocks.map((block) => [layers.indexOf(block), block]));
  const leavesOut = hasPadding(model.loss);
  const columns = openColumns(walk);
  const layout = [...new Set(columns.plan.pairs.map(({ layer }) => layer))];
  /** Sums of each layer one after another, and the diagonals behind them. */
  const sumsIn = (
    take: (length: number) => Float64Array,
  ): { readonly sums: Map<number, Sums>; readonly diagonals: Float64Array } => {
    const sums = new Map(
      layout.map((layer): [number, Sums] => {
        const block = indexOf.get(layer)!;
        const { width, outputs } = block;
        const [input, output] = [width, outputs].map((rows) => view(take(rows ** 2), 0, rows, rows));
        return [layer, { block, input, output, inputs: take(1) }];
      }),
    );
    return { sums, diagonals: take(trained) };
  };
  const add = (range: SampleRange, all: Float64Array): number => {
    const { sums, diagonals } = sumsIn(takeFrom(all));
    const reached: Reached = new Map();
    return columns.each(range, {
      sample: ({ plan, machine }) => {
        for (const layer of new Set(plan.pairs.map((pair) => pair.layer))) {
          const pairs = plan.pairs.filter((pair) => pair.layer === layer);
          const some = leavesOut && haveColumns(pairs) ? reached : null;
          addInputs(sums.get(layer)!, pairs, { machine, sharing, reached: some });
        }
        reached.clear();
      },
      column: ({ plan, machine }, gradient) => {
        for (const pair of plan.pairs) {
          const errors = errorsOf(machine, pair);
          addErrors(sums.get(pair.layer)!.output, errors, sharing, blas);
          if (leavesOut) markReached(errors, reached, pair);
        }
        for (const { layer } of plan.others) {
          const { offset, width, outputs } = indexOf.get(layer)!;
          for (let k = offset; k < offset + width * outputs; k++) diagonals[k] += gradient[k] ** 2;
        }
      },
    });
  };
  let numbers = 0;
  sumsIn((length) => {
    numbers += length;
    return new Float64Array(0);
  });
  const { sums: all, weight } = sumColumns(walk, { numbers, add });
  const take = takeFrom(all);
  const { sums, diagonals } = sumsIn((length) => take(length).slice());
  const rules: BlockRule[] = [];
  const factors = blocks.map(({ name, offset, width, outputs }): GraphFactors => {
    const own = sums.get([...indexOf].find(([, block]) => block.offset === offset)![0]);
    rules.push({ name, rule: own === undefined ? 'diagonal' : 'kronecker' });
    if (own === undefined) return diagonalBlock(offset, diagonals.subarray(offset, offset + width * outputs), weight);
    finish(own.input, 1 / Math.max(1, own.inputs[0]), `inputs of "${name}"`);
    finish(own.output, weight, `errors of "${name}"`);
    return { offset, width, outputs, input: own.input, output: { kind: 'dense', matrix: own.output } };
  });
  return { factors, rules };
}

/** All diagonals as one block of width 1: A = 1, Γ diagonal. */
function diagonalBlock(offset: number, squares: Float64Array, weight: number): GraphFactors {
  const values = squares.map((value) => value * weight);
  const k = values.findIndex((value) => !Number.isFinite(value));
  if (k >= 0)
    throw new NonFiniteError(
      `The diagonal at parameter ${offset + k} is ${values[k]}: data or parameters are too large.`,
      {
        parameter: offset + k,
      },
    );
  const input = zeros(1, 1);
  input.data[0] = 1;
  return { offset, width: 1, outputs: values.length, input, output: { kind: 'diagonal', values } };
}

/** In the eigenbases of the factors, the diagonal of G's own blocks: width × outputs each. */
export function graphEigenvalues(
  walk: GraphWalk,
  layers: readonly LayerBlock[],
  bases: readonly KroneckerBasis[],
): Matrix[] {
  const { blas } = walk;
  const sumsIn = (take: (length: number) => Float64Array): Matrix[] =>
    layers.map(({ width, outputs }) => view(take(width * outputs), 0, width, outputs));
  const widest = Math.max(...layers.map(({ width, outputs }) => width * outputs));
  const [turned, rotated] = [new Float64Array(widest), new Float64Array(widest)];
  const columns = openColumns(walk);
  const add = (range: SampleRange, all: Float64Array): number => {
    const sums = sumsIn(takeFrom(all));
    return columns.each(range, {
      column: (_, gradient) => {
        layers.forEach(({ offset, width, outputs }, k) => {
          const { input, output } = bases[k];
          let g = view(gradient, offset, width, outputs);
          if (output.vectors !== null) {
            const half = view(turned, 0, width, outputs);
            blas.gemm('T', 'N', 1, input.vectors!, g, 0, half);
            g = view(rotated, 0, width, outputs);
            blas.gemm('N', 'N', 1, half, output.vectors, 0, g);
          }
          const { data } = sums[k];
          for (let i = 0; i < data.length; i++) data[i] += g.data[g.offset + i] ** 2;
        });
      },
    });
  };
  const numbers = layers.reduce((total, { width, outputs }) => total + width * outputs, 0);
  const { sums: all, weight } = sumColumns(walk, { numbers, add });
  const take = takeFrom(all);
  const sums = sumsIn((length) => take(length).slice());
  for (const { data } of sums) for (let i = 0; i < data.length; i++) data[i] *= weight;
  return sums;
}

/** Marks the columns of a pair's errors that are not zero. */
function markReached(errors: Matrix, reached: Reached, pair: FactorPair): void {
  const marks = known(reached, pair, () => new Uint8Array(errors.cols));
  for (let j = 0; j < errors.cols; j++) if (marks[j] === 0 && isReached(errors, j)) marks[j] = 1;
}

/** A += the inputs of one sample, over all uses of the weights. */
function addInputs(
  sums: Sums,
  pairs: readonly FactorPair[],
  {
    machine,
    sharing,
    reached,
  }: { readonly machine: Machine; readonly sharing: WeightSharing; readonly reached: Reached | null },
): void {
  const { blas } = machine;
  const { bias, width } = sums.block;
  const marksOf = (pair: FactorPair): Uint8Array => reached?.get(pair) ?? new Uint8Array(positionsOfPair(pair));
  const count = (total: number, pair: FactorPair): number => marksOf(pair).reduce((sum, mark) => sum + mark, total);
  const uses = reached === null ? usesOf(pairs) : pairs.reduce(count, 0);
  if (uses === 0) return;
  const mean = zeros(width, 1);
  const add = (x: Matrix): void => {
    if (sharing === 'reduce') addColumns(x, mean.data);
    else blas.syrk('L', 'N', reached === null ? 1 / uses : 1, x, 1, sums.input);
  };
  for (const pair of pairs)
    if (reached === null) eachInput(machine, pair, bias, add);
    else eachReachedInput(machine, pair, { bias, reached: (j) => marksOf(pair)[j] === 1 }, add);
  sums.inputs[0] += reached === null || sharing === 'reduce' ? 1 : uses;
  if (sharing === 'expand') return;
  for (let k = 0; k < width; k++) mean.data[k] /= uses;
  blas.syrk('L', 'N', 1, mean, 1, sums.input);
}

/** Γ += the errors of one column. */
function addErrors(output: Matrix, errors: Matrix, sharing: WeightSharing, blas: Blas): void {
  if (sharing === 'expand') {
    blas.syrk('L', 'N', 1, errors, 1, output);
    return;
  }
  const total = zeros(errors.rows, 1);
  addColumns(errors, total.data);
  blas.syrk('L', 'N', 1, total, 1, output);
}

function addColumns({ data, offset, rows, cols, ld }: Matrix, to: FloatArray): void {
  for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) to[i] += data[offset + i + j * ld];
}

function known<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
