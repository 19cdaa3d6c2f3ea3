/**
 * The tasks of an objective, run by any worker: slices of samples, then blocks of parameters.
 */
import type { FloatArray } from '../../core/floats.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import { block, mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import type { Blas } from '../../dense/blas.js';
import { defineTask, type WorkerContext } from '../../parallel/task.js';
import { gradientMoment } from './gradient-moment.js';
import { GroupSums, ownNodes, rankSlice, symmetricSum, type Panel, type Term } from './group-sums.js';
import { parameterBlocks, sliceFirst, type Block } from './slices.js';
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
  /** Both triangles, or the diagonal alone where `diagonal`. */
  readonly out: Span;
  readonly diagonal: boolean;
}

/**
 * A part of a moment, a task; `at`: where its numbers stand among those of all parts. Without panel: all of it, of a
 * gradient or of a single group.
 */
export interface MomentPart {
  readonly moment: MomentTask;
  readonly panel: Panel | null;
  readonly at: number;
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

/** Sums over samples, by blocks of θ: of several ranks the sums of the own groups, `finish` goes on with all. */
export type SumWork =
  | {
      readonly kind: 'evaluate';
      readonly count: number;
      readonly step: number | null;
      readonly update: Update | null;
      readonly carry: Carry | null;
      /** Sides by which the gradient is turned. */
      readonly turned: SampleTurns | null;
    }
  | {
      readonly kind: 'product';
      readonly count: number;
      readonly hessian: boolean;
      readonly fresh: boolean;
      readonly v: Span;
      readonly out: Span;
    }
  /** Of a layer Σ ā²(δ²)ᵀ. */
  | { readonly kind: 'squares'; readonly count: number; readonly layer: number; readonly out: Span };

/** Sums of moments: of several ranks those of the own groups, `finish-moments` goes on with all. */
interface MomentsWork {
  readonly count: number;
  readonly keep: number;
  readonly moments: readonly MomentPart[];
}

/** What a phase does. `count`: samples of the batch. */
export type Work =
  | SumWork
  | { readonly kind: 'finish'; readonly work: SumWork }
  /** Forward and backward again, of slices `first` … of a batch that was evaluated. */
  | { readonly kind: 'again'; readonly count: number; readonly first: number; readonly step: number | null }
  | { readonly kind: 'measure'; readonly count: number; readonly parameters: Span; readonly step: number | null }
  | { readonly kind: 'tangent'; readonly count: number; readonly fresh: boolean; readonly v: Span }
  | {
      readonly kind: 'draw';
      readonly count: number;
      readonly fresh: boolean;
      readonly seed: number;
      readonly step: number;
    }
  | { readonly kind: 'column'; readonly count: number; readonly fresh: boolean; readonly output: number }
  | (MomentsWork & { readonly kind: 'moments' | 'finish-moments' })
  | { readonly kind: 'update'; readonly update: Update }
  | TurnWork
  | BasesWork;

/** Work on slices of samples. */
type SlicesWork = Exclude<
  Work,
  { kind: 'finish' | 'finish-moments' | 'again' | 'moments' | 'update' | 'turn' | 'bases' }
>;

/** One worker's side of an objective. */
export class ObjectiveWorker {
  readonly #workspace: Workspace;
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #arrays: SpanArrays;
  readonly #passes: Passes;
  readonly #products: RPasses;
  readonly #turns: Turns;
  readonly #sums: GroupSums;
  readonly #blockwise: Blockwise;
  readonly #blocks: readonly Block[];
  readonly #slices = new Map<number, SliceViews>();
  readonly #vectors = new Map<number, readonly WeightViews[]>();
  readonly #parts = new Map<number, readonly FloatArray[]>();
  readonly #columns = new Map<string, Matrix>();

  constructor(workspace: Workspace, memory: VectorMemory, { blas, worker }: Pick<WorkerContext, 'blas' | 'worker'>) {
    this.#workspace = workspace;
    this.#kernels = memory.kernels(workspace.precision);
    this.#blas = blas;
    this.#arrays = new SpanArrays(memory, workspace.precision);
    this.#passes = new Passes(workspace, this.#kernels, blas);
    this.#products = new RPasses(workspace, this.#kernels, blas);
    this.#sums = new GroupSums(this.#kernels, blas, this.#arrays.of(workspace.scratch[worker]));
    this.#blocks = parameterBlocks(workspace.network);
    this.#blockwise = { workspace, kernels: this.#kernels, part: (vector, block) => this.#part(vector, block) };
    this.#turns = new Turns(this.#blockwise, blas, this.#arrays, this.#blocks);
  }

