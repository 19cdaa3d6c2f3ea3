/**
 * Matrix product over the linear memory: packed panels, register tiles. Compiled to WebAssembly. After Goto & van de
 * Geijn (ACM TOMS 34(3), 2008) and BLIS (F. Van Zee, R. van de Geijn, ACM TOMS 41(3), 2015). Departure: one source for
 * both precisions, and a mask, by which a triangle of C (syrk) costs the tiles it touches and no more. The order of the
 * sums depends on the shape alone, so the same operands always give the same bits.
 */
import { KC, MC, NC, NR, packedA, packedB, tile } from './layout';

/** Which part of C is computed: everything, or a triangle with its diagonal. */
export const ALL: i32 = 0;
export const LOWER: i32 = 1;
export const UPPER: i32 = 2;

@inline
function splatAt<T>(p: usize, offset: usize): v128 {
  if (sizeof<T>() == 8) return v128.load64_splat(p + offset);
  return v128.load32_splat(p + offset);
}

/** c ← α·Σ_p a(:, p)·b(p, :) + β·c for one register tile; ldc in bytes. With β = 0, c is not read. */
function micro<T>(kc: i32, alpha: T, pa: usize, pb: usize, beta: T, c: usize, ldc: usize): void {
  const width: usize = sizeof<T>();
  let c00 = v128.splat<T>(<T>0);
  let c10 = c00;
  let c01 = c00;
  let c11 = c00;
  let c02 = c00;
  let c12 = c00;
  let c03 = c00;
  let c13 = c00;
  for (let p = kc >> 1; p > 0; --p) {
    let a0 = v128.load(pa);
    let a1 = v128.load(pa, 16);
    let b = splatAt<T>(pb, 0);
    c00 = v128.add<T>(c00, v128.mul<T>(a0, b));
    c10 = v128.add<T>(c10, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, width);
    c01 = v128.add<T>(c01, v128.mul<T>(a0, b));
    c11 = v128.add<T>(c11, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 2 * width);
    c02 = v128.add<T>(c02, v128.mul<T>(a0, b));
    c12 = v128.add<T>(c12, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 3 * width);
    c03 = v128.add<T>(c03, v128.mul<T>(a0, b));
    c13 = v128.add<T>(c13, v128.mul<T>(a1, b));
    a0 = v128.load(pa, 32);
    a1 = v128.load(pa, 48);
    b = splatAt<T>(pb, 4 * width);
    c00 = v128.add<T>(c00, v128.mul<T>(a0, b));
    c10 = v128.add<T>(c10, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 5 * width);
    c01 = v128.add<T>(c01, v128.mul<T>(a0, b));
    c11 = v128.add<T>(c11, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 6 * width);
    c02 = v128.add<T>(c02, v128.mul<T>(a0, b));
    c12 = v128.add<T>(c12, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 7 * width);
    c03 = v128.add<T>(c03, v128.mul<T>(a0, b));
    c13 = v128.add<T>(c13, v128.mul<T>(a1, b));
    pa += 64;
    pb += 8 * width;
  }
  if (kc & 1) {
    const a0 = v128.load(pa);
    const a1 = v128.load(pa, 16);
    let b = splatAt<T>(pb, 0);
    c00 = v128.add<T>(c00, v128.mul<T>(a0, b));
    c10 = v128.add<T>(c10, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, width);
    c01 = v128.add<T>(c01, v128.mul<T>(a0, b));
    c11 = v128.add<T>(c11, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 2 * width);
    c02 = v128.add<T>(c02, v128.mul<T>(a0, b));
    c12 = v128.add<T>(c12, v128.mul<T>(a1, b));
    b = splatAt<T>(pb, 3 * width);
    c03 = v128.add<T>(c03, v128.mul<T>(a0, b));
    c13 = v128.add<T>(c13, v128.mul<T>(a1, b));
  }
  const s = v128.splat<T>(alpha);
  storeColumn<T>(c, v128.mul<T>(s, c00), v128.mul<T>(s, c10), beta);
  storeColumn<T>(c + ldc, v128.mul<T>(s, c01), v128.mul<T>(s, c11), beta);
  storeColumn<T>(c + 2 * ldc, v128.mul<T>(s, c02), v128.mul<T>(s, c12), beta);
  storeColumn<T>(c + 3 * ldc, v128.mul<T>(s, c03), v128.mul<T>(s, c13), beta);
}

@inline
function storeColumn<T>(c: usize, upper: v128, lower: v128, beta: T): void {
  if (beta == <T>0) {
    v128.store(c, upper);
    v128.store(c, lower, 16);
  } else {
    const b = v128.splat<T>(beta);
    v128.store(c, v128.add<T>(upper, v128.mul<T>(b, v128.load(c))));
    v128.store(c, v128.add<T>(lower, v128.mul<T>(b, v128.load(c, 16))), 16);
  }
}

