/**
 * Which products cuBLAS multiplies, and by which calls. Products of large blocks are its, with rows of vectors too; our
 * own kernels (kernels/products.ts, rows.ts) have all others, in one launch whatever their shapes are.
 *
 * Products of one shape are one call where they take GEMM_LEAST.flops or more: gemm, gemmStridedBatched where factors
 * and results lie equally far apart, else gemmBatched. Large blocks that are left over are one gemmGroupedBatched,
 * where the library has it and they take as much. A sum of several terms is a call for each term, in their order. Of
 * a launch of block rows cuBLAS has all large targets or none: what is left is then one list of tiles. Of
 * a lower triangle strips of columns are multiplied, each from its diagonal on.
 */
import type { BlockRows } from '../block-rows.js';
import type { Block } from '../work/demand.js';
import type { BlockProducts, ProductTarget, ProductTerm } from '../work/products.js';
import type { GemmForm } from './cublas.js';

/** What a product has at least that is cuBLAS's. */
export interface GemmLeast {
  /** Rows, columns. */
  readonly extent: number;
  /** Numbers of each term's sum: a term reads and writes what the ones before it have summed. */
  readonly depth: number;
  /** Flops of a call: with fewer a launch of its own costs what it saves. */
  readonly flops: number;
}

/** 2²⁷ flops are some 5 µs of a large card, a launch 3. */
export const GEMM_LEAST: GemmLeast = { extent: 64, depth: 128, flops: 2 ** 27 };

/** Columns of a strip of a lower triangle: half of a square of so many is multiplied in vain. */
const STRIP = 512;

/** C ← βC + α·op(A)·op(B) of matrices that stand by columns: C is m × n, a sum has k terms. */
export interface GemmShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Whether op(A), op(B) transpose. */
  readonly transposed: readonly [a: boolean, b: boolean];
  readonly ld: Places;
}

/** A number of each of A, B and C. */
export type Places = readonly [a: number, b: number, c: number];

/** A call of cuBLAS. */
export interface GemmCall {
  readonly form: GemmForm;
  /** Of all products; of each group where there are several. */
  readonly shapes: readonly GemmShape[];
  readonly counts: readonly number[];
  /** Where A, B and C of each product begin, in their operands. */
  readonly offsets: readonly Places[];
  /** How much further they begin in the next product, of the form "strided". */
  readonly strides: Places;
  /** Whether A is of the work's operand b and B of its a: targets that stand by rows are Cᵀ = Bᵀ·Aᵀ. */
  readonly swapped: boolean;
  /** Whether C has the terms before already: then β = 1. */
  readonly goesOn: boolean;
  readonly flops: number;
}

/** A term of a target, as a product of cuBLAS's. */
interface Gemm {
  readonly shape: GemmShape;
  readonly offsets: Places;
  readonly swapped: boolean;
}

/** A target, and its terms as products. */
interface Candidate {
  readonly target: ProductTarget;
  readonly gemms: readonly Gemm[];
}

function gemmOf({ c, rows, columns }: ProductTarget, { a, b, depth }: ProductTerm): Gemm {
  const swapped = c.transposed === true;
  const [left, right] = swapped ? [b, a] : [a, b];
  const [m, n] = swapped ? [columns, rows] : [rows, columns];
  const turned = (block: Block): boolean => (block.transposed === true) !== swapped;
  const shape: GemmShape = { m, n, k: depth, transposed: [turned(left), turned(right)], ld: [left.ld, right.ld, c.ld] };
  return { shape, offsets: [left.offset, right.offset, c.offset], swapped };
}

const keyOf = ({ shape: { m, n, k, transposed, ld }, swapped }: Gemm): string =>
  [m, n, k, ...transposed, ...ld, swapped].join();

const flopsOf = ({ m, n, k }: GemmShape): number => 2 * m * n * k;

/** The block from row and column `first` on. */
const from = (block: Block, rows: number, columns: number): Block => ({
  ...block,
  offset: block.offset + (block.transposed === true ? rows * block.ld + columns : rows + columns * block.ld),
});

