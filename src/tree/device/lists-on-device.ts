/**
 * Lists of nearest neighbors that lie on a card while projection trees are searched: all leaves of a tree are one
 * launch, a thread for each point, which looks at the others of its leaf. Trees are cut here.
 */
import { MemoryError } from '../../core/errors.js';
import { floats, type FloatArray, type Precision } from '../../core/floats.js';
import { firstOfLevel } from '../../core/indices.js';
import type { Device, DeviceBuffer, KernelDevice } from '../../device/device.js';
import { MOST_NUMBERS, type KernelArguments, type PortableKernel } from '../../device/portable-kernel.js';
import { meanOf, sendPoints } from '../../device/sent-points.js';
import { allHalves, lastBeginText, wholeText } from '../../device/whole-numbers.js';
import type { Points } from '../../source/entry-source.js';
import type { NearestState } from '../nearest-lists.js';
import type { Ranges } from '../split.js';

/** Where distances of points are computed. */
export interface PointCard {
  readonly device: Device;
  readonly kernels: KernelDevice;
  readonly precision: Precision;
}

/** Numbers of a neighbor in a list: its index, δ. */
const WORDS = 2;
/** Whole numbers that each precision holds. */
const LARGEST_INDEX: Readonly<Record<Precision, number>> = { f64: 2 ** 31, f32: 2 ** 24 };
/** Share of what is free on a card that lists, points and orders may take. */
const SHARE = 1 / 2;
/** Numbers that come here at a time. */
const CHUNK = 2 ** 22;

/**
 * Thread i: the point at position i of the members, against all others of its leaf. Lists are ascending by (δ, index),
 * those of the first tree empty at first.
 */
const SEARCH: PortableKernel = {
  name: 'nearest in leaves',
  buffers: ['lists', 'members', 'begins', 'points'],
  integers: ['leaves', 'capacity', 'dimension', 'again'],
  body: `int row = ${wholeText('members', '2 * i')};
${lastBeginText('begins', 2, 'leaves')}
int first = ${wholeText('begins', '2 * low')};
int end = ${wholeText('begins', '2 * low', 2)};
int list = ${WORDS} * capacity * row;
int last = list + ${WORDS} * (capacity - 1);
int count = 0;
real farthest = 0.0;
int farthestIndex = 0;
if (again > 0) {
  count = capacity;
  farthestIndex = int(lists[last]);
  farthest = lists[last + 1];
}
for (int p = 0; p < end - first; p++) {
  int other = ${wholeText('members', '2 * (first + p)')};
  real d = 0.0;
  for (int k = 0; k < dimension; k++) {
    real e = points[row * dimension + k] - points[other * dimension + k];
    d = d + e * e;
  }
  int takes = 0;
  if (count < capacity || d < farthest || (d == farthest && other < farthestIndex)) { takes = 1; }
  if (other == row) { takes = 0; }
  if (takes > 0 && again > 0) {
    for (int k = 0; k < capacity; k++) {
      if (int(lists[list + ${WORDS} * k]) == other) { takes = 0; }
    }
  }
  if (takes > 0) {
    int at = list + ${WORDS} * count;
    if (count < capacity) { count = count + 1; } else { at = last; }
    for (int k = 0; k < capacity; k++) {
      if (at == list) { break; }
      real before = lists[at - 1];
      int beforeIndex = int(lists[at - 2]);
      if (before < d || (before == d && beforeIndex < other)) { break; }
      lists[at] = real(beforeIndex);
      lists[at + 1] = before;
      at = at - ${WORDS};
    }
    lists[at] = real(other);
    lists[at + 1] = d;
    if (count == capacity) {
      farthestIndex = int(lists[last]);
      farthest = lists[last + 1];
    }
  }
}`,
};

/** out ← lists of some rows, one after the other. */
const PICK: PortableKernel = {
  name: 'lists of rows',
  buffers: ['out', 'lists', 'rows'],
  integers: ['numbers'],
  body: `int at = i / numbers;
int row = ${wholeText('rows', '2 * at')};
out[i] = lists[row * numbers + i - at * numbers];`,
};

/** Why lists do not lie on a card: they take more than is free there, or it does not count so many points. */
export type NoLists = 'memory' | 'many-points';

/** Lists of all points, κ neighbors each. */
export class ListsOnDevice {
  readonly #card: PointCard;
  readonly #points: Points;
  readonly #capacity: number;
  readonly #sent: DeviceBuffer;
  readonly #lists: DeviceBuffer;
  readonly #members: DeviceBuffer;
  #searches = 0;

