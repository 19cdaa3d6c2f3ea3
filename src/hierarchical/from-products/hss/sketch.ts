/**
 * Black-box HSS compression: every basis and diagonal block from one sketch Y = A·Ω.
 * Leaves first, then level by level to the root (sketch-level.ts); between the two steps of a level its ranks are
 * chosen together (hierarchical/from-products/rank-choice.ts). Departs from the source in finding larger bases than are
 * asked for, which the whole matrix is then truncated from (skeletons.ts): at ranks that are cut off this halves the
 * error of a sketch, and more. Source: J. Levitt, P.-G. Martinsson, *Linear-complexity black-box randomized compression
 * of rank-structured matrices*, arXiv 2205.02990, for symmetric A.
 */
import { sharedFloat64, sharedInt32 } from '../../../core/shared-array.js';
import { view, type FloatArray, type Precision } from '../../../dense/matrix.js';
import { gatherPortions, ownPortion } from '../../../distributed/portion.js';
import { awaitTogether } from '../../../distributed/together.js';
import { runOnce } from '../../../parallel/run-once.js';
import { independentTasks } from '../../../parallel/task-graph.js';
import type { TeamControl } from '../../../parallel/team-control.js';
import { isolatedOf, type ClusterTree, firstLeaf, leavesOf } from '../../../tree/cluster-tree.js';
import { foundRank } from '../cost.js';
import { makeLevel, rowsAbove, type GeneratorLevel } from './generators.js';
import { productWidth, type OrderedProducts } from '../ordered-products.js';
import { chooseRanks } from '../rank-choice.js';
import { drawLeaf, findBasis, passUp, type SketchLevelState } from './sketch-level.js';
import type { TestVectors } from '../test-vectors.js';

/** Y = A·Ω, N × s in tree order; Ω is known by its seed and kind. */
export interface Sketch {
  readonly y: Float64Array;
  readonly columns: number;
  readonly seed: number;
  readonly vectors: TestVectors;
  /** Precision of the products: what is below its rounding is noise. */
  readonly precision: Precision;
}

/** Draws Ω and multiplies, block by block. */
export async function drawSketch(
  tree: ClusterTree,
  { columns, seed, precision }: Pick<Sketch, 'columns' | 'seed' | 'precision'>,
  products: OrderedProducts,
  control: TeamControl,
): Promise<Sketch> {
  const { team } = control;
  const vectors: TestVectors = 'signs';
  const y = sharedFloat64(tree.size * columns);
  const width = productWidth(tree.size, columns);
  const x = sharedFloat64(tree.size * width);
  const drawn = await team.share({ tree, seed, vectors });
  const leaves = independentTasks(leavesOf(tree));
  try {
    for (let first = 0; first < columns; first += width) {
      const count = Math.min(width, columns - first);
      const block = view(x, 0, tree.size, count);
      team.runSync(drawLeaf, drawn, leaves, { x: block, first });
      await products.multiply(view(y, first * tree.size, tree.size, count), block);
    }
  } finally {
    team.release(drawn);
  }
  return { y, columns, seed, vectors, precision };
}

/** An HSS matrix in generator form: orthonormal bases U and blocks D of every level. */
export interface HssGenerators {
  /** Level ℓ of the tree is levels[ℓ]; the root's D is the whole of A_0. */
  readonly levels: readonly GeneratorLevel[];
  /** Squared error that the size of the sketch cost, as the sketch estimates it. */
  readonly beyond: number;
}

/** Rounding counts as noise up to this many units. */
const ROUNDING = 8;
const EPSILON = { f64: 2 ** -53, f32: 2 ** -24 } as const;

/**
 * Part of the budget (of the squared error) that finding the bases may use; lowering the ranks afterwards has the rest.
 */
const FOUND_SHARE = 1e-2;

/**
 * The generators from a sketch. `budget` is the squared Frobenius error allowed in the end; every level gets an equal
 * part of the share that is used here. Cost: O(N·s²) flops for leaves of O(s) indices, most of them in QR. Node by node
 * on the team; the same bits for any number of workers. Of several ranks each finds some nodes of every level, and all
 * get the generators.
 */
