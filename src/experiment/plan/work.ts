/**
 * Flops and bytes of a plan, level by level, of the rank that has most; and the seconds that they take.
 */
import { eliminationFlops } from '../../hierarchical/factor/elimination-flops.js';
import { SPLIT_FROM, splitLevel, subtreeRootLevel } from '../../hierarchical/factor/tree.js';
import { skeletonCost } from '../../hierarchical/from-entries/cost.js';
import { comparisonBatches } from '../../hierarchical/measure/columns-error.js';
import { NORM_COLUMNS } from '../../hierarchical/measure/norm-estimate.js';
import { costOfEntries } from '../../solve/cost-model.js';
import type { HeldPoints } from './held-points.js';
import type { PlannedTree, TreeLevel } from './levels.js';
import type { PlanSetup } from './options.js';
import { plannedSearch } from './searches.js';

/** What one rank does at one level, or beside all levels. */
export interface PlannedWork {
  /** Undefined for what belongs to no level. */
  readonly level: number | undefined;
  readonly flops: number;
  /** What these and all else take, in flops of gemm. */
  readonly cost: number;
  /** Bytes that are read from memory. */
  readonly bytes: number;
  /** Workers that have something to do. */
  readonly workers: number;
}

/*
 * What is no gemm, in the flops that gemm does meanwhile at some 50 Gflop/s, as solve/cost-model.ts counts it; measured
 * with one worker on compressions of 32,768 to 262,144 points (docs/distributed.md).
 */
/** A point at a level of the boxes that neighbors are searched in; a neighbor that is found, for each dimension. */
const BOX_FLOPS = 2500;
const NEIGHBOR_FLOPS = 3500;
/** An index at a level of the tree, for each dimension. */
const SPLIT_FLOPS = 2750;
/** An index whose votes, and who votes for it, are found. */
const VOTE_FLOPS = 3.6e4;
/** An index's leaf and list; of several ranks one thread of each looks through bits of all for those that it knows. */
const LEAF_FLOPS = 1100;
const LOOKED_FLOPS = 40;
/** Of several ranks: an own index whose neighbors become known. */
const KNOWN_FLOPS = 1.2e4;
/** An own index by one thread: its diagonal entry, orders and layouts. */
const OWN_SERIAL_FLOPS = 2725;
/** Of several ranks also: lists that move. */
const MOVED_FLOPS = 2500;
/**
 * A point that is brought, where each rank has a part of all: named, asked for, and told; and 32 of all indices that
 * are looked through for them; of 2²⁴.
 */
const BROUGHT_FLOPS = 1250;
const WORD_FLOPS = 600;
/** A node that is visited, and a number of a vector that is brought into the order of the tree, or back. */
const NODE_FLOPS = 4e5;
const NUMBER_FLOPS = 500;
/** Shares of the rates that are reached: small blocks take longer. */
const EFFICIENCY = { skeletons: 0.4, entries: 0.4, product: 0.6, factor: 0.5, solve: 0.5 } as const;

/** Work of each phase; every number as its docstring states it, k the rank, c the candidates, e = c − k. */
export class WorkPlan {
  readonly #setup: PlanSetup;
  readonly #tree: PlannedTree;

  constructor(setup: PlanSetup, tree: PlannedTree) {
    this.#setup = setup;
    this.#tree = tree;
  }

