/**
 * The kernel of block rows in WGSL, one for each shape of a tile: height rows × width vectors. A workgroup sums a tile:
 * DEPTH terms at a time of the block and of the vectors go to its shared memory, of which each thread multiplies a few
 * rows by a few columns.
 */
import { DEPTH, type TileHeight, type TileWidth } from '../tiles.js';

/** Threads of a workgroup at most: what every adapter has. */
const MOST_THREADS = 256;
const LEAST_THREADS = 64;

/** Words of a target in the lists (lists.ts). */
export const TARGET_WORDS = 5;
/** Words of a term there. */
export const TERM_WORDS = 5;
/** Words of the parameters. */
export const PARAMETER_WORDS = 8;

/** The kernel of tiles of that shape. */
export function kernelOf(height: TileHeight, width: TileWidth): string {
  // Each thread has `rows` × `columns` entries of the tile.
  const columns = Math.min(4, Math.max(1, width / 16));
  const across = width / columns;
  const rows = Math.max(1, (height * across) / MOST_THREADS);
  const working = (height / rows) * across;
  const threads = Math.max(LEAST_THREADS, working);
  const each = (count: number, body: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => body(i)).join('\n');
  const sums = Array.from({ length: rows * columns }, (_, i) => i);
  return `
struct Parameters { width: u32, keep: u32, tiles: u32, across: u32, alpha: f32, _0: u32, _1: u32, _2: u32 }
struct Tile { block: u32, row: u32 }
struct Block { first: u32, count: u32, starts: i32, begin: u32, end: u32 }
struct Term { offset: u32, ld: u32, transposed: u32, source: u32, terms: u32 }

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var<storage, read> blocks: array<Block>;
@group(0) @binding(3) var<storage, read> terms: array<Term>;
@group(0) @binding(4) var<storage, read> starts: array<i32>;
@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> vectors: array<f32>;

// Terms one after the other, each with the rows of the tile, or with its columns.
var<workgroup> a: array<f32, ${DEPTH * height}>;
var<workgroup> x: array<f32, ${DEPTH * width}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = group.x + group.y * parameters.across;
  if (number >= parameters.tiles) { return; }
  let tile = tiles[number];
  let block = blocks[tile.block];
  let rows = min(${height}u, block.count - tile.row);
  let left = group.z * ${width}u;
  let row = (thread / ${across}u) * ${rows}u;
  let column = (thread % ${across}u) * ${columns}u;
  ${each(sums.length, (i) => `var s${i} = 0.0;`)}
  for (var t = block.begin; t < block.end; t++) {
    let term = terms[t];
    for (var k = 0u; k < term.terms; k += ${DEPTH}u) {
      for (var i = thread; i < ${DEPTH * height}u; i += ${threads}u) {
        var value = 0.0;
        if (term.transposed == 1u) {
          let r = i / ${DEPTH}u;
          let d = i % ${DEPTH}u;
          if (r < rows && k + d < term.terms) { value = values[term.offset + (tile.row + r) * term.ld + k + d]; }
          a[d * ${height}u + r] = value;
        } else {
          let r = i % ${height}u;
          let d = i / ${height}u;
          if (r < rows && k + d < term.terms) { value = values[term.offset + (k + d) * term.ld + tile.row + r]; }
          a[i] = value;
        }
      }
      for (var i = thread; i < ${DEPTH * width}u; i += ${threads}u) {
        let d = i / ${width}u;
        let c = left + i % ${width}u;
        var value = 0.0;
        if (k + d < term.terms && c < parameters.width) {
          value = vectors[(term.source + k + d) * parameters.width + c];
        }
        x[i] = value;
      }
      workgroupBarrier();
      if (thread < ${working}u) {
        for (var d = 0u; d < ${DEPTH}u; d++) {
          ${each(columns, (j) => `let x${j} = x[d * ${width}u + column + ${j}u];`)}
          ${each(rows, (i) => `let a${i} = a[d * ${height}u + row + ${i}u];`)}
          ${each(sums.length, (i) => `s${i} += a${Math.floor(i / columns)} * x${i % columns};`)}
        }
      }
      workgroupBarrier();
    }
  }
  if (thread >= ${working}u) { return; }
  ${each(sums.length, (i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return `store(block, tile.row + row + ${r}u, tile.row + rows, left + column + ${c}u, s${i});`;
  })}
}

fn store(block: Block, row: u32, end: u32, column: u32, sum: f32) {
  if (row >= end || column >= parameters.width) { return; }
  let place = (block.first + row) * parameters.width + column;
  var value = parameters.alpha * sum;
  if (block.starts >= 0) {
    let origin = starts[u32(block.starts) + row];
    if (origin >= 0) { value += vectors[u32(origin) * parameters.width + column]; }
  }
  if (parameters.keep == 1u) { value += vectors[place]; }
  vectors[place] = value;
}
`;
}
