/**
 * Skeletonization on a device: all nodes of a level together, children before parents. What rows a node looks at is
 * decided here (skeletonize.ts); entries, interpolations and errors are those of the device (level-launches.ts). Nodes
 * of a level go on step by step, and what they ask for in a step is few launches.
 */
import { throwIfAborted } from '../../../core/context.js';
import { nextTurn } from '../../../core/event-loop.js';
import { NUMBER_BYTES } from '../../../core/floats.js';
import { levelOf } from '../../../core/indices.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import type { ClusterTree } from '../../../tree/cluster-tree.js';
import type { SkeletonState } from '../skeleton-state.js';
import { samplerBytes } from '../row-sampler.js';
import { NodeSkeletonizer, usualRows, type Steps } from '../skeletonize.js';
import { BatchInterpolation } from './batch-interpolation.js';
import { requireColumns, type Card } from './card.js';
import { LevelLaunches } from './level-launches.js';
import { SampledEntries } from './sampled-entries.js';
import { Workspace } from './workspace.js';

/** Nodes that are under way at once, at most, and what their samplers may take here. */
const MOST_NODES = 512;
const SAMPLER_BYTES = 2 ** 26;
/** Numbers of entries that lie on the device at once, and of interpolations, at most; and of what is free there. */
const MOST_NUMBERS = 2 ** 26;
const NUMBER_SHARE = 1 / 4;

/** Nodes of a tree of that depth that are under way at once, at most. */
export const nodesUnderWay = (depth: number): number =>
  Math.max(1, Math.min(MOST_NODES, Math.floor(SAMPLER_BYTES / samplerBytes(depth))));

/** What a row of a node's sample takes here: its number, leaf and weight, twice; votes. */
const ROW_BYTES = 64;

/** Bytes that nodes under way take here, of so many candidates and that rank, in a tree of that depth and size. */
export const levelBytes = (
  { depth, size }: Pick<ClusterTree, 'depth' | 'size'>,
  columns: number,
  rank: number,
): number =>
  nodesUnderWay(depth) *
  (samplerBytes(depth) + ROW_BYTES * Math.min(usualRows(columns), size) + 16 * rank * Math.max(0, columns - rank));

/** Room for a node that is under way. */
interface Desk {
  readonly interpolation: BatchInterpolation;
  readonly skeletonizer: NodeSkeletonizer;
}

/** Skeletonizes nodes of one state on a card. */
export class LevelSkeletonizer {
  readonly #state: SkeletonState;
  readonly #card: Card;
  readonly #entries: SampledEntries;
  readonly #workspace: Workspace;
  readonly #launches: LevelLaunches;
  readonly #most: number;
  readonly #desks: Desk[] = [];

  private constructor(state: SkeletonState, card: Card, entries: SampledEntries) {
    const { device, kernels, precision } = card;
    const { limit, bytes, bufferLimit } = device.memory;
    const room = Math.min(bufferLimit, NUMBER_SHARE * (limit - bytes));
    this.#state = state;
    this.#card = card;
    this.#entries = entries;
    this.#workspace = new Workspace(device, precision);
    this.#most = Math.min(MOST_NUMBERS, Math.floor(room / NUMBER_BYTES[precision]));
    this.#launches = new LevelLaunches(this.#workspace, kernels, entries, this.#most);
  }

  /** Sends the points. Throws MemoryError, NonFiniteError, DeviceError, DeviceLostError. */
  static async open(state: SkeletonState, card: Card): Promise<LevelSkeletonizer> {
    return new LevelSkeletonizer(state, card, await SampledEntries.open(card));
  }

  /**
   * Skeletonizes nodes, those of deeper levels first, but for those that are done or need none. Throws OptionError for
   * nodes with more candidates than devices interpolate, NonFiniteError, MemoryError, AbortedError, DeviceError,
   * DeviceLostError.
   */
  async run(phase: string, nodes: Iterable<number>, control: TeamControl): Promise<void> {
    const { needed, done, tree } = this.#state;
    const most = nodesUnderWay(tree.depth);
    const due = Array.from(nodes).filter((ν) => needed[ν] !== 0 && done[ν] === 0);
    due.sort((a, b) => levelOf(b) - levelOf(a) || a - b);
    for (let first = 0; first < due.length;) {
      const level = levelOf(due[first]);
      const some = due.slice(first, first + most).filter((ν) => levelOf(ν) === level);
      first += await this.#runSome(some, control);
      control.onProgress?.({ phase, done: first, total: due.length });
    }
  }

  /** Frees what lies on the device. */
  release(): void {
    this.#workspace.release();
    this.#entries.release();
  }

  /** Skeletonizes as many of these nodes, of one level, as there is room for; returns how many. */
  async #runSome(nodes: readonly number[], { signal }: TeamControl): Promise<number> {
    const { maxRank } = this.#state;
    let underWay: { readonly interpolation: BatchInterpolation; readonly steps: Steps }[] = [];
    let numbers = 0;
    for (const ν of nodes) {
      const { interpolation, skeletonizer } = this.#deskOf(underWay.length);
      const steps = skeletonizer.steps(ν);
      // It begins, and asks.
      steps.next();
      const { cols } = interpolation;
      requireColumns(ν, cols);
      const ld = Math.min(cols, maxRank);
      if (underWay.length > 0 && numbers + ld * cols > this.#most) break;
      interpolation.place = { offset: numbers, ld };
      numbers += ld * cols;
      underWay.push({ interpolation, steps });
    }
    const count = underWay.length;
    await this.#launches.begin(numbers);
    while (underWay.length > 0) {
      // Devices answer without a turn of the event loop.
      await nextTurn();
      throwIfAborted(signal);
      await this.#launches.answer(underWay.map(({ interpolation }) => interpolation));
      underWay = underWay.filter(({ steps }) => steps.next().done !== true);
    }
    return count;
  }

  #deskOf(place: number): Desk {
    const desk = this.#desks.at(place);
    if (desk !== undefined) return desk;
    const interpolation = new BatchInterpolation();
    const made = { interpolation, skeletonizer: new NodeSkeletonizer(this.#state, this.#card.source, interpolation) };
    this.#desks.push(made);
    return made;
  }
}
