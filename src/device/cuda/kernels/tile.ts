/**
 * Tiles of products, summed by a block of threads: DEPTH numbers at a time of rows of the left and of columns of the
 * right factor go to shared memory, of which each thread multiplies a few rows by a few columns, while the next ones
 * are under way to its registers. The sum runs over all terms of a target.
 */
import type { Precision } from '../../../core/floats.js';
import { DEPTH } from '../../tiles.js';
import { REAL } from './source.js';

/** A tile, and the entries of it that a thread has. */
export interface TileShape {
  readonly precision: Precision;
  readonly height: number;
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
}

/** What the tiles of a kernel are of. */
export interface TileText {
  readonly name: string;
  /** The structure Parameters, and the functions `Tile tileOf(p, block)`, `Factors factorsOf(p, tile, t)`, `store`. */
  readonly head: string;
}

/** How tiles are multiplied: texts of a kernel, in which \`now\` is the half of shared memory that is read. */
export interface TileEngine {
  readonly precision: Precision;
  readonly height: number;
  readonly width: number;
  readonly threads: number;
  /** What stands before the kernel. */
  readonly head: string;
  /** Shared memory, the place of the thread, and its sums, zero. */
  readonly begin: string;
  /** Puts \`left\` and \`right\`, numbers of \`term\`, there. */
  readonly put: string;
  /** Adds the products of what stands there to the sums. */
  readonly multiply: string;
  /** Hands each sum over: \`give(row, column, sum)\`, rows and columns of the tile. */
  readonly end: string;
}

/** What heads of kernels are written with. */
const HEAD = `
// A factor P(over, along), "along" what is summed over; turned: numbers along are neighbors in memory.
struct Panel { const real* base; long long ld; int turned; };
// A term: both factors, and over how many numbers its sum runs.
struct Factors { Panel left, right; int depth; };
// A tile of a target: its first row and column, where the target ends, its terms, what else the head keeps of it.
struct Tile { int row, column, rows, columns, begin, end; long long target; };

// Numbers of a panel that the thread brings: zeros beyond "end" and "depth".
template <int SIZE, int COUNT>
__device__ __forceinline__ void fetch(real (&to)[COUNT], const Panel& panel, int first, int end, int k, int depth) {
  #pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = threadIdx.x + n * (SIZE * DEPTH / COUNT);
    const int over = first + (panel.turned ? i / DEPTH : i % SIZE), along = k + (panel.turned ? i % DEPTH : i / SIZE);
    to[n] = over < end && along < depth
      ? __ldg(panel.base + (panel.turned ? over * panel.ld + along : along * panel.ld + over)) : (real)0;
  }
}
`;

/** Reads `count` numbers from shared memory, 16 bytes at a time where that many are in line. */
function loads(precision: Precision, to: string, from: string, count: number): string {
  const lanes = precision === 'f64' ? 2 : 4;
  const pack = precision === 'f64' ? 'double2' : 'float4';
  const all = (n: number, text: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => text(i)).join(' ');
  if (count % lanes !== 0) return all(count, (i) => `${to}[${i}] = (${from})[${i}];`);
  const member = ['x', 'y', 'z', 'w'];
  return all(count / lanes, (i) => {
    const read = `const ${pack} ${to}${i} = *(const ${pack}*)(${from} + ${i * lanes});`;
    return `${read} ${all(lanes, (j) => `${to}[${i * lanes + j}] = ${to}${i}.${member[j]};`)}`;
  });
}

/** Products of the numbers as they are, a number of each factor at a time. */
export function plainEngine({ precision, height, width, rows, columns }: TileShape): TileEngine {
  const pad = precision === 'f64' ? 2 : 4;
  return {
    precision,
    height,
    width,
    threads: (height / rows) * (width / columns),
    head: `
const int PAD = ${pad};
// They go to shared memory; a pad of 16 bytes lets a warp that brings numbers along meet few banks twice.
template <int SIZE, int COUNT>
__device__ __forceinline__ void put(real* shared, const real (&from)[COUNT], int turned) {
  #pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = threadIdx.x + n * (SIZE * DEPTH / COUNT);
    shared[(turned ? i % DEPTH : i / SIZE) * (SIZE + PAD) + (turned ? i / DEPTH : i % SIZE)] = from[n];
  }
}
`,
    begin: `
  __shared__ __align__(16) real lefts[2][${DEPTH * (height + pad)}];
  __shared__ __align__(16) real rights[2][${DEPTH * (width + pad)}];
  const int row = threadIdx.x / ${width / columns} * ${rows};
  const int column = threadIdx.x % ${width / columns} * ${columns};
  real sums[${rows}][${columns}];
  #pragma unroll
  for (int r = 0; r < ${rows}; r++) {
    #pragma unroll
    for (int c = 0; c < ${columns}; c++) sums[r][c] = 0;
  }`,
    put: `
      put<${height}>(lefts[now], left, term.left.turned);
      put<${width}>(rights[now], right, term.right.turned);`,
    multiply: `
      #pragma unroll
      for (int d = 0; d < DEPTH; d++) {
        real a[${rows}], x[${columns}];
        ${loads(precision, 'a', `lefts[now] + d * ${height + pad} + row`, rows)}
        ${loads(precision, 'x', `rights[now] + d * ${width + pad} + column`, columns)}
        #pragma unroll
        for (int r = 0; r < ${rows}; r++) {
          #pragma unroll
          for (int c = 0; c < ${columns}; c++) sums[r][c] += a[r] * x[c];
        }
      }`,
    end: `
  #pragma unroll
  for (int r = 0; r < ${rows}; r++) {
    #pragma unroll
    for (int c = 0; c < ${columns}; c++) give(p, tile, row + r, column + c, sums[r][c]);
  }`,
  };
}

/** The source of a kernel of tiles. */
export function tileKernel(engine: TileEngine, { name, head }: TileText): string {
  const { precision, height, width, threads } = engine;
  return `
typedef ${REAL[precision]} real;
const int DEPTH = ${DEPTH};
${HEAD}
${engine.head}
${head}
__device__ __forceinline__ void give(const Parameters& p, const Tile& tile, int row, int column, real sum) {
  if (tile.row + row < tile.rows && tile.column + column < tile.columns)
    store(p, tile, tile.row + row, tile.column + column, sum);
}

extern "C" __global__ void __launch_bounds__(${threads}) ${name}(const Parameters p) {
${engine.begin}
  const Tile tile = tileOf(p, blockIdx.x);
  int t = tile.begin, k = 0, now = 0;
  if (t < tile.end) {
    Factors term = factorsOf(p, tile, t);
    real left[${(height * DEPTH) / threads}], right[${(width * DEPTH) / threads}];
    fetch<${height}>(left, term.left, tile.row, tile.rows, k, term.depth);
    fetch<${width}>(right, term.right, tile.column, tile.columns, k, term.depth);
    while (true) {
      // What was fetched goes to the half of shared memory that nobody reads now.
${engine.put}
      __syncthreads();
      k += DEPTH;
      if (k >= term.depth) {
        k = 0;
        t++;
        if (t < tile.end) term = factorsOf(p, tile, t);
      }
      if (t < tile.end) {
        fetch<${height}>(left, term.left, tile.row, tile.rows, k, term.depth);
        fetch<${width}>(right, term.right, tile.column, tile.columns, k, term.depth);
      }
${engine.multiply}
      if (t >= tile.end) break;
      now ^= 1;
    }
  }
${engine.end}
}
`;
}
