/**
 * The tasks of a graph objective, run by any worker: slices of samples on tapes, then blocks of parameters.
 */
import { NUMBER_BYTES, type FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import {
  eachInput,
  eachReachedInput,
  errorsOf,
  haveColumns,
  isReached,
  usesOf,
  type FactorPair,
} from '../../layers/factor-pairs.js';
import type { Pass } from '../../layers/network-plan.js';
import { NetworkTape } from '../../layers/network-tape.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { defineTask, type WorkerContext } from '../../parallel/task.js';
import { rowsOf } from '../../tape/shape.js';
import { gradientMoment } from '../objective/gradient-moment.js';
import { parameterBlocks, type Block } from '../objective/slices.js';
import type { Carry, MomentTask } from '../objective/tasks.js';
import { Turns, type BasesWork, type TurnWork } from '../objective/turn.js';
import { updateBlock, type Blockwise, type Update } from '../objective/update.js';
import { SpanArrays, type Span } from '../objective/workspace.js';
import { statisticNumbers, type GraphWorkspace } from './workspace.js';

/** Samples first … first + count − 1 of the loaded batch, with the factor of their losses. */
interface OfBatch {
  readonly count: number;
  readonly scale: number;
}

/** Slices first … end − 1, held together: those that tapes are there for. */
export interface SliceGroup {
  readonly first: number;
  readonly end: number;
}

/** A moment; `reached`: how many columns count, where slices are not held together and some are of padding. */
type GraphMomentTask = MomentTask & { readonly reached?: number | undefined };

/** Moments of slices of a drawn batch; `weight` is what sums of its losses are divided by. */
interface MomentsWork {
  readonly kind: 'moments';
  readonly group: SliceGroup;
  readonly count: number;
  readonly weight: number;
  readonly keep: number;
  readonly moments: readonly GraphMomentTask[];
}

/** What a phase does. */
export type GraphWork =
  /** `gradient`: where that of a single slice goes; null: every slice has its partial. */
  | (OfBatch & { readonly kind: 'evaluate'; readonly step: number | null; readonly gradient: Span | null })
  /** The first phase of slices of a group, for the passes that follow. */
  | (OfBatch & { readonly kind: 'again'; readonly step: number | null; readonly group: SliceGroup })
  | (OfBatch & { readonly kind: 'measure'; readonly parameters: Span; readonly step: number | null })
  | {
      readonly kind: 'pass';
      readonly count: number;
      readonly pass: Pass;
      readonly group: SliceGroup;
      readonly v: Span | null;
      readonly out: Span | null;
    }
  /** out ← the sum of the slices' partials, of more than one, [+ λ·decayed], then carry and update. */
  | {
      readonly kind: 'sum';
      readonly slices: number;
      readonly out: Span;
      readonly decayed: Span;
      readonly carry: Carry | null;
      readonly update: Update | null;
    }
  | MomentsWork
  | { readonly kind: 'update'; readonly update: Update }
  | TurnWork
  | BasesWork;

/** One worker's side. */
export class GraphWorker {
  readonly #workspace: GraphWorkspace;
  readonly #memory: VectorMemory;
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #worker: number;
  readonly #arrays: SpanArrays;
  readonly #blocks: readonly Block[];
  readonly #blockwise: Blockwise;
  readonly #turns: Turns;
  readonly #tapes = new Map<string, NetworkTape>();

  constructor(
    workspace: GraphWorkspace,
    memory: VectorMemory,
    { blas, worker }: Pick<WorkerContext, 'blas' | 'worker'>,
  ) {
    this.#workspace = workspace;
    this.#memory = memory;
    this.#kernels = memory.kernels(workspace.precision);
    this.#blas = blas;
    this.#worker = worker;
    this.#arrays = new SpanArrays(memory, workspace.precision);
    this.#blocks = parameterBlocks(workspace.network);
    const part = (vector: Span, { offset, length }: Block): FloatArray =>
      this.#arrays.of({ at: vector.at + offset * NUMBER_BYTES[workspace.precision], length });
    this.#blockwise = { workspace, kernels: this.#kernels, part };
    this.#turns = new Turns(this.#blockwise, blas, this.#arrays, this.#blocks);
  }

  /** The tape that holds a slice: its own, or, of fewer tapes than slices, one of a group's. */
  tape(slice: number): NetworkTape {
    return this.#tape('training', slice % this.#workspace.training.kept.length);
  }

  /** A tape on which the first phase of a slice is run: that which holds it, else the worker's. */
  #free(mode: 'training' | 'evaluation', slice: number): NetworkTape {
    const { plan, kept } = this.#workspace[mode];
    const holds = plan.phases.size > 0 && !this.#workspace.holdsGroups;
    return this.#tape(mode, holds ? slice % kept.length : this.#worker);
  }

  #tape(mode: 'training' | 'evaluation', place: number): NetworkTape {
    const { plan, kept, work } = this.#workspace[mode];
    const key = `${mode} ${place}`;
    let tape = this.#tapes.get(key);
    if (tape === undefined) {
      const { inputKinds, precision } = this.#workspace;
      const tools = { memory: this.#memory, blas: this.#blas, precision };
      const spans = { kept: this.#arrays.of(kept[place]), work: this.#arrays.of(work[this.#worker]) };
      tape = new NetworkTape(plan, inputKinds, tools, spans);
      this.#tapes.set(key, tape);
    }
    return tape;
  }

  /** Runs one task of a phase. */
  run(task: number, work: GraphWork): void {
    switch (work.kind) {
      case 'evaluate':
      case 'measure':
        this.#first(task, work);
        break;
      case 'again': {
        const slice = work.group.first + task;
        this.#load(this.tape(slice), slice, work).run();
        break;
      }
      case 'pass':
        this.#pass(work.group.first + task, work);
        break;
      case 'sum':
        this.#sum(this.#blocks[task], work);
        break;
      case 'moments':
        this.#moment(work.moments[task], work);
        break;
      case 'update':
        updateBlock(this.#blockwise, this.#blocks[task], work.update);
        break;
      case 'turn':
        this.#turns.turn(task, work);
        break;
      case 'bases':
        this.#turns.basis(work.sides[task]);
    }
  }

  /** The first phase of a slice: loss, outputs, and by 'evaluate' its gradient and statistics. */
  #first(slice: number, work: Extract<GraphWork, { kind: 'evaluate' | 'measure' }>): void {
    const { outputs, results, statistics } = this.#workspace;
    const mode = work.kind === 'evaluate' || work.step !== null ? 'training' : 'evaluation';
    const tape = this.#load(this.#free(mode, slice), slice, work);
    results[slice] = tape.run();
    if (work.kind === 'measure') {
      const size = outputs.length / this.#workspace.capacity;
      const first = graphSliceFirst(work.count, this.#workspace.slice, slice);
      tape.readOutput(view(this.#arrays.of(outputs), size * first, size, tape.count));
      return;
    }
    const { plan } = this.#workspace.training;
    const own = this.#arrays.of(statistics);
    let at = slice * statisticNumbers(plan);
    for (const { mean, reciprocalDeviation } of plan.updates)
      for (const node of [mean, reciprocalDeviation]) {
        const n = rowsOf(node.shape);
        own.set(tape.array(node).subarray(0, n), at);
        at += n;
      }
  }

  /** The tape with a slice's samples and the step's masks, and where its gradient goes. */
  #load(
    tape: NetworkTape,
    slice: number,
    work: Extract<GraphWork, { kind: 'evaluate' | 'measure' | 'again' }>,
  ): NetworkTape {
    const { network, inputs, targets, partials } = this.#workspace;
    const first = graphSliceFirst(work.count, this.#workspace.slice, slice);
    const count = graphSliceFirst(work.count, this.#workspace.slice, slice + 1) - first;
    const batch = {
      inputs: view(this.#arrays.of(inputs), 0, network.inputs, work.count),
      targets: view(this.#arrays.of(targets), 0, network.outputs, work.count),
    };
    tape.bind('parameters', this.#arrays.of(work.kind === 'measure' ? work.parameters : this.#workspace.parameters));
    if (work.kind !== 'measure' || work.step !== null)
      tape.bind('gradient', this.#arrays.of((work.kind === 'evaluate' ? work.gradient : null) ?? partials[slice]));
    tape.load(batch, { order: null, first, count }, work.scale);
    if (work.kind !== 'measure' || work.step !== null) tape.drawMasks(this.#workspace.seed, work.step, first);
    return tape;
  }

  /** The tape of a slice whose first phase some worker has run. */
  #kept(slice: number, count: number): NetworkTape {
    const tape = this.tape(slice);
    tape.resume(
      graphSliceFirst(count, this.#workspace.slice, slice + 1) - graphSliceFirst(count, this.#workspace.slice, slice),
    );
    return tape;
  }

  #pass(slice: number, { pass, v, count, out }: Extract<GraphWork, { kind: 'pass' }>): void {
    const tape = this.#kept(slice, count);
    tape.bind('parameters', this.#arrays.of(this.#workspace.parameters));
    if (v !== null) tape.bind('direction', this.#arrays.of(v));
    const partial = this.#arrays.of(this.#workspace.partials[slice]);
    tape.bind('result', out === null ? partial : this.#arrays.of(out));
    tape.pass(pass);
    // What moments read of all slices together stays when the tape goes on to another one.
    if (pass !== 'draw') return;
    for (const { layer, gradient } of this.#workspace.training.plan.draw!.others)
      partial.set(tape.numbers(gradient), this.#workspace.network.layers[layer].offset);
  }

  #sum(own: Block, { slices, out, decayed, carry, update }: Extract<GraphWork, { kind: 'sum' }>): void {
    const { partials, regularization } = this.#workspace;
    const part = (vector: Span): FloatArray => this.#blockwise.part(vector, own);
    const g = part(out);
    for (let s = 0; slices > 1 && s < slices; s++)
      this.#kernels.combine(own.length, 1, part(partials[s]), s === 0 ? 0 : 1, g);
    if (carry !== null) {
      const sum = part(carry.sum);
      if (carry.last) this.#kernels.combine(own.length, carry.others, sum, carry.own, g);
      else {
        this.#kernels.combine(own.length, carry.own, g, carry.others, sum);
        return;
      }
    }
    if (regularization > 0 && this.#workspace.decays[own.layer]) this.#addDecay(own, part(decayed), g);
    if (update !== null) updateBlock(this.#blockwise, own, update);
  }

  /** to ← to + λ·from on weights, biases left out. */
  #addDecay({ layer, count }: Block, from: FloatArray, to: FloatArray): void {
    const { width, inputs } = this.#workspace.network.layers[layer];
    const λ = this.#workspace.regularization;
    for (let p = 0; p < count; p++) for (let k = p * width; k < p * width + inputs; k++) to[k] += λ * from[k];
  }

  /**
   * out ← keep·out + (1 − keep)·moment of the last draw, or of the gradient: of factors group by group, of others with
   * the last one.
   */
  #moment(task: GraphMomentTask, { count, weight, keep, group }: MomentsWork): void {
    const isLast = group.end === graphSlices(count, this.#workspace.slice);
    const layer = this.#workspace.network.layers[task.layer];
    const out = this.#arrays.of(task.out);
    const { of, diagonal } = task;
    if (of === 'gradientRows' || of === 'gradientColumns') {
      if (!isLast) return;
      const g = view(this.#arrays.of(this.#workspace.gradient), layer.offset, layer.width, layer.outputs);
      gradientMoment(this.#blas, g, { of, diagonal }, keep, out);
      return;
    }
    const rows = of === 'inputs' ? layer.width : layer.outputs;
    const { draw } = this.#workspace.training.plan;
    const pairs = draw!.pairs.filter((pair) => pair.layer === task.layer);
    if (pairs.length === 0 ? isLast : group.first === 0) for (let k = 0; k < out.length; k++) out[k] *= keep;
    if (pairs.length === 0) {
      if (isLast) this.#squares(task, { count, weight }, 1 - keep, out);
      return;
    }
    const leaveOut = of === 'inputs' && this.#workspace.hasPadding && haveColumns(pairs);
    const all = { first: 0, end: graphSlices(count, this.#workspace.slice) };
    const inputs = leaveOut ? (task.reached ?? this.reached(task.layer, all, count)) : count * usesOf(pairs);
    const share = (1 - keep) / (of === 'errors' ? weight : Math.max(1, inputs));
    for (let s = group.first; s < group.end; s++)
      for (const pair of pairs)
        this.#addPair(this.#kept(s, count), pair, { task, bias: layer.bias, leaveOut, share, rows, out });
    if (!diagonal && isLast) mirrorLower(view(out, 0, rows, rows));
  }

  /** Columns of a group's slices that drawn errors of a layer's weights reach; the others are of padding. */
  reached(layer: number, { first, end }: SliceGroup, count: number): number {
    const pairs = this.#workspace.training.plan.draw!.pairs.filter((pair) => pair.layer === layer);
    let columns = 0;
    for (let s = first; s < end; s++) for (const pair of pairs) columns += reachedColumns(this.#kept(s, count), pair);
    return columns;
  }

  #addPair(
    tape: NetworkTape,
    pair: FactorPair,
    {
      task,
      bias,
      leaveOut,
      share,
      rows,
      out,
    }: {
      readonly task: MomentTask;
      readonly bias: boolean;
      readonly leaveOut: boolean;
      readonly share: number;
      readonly rows: number;
      readonly out: FloatArray;
    },
  ): void {
    const add = (x: Matrix): void => {
      if (!task.diagonal) this.#blas.syrk('L', 'N', share, x, 1, view(out, 0, rows, rows));
      else
        for (let j = 0; j < x.cols; j++)
          for (let i = 0; i < rows; i++) out[i] += share * x.data[x.offset + i + j * x.ld] ** 2;
    };
    const errors = errorsOf(tape.machine, pair);
    if (task.of === 'errors') add(errors);
    else if (leaveOut) eachReachedInput(tape.machine, pair, { bias, reached: (j) => isReached(errors, j) }, add);
    else eachInput(tape.machine, pair, bias, add);
  }

  /**
   * The diagonal of a block without factors, as a product of rows and columns (as N. Shazeer, M. Stern, *Adafactor*,
   * ICML 2018, have it): squares of the slices' drawn gradients, whose mean over signs is that over samples.
   */
  #squares(
    { layer, of }: MomentTask,
    { count, weight }: Pick<MomentsWork, 'count' | 'weight'>,
    share: number,
    out: FloatArray,
  ): void {
    const { width, outputs, offset } = this.#workspace.network.layers[layer];
    const isDrawn = this.#workspace.training.plan.draw!.others.some((other) => other.layer === layer);
    const rows = new Float64Array(width);
    const columns = new Float64Array(outputs);
    let total = 0;
    for (let s = 0; isDrawn && s < graphSlices(count, this.#workspace.slice); s++) {
      const g = this.#arrays.of(this.#workspace.partials[s]);
      for (let j = 0, at = offset; j < outputs; j++)
        for (let i = 0; i < width; i++, at++) {
          const square = g[at] ** 2 / weight;
          rows[i] += square;
          columns[j] += square;
          total += square;
        }
    }
    if (of === 'inputs') for (let i = 0; i < width; i++) out[i] += (share * rows[i]) / outputs;
    else for (let j = 0; j < outputs; j++) out[j] += total > 0 ? (share * outputs * columns[j]) / total : share;
  }
}

/** Columns of a use that the drawn errors reach. */
function reachedColumns({ machine }: NetworkTape, pair: FactorPair): number {
  const errors = errorsOf(machine, pair);
  let reached = 0;
  for (let j = 0; j < errors.cols; j++) if (isReached(errors, j)) reached++;
  return reached;
}

/** Tasks of a graph objective's phases. */
export const graphTask = defineTask<GraphWorkspace, GraphWork>(
  import.meta.url,
  'graphTask',
  (workspace: GraphWorkspace, context: WorkerContext) => {
    const worker = new GraphWorker(workspace, VectorMemory.over(workspace.memory), context);
    return (task, work) => {
      worker.run(task, work);
    };
  },
);
