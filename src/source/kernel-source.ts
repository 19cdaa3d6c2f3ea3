/**
 * Kernel matrices over points: K_ij = k(x_i, x_j) + (ridge + nugget_i)·δ_ij, entries by blocks.
 *
 * A kernel of one argument is evaluated in place (pair-blocks.ts). One of several, a composition whose parts take
 * distances and inner products, or points mapped in different ways, has operands and a block of arguments for each of
 * them, tile by tile.
 *
 * Bits. Those of an entry are as pair-blocks.ts says: a block and its transpose are always the same bits.
 */
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import type { Indices } from '../core/indices.js';
import { describe, kindOf, requireRole } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import { asFloat64, asIndices } from '../core/numbers.js';
import { sharedFloat64, toShared } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { withBlas } from '../dense/default-blas.js';
import { block, copyInto, view, type Matrix } from '../dense/matrix.js';
import { builtIn } from '../parallel/built-in.js';
import type { EntrySource, GivenPoints, Points, SourceContext, SourceDescriptor } from './entry-source.js';
import { PairBlocks, operandsOf, type Operands } from './pair-blocks.js';
import type { Kernel, KernelDefinition, KernelInput } from './kernels/kernel.js';
import { kernelFromDefinition } from './kernels/table.js';
import { asPoints } from './points.js';

/** Options of {@link kernelSource}. */
export interface KernelSourceOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Added to the diagonal (noise variance of all points): ≥ 0, 0 unless given. */
  readonly ridge?: number | undefined;
  /** Added to the diagonal as well, the noise variance of each point: N numbers ≥ 0. */
  readonly nugget?: ArrayLike<number> | undefined;
}
/** The keys of {@link KernelSourceOptions}. */
export const KERNEL_SOURCE_KEYS: KeysOf<KernelSourceOptions> = { blas: true, ridge: 'number', nugget: true };

/** What a source is built from. */
export interface Prepared {
  /** Where the indices lie: the points as the kernel's one argument takes them, else as they were given. */
  readonly points: Points;
  /** One for each input of the kernel. */
  readonly operands: readonly Operands[];
  readonly ridge: number;
  /** ridge + nugget, where there is a nugget. */
  readonly noise: Float64Array | null;
}

/** What workers build their copies from. */
export interface KernelData extends Prepared {
  readonly definition: KernelDefinition;
}

const EACH_POINT = ': noise variances of each point are the nugget, { nugget: variances }';

/** Side of the tiles in which arguments stand side by side: half a megabyte each, of the second-level cache. */
const TILE = 256;

/**
 * The matrix K_ij = k(x_i, x_j) + (ridge + nugget_i)·δ_ij of a kernel over N points in ℝᵈ (point i is coordinates[i·d …
 * i·d + d)), evaluated by blocks on demand. The coordinates are copied only if they do not lie in shared memory, or are
 * mapped by the kernel (`ard`, `periodic`); `points` of the source are where they were mapped to, unless parts of the
 * kernel map them in different ways. Throws ShapeError, NonFiniteError, OptionError.
 */
export function kernelSource(given: GivenPoints, kernel: Kernel, options: KernelSourceOptions = {}): EntrySource {
  requireRidge((options as KernelSourceOptions | null)?.ridge);
  const backed = withBlas(options, KERNEL_SOURCE_KEYS, 'kernelSource');
  const points = asPoints(given);
  requireRole(kernel, 'kernel', 'kernelSource');
  const { ridge = 0 } = backed;
  const noise = backed.nugget === undefined ? null : noiseOf(backed.nugget, ridge, points.count);
  const source = new KernelSource({ ...prepare(points, kernel), ridge, noise }, kernel, backed.blas);
  source.requireFinite();
  return source;
}

/** Throws OptionError, which sends the noise of each point to the nugget. */
export function requireRidge(ridge: number | undefined): void {
  if (ridge === undefined || (Number.isFinite(ridge) && ridge >= 0)) return;
  throw new OptionError(
    `The ridge must be a number ≥ 0, not ${describe(ridge)}${kindOf(ridge) === 'numbers' ? EACH_POINT : ''}.`,
    { option: 'ridge', ridge: typeof ridge === 'number' ? ridge : undefined },
  );
}

