/**
 * A sum of Kronecker products for a Gauss–Newton Hessian: G̃ = Q·H̃·Qᵀ + complement.
 */
import { requireWhole } from '../../core/checks.js';
import { precisionOf, type Precision } from '../../core/floats.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Matrix } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import { toDense } from '../../operator/to-dense.js';
import type { Team } from '../../parallel/team.js';
import { RotatedProduct } from '../eigenbasis/product.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import type { KroneckerSumData } from './data.js';
import { addSumDiagonal, sumTrace } from './diagonal.js';
import { KroneckerSumSource } from './entries.js';
import { KroneckerSumCore } from './product.js';
import { sumTables } from './tables.js';

/** Bytes by part; `share` is relative to the N² numbers of a dense matrix in float64. */
export interface KroneckerSumMemory {
  /** U_A and U_Γ of all layers. */
  readonly basis: number;
  /** c·A of the last layer, and K-FAC's diagonals of what is not kept. */
  readonly complement: number;
  /** All M_j, and what is kept of all S_j. */
  readonly mixing: number;
  readonly blocks: number;
  /** Groups, panels and offsets. */
  readonly structure: number;
  readonly bytes: number;
  readonly share: number;
}

/** What the compression kept and left out, and how long it took. */
export interface KroneckerSumReport {
  /** N and n. */
  readonly size: number;
  readonly samples: number;
  /** By pair of layers, from 0: how many modes of how many have blocks that are kept. */
  readonly modes: readonly {
    readonly lower: number;
    readonly upper: number;
    readonly kept: number;
    readonly of: number;
  }[];
  readonly panels: number;
  /** ‖G‖_F, and ‖G − G̃‖_F/‖G‖_F: the energy left out, summed as it was left out; estimates with an interval. */
  readonly norm: number;
  readonly error: number;
  /** Of streamed modes: where the error lies with 95 % confidence, from so many test vectors. */
  readonly interval?: { readonly low: number; readonly high: number; readonly probes: number } | undefined;
  /**
   * By how much rounding may make the true relative error differ from `error`; in float32 that of the stored numbers
   * too, not that of products.
   */
  readonly rounding: number;
  /**
   * Where it was made positive semidefinite: δ; λ_min without it, as it was found, and within what an eigenvalue lies
   * there (rounding, where all of them were computed); how often the stored numbers were lifted before.
   */
  readonly semidefinite?:
    { readonly shift: number; readonly smallest: number; readonly bound: number; readonly lifts: number } | undefined;
  /** Whether the asked tolerance was met. Undefined where a share of the memory was asked for. */
  readonly met?: boolean | undefined;
  readonly seconds: {
    readonly rotate: number;
    readonly modes: number;
    readonly choose: number;
    readonly fill: number;
    readonly total: number;
  };
}

/** Options of a Kronecker sum's `source`. */
export interface SumSourceOptions {
  /**
   * Bytes that tables of entries may take, all pairs of layers together, shared by all workers. Default 2³¹; 0: none,
   * for few and large blocks.
   */
  readonly tableMemory?: number | undefined;
}
/** The keys of {@link SumSourceOptions}. */
const SUM_SOURCE_KEYS: KeysOf<SumSourceOptions> = { tableMemory: 'number' };
const TABLE_MEMORY = 2 ** 31;

/**
 * Symmetric N × N; products are taken in the precision of the stored numbers, whatever that of the vectors.
 * G̃ may have negative eigenvalues, none
 * below `lowerBound`, unless it was made positive semidefinite (semidefinite.ts).
 */
