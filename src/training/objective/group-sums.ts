/**
 * Sums over a batch's samples, made by groups of them (slices.ts) and added by the tree of ../../core/sum-tree.ts, a
 * piece of the result at a time: what is being added stays in the cache.
 */
import type { FloatArray } from '../../core/floats.js';
import {
  leavesOf,
  nodesOfRank,
  rankFirst,
  sumNodes,
  sumPlaces,
  type RankPlace,
  type SumNode,
} from '../../core/sum-tree.js';
import type { Blas } from '../../dense/blas.js';
import { block, mirrorLower, view, type Matrix } from '../../dense/matrix.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import { groupCount, groupFirst, groupSlice, parameterBlocks, TILE } from './slices.js';

/**
 * Numbers of a piece of θ and of a panel, about: 512 KiB and 1 MiB in float32. Smaller ones make products of few
 * columns, which pack as much as they multiply.
 */
const PIECE = 2 ** 17;
const PANEL = 2 ** 18;

/** Columns of a matrix of so many rows that make a piece of `numbers`. */
const columnsOf = (rows: number, numbers: number): number => Math.max(TILE, TILE * Math.floor(numbers / rows / TILE));

/** Calls `visit` with the first column of each piece of a matrix, and how many columns it has. */
function eachPiece(rows: number, columns: number, visit: (first: number, count: number) => void): void {
  const step = columnsOf(rows, PIECE);
  for (let first = 0; first < columns; first += step) visit(first, Math.min(step, columns - first));
}

/** The nodes of a batch's groups that are a rank's own: of a single rank all of them as one. */
export const ownNodes = (count: number, place: RankPlace): readonly SumNode[] => nodesOfRank(groupCount(count), place);

/** First slice of a rank's groups; that of the next rank ends them. */
export const rankSlice = (count: number, { rank, ranks }: RankPlace): number =>
  groupSlice(count, rankFirst(groupCount(count), ranks, rank));

/** Most nodes that are a rank's own, of batches of up to `capacity` samples. */
export function mostNodes(capacity: number, place: RankPlace): number {
  let most = 0;
  for (let groups = groupCount(capacity); groups >= 1; groups /= 2)
    most = Math.max(most, nodesOfRank(groups, place).length);
  return most;
}

/** A panel of a symmetric matrix: its columns first … first + count − 1, from the diagonal down. */
export interface Panel {
  readonly first: number;
  readonly count: number;
  /** Where its numbers begin among those of all panels, and how many there are. */
  readonly at: number;
  readonly length: number;
}

/** The panels of a symmetric matrix; of a diagonal one alone. */
export function panelsOf(size: number, diagonal: boolean): Panel[] {
  if (diagonal) return [{ first: 0, count: 1, at: 0, length: size }];
  const panels: Panel[] = [];
  let at = 0;
  for (let first = 0; first < size;) {
    const count = Math.min(columnsOf(size - first, PANEL), size - first);
    const length = (size - first) * count;
    panels.push({ first, count, at, length });
    at += length;
    first += count;
  }
  return panels;
}

/** Numbers that a worker adds groups in, with moments or without: what `GroupSums` takes as its scratch. */
export function scratchNumbers(network: ParameterLayout, capacity: number, moments: boolean): number {
  const blocks = parameterBlocks(network).map(
    ({ layer, count }) => network.layers[layer].width * Math.min(count, columnsOf(network.layers[layer].width, PIECE)),
  );
  const panels = network.layers.flatMap(({ width, outputs }) =>
    [width, outputs].map((size) => Math.max(...panelsOf(size, false).map(({ length }) => length))),
  );
  const places = sumPlaces(groupCount(capacity));
  return moments ? places * Math.max(...blocks, ...panels) : (places - 1) * Math.max(...blocks);
}

/** A sum Σ a_i d_iᵀ over samples, into the first rows of the result. */
export interface Term {
  readonly a: Matrix;
  readonly d: Matrix;
}

/** One worker's sums. */
export class GroupSums {
  readonly #kernels: VectorKernels;
  readonly #blas: Blas;
  readonly #scratch: FloatArray;

  constructor(kernels: VectorKernels, blas: Blas, scratch: FloatArray) {
    this.#kernels = kernels;
    this.#blas = blas;
    this.#scratch = scratch;
  }

