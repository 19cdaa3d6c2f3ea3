/**
 * The tasks of a graph objective, run by any worker: slices of samples on tapes, then blocks of parameters.
 */
import { NUMBER_BYTES, type FloatArray } from '../../core/floats.js';
import { leafSteps } from '../../core/sum-tree.js';
import type { Blas } from '../../dense/blas.js';
import { mirrorLower, view } from '../../dense/matrix.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import { haveColumns, usesOf, type FactorPair } from '../../layers/factor-pairs.js';
import { graphGroupSlice, graphNodes } from '../../layers/groups.js';
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
import {
  addMoments,
  addPairs,
  addSquares,
  momentLength,
  putFactor,
  putSquares,
  reachedColumns,
  type PairOptions,
} from './moment-sums.js';
import { sumSlices } from './slice-sums.js';
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

/** A moment and where its vector begins in those that moments are summed in. */
export interface GraphMomentTask extends MomentTask {
  readonly at: number;
}

/** Moments of slices of a drawn batch. */
interface MomentsWork {
  readonly kind: 'moments' | 'put-moments';
  readonly group: SliceGroup;
  readonly count: number;
  /** What sums of its losses are divided by. */
  readonly weight: number;
  readonly keep: number;
  readonly moments: readonly GraphMomentTask[];
  /** Vectors of `length` numbers, over shared memory: of each node of the rank, then places (moment-sums.ts). */
  readonly sums: FloatArray;
  readonly length: number;
}

/** Slices of the rank's own: task k is slice first + k. */
interface OwnSlices {
  readonly first: number;
}

