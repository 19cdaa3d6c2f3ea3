/**
 * The block that a node eliminates from: a leaf's diagonal block plus λI, or its children's Schur complements and their
 * coupling.
 *
 *   D = [D_SS ·; D_RS D_RR],  S: the node's skeleton in apply order, R: its redundant candidates, in the order of its
 *   stored interpolation.
 *
 * Only the lower triangles of D_SS and D_RR are written.
 */
import { leftChild } from '../../../core/indices.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { copyRun, copyTriangle, leafEntries, part, transposeBlock } from '../tree.js';
import { leftmostLeaf, type UlvPlan } from './plan.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/** D_SS (rank × rank), D_RS (R × rank) and D_RR (R × R). */
export interface LocalBlock {
  readonly ss: Matrix;
  readonly rs: Matrix;
  readonly rr: Matrix;
}

/** What blocks are assembled from. */
export interface AssemblyState {
  readonly data: HierarchicalData;
  readonly plan: UlvPlan;
  /** Schur complements of the nodes below. */
  readonly schur: FloatArray;
}

/** out ← the block of node ν, from the leaf's diagonal block or from the children's Schur complements in `schur`. */
export function assembleLocal(state: AssemblyState, shift: number, ν: number, out: LocalBlock): void {
  if (ν >= firstLeaf(state.data.tree)) fromLeaf(state.data, shift, ν, out);
  else fromChildren(state, ν, out);
}

function fromLeaf(data: HierarchicalData, shift: number, ν: number, { ss, rs, rr }: LocalBlock): void {
  const entries = leafEntries(data, ν);
  const { from, ld, uplo } = entries;
  const k = ss.rows;
  const [sso, rso, rro] = [whole(ss), whole(rs), whole(rr)];
  copyTriangle(sso, k, entries, 0);
  copyTriangle(rro, rr.rows, entries, k * (ld + 1));
  if (uplo === 'L') for (let j = 0; j < k; j++) copyRun(rso, j * rs.rows, from, k + j * ld, rs.rows);
  else transposeBlock(rs, view(from, k * ld, k, rs.rows, ld));
  if (shift === 0) return;
  for (let i = 0; i < k; i++) sso[i * (k + 1)] += shift;
  for (let i = 0; i < rr.rows; i++) rro[i * (rr.rows + 1)] += shift;
}

const whole = ({ data, offset, rows, cols }: Matrix): FloatArray => part(data, offset, rows * cols);

function fromChildren({ data, plan, schur }: AssemblyState, ν: number, { ss, rs, rr }: LocalBlock): void {
  const {
    tree,
    skeletons: { begin, gather, picked },
    offsets,
    values,
  } = data;
  const l = leftChild(ν);
  const r = l + 1;
  const m = begin[l + 1] - begin[l];
  const n = begin[r + 1] - begin[r];
  const left = part(schur, plan.slotBegin[leftmostLeaf(tree, l)], m * m);
  const right = part(schur, plan.slotBegin[leftmostLeaf(tree, r)], n * n);
  // m × n; where either child has rank 0 it is empty.
  const b = part(values, m > 0 && n > 0 ? offsets.coupling[plan.pairOf[l]] : 0, m * n);
  const pl = picked[l];
  const pr = picked[r];
  const rl = m - pl;
  const rn = n - pr;
  const k = ss.rows;
  const h = whole(rr);
  const order = rr.rows;
  for (let j = 0; j < rl; j++) copyRun(h, j * (order + 1), left, (pl + j) * (m + 1), rl - j);
  for (let j = 0; j < rn; j++) copyRun(h, (rl + j) * (order + 1), right, (pr + j) * (n + 1), rn - j);
  transposeBlock(view(h, rl, rn, rl, order), view(b, pl + pr * m, rl, rn, m));
  const places = gather.subarray(begin[ν], begin[ν + 1]);
  const v = whole(rs);
  for (let s = 0; s < k; s++) {
    const g = places[s];
    const column = s * order;
    if (g < m) {
      copyRun(v, column, left, pl + g * m, rl);
      for (let i = 0, from = g + pr * m; i < rn; i++, from += m) v[column + rl + i] = b[from];
    } else {
      copyRun(v, column, b, pl + (g - m) * m, rl);
      copyRun(v, column + rl, right, pr + (g - m) * n, rn);
    }
  }
  const square = whole(ss);
  for (let t = 0; t < k; t++) {
    const g = places[t];
    const column = t * k;
    if (g < m) {
      for (let s = t; s < k; s++) {
        const f = places[s];
        square[column + s] = f < m ? left[f > g ? f + g * m : g + f * m] : b[g + (f - m) * m];
      }
    } else {
      const c = g - m;
      for (let s = t; s < k; s++) {
        const f = places[s];
        const d = f - m;
        square[column + s] = d < 0 ? b[f + c * m] : right[d > c ? d + c * n : c + d * n];
      }
    }
  }
}
