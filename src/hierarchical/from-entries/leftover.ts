/**
 * What one compression of a matrix leaves for the next one: neighbors, tree and ‖K‖_F depend neither on the tolerance
 * nor on the ranks.
 */
import type { EntrySource } from '../../source/entry-source.js';
import type { AskedOptions } from './options.js';
import type { Prepared } from './prepare.js';

/** Neighbors of more indices are not kept: of so many they take 16 MB. */
const MOST_INDICES = 131_072;

/** Belongs to one matrix; compressions that are given it use what earlier ones have found, with the same bits. */
export class Leftover {
  #source: EntrySource | undefined;
  #options: AskedOptions | undefined;
  #prepared: Prepared | undefined;

  /** What was prepared of this source with the same options, in no time. */
  take(source: EntrySource, options: AskedOptions): Prepared | undefined {
    const { distance, neighbors, seed, leafSize, tree } = options;
    const kept = this.#options;
    if (this.#prepared === undefined || kept === undefined || source !== this.#source) return undefined;
    const same =
      kept.distance === distance &&
      kept.neighbors === neighbors &&
      kept.seed === seed &&
      kept.leafSize === leafSize &&
      kept.tree === tree;
    return same ? { ...copyOf(this.#prepared), seconds: { neighbors: 0, tree: 0 } } : undefined;
  }

  /** Keeps it, where that takes little. */
  keep(source: EntrySource, options: AskedOptions, prepared: Prepared): void {
    if (source.size > MOST_INDICES) return;
    this.#source = source;
    this.#options = options;
    this.#prepared = copyOf(prepared);
  }
}

/** Whoever has read the neighbors lets go of them: of a copy's. */
const copyOf = (prepared: Prepared): Prepared => ({ ...prepared, neighbors: { ...prepared.neighbors } });
