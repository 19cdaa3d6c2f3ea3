/**
 * Products of tall-and-skinny panels, on the calling thread or shared out over a team.
 * Operands over shared memory go to the team where the work is worth a fork–join; the tasks, and so the bits, are the
 * same either way.
 */
import { precisionOf, sharedFloats } from '../core/floats.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { Blas, Triangle } from '../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../dense/matrix.js';
import type { TaskDefinition } from '../parallel/task.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { Shared, Team } from '../parallel/team.js';
import { addScaled } from '../operator/block-arithmetic.js';
import {
  crossPhase,
  crossTask,
  multiplyPhase,
  multiplyTask,
  normalPhase,
  normalTask,
  PANEL_ROWS,
  solvePhase,
  solveTask,
  TILE,
  type CrossArguments,
} from './panel-tasks.js';

/** Below this many flops a fork–join (some 15 µs, and messages) costs more than it saves. */
const WORTH_SHARING = 4e6;
/** AᵀB is cut into at least about this many tasks, by rows where there are too few tiles. */
const FEWEST_TASKS = 8;

/** A team's empty state, held once for all panels: what tasks work on comes with their arguments. */
const held = new WeakMap<Team, Shared<null>>();

const isShared = (a: Matrix): boolean => a.data.buffer instanceof SharedArrayBuffer;

const sharedLike = (length: number, like: FloatArray): FloatArray => sharedFloats(length, precisionOf(like));

/** One phase over panels. */
interface PanelPhase<A> {
  /** Tasks. */
  readonly count: number;
  readonly args: A;
  readonly flops: number;
  /** Shared out only where all of them lie in shared memory. */
  readonly operands: readonly Matrix[];
}

/** Panels of one precision; shapes are taken on trust, and operands of one call never overlap. */
export class PanelAlgebra {
  readonly blas: Blas;
  readonly team: Team | undefined;
  readonly #graphs = new Map<number, TaskGraph>();
  readonly #tiles = new Map<string, Int32Array>();
  #partial: { double?: Float64Array | undefined; single?: Float32Array | undefined } = {};

  constructor(blas: Blas, team?: Team) {
    this.blas = blas;
    this.team = team !== undefined && team.workers > 1 ? team : undefined;
  }

  /** C ← AᵀB (A is N × k, B N × p, C k × p). */
  cross(a: Matrix, b: Matrix, c: Matrix): void {
    this.#cross(a, b, c, false);
  }

  /** C ← AᵀA, both triangles. */
  gram(a: Matrix, c: Matrix): void {
    this.#cross(a, a, c, true);
    for (let j = 0; j < c.cols; j++)
      for (let i = j + 1; i < c.rows; i++) c.data[c.offset + j + i * c.ld] = c.data[c.offset + i + j * c.ld];
  }

  /** C ← α·A·B + β·C (A is N × k, B k × p, C N × p). */
  multiply(alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void {
    this.#run(multiplyPhase, multiplyTask, {
      count: Math.ceil(c.rows / PANEL_ROWS),
      args: { a, b, c, alpha, beta },
      flops: 2 * a.rows * a.cols * b.cols,
      operands: [a, b, c],
    });
  }

  /** Y ← Y·R⁻¹ for a triangular k × k matrix R. */
  solveRight(y: Matrix, r: Matrix, triangle: Triangle): void {
    this.#run(solvePhase, solveTask, {
      count: Math.ceil(y.rows / PANEL_ROWS),
      args: { y, r, triangle },
      flops: y.rows * y.cols * y.cols,
      operands: [y, r],
    });
  }

  /** Standard normal numbers, column j from the stream (seed, stream, firstColumn + j). */
  fillNormal(panel: Matrix, seed: number, stream: number, firstColumn: number): void {
    this.#run(normalPhase, normalTask, {
      count: panel.cols,
      args: { panel, seed, stream, firstColumn },
      // A normal number takes as long as some fifty flops.
      flops: 50 * panel.rows * panel.cols,
      operands: [panel],
    });
  }

  #cross(a: Matrix, b: Matrix, c: Matrix, symmetric: boolean): void {
    const tiles = this.#tilesOf(a.cols, b.cols, symmetric);
    const count = tiles.length / 2;
    const chunks = Math.max(1, Math.min(Math.ceil(FEWEST_TASKS / count), Math.ceil(a.rows / PANEL_ROWS)));
    const chunkRows = Math.ceil(a.rows / chunks);
    const used = Math.max(1, Math.ceil(a.rows / Math.max(1, chunkRows)));
    const partial = used === 1 && isShared(c) ? c : this.#partials(used * a.cols, b.cols, c.data);
    const args: CrossArguments = { a, b, partial, chunkRows, tiles };
    const flops = 2 * a.rows * TILE * TILE * count;
    this.#run(crossPhase, crossTask, { count: used * count, args, flops, operands: [a, b, partial] });
    if (partial === c) return;
    copyInto(c, block(partial, 0, 0, a.cols, b.cols));
    for (let chunk = 1; chunk < used; chunk++) addScaled(c, 1, block(partial, chunk * a.cols, 0, a.cols, b.cols));
  }

  /** Row and column of each tile; of the lower ones where symmetric. */
  #tilesOf(rows: number, cols: number, symmetric: boolean): Int32Array {
    const [down, across] = [Math.ceil(rows / TILE), Math.ceil(cols / TILE)];
    const key = `${down} ${across} ${symmetric}`;
    const known = this.#tiles.get(key);
    if (known !== undefined) return known;
    const pairs: number[] = [];
    for (let col = 0; col < across; col++) for (let row = symmetric ? col : 0; row < down; row++) pairs.push(row, col);
    const tiles = sharedInt32(pairs.length);
    tiles.set(pairs);
    this.#tiles.set(key, tiles);
    return tiles;
  }

  #partials(rows: number, cols: number, like: FloatArray): Matrix {
    const kind = like instanceof Float64Array ? 'double' : 'single';
    let data: FloatArray | undefined = this.#partial[kind];
    if (data === undefined || data.length < rows * cols) {
      data = sharedLike(rows * cols, like);
      this.#partial = { ...this.#partial, [kind]: data };
    }
    return view(data, 0, rows, cols);
  }

  #run<A>(
    phase: TaskDefinition<null, A>,
    body: (blas: Blas, task: number, args: A) => void,
    { count, args, flops, operands }: PanelPhase<A>,
  ): void {
    const { team } = this;
    if (team === undefined || count < 2 || flops < WORTH_SHARING || !operands.every(isShared)) {
      for (let task = 0; task < count; task++) body(this.blas, task, args);
      return;
    }
    let state = held.get(team);
    if (state === undefined) {
      state = team.shareNow(null);
      held.set(team, state);
    }
    let graph = this.#graphs.get(count);
    if (graph === undefined) {
      graph = independentTasks(count);
      this.#graphs.set(count, graph);
    }
    team.runSync(phase, state, graph, args);
  }
}