/** ridge + nugget. Throws ShapeError, NonFiniteError, OptionError. */
export function noiseOf(given: ArrayLike<number>, ridge: number, count: number): Float64Array {
  const nugget = asFloat64(given, 'nugget');
  if (nugget.length !== count) {
    throw new ShapeError(
      `The nugget has ${nugget.length} numbers for ${count} points: it must hold the noise variance of each point; ` +
        'one for all of them is the ridge.',
      { length: nugget.length, points: count },
    );
  }
  const noise = sharedFloat64(count);
  for (let i = 0; i < count; i++) {
    if (!Number.isFinite(nugget[i]))
      throw new NonFiniteError(`nugget[${i}] must be a finite number ≥ 0, not ${describe(nugget[i])}.`, { index: i });
    if (nugget[i] < 0)
      throw new OptionError(`nugget[${i}] must be a number ≥ 0, not ${describe(nugget[i])}.`, {
        index: i,
        value: nugget[i],
      });
    noise[i] = ridge + nugget[i];
  }
  return noise;
}

/** The inputs of a kernel. Throws OptionError where it does not say what they are. */
export function inputsOf({ name, argument, map, inputs }: Kernel): readonly KernelInput[] {
  if (argument !== 'several') return [{ argument, map }];
  if (inputs !== undefined && inputs.length > 0) return inputs;
  throw new OptionError(
    `The kernel ${name} has argument 'several' and no inputs: sumKernels and productKernels make such kernels.`,
    { kernel: name },
  );
}

/** The points in shared memory, and the operands of every input. */
export function prepare(given: Points, kernel: Kernel): Pick<Prepared, 'points' | 'operands'> {
  const { dimension, count } = given;
  const points: Points = { dimension, count, coordinates: toShared(given.coordinates) };
  const mapped = new Map([['', points]]);
  const operands = inputsOf(kernel).map(({ argument, map }) => {
    const key = map?.key ?? '';
    const images = mapped.get(key) ?? map!.apply(points);
    mapped.set(key, images);
    return operandsOf(images, argument);
  });
  return { points: operands.length === 1 ? operands[0].points : points, operands };
}

/** A worker's copy, from the descriptor's data. */
export function openKernelSource(data: KernelData, context: SourceContext): EntrySource {
  return new KernelSource(data, kernelFromDefinition(data.definition), context.blas);
}

const WORKERS_COPY = builtIn(import.meta.url, 'openKernelSource', openKernelSource);

/** Leaves a block of arguments as it is. */
const asTheyAre = (): void => undefined;

/** Entries of a kernel matrix over points. */
export class KernelSource implements EntrySource {
  readonly size: number;
  readonly points: Points;
  readonly descriptor?: SourceDescriptor | undefined;
  readonly kernel: Kernel;
  /** The least noise: the kernel's own matrix is positive semidefinite. */
  readonly lowerBound: number;
  /** Values of the kernel where it has one input, else arguments. */
  readonly #blocks: readonly PairBlocks[];
  readonly #operands: readonly Operands[];
  readonly #norms: Float64Array;
  readonly #ridge: number;
  readonly #noise: Float64Array | null;
  /** A tile of every input, one after the other. */
  #tiles: Float64Array = new Float64Array(0);

  constructor(prepared: Prepared, kernel: Kernel, blas: Blas) {
    const { points, operands, ridge, noise } = prepared;
    this.points = points;
    this.size = points.count;
    this.kernel = kernel;
    const inputs = inputsOf(kernel);
    const evaluate =
      inputs.length > 1
        ? asTheyAre
        : (values: Float64Array, offset: number, length: number): void => {
            kernel.evaluate(values, offset, length);
          };
    const radial = inputs.length > 1 ? undefined : kernel.radial;
    this.#blocks = inputs.map(({ argument }, g) => new PairBlocks(operands[g], argument, evaluate, blas, radial));
    this.#operands = operands;
    this.#norms = operands[0].norms;
    this.#ridge = ridge;
    this.#noise = noise;
    this.lowerBound = noise?.reduce((least, one) => Math.min(least, one), Infinity) ?? ridge;
    if (kernel.definition !== undefined) {
      const data: KernelData = { points, operands, ridge, noise, definition: kernel.definition };
      this.descriptor = { ...WORKERS_COPY, data };
    }
  }