  /** Runs one task of a phase. */
  run(task: number, work: Work): void {
    switch (work.kind) {
      case 'update':
        updateBlock(this.#blockwise, this.#blocks[task], work.update);
        break;
      case 'finish':
        this.#finish(this.#blocks[task], work.work);
        break;
      case 'moments':
        this.#moment(work.moments[task], work);
        break;
      case 'finish-moments':
        this.#finishMoment(work.moments[task], work.keep);
        break;
      case 'turn':
        this.#turns.turn(task, work);
        break;
      case 'bases':
        this.#turns.basis(work.sides[task]);
        break;
      case 'again':
        this.#passes.evaluate(this.#slice(work.count, work.first + task), this.#θ, work.step);
        break;
      default:
        this.#samples(task, work);
    }
  }

  /** Slices of the rank's own groups, then blocks. */
  #samples(task: number, work: SlicesWork): void {
    const { rank, ranks } = this.#workspace;
    const first = rankSlice(work.count, { rank, ranks });
    const slices = rankSlice(work.count, { rank: rank + 1, ranks }) - first;
    if (task < slices) this.#pass(first + task, work);
    else this.#block(this.#blocks[task - slices], { first, end: first + slices }, work as SumWork);
  }

  #pass(s: number, work: SlicesWork): void {
    const slice = this.#slice(work.count, s);
    const θ = work.kind === 'measure' ? this.#weights(work.parameters) : this.#θ;
    const { results } = this.#workspace;
    if ('fresh' in work && work.fresh) this.#products.prepare(slice);
    switch (work.kind) {
      case 'evaluate':
        results[2 * s] = this.#passes.evaluate(slice, θ, work.step);
        if (work.turned !== null) this.#turns.turnSamples(slice, work.turned);
        break;
      case 'measure': {
        const { loss, right } = this.#passes.measure(slice, θ, work.step);
        results[2 * s] = loss;
        results[2 * s + 1] = right;
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
        break;
      case 'squares':
        this.#square(slice, work.layer);
    }
  }

  get #θ(): readonly WeightViews[] {
    return this.#weights(this.#workspace.parameters);
  }

