/**
 * Is this a hierarchical matrix? The check of arrays that come from outside, before anything is multiplied with them.
 * What `data.ts` promises is verified part by part, in O(stored skeletons + leaves + blocks) and one pass over the
 * values: afterwards every view that a product makes lies inside its array, and every pair of indices is covered once.
 */
import { firstNonFinite } from '../../core/floats.js';
import { leftChild, rightChild } from '../../core/indices.js';
import { type ClusterTree, firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { diagonalOrder, sharesZeros, type HierarchicalData } from './data.js';
import { basisRows } from './layout.js';
import type { Layout } from './layout.js';
import { FORMAT_TABLE } from './format.js';

/** Called with what is wrong; must throw. */
export type Refuse = (what: string) => never;

const MAX_DEPTH = 28;

/** Passes `refuse` the first thing that keeps `data` from being a hierarchical matrix with these counts of elements. */
export function checkHierarchicalData(data: HierarchicalData, elements: Layout['elements'], refuse: Refuse): void {
  checkTree(data.tree, refuse);
  checkSkeletons(data, refuse);
  checkLists(data, refuse);
  checkBlocks(data, elements, refuse);
  checkValues(data, refuse);
}

function checkLength(name: string, array: { readonly length: number }, length: number, refuse: Refuse): void {
  if (array.length !== length) refuse(`${name} has ${array.length} entries where ${length} belong`);
}

/** CSR starts: from 0 to `last`, never falling. */
function checkBegins(name: string, begin: Int32Array, rows: number, last: number, refuse: Refuse): void {
  checkLength(name, begin, rows + 1, refuse);
  if (begin[0] !== 0 || begin[rows] !== last)
    refuse(`${name} runs from ${begin[0]} to ${begin[rows]} instead of from 0 to ${last}`);
  for (let i = 0; i < rows; i++)
    if (begin[i + 1] < begin[i]) refuse(`${name} falls from ${begin[i]} to ${begin[i + 1]} at entry ${i + 1}`);
}

/** Passes `refuse` the first thing that keeps `tree` from being what cluster-tree.ts promises. */
export function checkTree(tree: ClusterTree, refuse: Refuse): void {
  const { size, depth, order, begin, end } = tree;
  if (!Number.isInteger(size) || size < 1 || size > 0x7fffffff) refuse(`size is ${size}`);
  if (!Number.isInteger(depth) || depth < 0 || depth > MAX_DEPTH || 2 ** depth > size)
    refuse(`a tree of depth ${depth} cannot stand over ${size} indices`);
  const nodes = nodesOf(tree);
  checkLength('tree.begin', begin, nodes, refuse);
  checkLength('tree.end', end, nodes, refuse);
  checkLength('tree.order', order, size, refuse);
  if (begin[0] < 0 || begin[0] >= size || end[0] !== size)
    refuse(`the root holds positions ${begin[0]} to ${end[0]} of ${size}`);
  for (let ν = 0; ν < nodes; ν++) {
    if (begin[ν] >= end[ν]) refuse(`node ${ν} holds no index`);
    if (ν >= firstLeaf(tree)) continue;
    const l = leftChild(ν);
    const r = rightChild(ν);
    if (begin[l] !== begin[ν] || end[l] !== begin[r] || end[r] !== end[ν])
      refuse(`the children of node ${ν} do not split its positions`);
  }
  const seen = new Uint8Array(size);
  for (let p = 0; p < size; p++) {
    const i = order[p];
    if (i < 0 || i >= size || seen[i] !== 0)
      refuse(`tree.order is no permutation: ${i} stands at position ${p}${i >= 0 && i < size ? ' a second time' : ''}`);
    seen[i] = 1;
  }
}

function checkSkeletons({ tree, skeletons, format }: HierarchicalData, refuse: Refuse): void {
  const { begin, indices, gather, picked } = skeletons;
  const nodes = nodesOf(tree);
  const leaf0 = firstLeaf(tree);
  checkBegins('skeletons.begin', begin, nodes, indices.length, refuse);
  checkLength('skeletons.gather', gather, indices.length, refuse);
  checkLength('skeletons.picked', picked, nodes, refuse);
  const position = new Int32Array(tree.size);
  for (let p = 0; p < tree.size; p++) position[tree.order[p]] = p;
  for (let ν = 0; ν < nodes; ν++) {
    const rank = begin[ν + 1] - begin[ν];
    if (picked[ν] < 0 || picked[ν] > rank)
      refuse(`the parent of node ${ν} picks ${picked[ν]} of its ${rank} skeletons`);
    if (rank > tree.end[ν] - tree.begin[ν])
      refuse(`node ${ν} has rank ${rank}, but only ${tree.end[ν] - tree.begin[ν]} indices`);
    for (let j = begin[ν]; j < begin[ν + 1]; j++) {
      const i = indices[j];
      if (i < 0 || i >= tree.size || position[i] < tree.begin[ν] || position[i] >= tree.end[ν])
        refuse(`skeleton ${j - begin[ν]} of node ${ν} is ${i}, which is no index of the node`);
      if (ν >= leaf0 && tree.order[tree.begin[ν] + j - begin[ν]] !== i)
        refuse(`the skeleton of leaf ${ν} does not stand first in its order`);
    }
    if (ν < leaf0 && FORMAT_TABLE[format].nested) checkNesting(ν, skeletons, refuse);
  }
}

/**
 * The skeletons of an inner node are skeletons of its children, each taken once, those of a child being its first ones.
 */
function checkNesting(
  ν: number,
  { begin, indices, gather, picked }: HierarchicalData['skeletons'],
  refuse: Refuse,
): void {
  const l = leftChild(ν);
  const r = rightChild(ν);
  const leftRank = begin[l + 1] - begin[l];
  const both = leftRank + begin[r + 1] - begin[r];
  if (picked[l] + picked[r] !== begin[ν + 1] - begin[ν])
    refuse(
      `node ${ν} has rank ${begin[ν + 1] - begin[ν]}, but picks ${picked[l] + picked[r]} skeletons of its children`,
    );
  const taken = new Uint8Array(both);
  for (let j = begin[ν]; j < begin[ν + 1]; j++) {
    const g = gather[j];
    const inPrefix = g >= 0 && g < both && (g < leftRank ? g < picked[l] : g - leftRank < picked[r]);
    if (!inPrefix || taken[g] !== 0 || indices[begin[l] + g] !== indices[j])
      refuse(`skeleton ${j - begin[ν]} of node ${ν} is not the skeleton of a child that it names (${g})`);
    taken[g] = 1;
  }
}

function checkLists({ tree, lists, format }: HierarchicalData, refuse: Refuse): void {
  const { nearBegin, near, far } = lists;
  const leaves = leavesOf(tree);
  const nodes = nodesOf(tree);
  checkBegins('lists.nearBegin', nearBegin, leaves, near.length, refuse);
  const covered = BigInt(near.length);
  const places = nearBegin.slice(0, leaves);
  for (let α = 0; α < leaves; α++) {
    let own = false;
    for (let e = nearBegin[α]; e < nearBegin[α + 1]; e++) {
      const β = near[e];
      if (β < 0 || β >= leaves || (e > nearBegin[α] && β <= near[e - 1]))
        refuse(`the near list of leaf ${α} is not an ascending list of leaves (${β})`);
      own ||= β === α;
      // Rows come in ascending order, so the next unread entry of β's list must be α: that is symmetry.
      if (places[β] >= nearBegin[β + 1] || near[places[β]] !== α)
        refuse(`leaf ${β} is near leaf ${α}, but not the other way round`);
      places[β]++;
    }
    if (!own) refuse(`leaf ${α} is not near itself`);
  }
  if (!FORMAT_TABLE[format].nearBlocks && near.length !== leaves)
    refuse(`format '${format}' has no near blocks off the diagonal, and there are ${near.length - leaves}`);
  if (far.length % 2 !== 0) refuse(`lists.far holds ${far.length} nodes, which are not pairs`);
  let far2 = 0n;
  for (let f = 0; f < far.length; f += 2) {
    const α = far[f];
    const β = far[f + 1];
    if (α < 1 || β <= α || β >= nodes)
      refuse(`far pair ${f / 2} is (${α}, ${β}), which are no two nodes in ascending order`);
    if (tree.begin[β] < tree.end[α] && tree.begin[α] < tree.end[β])
      refuse(`far pair ${f / 2} is (${α}, ${β}), of which one contains the other`);
    far2 += 2n * BigInt(leavesBelow(α, tree.depth)) * BigInt(leavesBelow(β, tree.depth));
  }
  if (covered + far2 !== BigInt(leaves) ** 2n)
    refuse(`near and far blocks cover ${covered + far2} pairs of leaves instead of ${BigInt(leaves) ** 2n}`);
}

const leavesBelow = (ν: number, depth: number): number => 2 ** (depth - (31 - Math.clz32(ν + 1)));

/** Every block lies in `values`, and together they fill it without overlap. */
function checkBlocks(
  { tree, lists, skeletons, offsets, values, format }: HierarchicalData,
  elements: Layout['elements'],
  refuse: Refuse,
): void {
  const { begin } = skeletons;
  const nodes = nodesOf(tree);
  const leaves = leavesOf(tree);
  const leaf0 = firstLeaf(tree);
  const rank = (ν: number): number => begin[ν + 1] - begin[ν];
  const sizeOf = (leaf: number): number => tree.end[leaf0 + leaf] - tree.begin[leaf0 + leaf];
  const starts: number[] = [];
  const lengths: number[] = [];
  /** Notes a block; returns its elements. */
  const put = (kind: string, number: number, at: number, length: number): number => {
    if (length === 0) return 0;
    if (!Number.isSafeInteger(at) || at < 0 || at + length > values.length)
      refuse(`${kind} block ${number} (${length} elements at ${at}) reaches past the ${values.length} values`);
    starts.push(at);
    lengths.push(length);
    return length;
  };
  const found = { basis: 0, coupling: 0, near: 0, diagonal: 0 };
  checkLength('offsets.basis', offsets.basis, nodes, refuse);
  checkLength('offsets.coupling', offsets.coupling, lists.far.length / 2, refuse);
  checkLength('offsets.near', offsets.near, lists.near.length, refuse);
  checkLength('offsets.diagonal', offsets.diagonal, Math.ceil(leaves / 2), refuse);
  for (let ν = 0; ν < nodes; ν++)
    found.basis += put(
      'basis',
      ν,
      offsets.basis[ν],
      basisRows(tree, skeletons, FORMAT_TABLE[format].nested, ν) * rank(ν),
    );
  const shares = sharesZeros({ lists, skeletons, offsets });
  const zeros = { pair: -1, length: 0 };
  for (let f = 0; f < offsets.coupling.length; f++) {
    const length = rank(lists.far[2 * f]) * rank(lists.far[2 * f + 1]);
    if (shares[f] === 0) {
      found.coupling += put('coupling', f, offsets.coupling[f], length);
      continue;
    }
    if (zeros.pair >= 0 && offsets.coupling[f] !== offsets.coupling[zeros.pair])
      refuse(
        `coupling blocks overlap at elements ${offsets.coupling[zeros.pair]} and ${offsets.coupling[f]}: zero ` +
          'blocks share one place',
      );
    zeros.pair = f;
    zeros.length = Math.max(zeros.length, length);
  }
  if (zeros.pair >= 0) {
    const at = offsets.coupling[zeros.pair];
    found.coupling += put('coupling', zeros.pair, at, zeros.length);
    if (values.subarray(at, at + zeros.length).some((value) => value !== 0))
      refuse(`coupling blocks overlap at element ${at}: they share a place, but are not zero`);
  }
  const seen = lists.nearBegin.slice(0, leaves);
  for (let α = 0; α < leaves; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) {
      const β = lists.near[e];
      if (β > α) found.near += put('near', e, offsets.near[e], sizeOf(α) * sizeOf(β));
      if (β > α && offsets.near[seen[β]] !== offsets.near[e])
        refuse(`near blocks (${α}, ${β}) and (${β}, ${α}) are not stored at one place`);
      seen[β]++;
    }
  }
  for (let q = 0; q < offsets.diagonal.length; q++) {
    const m = diagonalOrder(tree, q);
    found.diagonal += put('diagonal', q, offsets.diagonal[q], leaves === 1 ? m * m : m * (m + 1));
  }
  for (const kind of ['basis', 'coupling', 'near', 'diagonal'] as const) {
    if (found[kind] !== elements[kind])
      refuse(`the ${kind} blocks have ${found[kind]} elements, the header says ${elements[kind]}`);
  }
  const byStart = Float64Array.from(starts.keys()).sort((a, b) => starts[a] - starts[b]);
  let next = 0;
  for (const k of byStart) {
    if (starts[k] !== next)
      refuse(`blocks ${starts[k] < next ? 'overlap' : 'leave a gap'} at element ${Math.min(starts[k], next)}`);
    next += lengths[k];
  }
  if (next !== values.length || elements.total !== next)
    refuse(
      `the blocks have ${next} elements, the header says ${elements.total}, and ${values.length} values are stored`,
    );
}

function checkValues({ values }: HierarchicalData, refuse: Refuse): void {
  const at = firstNonFinite(values);
  if (at >= 0) refuse(`value ${at} is ${values[at]}, not a finite number`);
}