/** What a phase does. */
export type GraphWork =
  /** `gradient`: where that of a single slice goes; null: every slice has its partial. */
  | (OfBatch & OwnSlices & { readonly kind: 'evaluate'; readonly step: number | null; readonly gradient: Span | null })
  /** The first phase of slices of a group, for the passes that follow. */
  | (OfBatch & { readonly kind: 'again'; readonly step: number | null; readonly group: SliceGroup })
  | (OfBatch & OwnSlices & { readonly kind: 'measure'; readonly parameters: Span; readonly step: number | null })
  | {
      readonly kind: 'pass';
      readonly count: number;
      readonly pass: Pass;
      readonly group: SliceGroup;
      readonly v: Span | null;
      readonly out: Span | null;
    }
  /**
   * out ← the sum of the slices' partials, of more than one, then carry [+ λ·decayed], and update. Of several ranks the
   * sums of own nodes in the partials of their first slices; `finish` goes on when `out` has the sum of all.
   */
  | {
      readonly kind: 'sum' | 'finish';
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

  /** Where a slice's sums are. */
  partial(slice: number): Span {
    const { partials } = this.#workspace;
    return partials[slice % partials.length];
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
        this.#first(work.first + task, work);
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
      case 'finish':
        this.#finish(this.#blocks[task], work);
        break;
      case 'moments':
        this.#moment(work.moments[task], work);
        break;
      case 'put-moments':
        this.#putMoment(work.moments[task], work);
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
    const { network, inputs, targets } = this.#workspace;
    const first = graphSliceFirst(work.count, this.#workspace.slice, slice);
    const count = graphSliceFirst(work.count, this.#workspace.slice, slice + 1) - first;
    const batch = {
      inputs: view(this.#arrays.of(inputs), 0, network.inputs, work.count),
      targets: view(this.#arrays.of(targets), 0, network.outputs, work.count),
    };
    tape.bind('parameters', this.#arrays.of(work.kind === 'measure' ? work.parameters : this.#workspace.parameters));
    if (work.kind !== 'measure' || work.step !== null)
      tape.bind('gradient', this.#arrays.of((work.kind === 'evaluate' ? work.gradient : null) ?? this.partial(slice)));
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
    const partial = this.#arrays.of(this.partial(slice));
    tape.bind('result', out === null ? partial : this.#arrays.of(out));
    tape.pass(pass);
    // What moments read of all slices together stays when the tape goes on to another one.
    if (pass !== 'draw') return;
    for (const { layer, gradient } of this.#workspace.training.plan.draw!.others)
      partial.set(tape.numbers(gradient), this.#workspace.network.layers[layer].offset);
  }

  #sum(own: Block, work: Extract<GraphWork, { kind: 'sum' | 'finish' }>): void {
    const { slices, out } = work;
    const { rank, ranks, scratch } = this.#workspace;
    const of = (slice: number): FloatArray => this.#blockwise.part(this.partial(slice), own);
    if (slices > 1)
      for (const node of graphNodes(slices, { rank, ranks })) {
        const to = ranks === 1 ? this.#blockwise.part(out, own) : of(graphGroupSlice(slices, node.first));
        sumSlices(this.#kernels, { slices, node, of }, this.#arrays.of(scratch[this.#worker]), to);
      }
    if (ranks === 1) this.#finish(own, work);
  }

  /** What is done with a block's sum over all slices. */
  #finish(own: Block, { out, decayed, carry, update }: Extract<GraphWork, { kind: 'sum' | 'finish' }>): void {
    const part = (vector: Span): FloatArray => this.#blockwise.part(vector, own);
    const g = part(out);
    if (carry !== null) {
      const sum = part(carry.sum);
      if (carry.last) this.#kernels.combine(own.length, carry.others, sum, carry.own, g);
      else {
        this.#kernels.combine(own.length, carry.own, g, carry.others, sum);
        return;
      }
    }
    if (this.#workspace.regularization > 0 && this.#workspace.decays[own.layer]) this.#addDecay(own, part(decayed), g);
    if (update !== null) updateBlock(this.#blockwise, own, update);
  }

  /** to ← to + λ·from on weights, biases left out. */
  #addDecay({ layer, count }: Block, from: FloatArray, to: FloatArray): void {
    const { width, inputs } = this.#workspace.network.layers[layer];
    const λ = this.#workspace.regularization;
    for (let p = 0; p < count; p++) for (let k = p * width; k < p * width + inputs; k++) to[k] += λ * from[k];
  }

  /** Adds the slices of a tape group to a moment's sums; groups of slices that end in it are added by their tree. */
  #moment(task: GraphMomentTask, work: MomentsWork): void {
    const { count, group } = work;
    const layer = this.#workspace.network.layers[task.layer];
    const pairs = this.#pairs(task.layer);
    const slices = graphSlices(count, this.#workspace.slice);
    const nodes = graphNodes(slices, this.#workspace);
    const length = momentLength(task, layer, pairs.length > 0);
    if (length === 0 || nodes.length === 0) return;
    if (pairs.length > 0 && slices === 1) {
      this.#momentOfSlice(task, pairs, work);
      return;
    }
    const square = pairs.length > 0 && !task.diagonal;
    const vector = (k: number): FloatArray => work.sums.subarray(k * work.length + task.at).subarray(0, length);
    nodes.forEach((node, k) => {
      const places = (place: number): FloatArray => vector(place === 0 ? k : nodes.length - 1 + place);
      for (const step of leafSteps(node)) {
        const [first, end] = [graphGroupSlice(slices, step.leaf), graphGroupSlice(slices, step.leaf + 1)];
        for (let s = Math.max(first, group.first); s < Math.min(end, group.end); s++) {
          const to = places(step.place);
          this.#addSlice(task, pairs, { slice: s, work, first: s === first }, to);
          if (s + 1 === end) for (const at of step.adds) addMoments(places(at), places(at + 1), square);
        }
      }
    });
  }

  #addSlice(
    task: GraphMomentTask,
    pairs: readonly FactorPair[],
    { slice, work, first }: { readonly slice: number; readonly work: MomentsWork; readonly first: boolean },
    to: FloatArray,
  ): void {
    const layer = this.#workspace.network.layers[task.layer];
    if (pairs.length > 0) {
      const tape = this.#kept(slice, work.count);
      const how = this.#pairOptions(task, pairs);
      const sum = to.subarray(0, to.length - 1);
      addPairs({ blas: this.#blas, tape, pairs }, how, { keep: first ? 0 : 1, share: 1 }, sum);
      const reached = how.leaveOut ? reachedColumns(tape, pairs) : 0;
      to[sum.length] = first ? reached : to[sum.length] + reached;
      return;
    }
    if (first) to.fill(0);
    if (this.#workspace.training.plan.draw!.others.some((other) => other.layer === task.layer)) {
      const { width, outputs, offset } = layer;
      const g = this.#arrays.of(this.partial(slice)).subarray(offset, offset + width * outputs);
      addSquares(task, layer, g, work.weight, to);
    }
  }

  /** out ← keep·out + (1 − keep)·moment, from the sum at the vectors' beginning, or of the gradient. */
  #putMoment(task: GraphMomentTask, { count, weight, keep, sums }: MomentsWork): void {
    const { of, diagonal } = task;
    const layer = this.#workspace.network.layers[task.layer];
    const out = this.#arrays.of(task.out);
    if (of === 'gradientRows' || of === 'gradientColumns') {
      const g = view(this.#arrays.of(this.#workspace.gradient), layer.offset, layer.width, layer.outputs);
      gradientMoment(this.#blas, g, { of, diagonal }, keep, out);
      return;
    }
    const pairs = this.#pairs(task.layer);
    if (pairs.length > 0 && graphSlices(count, this.#workspace.slice) === 1) return;
    const sum = sums.subarray(task.at, task.at + momentLength(task, layer, pairs.length > 0));
    if (pairs.length === 0) putSquares(task, layer, sum, keep, out);
    else {
      const { leaveOut, rows } = this.#pairOptions(task, pairs);
      putFactor(task, rows, sum, { keep, inputs: leaveOut ? null : count * usesOf(pairs), weight }, out);
    }
  }

  /** Whether a layer has Kronecker factors. */
  hasPairs(layer: number): boolean {
    return this.#pairs(layer).length > 0;
  }

  #pairs(layer: number): readonly FactorPair[] {
    return this.#workspace.training.plan.draw?.pairs.filter((pair) => pair.layer === layer) ?? [];
  }

  #pairOptions(task: MomentTask, pairs: readonly FactorPair[]): PairOptions {
    const { width, outputs, bias } = this.#workspace.network.layers[task.layer];
    const inputs = task.of === 'inputs';
    const leaveOut = inputs && this.#workspace.hasPadding && haveColumns(pairs);
    return { task, bias, leaveOut, rows: inputs ? width : outputs };
  }

  /** out ← keep·out + (1 − keep)·moment of a single slice, in its place. */
  #momentOfSlice(task: MomentTask, pairs: readonly FactorPair[], { count, weight, keep }: MomentsWork): void {
    const tape = this.#kept(0, count);
    const how = this.#pairOptions(task, pairs);
    const inputs = how.leaveOut ? Math.max(1, reachedColumns(tape, pairs)) : count * usesOf(pairs);
    const share = (1 - keep) / (task.of === 'errors' ? weight : inputs);
    const out = this.#arrays.of(task.out);
    addPairs({ blas: this.#blas, tape, pairs }, how, { keep, share }, out);
    if (!task.diagonal) mirrorLower(view(out, 0, how.rows, how.rows));
  }
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