export async function hssFromSketch(
  tree: ClusterTree,
  sketch: Sketch,
  maxRank: number,
  budget: number,
  control: TeamControl,
): Promise<HssGenerators> {
  const { columns, seed, vectors, precision } = sketch;
  const { communicator } = control.team;
  const levels: GeneratorLevel[] = [];
  const known = vectors === 'unit';
  const largest = foundRank(columns, maxRank);
  let rowBegin = leafRows(tree);
  let omega: Float64Array = sharedFloat64(0);
  let y = omega;
  let noise = new Float64Array(leavesOf(tree));
  let beyond = 0;
  for (let depth = tree.depth; depth >= 0; depth--) {
    const leaves = depth === tree.depth;
    const level = makeLevel(2 ** depth - 1, rowBegin, (rows) => (depth === 0 ? 0 : Math.min(largest, columns - rows)));
    const { count, cap, ranks } = level;
    const own = ownPortion(communicator, count);
    const tasks = independentTasks(own.end - own.first);
    /** Numbers of each rank's nodes to all, node i's from beginOf(i) on. */
    const gatherNodes = (numbers: FloatArray, beginOf: (i: number) => number): void => {
      gatherPortions(communicator, numbers, count, { begin: 0, endOf: (i) => beginOf(i + 1) });
    };
    const step: SketchLevelState = {
      tree,
      level,
      firstNode: own.first,
      columns,
      seed,
      vectors,
      leafSketch: leaves ? sketch.y : null,
      omega,
      y,
      sigma: sharedFloat64(rowBegin[count]),
      sketchNorm: sharedFloat64(count),
      upBegin: sharedInt32(count + 1),
      upOmega: sharedFloat64(0),
      upY: sharedFloat64(0),
    };
    await awaitTogether(communicator, () => runOnce('find bases', findBasis, step, tasks, control));
    gatherNodes(level.bases, (i) => level.basisBegin[i]);
    gatherNodes(step.sigma, (i) => rowBegin[i]);
    gatherNodes(step.sketchNorm, (i) => i);
    const unit = EPSILON[leaves ? precision : 'f64'];
    noise = noise.map((inherited, i) => inherited + step.sketchNorm[i] * unit * unit);
    if (depth > 0) {
      const rows = (i: number): number => rowBegin[i + 1] - rowBegin[i];
      const perNode = (value: (i: number) => number): Float64Array =>
        Float64Array.from({ length: count }, (_, i) => value(i));
      const choice = chooseRanks(
        {
          sigma: step.sigma,
          begin: rowBegin,
          cap,
          // E‖M·Ω·Z‖_F² is ‖M‖_F² times the columns of Z.
          scale: perNode((i) => (known ? 1 : 1 / (columns - rows(i)))),
          // Rows and columns; and what the basis misses enters D by way of Ω⁺ as well, q/(s − q) of it, once at this
          // level and once where it is passed on.
          weight: perNode((i) => (known ? 2 : 2 * (columns / (columns - rows(i))) ** 2)),
          floor: perNode((i) => ROUNDING * Math.sqrt(noise[i])),
        },
        (FOUND_SHARE * budget) / tree.depth,
        ranks,
      );
      beyond += choice.beyond;
    }
    const { upBegin } = step;
    for (let i = 0; i < count; i++) upBegin[i + 1] = upBegin[i] + ranks[i];
    const numbers = columns * upBegin[count];
    const upOmega = sharedFloat64(numbers);
    const upY = sharedFloat64(numbers);
    await awaitTogether(communicator, () =>
      runOnce('pass samples up', passUp, { ...step, upOmega, upY }, tasks, control),
    );
    gatherNodes(level.blocks, (i) => level.blockBegin[i]);
    for (const above of [upOmega, upY]) gatherNodes(above, (i) => columns * upBegin[i]);
    levels[depth] = level;
    if (depth > 0) {
      rowBegin = rowsAbove(level);
      noise = Float64Array.from({ length: count / 2 }, (_, j) => noise[2 * j] + noise[2 * j + 1]);
    }
    omega = upOmega;
    y = upY;
  }
  return { levels, beyond };
}

function leafRows(tree: ClusterTree): Int32Array {
  const rowBegin = sharedInt32(leavesOf(tree) + 1);
  for (let leaf = 0; leaf < leavesOf(tree); leaf++)
    rowBegin[leaf + 1] = tree.end[firstLeaf(tree) + leaf] - isolatedOf(tree);
  return rowBegin;
}