/** A lower triangle as strips. */
function stripsOf(target: ProductTarget): ProductTarget[] {
  const { c, rows, columns, lower, terms } = target;
  if (lower !== true) return [target];
  const wide = Math.min(rows, columns);
  return Array.from({ length: Math.ceil(wide / STRIP) }, (_, s) => {
    const first = s * STRIP;
    return {
      ...target,
      c: from(c, first, first),
      rows: rows - first,
      columns: Math.min(STRIP, wide - first),
      terms: terms.map(({ a, b, depth }) => ({ a: from(a, first, 0), b: from(b, 0, first), depth })),
    };
  });
}

const isLarge = ({ rows, columns, terms }: ProductTarget, { extent, depth }: GemmLeast): boolean =>
  Math.min(rows, columns) >= extent && terms.length > 0 && terms.every((term) => term.depth >= depth);

/** How far apart the places of each next product are, where that is always as far, and never backwards. */
function stridesOf(offsets: readonly Places[]): Places | undefined {
  const [first, second] = offsets;
  const strides = first.map((place, o) => second[o] - place) as unknown as Places;
  const regular = offsets.every((places, i) => places.every((place, o) => place === first[o] + i * strides[o]));
  return regular && strides.every((stride) => stride >= 0) ? strides : undefined;
}

/** The products of term t of candidates that have one, by shape. */
function byShape(candidates: readonly Candidate[], t: number): Gemm[][] {
  const groups = new Map<string, Gemm[]>();
  for (const { gemms } of candidates) {
    if (gemms.length <= t) continue;
    const key = keyOf(gemms[t]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [gemms[t]]);
    else group.push(gemms[t]);
  }
  return [...groups.values()];
}

/** The call for products of one shape, of term t. */
function uniformCall(gemms: readonly Gemm[], t: number): GemmCall {
  const [{ shape, swapped }] = gemms;
  const offsets = gemms.map((gemm) => gemm.offsets);
  const strides = gemms.length === 1 ? undefined : stridesOf(offsets);
  return {
    form: gemms.length === 1 ? 'one' : strides === undefined ? 'batched' : 'strided',
    shapes: [shape],
    counts: [gemms.length],
    offsets,
    strides: strides ?? [0, 0, 0],
    swapped,
    goesOn: t > 0,
    flops: gemms.length * flopsOf(shape),
  };
}

/** The call for groups of products of one shape each, of term t; all stand by columns or all by rows. */
function groupedCall(groups: readonly (readonly Gemm[])[], t: number): GemmCall {
  const shapes = groups.map(([{ shape }]) => shape);
  const counts = groups.map(({ length }) => length);
  return {
    form: 'grouped',
    shapes,
    counts,
    offsets: groups.flatMap((group) => group.map(({ offsets }) => offsets)),
    strides: [0, 0, 0],
    swapped: groups[0][0].swapped,
    goesOn: t > 0,
    flops: shapes.reduce((sum, shape, i) => sum + counts[i] * flopsOf(shape), 0),
  };
}

const termsOf = (candidates: readonly Candidate[]): number[] => [
  ...Array(candidates.reduce((most, { gemms }) => Math.max(most, gemms.length), 0)).keys(),
];

/** Those of which every term is of a shape whose products take so many flops together, and the others. */
function splitByShape(candidates: readonly Candidate[], flops: number): [large: Candidate[], others: Candidate[]] {
  const few = new Set<Gemm>();
  for (const t of termsOf(candidates))
    for (const group of byShape(candidates, t))
      if (group.length * flopsOf(group[0].shape) < flops) for (const gemm of group) few.add(gemm);
  const isLargeOne = ({ gemms }: Candidate): boolean => !gemms.some((gemm) => few.has(gemm));
  return [candidates.filter(isLargeOne), candidates.filter((one) => !isLargeOne(one))];
}

/** What cuBLAS multiplies, and the work that is left. */
export interface ChosenGemms {
  readonly calls: readonly GemmCall[];
  readonly rest: BlockProducts;
}

const uniformCalls = (candidates: readonly Candidate[]): GemmCall[] =>
  termsOf(candidates).flatMap((t) => byShape(candidates, t).map((group) => uniformCall(group, t)));

const groupedCalls = (candidates: readonly Candidate[]): GemmCall[] =>
  termsOf(candidates).map((t) => groupedCall(byShape(candidates, t), t));

