/**
 * The kernels of block rows in CUDA C++, one for each precision and shape of a tile: height rows × width vectors.
 *
 * What holds them back. A launch reads each number of its blocks once for a tile's width of vectors, and does 2·width
 * flops with it: with 1 vector that is 0.25 flops a byte in float64, so that the memory's rate is the limit; with 64
 * it is 16 flops a byte, 32 in float32, where the rates of memory and of multiply–adds meet (a card of 4 TB/s, 34 and
 * 67 Tflop/s). Beside blocks a tile reads its vectors, height times less often than it multiplies them, mostly from
 * the second level of cache.
 *
 * *Narrow* tiles (1 or 4 vectors): blocks go from memory to registers, each number once. Of a block as it stands a
 * thread has a row (or two), so that a warp reads columns in one piece, and warps share out the terms; of a transposed
 * one a warp has rows, and its threads the terms, so that it reads in one piece, too. Sums of threads meet at the end,
 * in an order that is fixed.
 *
 * *Wide* tiles (16 or 64 vectors): as all tiles (tile.ts), by shared memory.
 */
import type { Precision } from '../../../core/floats.js';
import type { Arithmetic } from '../../device.js';
import type { TileHeight, TileWidth } from '../../tiles.js';
import { REAL, type KernelSource } from './source.js';
import { tensorEngine } from './tensor.js';
import { plainEngine, tileKernel, type TileShape } from './tile.js';

/** What a kernel is for. */
export interface KernelShape {
  readonly precision: Precision;
  readonly height: TileHeight;
  readonly width: TileWidth;
  /** For f32 and tiles of 64 vectors; narrower ones, which wait for memory, multiply in float32. */
  readonly arithmetic?: Arithmetic | undefined;
}

/** Bytes of a term in the lists (lists.ts). */
export const TERM_BYTES = 24;
/** Words of a target in the lists. */
export const TARGET_WORDS = 5;

/** What all kernels read. */
const LISTS = `
struct Span { int target, row; };
struct Target { int first, count, starts, begin, end; };
struct Term { unsigned long long offset; int ld, transposed, source, terms; };
struct Parameters {
  const Span* spans; const Target* targets; const Term* terms; const int* starts; const real* values; real* vectors;
  double alpha; int width, keep;
};

// V(place) <- alpha sum + V(start) + keep V(place); what a launch starts from is not written by it.
__device__ __forceinline__ void storeRow(const Parameters& p, const Target& target, int row, int column, real sum) {
  real* to = p.vectors + (unsigned long long)(target.first + row) * p.width + column;
  sum *= (real)p.alpha;
  if (target.starts >= 0) {
    const int origin = p.starts[target.starts + row];
    if (origin >= 0) sum += p.vectors[(unsigned long long)origin * p.width + column];
  }
  *to = p.keep ? *to + sum : sum;
}
`;

const WARP = 32;

/** Tiles of 16 or 64 vectors, and the entries of a thread. */
function tileOf({ precision, height, width }: KernelShape): TileShape {
  const rows = height === 16 ? 2 : precision === 'f32' && width === 64 ? 8 : 4;
  return { precision, height, width, rows, columns: width === 64 ? 4 : 2 };
}

const TILES = (width: TileWidth): string => `
${LISTS}
__device__ __forceinline__ Tile tileOf(const Parameters& p, int block) {
  const int across = (p.width + ${width - 1}) / ${width};
  const Span span = p.spans[block / across];
  const Target target = p.targets[span.target];
  return { span.row, block % across * ${width}, target.count, p.width, target.begin, target.end, span.target };
}
__device__ __forceinline__ Factors factorsOf(const Parameters& p, const Tile&, int t) {
  const Term term = p.terms[t];
  return { { p.values + term.offset, term.ld, term.transposed },
    { p.vectors + (unsigned long long)term.source * p.width, p.width, 0 }, term.terms };
}
__device__ __forceinline__ void store(const Parameters& p, const Tile& tile, int row, int column, real sum) {
  storeRow(p, p.targets[tile.target], row, column, sum);
}
`;

/** The kernel of tiles of that shape. */
export function rowsKernel(shape: KernelShape): KernelSource {
  const { precision, height, width } = shape;
  const name = `rows_${precision}_${height}_${width}`;
  if (width <= 4) {
    // Sums of 64 rows and 4 vectors need the registers of more threads.
    const warps = height * width === 256 ? 16 : 8;
    const source = (): string => `typedef ${REAL[precision]} real;\n${LISTS}${narrow(name, shape, warps)}`;
    return { name, source, threads: warps * WARP };
  }
  if (shape.arithmetic !== undefined && width === 64) {
    const tensor = `${shape.arithmetic}_${name}`;
    const engine = tensorEngine(shape.arithmetic, height);
    return {
      name: tensor,
      source: () => tileKernel(engine, { name: tensor, head: TILES(width) }),
      threads: engine.threads,
    };
  }
  const engine = plainEngine(tileOf(shape));
  return { name, source: () => tileKernel(engine, { name, head: TILES(width) }), threads: engine.threads };
}