  /** What each input of the kernel is computed from: what pairs of points give, and the points, mapped. */
  get inputs(): readonly (Operands & Pick<KernelInput, 'argument'>)[] {
    return inputsOf(this.kernel).map(({ argument }, g) => ({ argument, ...this.#operands[g] }));
  }

  /** What is added to diagonal entries: one number, or one for each point. */
  get noise(): number | Float64Array {
    return this.#noise ?? this.#ridge;
  }

  entries(givenRows: Indices, givenCols: Indices, out: Matrix): void {
    const rows = asIndices(givenRows, 'rows');
    const cols = asIndices(givenCols, 'cols');
    if (rows.length === 0 || cols.length === 0) return;
    if (this.#blocks.length === 1) this.#blocks[0].fill(rows, cols, out);
    else this.#byTiles(rows, cols, out);
    if (this.#noise !== null) addNoise(rows, cols, out, this.#noise);
    else if (this.#ridge !== 0) addWhereEqual(rows, cols, out, this.#ridge);
  }

  diagonal(out: Float64Array): void {
    this.#values(out, undefined);
    const noise = this.#noise;
    if (noise !== null) for (let i = 0; i < this.size; i++) out[i] += noise[i];
    else if (this.#ridge !== 0) for (let i = 0; i < this.size; i++) out[i] += this.#ridge;
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    this.#values(out, indices);
    const noise = this.#noise;
    if (noise !== null) for (let k = 0; k < indices.length; k++) out[k] += noise[indices[k]];
    else if (this.#ridge !== 0) for (let k = 0; k < indices.length; k++) out[k] += this.#ridge;
  }

  /**
   * Throws OptionError where k is not finite at a pair of equal points: no other pair has a larger |k|. Only kernels
   * that may grow without bound are looked at.
   */
  requireFinite(): void {
    const { kernel } = this;
    if (kernel.composition === undefined && kernel.argument !== 'innerProduct') return;
    let point: number;
    let value: number;
    if (kernel.composition === undefined) {
      point = 0;
      for (let i = 1; i < this.size; i++) if (this.#norms[i] > this.#norms[point]) point = i;
      const one = this.#norms.slice(point, point + 1);
      kernel.evaluate(one, 0, 1);
      [value] = one;
    } else {
      const values = new Float64Array(this.size);
      this.#values(values, undefined);
      point = Math.max(
        0,
        values.findIndex((one) => !Number.isFinite(one)),
      );
      value = values[point];
    }
    if (Number.isFinite(value)) return;
    const where = kernel.argument === 'innerProduct' ? `, whose squared norm is ${this.#norms[point]}` : '';
    throw new OptionError(
      `The kernel ${kernel.name} is ${value} at point ${point}${where}: raise the bandwidth, lower the degree, or ` +
        'scale the points.',
      { kernel: kernel.name, point },
    );
  }

  /** out[k] ← k(x_i, x_i) of i = indices[k], or of every point, i = k. */
  #values(out: Float64Array, indices: Indices | undefined): void {
    const blocks = this.#blocks;
    if (blocks.length === 1) {
      blocks[0].diagonal(out, 0, indices);
      return;
    }
    const count = indices?.length ?? this.size;
    const values = new Float64Array(blocks.length * count);
    blocks.forEach((one, g) => {
      one.diagonal(values, g * count, indices);
    });
    this.kernel.evaluate(values, 0, count);
    out.set(values.subarray(0, count));
  }

  /** Square tiles, so that those of a block are those of its transpose. */
  #byTiles(rows: Indices, cols: Indices, out: Matrix): void {
    const blocks = this.#blocks;
    const most = blocks.length * Math.min(TILE, rows.length) * Math.min(TILE, cols.length);
    if (this.#tiles.length < most) this.#tiles = new Float64Array(most);
    for (let j = 0; j < cols.length; j += TILE) {
      const n = Math.min(TILE, cols.length - j);
      for (let i = 0; i < rows.length; i += TILE) {
        const m = Math.min(TILE, rows.length - i);
        blocks.forEach((one, g) => {
          one.fill(rows.subarray(i, i + m), cols.subarray(j, j + n), view(this.#tiles, g * m * n, m, n));
        });
        this.kernel.evaluate(this.#tiles, 0, m * n);
        copyInto(block(out, i, j, m, n), view(this.#tiles, 0, m, n));
      }
    }
  }
}

function addNoise(rows: Indices, cols: Indices, { data, offset, ld }: Matrix, noise: Float64Array): void {
  for (let b = 0; b < cols.length; b++) {
    const col = cols[b];
    for (let a = 0; a < rows.length; a++) if (rows[a] === col) data[offset + a + b * ld] += noise[col];
  }
}

function addWhereEqual(rows: Indices, cols: Indices, { data, offset, ld }: Matrix, value: number): void {
  for (let b = 0; b < cols.length; b++) {
    const col = cols[b];
    for (let a = 0; a < rows.length; a++) if (rows[a] === col) data[offset + a + b * ld] += value;
  }
}