const candidateOf = (target: ProductTarget): Candidate => ({
  target,
  gemms: target.terms.map((term) => gemmOf(target, term)),
});

/** Opens cuBLAS: whether it multiplies matrices of several shapes in one call; undefined where there is none. */
export type OpenCublas = () => { readonly hasGroups: boolean } | undefined;

/**
 * Chooses by sizes alone. `open` is called only where something is large enough. What that throws is thrown.
 */
export function chooseGemms(work: BlockProducts, least: GemmLeast, open: OpenCublas): ChosenGemms {
  const strips = work.targets.flatMap((target) => (isLarge(target, least) ? stripsOf(target) : [target]));
  const candidates = strips.filter((target) => isLarge(target, least)).map(candidateOf);
  const [large, others] = splitByShape(candidates, least.flops);
  const sides = [false, true].map((swapped) => others.filter(({ gemms }) => gemms[0].swapped === swapped));
  const together = sides.map(groupedCalls);
  const isWorth = (calls: readonly GemmCall[]): boolean =>
    calls.length > 0 && calls.every(({ flops }) => flops >= least.flops);
  const cublas = large.length > 0 || together.some(isWorth) ? open() : undefined;
  if (cublas === undefined) return { calls: [], rest: work };
  const calls = uniformCalls(large);
  const taken = new Set(large.map(({ target }) => target));
  sides.forEach((own, side) => {
    if (!(cublas.hasGroups && isWorth(together[side]))) return;
    calls.push(...together[side]);
    for (const { target } of own) taken.add(target);
  });
  if (calls.length === 0) return { calls, rest: work };
  return { calls, rest: { ...work, targets: strips.filter((target) => !taken.has(target)) } };
}

/**
 * Calls for all products of a work whose targets all stand by rows, or none: where those take as much as is worth a
 * call, one with another. `open` as for `chooseGemms`.
 */
export function chooseAllGemms(work: BlockProducts, least: GemmLeast, open: OpenCublas): readonly GemmCall[] {
  const isEvery = work.targets.every((target) => isLarge(target, least));
  const candidates = isEvery ? work.targets.map(candidateOf) : [];
  const flops = candidates.reduce((sum, { gemms }) => gemms.reduce((own, { shape }) => own + flopsOf(shape), sum), 0);
  const cublas = flops >= least.flops ? open() : undefined;
  if (cublas === undefined) return [];
  const isWorth = (calls: readonly GemmCall[]): boolean => flops >= least.flops * calls.length;
  const each = uniformCalls(candidates);
  if (isWorth(each)) return each;
  const [large, others] = splitByShape(candidates, least.flops);
  const grouped = cublas.hasGroups ? [...uniformCalls(large), ...groupedCalls(others)] : each;
  return isWorth(grouped) ? grouped : [];
}

/** Targets of block rows that cuBLAS may have: they start from nothing, and are large. */
export function largeTargets({ count, startBegin, termBegin, terms }: BlockRows, least: GemmLeast): boolean[] {
  return Array.from(count, (rows, b) => {
    const own = terms.subarray(termBegin[b], termBegin[b + 1]);
    return startBegin[b] < 0 && rows >= least.extent && own.length > 0 && own.every((depth) => depth >= least.depth);
  });
}

/** Those targets as products of blocks a with rows of `width` vectors b, which become rows c. */
export function productsOfRows(rows: BlockRows, targets: readonly number[], width: number): BlockProducts {
  const vectors = (row: number): Block => ({ offset: row * width, ld: width, transposed: true });
  return {
    kind: 'products',
    alpha: rows.alpha ?? 1,
    beta: rows.keep ? 1 : 0,
    targets: targets.map((b) => ({
      c: vectors(rows.first[b]),
      rows: rows.count[b],
      columns: width,
      terms: Array.from({ length: rows.termBegin[b + 1] - rows.termBegin[b] }, (_, i) => {
        const t = rows.termBegin[b] + i;
        const a = { offset: rows.offset[t], ld: rows.ld[t], transposed: rows.transposed[t] === 1 };
        return { a, b: vectors(rows.source[t]), depth: rows.terms[t] };
      }),
    })),
  };
}
