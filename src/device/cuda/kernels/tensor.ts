/**
 * Tiles of 64 vectors by instructions that multiply small matrices at once (mma.sync of PTX, compute capability 8.0):
 * factors are rounded to tf32 or bf16 as they go to shared memory, sums are float32. A warp has 32 or 16 rows; of a
 * matrix of 16 × 8 sums each of its threads has four, two of row lane/4 and two of row 8 + lane/4.
 */
import type { Arithmetic } from '../../device.js';
import { DEPTH, type TileHeight } from '../../tiles.js';
import type { TileEngine } from './tile.js';

const WARPS = 4;
const WIDTH = 64;

/** Of each: the type of a rounded number, the pad of a row of them, numbers that an instruction sums over. */
const FORMS: Readonly<Record<Arithmetic, { readonly type: string; readonly pad: number; readonly step: 8 | 16 }>> = {
  // Rows of 20 words, or of 12: the threads of a warp read all banks.
  tf32: { type: 'unsigned', pad: 4, step: 8 },
  bf16: { type: 'unsigned short', pad: 8, step: 16 },
};

/** Rounding to nearest by bits; what is not a number stays none. */
const ROUND: Readonly<Record<Arithmetic, string>> = {
  tf32: `return (bits & 0x7fffffffu) > 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;`,
  bf16: `return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;`,
};

/** How tiles of that height are multiplied. */
export function tensorEngine(arithmetic: Arithmetic, height: TileHeight): TileEngine {
  const { type, pad, step } = FORMS[arithmetic];
  // Warps stand in two rows of two, or in one row of four.
  const [warpRows, warpColumns] = height === 64 ? [32, 32] : [16, 16];
  const down = warpRows / 16;
  const over = warpColumns / 8;
  const stride = DEPTH + pad;
  const shape = arithmetic === 'tf32' ? 'm16n8k8' : 'm16n8k16';
  // Word n of a thread: numbers along, of row lane/4 and the one 8 below of A, of column lane/4 of B.
  const word = (matrix: string, row: string): string =>
    arithmetic === 'tf32'
      ? `${matrix}[(${row}) * ${stride} + d + lane % 4 + 4 * n]`
      : `*(const unsigned*)(${matrix} + (${row}) * ${stride} + d + lane % 4 * 2 + 8 * n)`;
  return {
    precision: 'f32',
    height,
    width: WIDTH,
    threads: 32 * WARPS,
    head: `
__device__ __forceinline__ unsigned rounded(float value) {
  const unsigned bits = __float_as_uint(value);
  ${ROUND[arithmetic]}
}
#ifndef PROCESSOR
__device__ __forceinline__ void mma_${arithmetic}(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.${shape}.row.col.f32.${arithmetic}.${arithmetic}.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};" : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
// Numbers along stand side by side.
template <int SIZE, int COUNT>
__device__ __forceinline__ void put(${type}* shared, const real (&from)[COUNT], int turned) {
  #pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = threadIdx.x + n * (SIZE * DEPTH / COUNT);
    shared[(turned ? i / DEPTH : i % SIZE) * ${stride} + (turned ? i % DEPTH : i / SIZE)] = rounded(from[n]);
  }
}
`,
    begin: `
  __shared__ __align__(16) ${type} lefts[2][${height * stride}];
  __shared__ __align__(16) ${type} rights[2][${WIDTH * stride}];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = warp / ${WIDTH / warpColumns} * ${warpRows}, column = warp % ${WIDTH / warpColumns} * ${warpColumns};
  float sums[${down}][${over}][4];
  #pragma unroll
  for (int r = 0; r < ${down}; r++) {
    #pragma unroll
    for (int c = 0; c < ${over}; c++) {
      #pragma unroll
      for (int e = 0; e < 4; e++) sums[r][c][e] = 0;
    }
  }`,
    put: `
      put<${height}>(lefts[now], left, term.left.turned);
      put<${WIDTH}>(rights[now], right, term.right.turned);`,
    multiply: `
      #pragma unroll
      for (int d = 0; d < DEPTH; d += ${step}) {
        unsigned a[${down}][4], b[${over}][2];
        #pragma unroll
        for (int r = 0; r < ${down}; r++) {
          #pragma unroll
          for (int n = 0; n < 2; n++) {
            a[r][2 * n] = ${word('lefts[now]', 'row + 16 * r + lane / 4')};
            a[r][2 * n + 1] = ${word('lefts[now]', 'row + 16 * r + 8 + lane / 4')};
          }
        }
        #pragma unroll
        for (int c = 0; c < ${over}; c++) {
          #pragma unroll
          for (int n = 0; n < 2; n++)
            b[c][n] = ${word('rights[now]', 'column + 8 * c + lane / 4')};
        }
        #pragma unroll
        for (int r = 0; r < ${down}; r++) {
          #pragma unroll
          for (int c = 0; c < ${over}; c++) mma_${arithmetic}(sums[r][c], a[r], b[c]);
        }
      }`,
    end: `
  #pragma unroll
  for (int r = 0; r < ${down}; r++) {
    #pragma unroll
    for (int c = 0; c < ${over}; c++) {
      #pragma unroll
      for (int e = 0; e < 4; e++)
        give(p, tile, row + 16 * r + 8 * (e / 2) + lane / 4, column + 8 * c + lane % 4 * 2 + e % 2, sums[r][c][e]);
    }
  }`,
  };
}