  private constructor(card: PointCard, points: Points, capacity: number, buffers: readonly DeviceBuffer[]) {
    this.#card = card;
    this.#points = points;
    this.#capacity = capacity;
    [this.#sent, this.#lists, this.#members] = buffers;
  }

  /**
   * Sends the points; where lists and points do not fit, why. Throws NonFiniteError, DeviceError, DeviceLostError.
   */
  static async open(card: PointCard, points: Points, capacity: number): Promise<ListsOnDevice | NoLists> {
    const { device, precision } = card;
    const { dimension, count } = points;
    const lengths = [count * dimension, WORDS * capacity * count, 2 * count];
    const { limit, bytes, bufferLimit } = device.memory;
    const width = floats(1, precision).BYTES_PER_ELEMENT;
    const all = lengths.reduce((sum, length) => sum + length, 0);
    const fits = width * all <= SHARE * (limit - bytes) && lengths.every((length) => width * length <= bufferLimit);
    if (Math.max(...lengths) >= MOST_NUMBERS || count > LARGEST_INDEX[precision]) return 'many-points';
    if (!fits) return 'memory';
    const buffers: DeviceBuffer[] = [];
    try {
      for (const length of lengths) buffers.push(await device.allocate(length, precision));
      const { coordinates: numbers } = points;
      await sendPoints(
        device,
        { buffer: buffers[0], at: 0 },
        { numbers, dimension, origin: meanOf(numbers, dimension) },
      );
    } catch (error) {
      for (const buffer of buffers) buffer.destroy();
      if (error instanceof MemoryError) return 'memory';
      throw error;
    }
    return new ListsOnDevice(card, points, capacity, buffers);
  }

  /**
   * Offers all pairs of each of the deepest nodes to both points, from the second search on but for those that are
   * listed already. The first search fills the lists: nodes have more than κ members. One launch.
   */
  async search(order: Int32Array, { depth, begin, end }: Ranges): Promise<void> {
    const { device, precision } = this.#card;
    const leaves = 2 ** depth;
    const first = firstOfLevel(depth);
    for (let first = 0; first < order.length; first += CHUNK)
      device.write(this.#members, allHalves(order.subarray(first, first + CHUNK), precision), 2 * first);
    const begins = await device.upload(allHalves([...begin.subarray(first, first + leaves), end[0]], precision));
    try {
      const integers = [leaves, this.#capacity, this.#points.dimension, this.#searches++];
      const buffers = [this.#lists, this.#members, begins, this.#sent];
      await this.#launch(SEARCH, { count: this.#points.count, buffers, integers });
    } finally {
      begins.destroy();
    }
  }

  /** Lists of these rows to their places among those of all, farthest first, δ as it is in float64. */
  async bringSome(rows: Int32Array, into: NearestState): Promise<void> {
    const { device, precision } = this.#card;
    const numbers = WORDS * this.#capacity;
    let list: DeviceBuffer | undefined;
    let out: DeviceBuffer | undefined;
    try {
      list = await device.upload(allHalves(rows, precision));
      out = await device.allocate(rows.length * numbers, precision);
      const buffers = [out, this.#lists, list];
      await this.#launch(PICK, { count: out.length, buffers, integers: [numbers] });
      const found = floats(out.length, precision);
      await device.read(out, found);
      rows.forEach((row, k) => {
        this.#take(found.subarray(k * numbers, (k + 1) * numbers), row, into);
        this.#measure(row, into);
      });
    } finally {
      list?.destroy();
      out?.destroy();
    }
  }

  /** All lists, farthest first. */
  async bring(into: NearestState): Promise<void> {
    const numbers = WORDS * this.#capacity;
    const most = Math.max(1, Math.floor(CHUNK / numbers));
    for (let row = 0; row < this.#points.count; row += most) {
      const found = floats(numbers * Math.min(most, this.#points.count - row), this.#card.precision);
      await this.#card.device.read(this.#lists, found, row * numbers);
      for (let k = 0; k * numbers < found.length; k++)
        this.#take(found.subarray(k * numbers, (k + 1) * numbers), row + k, into);
    }
  }

  release(): void {
    for (const one of [this.#sent, this.#lists, this.#members]) one.destroy();
  }

  /** A list as a heap (nearest-lists.ts): what descends is one. */
  #take(found: FloatArray, row: number, { capacity, indices, distances }: NearestState): void {
    for (let k = 0, at = (row + 1) * capacity - 1; k < capacity; k++, at--)
      [indices[at], distances[at]] = [found[WORDS * k], found[WORDS * k + 1]];
  }

  /** δ of a list, in place: what the card rounds tells nothing of what it has missed. */
  #measure(row: number, { capacity, indices, distances }: NearestState): void {
    const { dimension: d, coordinates: x } = this.#points;
    for (let p = row * capacity; p < (row + 1) * capacity; p++) {
      distances[p] = 0;
      for (let k = 0; k < d; k++) distances[p] += (x[row * d + k] - x[indices[p] * d + k]) ** 2;
    }
  }

  async #launch(kernel: PortableKernel, args: KernelArguments<DeviceBuffer>): Promise<void> {
    const { device, kernels } = this.#card;
    const prepared = await kernels.prepare(kernel, args);
    try {
      kernels.launch(prepared);
      await device.finish();
    } finally {
      prepared.destroy();
    }
  }
}
