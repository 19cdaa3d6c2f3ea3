/**
 * A kernel matrix of which only the entries among some indices can be computed here: the points of those are held.
 */
import type { IndexPlaces } from '../core/index-places.js';
import { OptionError } from '../core/errors.js';
import type { Indices } from '../core/indices.js';
import { PlacesAmong } from '../core/places-among.js';
import type { Matrix } from '../dense/matrix.js';
import { builtIn } from '../parallel/built-in.js';
import type { EntrySource, SourceContext, SourceDescriptor } from './entry-source.js';
import { openKernelSource, type KernelData } from './kernel-source.js';

/** Which indices are held, and for how long. */
interface Held {
  readonly size: number;
  /** Which indices are held, and the row of each among the held points. */
  readonly places: IndexPlaces;
  /** Others are held once the number in `turn` is no longer this source's own. */
  readonly turn: Int32Array;
  readonly own: number;
}

/** What workers build their copies from. */
interface HeldData extends Held {
  readonly held: KernelData;
}

/** The error for an index whose point another rank has. */
export const notHeld = (index: number): OptionError =>
  new OptionError(
    `Entries of index ${index} were asked for, and its point is on another rank: a partitionedKernelSource is to be ` +
      'compressed, and compared with what it was compressed to. Give kernelSource all points for anything else.',
    { index },
  );

/** Entries among the indices that are held: `held` has them, in its own numbering, which keeps their order. */
export class HeldSource implements EntrySource {
  readonly size: number;
  readonly descriptor?: SourceDescriptor | undefined;
  readonly #which: Held;
  readonly #held: EntrySource;
  readonly #rows: PlacesAmong;
  readonly #cols: PlacesAmong;

  constructor(which: Held, held: EntrySource) {
    this.size = which.size;
    this.#which = which;
    this.#held = held;
    this.#rows = new PlacesAmong(which.places, notHeld);
    this.#cols = new PlacesAmong(which.places, notHeld);
    if (held.descriptor !== undefined) {
      const data: HeldData = { ...which, held: held.descriptor.data as KernelData };
      this.descriptor = { ...WORKERS_COPY, data };
    }
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    const { turn, own } = this.#which;
    if (turn[0] !== own) throw new RangeError('Points of other indices are held by now.');
    const held = this.#rows.of(rows);
    this.#held.entries(held, cols === rows ? held : this.#cols.of(cols), out);
  }

  /** The source that it is a part of has its diagonal. */
  diagonal(): void {
    throw new RangeError('Entries that are held are of no diagonal.');
  }
}

/** A worker's copy, from the descriptor's data. */
export const openHeldSource = ({ held, ...which }: HeldData, context: SourceContext): EntrySource =>
  new HeldSource(which, openKernelSource(held, context));

const WORKERS_COPY = builtIn(import.meta.url, 'openHeldSource', openHeldSource);