export class KroneckerSumMatrix implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly layers: readonly BasisLayer[];
  readonly data: KroneckerSumData;
  readonly report: KroneckerSumReport;
  readonly #team: Team;
  readonly #core: KroneckerSumCore | null;
  readonly #product: RotatedProduct;

  constructor(
    layers: readonly BasisLayer[],
    data: KroneckerSumData,
    size: number,
    report: KroneckerSumReport,
    team: Team,
  ) {
    this.rows = size;
    this.cols = size;
    this.layers = layers;
    this.data = data;
    this.report = report;
    this.#team = team;
    this.#core = data.size === 0 ? null : new KroneckerSumCore(data, team);
    this.#product = new RotatedProduct(layers, size, data.size, team);
  }

  get size(): number {
    return this.rows;
  }

  /** That of the stored S_j and M_j. */
  get precision(): Precision {
    return precisionOf(this.data.values);
  }

  /** ‖G − G̃‖_F/‖G‖_F, exact up to `report.rounding`; an estimate where `report.interval` says so. */
  get error(): number {
    return this.report.error;
  }

  /**
   * No eigenvalue of G̃ lies below it (H. Weyl): −‖G − G̃‖_F, with what rounding may add to that, as G ≽ 0; with
   * streamed modes, with 95 % confidence. So G̃ + λI is positive definite for every λ above −lowerBound.
   */
  get lowerBound(): number {
    const { norm, error, interval, rounding } = this.report;
    return -((interval?.high ?? error) + rounding) * norm;
  }

  get bytes(): number {
    return this.memory().bytes;
  }

  get share(): number {
    return this.memory().share;
  }

  /** out ← α·G̃·X + β·out, shapes taken on trust. Flops as `flops` says, all of them GEMM. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#product.applyUnchecked({ core: this.#core }, out, x, alpha, beta);
  }

  /** About 4·units for each number of an S_j, and 4·Σ width·units·(directions + outputs) for the basis, a vector. */
  flops(vectors: number): number {
    const basis = this.layers.reduce(
      (sum, { width, units, outputs, inputVectors }) => sum + 4 * width * units * (inputVectors.cols + outputs),
      0,
    );
    return (this.#core?.flops(vectors) ?? 0) + basis * vectors;
  }

  /** out[i] ← G̃(i, i); returns `out`. A pass over the stored numbers and a GEMM for each output unit (diagonal.ts). */
  diagonal(out: Float64Array = new Float64Array(this.rows)): Float64Array {
    out.fill(0);
    addSumDiagonal(this.layers, this.data, out, this.#team.blas);
    return out;
  }

  /** tr G̃, from the diagonals of what is stored. */
  trace(): number {
    return sumTrace(this.layers, this.data);
  }

  /** All N² entries; for small matrices and tests. Throws MemoryError. */
  toDense(): Matrix<Float64Array> {
    return toDense(this);
  }

  memory(): KroneckerSumMemory {
    let basis = 0;
    let complement = 0;
    for (const { inputVectors, outputVectors, complement: gram } of this.layers) {
      basis += inputVectors.data.byteLength + (outputVectors?.data.byteLength ?? 0);
      complement += gram?.data.byteLength ?? 0;
    }
    for (const term of this.data.terms)
      complement += term === null ? 0 : term.inputs.byteLength + term.units.byteLength;
    const { mixing, values, groups, panels, mixingBegin, valuesBegin } = this.data;
    const structure = groups.byteLength + panels.byteLength + mixingBegin.byteLength + valuesBegin.byteLength;
    const bytes = basis + complement + mixing.byteLength + values.byteLength + structure;
    return {
      basis,
      complement,
      mixing: mixing.byteLength,
      blocks: values.byteLength,
      structure,
      bytes,
      share: bytes / (8 * this.rows * this.rows),
    };
  }

  /**
   * Entries of G̃, blocks and single ones, evaluated from what is stored, on any worker; its `operator` is this matrix.
   * The diagonal is computed now. An entry of a pair of layers that has tables costs 2·modes flops; their rows are
   * filled, and take memory, as they are first asked for (tables.ts). A block of a pair without costs a pass over the
   * pair's stored numbers, a single entry as much. `tables` of the source says which bytes and pairs. Throws
   * OptionError, MemoryError.
   */
  source(options: SumSourceOptions = {}): KroneckerSumSource {
    const { tableMemory = TABLE_MEMORY } = requireKnownOptions(options, SUM_SOURCE_KEYS, 'source of a Kronecker sum');
    requireWhole(tableMemory, 'tableMemory', 0);
    const { size, layers, data } = this;
    const diagonal = sharedFloat64(size);
    this.diagonal(diagonal);
    const tables = sumTables(layers, data, tableMemory);
    return new KroneckerSumSource({ size, layers, data, tables, diagonal }, { blas: this.#team.blas }, this);
  }

  /** Frees what the workers hold; the matrix cannot multiply any more. */
  release(): void {
    this.#product.release();
    this.#core?.release();
  }
}
trustClass(KroneckerSumMatrix);
