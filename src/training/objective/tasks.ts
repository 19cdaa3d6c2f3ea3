/**
 * The tasks of an objective, run by any worker: slices of samples, then blocks of parameters.
 */
import type { FloatArray } from '../../core/floats.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import { block, mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { defineTask, type WorkerContext } from '../../parallel/task.js';
import { gradientMoment } from './gradient-moment.js';
import { parameterBlocks, sliceCount, sliceFirst, type Block } from './slices.js';
import { Passes } from './passes.js';
import { RPasses } from './r-pass.js';
import { sliceViews, weightViews, type SliceViews, type WeightViews } from './slice-views.js';
import { Turns, type BasesWork, type SampleTurns, type TurnWork } from './turn.js';
import { updateBlock, type Blockwise, type Update } from './update.js';
import { SpanArrays, type Span, type Workspace } from './workspace.js';

/** Symmetric sums that a worker may be asked for: out ← keep·out + (1 − keep)·X Xᵀ. */
export interface MomentTask {
  readonly layer: number;
  /**
   * Of the layer's inputs Ā_{ℓ−1}, or of the errors that a draw left, means over samples; or of the layer's gradient G
   * (width × outputs), GGᵀ ('gradientRows') or GᵀG ('gradientColumns').
   */
  readonly of: 'inputs' | 'errors' | 'gradientRows' | 'gradientColumns';
  /** Both triangles, or the diagonal alone where `diagonal` (not of gradients). */
  readonly out: Span;
  readonly diagonal: boolean;
}

/**
 * How a batch that comes in parts is summed: s ← others·s + own·g of a part; of the last one g ← own·g + others·s
 * instead, before its update.
 */
export interface Carry {
  readonly sum: Span;
  readonly own: number;
  readonly others: number;
  readonly last: boolean;
}

/** What a phase does. `count`: samples of the batch. */
export type Work =
  | {
      readonly kind: 'evaluate';
      readonly count: number;
      readonly step: number | null;
      readonly update: Update | null;
      readonly carry: Carry | null;
      /** Sides by which the gradient is turned. */
      readonly turned: SampleTurns | null;
    }
  | { readonly kind: 'measure'; readonly count: number; readonly parameters: Span; readonly step: number | null }
  | {
      readonly kind: 'product';
      readonly count: number;
      readonly hessian: boolean;
      readonly fresh: boolean;
      readonly v: Span;
      readonly out: Span;
    }
  | { readonly kind: 'tangent'; readonly count: number; readonly fresh: boolean; readonly v: Span }
  | {
      readonly kind: 'draw';
      readonly count: number;
      readonly fresh: boolean;
      readonly seed: number;
      readonly step: number;
    }
  | { readonly kind: 'column'; readonly count: number; readonly fresh: boolean; readonly output: number }
  | {
      readonly kind: 'moments';
      readonly count: number;
      readonly keep: number;
      readonly moments: readonly MomentTask[];
    }
  | { readonly kind: 'update'; readonly update: Update }
  | TurnWork
  | BasesWork;

/** One worker's side of an objective. */
export class ObjectiveWorker {
  readonly #workspace: Workspace;
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #arrays: SpanArrays;
  readonly #passes: Passes;
  readonly #products: RPasses;
  readonly #turns: Turns;
  readonly #blockwise: Blockwise;
  readonly #blocks: readonly Block[];
  readonly #slices = new Map<number, SliceViews>();
  readonly #vectors = new Map<number, readonly WeightViews[]>();
  readonly #parts = new Map<number, readonly FloatArray[]>();
  readonly #columns = new Map<string, Matrix>();

  constructor(workspace: Workspace, memory: VectorMemory, blas: Blas) {
    this.#workspace = workspace;
    this.#kernels = memory.kernels(workspace.precision);
    this.#blas = blas;
    this.#arrays = new SpanArrays(memory, workspace.precision);
    this.#passes = new Passes(workspace, this.#kernels, blas);
    this.#products = new RPasses(workspace, this.#kernels, blas);
    this.#blocks = parameterBlocks(workspace.network);
    this.#blockwise = { workspace, kernels: this.#kernels, part: (vector, block) => this.#part(vector, block) };
    this.#turns = new Turns(this.#blockwise, blas, this.#arrays, this.#blocks);
  }

