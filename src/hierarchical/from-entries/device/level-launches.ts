/**
 * What nodes ask of a device, all of some nodes in few launches: their samples evaluated from points, norms of columns
 * and interpolations; rows that are tried, less what interpolations make of them; interpolations brought here.
 */
import { floats, type FloatArray } from '../../../core/floats.js';
import type { DeviceBuffer, KernelDevice } from '../../../device/device.js';
import { SHORT_SUM, type PortableKernel } from '../../../device/portable-kernel.js';
import { placesOfBlock } from '../../../device/work/gathers.js';
import { halvesOf, wholeText } from '../../../device/whole-numbers.js';
import type { Work, WorkOperands } from '../../../device/work/work.js';
import type { Asked, BatchInterpolation, SampledBlock } from './batch-interpolation.js';
import type { SampledEntries } from './sampled-entries.js';
import type { Workspace } from './workspace.js';

/** Numbers of a sum of squares in `sums`: halves of its first term's place, step, terms. */
const SUM_WORDS = 4;
/** The buffer that keeps what is found as long as nodes are under way. */
const INTERPOLATIONS = 'interpolations';

/** out_i ← Σ of squares of neighbors by steps. */
const SQUARES: PortableKernel = {
  name: 'sums of squares',
  buffers: ['out', 'values', 'sums'],
  integers: ['terms'],
  sum: {
    terms: 'terms',
    join: 'sum',
    text: `if (k < int(sums[${SUM_WORDS} * i + 3])) {
  real e = values[${wholeText('sums', `${SUM_WORDS} * i`)} + k * int(sums[${SUM_WORDS} * i + 2])];
  value = e * e;
}`,
  },
  body: 'out[i] = total;',
};

/** Sums of squares, `count` of so many terms each: the first terms stand `apart`, those of a sum in steps. */
interface Sums {
  readonly first: number;
  readonly apart: number;
  readonly count: number;
  readonly step: number;
  readonly terms: number;
}

/** A node that asks, and the blocks that its answer takes. */
interface Request {
  readonly node: BatchInterpolation;
  readonly blocks: readonly SampledBlock[];
}

/** Answers what nodes of a level ask for. */
export class LevelLaunches {
  readonly #workspace: Workspace;
  readonly #kernels: KernelDevice;
  readonly #entries: SampledEntries;
  /** Numbers that entries may take, and interpolations. */
  readonly #most: number;

  /** `most` numbers of entries, and of interpolations, are to lie on the device at once. */
  constructor(workspace: Workspace, kernels: KernelDevice, entries: SampledEntries, most: number) {
    this.#workspace = workspace;
    this.#kernels = kernels;
    this.#entries = entries;
    this.#most = most;
  }

  /** Makes room for the interpolations of nodes, whose places stand in so many numbers. Throws MemoryError. */
  async begin(numbers: number): Promise<void> {
    await this.#workspace.room(INTERPOLATIONS, numbers);
  }

  /** Answers all nodes, which ask for something. Throws MemoryError, DeviceError, DeviceLostError. */
  async answer(nodes: readonly BatchInterpolation[]): Promise<void> {
    const most = this.#most;
    const asking = (asked: Asked): readonly BatchInterpolation[] => nodes.filter((node) => node.asked === asked);
    const samples = asking('decompose')
      .filter((node) => !node.isEmpty())
      .map((node) => ({ node, blocks: [node.sample()] }));
    for (const some of inPortions(samples, most)) await this.#decompose(some);
    const tried = asking('errors').map((node) => ({ node, blocks: node.tried() }));
    for (const some of inPortions(tried, most)) await this.#findErrors(some);
    await this.#bring(asking('interpolation'));
    for (const node of nodes) node.asked = undefined;
  }

