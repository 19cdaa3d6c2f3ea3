/**
 * Numbers, columns and chunks moved from place to place. Compiled to WebAssembly.
 */
import { combine } from './arithmetic';

/** The largest of n indices, n > 0, a negative one as what its bits are without a sign. */
export function largestIndex(n: i32, indices: usize): u32 {
  let most = v128.load32_splat(indices);
  let i = n;
  for (; i >= 4; i -= 4) {
    most = i32x4.max_u(most, v128.load(indices));
    indices += 16;
  }
  for (; i > 0; --i) {
    most = i32x4.max_u(most, v128.load32_splat(indices));
    indices += 4;
  }
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  return <u32>i32x4.extract_lane(i32x4.max_u(most, v128.shuffle<i64>(most, most, 1, 0)), 0);
}

/** y_j ← x_k + βy_j, k = indices_j, columns of `rows` numbers. */
export function gather<T>(rows: i32, cols: i32, indices: usize, x: usize, beta: T, y: usize): void {
  const height = <usize>rows * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    moved<T>(rows, x + <usize>load<u32>(indices) * height, beta, y);
    indices += 4;
    y += height;
  }
}

/** y_k ← y_k + x_j, k = indices_j, in the order of j. */
export function scatterAdd<T>(rows: i32, cols: i32, indices: usize, x: usize, y: usize): void {
  const height = <usize>rows * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    moved<T>(rows, x, <T>1, y + <usize>load<u32>(indices) * height);
    indices += 4;
    x += height;
  }
}

/** y ← x + βy on outer × inner chunks of `chunk` numbers, whose beginnings are so many numbers apart. */
export function copyChunks<T>(
  chunk: i32, inner: i32, innerFrom: i32, innerTo: i32, outer: i32, outerFrom: i32, outerTo: i32, x: usize, beta: T,
  y: usize,
): void {
  for (let j = 0; j < outer; ++j) {
    let from = x + <usize>j * <usize>outerFrom * sizeof<T>();
    let to = y + <usize>j * <usize>outerTo * sizeof<T>();
    for (let i = 0; i < inner; ++i) {
      moved<T>(chunk, from, beta, to);
      from += <usize>innerFrom * sizeof<T>();
      to += <usize>innerTo * sizeof<T>();
    }
  }
}

/** y ← x + βy */
@inline
function moved<T>(n: i32, x: usize, beta: T, y: usize): void {
  if (n > 1) combine<T>(n, <T>1, x, beta, y);
  else if (n == 1) store<T>(y, beta == <T>0 ? load<T>(x) : load<T>(x) + beta * load<T>(y));
}