  /** Runs one task of a phase. */
  run(task: number, work: Work): void {
    if (work.kind === 'update') {
      updateBlock(this.#blockwise, this.#blocks[task], work.update);
      return;
    }
    if (work.kind === 'moments') {
      this.#moment(work.moments[task], work);
      return;
    }
    if (work.kind === 'turn') {
      this.#turns.turn(task, work);
      return;
    }
    if (work.kind === 'bases') {
      this.#turns.basis(work.sides[task]);
      return;
    }
    const slices = sliceCount(work.count);
    if (task >= slices) {
      this.#block(this.#blocks[task - slices], slices, work);
      return;
    }
    const slice = this.#slice(work.count, task);
    const θ = this.#weights(work.kind === 'measure' ? work.parameters : this.#workspace.parameters);
    const { results } = this.#workspace;
    if ('fresh' in work && work.fresh) this.#products.prepare(slice);
    switch (work.kind) {
      case 'evaluate':
        results[task] = this.#passes.evaluate(slice, θ, work.step);
        if (work.turned !== null) this.#turns.turnSamples(slice, work.turned);
        break;
      case 'measure': {
        const { loss, right } = this.#passes.measure(slice, θ, work.step);
        results[2 * task] = loss;
        results[2 * task + 1] = right;
        break;
      }
      case 'product':
        this.#products.product(slice, θ, this.#weights(work.v), work.hessian);
        break;
      case 'tangent':
        this.#products.tangent(slice, θ, this.#weights(work.v));
        break;
      case 'draw':
        this.#products.draw(slice, θ, work.seed, work.step);
        break;
      case 'column':
        this.#products.column(slice, θ, work.output);
    }
  }

  /** Slice s of a batch of `count` samples. The samples of smaller batches lie elsewhere: each pair has its views. */
  #slice(count: number, s: number): SliceViews {
    const first = sliceFirst(count, s);
    const samples = sliceFirst(count, s + 1) - first;
    const key = first * (this.#workspace.capacity + 1) + samples;
    let slice = this.#slices.get(key);
    if (slice === undefined) {
      slice = sliceViews(this.#workspace, this.#arrays, first, samples);
      this.#slices.set(key, slice);
    }
    return slice;
  }

  #weights(vector: Span): readonly WeightViews[] {
    let views = this.#vectors.get(vector.at);
    if (views === undefined) {
      views = weightViews(this.#workspace, this.#arrays.of(vector));
      this.#vectors.set(vector.at, views);
    }
    return views;
  }

  /** A block's part of a vector. */
  #part(vector: Span, { index }: Block): FloatArray {
    let parts = this.#parts.get(vector.at);
    if (parts === undefined) {
      const array = this.#arrays.of(vector);
      parts = this.#blocks.map(({ offset, length }) => array.subarray(offset, offset + length));
      this.#parts.set(vector.at, parts);
    }
    return parts[index];
  }

  #block(own: Block, slices: number, work: Work & { readonly count: number }): void {
    if (work.kind === 'evaluate') {
      // Whatever is not finite shows here, before the parameters are touched.
      const { results, parameters, gradient, regularization } = this.#workspace;
      let loss = 0;
      for (let s = 0; s < slices; s++) loss += results[s];
      if (!Number.isFinite(loss)) return;
      this.#gradient(own, work.count, work.turned, gradient);
      if (work.carry !== null && !this.#carry(own, work.carry)) return;
      if (regularization > 0) this.#addDecay(own, parameters, gradient);
      if (work.update !== null) updateBlock(this.#blockwise, own, work.update);
    } else if (work.kind === 'product') {
      this.#sum(own, work.count, this.#workspace.layers[own.layer].tangents!, work.out);
      if (work.hessian) this.#sumHessian(own, work.count, work.out);
      if (this.#workspace.regularization > 0) this.#addDecay(own, work.v, work.out);
    }
  }

  /** out(block) ← (1/count)·Ā_{ℓ−1}·D_ℓ(block)ᵀ, D the errors or those of a product. */
  #sum(own: Block, count: number, errors: Span, out: Span): void {
    const { width, outputs } = this.#workspace.network.layers[own.layer];
    const a = this.#matrix(this.#workspace.layers[own.layer].inputs, width, count);
    this.#blas.gemm('N', 'T', 1 / count, a, this.#rows(errors, outputs, own, count), 0, this.#target(out, own));
  }

  /** The same by what the slices turned. */
  #gradient(own: Block, count: number, turned: SampleTurns | null, out: Span): void {
    const { inputs, errors } = this.#workspace.layers[own.layer];
    const basis = turned?.layers[own.layer];
    if (!basis?.input && !basis?.output) {
      this.#sum(own, count, errors, out);
      return;
    }
    const { width, outputs, offset } = this.#workspace.network.layers[own.layer];
    const part = (vector: Span, rows: number): Matrix => view(this.#arrays.of(vector), offset, rows, count);
    const a = basis.input ? part(turned!.inputs, width) : this.#matrix(inputs, width, count);
    const d = basis.output
      ? block(part(turned!.errors, outputs), own.first, 0, own.count, count)
      : this.#rows(errors, outputs, own, count);
    this.#blas.gemm('N', 'T', 1 / count, a, d, 0, this.#target(out, own));
  }

  /** out(block) ← out + (1/count)·RA_{ℓ−1}·δ_ℓ(block)ᵀ. */
  #sumHessian(own: Block, count: number, out: Span): void {
    if (own.layer === 0) return;
    const { inputs, outputs } = this.#workspace.network.layers[own.layer];
    const spans = this.#workspace.layers[own.layer];
    const before = this.#workspace.layers[own.layer - 1].kept!.a;
    const target = this.#target(out, own);
    this.#blas.gemm(
      'N',
      'T',
      1 / count,
      this.#matrix(before, inputs, count),
      this.#rows(spans.errors, outputs, own, count),
      1,
      block(target, 0, 0, inputs, own.count),
    );
  }