  /** Samples, and of each norms of columns, and the interpolation: three launches. */
  async #decompose(asked: readonly Request[]): Promise<void> {
    const workspace = this.#workspace;
    const blocks = asked.flatMap((one) => one.blocks);
    const { values, begins } = await this.#evaluate(blocks);
    const firstOf: number[] = [];
    let all = 0;
    const sums = blocks.map(({ rows: { length: m }, columns: { length: n } }, b): Sums => {
      firstOf.push(all);
      all += n;
      return { first: begins[b], apart: m, count: n, step: 1, terms: m };
    });
    const squares = await this.#squares(values, sums);
    const order = await workspace.room('order', all);
    const outcomes = await workspace.room('outcomes', 2 * blocks.length);
    const work = {
      kind: 'interpolations' as const,
      blocks: asked.map(({ node }, b) => ({
        a: { offset: begins[b], ld: blocks[b].rows.length },
        rows: blocks[b].rows.length,
        columns: blocks[b].columns.length,
        ...node.limits,
        order: firstOf[b],
        t: node.place,
        outcome: 2 * b,
      })),
    };
    await this.#launch(work, { values, order, interpolations: await this.#interpolations(), outcomes });
    const norms = await this.#read(squares, all);
    const orders = await this.#read(order, all);
    const found = await this.#read(outcomes, 2 * blocks.length);
    workspace.letGo();
    asked.forEach(({ node }, b) => {
      const [first, count] = [firstOf[b], blocks[b].columns.length];
      [node.rank, node.residual] = [found[2 * b], found[2 * b + 1]];
      node.columns = Int32Array.from(orders.subarray(first, first + count));
      node.columnSquares = Float64Array.from(norms.subarray(first, first + count));
    });
  }

  /** Rows that are tried, less what is interpolated, and their squared norms: three launches. */
  async #findErrors(asked: readonly Request[]): Promise<void> {
    // All of skeletons first, so that what is read and what is written stand apart.
    const blocks = [0, 1].flatMap((part) => asked.map((one) => one.blocks[part]));
    const { values, begins } = await this.#evaluate(blocks);
    const count = asked.length;
    const targets = asked.flatMap(({ node, blocks: [skeletons, redundant] }, b) => {
      const ld = skeletons.rows.length;
      const depth = skeletons.columns.length;
      const terms = [{ a: { offset: begins[b], ld }, b: node.place, depth }];
      const shape = { c: { offset: begins[count + b], ld }, rows: ld, columns: redundant.columns.length };
      return depth === 0 ? [] : [{ ...shape, terms }];
    });
    const b = await this.#interpolations();
    if (targets.length > 0)
      await this.#launch({ kind: 'products', alpha: -1, beta: 1, targets }, { a: values, b, c: values });
    let all = 0;
    const sums = asked.map(({ blocks: [, { rows, columns }] }, q): Sums => {
      const [m, n] = [rows.length, columns.length];
      all += m;
      return { first: begins[count + q], apart: 1, count: m, step: m, terms: n };
    });
    const errors = await this.#read(await this.#squares(values, sums), all);
    this.#workspace.letGo();
    let first = 0;
    for (const { node, blocks } of asked) {
      const end = first + blocks[0].rows.length;
      node.rowErrors = Float64Array.from(errors.subarray(first, end));
      first = end;
    }
  }

  /** Interpolations, one after the other: one launch. */
  async #bring(nodes: readonly BatchInterpolation[]): Promise<void> {
    let length = 0;
    const begins: number[] = [];
    const pieces = nodes.flatMap(({ place, rank, cols }) => {
      begins.push(length);
      if (rank === 0 || rank === cols) return [];
      const to = placesOfBlock(length, rank, rank, cols - rank);
      length += rank * (cols - rank);
      return [{ from: placesOfBlock(place.offset, place.ld, rank, cols - rank), to }];
    });
    let all: FloatArray = floats(0, this.#workspace.precision);
    if (length > 0) {
      const to = await this.#workspace.room('brought', length);
      await this.#launch(
        { kind: 'gathers', alpha: 1, keep: false, pieces },
        { from: await this.#interpolations(), to },
      );
      all = await this.#read(to, length);
      this.#workspace.letGo();
    }
    nodes.forEach((node, q) => {
      const { rank, cols } = node;
      const redundant = cols - rank;
      node.interpolation = new Float64Array(rank * redundant);
      for (let i = 0, p = begins[q]; i < redundant; i++)
        for (let j = 0; j < rank; j++, p++) node.interpolation[i + j * redundant] = all[p];
    });
  }

  #interpolations(): Promise<DeviceBuffer> {
    return this.#workspace.room(INTERPOLATIONS, 0);
  }

  #evaluate(blocks: readonly SampledBlock[]): ReturnType<SampledEntries['evaluate']> {
    return this.#entries.evaluate(blocks, this.#kernels, this.#workspace);
  }

  /** Sums of squares, one after the other: one launch. */
  async #squares(values: DeviceBuffer, all: readonly Sums[]): Promise<DeviceBuffer> {
    const workspace = this.#workspace;
    const length = all.reduce((sum, { count }) => sum + count, 0);
    const list = floats(SUM_WORDS * length, workspace.precision);
    let at = 0;
    for (const { first, apart, count, step, terms } of all) {
      for (let q = 0; q < count; q++, at += SUM_WORDS) {
        [list[at], list[at + 1]] = halvesOf(first + q * apart);
        list[at + 2] = step;
        list[at + 3] = terms;
      }
    }
    const sums = await workspace.sent('sums', list);
    const out = await workspace.room('squares', length);
    // Never few enough for another order of the sum: a sum's bits are to depend on its own terms alone.
    const most = all.reduce((most, { terms }) => Math.max(most, terms), SHORT_SUM + 1);
    const args = { count: length, buffers: [out, values, sums], integers: [most] };
    this.#kernels.launch(workspace.holds(await this.#kernels.prepare(SQUARES, args)));
    return out;
  }

  async #launch<W extends Work>(work: W, operands: WorkOperands<DeviceBuffer>[W['kind']]): Promise<void> {
    const { device } = this.#workspace;
    const planned = this.#workspace.holds(await device.plan(work));
    device.launch(planned, operands);
  }

  async #read(buffer: DeviceBuffer, length: number): Promise<FloatArray> {
    const into = floats(length, buffer.precision);
    await this.#workspace.device.read(buffer, into);
    return into;
  }
}

/** Requests whose blocks have at most so many entries together, or one that has more. */
function* inPortions(requests: readonly Request[], most: number): Iterable<readonly Request[]> {
  let some: Request[] = [];
  let numbers = 0;
  for (const request of requests) {
    const own = request.blocks.reduce((sum, { rows, columns }) => sum + rows.length * columns.length, 0);
    if (some.length > 0 && numbers + own > most) {
      yield some;
      some = [];
      numbers = 0;
    }
    some.push(request);
    numbers += own;
  }
  if (some.length > 0) yield some;
}