/**
 * One tile on the edge of C or across its diagonal: into scratch, then the entries that exist. row − col locates the
 * diagonal.
 */
function microEdge<T>(
  kc: i32, alpha: T, pa: usize, pb: usize, beta: T, c: usize, ldc: usize, rows: i32, cols: i32, diagonal: i32,
  mask: i32,
): void {
  const width: usize = sizeof<T>();
  micro<T>(kc, alpha, pa, pb, <T>0, tile, 32);
  for (let j = 0; j < cols; ++j) {
    const first = mask == LOWER ? max(0, j - diagonal) : 0;
    const last = mask == UPPER ? min(rows, j - diagonal + 1) : rows;
    const from = tile + <usize>j * 32;
    const to = c + <usize>j * ldc;
    for (let i = first; i < last; ++i) {
      const value = load<T>(from + <usize>i * width);
      const at = to + <usize>i * width;
      store<T>(at, beta == <T>0 ? value : value + beta * load<T>(at));
    }
  }
}

/** dst(p·lanes + i) ← src(i, p), rows contiguous: whole groups of 16 bytes, `groups` of them a step. */
function copyPanel(steps: i32, groups: i32, src: usize, stride: usize, dst: usize): void {
  if (groups == 2) {
    for (let p = 0; p < steps; ++p) {
      v128.store(dst, v128.load(src));
      v128.store(dst, v128.load(src, 16), 16);
      src += stride;
      dst += 32;
    }
  } else {
    for (let p = 0; p < steps; ++p) {
      v128.store(dst, v128.load(src));
      src += stride;
      dst += 16;
    }
  }
}

/**
 * dst(p·step + i) ← src(i, p), i < 4, where src's p run contiguously and its rows are `stride` bytes apart; step in
 * bytes.
 */
function transposePanel<T>(steps: i32, src: usize, stride: usize, dst: usize, step: usize): void {
  const width: usize = sizeof<T>();
  let r0 = src;
  let r1 = src + stride;
  let r2 = r1 + stride;
  let r3 = r2 + stride;
  let p = steps;
  if (sizeof<T>() == 8) {
    for (; p >= 2; p -= 2) {
      const x0 = v128.load(r0);
      const x1 = v128.load(r1);
      const x2 = v128.load(r2);
      const x3 = v128.load(r3);
      v128.store(dst, v128.shuffle<f64>(x0, x1, 0, 2));
      v128.store(dst, v128.shuffle<f64>(x2, x3, 0, 2), 16);
      v128.store(dst + step, v128.shuffle<f64>(x0, x1, 1, 3));
      v128.store(dst + step, v128.shuffle<f64>(x2, x3, 1, 3), 16);
      r0 += 16;
      r1 += 16;
      r2 += 16;
      r3 += 16;
      dst += 2 * step;
    }
  } else {
    for (; p >= 4; p -= 4) {
      const x0 = v128.load(r0);
      const x1 = v128.load(r1);
      const x2 = v128.load(r2);
      const x3 = v128.load(r3);
      const y0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const y1 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const y2 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const y3 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      v128.store(dst, v128.shuffle<f64>(y0, y1, 0, 2));
      v128.store(dst + step, v128.shuffle<f64>(y0, y1, 1, 3));
      v128.store(dst + 2 * step, v128.shuffle<f64>(y2, y3, 0, 2));
      v128.store(dst + 3 * step, v128.shuffle<f64>(y2, y3, 1, 3));
      r0 += 16;
      r1 += 16;
      r2 += 16;
      r3 += 16;
      dst += 4 * step;
    }
  }
  for (; p > 0; --p) {
    store<T>(dst, load<T>(r0));
    store<T>(dst + width, load<T>(r1));
    store<T>(dst + 2 * width, load<T>(r2));
    store<T>(dst + 3 * width, load<T>(r3));
    r0 += width;
    r1 += width;
    r2 += width;
    r3 += width;
    dst += step;
  }
}

/**
 * Packs a rows × steps block into panels of `lanes` rows, step by step, zeros below its edge.
 * Entry (i, p) lies at src + i·rowStride + p·stepStride (bytes); one of the strides is the width of a number.
 */
