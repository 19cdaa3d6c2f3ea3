/**
 * A hierarchical matrix in the Kronecker eigenbasis: G̃ = Q·H·Qᵀ + complement. Layer 5.
 */
import { OptionError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix.js';
import { combine } from '../operator/block-arithmetic.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { Shared, Team } from '../parallel/team.js';
import { addRotatedDiagonal } from './rotated-diagonal.js';
import { rotateBack, rotateInto, stageVectors, type BasisLayer, type RotationState } from './rotation.js';

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
  /** ‖G‖_F, and ‖G − G̃‖_F/‖G‖_F: the energy left out, summed as it was left out, so exact up to rounding. */
  readonly norm: number;
  readonly error: number;
  readonly seconds: { readonly rotate: number; readonly energies: number; readonly choose: number; readonly fill: number; readonly total: number };
}

/** Vectors multiplied at a time. */
const CHUNK = 64;

/** What workers hold for matrices that nobody holds any more is let go of; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/**
 * Symmetric N × N, float64; products with float32 vectors are taken in float64. Leaving blocks out does not keep eigenvalues above zero: G̃ may have negative ones, at worst
 * −error·‖G‖_F.
 */
export class KroneckerHierarchicalMatrix implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly layers: readonly BasisLayer[];
  /** H in the rotated indices; null where it has none (then G̃ is the complement alone). */
  readonly core: HierarchicalMatrix | null;
  readonly report: KroneckerHierarchicalReport;
  readonly #rotatedSize: number;
  readonly #team: Team;
  readonly #graphs: (TaskGraph | undefined)[] = [];
  #rotation: Shared<RotationState> | undefined;
  #released = false;

  constructor(layers: readonly BasisLayer[], core: HierarchicalMatrix | null, size: number, report: KroneckerHierarchicalReport, team: Team) {
    this.rows = size;
    this.cols = size;
    this.layers = layers;
    this.core = core;
    this.report = report;
    this.#rotatedSize = core?.rows ?? 0;
    this.#team = team;
  }

  get size(): number { return this.rows; }

  /** ‖G − G̃‖_F/‖G‖_F, exact up to rounding. */
  get error(): number { return this.report.error; }

  get bytes(): number { return this.memory().bytes; }

  get share(): number { return this.memory().share; }

  /**
   * out ← α·G̃·X + β·out, shapes taken on trust. A vector costs two products with H's stored numbers (four flops for each off the diagonal) and 4·Σ width·units·(directions + outputs)
   * flops for the basis.
   */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    for (let first = 0; first < x.cols; first += CHUNK) {
      const p = Math.min(CHUNK, x.cols - first);
      const shared = this.#prepare(p);
      const { incoming, rotated, multiplied, outgoing } = shared.state;
      stageVectors(incoming, view(x.data, x.offset + first * x.ld, x.rows, p, x.ld));
      const graph = (this.#graphs[p] ??= independentTasks(p * this.layers.length));
      if (this.core !== null) {
        this.#team.runSync(rotateInto, shared, graph, undefined);
        this.core.applyUnchecked(view(multiplied, 0, this.#rotatedSize, p), view(rotated, 0, this.#rotatedSize, p), 1, 0);
      }
      this.#team.runSync(rotateBack, shared, graph, undefined);
      combine(view(out.data, out.offset + first * out.ld, out.rows, p, out.ld), alpha, view(outgoing, 0, this.rows, p), beta);
    }
  }

  /** G̃(i, i). A pass over the stored blocks and a GEMM for each output unit (rotated-diagonal.ts): seconds where a product takes tenths of one. */
  diagonal(): Float64Array {
    const out = new Float64Array(this.rows);
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

  /** Frees what the workers hold; the matrix cannot multiply any more. */
  release(): void {
    this.#released = true;
    this.#letGo();
    this.core?.release();
  }

  #prepare(vectors: number): Shared<RotationState> {
    if (this.#released) throw new OptionError('The matrix was released.');
    const width = vectors === 1 ? 1 : CHUNK;
    if (this.#rotation !== undefined && this.#rotation.state.width >= width) return this.#rotation;
    this.#letGo();
    const [size, rotatedSize] = [this.rows, this.#rotatedSize];
    const shared = this.#team.shareNow<RotationState>({
      layers: this.layers, size, rotatedSize, width,
      incoming: sharedFloat64(size * width), rotated: sharedFloat64(rotatedSize * width), multiplied: sharedFloat64(rotatedSize * width), outgoing: sharedFloat64(size * width),
    });
    const team = this.#team;
    abandoned.register(this, () => team.release(shared), this);
    this.#rotation = shared;
    return shared;
  }

  #letGo(): void {
    if (this.#rotation !== undefined) this.#team.release(this.#rotation);
    abandoned.unregister(this);
    this.#rotation = undefined;
  }
}
