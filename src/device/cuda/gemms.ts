/**
 * Which block products cuBLAS multiplies, and by which calls. Products of large blocks are its; our own kernels
 * (kernels/products.ts) have all others, in one launch whatever their shapes are.
 *
 * Products of one shape are one call where they take GEMM_LEAST.flops or more: gemm, gemmStridedBatched where factors
 * and results lie equally far apart, else gemmBatched. Large blocks that are left over are one gemmGroupedBatched,
 * where the library has it and they take as much. A sum of several terms is a call for each term, in their order. Of
 * a lower triangle strips of columns are multiplied, each from its diagonal on.
 */
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

const keyOf = ({ gemms }: Candidate): string =>
  gemms.map(({ shape: { m, n, k, transposed, ld }, swapped }) => [m, n, k, ...transposed, ...ld, swapped]).join(';');

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

/** The call of each term of candidates of one shape. */
const uniformCalls = (candidates: readonly Candidate[]): GemmCall[] =>
  candidates[0].gemms.map(({ shape, swapped }, t) => {
    const offsets = candidates.map(({ gemms }) => gemms[t].offsets);
    const strides = offsets.length === 1 ? undefined : stridesOf(offsets);
    return {
      form: offsets.length === 1 ? 'one' : strides === undefined ? 'batched' : 'strided',
      shapes: [shape],
      counts: [offsets.length],
      offsets,
      strides: strides ?? [0, 0, 0],
      swapped,
      goesOn: t > 0,
      flops: offsets.length * flopsOf(shape),
    };
  });

/** Calls for groups of candidates of one shape each, which all stand by columns or all by rows: one for each term. */
function groupedCalls(groups: readonly (readonly Candidate[])[]): GemmCall[] {
  const calls: GemmCall[] = [];
  for (let t = 0; ; t++) {
    const left = groups.filter(([{ gemms }]) => gemms.length > t);
    if (left.length === 0) return calls;
    const shapes = left.map(([{ gemms }]) => gemms[t].shape);
    const counts = left.map(({ length }) => length);
    calls.push({
      form: 'grouped',
      shapes,
      counts,
      offsets: left.flatMap((group) => group.map(({ gemms }) => gemms[t].offsets)),
      strides: [0, 0, 0],
      swapped: left[0][0].gemms[t].swapped,
      goesOn: t > 0,
      flops: shapes.reduce((sum, shape, i) => sum + counts[i] * flopsOf(shape), 0),
    });
  }
}

/** What cuBLAS multiplies, and the work that is left. */
export interface ChosenGemms {
  readonly calls: readonly GemmCall[];
  readonly rest: BlockProducts;
}

/** Targets of one shape each, in the order in which shapes come, and those that are too small. */
function candidatesOf(
  work: BlockProducts,
  least: GemmLeast,
): { readonly groups: Candidate[][]; readonly small: ProductTarget[] } {
  const groups = new Map<string, Candidate[]>();
  const small: ProductTarget[] = [];
  const strips = work.targets.flatMap((target) => (isLarge(target, least) ? stripsOf(target) : [target]));
  for (const target of strips) {
    if (!isLarge(target, least)) {
      small.push(target);
      continue;
    }
    const candidate = { target, gemms: target.terms.map((term) => gemmOf(target, term)) };
    const key = keyOf(candidate);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [candidate]);
    else group.push(candidate);
  }
  return { groups: [...groups.values()], small };
}

/**
 * Chooses by sizes alone. `open` opens cuBLAS, asked only where something is large enough: whether it multiplies
 * matrices of several shapes in one call; undefined where there is none. What that throws is thrown.
 */
export function chooseGemms(
  work: BlockProducts,
  least: GemmLeast,
  open: () => { readonly hasGroups: boolean } | undefined,
): ChosenGemms {
  const isWorth = (calls: readonly GemmCall[]): boolean =>
    calls.length > 0 && calls.every(({ flops }) => flops >= least.flops);
  const { groups, small } = candidatesOf(work, least);
  const calls: GemmCall[] = [];
  const left: Candidate[][] = [];
  for (const group of groups) {
    const own = uniformCalls(group);
    if (isWorth(own)) calls.push(...own);
    else left.push(group);
  }
  const sides = [false, true].map((swapped) => left.filter(([{ gemms }]) => gemms[0].swapped === swapped));
  const together = sides.map((own) => (own.length > 1 ? groupedCalls(own) : []));
  const cublas = isWorth(calls) || together.some(isWorth) ? open() : undefined;
  if (cublas === undefined) return { calls: [], rest: work };
  const rest = [...small];
  sides.forEach((own, side) => {
    if (cublas.hasGroups && isWorth(together[side])) calls.push(...together[side]);
    else rest.push(...own.flatMap((group) => group.map(({ target }) => target)));
  });
  return calls.length === 0 ? { calls, rest: work } : { calls, rest: { ...work, targets: rest } };
}
