/**
 * Vectors of numbers in the linear memory, whole or in part. Compiled to WebAssembly.
 * The last numbers of a range are no loop of their own: they go through the same operations in the first lanes of a
 * vector, the others of which are zero when read and not written. So a number's bits do not depend on where it stands.
 */

@inline
export function lanesOf<T>(): i32 {
  return 16 / <i32>sizeof<T>();
}

/** `count` numbers, at least one and at most a vector, then zeros. */
@inline
export function read<T>(at: usize, count: i32): v128 {
  if (count == lanesOf<T>()) return v128.load(at);
  return readPart<T>(at, count);
}

@inline
function readPart<T>(at: usize, count: i32): v128 {
  if (sizeof<T>() == 8) return v128.load64_zero(at);
  if (count == 1) return v128.load32_zero(at);
  const two = v128.load64_zero(at);
  return count == 2 ? two : v128.load32_lane(at + 8, two, 2);
}

/** The first `count` lanes. */
@inline
export function write<T>(at: usize, value: v128, count: i32): void {
  if (count == lanesOf<T>()) v128.store(at, value);
  else writePart<T>(at, value, count);
}

@inline
function writePart<T>(at: usize, value: v128, count: i32): void {
  if (sizeof<T>() == 8) {
    v128.store64_lane(at, value, 0);
  } else if (count == 1) {
    v128.store32_lane(at, value, 0);
  } else {
    v128.store64_lane(at, value, 0);
    if (count == 3) v128.store32_lane(at + 8, value, 2);
  }
}

/** Ones, then zeros: a window of it selects the first lanes. */
const windows: usize = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0]);

/** The first `count` lanes, zero in the others. */
@inline
export function first<T>(value: v128, count: i32): v128 {
  if (count == lanesOf<T>()) return value;
  return v128.and(value, v128.load(windows + 16 - <usize>count * sizeof<T>()));
}

/** q·r + c */
@inline
export function horner<T>(q: v128, r: v128, c: v128): v128 {
  return v128.add<T>(v128.mul<T>(q, r), c);
}

/** Both halves of a vector in double precision, added. */
@inline
export function doubled<T>(value: v128): v128 {
  if (sizeof<T>() == 8) return value;
  return f64x2.add(lower(value), upper(value));
}

/** The first two numbers of four, in double precision. */
@inline
export function lower(value: v128): v128 {
  return f64x2.promote_low_f32x4(value);
}

/** The last two numbers of four, in double precision. */
@inline
export function upper(value: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f64>(value, value, 1, 1));
}

@inline
export function sumOf(sum: v128): f64 {
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}
