/**
 * Products Q·H·Qᵀ + complement in a Kronecker basis, H any operator over the rotated indices, with the workspace that
 * they keep.
 */
import { OptionError } from '../../core/errors.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { addScaled, combine } from '../../operator/block-arithmetic.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { independentTasks, type TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { rotateBack, rotateInto, stageVectors, type BasisLayer, type RotationState } from './rotation.js';

/** Vectors multiplied at a time. */
const CHUNK = 64;

/** Releases what workers hold for products that have been garbage-collected; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** What a product multiplies with beside the basis. */
export interface RotatedCore {
  /** H over the rotated indices; null where it is 0. */
  readonly core: LinearOperator | null;
  /** γ, default 0. */
  readonly gamma?: number | undefined;
}

/** Multiplies by Q·H·Qᵀ + complement on a team; the rotated vectors lie in a workspace that grows on demand. */
export class RotatedProduct {
  readonly #layers: readonly BasisLayer[];
  readonly #size: number;
  readonly #rotatedSize: number;
  readonly #team: Team;
  readonly #graphs: (TaskGraph | undefined)[] = [];
  #rotation: Shared<RotationState> | undefined;
  #released = false;

  constructor(layers: readonly BasisLayer[], size: number, rotatedSize: number, team: Team) {
    this.#layers = layers;
    this.#size = size;
    this.#rotatedSize = rotatedSize;
    this.#team = team;
  }

  /** out ← α·(Q·H·Qᵀ + complement + γI)·X + β·out; shapes taken on trust; out may be X. */
  applyUnchecked({ core, gamma = 0 }: RotatedCore, out: Matrix, x: Matrix, alpha: number, beta: number): void {
    for (let first = 0; first < x.cols; first += CHUNK) {
      const p = Math.min(CHUNK, x.cols - first);
      const shared = this.#prepare(p);
      const { incoming, rotated, multiplied, outgoing } = shared.state;
      stageVectors(incoming, view(x.data, x.offset + first * x.ld, x.rows, p, x.ld));
      const graph = (this.#graphs[p] ??= independentTasks(p * this.#layers.length));
      if (core !== null) {
        this.#team.runSync(rotateInto, shared, graph, undefined);
        core.applyUnchecked(view(multiplied, 0, this.#rotatedSize, p), view(rotated, 0, this.#rotatedSize, p), 1, 0);
      }
      this.#team.runSync(rotateBack, shared, graph, undefined);
      const product = view(outgoing, 0, this.#size, p);
      if (gamma !== 0) addScaled(product, gamma, view(incoming, 0, this.#size, p));
      combine(view(out.data, out.offset + first * out.ld, out.rows, p, out.ld), alpha, product, beta);
    }
  }

  /** Frees what the workers hold; nothing can be multiplied any more. */
  release(): void {
    this.#released = true;
    this.#letGo();
  }

  /** Throws OptionError after `release`. */
  requireUsable(): void {
    if (this.#released) throw new OptionError('The matrix was released.');
  }

  #prepare(vectors: number): Shared<RotationState> {
    this.requireUsable();
    const width = vectors === 1 ? 1 : CHUNK;
    if (this.#rotation !== undefined && this.#rotation.state.width >= width) return this.#rotation;
    this.#letGo();
    const [size, rotatedSize] = [this.#size, this.#rotatedSize];
    const shared = this.#team.shareNow<RotationState>({
      layers: this.#layers,
      size,
      rotatedSize,
      width,
      incoming: sharedFloat64(size * width),
      rotated: sharedFloat64(rotatedSize * width),
      multiplied: sharedFloat64(rotatedSize * width),
      outgoing: sharedFloat64(size * width),
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
