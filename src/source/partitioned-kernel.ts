/**
 * Kernel matrices over points of which each of several ranks has some, and brings those of others that it works on.
 */
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { HmatrixError, ShapeError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { withBlas } from '../dense/default-blas.js';
import type { Blas } from '../dense/blas.js';
import type { Communicator } from '../distributed/communicator.js';
import { rowsOfAll, stretches, sumInOrder, type OwnRows, type RowParts } from '../distributed/row-parts.js';
import { together } from '../distributed/together.js';
import { requireAlike } from '../distributed/alike.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { Indices } from '../core/indices.js';
import type { EntrySource, GivenPoints, Points, PointSums, SourceParts } from './entry-source.js';
import { HeldRows } from './held-rows.js';
import { HeldSource, notHeld } from './held-source.js';
import {
  inputsOf,
  KERNEL_SOURCE_KEYS,
  kernelSource,
  KernelSource,
  noiseOf,
  prepare,
  requireRidge,
  type KernelSourceOptions,
  type Prepared,
} from './kernel-source.js';
import type { Kernel } from './kernels/kernel.js';
import { isCentred, operandsOf, type Operands } from './pair-blocks.js';
import { addPoints, asOwnPoints, LARGEST_DIRECT_DIMENSION } from './points.js';

/**
 * The matrix of `kernelSource` over the points of all ranks: `own` are this rank's, if any, and `options.nugget` is
 * theirs; indices count through the ranks in order. For `compress`, `tune`, `estimateError`, `findNeighbors` and
 * `buildClusterTree` on the ranks of that team, which bring the points that they work on from who has them; entries
 * cannot be asked for by anything else, as products with K itself do. Same bits as `kernelSource` of all points in one
 * process. Memory on each rank: its own points and those that are brought, which are all of them for trees that were
 * given, orders that no points tell, some zeros on the diagonal, `blockErrors`, and exhaustive searches for neighbors;
 * of a kernel whose diagonal is not constant, or with a nugget, 8 bytes an index. Collective; a team of one process
 * has all points. Throws what `kernelSource` does, on all ranks, points counted among those of the rank that is named,
 * and CommunicationError where dimensions, kernels or ridges differ.
 *
 * ```js
 * const team = await openTeam({ communicator: await openMpi() });
 * const own = await readPoints('points.npy', { part: team.communicator });
 * const source = await partitionedKernelSource(own, gaussian(0.5), {}, { team });
 * const matrix = await compress(source, { tolerance: 1e-6 }, { team });
 * ```
 */
export async function partitionedKernelSource(
  own: GivenPoints,
  kernel: Kernel,
  options: KernelSourceOptions = {},
  given: Control = {},
): Promise<EntrySource> {
  const control = await onTeam(given, 'partitionedKernelSource');
  const { communicator } = control.team;
  if (communicator.size === 1) return kernelSource(own, kernel, options);
  const { backed, noise, alone } = together(communicator, () => {
    requireRidge((options as KernelSourceOptions | null)?.ridge);
    const backed = withBlas(options, KERNEL_SOURCE_KEYS, 'partitionedKernelSource');
    requireRole(kernel, 'kernel', 'partitionedKernelSource');
    return ofOwnPoints(communicator, () => {
      const points = asOwnPoints(own);
      const noise = backed.nugget === undefined ? null : noiseOf(backed.nugget, backed.ridge ?? 0, points.count);
      return { backed, noise, alone: prepare(points, kernel) };
    });
  });
  const { ridge = 0, blas } = backed;
  requireAlike(communicator, 'partitionedKernelSource', {
    dimensions: String(own.dimension),
    kernels: `${kernel.name} ${JSON.stringify(kernel.definition)}`,
    ridges: `${ridge} ${backed.nugget === undefined}`,
  });
  const begin = stretches(communicator, alone.points.count);
  const count = begin[communicator.size];
  if (count === 0) throw new ShapeError('A source needs at least one point, and no rank has any.', { count });
  const { operands, all } = movedByAll(alone, kernel, { communicator, count });
  const prepared = { points: alone.points, operands, ridge, noise };
  const here = together(communicator, () => {
    const here = new KernelSource(prepared, kernel, blas);
    if (here.size > 0) ofOwnPoints(communicator, () => here.requireFinite());
    return here;
  });
  const least = Float64Array.of(here.lowerBound);
  communicator.allreduce(least, 'min');
  const rows = { communicator, begin, arrays: arraysOf(prepared, communicator) };
  const diagonal = diagonalOf(here, rows);
  return new PartitionedSource({ prepared, kernel, blas, rows, all, diagonal, lowerBound: least[0] });
}

/** Runs `act`, whose errors number a rank's own points. */
function ofOwnPoints<T>({ rank, size }: Communicator, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof HmatrixError) error.message += ` (Of the points of rank ${rank} of ${size}, counted from 0.)`;
    throw error;
  }
}

