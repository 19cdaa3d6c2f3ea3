/**
 * Copies between callers' matrices and the arena.
 * `TypedArray.set` copies memory at 0.2–0.4 ns a number and costs some 70 ns a call, a loop 2 ns a number (Node 20,
 * measured): so a matrix whose columns lie close together goes in at one stroke, gaps and all, and only short columns
 * go by a loop.
 */
import type { Triangle } from '../blas.js';
import type { FloatArray, Matrix } from '../matrix.js';
import { isDouble, openWasm } from './wasm.js';
import type { WasmInstance, Routines } from './wasm.js';

/** Columns shorter than this are copied by a loop. */
const SHORT = 32;

/** Operands of one call in the arena: routines and width of their precision, addresses handed out one after another. */
export interface Stage {
  readonly wasm: WasmInstance;
  readonly routines: Routines;
  readonly width: 8 | 4;
}

/** Leading dimension and address of a matrix in the arena. */
export interface Staged {
  readonly at: number;
  readonly ld: number;
}

/** Opens the arena for operands like `data`. */
export function openStage(data: FloatArray): Stage {
  const wasm = openWasm();
  return isDouble(data) ? { wasm, routines: wasm.double, width: 8 } : { wasm, routines: wasm.single, width: 4 };
}

/** Numbers to count for a staged matrix: with its gaps where those are copied along, and a cache line for alignment. */
export function room(a: Matrix): number {
  return (copiesGaps(a) ? a.ld : a.rows) * a.cols + 16;
}

const copiesGaps = (a: Matrix): boolean => a.cols > 1 && a.ld <= a.rows + (a.rows >> 1);

/** Empties the arena and reserves that many numbers of the stage's width. */
export function reserve(stage: Stage, numbers: number): void {
  stage.wasm.begin(numbers * stage.width);
}

/** Room for a matrix of its own in the arena, not filled. */
export function blank(stage: Stage, rows: number, cols: number): Staged {
  return { at: stage.wasm.take(rows * cols * stage.width), ld: Math.max(1, rows) };
}

/** The matrix in the arena. */
export function put(stage: Stage, a: Matrix): Staged {
  const { wasm, width } = stage;
  const ld = copiesGaps(a) ? a.ld : a.rows;
  const at = wasm.take(ld * a.cols * width);
  if (a.rows > 0 && a.cols > 0) {
    const heap = width === 8 ? wasm.heap64 : wasm.heap32;
    const first = at / width;
    if (copiesGaps(a)) heap.set(a.data.subarray(a.offset, a.offset + (a.cols - 1) * ld + a.rows), first);
    else copyColumns(heap, first, ld, a.data, a.offset, a.ld, a.rows, a.cols);
  }
  return { at, ld: Math.max(1, ld) };
}

/** The staged matrix back into the caller's. */
export function fetch(stage: Stage, staged: Staged, a: Matrix): void {
  const { wasm, width } = stage;
  if (a.rows === 0 || a.cols === 0) return;
  const heap = width === 8 ? wasm.heap64 : wasm.heap32;
  const first = staged.at / width;
  if (a.ld === a.rows && staged.ld === a.rows) a.data.set(heap.subarray(first, first + a.rows * a.cols), a.offset);
  else copyColumns(a.data, a.offset, a.ld, heap, first, staged.ld, a.rows, a.cols);
}

/** One triangle, with the diagonal, back into the caller's matrix; the other is not touched. */
export function fetchTriangle(stage: Stage, staged: Staged, uplo: Triangle, a: Matrix): void {
  const { wasm, width } = stage;
  const heap = width === 8 ? wasm.heap64 : wasm.heap32;
  const n = a.rows;
  const first = staged.at / width;
  for (let j = 0; j < n; j++) {
    const from = uplo === 'L' ? j : 0;
    const count = uplo === 'L' ? n - j : j + 1;
    copyColumns(a.data, a.offset + from + j * a.ld, n, heap, first + from + j * staged.ld, n, count, 1);
  }
}

function copyColumns(
  to: FloatArray,
  at: number,
  ldTo: number,
  from: FloatArray,
  first: number,
  ldFrom: number,
  rows: number,
  cols: number,
): void {
  if (rows >= SHORT) {
    for (let j = 0; j < cols; j++) {
      const p = first + j * ldFrom;
      to.set(from.subarray(p, p + rows), at + j * ldTo);
    }
  } else if (isDouble(to)) {
    copyShort64(to, at, ldTo, from as Float64Array, first, ldFrom, rows, cols);
  } else {
    copyShort32(to, at, ldTo, from as Float32Array, first, ldFrom, rows, cols);
  }
}

// Twice the same loop: each copy sees one kind of array, and stays fast for it.
function copyShort64(
  to: Float64Array,
  at: number,
  ldTo: number,
  from: Float64Array,
  first: number,
  ldFrom: number,
  rows: number,
  cols: number,
): void {
  for (let j = 0; j < cols; j++) {
    const p = first + j * ldFrom;
    const q = at + j * ldTo;
    for (let i = 0; i < rows; i++) to[q + i] = from[p + i];
  }
}

function copyShort32(
  to: Float32Array,
  at: number,
  ldTo: number,
  from: Float32Array,
  first: number,
  ldFrom: number,
  rows: number,
  cols: number,
): void {
  for (let j = 0; j < cols; j++) {
    const p = first + j * ldFrom;
    const q = at + j * ldTo;
    for (let i = 0; i < rows; i++) to[q + i] = from[p + i];
  }
}
