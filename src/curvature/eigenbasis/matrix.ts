/**
 * A hierarchical matrix in the Kronecker eigenbasis: G̃ = Q·H·Qᵀ + complement.
 */
import type { Matrix } from '../../dense/matrix.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { trustClass } from '../../operator/self-check.js';
import type { Team } from '../../parallel/team.js';
import { addRotatedDiagonal } from './diagonal.js';
import { RotatedProduct } from './product.js';
import type { BasisLayer } from './rotation.js';

/** Bytes by part; `share` is relative to the N² numbers of a dense matrix in float64. */
export interface KroneckerHierarchicalMemory {
  /** U_A and U_Γ of all layers. */
  readonly basis: number;
  /** c·A of the last layer. */
  readonly complement: number;
  /** Blocks of H off and on the diagonal. */
  readonly near: number;
  readonly diagonal: number;
  /** Order, tree, lists and offsets of H. */
  readonly structure: number;
  readonly bytes: number;
  readonly share: number;
}

/** What the compression kept and left out, and how long it took. */
export interface KroneckerHierarchicalReport {
  /** N, and the order of H with and without its rows of zeros. */
  readonly size: number;
  readonly rotatedSize: number;
  readonly keptSize: number;
  readonly leaves: number;
  /** Largest leaf. */
  readonly leafSize: number;
  /** Blocks stored above the diagonal. */
  readonly blocks: number;
  /**
   * ‖G‖_F, and ‖G − G̃‖_F/‖G‖_F: the energy left out, summed as it was left out, so exact up to rounding. NaN with
   * `preserve`, which does not look at entries off the diagonal before it chooses.
   */
  readonly norm: number;
  readonly error: number;
  /**
   * Whether the asked tolerance was met: blocks are kept until it is. Undefined where a share of the memory was asked
   * for.
   */
  readonly met?: boolean | undefined;
  /**
   * With `preserve` (principal-choice.ts): the indices of S, and the trace of H on all others, a bound of its largest
   * eigenvalue there.
   */
  readonly principal?: { readonly size: number; readonly traceOutside: number } | undefined;
  readonly seconds: {
    readonly rotate: number;
    readonly energies: number;
    readonly choose: number;
    readonly fill: number;
    readonly total: number;
  };
}

/**
 * Symmetric N × N, float64; products with float32 vectors are taken in float64. Leaving blocks out does not keep
 * eigenvalues above zero: G̃ may have negative ones, at worst −error·‖G‖_F, but not with `preserve`.
 */
export class KroneckerHierarchicalMatrix implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly layers: readonly BasisLayer[];
  /** H in the rotated indices; null where it has none (then G̃ is the complement alone). */
  readonly core: HierarchicalMatrix | null;
  readonly report: KroneckerHierarchicalReport;
  readonly #team: Team;
  readonly #product: RotatedProduct;

  constructor(
    layers: readonly BasisLayer[],
    core: HierarchicalMatrix | null,
    size: number,
    report: KroneckerHierarchicalReport,
    team: Team,
  ) {
    this.rows = size;
    this.cols = size;
    this.layers = layers;
    this.core = core;
    this.report = report;
    this.#team = team;
    this.#product = new RotatedProduct(layers, size, core?.rows ?? 0, team);
  }

  get size(): number {
    return this.rows;
  }

  /** ‖G − G̃‖_F/‖G‖_F, exact up to rounding; NaN with `preserve` (operatorError measures it). */
  get error(): number {
    return this.report.error;
  }

  get bytes(): number {
    return this.memory().bytes;
  }

  get share(): number {
    return this.memory().share;
  }

  /**
   * out ← α·G̃·X + β·out, shapes taken on trust. A vector costs two products with H's stored numbers (four flops for
   * each off the diagonal) and 4·Σ width·units·(directions + outputs) flops for the basis.
   */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    this.#product.applyUnchecked(this, out, x, alpha, beta);
  }

  /** As `applyUnchecked` says. */
  flops(vectors: number): number {
    const basis = this.layers.reduce(
      (sum, { width, units, outputs, inputVectors }) => sum + 4 * width * units * (inputVectors.cols + outputs),
      0,
    );
    return (this.core?.flops(vectors) ?? 0) + basis * vectors;
  }

  /**
   * out[i] ← G̃(i, i); returns `out`. A pass over the stored blocks and a GEMM for each output unit (diagonal.ts):
   * seconds where a product takes tenths of one.
   */
  diagonal(out: Float64Array = new Float64Array(this.rows)): Float64Array {
    out.fill(0);
    addRotatedDiagonal(this.layers, this.core?.data ?? null, out, this.#team.blas);
    return out;
  }

  memory(): KroneckerHierarchicalMemory {
    let basis = 0;
    let complement = 0;
    for (const { inputVectors, outputVectors, complement: gram } of this.layers) {
      basis += inputVectors.data.byteLength + (outputVectors?.data.byteLength ?? 0);
      complement += gram?.data.byteLength ?? 0;
    }
    const { near, diagonal, structure } = this.core?.memory() ?? { near: 0, diagonal: 0, structure: 0 };
    const bytes = basis + complement + near + diagonal + structure;
    return { basis, complement, near, diagonal, structure, bytes, share: bytes / (8 * this.rows * this.rows) };
  }

  /** Throws OptionError after `release`. */
  requireUsable(): void {
    this.#product.requireUsable();
  }

  /** Frees what the workers hold; the matrix cannot multiply any more. */
  release(): void {
    this.#product.release();
    this.core?.release();
  }
}
trustClass(KroneckerHierarchicalMatrix);