  /** ā² and δ² of a slice's samples, where the turns have as many columns. */
  #square({ first, count, layers }: SliceViews, ℓ: number): void {
    const { width, outputs } = this.#workspace.network.layers[ℓ];
    const [a, d] = this.#workspace.turns.map((turn) => this.#arrays.of(turn));
    const { inputs, errors } = layers[ℓ];
    const own = inputs.data.subarray(inputs.offset, inputs.offset + width * count);
    this.#kernels.squares(own.length, 1, own, 0, a.subarray(first * width, (first + count) * width));
    this.#kernels.squares(
      errors.array.length,
      1,
      errors.array,
      0,
      d.subarray(first * outputs, (first + count) * outputs),
    );
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

  /** A block's sums over the rank's own groups; of a single rank, what is done with them. */
  #block(own: Block, { first, end }: { readonly first: number; readonly end: number }, work: SumWork): void {
    if (work.kind === 'evaluate') {
      // Whatever is not finite shows here, before the parameters are touched.
      const { results } = this.#workspace;
      let loss = 0;
      for (let s = first; s < end; s++) loss += results[2 * s];
      if (!Number.isFinite(loss)) return;
    } else if (work.kind === 'squares' && work.layer !== own.layer) return;
    const { ranks, parts } = this.#workspace;
    const { width } = this.#workspace.network.layers[own.layer];
    const terms = this.#terms(own, work);
    ownNodes(work.count, this.#workspace).forEach((node, k) => {
      const out = this.#part(ranks > 1 ? parts[k] : this.#target(work), own);
      this.#sums.outer(out, width, { count: work.count, node }, terms);
    });
    if (ranks === 1) this.#finish(own, work);
  }

  /** Where sums go. */
  #target(work: SumWork): Span {
    return work.kind === 'evaluate' ? this.#workspace.gradient : work.out;
  }

  /** What is done with a block's sum over all samples. */
  #finish(own: Block, work: SumWork): void {
    const { parameters, gradient, regularization } = this.#workspace;
    if (work.kind === 'evaluate') {
      if (work.carry !== null && !this.#carry(own, work.carry)) return;
      if (regularization > 0) this.#addDecay(own, parameters, gradient);
      if (work.update !== null) updateBlock(this.#blockwise, own, work.update);
    } else if (work.kind === 'product' && regularization > 0) this.#addDecay(own, work.v, work.out);
  }

  /** The products whose sums over samples a block is. */
  #terms(own: Block, work: SumWork): readonly Term[] {
    const { count } = work;
    const { width, inputs, outputs, offset } = this.#workspace.network.layers[own.layer];
    const spans = this.#workspace.layers[own.layer];
    const a = this.#matrix(spans.inputs, width, count);
    switch (work.kind) {
      case 'evaluate': {
        const basis = work.turned?.layers[own.layer];
        const part = (vector: Span, rows: number): Matrix => view(this.#arrays.of(vector), offset, rows, count);
        return [
          {
            a: basis?.input ? part(work.turned!.inputs, width) : a,
            d: basis?.output
              ? block(part(work.turned!.errors, outputs), own.first, 0, own.count, count)
              : this.#rows(spans.errors, outputs, own, count),
          },
        ];
      }
      case 'product': {
        const gaussNewton = { a, d: this.#rows(spans.tangents!, outputs, own, count) };
        if (!work.hessian || own.layer === 0) return [gaussNewton];
        // RA_{ℓ−1}·δ_ℓ(block)ᵀ
        const before = this.#workspace.layers[own.layer - 1].kept!.a;
        const hessian = { a: this.#matrix(before, inputs, count), d: this.#rows(spans.errors, outputs, own, count) };
        return [gaussNewton, hessian];
      }
      case 'squares': {
        const [x, y] = this.#workspace.turns.map((turn) => this.#arrays.of(turn));
        const d = view(y, own.first, own.count, count, outputs);
        return [{ a: view(x, 0, width, count), d }];
      }
    }
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

  /** A part of keep·out + (1 − keep)·X Xᵀ, over the batch's samples their mean; of ranks the own groups' part of it. */
  #moment({ moment, panel, at }: MomentPart, { count, keep }: MomentsWork): void {
    const { layer, of, out, diagonal } = moment;
    const { width, outputs, offset } = this.#workspace.network.layers[layer];
    const spans = this.#workspace.layers[layer];
    const target = this.#arrays.of(out);
    if (of === 'gradientRows' || of === 'gradientColumns') {
      const g = view(this.#arrays.of(this.#workspace.gradient), offset, width, outputs);
      gradientMoment(this.#blas, g, { of, diagonal }, keep, target);
      return;
    }
    const { ranks, momentParts } = this.#workspace;
    const rows = of === 'inputs' ? width : outputs;
    const x = this.#matrix(of === 'inputs' ? spans.inputs : spans.tangents!, rows, count);
    const share = (1 - keep) / count;
    if (panel === null) {
      symmetricSum(this.#blas, { x, share, diagonal }, keep, target);
      return;
    }
    ownNodes(count, this.#workspace).forEach((node, k) => {
      const sum = ranks > 1 ? this.#arrays.of(momentParts[k]).subarray(at, at + panel.length) : this.#sums.spare(panel);
      this.#sums.moment(sum, panel, { diagonal, share, x }, { count, node });
      if (ranks === 1) this.#putMoment(moment, panel, keep, sum);
    });
  }

  #finishMoment({ moment, panel, at }: MomentPart, keep: number): void {
    if (panel === null) return;
    this.#putMoment(moment, panel, keep, this.#arrays.of(this.#workspace.momentSum!).subarray(at, at + panel.length));
  }

  /** out ← keep·out + a panel's sum, in both triangles. */
  #putMoment({ layer, of, out, diagonal }: MomentTask, panel: Panel, keep: number, sum: FloatArray): void {
    const target = this.#arrays.of(out);
    if (diagonal) {
      for (let k = 0; k < panel.length; k++) target[k] = keep * target[k] + sum[k];
      return;
    }
    const { width, outputs } = this.#workspace.network.layers[layer];
    const size = of === 'inputs' ? width : outputs;
    const rows = size - panel.first;
    for (let j = 0; j < panel.count; j++) {
      const column = panel.first + j;
      for (let i = j, at = column * size + column; i < rows; i++, at++)
        target[at] = keep * target[at] + sum[j * rows + i];
    }
    mirrorLower(view(target, 0, size, size), panel.first, panel.first + panel.count);
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
  (workspace: Workspace, context: WorkerContext) => {
    const worker = new ObjectiveWorker(workspace, VectorMemory.over(workspace.memory), context);
    return (task, work) => {
      worker.run(task, work);
    };
  },
);
