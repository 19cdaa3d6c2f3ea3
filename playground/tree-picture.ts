/**
 * The points in the plane, the clusters of one level of the tree in colours of their own.
 */
import type { Compressed } from './protocol.js';

/** Neighbouring clusters are told apart by colour; after twelve the colours return. */
const HUES = 12;

/** Shades of both themes stand out from the paper. */
const colourOf = (cluster: number): string =>
  `hsl(${(360 * ((cluster * 5) % HUES)) / HUES} ${cluster % 2 === 0 ? 75 : 55}% ${cluster % 2 === 0 ? 45 : 55}%)`;

/** What is marked besides: positions in tree order. */
export type Marked = readonly (readonly [from: number, to: number])[];

/** Draws the clusters of `level`; where some are marked, the others fade. */
export function drawTree(
  canvas: HTMLCanvasElement,
  { plane, structure }: Compressed,
  level: number,
  marked: Marked,
): void {
  const context = canvas.getContext('2d')!;
  const { width, height } = canvas;
  const { leafBegin, size } = structure;
  const leaves = leafBegin.length - 1;
  const below = leaves / 2 ** level;
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let p = 0; p < size; p++) {
    left = Math.min(left, plane[2 * p]);
    right = Math.max(right, plane[2 * p]);
    low = Math.min(low, plane[2 * p + 1]);
    high = Math.max(high, plane[2 * p + 1]);
  }
  const edge = 12;
  const scale = Math.min((width - 2 * edge) / (right - left || 1), (height - 2 * edge) / (high - low || 1));
  const x = (p: number): number => width / 2 + scale * (plane[2 * p] - (left + right) / 2);
  const y = (p: number): number => height / 2 - scale * (plane[2 * p + 1] - (low + high) / 2);
  const side = size > 3000 ? 5 : size > 1500 ? 6 : 8;
  context.clearRect(0, 0, width, height);
  for (let cluster = 0; cluster < 2 ** level; cluster++) {
    const [from, to] = [leafBegin[cluster * below], leafBegin[(cluster + 1) * below]];
    context.fillStyle = colourOf(cluster);
    for (let p = from; p < to; p++) {
      context.globalAlpha = marked.length === 0 || marked.some(([a, b]) => p >= a && p < b) ? 1 : 0.12;
      context.fillRect(Math.round(x(p) - side / 2), Math.round(y(p) - side / 2), side, side);
    }
  }
  context.globalAlpha = 1;
}
