/**
 * Block products by tiles (tile.ts), square ones of the targets; and gathers, of which a block of threads moves NUMBERS
 * numbers of a piece.
 */
import type { Precision } from '../../../core/floats.js';
import { listsOfGathers, PIECE_WORDS, type Gathers } from '../../work/gathers.js';
import {
  demandOfProducts,
  listsOfProducts,
  PRODUCT_TARGET_WORDS,
  PRODUCT_TERM_WORDS,
  type BlockProducts,
} from '../../work/products.js';
import { partsOf, productTiles, type TileSize } from '../../work/tiles.js';
import type { ChosenGemms } from '../gemms.js';
import { gemmSteps, type GemmStep } from './gemms.js';
import type { KernelSource } from './source.js';
import { PARAMETERS, stepKernel, type Step } from './step.js';
import { plainEngine, tileKernel, type TileShape } from './tile.js';

const HEAD = `
${PARAMETERS}
__device__ __forceinline__ Tile tileOf(const Parameters& p, int block) {
  const double* tile = p.lists[2] + 3ll * block;
  const long long target = word(tile, 0);
  const double* of = p.lists[0] + ${PRODUCT_TARGET_WORDS} * target;
  return { (int)word(tile, 1), (int)word(tile, 2), (int)word(of, 3), (int)word(of, 4), (int)word(of, 6),
    (int)word(of, 7), target };
}
__device__ __forceinline__ Factors factorsOf(const Parameters& p, const Tile&, int t) {
  const double* of = p.lists[1] + ${PRODUCT_TERM_WORDS}ll * t;
  return { { p.operands[0] + word(of, 0), word(of, 1), (int)word(of, 2) },
    { p.operands[1] + word(of, 3), word(of, 4), 1 - (int)word(of, 5) }, (int)word(of, 6) };
}
__device__ __forceinline__ void store(const Parameters& p, const Tile& tile, int row, int column, real sum) {
  const double* of = p.lists[0] + ${PRODUCT_TARGET_WORDS} * tile.target;
  const long long ld = word(of, 1);
  real* to = p.operands[2] + word(of, 0) + (word(of, 2) ? column + row * ld : row + column * ld);
  const real beta = p.numbers[1];
  sum *= (real)p.numbers[0];
  *to = beta == 0 ? sum : sum + beta * *to;
}
`;

/** Rows and columns of a tile that a thread has. */
const SHARES: Readonly<Record<TileSize, (precision: Precision) => readonly [rows: number, columns: number]>> = {
  64: (precision) => [precision === 'f32' ? 8 : 4, 4],
  32: () => [4, 4],
  16: () => [2, 2],
};

/** The kernel of tiles of that size. */
function kernelOf(size: TileSize, precision: Precision): KernelSource {
  const [rows, columns] = SHARES[size](precision);
  const shape: TileShape = { precision, height: size, width: size, rows, columns };
  const name = `products_${size}_${precision}`;
  const engine = plainEngine(shape);
  return { name, source: () => tileKernel(engine, { name, head: HEAD }), threads: engine.threads };
}

/** Takes what cuBLAS is to multiply out of products; undefined: nothing. */
export type GemmChoice = ((work: BlockProducts) => ChosenGemms) | undefined;

/** The launches: cuBLAS's, and those by tiles of the sizes that cost least; `operands` of the work are A, B and C. */
export function productSteps(
  work: BlockProducts,
  choose: GemmChoice,
  operands: readonly string[] = ['a', 'b', 'c'],
): (Step | GemmStep)[] {
  const { calls, rest } = choose?.(work) ?? { calls: [], rest: work };
  return [...gemmSteps(calls, work, operands), ...tileSteps(rest, operands)];
}

function tileSteps(work: BlockProducts, operands: readonly string[]): Step[] {
  if (work.targets.length === 0) return [];
  return productTiles(work).map(({ size, work: own, tiles, padded }) => {
    const { targets, terms } = listsOfProducts(own);
    return {
      kernel: (precision) => kernelOf(size, precision),
      lists: [targets, terms, Float64Array.from(tiles)],
      operands,
      numbers: [work.alpha, work.beta],
      blocks: () => tiles.length / 3,
      padded: Math.max(padded, demandOfProducts(own).flops(1)),
    };
  });
}

const THREADS = 128;
/** Numbers of a piece that a block of threads moves. */
const NUMBERS = 8 * THREADS;

const GATHERS = `
  const double* part = p.lists[2] + 2ll * blockIdx.x;
  const double* piece = p.lists[0] + ${PIECE_WORDS} * word(part, 0);
  const double* offsets = p.lists[1];
  const long long rows = word(piece, 0), first = word(part, 1);
  const long long left = rows * word(piece, 1) - first;
  for (int n = threadIdx.x; n < ${NUMBERS} && n < left; n += ${THREADS}) {
    const long long i = (first + n) % rows, j = (first + n) / rows;
    const long long at = word(piece, 2) + word(offsets, word(piece, 3) + i) + word(offsets, word(piece, 4) + j);
    const long long from = word(piece, 5) + word(offsets, word(piece, 6) + i) + word(offsets, word(piece, 7) + j);
    const real value = (real)p.numbers[0] * p.operands[0][from];
    p.operands[1][at] = p.numbers[1] != 0 ? p.operands[1][at] + value : value;
  }`;

/** The launch. */
export function gatherSteps(work: Gathers): Step[] {
  const parts = partsOf(
    work.pieces.map(({ to }) => to.rows.length * to.columns.length),
    NUMBERS,
  );
  if (parts.length === 0) return [];
  const { pieces, offsets } = listsOfGathers(work);
  return [
    {
      kernel: (precision) => stepKernel('gathers', precision, THREADS, GATHERS),
      lists: [pieces, offsets, Float64Array.from(parts)],
      operands: ['from', 'to'],
      numbers: [work.alpha, work.keep ? 1 : 0],
      blocks: () => parts.length / 2,
    },
  ];
}
