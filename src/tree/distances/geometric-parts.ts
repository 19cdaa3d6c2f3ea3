/**
 * The geometric distance between points of which each of several ranks has some: among those that are held for now.
 */
import type { IndexPlaces } from '../../core/index-places.js';
import type { Indices } from '../../core/indices.js';
import { PlacesAmong } from '../../core/places-among.js';
import type { Matrix } from '../../dense/matrix.js';
import type { RowParts } from '../../distributed/row-parts.js';
import { together } from '../../distributed/together.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { PointParts, Points } from '../../source/entry-source.js';
import { HeldRows } from '../../source/held-rows.js';
import type { Distance } from './distance.js';
import { centredPoints, type CentredPoints } from './product-distance.js';

/** Points that are held, and the place of each among them. */
export interface TabledPoints {
  readonly places: IndexPlaces;
  readonly held: Points | CentredPoints;
}

/** Points that a rank holds for now, those that it works on. Changed in place, for workers to read. */
export class PointTable {
  readonly data: TabledPoints;
  readonly #rows: HeldRows;

  /** Room for so many points; `parts` has coordinates, and norms where products tell distances. Throws MemoryError. */
  constructor(dimension: number, parts: RowParts, capacity: number) {
    this.#rows = new HeldRows(parts, capacity);
    const [coordinates, norms] = this.#rows.memory;
    const points: Points = { dimension, count: capacity, coordinates };
    this.data = { places: this.#rows.places, held: parts.arrays.length === 1 ? points : { points, norms } };
  }

  /** Room for so many points, in other memory: who reads the table is told of it anew. Throws MemoryError. */
  reserve(capacity: number): void {
    this.#rows.reserve(capacity);
  }

  /** Bytes of its memory. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Of the points that are held, in the order of their indices. */
  get coordinates(): Float64Array {
    return this.#rows.memory[0];
  }

  /** Collective: holds the points that stand in some arrays, and no others. Throws MemoryError, AbortedError. */
  async hold(named: () => readonly Int32Array[], control: TeamControl): Promise<void> {
    await this.#rows.hold(named, control);
  }
}

/** Distances of a source of which each rank has some points. */
export interface DistanceParts {
  readonly points: PointParts;
  /** Collective: room for so many of them here. Throws MemoryError. */
  readonly table: (capacity: number) => PointTable;
}

/** The geometric distance of points of which each rank has some. */
export const distanceParts = (points: PointParts): DistanceParts => ({
  points,
  table: (capacity) =>
    together(points.rows.communicator, () => new PointTable(points.dimension, partsOf(points), capacity)),
});

/** Own points as distances take them: where products do, moved by the mean of all, and their norms. */
function partsOf({ dimension, rows, all }: PointParts): RowParts {
  if (all === undefined) return rows;
  const [{ values }] = rows.arrays;
  const { points, norms } = centredPoints({ dimension, count: values.length / dimension, coordinates: values }, all);
  const arrays = [
    { values: points.coordinates, width: dimension },
    { values: norms, width: 1 },
  ];
  return { ...rows, arrays };
}

/** Who works on points has them held. */
const notHeld = (index: number): Error => new RangeError(`Point ${index} is not held.`);

/** A distance between held points, by their indices. */
export class HeldDistance implements Distance {
  readonly tabulated = false;
  readonly sampleSize: number;
  readonly #held: Distance;
  readonly #rows: PlacesAmong;
  readonly #cols: PlacesAmong;
  readonly #pair: PlacesAmong;

  constructor(places: IndexPlaces, held: Distance) {
    this.#held = held;
    this.sampleSize = held.sampleSize;
    [this.#rows, this.#cols, this.#pair] = [0, 1, 2].map(() => new PlacesAmong(places, notHeld));
  }

  load(rows: Indices, cols: Indices): void {
    const held = this.#rows.of(rows);
    this.#held.load(held, cols === rows ? held : this.#cols.of(cols));
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    this.#held.between(firstRow, firstCol, out);
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    const [first, second] = this.#pair.of(Int32Array.of(p, q));
    this.#held.toTwo(first, second, this.#rows.of(indices), out, at);
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    this.#held.fromMean(this.#cols.of(sample), this.#rows.of(indices), out, at);
  }
}