function narrow(name: string, { height, width }: KernelShape, warps: number): string {
  // Rows of a thread, and terms that a warp takes at a time, of a block as it stands; rows of a warp of a transposed.
  const rows = Math.max(1, height / WARP);
  const lanes = Math.min(height, WARP);
  const steps = WARP / lanes;
  const warpRows = height / warps;
  // Numbers of blocks that a thread has under way.
  const ahead = width === 1 ? 8 : 4;
  // Blocks of threads whose registers a multiprocessor holds, at least.
  const blocks = height === 64 ? 1 : width === 1 ? 3 : 2;
  return `
extern "C" __global__ void __launch_bounds__(${warps * WARP}, ${blocks}) ${name}(const Parameters p) {
  __shared__ real parts[${warps}][${height * width}];
  __shared__ real across[${height * width}];
  const int tiles = (p.width + ${width - 1}) / ${width};
  const Span tile = p.spans[blockIdx.x / tiles];
  const Target target = p.targets[tile.target];
  const int left = (blockIdx.x % tiles) * ${width};
  const int last = min(${height}, target.count - tile.row) - 1;
  const int warp = threadIdx.x / ${WARP};
  const int lane = threadIdx.x % ${WARP};
  // Rows and columns that are none are those of the last one, and not stored.
  int columns[${width}];
  #pragma unroll
  for (int c = 0; c < ${width}; c++) columns[c] = min(left + c, p.width - 1);
  real plain[${rows}][${width}], turned[${warpRows}][${width}];
  #pragma unroll
  for (int c = 0; c < ${width}; c++) {
    #pragma unroll
    for (int r = 0; r < ${rows}; r++) plain[r][c] = 0;
    #pragma unroll
    for (int r = 0; r < ${warpRows}; r++) turned[r][c] = 0;
  }
  for (int t = target.begin; t < target.end; t++) {
    const Term term = p.terms[t];
    const real* block = p.values + term.offset;
    const real* x = p.vectors + (unsigned long long)term.source * p.width;
    if (term.transposed) {
      const real* row[${warpRows}];
      #pragma unroll
      for (int r = 0; r < ${warpRows}; r++)
        row[r] = block + (unsigned long long)(tile.row + min(warp + ${warps} * r, last)) * term.ld;
      #pragma unroll ${Math.max(1, ahead / warpRows)}
      for (int d = lane; d < term.terms; d += ${WARP}) {
        real a[${warpRows}];
        #pragma unroll
        for (int r = 0; r < ${warpRows}; r++) a[r] = __ldg(row[r] + d);
        #pragma unroll
        for (int c = 0; c < ${width}; c++) {
          const real v = __ldg(x + (unsigned long long)d * p.width + columns[c]);
          #pragma unroll
          for (int r = 0; r < ${warpRows}; r++) turned[r][c] += a[r] * v;
        }
      }
    } else {
      const real* row[${rows}];
      #pragma unroll
      for (int r = 0; r < ${rows}; r++) row[r] = block + tile.row + min(lane % ${lanes} + ${WARP} * r, last);
      #pragma unroll ${ahead / rows}
      for (int d = warp * ${steps} + lane / ${lanes}; d < term.terms; d += ${warps * steps}) {
        const unsigned long long at = (unsigned long long)d * term.ld;
        real a[${rows}];
        #pragma unroll
        for (int r = 0; r < ${rows}; r++) a[r] = __ldg(row[r] + at);
        #pragma unroll
        for (int c = 0; c < ${width}; c++) {
          const real v = __ldg(x + (unsigned long long)d * p.width + columns[c]);
          #pragma unroll
          for (int r = 0; r < ${rows}; r++) plain[r][c] += a[r] * v;
        }
      }
    }
  }
  #pragma unroll
  for (int c = 0; c < ${width}; c++) {
    #pragma unroll
    for (int r = 0; r < ${warpRows}; r++) {
      real sum = turned[r][c];
      #pragma unroll
      for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (lane == 0) across[(warp + ${warps} * r) * ${width} + c] = sum;
    }
    #pragma unroll
    for (int r = 0; r < ${rows}; r++) {
      real sum = plain[r][c];
      ${steps === 1 ? '' : `sum += __shfl_xor_sync(0xffffffffu, sum, ${lanes});`}
      if (lane < ${lanes}) parts[warp][(lane + ${WARP} * r) * ${width} + c] = sum;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < ${height * width}; i += ${warps * WARP}) {
    real sum = across[i];
    #pragma unroll
    for (int w = 0; w < ${warps}; w++) sum += parts[w][i];
    const int row = tile.row + i / ${width}, column = left + i % ${width};
    if (row < target.count && column < p.width) storeRow(p, target, row, column, sum);
  }
}
`;
}
