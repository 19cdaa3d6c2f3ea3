/**
 * The memory that ranks share which are threads of one process: what has become of them, a bell for each, and a channel
 * of bytes from each to each.
 */
import { CommunicationError } from '../../core/errors.js';
import { allocateShared } from '../../core/shared-array.js';

/** What a thread needs to be one of the ranks; structured-cloneable. */
export interface ThreadWorld {
  readonly size: number;
  readonly control: SharedArrayBuffer;
  readonly channels: SharedArrayBuffer;
  /** Bytes that a channel holds. */
  readonly capacity: number;
}

/** The first words of `control`. */
const FAILED = 0;
const NEXT_CONTEXT = 1;
const WORDS = 2;

const RUNNING = 0;
const ENDED = 1;

/** How long a thread sleeps before it looks again at what it waits for, if nobody rings. In milliseconds. */
const SLEEP = 50;

/** The shared memory of so many ranks, with channels of `capacity` bytes. Throws MemoryError. */
export const createThreadWorld = (size: number, capacity = 2 ** 16): ThreadWorld => ({
  size,
  // Words, a bell and a state of each rank, and of each channel the bytes that were ever put in and taken out.
  control: allocateShared(4 * (WORDS + 2 * size + 2 * size * size)),
  channels: allocateShared(size * size * capacity),
  capacity,
});

/** A rank's view of the shared memory. */
export class SharedWorld {
  readonly size: number;
  readonly rank: number;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #capacity: number;

  constructor({ size, control, channels, capacity }: ThreadWorld, rank: number) {
    this.size = size;
    this.rank = rank;
    this.#words = new Int32Array(control);
    this.#bytes = new Uint8Array(channels);
    this.#capacity = capacity;
  }

  /** What the bell of this rank shows: to be read before looking for what `sleep` would wait for. */
  get bell(): number {
    return Atomics.load(this.#words, WORDS + this.rank);
  }

  /** Returns when somebody has rung since the bell showed `seen`, or after a while. */
  sleep(seen: number): void {
    Atomics.wait(this.#words, WORDS + this.rank, seen, SLEEP);
  }

  #ring(rank: number): void {
    Atomics.add(this.#words, WORDS + rank, 1);
    Atomics.notify(this.#words, WORDS + rank);
  }

  #ringAll(): void {
    for (let r = 0; r < this.size; r++) this.#ring(r);
  }

  /** This rank communicates no more. */
  end(): void {
    Atomics.store(this.#words, WORDS + this.size + this.rank, ENDED);
    this.#ringAll();
  }

  /** Rank `rank` has failed: all others stop waiting. The first one that fails counts. */
  fail(rank: number): void {
    Atomics.compareExchange(this.#words, FAILED, 0, rank + 1);
    this.#ringAll();
  }

  hasEnded(rank: number): boolean {
    return Atomics.load(this.#words, WORDS + this.size + rank) !== RUNNING;
  }

  /** Throws CommunicationError where a rank has failed. */
  requireNoFailure(): void {
    const failed = Atomics.load(this.#words, FAILED) - 1;
    if (failed >= 0)
      throw new CommunicationError(
        `Rank ${failed} of ${this.size} has failed: rank ${this.rank} cannot go on. What it says of that is the cause.`,
        { rank: this.rank, size: this.size, other: failed },
      );
  }

  /** A number that no communicator has yet. */
  nextContext(): number {
    return Atomics.add(this.#words, NEXT_CONTEXT, 1) + 1;
  }

  /** Puts as many of the bytes into the channel to rank `to` as there is room for; returns how many. */
  put(to: number, bytes: Uint8Array): number {
    const [putAt, takenAt] = this.#counters(this.rank, to);
    const begin = Atomics.load(this.#words, putAt);
    // Counters run over: their difference does not.
    const room = this.#capacity - ((begin - Atomics.load(this.#words, takenAt)) | 0);
    const count = Math.min(room, bytes.length);
    if (count === 0) return 0;
    this.#pieces(this.rank, to, begin, count).forEach(([at, first, length]) => {
      this.#bytes.set(bytes.subarray(first, first + length), at);
    });
    Atomics.store(this.#words, putAt, (begin + count) | 0);
    this.#ring(to);
    return count;
  }

  /** Takes as many bytes from the channel from rank `from` as are there and `bytes` has room for; returns how many. */
  take(from: number, bytes: Uint8Array): number {
    const [putAt, takenAt] = this.#counters(from, this.rank);
    const begin = Atomics.load(this.#words, takenAt);
    const there = (Atomics.load(this.#words, putAt) - begin) | 0;
    const count = Math.min(there, bytes.length);
    if (count === 0) return 0;
    this.#pieces(from, this.rank, begin, count).forEach(([at, first, length]) => {
      bytes.set(this.#bytes.subarray(at, at + length), first);
    });
    Atomics.store(this.#words, takenAt, (begin + count) | 0);
    this.#ring(from);
    return count;
  }

  #counters(from: number, to: number): readonly [number, number] {
    const at = WORDS + 2 * this.size + 2 * (from * this.size + to);
    return [at, at + 1];
  }

  /** Where `count` bytes lie in a channel's ring, from its byte number `begin` on: one piece or two. */
  #pieces(from: number, to: number, begin: number, count: number): (readonly [number, number, number])[] {
    const channel = (from * this.size + to) * this.#capacity;
    // The capacity is a power of two, which divides what the counters run over at.
    const at = begin & (this.#capacity - 1);
    const first = Math.min(count, this.#capacity - at);
    const pieces: (readonly [number, number, number])[] = [[channel + at, 0, first]];
    if (first < count) pieces.push([channel, first, count - first]);
    return pieces;
  }
}
