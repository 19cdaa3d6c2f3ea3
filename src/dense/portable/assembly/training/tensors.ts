/**
 * What the module exports of tensors, as index.ts what of vectors: every kernel in float64 (…64) and float32 (…32),
 * pointers in bytes. `../../tensor-kernels.ts` holds the same list as a TypeScript interface. Compiled to WebAssembly.
 */
import { combineColumns as combineColumnsOf, combineRows as combineRowsOf } from './broadcasts';
import { maxIndices as maxIndicesOf, maxPool as maxPoolOf } from './extremes';
import { copyChunks as copyChunksOf, gather as gatherOf, scatterAdd as scatterAddOf } from './movements';
import {
  columnDots as columnDotsOf,
  columnSums as columnSumsOf,
  rowDots as rowDotsOf,
  rowSums as rowSumsOf,
} from './reductions';
import { logSumExp as logSumExpOf } from './softmax';

export { largestIndex } from './movements';

export function rowSums64(rows: i32, cols: i32, alpha: f64, x: usize, beta: f64, out: usize): void {
  rowSumsOf<f64>(rows, cols, alpha, x, beta, out);
}

export function rowSums32(rows: i32, cols: i32, alpha: f32, x: usize, beta: f32, out: usize): void {
  rowSumsOf<f32>(rows, cols, alpha, x, beta, out);
}

export function rowDots64(rows: i32, cols: i32, alpha: f64, x: usize, y: usize, beta: f64, out: usize): void {
  rowDotsOf<f64>(rows, cols, alpha, x, y, beta, out);
}

export function rowDots32(rows: i32, cols: i32, alpha: f32, x: usize, y: usize, beta: f32, out: usize): void {
  rowDotsOf<f32>(rows, cols, alpha, x, y, beta, out);
}

export function columnSums64(rows: i32, cols: i32, alpha: f64, x: usize, beta: f64, out: usize): void {
  columnSumsOf<f64>(rows, cols, alpha, x, beta, out);
}

export function columnSums32(rows: i32, cols: i32, alpha: f32, x: usize, beta: f32, out: usize): void {
  columnSumsOf<f32>(rows, cols, alpha, x, beta, out);
}

export function columnDots64(rows: i32, cols: i32, alpha: f64, x: usize, y: usize, beta: f64, out: usize): void {
  columnDotsOf<f64>(rows, cols, alpha, x, y, beta, out);
}

export function columnDots32(rows: i32, cols: i32, alpha: f32, x: usize, y: usize, beta: f32, out: usize): void {
  columnDotsOf<f32>(rows, cols, alpha, x, y, beta, out);
}

export function combineRows64(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: f64, y: usize,
): void {
  combineRowsOf<f64>(rows, cols, a, x, b, z, c, beta, y);
}

export function combineRows32(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: f32, y: usize,
): void {
  combineRowsOf<f32>(rows, cols, a, x, b, z, c, beta, y);
}

export function combineColumns64(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: f64, y: usize,
): void {
  combineColumnsOf<f64>(rows, cols, a, x, b, z, c, beta, y);
}

export function combineColumns32(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: f32, y: usize,
): void {
  combineColumnsOf<f32>(rows, cols, a, x, b, z, c, beta, y);
}

export function logSumExp64(rows: i32, cols: i32, x: usize, out: usize): void {
  logSumExpOf<f64>(rows, cols, x, out);
}

export function logSumExp32(rows: i32, cols: i32, x: usize, out: usize): void {
  logSumExpOf<f32>(rows, cols, x, out);
}

export function maxIndices64(rows: i32, cols: i32, x: usize, indices: usize): void {
  maxIndicesOf<f64>(rows, cols, x, indices);
}

export function maxIndices32(rows: i32, cols: i32, x: usize, indices: usize): void {
  maxIndicesOf<f32>(rows, cols, x, indices);
}

export function maxPool64(
  depth: i32, width: i32, height: i32, windowWidth: i32, windowHeight: i32, strideWidth: i32, strideHeight: i32,
  left: i32, top: i32, outWidth: i32, outHeight: i32, x: usize, y: usize, indices: usize,
): void {
  maxPoolOf<f64>(
    depth, width, height, windowWidth, windowHeight, strideWidth, strideHeight, left, top, outWidth, outHeight, x,
    y, indices,
  );
}

export function maxPool32(
  depth: i32, width: i32, height: i32, windowWidth: i32, windowHeight: i32, strideWidth: i32, strideHeight: i32,
  left: i32, top: i32, outWidth: i32, outHeight: i32, x: usize, y: usize, indices: usize,
): void {
  maxPoolOf<f32>(
    depth, width, height, windowWidth, windowHeight, strideWidth, strideHeight, left, top, outWidth, outHeight, x,
    y, indices,
  );
}

export function gather64(rows: i32, cols: i32, indices: usize, x: usize, beta: f64, y: usize): void {
  gatherOf<f64>(rows, cols, indices, x, beta, y);
}

export function gather32(rows: i32, cols: i32, indices: usize, x: usize, beta: f32, y: usize): void {
  gatherOf<f32>(rows, cols, indices, x, beta, y);
}

export function scatterAdd64(rows: i32, cols: i32, indices: usize, x: usize, y: usize): void {
  scatterAddOf<f64>(rows, cols, indices, x, y);
}

export function scatterAdd32(rows: i32, cols: i32, indices: usize, x: usize, y: usize): void {
  scatterAddOf<f32>(rows, cols, indices, x, y);
}

export function copyChunks64(
  chunk: i32, inner: i32, innerFrom: i32, innerTo: i32, outer: i32, outerFrom: i32, outerTo: i32, x: usize, beta:
  f64, y: usize,
): void {
  copyChunksOf<f64>(chunk, inner, innerFrom, innerTo, outer, outerFrom, outerTo, x, beta, y);
}

export function copyChunks32(
  chunk: i32, inner: i32, innerFrom: i32, innerTo: i32, outer: i32, outerFrom: i32, outerTo: i32, x: usize, beta:
  f32, y: usize,
): void {
  copyChunksOf<f32>(chunk, inner, innerFrom, innerTo, outer, outerFrom, outerTo, x, beta, y);
}
