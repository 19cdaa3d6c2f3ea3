/**
 * The largest numbers of vectors and where they stand; maxima of windows. Compiled to WebAssembly.
 */
import { lanesOf, read, write } from './lanes';

/**
 * The largest of n numbers, n > 0, in all lanes. NaN may be passed over: what is computed with its column is NaN
 * anyway.
 */
@inline
export function largest<T>(n: i32, x: usize): v128 {
  return greatest<T>(false, n, x);
}

/** The largest of n numbers, n > 0, in all lanes; with `strict` NaN if there is one. */
@inline
function greatest<T>(strict: bool, n: i32, x: usize): v128 {
  const lanes = lanesOf<T>();
  let most = v128.load_splat<T>(x);
  let i = n;
  for (; i >= lanes; i -= lanes) {
    most = greater<T>(strict, most, v128.load(x));
    x += 16;
  }
  for (; i > 0; --i) {
    most = greater<T>(strict, most, v128.load_splat<T>(x));
    x += sizeof<T>();
  }
  if (sizeof<T>() == 4) most = greater<T>(strict, most, v128.shuffle<f32>(most, most, 1, 0, 3, 2));
  return greater<T>(strict, most, v128.shuffle<f64>(most, most, 1, 0));
}

@inline
function greater<T>(strict: bool, a: v128, b: v128): v128 {
  return strict ? v128.max<T>(a, b) : v128.pmax<T>(a, b);
}

/** The bytes before the first of n numbers that is `most` or NaN, found 32 bits at a time; 0 if there is none. */
@inline
export function placeOf<T>(most: v128, n: i32, x: usize): usize {
  const lanes = lanesOf<T>();
  for (let start = 0; start < n; start += 32) {
    const end = min(n, start + 32);
    let found: u32 = 0;
    for (let k = start; k < end; k += lanes) {
      const value = read<T>(x + <usize>k * sizeof<T>(), min(end - k, lanes));
      const equal = v128.or(v128.eq<T>(value, most), v128.ne<T>(value, value));
      const bits = sizeof<T>() == 8 ? i64x2.bitmask(equal) : i32x4.bitmask(equal);
      found |= <u32>bits << (k - start);
    }
    if (found) return <usize>(start + <i32>ctz<u32>(found)) * sizeof<T>();
  }
  return 0;
}

/** indices_j ← the row of the first maximum of column j, of its first NaN if it has one; rows > 0. */
export function maxIndices<T>(rows: i32, cols: i32, x: usize, indices: usize): void {
  for (let j = 0; j < cols; ++j) {
    store<i32>(indices, <i32>(placeOf<T>(greatest<T>(true, rows, x), rows, x) / sizeof<T>()));
    x += <usize>rows * sizeof<T>();
    indices += 4;
  }
}

/** The first lanes' numbers, to be added to an index. */
const ordinals: usize = memory.data<i32>([0, 1, 2, 3]);

/**
 * y ← the first maximum, or NaN, of each window of windowWidth × windowHeight positions of `depth` numbers; indices ←
 * where it lies. Windows begin at multiples of the strides less the paddings, and have a position within the image.
 */
export function maxPool<T>(
  depth: i32, width: i32, height: i32, windowWidth: i32, windowHeight: i32, strideWidth: i32, strideHeight: i32,
  left: i32, top: i32, outWidth: i32, outHeight: i32, x: usize, y: usize, indices: usize,
): void {
  const lanes = lanesOf<T>();
  for (let j = 0; j < outHeight; ++j) {
    const startRow = max(0, j * strideHeight - top);
    const endRow = min(height, j * strideHeight - top + windowHeight);
    for (let i = 0; i < outWidth; ++i) {
      const start = max(0, i * strideWidth - left);
      const positions = min(width, i * strideWidth - left + windowWidth) - start;
      let base = depth * (start + width * startRow);
      let k = depth;
      for (; k >= lanes; k -= lanes) {
        poolStep<T>(depth, width, positions, endRow - startRow, base, x, y, indices, lanesOf<T>());
        base += lanes;
        y += 16;
        indices += 4 * lanes;
      }
      if (k > 0) {
        poolStep<T>(depth, width, positions, endRow - startRow, base, x, y, indices, k);
        y += <usize>k * sizeof<T>();
        indices += 4 * <usize>k;
      }
    }
  }
}

/** The maxima of `count` windows that begin at the indices from `base` on. */
@inline
function poolStep<T>(
  depth: i32, width: i32, positions: i32, runs: i32, base: i32, x: usize, y: usize, indices: usize, count: i32,
): void {
  const far = <usize>base * sizeof<T>();
  let most = read<T>(x + far, count);
  let at = i32x4.add(i32x4.splat(base), v128.load(ordinals));
  let here = at;
  const onward = i32x4.splat(depth);
  const down = i32x4.splat(depth * (width - positions));
  let from = x + far;
  for (let r = 0; r < runs; ++r) {
    for (let p = 0; p < positions; ++p) {
      const value = read<T>(from, count);
      // What is greater, or NaN, takes the place of what is a number.
      const more = v128.and(v128.not(v128.le<T>(value, most)), v128.eq<T>(most, most));
      most = v128.bitselect(value, most, more);
      const chosen = sizeof<T>() == 8 ? v128.shuffle<i32>(more, more, 0, 2, 0, 2) : more;
      at = v128.bitselect(here, at, chosen);
      here = i32x4.add(here, onward);
      from += <usize>depth * sizeof<T>();
    }
    here = i32x4.add(here, down);
    from += <usize>(depth * (width - positions)) * sizeof<T>();
  }
  write<T>(y, most, count);
  // As many 32-bit lanes as numbers.
  write<f32>(indices, at, count);
}