  /**
   * out (rows × columns) ← (1/count) Σ a_i d_iᵀ of all terms over the samples of a node's groups; the first term has
   * all rows.
   */
  outer(out: FloatArray, rows: number, { count, node }: NodeSamples, terms: readonly Term[]): void {
    const columns = out.length / rows;
    const add = (target: Matrix, first: number, { begin, samples }: GroupSamples): void => {
      terms.forEach(({ a, d }, k) => {
        this.#blas.gemm(
          'N',
          'T',
          1 / count,
          block(a, 0, begin, a.rows, samples),
          block(d, first, begin, target.cols, samples),
          k === 0 ? 0 : 1,
          a.rows === rows ? target : block(target, 0, 0, a.rows, target.cols),
        );
      });
    };
    if (node.count === 1) {
      add(view(out, 0, rows, columns), 0, groupOf(count, node.first));
      return;
    }
    eachPiece(rows, columns, (first, width) => {
      const places = this.#places(out.subarray(first * rows, (first + width) * rows), node);
      const targets = places.map((place) => view(place, 0, rows, width));
      this.#sum({ count, node }, places, (place, group) => {
        add(targets[place], first, group);
      });
    });
  }

  /**
   * A panel of X Xᵀ, times `share`, over the samples of a node's groups, where `panelsOf` lays it; or of diagonals
   * their sums. x has the columns of all samples.
   */
  moment(out: FloatArray, panel: Panel, { diagonal, share, x }: MomentOf, { count, node }: NodeSamples): void {
    const { first, count: width } = panel;
    const rows = x.rows - first;
    const add = (to: FloatArray, { begin, samples }: GroupSamples): void => {
      if (diagonal) {
        symmetricSum(this.#blas, { x: block(x, 0, begin, rows, samples), share, diagonal }, 0, to);
        return;
      }
      const own = block(x, first, begin, width, samples);
      const target = view(to, 0, rows, width);
      this.#blas.syrk('L', 'N', share, own, 0, block(target, 0, 0, width, width));
      if (rows === width) return;
      const below = block(target, width, 0, rows - width, width);
      this.#blas.gemm('N', 'T', share, block(x, first + width, begin, rows - width, samples), own, 0, below);
    };
    const places = this.#places(out, node);
    this.#sum({ count, node }, places, (place, group) => {
      add(places[place], group);
    });
  }

  /** Where a panel is summed that goes on to another place then: the last numbers of the scratch. */
  spare({ length }: Panel): FloatArray {
    return this.#scratch.subarray(this.#scratch.length - length);
  }

  /** Places of a sum: the result, and parts of the scratch. */
  #places(out: FloatArray, { count }: SumNode): FloatArray[] {
    const { length } = out;
    return Array.from({ length: sumPlaces(count) }, (_, place) =>
      place === 0 ? out : this.#scratch.subarray((place - 1) * length, place * length),
    );
  }

  #sum(
    { count, node }: NodeSamples,
    places: readonly FloatArray[],
    leaf: (place: number, group: GroupSamples) => void,
  ): void {
    sumNodes(leavesOf(node), {
      take: (k, place) => {
        leaf(place, groupOf(count, node.first + k));
      },
      add: (to) => {
        this.#kernels.combine(places[to].length, 1, places[to + 1], 1, places[to]);
      },
    });
  }
}

/** A node of the groups of `count` samples. */
export interface NodeSamples {
  readonly count: number;
  readonly node: SumNode;
}

/** What a moment is one of. */
export interface MomentOf {
  readonly diagonal: boolean;
  readonly share: number;
  readonly x: Matrix;
}

/** out ← keep·out + share·Σ x xᵀ over all columns of x, both triangles; of diagonals those. */
export function symmetricSum(blas: Blas, { x, share, diagonal }: MomentOf, keep: number, out: FloatArray): void {
  if (!diagonal) {
    const square = view(out, 0, x.rows, x.rows);
    blas.syrk('L', 'N', share, x, keep, square);
    mirrorLower(square);
    return;
  }
  for (let k = 0; k < x.rows; k++) out[k] *= keep;
  for (let i = 0; i < x.cols; i++)
    for (let k = 0, at = x.offset + i * x.ld; k < x.rows; k++, at++) out[k] += share * x.data[at] ** 2;
}

interface GroupSamples {
  readonly begin: number;
  readonly samples: number;
}

function groupOf(count: number, group: number): GroupSamples {
  const begin = groupFirst(count, group);
  return { begin, samples: groupFirst(count, group + 1) - begin };
}
