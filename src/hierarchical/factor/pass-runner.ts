/**
 * Passes of a factorization over blocks of vectors in chunks of columns, with their workspace: on one team, or with the
 * other ranks that have the matrix.
 */
import { sharedFloats, type FloatArray } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import type { Matrix } from '../../dense/matrix.js';
import type { RowShare } from '../../operator/row-share.js';
import type { TaskGraph } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import type { HierarchicalData } from '../matrix/data.js';
import { placesOf } from '../matrix/transposed-vectors.js';
import { VectorChunks } from '../matrix/vector-chunks.js';
import { placesOfRows, type OwnRows } from '../ranks/own-rows.js';
import { wholeOrder } from '../ranks/whole.js';
import type { FactorEngine } from './engine.js';
import { passGraph, type PassArguments, type PassKind, type PassVectors } from './pass.js';
import { RankSolve } from './rank-solve.js';

/** Releases what workers hold for runners that have been garbage-collected; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** Runs passes with the factors that an engine holds, and keeps the workspace of the widest one. */
export class PassRunner {
  readonly #data: HierarchicalData;
  readonly #engine: FactorEngine;
  readonly #team: Team;
  readonly #chunks: VectorChunks;
  #shared: Shared<PassVectors> | undefined;
  #graph: TaskGraph | undefined;
  #ranks: RankSolve | undefined;
  readonly #rows: () => RowShare;
  #own: OwnRows | undefined;

  /** `rows`: which rows of vectors are this rank's. */
  constructor(data: HierarchicalData, engine: FactorEngine, team: Team, rows: () => RowShare) {
    this.#data = data;
    this.#rows = rows;
    this.#engine = engine;
    this.#team = team;
    this.#chunks = new VectorChunks(data.tree.size, engine.bytesOfVector, team.communicator);
  }

  /** Rows of vectors that are this rank's own; of a rank alone, all. */
  get ownCount(): number {
    return this.#rows().rows;
  }

  /** out ← α·(pass of x) + β·out, N × p. Where several ranks have the matrix: collective, the same on all of them. */
  run(kind: PassKind, out: Matrix, x: Matrix, alpha: number, beta: number): void {
    const shared = this.#prepare(x.cols, true);
    this.#chunks.run(out, x, shared.state.width, beta !== 0, (to, from) => {
      this.#pass(shared, { kind, x: from, out: to, alpha, beta });
    });
  }

  /**
   * Own rows of α·(pass of x) + β·out, (own rows) × p: a solve takes own rows, too, the other passes all N. Row r is
   * that of the index at place r of the rank's part of the tree's order.
   */
  runOwn(kind: PassKind, out: Matrix, x: Matrix, alpha = 1, beta = 0): void {
    const own = (this.#own ??= placesOfRows(this.#rows()));
    const shared = this.#prepare(x.cols, false);
    this.#chunks.run(out, x, shared.state.width, beta !== 0, (to, from) => {
      this.#pass(shared, { kind, x: from, out: to, alpha, beta, own });
    });
  }

  /** Frees the workspace, the workers' too; a later pass makes it anew. */
  release(): void {
    this.#letGo();
    this.#chunks.release();
  }

  /** Room for passes over so many vectors, whole ones or of own rows. */
  #prepare(vectors: number, whole: boolean): Shared<PassVectors> {
    const width = this.#chunks.width(vectors);
    const before = this.#shared?.state;
    const isWide = before !== undefined && before.width >= width;
    const hasPlaces = !whole || (before !== undefined && before.place.length > 0);
    if (isWide && hasPlaces) return this.#shared!;
    const { communicator } = this.#team;
    const place = hasPlaces ? (before?.place ?? sharedInt32(0)) : placesOf(wholeOrder(this.#data, communicator));
    const { precision } = this.#engine;
    const numbers = (): FloatArray => inLargePages(sharedFloats(this.#data.tree.size * width, precision));
    const state = isWide
      ? { ...before, place }
      : this.#engine.passState({ width, place, staging: numbers(), ordered: numbers() });
    this.#letGo();
    const team = this.#team;
    const shared = team.shareNow(state);
    abandoned.register(this, () => team.release(shared), this);
    this.#shared = shared;
    return shared;
  }

  #pass(shared: Shared<PassVectors>, args: PassArguments): void {
    const data = this.#data;
    const { passTask, rankSolve } = this.#engine;
    if (data.share !== undefined) {
      const ranks = (this.#ranks ??= new RankSolve(data, data.share, rankSolve, this.#team));
      ranks.run(shared, args);
    } else this.#team.runSync(passTask, shared as Shared<never>, (this.#graph ??= passGraph(data)), args);
  }

  #letGo(): void {
    if (this.#shared !== undefined) this.#team.release(this.#shared);
    abandoned.unregister(this);
    this.#shared = undefined;
  }
}
