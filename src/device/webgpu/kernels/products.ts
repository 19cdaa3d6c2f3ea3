/**
 * Block products: a workgroup has a square tile of a target, whose sum runs over the terms DEPTH numbers at a time;
 * those of A and B go to shared memory, of which each thread multiplies a few rows by a few columns.
 */
import { DEPTH } from '../../tiles.js';
import { demandOfProducts, listsOfProducts, type BlockProducts } from '../../work/products.js';
import { productTiles, type TileSize } from '../../work/tiles.js';
import { wordOfFloat, type Kernel } from './shader.js';
import { wordsOf, type Step } from './step.js';

const THREADS = 256;

const each = (count: number, body: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => body(i)).join('\n');

/** The kernel of tiles of that size. */
function kernelOf(size: TileSize): Kernel {
  // Each thread has `side` × `side` entries of the tile.
  const side = size / 16;
  return {
    name: `products ${size}`,
    lists: ['targets', 'terms', 'tiles'],
    operands: ['a', 'b', 'c'],
    writes: ['c'],
    takesWidth: false,
    body: ({ a, b, c }) => `
var<workgroup> left: array<f32, ${DEPTH * size}>;
var<workgroup> right: array<f32, ${DEPTH * size}>;

fn place(offset: u32, ld: u32, transposed: u32, i: u32, j: u32) -> u32 {
  return offset + select(i + j * ld, j + i * ld, transposed == 1u);
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = groupOf(group);
  if (tile >= word(0u)) { return; }
  let t = 8u * tiles[3u * tile];
  let row = tiles[3u * tile + 1u];
  let column = tiles[3u * tile + 2u];
  let rows = targets[t + 3u];
  let columns = targets[t + 4u];
  let r = (thread / 16u) * ${side}u;
  let q = (thread % 16u) * ${side}u;
  ${each(side * side, (i) => `var s${i} = 0.0;`)}
  for (var e = 7u * targets[t + 6u]; e < 7u * targets[t + 7u]; e += 7u) {
    let depth = terms[e + 6u];
    for (var k = 0u; k < depth; k += ${DEPTH}u) {
      for (var i = thread; i < ${DEPTH * size}u; i += ${THREADS}u) {
        // Neighbors of the buffer are read by neighbors of the workgroup.
        let turnedA = terms[e + 2u] == 1u;
        let d = select(i / ${size}u, i % ${DEPTH}u, turnedA);
        let x = select(i % ${size}u, i / ${DEPTH}u, turnedA);
        var value = 0.0;
        if (row + x < rows && k + d < depth) {
          value = ${a}[place(terms[e], terms[e + 1u], terms[e + 2u], row + x, k + d)];
        }
        left[d * ${size}u + x] = value;
        let turnedB = terms[e + 5u] == 1u;
        let f = select(i % ${DEPTH}u, i / ${size}u, turnedB);
        let y = select(i / ${DEPTH}u, i % ${size}u, turnedB);
        value = 0.0;
        if (column + y < columns && k + f < depth) {
          value = ${b}[place(terms[e + 3u], terms[e + 4u], terms[e + 5u], k + f, column + y)];
        }
        right[f * ${size}u + y] = value;
      }
      workgroupBarrier();
      for (var d = 0u; d < ${DEPTH}u; d++) {
        ${each(side, (i) => `let a${i} = left[d * ${size}u + r + ${i}u];`)}
        ${each(side, (j) => `let b${j} = right[d * ${size}u + q + ${j}u];`)}
        ${each(side * side, (i) => `s${i} += a${Math.floor(i / side)} * b${i % side};`)}
      }
      workgroupBarrier();
    }
  }
  let i = row + r;
  let j = column + q;
  ${each(side * side, (e) => `store(t, i + ${Math.floor(e / side)}u, j + ${e % side}u, s${e});`)}
}

fn store(t: u32, i: u32, j: u32, sum: f32) {
  if (i >= targets[t + 3u] || j >= targets[t + 4u]) { return; }
  let at = place(targets[t], targets[t + 1u], targets[t + 2u], i, j);
  var value = number(2u) * sum;
  if (number(3u) != 0.0) { value += number(3u) * ${c}[at]; }
  ${c}[at] = value;
}
`,
  };
}

const KERNELS = { 64: kernelOf(64), 32: kernelOf(32), 16: kernelOf(16) } as const;

/** The launches, by tiles of the sizes that cost least. */
export function productSteps(work: BlockProducts, operands: Step['operands'] = { a: 'a', b: 'b', c: 'c' }): Step[] {
  if (work.targets.length === 0) return [];
  return productTiles(work).map(({ size, work: own, tiles, padded }) => {
    const { targets, terms } = listsOfProducts(own);
    return {
      kernel: () => KERNELS[size],
      lists: { targets: wordsOf(targets), terms: wordsOf(terms), tiles: wordsOf(tiles) },
      constants: [wordOfFloat(work.alpha), wordOfFloat(work.beta)],
      operands,
      groups: () => [tiles.length / 3, 1],
      padded: () => Math.max(padded, demandOfProducts(own).flops(1)),
    };
  });
}
