/**
 * The block that a node eliminates from: a leaf's diagonal block plus λI, or its children's Schur complements and their coupling. Layer 5.
 *
 *   D = [D_SS ·; D_RS D_RR],  S: the node's skeleton in apply order, R: its redundant candidates, in the order of its stored interpolation.
 *
 * Of D_SS and D_RR only the lower triangles are written.
 */
import { leftChild } from '../core/indices.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { firstLeaf, type HierarchicalData } from './data.js';
import { leafDiagonal, transposeBlock } from './factor-tree.js';
import { leftmostLeaf, type UlvPlan } from './ulv-plan.js';

/** D_SS (rank × rank), D_RS (R × rank) and D_RR (R × R). */
export interface LocalBlock { readonly ss: Matrix; readonly rs: Matrix; readonly rr: Matrix }

export function assembleLocal(data: HierarchicalData, plan: UlvPlan, schur: FloatArray, shift: number, ν: number, out: LocalBlock): void {
  if (ν >= firstLeaf(data.tree)) fromLeaf(data, shift, ν, out);
  else fromChildren(data, plan, schur, ν, out);
}

function fromLeaf(data: HierarchicalData, shift: number, ν: number, { ss, rs, rr }: LocalBlock): void {
  const { a, uplo } = leafDiagonal(data, ν);
  const k = ss.rows;
  copyTriangle(ss, a.data, a.offset, a.ld, uplo);
  copyTriangle(rr, a.data, a.offset + k * (a.ld + 1), a.ld, uplo);
  if (uplo === 'L') for (let j = 0; j < k; j++) copyRun(rs.data, rs.offset + j * rs.ld, a.data, a.offset + k + j * a.ld, rs.rows);
  else transposeBlock(rs.data, rs.offset, rs.ld, a.data, a.offset + k * a.ld, a.ld, k, rs.rows);
  if (shift === 0) return;
  for (let i = 0; i < k; i++) ss.data[ss.offset + i * (ss.ld + 1)] += shift;
  for (let i = 0; i < rr.rows; i++) rr.data[rr.offset + i * (rr.ld + 1)] += shift;
}

/** Lower triangle of `out` from the `uplo` triangle of a symmetric block. */
function copyTriangle(out: Matrix, a: FloatArray, at: number, ld: number, uplo: 'L' | 'U'): void {
  const n = out.rows;
  for (let j = 0; j < n; j++) {
    if (uplo === 'L') copyRun(out.data, out.offset + j + j * out.ld, a, at + j + j * ld, n - j);
    // Column j of the upper triangle is row j of the lower one.
    else for (let i = 0, from = at + j * ld, to = out.offset + j; i <= j; i++, to += out.ld) out.data[to] = a[from + i];
  }
}

function copyRun(out: FloatArray, to: number, a: FloatArray, from: number, count: number): void {
  if (count >= 32) out.set(a.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) out[to + i] = a[from + i];
}

function fromChildren(data: HierarchicalData, plan: UlvPlan, schur: FloatArray, ν: number, { ss, rs, rr }: LocalBlock): void {
  const { tree, skeletons: { begin, gather, picked }, offsets, values } = data;
  const l = leftChild(ν);
  const r = l + 1;
  const m = begin[l + 1] - begin[l];
  const n = begin[r + 1] - begin[r];
  const left = plan.slotBegin[leftmostLeaf(tree, l)];
  const right = plan.slotBegin[leftmostLeaf(tree, r)];
  // B is m × n; where either child has rank 0 it is empty.
  const b = m > 0 && n > 0 ? offsets.coupling[plan.pairOf[l]] : 0;
  const pl = picked[l];
  const pr = picked[r];
  const rl = m - pl;
  const rn = n - pr;
  const k = ss.rows;
  const { data: h } = rr;
  for (let j = 0; j < rl; j++) copyRun(h, rr.offset + j + j * rr.ld, schur, left + pl + j + (pl + j) * m, rl - j);
  for (let j = 0; j < rn; j++) copyRun(h, rr.offset + (rl + j) * (rr.ld + 1), schur, right + pr + j + (pr + j) * n, rn - j);
  transposeBlock(h, rr.offset + rl, rr.ld, values, b + pl + pr * m, m, rl, rn);
  const { data: v } = rs;
  const first = begin[ν];
  for (let s = 0; s < k; s++) {
    const g = gather[first + s];
    const column = rs.offset + s * rs.ld;
    if (g < m) {
      copyRun(v, column, schur, left + pl + g * m, rl);
      for (let i = 0, from = b + g + pr * m; i < rn; i++, from += m) v[column + rl + i] = values[from];
    } else {
      copyRun(v, column, values, b + pl + (g - m) * m, rl);
      copyRun(v, column + rl, schur, right + pr + (g - m) * n, rn);
    }
  }
  for (let t = 0; t < k; t++) {
    const g = gather[first + t];
    const column = ss.offset + t * ss.ld;
    for (let s = t; s < k; s++) {
      const f = gather[first + s];
      ss.data[column + s] = g < m
        ? (f < m ? schur[left + (f > g ? f + g * m : g + f * m)] : values[b + g + (f - m) * m])
        : (f < m ? values[b + f + (g - m) * m] : schur[right + (f > g ? f - m + (g - m) * n : g - m + (f - m) * n)]);
    }
  }
}
