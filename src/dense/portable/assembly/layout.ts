/**
 * Where the kernels keep their scratch space in the linear memory, and the block sizes it is made for. Compiled to
 * WebAssembly. K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008: a
 * KC × NR panel of B stays in the first-level cache, an MC × KC block of A in the second, a KC × NC block of B in the
 * third.
 *
 *     __heap_base ─ packed A ─ packed B ─ one tile of C ─ small triangles ─ arena (the callers' matrices)
 */

export const MC: i32 = 128;
export const KC: i32 = 256;
export const NC: i32 = 512;
/** Columns of a register tile; its rows fill two vectors: 4 in float64, 8 in float32. */
export const NR: i32 = 4;
/** Order up to which a triangle is solved, multiplied or factored without gemm. */
export const TRIANGLE: i32 = 32;
/** Right-hand sides that a triangle on the left treats at a time. */
export const STRIP: i32 = 64;

export const packedA: usize = (__heap_base + 63) & ~63;
export const packedB: usize = packedA + <usize>(MC * KC * 8);
export const tile: usize = packedB + <usize>(KC * NC * 8);
export const triangle: usize = tile + 256;
export const strip: usize = triangle + <usize>(TRIANGLE * TRIANGLE * 8);
export const arena: usize = strip + <usize>(TRIANGLE * STRIP * 8);

/** Byte address of the first byte that callers may use. */
export function arenaStart(): usize {
  return arena;
}