/** Collective: operands moved by the mean of all points, where products tell distances, and the sums of `points`. */
function movedByAll(
  { points, operands }: Pick<Prepared, 'points' | 'operands'>,
  kernel: Kernel,
  { communicator, count }: { readonly communicator: Communicator; readonly count: number },
): { readonly operands: readonly Operands[]; readonly all: PointSums | undefined } {
  const known = new Map<Points, PointSums>();
  const sumsOf = (some: Points): PointSums => {
    const had = known.get(some);
    if (had !== undefined) return had;
    const sums = new Float64Array(some.dimension + 1);
    sumInOrder(communicator, sums, () => {
      addPoints(sums, some);
    });
    known.set(some, { count, sums });
    return { count, sums };
  };
  const arguments_ = inputsOf(kernel).map(({ argument }) => argument);
  const sums = operands.map(({ points }, g) =>
    isCentred(arguments_[g], points.dimension) ? sumsOf(points) : undefined,
  );
  const moved = together(communicator, () =>
    operands.map((one, g) => (sums[g] === undefined ? one : operandsOf(one.points, arguments_[g], sums[g]))),
  );
  return { operands: moved, all: points.dimension > LARGEST_DIRECT_DIMENSION ? sumsOf(points) : undefined };
}

/** Collective: the arrays that own entries are computed from, each once. Who has no points learns how wide they are. */
function arraysOf({ points, operands, noise }: Prepared, communicator: Communicator): OwnRows[] {
  const arrays = new Set([points.coordinates]);
  for (const { points, operand, norms } of operands) arrays.add(points.coordinates).add(operand).add(norms);
  if (noise !== null) arrays.add(noise);
  const widths = Int32Array.from(arrays, ({ length }) => (points.count === 0 ? 0 : length / points.count));
  communicator.allreduce(widths, 'max');
  return Array.from(arrays, (values, k) => ({ values, width: widths[k] }));
}

/** Collective: the diagonal of all, a number where it is constant, else gathered. */
function diagonalOf(here: KernelSource, { communicator, begin }: RowParts): number | Float64Array {
  const { rank, size } = communicator;
  if (typeof here.noise === 'number' && here.inputs.every(({ argument }) => argument !== 'innerProduct')) {
    const value = Float64Array.of(-Infinity);
    if (here.size > 0) here.diagonalAt(Int32Array.of(0), value);
    communicator.allreduce(value, 'max');
    return value[0];
  }
  const all = together(communicator, () => {
    const all = sharedFloat64(begin[size]);
    here.diagonal(all.subarray(begin[rank], begin[rank + 1]));
    return all;
  });
  communicator.allgather(
    undefined,
    all,
    begin.subarray(1).map((end, r) => end - begin[r]),
  );
  return all;
}

/** What a rank has of a source, and what is known of all of it. */
interface PartitionedData {
  /** Of own points. */
  readonly prepared: Prepared;
  /** Its arrays. */
  readonly rows: RowParts;
  readonly all: PointSums | undefined;
  readonly kernel: Kernel;
  readonly blas: Blas;
  readonly diagonal: number | Float64Array;
  readonly lowerBound: number;
}

/** The source of all ranks. */
class PartitionedSource implements EntrySource {
  readonly size: number;
  readonly lowerBound: number;
  readonly parts: SourceParts;
  readonly #diagonal: number | Float64Array;

  constructor(data: PartitionedData) {
    const { prepared, rows, all, lowerBound, diagonal } = data;
    const { dimension } = prepared.points;
    this.size = rowsOfAll(rows);
    this.lowerBound = lowerBound;
    this.#diagonal = diagonal;
    let held: HeldRows | undefined;
    const turn = sharedInt32(1);
    this.parts = {
      points: { dimension, count: this.size, rows: { ...rows, arrays: rows.arrays.slice(0, 1) }, all },
      holding: async (named, keeps, control) => {
        turn[0]++;
        held ??= together(rows.communicator, () => new HeldRows(rows));
        await (keeps ? held.add(named, control) : held.hold(named, control));
        return entriesAmong(data, held, turn);
      },
      letGo: () => {
        turn[0]++;
        const bytes = held?.bytes ?? 0;
        held = undefined;
        return bytes;
      },
    };
  }

  entries(rows: Indices): void {
    if (rows.length > 0) throw notHeld(rows[0]);
  }

  diagonal(out: Float64Array): void {
    if (typeof this.#diagonal === 'number') out.fill(this.#diagonal, 0, this.size);
    else out.set(this.#diagonal);
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    const diagonal = this.#diagonal;
    for (let k = 0; k < indices.length; k++) out[k] = typeof diagonal === 'number' ? diagonal : diagonal[indices[k]];
  }
}

/** Entries among the indices whose rows were brought, while it is their turn. */
function entriesAmong(
  { prepared, rows, kernel, blas }: PartitionedData,
  { places, count, arrays }: HeldRows,
  turn: Int32Array,
): EntrySource {
  const held = (values: Float64Array): Float64Array => arrays[rows.arrays.findIndex((own) => own.values === values)];
  const among = ({ dimension, coordinates }: Points): Points => ({ dimension, count, coordinates: held(coordinates) });
  const { points, operands, ridge, noise } = prepared;
  const data: Prepared = {
    points: among(points),
    operands: operands.map(({ points, operand, norms }) => ({
      points: among(points),
      operand: held(operand),
      norms: held(norms),
    })),
    ridge,
    noise: noise === null ? null : held(noise),
  };
  return new HeldSource({ size: rowsOfAll(rows), places, turn, own: turn[0] }, new KernelSource(data, kernel, blas));
}