  /**
   * Levels of the tree, deepest first; `above` says how many workers share a node that several ranks hold, and tasks
   * begin at level `deepest`: what lies below it goes with it.
   */
  #levels(
    of: (level: TreeLevel) => { readonly flops: number; readonly cost: number; readonly bytes: number },
    deepest: number,
    above: (level: TreeLevel) => number = () => 1,
  ): PlannedWork[] {
    const { workers } = this.#setup;
    const { levels, shareLevel } = this.#tree;
    return [...levels].reverse().map((one): PlannedWork => {
      const { flops, cost, bytes } = of(one);
      const tasks = levels[Math.min(one.level, deepest)].nodes;
      const many = Math.min(workers, Math.max(tasks, above(one)));
      return {
        level: one.level,
        flops: one.nodes * flops,
        cost: one.nodes * cost,
        bytes: one.nodes * bytes,
        workers: one.level < shareLevel ? Math.min(workers, Math.max(1, above(one))) : many,
      };
    });
  }

  /** What belongs to no level and is no flops of blocks, by all workers or so many. */
  #all(cost: number, workers = this.#setup.workers): PlannedWork {
    return { level: undefined, flops: 0, cost, bytes: 0, workers };
  }

  /** The largest share of the leaves that a rank has. */
  get #share(): number {
    return this.#tree.most / 2 ** this.#tree.shareLevel;
  }

  /** Indices that a rank cuts on `levels` levels: its share. */
  #cut(levels: number): number {
    return this.#setup.size * this.#share * levels;
  }

  /** Boxes are cut, log₂(N/κ) levels; each rank finds the lists of its own points. */
  neighbors(): PlannedWork[] {
    const { size, neighbors, dimension, leafSize } = this.#setup;
    if (neighbors === 0) return [];
    const levels = Math.max(1, Math.log2(size / neighbors));
    const { boxed, trees } = plannedSearch(this.#setup);
    // Trees of random directions, in whose leaves all are compared with all.
    const found = boxed ? NEIGHBOR_FLOPS * neighbors : (costOfEntries(dimension) * leafSize) / 2;
    const own = this.#share * size * dimension * found;
    return [this.#all(trees * (BOX_FLOPS * this.#cut(levels) + own))];
  }

  /** Points that are brought to where they are worked on. */
  bringing(held: readonly HeldPoints[]): PlannedWork {
    const words = (held.length * this.#setup.size) / 32;
    return this.#all(BROUGHT_FLOPS * held.reduce((sum, { fresh }) => sum + fresh, 0) + WORD_FLOPS * words);
  }

  tree(): PlannedWork[] {
    const { depth, dimension } = this.#setup;
    return [this.#all(SPLIT_FLOPS * dimension * this.#cut(depth))];
  }

  /** 32 columns, each rank's rows of them. */
  norm(): PlannedWork[] {
    const { size, ranks, dimension } = this.#setup;
    return [this.#all((NORM_COLUMNS * size * costOfEntries(dimension)) / ranks)];
  }

  /** Samples of 2c + 48 rows and more, their factorization (from-entries/cost.ts), at level 1 and below. */
  skeletons(): PlannedWork[] {
    const { size, dimension, workers, depth } = this.#setup;
    return this.#levels(
      ({ level, candidates, rank, size: own }) => {
        if (level === 0) return { flops: 0, cost: 0, bytes: 0 };
        const { entries, flops } = skeletonCost(candidates, rank, size - own);
        return {
          flops,
          cost: (flops + entries * costOfEntries(dimension)) / EFFICIENCY.skeletons,
          bytes: 8 * entries,
        };
      },
      depth,
      // A node near the root is split among all workers.
      () => workers,
    );
  }

  /** Entries of diagonal blocks, n² each, and of couplings, k²/2 for each node. */
  blocks(): PlannedWork[] {
    const { dimension, depth, width } = this.#setup;
    return this.#levels(({ level, rank, size }) => {
      const entries = (level === depth ? size * size : 0) + (rank * rank) / 2;
      return { flops: 0, cost: (entries * costOfEntries(dimension)) / EFFICIENCY.entries, bytes: width * entries };
    }, depth);
  }

  /** Votes of each rank's indices; a look through bits of all N on every rank, and the rest, by one thread. */
  structure(): PlannedWork[] {
    const { size, ranks } = this.#setup;
    const own = VOTE_FLOPS + LEAF_FLOPS + (ranks > 1 ? KNOWN_FLOPS : 0);
    return [
      this.#all((own * size) / ranks),
      this.#all(ranks > 1 ? LOOKED_FLOPS * size : 0, 1),
      this.#all((OWN_SERIAL_FLOPS + (ranks > 1 ? MOVED_FLOPS : 0)) * size * this.#share, 1),
    ];
  }

  /** Each rank's rows of the columns that are compared, and products with them. */
  check(): PlannedWork[] {
    const { size, ranks, dimension } = this.#setup;
    const batches = comparisonBatches(size).flat();
    const columns = batches.reduce((sum, count) => sum + count, 0);
    return [
      this.#all((columns * size * costOfEntries(dimension)) / ranks),
      ...this.product(columns, Math.max(...batches)),
    ];
  }

  /**
   * Of p vectors: e·k numbers of interpolation twice, k² of the coupling, n² of a diagonal block, 2p flops each. Blocks
   * are read once for each chunk of vectors; of vectors N numbers are read and written.
   */
  product(vectors: number, atATime: number): PlannedWork[] {
    const { depth } = this.#setup;
    return [
      ...this.#levels(({ level, rank, eliminated, size }) => {
        const passed = 2 * (level === 0 ? 0 : eliminated * rank) + rank * rank;
        const leaf = level === depth ? size * size : 0;
        return this.#pass(
          { used: passed + leaf, stored: passed + leaf / 2, share: EFFICIENCY.product },
          vectors,
          atATime,
        );
      }, depth),
      this.#reordered(vectors),
    ];
  }

  /** e³/3 + 3e²k + 3ek² flops; numbers of a diagonal block or of two Schur complements, and of e·c factors. */
  factor(): PlannedWork[] {
    const { depth, width, workers } = this.#setup;
    return this.#levels(
      ({ level, candidates, rank, eliminated, size }) => {
        const flops = eliminationFlops(eliminated, rank);
        return {
          flops,
          cost: flops / EFFICIENCY.factor + NODE_FLOPS,
          bytes: width * ((level === depth ? (size * size) / 2 : candidates * candidates) + eliminated * candidates),
        };
      },
      this.#subtrees,
      ({ level, candidates }) => (level < splitLevel(this.#setup) && candidates > SPLIT_FROM ? workers : 1),
    );
  }

  /** Of p vectors: e·(e/2 + k) numbers of factors and e·k of interpolations, twice, 2p flops each. */
  solve(vectors: number, atATime: number): PlannedWork[] {
    return [
      ...this.#levels(({ rank, eliminated }) => {
        const numbers = 2 * eliminated * (eliminated / 2 + 2 * rank);
        return this.#pass({ used: numbers, stored: numbers, share: EFFICIENCY.solve }, vectors, atATime);
      }, this.#subtrees),
      this.#reordered(vectors),
    ];
  }

  /** A node of a pass, of whose stored numbers some are used twice. */
  #pass(
    { used, stored, share }: { readonly used: number; readonly stored: number; readonly share: number },
    vectors: number,
    atATime: number,
  ): { readonly flops: number; readonly cost: number; readonly bytes: number } {
    const chunks = Math.ceil(vectors / atATime);
    const flops = 2 * vectors * used;
    return { flops, cost: flops / share + chunks * NODE_FLOPS, bytes: this.#setup.width * chunks * stored };
  }

  /** Vectors into the order of the tree and back, each rank's part. */
  #reordered(vectors: number): PlannedWork {
    return this.#all(NUMBER_FLOPS * vectors * this.#setup.size * this.#share);
  }

  /** What other ranks have of the result, into the caller's order. */
  gathered(vectors: number): PlannedWork[] {
    return [this.#all((NUMBER_FLOPS * vectors * this.#setup.size * (1 - this.#share)) / 2)];
  }

  /** Level of the nodes that are one task each with what lies below them. */
  get #subtrees(): number {
    const { depth, ranks } = this.#setup;
    return subtreeRootLevel({ tree: { depth }, share: ranks === 1 ? undefined : { level: this.#tree.shareLevel } });
  }
}