  /** out(block) ← out + λ·x on the block's weights, biases left out. */
  #addDecay(own: Block, x: Span, out: Span): void {
    const { width, inputs } = this.#workspace.network.layers[own.layer];
    const from = this.#part(x, own);
    const to = this.#part(out, own);
    const λ = this.#workspace.regularization;
    for (let p = 0; p < own.count; p++) for (let k = p * width; k < p * width + inputs; k++) to[k] += λ * from[k];
  }

  /** Adds a part's gradient to those before it; whether it was the last part. */
  #carry(own: Block, { sum, own: share, others, last }: Carry): boolean {
    const g = this.#part(this.#workspace.gradient, own);
    const s = this.#part(sum, own);
    if (last) this.#kernels.combine(own.length, others, s, share, g);
    else this.#kernels.combine(own.length, share, g, others, s);
    return last;
  }

  /** out ← keep·out + (1 − keep)·X Xᵀ, over the batch's samples their mean. */
  #moment(
    { layer, of, out, diagonal }: MomentTask,
    { count, keep }: { readonly count: number; readonly keep: number },
  ): void {
    const { width, outputs, offset } = this.#workspace.network.layers[layer];
    const spans = this.#workspace.layers[layer];
    const target = this.#arrays.of(out);
    if (of === 'gradientRows' || of === 'gradientColumns') {
      const g = view(this.#arrays.of(this.#workspace.gradient), offset, width, outputs);
      gradientMoment(this.#blas, g, { of, diagonal }, keep, target);
      return;
    }
    const rows = of === 'inputs' ? width : outputs;
    const share = (1 - keep) / count;
    const x = this.#matrix(of === 'inputs' ? spans.inputs : spans.tangents!, rows, count);
    if (diagonal) {
      for (let k = 0; k < rows; k++) target[k] *= keep;
      for (let at = 0; at < rows * count;) for (let k = 0; k < rows; k++, at++) target[k] += share * x.data[at] ** 2;
      return;
    }
    const square = view(target, 0, rows, rows);
    this.#blas.syrk('L', 'N', share, x, keep, square);
    mirrorLower(square);
  }

  /** The first `count` columns of a span. */
  #matrix(span: Span, rows: number, count: number): Matrix {
    return this.#kept(`${span.at} ${count}`, () => view(this.#arrays.of(span), 0, rows, count));
  }

  /** A block's rows of the errors. */
  #rows(span: Span, rows: number, own: Block, count: number): Matrix {
    return this.#kept(`${span.at} ${own.offset} ${count}`, () =>
      block(view(this.#arrays.of(span), 0, rows, count), own.first, 0, own.count, count),
    );
  }

  #target(span: Span, own: Block): Matrix {
    const { width } = this.#workspace.network.layers[own.layer];
    return this.#kept(`${span.at} ${own.offset}`, () => view(this.#arrays.of(span), own.offset, width, own.count));
  }

  #kept(key: string, make: () => Matrix): Matrix {
    let matrix = this.#columns.get(key);
    if (matrix === undefined) {
      matrix = make();
      this.#columns.set(key, matrix);
    }
    return matrix;
  }
}

/** Tasks of an objective's phases. */
export const objectiveTask = defineTask<Workspace, Work>(
  import.meta.url,
  'objectiveTask',
  (workspace: Workspace, { blas }: WorkerContext) => {
    const worker = new ObjectiveWorker(workspace, VectorMemory.over(workspace.memory), blas);
    return (task, work) => {
      worker.run(task, work);
    };
  },
);