function pack<T>(lanes: i32, rows: i32, steps: i32, src: usize, rowStride: usize, stepStride: usize, dst: usize): void {
  const width: usize = sizeof<T>();
  const step = <usize>lanes * width;
  const panel = <usize>steps * step;
  for (let i = 0; i < rows; i += lanes) {
    const from = src + <usize>i * rowStride;
    const here = min(lanes, rows - i);
    if (here == lanes) {
      if (rowStride == width) {
        copyPanel(steps, <i32>(step >> 4), from, stepStride, dst);
      } else {
        for (let half = 0; half < lanes; half += 4) {
          transposePanel<T>(steps, from + <usize>half * rowStride, rowStride, dst + <usize>half * width, step);
        }
      }
    } else {
      for (let p = 0; p < steps; ++p) {
        const column = from + <usize>p * stepStride;
        const to = dst + <usize>p * step;
        for (let r = 0; r < here; ++r) store<T>(to + <usize>r * width, load<T>(column + <usize>r * rowStride));
        for (let r = here; r < lanes; ++r) store<T>(to + <usize>r * width, <T>0);
      }
    }
    dst += panel;
  }
}

/** c ← β·c on the masked part; zero where β = 0, whatever stood there. */
export function scale<T>(m: i32, n: i32, beta: f64, c: usize, ldc: i32, mask: i32): void {
  const width: usize = sizeof<T>();
  if (beta == 1) return;
  for (let j = 0; j < n; ++j) {
    const first = mask == LOWER ? j : 0;
    const last = mask == UPPER ? min(m, j + 1) : m;
    for (let i = first; i < last; ++i) {
      const at = c + (<usize>j * <usize>ldc + <usize>i) * width;
      store<T>(at, beta == 0 ? <T>0 : <T>beta * load<T>(at));
    }
  }
}

/** Fills the other triangle of a symmetric matrix, given the upper or the lower one. */
export function mirror<T>(upper: bool, n: i32, a: usize, lda: i32): void {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  const along = upper ? stride : width;
  const across = upper ? width : stride;
  for (let j = 0; j < n; ++j) {
    const diagonal = a + <usize>j * (stride + width);
    for (let i = 1; i < n - j; ++i) store<T>(diagonal + <usize>i * across, load<T>(diagonal + <usize>i * along));
  }
}

/** C ← α·op(A)·op(B) + β·C on the masked part of C (m × n); leading dimensions in elements. */
export function gemm<T>(
  transA: bool, transB: bool, m: i32, n: i32, k: i32, alpha: f64, a: usize, lda: i32, b: usize, ldb: i32, beta: f64,
  c: usize, ldc: i32, mask: i32,
): void {
  if (m <= 0 || n <= 0) return;
  if (k <= 0 || alpha == 0) {
    scale<T>(m, n, beta, c, ldc, mask);
    return;
  }
  const width: usize = sizeof<T>();
  const MR: i32 = 32 / <i32>width;
  const strideC = <usize>ldc * width;
  const rowA = transA ? <usize>lda * width : width;
  const stepA = transA ? width : <usize>lda * width;
  const rowB = transB ? width : <usize>ldb * width;
  const stepB = transB ? <usize>ldb * width : width;
  // Even shares of k, so that no sliver is left over.
  const shares = (k + KC - 1) / KC;
  const depth = min(KC, ((k + shares - 1) / shares + 3) & ~3);
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    for (let pc = 0; pc < k; pc += depth) {
      const kc = min(depth, k - pc);
      const betaHere = pc == 0 ? <T>beta : <T>1;
      pack<T>(NR, nc, kc, b + <usize>jc * rowB + <usize>pc * stepB, rowB, stepB, packedB);
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        if (mask == LOWER && ic + mc <= jc) continue;
        if (mask == UPPER && ic >= jc + nc) continue;
        pack<T>(MR, mc, kc, a + <usize>ic * rowA + <usize>pc * stepA, rowA, stepA, packedA);
        for (let jr = 0; jr < nc; jr += NR) {
          const cols = min(NR, nc - jr);
          const pb = packedB + <usize>(jr * kc) * width;
          for (let ir = 0; ir < mc; ir += MR) {
            const rows = min(MR, mc - ir);
            const diagonal = ic + ir - jc - jr;
            let whole = rows == MR && cols == NR;
            if (mask == LOWER) {
              if (diagonal + rows <= 0) continue;
              whole = whole && diagonal >= NR - 1;
            } else if (mask == UPPER) {
              if (diagonal >= cols) continue;
              whole = whole && diagonal + MR <= 1;
            }
            const pa = packedA + <usize>(ir * kc) * width;
            const at = c + <usize>(ic + ir) * width + <usize>(jc + jr) * strideC;
            if (whole) micro<T>(kc, <T>alpha, pa, pb, betaHere, at, strideC);
            else microEdge<T>(kc, <T>alpha, pa, pb, betaHere, at, strideC, rows, cols, diagonal, mask);
          }
        }
      }
    }
  }
}
